//! Guards of a run: what a playbook lists under `guards`, and what CloudWatch shows of it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::metric::{Limit, Metric, Said, metric_faults, window, window_fault};
use super::read;
use crate::engine::{Class, Failure, Finding};
use crate::permissions::{self, Phases};
use crate::plan::{Effect, Fault, KindInfo, Plan};
use crate::steps::step::schema;
use crate::steps::{Action, Env, Need, action};

/// The name under which guards stand among the kinds: no step has it.
pub const GUARD: &str = "guards";
const CHECK: &str = "gate.metrics";
const ACTIONS: &[Action] = &[
    action("cloudwatch:DescribeAlarms", "alarm:{alarm}", Phases::PLAN_RUN),
    action("cloudwatch:GetMetricData", "*", Phases::PLAN_RUN).when("metric"),
];

/// A CloudWatch alarm or a metric that is watched while the run is on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name, for journal, status and report.
    #[expect(dead_code, reason = "the engine reads it from the plan")]
    id: String,
    /// The name of an alarm, on a metric or composite. It is breached while that is in `ALARM`, and unknown in `INSUFFICIENT_DATA`.
    #[serde(default)]
    alarm: Option<String>,
    /// The metric's namespace, such as `AWS/MemoryDB`.
    #[serde(default)]
    namespace: Option<String>,
    /// In place of an alarm: a metric, such as `EngineCPUUtilization`.
    #[serde(default)]
    metric: Option<String>,
    /// All of the metric's dimensions.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    /// `Average`, `Minimum`, `Maximum`, `Sum`, `SampleCount` or a percentile such as `p99`; `Maximum` if left out.
    #[serde(default = "maximum")]
    statistic: String,
    /// It is breached by a data point that is smaller.
    #[serde(default)]
    at_least: Option<f64>,
    /// It is breached by a data point that is greater.
    #[serde(default)]
    at_most: Option<f64>,
    /// How far back the metric is looked at; `5m` if left out.
    #[serde(default = "five_minutes")]
    #[schemars(extend("x-format" = "duration"))]
    window: String,
    /// What happens on a breach: `pause` until a person lets the run go on, or `rollback`.
    #[expect(dead_code, reason = "the engine reads it from the plan")]
    on_breach: OnBreach,
    /// What it means that nothing is known: `warn`, or `breach`; `warn` if left out.
    #[serde(default)]
    #[expect(dead_code, reason = "the engine reads it from the plan")]
    no_data: NoData,
}

fn maximum() -> String {
    "Maximum".to_owned()
}

fn five_minutes() -> String {
    "5m".to_owned()
}

/// What happens on a breach.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnBreach {
    Pause,
    Rollback,
}

/// What it means that nothing is known.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NoData {
    #[default]
    Warn,
    Breach,
}

/// What a guard is seen to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Within its limit.
    Well,
    /// Breached: what was seen.
    Breached(String),
    /// Nothing is known: why.
    Unknown(String),
}

/// What plans are checked against where guards stand.
#[must_use]
pub fn info() -> KindInfo {
    let spec_schema = schema::<Spec>();
    let docs = spec_schema.get("description").and_then(Value::as_str).unwrap_or_default();
    KindInfo {
        name: GUARD,
        summary: "watch CloudWatch while the run is on".into(),
        docs: docs.to_owned().into(),
        output_schema: serde_json::json!({"type": "object"}),
        effect: Effect::ReadOnly,
        copies_data: false,
        stops_writes: false,
        resumes_writes: false,
        accepts_loss: None,
        spec_schema,
        check,
    }
}

/// The permissions of guards.
#[must_use]
pub fn declared() -> permissions::Kind {
    permissions::Kind { actions: ACTIONS, outputs: &[], guests: &[] }
}

/// What must exist for a guard.
#[must_use]
pub fn needs(guard: &Value) -> Vec<Need> {
    guard["alarm"].as_str().map(|alarm| Need::Alarm(alarm.to_owned())).into_iter().collect()
}

