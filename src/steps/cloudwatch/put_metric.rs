//! `cloudwatch.put_metric`: one point of a metric of one's own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::journal::{Resource, Role};
use crate::engine::{Cx, Failure};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

const SERVICE: &str = "CloudWatch";

/// Puts one point of a metric into CloudWatch, such as how long a restore took.
///
/// The point carries the moment of the step's first attempt, so that a repeated call writes the same point again:
/// `SampleCount` may then be 2 where the answer of a call was lost; average, minimum and maximum are as meant.
///
/// Not undone: CloudWatch deletes no points.
///
/// ```yaml
/// - id: record
///   cloudwatch.put_metric:
///     namespace: Orchestrate
///     metric: RestoreSeconds
///     value: "${{ steps.count.seconds }}"
///     unit: Seconds
///     dimensions: { Cluster: prod }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The namespace; not one that begins with `AWS/`.
    namespace: String,
    /// The metric's name.
    metric: String,
    /// The value.
    value: f64,
    /// Its unit, such as `Seconds`, `Count` or `Bytes`.
    #[serde(default)]
    unit: Option<String>,
    /// Dimensions, by name.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The moment of the point, in seconds since 1970.
    at: i64,
    namespace: String,
}

/// The point.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The metric, as `namespace/name`.
    metric: String,
    /// Its value.
    value: f64,
}

/// `cloudwatch.put_metric`.
pub(crate) struct PutMetric;

impl Step for PutMetric {
    const KIND: &'static str = "cloudwatch.put_metric";
    const SUMMARY: &'static str = "put one point of a metric into CloudWatch";
    // CloudWatch knows no resources for it (service authorization reference, PutMetricData).
    const ACTIONS: &'static [Action] = &[action("cloudwatch:PutMetricData", "*", Phases::RUN)];
    const EFFECT: Effect =
        Effect::Mutates(UndoPolicy::None(Cow::Borrowed("CloudWatch keeps what was put into it")));
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
    const EXPECTED: Duration = Duration::from_secs(1);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        faults(args)
    }

    fn sketch(args: &Value) -> Sketch {
        Sketch { does: format!("put a point of metric {}", named(args)), ..Sketch::default() }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        vec![Touch::changes(format!("CloudWatch metric {}", named(args)))]
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let resource = Resource {
            what: "CloudWatch metric".to_owned(),
            name: format!("{}/{}", spec.namespace, spec.metric),
            arn: None,
            role: Role::Changes,
        };
        let prepared =
            Prepared { at: cx.clock.now().as_second(), namespace: spec.namespace.clone() };
        Ok((prepared, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let output =
            Output { metric: format!("{}/{}", spec.namespace, spec.metric), value: spec.value };
        // There is nothing to look at: a point shows minutes later, and only as part of a statistic.
        if cx.noted().is_some_and(|note| note["put"] == json!(true)) {
            return Ok(Done::Adopted(output));
        }
        let Spec { namespace, metric, value, unit, dimensions } = spec.clone();
        Point { namespace, metric, value, unit, dimensions }.put(env, prepared.at).await?;
        cx.note(json!({ "put": true })).await?;
        Ok(Done::Changed(output))
    }
}

/// A point, but for its moment.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) namespace: String,
    pub(super) metric: String,
    pub(super) value: f64,
    pub(super) unit: Option<String>,
    pub(super) dimensions: BTreeMap<String, String>,
}

impl Point {
    /// The metric, as `namespace/name`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.metric)
    }

    /// Puts it there with a moment, in seconds since 1970.
    ///
    /// # Errors
    /// As `aws::call`.
    pub(super) async fn put(&self, env: &Env, at: i64) -> Result<(), Failure> {
        let mut datum = MetricDatum::builder()
            .metric_name(&self.metric)
            .value(self.value)
            .timestamp(aws_smithy_types::DateTime::from_secs(at));
        if let Some(unit) = &self.unit {
            datum = datum.unit(StandardUnit::from(unit.as_str()));
        }
        for (name, value) in &self.dimensions {
            datum = datum.dimensions(Dimension::builder().name(name).value(value).build());
        }
        let request = env.aws.cloudwatch.put_metric_data().namespace(&self.namespace);
        let request = request.metric_data(datum.build());
        env.aws.change(SERVICE, "PutMetricData", request.send()).await.map(drop)
    }
}

/// What is wrong with a metric's arguments by themselves.
pub(super) fn faults(args: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    if args["namespace"].as_str().is_some_and(|namespace| namespace.starts_with("AWS/")) {
        let fault = Fault::new("namespaces that begin with `AWS/` are AWS's own");
        faults.push(fault.key("namespace").mend("choose another, such as `Orchestrate`"));
    }
    if let Some(unit) = args["unit"].as_str()
        && StandardUnit::try_parse(unit).is_err()
    {
        let fault = Fault::new(format!("CloudWatch has no unit \"{unit}\""));
        faults.push(fault.key("unit").mend("write `Seconds`, `Count`, `Bytes`, or leave it out"));
    }
    faults
}

/// The metric that arguments name.
pub(super) fn named(args: &Value) -> String {
    let text = |name: &str| args[name].as_str().unwrap_or("…").to_owned();
    format!("{}/{}", text("namespace"), text("metric"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::steps::testing::{self, Rules};

    #[tokio::test(start_paused = true)]
    async fn a_point_carries_the_moment_of_the_intent_and_is_put_once() {
        let cx = testing::cx("record");
        let began = cx.clock.now().as_second();
        let put = mock!(Client::put_metric_data)
            .match_requests(move |r| {
                let datum = &r.metric_data()[0];
                r.namespace() == Some("Orchestrate")
                    && datum.metric_name() == Some("RestoreSeconds")
                    && datum.value() == Some(12.5)
                    && datum.unit() == Some(&StandardUnit::Seconds)
                    && datum.dimensions()[0].value() == Some("prod")
                    && datum.timestamp().map(aws_smithy_types::DateTime::secs) == Some(began)
            })
            .then_output(|| PutMetricDataOutput::builder().build());
        let env = testing::env(Rules { cloudwatch: vec![&put], ..Rules::default() });
        let args = json!({
            "namespace": "Orchestrate", "metric": "RestoreSeconds", "value": 12.5, "unit": "Seconds",
            "dimensions": { "Cluster": "prod" },
        });
        let spec: Spec = testing::spec(args);
        let (prepared, _) = PutMetric::prepare(&env, &spec, &cx).await.unwrap();
        cx.sleep(Duration::from_secs(90)).await.unwrap();
        let done = PutMetric::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Changed(_)), "{done:?}");
        let mut again = testing::cx("record");
        again.note = Some(json!({ "put": true }));
        let done = PutMetric::execute(&env, &spec, &prepared, &again).await.unwrap();
        assert!(matches!(done, Done::Adopted(_)), "{done:?}");
        assert_eq!(put.num_calls(), 1);
    }

    #[test]
    fn aws_own_namespaces_and_made_up_units_are_refused() {
        let faults = |args| PutMetric::check(&args).len();
        assert_eq!(faults(json!({"namespace": "AWS/ElastiCache", "unit": "Furlongs"})), 2);
        assert_eq!(faults(json!({"namespace": "Orchestrate", "unit": null})), 0);
    }
}
