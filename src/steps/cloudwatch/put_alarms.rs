//! `cloudwatch.put_alarms`: alarms on metrics that somebody publishes.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{MetricAlarm, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metric::metric_faults;
use super::read::{SERVICE, alarms};
use super::settings::Settings;
use crate::aws::{Op, call, found};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::playbook::parse_duration;
use crate::steps::creation::{self, Call};
use crate::steps::memorydb::NAME as CHECK;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action, ownership};

/// The finest period of what AWS services publish.
const PERIOD: u64 = 60;
/// Longest name (CloudWatch API reference, PutMetricAlarm).
const LONGEST: usize = 255;

/// Makes CloudWatch alarms.
///
/// CloudWatch takes an alarm on any name and any dimensions, and one on a metric that nobody publishes stays quiet for ever.
/// So metrics of `AWS/ElastiCache` and `AWS/MemoryDB` are checked before the run against what these services publish.
///
/// ```yaml
/// - id: alarms
///   cloudwatch.put_alarms:
///     notify: ["arn:aws:sns:us-east-1:123456789012:on-call"]
///     alarms:
///       - name: prod-mdb-cpu
///         namespace: AWS/MemoryDB
///         metric: EngineCPUUtilization
///         dimensions: { ClusterName: prod-mdb }
///         above: 70
///         for: 5m
/// ```
///
/// An alarm of that name which this run has not made fails the step; with `replace: true` its settings are replaced, and a
/// rollback puts them back. An alarm on several metrics or on anomalies is never replaced.
///
/// Undone by deleting the alarms that this run made, and by putting back the settings of those that it replaced. An alarm
/// that somebody has changed since is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The alarms.
    #[schemars(length(min = 1, max = 100))]
    alarms: Vec<Alarm>,
    /// ARNs that are told of an alarm and of its end, such as SNS topics.
    #[serde(default)]
    notify: Vec<String>,
    /// Whether alarms that are there already get these settings.
    #[serde(default)]
    replace: bool,
}

/// An alarm.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alarm {
    /// Its name.
    name: String,
    /// What it means, and what to do.
    #[serde(default)]
    description: Option<String>,
    /// Such as `AWS/MemoryDB`.
    namespace: String,
    /// Such as `EngineCPUUtilization`.
    metric: String,
    /// All of its dimensions.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    /// `Average`, `Minimum`, `Maximum`, `Sum`, `SampleCount` or a percentile such as `p99`; `Average` if left out.
    #[serde(default = "average")]
    statistic: String,
    /// It alarms at values above this.
    #[serde(default)]
    above: Option<f64>,
    /// It alarms at values below this.
    #[serde(default)]
    below: Option<f64>,
    /// For how long, in whole minutes; `5m` if left out.
    #[serde(default = "five_minutes", rename = "for")]
    #[schemars(extend("x-format" = "duration"))]
    length: String,
    /// What no data means: `missing`, `breaching`, `notBreaching` or `ignore`; `missing` if left out.
    #[serde(default = "missing")]
    #[schemars(extend("enum" = ["missing", "breaching", "notBreaching", "ignore"]))]
    no_data: String,
}

fn average() -> String {
    "Average".to_owned()
}

fn five_minutes() -> String {
    "5m".to_owned()
}

fn missing() -> String {
    "missing".to_owned()
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The settings of each alarm, as they are going to be.
    wanted: BTreeMap<String, Settings>,
    /// The settings of those that were there.
    former: BTreeMap<String, Settings>,
}

/// The alarms.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Their names, sorted.
    names: Vec<String>,
}

/// `cloudwatch.put_alarms`.
pub(crate) struct PutAlarms;