fn check(guard: &Value) -> Vec<Fault> {
    let has = |key: &str| guard.get(key).is_some_and(|value| !value.is_null());
    let mut faults = Vec::new();
    if has("alarm") {
        let metric = ["metric", "namespace", "dimensions", "at_least", "at_most", "window"];
        if let Some(key) = metric.into_iter().find(|key| has(key)) {
            let fault =
                Fault::new(format!("a guard on an alarm has no `{key}`: the alarm has its own"));
            faults.push(fault.key(key).mend("make it two guards"));
        }
        return faults;
    }
    if !has("metric") || !has("namespace") {
        let fault = Fault::new("a guard watches an alarm, or a metric of a namespace");
        faults.push(
            fault.mend("write `alarm: <name>`, or `namespace`, `metric`, `dimensions` and a limit"),
        );
        return faults;
    }
    if !has("at_least") && !has("at_most") {
        faults.push(Fault::new("it has no limit").mend("write `at_most: …` or `at_least: …`"));
    }
    faults.extend(window_fault(guard));
    faults.extend(metric_faults(guard));
    faults
}

/// Looks at every guard of a plan at once, in their order.
///
/// # Errors
/// As `aws::call`: nothing is known of any of them then.
pub async fn look(env: &Env, guards: &[Value], now: Timestamp) -> Result<Vec<Seen>, Failure> {
    let specs: Vec<Spec> = guards
        .iter()
        .map(|guard| serde_json::from_value(guard.clone()))
        .collect::<Result<_, _>>()
        .map_err(|error| {
            Failure::fatal("a guard of the plan does not read back").because(error.to_string())
        })?;
    let names: Vec<String> = specs.iter().filter_map(|spec| spec.alarm.clone()).collect();
    let alarms = if names.is_empty() { Vec::new() } else { read::states(&env.aws, &names).await? };
    let mut seen = Vec::new();
    for spec in &specs {
        seen.push(match &spec.alarm {
            Some(name) => {
                let found = alarms.iter().find(|alarm| alarm.name == *name);
                match found {
                    None => Seen::Unknown(format!("there is no alarm \"{name}\"")),
                    Some(alarm) => {
                        let why = &alarm.reason;
                        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                        match &alarm.state {
                            Some(StateValue::Ok) => Seen::Well,
                            Some(StateValue::Alarm) => {
                                Seen::Breached(format!("alarm \"{name}\" is in ALARM{why}"))
                            }
                            other => {
                                let state =
                                    other.as_ref().map_or("without a state", StateValue::as_str);
                                Seen::Unknown(format!("alarm \"{name}\" is {state}{why}"))
                            }
                        }
                    }
                }
            }
            None => metric(env, spec, now).await?,
        });
    }
    Ok(seen)
}

async fn metric(env: &Env, spec: &Spec, now: Timestamp) -> Result<Seen, Failure> {
    let length: Duration = window(&spec.window).map_err(Failure::fatal)?;
    let metric = Metric {
        namespace: spec.namespace.clone().unwrap_or_default(),
        name: spec.metric.clone().unwrap_or_default(),
        dimensions: spec.dimensions.clone(),
        statistic: spec.statistic.clone(),
    };
    let limit = Limit { at_least: spec.at_least, at_most: spec.at_most };
    let points = read::points(&env.aws, &[&metric], length, now).await?;
    Ok(match limit.weigh(points.first().map_or(&[], Vec::as_slice)) {
        Said::Holds(_) => Seen::Well,
        Said::Breached(value) => {
            Seen::Breached(format!("{metric} is {value}, and must be {limit}"))
        }
        Said::NoData => Seen::Unknown(format!("{metric} has no data in the last {}", spec.window)),
    })
}

