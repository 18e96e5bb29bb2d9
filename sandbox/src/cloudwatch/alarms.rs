//! Alarms. Their states come from a seed, a test or SetAlarmState: the sandbox weighs no thresholds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::{invalid, need};
use super::metrics::known;
use super::state::Alarm;
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::wire::json::epoch;

/// The members of PutMetricAlarm that DescribeAlarms shows again (CloudWatch API reference, MetricAlarm).
const SHOWN: [&str; 20] = [
    "AlarmName",
    "AlarmDescription",
    "ActionsEnabled",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
];
const OPERATORS: [&str; 7] = [
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
];

fn arn(ctx: &Ctx, name: &str) -> String {
    format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", ctx.region(), ctx.account())
}

fn shown(ctx: &Ctx, name: &str, alarm: &Alarm) -> Value {
    let (since, state, why) = alarm.state(ctx.now);
    let mut out = alarm.settings.clone();
    out["AlarmArn"] = json!(arn(ctx, name));
    out["StateValue"] = json!(state);
    out["StateReason"] = json!(why);
    out["StateUpdatedTimestamp"] = epoch(since);
    out["StateTransitionedTimestamp"] = epoch(since);
    out["AlarmConfigurationUpdatedTimestamp"] = epoch(alarm.configured);
    out
}

/// DescribeAlarms. Names that are not there are left out; no error says so (CloudWatch API reference).
pub(super) fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let names = input["AlarmNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = |name: &str| {
        let prefix = input["AlarmNamePrefix"].as_str().unwrap_or_default();
        (names.is_empty() || names.iter().any(|wanted| wanted == name)) && name.starts_with(prefix)
    };
    let world = ctx.world();
    let state = input["StateValue"].as_str();
    let alarms = world.cloudwatch.alarms.iter().filter(|(name, _)| wanted(name));
    let alarms = alarms.filter(|(_, a)| state.is_none_or(|state| a.state(ctx.now).1 == state));
    let items: Vec<Value> = alarms.map(|(name, alarm)| shown(ctx, name, alarm)).collect();
    let size = input["MaxRecords"].as_u64().unwrap_or(100).clamp(1, 100) as usize;
    let Some((items, next)) = names::page(items, input["NextToken"].as_str(), size) else {
        return Err(ApiError::bad("InvalidNextToken", "The NextToken is not valid."));
    };
    let mut page = json!({"MetricAlarms": items, "CompositeAlarms": []});
    if let Some(next) = next {
        page["NextToken"] = json!(next);
    }
    Ok(page)
}

/// PutMetricAlarm: makes the alarm, or replaces its settings whole. Tags count where it is made alone (CloudWatch API
/// reference, PutMetricAlarm).
pub(super) fn put(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "AlarmName")?.to_owned();
    let operator = need(input, "ComparisonOperator")?;
    if !OPERATORS.contains(&operator) {
        return Err(invalid(format!("The value {operator} of ComparisonOperator is not valid.")));
    }
    if input["EvaluationPeriods"].as_u64().is_none_or(|periods| periods == 0) {
        return Err(invalid("EvaluationPeriods must be at least 1."));
    }
    let metrics = input["Metrics"].as_array();
    match metrics {
        Some(metrics) => {
            // Exactly one element may return data (CloudWatch API reference, MetricDataQuery).
            let returning = metrics.iter().filter(|m| m["ReturnData"] != Value::Bool(false));
            if returning.count() != 1 {
                return Err(invalid("Exactly one element of the metrics list should return data."));
            }
        }
        None => {
            need(input, "MetricName")?;
            need(input, "Namespace")?;
            let statistic = input["Statistic"].as_str().or(input["ExtendedStatistic"].as_str());
            if !statistic.is_some_and(known) {
                return Err(invalid("Either Statistic or ExtendedStatistic must be provided."));
            }
            if input["Period"].as_u64().is_none_or(|period| period == 0 || period % 60 != 0) {
                return Err(invalid("Period must be a multiple of 60."));
            }
            if input["Threshold"].as_f64().is_none() {
                return Err(invalid("The parameter Threshold is required."));
            }
        }
    }
    let mut settings: Map<String, Value> = SHOWN
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), input.get(*member)?.clone())))
        .collect();
    settings.entry("ActionsEnabled").or_insert(json!(true));
    for member in ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"] {
        settings.entry(member).or_insert_with(|| json!([]));
    }
    let settings = Value::Object(settings);
    let mut world = ctx.world();
    match world.cloudwatch.alarms.get_mut(&name) {
        Some(alarm) => {
            (alarm.settings, alarm.configured) = (settings, ctx.now);
        }
        None => {
            let why = "Unchecked: Initial alarm creation".to_owned();
            let alarm = Alarm {
                settings,
                states: vec![(ctx.now, "INSUFFICIENT_DATA".to_owned(), why)],
                configured: ctx.now,
                tags: tags_in(input),
            };
            world.cloudwatch.alarms.insert(name, alarm);
        }
    }
    Ok(Value::Null)
}

fn tags_in(input: &Value) -> BTreeMap<String, String> {
    let tags = input["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| {
        let value = tag["Value"].as_str().unwrap_or_default().to_owned();
        Some((tag["Key"].as_str()?.to_owned(), value))
    })
    .collect()
}

fn not_found(name: &str) -> ApiError {
    ApiError::missing("ResourceNotFound", format!("Alarm {name} does not exist"))
}

/// DeleteAlarms: all of them or none.
pub(super) fn delete(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let names = input["AlarmNames"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if names.is_empty() || names.len() > 100 {
        return Err(invalid("AlarmNames must name 1 to 100 alarms."));
    }
    let mut world = ctx.world();
    let alarms = &mut world.cloudwatch.alarms;
    if let Some(name) = names.iter().find(|name| !alarms.contains_key(**name)) {
        return Err(not_found(name));
    }
    for name in names {
        alarms.remove(name);
    }
    Ok(Value::Null)
}

/// SetAlarmState.
pub(super) fn set_state(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let (name, state) = (need(input, "AlarmName")?, need(input, "StateValue")?);
    let why = need(input, "StateReason")?.to_owned();
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state) {
        return Err(invalid(format!("The value {state} of StateValue is not valid.")));
    }
    let mut world = ctx.world();
    let alarm = world.cloudwatch.alarms.get_mut(name).ok_or_else(|| not_found(name))?;
    alarm.states.retain(|(at, _, _)| *at <= ctx.now);
    alarm.states.push((ctx.now, state.to_owned(), why));
    Ok(Value::Null)
}

/// ListTagsForResource.
pub(super) fn tags(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let of = need(input, "ResourceARN")?;
    let world = ctx.world();
    let missing = || ApiError::missing("ResourceNotFoundException", format!("{of} does not exist"));
    let prefix = arn(ctx, "");
    let alarm = of.strip_prefix(&prefix).and_then(|name| world.cloudwatch.alarms.get(name));
    let tags = alarm.ok_or_else(missing)?.tags.iter();
    let tags: Vec<_> = tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}
