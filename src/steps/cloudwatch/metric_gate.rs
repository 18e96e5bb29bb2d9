//! `cloudwatch.metric_gate`: ends the run, or waits, unless metrics keep their limits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metric::{Limit, Metric, Said, metric_faults, period, window, window_fault};
use super::read::{self, SERVICE};
use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, action};

const CHECK: &str = "gate.metrics";
const HOLDS: &str = "within the limits";
const BREACHED: &str = "beyond a limit";
const NO_DATA: &str = "no data";

/// Goes on only if metrics of CloudWatch keep their limits, each data point of the window.
///
/// **No data is not a pass.** A cluster publishes nothing in its first minutes, data points show one to three minutes late,
/// and CloudWatch answers a name or a dimension that nobody publishes with no data, for ever. So names and dimensions of
/// `AWS/ElastiCache` and `AWS/MemoryDB` are checked before the run against what these services publish, and `no_data` says
/// what a metric without any data point in the window means: `fail` (unless said otherwise), `wait` until there is one, or
/// `pass`.
///
/// CloudWatch sums nothing up over a dimension that is left out. With `nodes_of` the metric is read for every node of an
/// ElastiCache replication group, and each must keep the limit.
///
/// ```yaml
/// - id: calm
///   cloudwatch.metric_gate:
///     window: 15m
///     on_breach: wait
///     metrics:
///       - { metric: EngineCPUUtilization, namespace: AWS/MemoryDB, dimensions: { ClusterName: prod-mdb }, at_most: 60 }
///       - { metric: SaveInProgress, namespace: AWS/ElastiCache, nodes_of: prod, at_most: 0 }
/// ```
///
/// Without `coverage_percent` one data point in the window is enough, which is right for what is so now. What must have been
/// so **all the time**, such as that nobody has read for a day, is not shown by the points of ten minutes: there, say how
/// much of the window they must cover.
///
/// With `wait` the step looks again until its timeout. This step changes nothing, so there is nothing to undo.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// What is looked at.
    #[schemars(length(min = 1))]
    metrics: Vec<Limited>,
    /// How far back: from `3m` to `455d`; `10m` if left out. Data points are a minute long in windows up to a day, five
    /// minutes up to five days, else an hour.
    #[serde(default = "ten_minutes")]
    #[schemars(extend("x-format" = "duration"))]
    window: String,
    /// What it means that a metric has no data point in the window: `fail`, `wait` or `pass`.
    #[serde(default)]
    no_data: NoData,
    /// How much of the window must have data points, in percent; a metric with fewer counts as one without data. 95 leaves
    /// room for the minutes that are still under way.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    coverage_percent: Option<u32>,
    /// What happens while a limit is not kept: `fail` or `wait`.
    #[serde(default)]
    on_breach: OnBreach,
}

fn ten_minutes() -> String {
    "10m".to_owned()
}

/// A metric and the limit on it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limited {
    /// Such as `AWS/MemoryDB`.
    namespace: String,
    /// Such as `EngineCPUUtilization`.
    metric: String,
    /// All of its dimensions, such as `{ ClusterName: prod-mdb }`.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    /// A replication group, in place of `dimensions`: the metric is read for each of its nodes.
    #[serde(default)]
    nodes_of: Option<String>,
    /// `Average`, `Minimum`, `Maximum`, `Sum`, `SampleCount` or a percentile such as `p99`; `Maximum` if left out.
    #[serde(default = "maximum")]
    statistic: String,
    /// No data point is smaller.
    #[serde(default)]
    at_least: Option<f64>,
    /// No data point is greater.
    #[serde(default)]
    at_most: Option<f64>,
}

fn maximum() -> String {
    "Maximum".to_owned()
}

/// What no data means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NoData {
    #[default]
    Fail,
    Wait,
    Pass,
}