impl Step for PutAlarms {
    const KIND: &'static str = "cloudwatch.put_alarms";
    const SUMMARY: &'static str = "make CloudWatch alarms on metrics that are published";
    const ACTIONS: &'static [Action] = &[
        action("cloudwatch:DescribeAlarms", "alarm:{alarms.name}", Phases::ALL),
        action("cloudwatch:ListTagsForResource", "alarm:{alarms.name}", Phases::RUN_UNDO),
        action("cloudwatch:PutMetricAlarm", "alarm:{alarms.name}", Phases::RUN),
        action("cloudwatch:PutMetricAlarm", "alarm:{alarms.name}", Phases::UNDO).when("replace"),
        action("cloudwatch:TagResource", "alarm:{alarms.name}", Phases::RUN),
        action("cloudwatch:DeleteAlarms", "alarm:{alarms.name}", Phases::UNDO),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let given = args["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut faults = Vec::new();
        for (index, alarm) in given.iter().enumerate() {
            let at = |fault: Fault| {
                let mut path = Fault::default().key("alarms").item(index).path;
                path.extend(fault.path);
                Fault { path, ..fault }
            };
            faults.extend(alarm_faults(alarm).into_iter().map(at));
            faults.extend(metric_faults(alarm).into_iter().map(at));
            let name = alarm["name"].as_str();
            if name.is_some() && given[..index].iter().any(|other| other["name"].as_str() == name) {
                let fault = Fault::new("another alarm of the step has this name").key("name");
                faults.push(at(fault.mend("give each a name of its own")));
            }
        }
        let notify = args["notify"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, target) in notify.iter().enumerate() {
            if target.as_str().is_some_and(|arn| !arn.starts_with("arn:")) {
                let fault = Fault::new("nobody can be told at what is no ARN").key("notify");
                faults.push(
                    fault
                        .item(index)
                        .mend("write an SNS topic like arn:aws:sns:us-east-1:123456789012:on-call"),
                );
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let given = args["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = |alarm: &Value| {
            let (above, below) = (alarm["above"].as_f64(), alarm["below"].as_f64());
            let limit = above.map(|v| format!("above {v}")).or(below.map(|v| format!("below {v}")));
            let metric = alarm["metric"].as_str().unwrap_or("…");
            format!("{metric} {}", limit.unwrap_or_else(|| "…".to_owned()))
        };
        let all: Vec<String> = given.iter().map(one).collect();
        let count = if given.len() == 1 {
            "one alarm".to_owned()
        } else {
            format!("{} alarms", given.len())
        };
        Sketch {
            does: format!("make {count} in CloudWatch: {}", all.join(", ")),
            undo: Some("delete those that it made, put the others back".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let given = args["alarms"].as_array().into_iter().flatten();
        let touch = |alarm: &Value| {
            Touch::creates(format!(
                "CloudWatch alarm \"{}\"",
                alarm["name"].as_str().unwrap_or("…")
            ))
        };
        given.map(touch).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let given = args["alarms"].as_array().into_iter().flatten();
        let names: Vec<String> =
            given.filter_map(|alarm| Some(alarm["name"].as_str()?.to_owned())).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let there = match alarms(&env.aws, &names).await {
            Ok(there) => there,
            Err(failure) => return vec![Finding::of(CHECK, &failure)],
        };
        let replace = args["replace"].as_bool().unwrap_or(false);
        let finding = match there.iter().find(|alarm| !replace || Settings::of(alarm).is_none()) {
            None if there.is_empty() => {
                Finding::ok(CHECK, format!("none of {} alarms is there yet", names.len()))
            }
            None => {
                Finding::ok(CHECK, format!("{} alarms are there and are replaced", there.len()))
            }
            Some(alarm) => {
                let failure = taken(alarm);
                let mend = failure.mend.clone().unwrap_or_default();
                Finding::will_fail(CHECK, failure.to_string(), mend)
            }
        };
        vec![finding.seen("exist", there.iter().filter_map(|a| a.alarm_name()).collect::<Vec<_>>())]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let mut wanted = BTreeMap::new();
        for alarm in &spec.alarms {
            wanted.insert(alarm.name.clone(), settings(spec, alarm)?);
        }
        let names: Vec<String> = wanted.keys().cloned().collect();
        let mut former = BTreeMap::new();
        for alarm in alarms(&env.aws, &names).await? {
            if is_ours(env, cx, &alarm).await? {
                continue;
            }
            match Settings::of(&alarm) {
                Some(settings) if spec.replace => {
                    former.insert(alarm.alarm_name.clone().unwrap_or_default(), settings);
                }
                _ => return Err(taken(&alarm)),
            }
        }
        let resource = |name: &String| Resource {
            what: "CloudWatch alarm".to_owned(),
            name: name.clone(),
            arn: None,
            role: if former.contains_key(name) { Role::Changes } else { Role::Creates },
        };
        let resources = names.iter().map(resource).collect();
        Ok((Prepared { wanted, former }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let asked = creation::call_state(cx) != Call::Never;
        let names: Vec<String> = prepared.wanted.keys().cloned().collect();
        let there = alarms(&env.aws, &names).await?;
        let of = |name: &str| there.iter().find(|alarm| alarm.alarm_name() == Some(name));
        let mut called = false;
        for (name, wanted) in &prepared.wanted {
            if let Some(alarm) = of(name) {
                let known = prepared.former.contains_key(name) || is_ours(env, cx, alarm).await?;
                if !known {
                    return Err(taken(alarm));
                }
                if Settings::of(alarm).as_ref() == Some(wanted) {
                    continue;
                }
            }
            let new = !prepared.former.contains_key(name);
            put(env, cx, name, wanted, new).await?;
            called = true;
        }
        let output = Output { names };
        Ok(match (called, asked) {
            (true, _) => Done::Changed(output),
            (false, true) => Done::Adopted(output),
            (false, false) => Done::Unchanged(output),
        })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let names: Vec<String> = prepared.wanted.keys().cloned().collect();
        // What was asked for a moment ago may not show yet.
        let look = || async {
            let there = alarms(&env.aws, &names).await?;
            Ok((there.len() == names.len()).then_some(there))
        };
        let there = match creation::look_for_made(cx, look).await? {
            Some(there) => there,
            None => alarms(&env.aws, &names).await?,
        };
        let (mut did, mut delete) = (Vec::new(), Vec::new());
        for alarm in &there {
            let name = alarm.alarm_name().unwrap_or_default().to_owned();
            let now = Settings::of(alarm);
            match prepared.former.get(&name) {
                Some(former) if now.as_ref() == Some(former) => {}
                Some(former) if now.as_ref() == prepared.wanted.get(&name) => {
                    put(env, cx, &name, former, false).await?;
                    did.push(format!("put CloudWatch alarm \"{name}\" back"));
                }
                None if is_ours(env, cx, alarm).await? => delete.push(name),
                _ => cx.warn(format!(
                    "somebody else has changed CloudWatch alarm \"{name}\" since; it was left"
                )),
            }
        }
        if !delete.is_empty() {
            let request = env.aws.cloudwatch.delete_alarms().set_alarm_names(Some(delete.clone()));
            let deleted = env.aws.change(SERVICE, "DeleteAlarms", request.send()).await;
            deleted.map_err(creation::not_deleted)?;
            did.extend(delete.iter().map(|name| format!("deleted CloudWatch alarm \"{name}\"")));
        }
        creation::note_call(cx, Call::Over).await?;
        Ok(did)
    }
}

async fn put(
    env: &Env,
    cx: &Cx,
    name: &str,
    settings: &Settings,
    new: bool,
) -> Result<(), Failure> {
    let mut request = settings.request(env.aws.cloudwatch.put_metric_alarm().alarm_name(name));
    if new {
        // They count in the call that makes the alarm alone.
        let own = ownership::tags(cx);
        let tag = |(key, value): &(&str, String)| Tag::builder().key(*key).value(value).build();
        request = request.set_tags(Some(own.iter().map(tag).collect()));
    }
    let call = env.aws.change(SERVICE, "PutMetricAlarm", request.send());
    creation::ask(cx, call)
        .await
        .map(drop)
        .map_err(|failure| failure.context(format!("failed to make CloudWatch alarm \"{name}\"")))
}

async fn is_ours(env: &Env, cx: &Cx, alarm: &MetricAlarm) -> Result<bool, Failure> {
    let Some(arn) = alarm.alarm_arn() else { return Ok(false) };
    let request = env.aws.cloudwatch.list_tags_for_resource().resource_arn(arn);
    let answer = found(call(Op::read(SERVICE, "ListTagsForResource"), request.send()).await)?;
    let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(ownership::is_ours(cx, tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))))
}

fn taken(alarm: &MetricAlarm) -> Failure {
    let name = alarm.alarm_name().unwrap_or_default();
    let failure = Failure::new(
        Class::Conflict,
        format!(
            "CloudWatch alarm \"{name}\" exists already and was not made by this run; it was not touched"
        ),
    );
    match Settings::of(alarm) {
        Some(_) => failure.mend("choose another name; `replace: true` replaces its settings, and a rollback puts them back"),
        None => failure
            .because("it is an alarm on several metrics or on anomalies, which could not be put back")
            .mend("choose another name"),
    }
}

/// The settings as CloudWatch is going to show them.
fn settings(spec: &Spec, alarm: &Alarm) -> Result<Settings, Failure> {
    let wrong = |why: String| Failure::fatal(format!("alarm \"{}\": {why}", alarm.name));
    let minutes = minutes(&alarm.length).map_err(wrong)?;
    let (threshold, operator) = match (alarm.above, alarm.below) {
        (Some(above), None) => (above, "GreaterThanThreshold"),
        (None, Some(below)) => (below, "LessThanThreshold"),
        _ => return Err(wrong("it needs `above` or `below`".to_owned())),
    };
    Ok(Settings {
        description: alarm.description.clone(),
        actions_enabled: true,
        ok_actions: spec.notify.clone(),
        alarm_actions: spec.notify.clone(),
        insufficient_data_actions: Vec::new(),
        namespace: alarm.namespace.clone(),
        metric: alarm.metric.clone(),
        dimensions: alarm.dimensions.clone(),
        statistic: alarm.statistic.clone(),
        period: i32::try_from(PERIOD).unwrap_or(60),
        unit: None,
        evaluation_periods: minutes,
        datapoints_to_alarm: Some(minutes),
        threshold,
        operator: operator.to_owned(),
        missing: Some(alarm.no_data.clone()),
        low_sample: None,
    })
}

/// Whole minutes, a day at most (CloudWatch API reference, PutMetricAlarm: periods times length).
fn minutes(text: &str) -> Result<i32, String> {
    let length = parse_duration(text).map_err(|why| format!("`{text}` is no duration: {why}"))?;
    let minutes = length.as_secs() / PERIOD;
    if length.as_secs() % PERIOD != 0 || minutes == 0 || minutes > 1440 {
        return Err(format!("`{text}` is not 1 to 1440 whole minutes"));
    }
    i32::try_from(minutes).map_err(|_| format!("`{text}` is too long"))
}

fn alarm_faults(alarm: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    match (alarm.get("above").is_some(), alarm.get("below").is_some()) {
        (true, true) => faults.push(
            Fault::new("an alarm has either `above` or `below`")
                .key("below")
                .mend("make it two alarms"),
        ),
        (false, false) => {
            faults.push(Fault::new("it has no threshold").mend("write `above: …` or `below: …`"));
        }
        _ => {}
    }
    if let Some(Err(why)) = alarm["for"].as_str().map(minutes) {
        faults.push(Fault::new(why).key("for").mend("write `5m`"));
    }
    if alarm["name"].as_str().is_some_and(|name| name.is_empty() || name.len() > LONGEST) {
        let fault = Fault::new(format!("a name has 1 to {LONGEST} characters")).key("name");
        faults.push(fault.mend("choose another name"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::delete_alarms::DeleteAlarmsOutput;
    use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
    use aws_sdk_cloudwatch::operation::list_tags_for_resource::ListTagsForResourceOutput;
    use aws_sdk_cloudwatch::operation::put_metric_alarm::PutMetricAlarmOutput;
    use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn args(more: Value) -> Value {
        let mut args = json!({"alarms": [{
            "name": "cpu", "namespace": "AWS/MemoryDB", "metric": "EngineCPUUtilization",
            "dimensions": {"ClusterName": "prod"}, "above": 70,
        }]});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    }

    fn shown(threshold: f64) -> DescribeAlarmsOutput {
        let alarm = MetricAlarm::builder()
            .alarm_name("cpu")
            .alarm_arn("arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu")
            .namespace("AWS/MemoryDB")
            .metric_name("CPUUtilization")
            .statistic(Statistic::Average)
            .period(300)
            .evaluation_periods(2)
            .threshold(threshold)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .build();
        DescribeAlarmsOutput::builder().metric_alarms(alarm).build()
    }

    fn nobody() -> ListTagsForResourceOutput {
        ListTagsForResourceOutput::builder().build()
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_of_somebody_else_is_left_unless_it_may_be_replaced() {
        let describe = mock!(Client::describe_alarms).then_output(|| shown(90.0));
        let tags = mock!(Client::list_tags_for_resource).then_output(nobody);
        let rules = vec![&describe, &tags];
        let env = testing::env(Rules { cloudwatch: rules, ..Rules::default() });
        let cx = testing::cx("alarms");
        let spec: Spec = testing::spec(args(json!({})));
        let failure = PutAlarms::prepare(&env, &spec, &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Conflict);
        let spec: Spec = testing::spec(args(json!({"replace": true})));
        let (prepared, resources) = PutAlarms::prepare(&env, &spec, &cx).await.unwrap();
        assert_eq!(resources[0].role, Role::Changes);
        assert!((prepared.former["cpu"].threshold - 90.0).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_replaced_is_put_back_as_it_was() {
        let spec: Spec = testing::spec(args(json!({"replace": true})));
        let wanted = settings(&spec, &spec.alarms[0]).unwrap();
        let before = shown(90.0).metric_alarms.unwrap().remove(0);
        let former = Settings::of(&before).unwrap();
        let prepared = Prepared {
            wanted: [("cpu".to_owned(), wanted)].into(),
            former: [("cpu".to_owned(), former)].into(),
        };
        let ours = || {
            let alarm = MetricAlarm::builder()
                .alarm_name("cpu")
                .alarm_arn("arn:x")
                .actions_enabled(true)
                .namespace("AWS/MemoryDB")
                .metric_name("EngineCPUUtilization")
                .dimensions(
                    aws_sdk_cloudwatch::types::Dimension::builder()
                        .name("ClusterName")
                        .value("prod")
                        .build(),
                )
                .statistic(Statistic::Average)
                .period(60)
                .evaluation_periods(5)
                .datapoints_to_alarm(5)
                .threshold(70.0)
                .treat_missing_data("missing")
                .comparison_operator(ComparisonOperator::GreaterThanThreshold)
                .build();
            DescribeAlarmsOutput::builder().metric_alarms(alarm).build()
        };
        let describe = mock!(Client::describe_alarms).then_output(ours);
        let put = mock!(Client::put_metric_alarm)
            .match_requests(|r| {
                r.metric_name() == Some("CPUUtilization") && r.threshold() == Some(90.0)
            })
            .then_output(|| PutMetricAlarmOutput::builder().build());
        let delete =
            mock!(Client::delete_alarms).then_output(|| DeleteAlarmsOutput::builder().build());
        let rules = vec![&describe, &put, &delete];
        let env = testing::env(Rules { cloudwatch: rules, ..Rules::default() });
        let mut cx = testing::cx("alarms");
        cx.note = Some(json!({"call": "taken"}));
        let did = PutAlarms::undo(&env, &spec, &prepared, &cx).await.unwrap();
        assert_eq!(did, ["put CloudWatch alarm \"cpu\" back"]);
        assert_eq!((put.num_calls(), delete.num_calls()), (1, 0));
        // And what is wanted already is not asked for.
        let done = PutAlarms::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Adopted(_)), "{done:?}");
        assert_eq!(put.num_calls(), 1);
    }

    #[test]
    fn alarms_that_could_never_ring_are_refused() {
        assert_eq!(PutAlarms::check(&args(json!({}))), []);
        for (alarm, words) in [
            (
                json!({"name": "a", "namespace": "AWS/ElastiCache", "metric": "CacheHits", "dimensions": {"ReplicationGroupId": "x"}, "below": 1}),
                "never be data",
            ),
            (
                json!({"name": "a", "namespace": "AWS/MemoryDB", "metric": "WriteLatency", "dimensions": {"ClusterName": "x"}, "above": 1}),
                "never be data",
            ),
            (json!({"name": "a", "namespace": "A", "metric": "B"}), "no threshold"),
            (
                json!({"name": "a", "namespace": "A", "metric": "B", "above": 1, "for": "90s"}),
                "whole minutes",
            ),
        ] {
            let faults = PutAlarms::check(&json!({"alarms": [alarm]}));
            assert!(faults.len() == 1 && faults[0].message.contains(words), "{faults:?}");
        }
        let mut unheard = args(json!({}));
        unheard["notify"] = json!(["arn:aws:sns:us-east-1:123456789012:on-call", "on-call"]);
        let faults = PutAlarms::check(&unheard);
        assert!(faults.len() == 1 && faults[0].message.contains("no ARN"), "{faults:?}");
    }
}
