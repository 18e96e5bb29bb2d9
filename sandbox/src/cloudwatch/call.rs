use serde_json::Value;

use super::{alarms, dashboards, metrics};
use crate::context::Ctx;
use crate::wire::ApiError;

/// The members that hold times.
pub(crate) const TIMES: &[&str] = &[
    "Timestamps",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "AlarmConfigurationUpdatedTimestamp",
    "LastModified",
];

/// Answers one operation of this service: with null where it has no output.
pub(crate) async fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetMetricData" => metrics::data(ctx, input).await,
        "PutMetricData" => super::put::metric_data(ctx, input),
        "DescribeAlarms" => alarms::describe(ctx, input),
        "PutMetricAlarm" => alarms::put(ctx, input),
        "DeleteAlarms" => alarms::delete(ctx, input),
        "SetAlarmState" => alarms::set_state(ctx, input),
        "ListTagsForResource" => alarms::tags(ctx, input),
        "GetDashboard" => dashboards::get(ctx, input),
        "PutDashboard" => dashboards::put(ctx, input),
        "DeleteDashboards" => dashboards::delete(ctx, input),
        other => Err(ApiError::unknown_operation(other)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationError", message)
}

/// A member that must be there.
pub(super) fn need<'a>(input: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    let missing = || invalid(format!("The parameter {name} is required."));
    input[name].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}