/// What happens while a limit is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnBreach {
    #[default]
    Fail,
    Wait,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Each metric as it was when the step went on, a line each.
    readings: Vec<Reading>,
    /// How many of them had no data, which `no_data: pass` let go.
    without_data: u32,
}

/// What a metric showed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
struct Reading {
    /// Namespace, name, statistic and dimensions.
    metric: String,
    /// The data point that came nearest to the limit; `null` if there was none.
    value: Option<f64>,
    /// How many data points the window had.
    points: u32,
}

pub(crate) struct MetricGate;

impl Step for MetricGate {
    const KIND: &'static str = "cloudwatch.metric_gate";
    const SUMMARY: &'static str = "go on only if CloudWatch metrics keep their limits";
    const ACTIONS: &'static [Action] = &[
        action("cloudwatch:GetMetricData", "*", Phases::PLAN_RUN),
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{metrics.nodes_of}",
            Phases::PLAN_RUN,
        ),
    ];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const EXPECTED: Duration = Duration::from_secs(5);

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> = window_fault(args).into_iter().collect();
        if args["coverage_percent"].as_u64().is_some_and(|part| part == 0 || part > 100) {
            let fault = Fault::new("a part of the window is from 1 to 100 percent");
            faults.push(fault.key("coverage_percent").mend("write 95, or leave it out"));
        }
        let metrics = args["metrics"].as_array().into_iter().flatten().enumerate();
        for (index, given) in metrics {
            let at = |fault: Fault| {
                let mut path = Fault::default().key("metrics").item(index).path;
                path.extend(fault.path);
                Fault { path, ..fault }
            };
            faults.extend(limit_fault(given).map(at));
            faults.extend(metric_faults(given).into_iter().map(at));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let metrics = args["metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = |given: &Value| {
            let limit =
                Limit { at_least: given["at_least"].as_f64(), at_most: given["at_most"].as_f64() };
            format!("{} {limit}", given["metric"].as_str().unwrap_or("…"))
        };
        let metrics: Vec<String> = metrics.iter().map(one).collect();
        let window = args["window"].as_str().unwrap_or("10m");
        let wait = if args["on_breach"] == "wait" { "wait until" } else { "stop unless" };
        Sketch {
            does: format!("{wait} CloudWatch shows for {window}: {}", metrics.join(", ")),
            ..Sketch::default()
        }
    }

    fn needs(args: &Value) -> Vec<Need> {
        let metrics = args["metrics"].as_array().into_iter().flatten();
        metrics
            .filter_map(|given| {
                given["nodes_of"].as_str().or(given["dimensions"]["ReplicationGroupId"].as_str())
            })
            .map(|group| Need::ReplicationGroup(group.to_owned()))
            .collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        // A metric of something that does not exist before the run shows nothing yet.
        if has_null(&args["metrics"]) {
            return Vec::new();
        }
        let Ok(spec) = serde_json::from_value::<Spec>(args.clone()) else { return Vec::new() };
        match look(env, &spec, cx).await {
            Err(failure) => {
                let finding = Finding::of(CHECK, &failure);
                let mend = "allow cloudwatch:GetMetricData, and elasticache:DescribeReplicationGroups for `nodes_of`, to \
                            the caller";
                vec![if finding.mend.is_some() { finding } else { finding.mend(mend) }]
            }
            Ok(seen) => vec![seen.finding(&spec)],
        }
    }

    async fn prepare(_env: &Env, spec: &Spec, _cx: &Cx) -> Result<((), Vec<Resource>), Failure> {
        length(spec).map(|_| ((), Vec::new()))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        _prepared: &(),
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let waits = spec.on_breach == OnBreach::Wait || spec.no_data == NoData::Wait;
        let last = RefCell::new(None);
        if !waits {
            last.replace(Some(look(env, spec, cx).await?));
        } else {
            let terminal: &[&str] = match (spec.on_breach, spec.no_data) {
                (OnBreach::Wait, NoData::Fail) => &[NO_DATA],
                (OnBreach::Fail, _) => &[BREACHED],
                (OnBreach::Wait, _) => &[],
            };
            let wait = Wait {
                subject: "CloudWatch".to_owned(),
                service: SERVICE,
                states: States { pending: &[BREACHED, NO_DATA], success: &[HOLDS], terminal },
                expected: Duration::from_secs(180),
            };
            let once = || async {
                let seen = look(env, spec, cx).await?;
                let state = Seen { state: seen.state(spec).to_owned(), detail: seen.worst(spec) };
                last.replace(Some(seen));
                Ok(state)
            };
            match cx.wait(&wait, once, || async { None }).await {
                // What it means is said below.
                Err(failure) if failure.class == Class::Terminal => {}
                Err(failure) => {
                    let seen = last.borrow().as_ref().and_then(|seen: &Look| seen.worst(spec));
                    return Err(seen.into_iter().fold(failure, Failure::because));
                }
                Ok(_) => {}
            }
        }
        let Some(seen) = last.into_inner() else {
            return Err(Failure::fatal("the wait for CloudWatch ended without a look"));
        };
        seen.verdict(spec).map(|()| Done::Unchanged(seen.output()))
    }
}