/// What the guards of a plan show before it runs.
pub async fn findings(env: &Env, plan: &Plan, now: Timestamp) -> Vec<Finding> {
    if plan.guards.is_empty() {
        return Vec::new();
    }
    let seen = match look(env, &plan.guards, now).await {
        Ok(seen) => seen,
        Err(failure) => {
            let mend = match failure.class {
                Class::Denied => {
                    "allow cloudwatch:DescribeAlarms and cloudwatch:GetMetricData to the caller"
                }
                _ => "look again; without an answer no guard can be weighed",
            };
            return vec![Finding::of(CHECK, &failure).mend(mend)];
        }
    };
    let each = plan.guards.iter().zip(seen).map(|(guard, seen)| {
        let id = guard["id"].as_str().unwrap_or("guard");
        match seen {
            Seen::Well => Finding::ok(CHECK, format!("guard {id} is within its limit now")),
            Seen::Breached(what) => Finding::will_fail(
                CHECK,
                format!("guard {id} is breached now: {what}"),
                "run when it is calm, or change the guard's limit",
            ),
            Seen::Unknown(why) => Finding::cannot_know(CHECK, format!("guard {id}: {why}"))
                .mend("see that the names in it exist: a guard that sees nothing guards nothing"),
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
    use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, MetricAlarm};
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_not_there_or_has_no_data_is_unknown_and_not_well() {
        for (state, expected) in [
            (Some(StateValue::Ok), "Well"),
            (Some(StateValue::Alarm), "Breached(\"alarm \\\"cpu\\\" is in ALARM: busy\")"),
            (
                Some(StateValue::InsufficientData),
                "Unknown(\"alarm \\\"cpu\\\" is INSUFFICIENT_DATA: busy\")",
            ),
            (None, "Unknown(\"there is no alarm \\\"cpu\\\"\")"),
        ] {
            let rule = mock!(Client::describe_alarms).then_output(move || {
                let alarm = state.clone().map(|state| {
                    MetricAlarm::builder()
                        .alarm_name("cpu")
                        .state_value(state)
                        .state_reason("busy")
                        .build()
                });
                DescribeAlarmsOutput::builder()
                    .set_metric_alarms(Some(alarm.into_iter().collect()))
                    .build()
            });
            let env = testing::env(Rules { cloudwatch: vec![&rule], ..Rules::default() });
            let guards = [json!({"id": "cpu", "alarm": "cpu", "on_breach": "pause"})];
            let seen = look(&env, &guards, Timestamp::UNIX_EPOCH).await.unwrap();
            assert_eq!(format!("{:?}", seen[0]), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_composite_alarm_is_asked_for_and_seen() {
        let both = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
        let rule = mock!(Client::describe_alarms)
            .match_requests(move |asked| asked.alarm_types() == both)
            .then_output(|| {
                let alarm = CompositeAlarm::builder().alarm_name("all").state_reason("two of them");
                let alarm = alarm.state_value(StateValue::Alarm).build();
                DescribeAlarmsOutput::builder().composite_alarms(alarm).build()
            });
        let env = testing::env(Rules { cloudwatch: vec![&rule], ..Rules::default() });
        let guards = [json!({"id": "all", "alarm": "all", "on_breach": "pause"})];
        let seen = look(&env, &guards, Timestamp::UNIX_EPOCH).await.unwrap();
        let why = "alarm \"all\" is in ALARM: two of them".to_owned();
        assert_eq!(seen, [Seen::Breached(why)]);
    }

    #[test]
    fn a_guard_that_could_see_nothing_is_refused() {
        for (guard, words) in [
            (json!({"id": "a"}), "watches an alarm, or a metric"),
            (json!({"id": "a", "alarm": "x", "at_most": 1}), "has its own"),
            (json!({"id": "a", "namespace": "A", "metric": "B"}), "no limit"),
            (
                json!({"id": "a", "namespace": "AWS/MemoryDB", "metric": "WriteLatency", "dimensions": {"ClusterName": "x"}, "at_most": 1}),
                "never be data",
            ),
        ] {
            let faults = check(&guard);
            assert!(faults.len() == 1 && faults[0].message.contains(words), "{faults:?}");
        }
        assert_eq!(check(&json!({"id": "a", "alarm": "x"})), []);
    }
}
