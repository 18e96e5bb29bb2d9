//! Dashboards: a name and a body of JSON.

use serde_json::{Value, json};

use super::call::{invalid, need};
use super::state::Dashboard;
use crate::context::Ctx;
use crate::wire::ApiError;

fn arn(ctx: &Ctx, name: &str) -> String {
    // Dashboards belong to no region (CloudWatch service authorization reference).
    format!("arn:aws:cloudwatch::{}:dashboard/{name}", ctx.account())
}

fn not_found(name: &str) -> ApiError {
    ApiError::missing("ResourceNotFound", format!("Dashboard {name} does not exist"))
}

/// GetDashboard.
pub(super) fn get(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "DashboardName")?;
    let world = ctx.world();
    let found = world.cloudwatch.dashboards.get(name).ok_or_else(|| not_found(name))?;
    Ok(json!({
        "DashboardArn": arn(ctx, name),
        "DashboardBody": found.body,
        "DashboardName": name,
    }))
}

/// PutDashboard: makes it or replaces its body.
pub(super) fn put(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let (name, body) = (need(input, "DashboardName")?, need(input, "DashboardBody")?);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.len() > 255 || !name.chars().all(plain) {
        return Err(ApiError::bad(
            "InvalidParameterValue",
            format!("The value {name} for field DashboardName is not valid."),
        ));
    }
    let widgets = serde_json::from_str::<Value>(body).ok();
    let widgets = widgets.as_ref().and_then(|body| body["widgets"].as_array());
    if widgets.is_none() {
        return Err(ApiError::bad("InvalidParameterInput", "The dashboard body is invalid."));
    }
    let dashboard = Dashboard { body: body.to_owned() };
    ctx.world().cloudwatch.dashboards.insert(name.to_owned(), dashboard);
    Ok(json!({"DashboardValidationMessages": []}))
}

/// DeleteDashboards: all of them or none.
pub(super) fn delete(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let names = input["DashboardNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Err(invalid("DashboardNames is required."));
    }
    let mut world = ctx.world();
    let dashboards = &mut world.cloudwatch.dashboards;
    if let Some(name) = names.iter().find(|name| !dashboards.contains_key(**name)) {
        return Err(not_found(name));
    }
    for name in names {
        dashboards.remove(name);
    }
    Ok(json!({}))
}