/// Each metric with its limit and what its data points say.
struct Look(Vec<(Metric, Limit, Said, usize)>);

async fn look(env: &Env, spec: &Spec, cx: &Cx) -> Result<Look, Failure> {
    let window = length(spec)?;
    let mut metrics = Vec::new();
    for limited in &spec.metrics {
        metrics.extend(expanded(env, limited).await?);
    }
    let named: Vec<&Metric> = metrics.iter().map(|(metric, _)| metric).collect();
    let points = read::points(&env.aws, &named, window, cx.clock.now()).await?;
    let due = (window.as_secs() / period(window).as_secs()).max(1);
    let least = spec.coverage_percent.map_or(0, |part| (due * u64::from(part)).div_ceil(100));
    let weigh = |((metric, limit), points): ((Metric, Limit), Vec<f64>)| {
        let said = match limit.weigh(&points) {
            // What is beyond the limit is so, however little else is known.
            Said::Holds(_) if (points.len() as u64) < least => Said::NoData,
            said => said,
        };
        (metric, limit, said, points.len())
    };
    Ok(Look(metrics.into_iter().zip(points).map(weigh).collect()))
}

async fn expanded(env: &Env, limited: &Limited) -> Result<Vec<(Metric, Limit)>, Failure> {
    let limit = Limit { at_least: limited.at_least, at_most: limited.at_most };
    let of = |dimensions: BTreeMap<String, String>| {
        let metric = Metric {
            namespace: limited.namespace.clone(),
            name: limited.metric.clone(),
            dimensions,
            statistic: limited.statistic.clone(),
        };
        (metric, limit)
    };
    let Some(group) = &limited.nodes_of else { return Ok(vec![of(limited.dimensions.clone())]) };
    let nodes = read::nodes(&env.aws, &group.to_ascii_lowercase()).await?;
    let each = nodes.into_iter().map(|node| {
        // Redis and Valkey nodes are 0001 each (ElastiCache user guide, dimensions).
        let dimensions = [("CacheClusterId", node), ("CacheNodeId", "0001".to_owned())];
        of(dimensions.map(|(name, value)| (name.to_owned(), value)).into())
    });
    Ok(each.collect())
}

impl Look {
    fn breached(&self) -> Vec<String> {
        let each = self.0.iter().filter_map(|(metric, limit, said, _)| match said {
            Said::Breached(value) => Some(format!("{metric} is {value}, and must be {limit}")),
            _ => None,
        });
        each.collect()
    }

    fn without_data(&self) -> Vec<String> {
        let each = self.0.iter().filter(|(_, _, said, _)| *said == Said::NoData);
        let words = |(metric, _, _, points): &(Metric, Limit, Said, usize)| match points {
            0 => metric.to_string(),
            points => format!("{metric}: {points} data points"),
        };
        each.map(words).collect()
    }

    fn state(&self, spec: &Spec) -> &'static str {
        if !self.breached().is_empty() {
            BREACHED
        } else if spec.no_data != NoData::Pass && !self.without_data().is_empty() {
            NO_DATA
        } else {
            HOLDS
        }
    }

    /// What keeps it from going on.
    fn worst(&self, spec: &Spec) -> Option<String> {
        match self.state(spec) {
            BREACHED => self.breached().into_iter().next(),
            NO_DATA => {
                self.without_data().into_iter().next().map(|metric| format!("no data: {metric}"))
            }
            _ => None,
        }
    }

    fn verdict(&self, spec: &Spec) -> Result<(), Failure> {
        let all = self.0.len();
        let breached = self.breached();
        if !breached.is_empty() {
            let message = format!("{} of {all} metrics are beyond their limits", breached.len());
            let failure = breached.into_iter().fold(Failure::fatal(message), Failure::because);
            return Err(failure
                .mend("wait until it is calm and run again; `on_breach: wait` waits by itself"));
        }
        let unknown = if spec.no_data == NoData::Pass { Vec::new() } else { self.without_data() };
        if unknown.is_empty() {
            return Ok(());
        }
        let window = &spec.window;
        let little = match spec.coverage_percent {
            None => "no data in".to_owned(),
            Some(part) => format!("data points for less than {part} % of"),
        };
        let message = format!("{} of {all} metrics have {little} the last {window}", unknown.len());
        let failure = unknown.into_iter().fold(Failure::fatal(message), Failure::because);
        Err(failure.mend(
            "see that the names in its dimensions exist; a new cluster publishes nothing for some minutes: `no_data: wait`",
        ))
    }

    fn output(&self) -> Output {
        let reading = |(metric, _, said, points): &(Metric, Limit, Said, usize)| Reading {
            metric: metric.to_string(),
            value: match said {
                Said::Holds(value) | Said::Breached(value) => Some(*value),
                Said::NoData => None,
            },
            points: u32::try_from(*points).unwrap_or(u32::MAX),
        };
        let without_data = u32::try_from(self.without_data().len()).unwrap_or(u32::MAX);
        Output { readings: self.0.iter().map(reading).collect(), without_data }
    }

    /// What it means before a run: the step looks again by itself, so that nothing is certain.
    fn finding(&self, spec: &Spec) -> Finding {
        match self.verdict(spec) {
            Ok(()) => Finding::ok(CHECK, format!("{} metrics keep their limits now", self.0.len())),
            Err(failure) => {
                let mend = failure.mend.clone().unwrap_or_default();
                Finding::cannot_know(CHECK, format!("now {failure}; the step looks again"))
                    .mend(mend)
            }
        }
    }
}

fn length(spec: &Spec) -> Result<Duration, Failure> {
    let wrong = |why| Failure::fatal(format!("`{}` is no window: {why}", spec.window));
    window(&spec.window).map_err(wrong)
}

fn limit_fault(given: &Value) -> Option<Fault> {
    let has = |name: &str| given.get(name).is_some();
    if !has("at_least") && !has("at_most") {
        return Some(Fault::new("it has no limit").mend("write `at_most: …` or `at_least: …`"));
    }
    if has("nodes_of") && has("dimensions") {
        let fault = Fault::new("`nodes_of` stands in place of `dimensions`").key("dimensions");
        return Some(fault.mend("leave one of them out"));
    }
    let (least, most) = (given["at_least"].as_f64()?, given["at_most"].as_f64()?);
    (least > most).then(|| {
        let fault = Fault::new(format!("nothing is at least {least} and at most {most}"));
        fault.key("at_least").mend("let `at_least` be the smaller one")
    })
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
