//! `cloudwatch.put_metric_if_undone`: one point of a metric for a run that is taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::put_metric::{self, Point};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Cx, Failure};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

/// Puts one point of a metric into CloudWatch if the run is rolled back, and does nothing if it is not: the failure of a
/// drill then shows where its successes do.
///
/// A rollback of a run that had come to its end puts no point: nothing had gone wrong in it.
///
/// A rollback undoes the last step first. So put this step **first**: its point then comes when everything else is undone.
///
/// The point carries the moment at which the rollback came to it, since alarms look at the latest periods alone. Where the
/// answer of a call was lost it is written again, with the same moment.
///
/// ```yaml
/// - id: if_it_fails
///   cloudwatch.put_metric_if_undone:
///     namespace: Orchestrate
///     metric: RestoreFailures
///     value: 1
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

/// The intent: the point, but for its moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    point: Point,
}

/// The metric.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// It, as `namespace/name`.
    metric: String,
}

/// `cloudwatch.put_metric_if_undone`.
pub(crate) struct PutMetricIfUndone;

impl Step for PutMetricIfUndone {
    const KIND: &'static str = "cloudwatch.put_metric_if_undone";
    const SUMMARY: &'static str =
        "put one point of a metric into CloudWatch if the run is rolled back";
    const ACTIONS: &'static [Action] = &[action("cloudwatch:PutMetricData", "*", Phases::UNDO)];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
    const EXPECTED: Duration = Duration::from_secs(1);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        put_metric::faults(args)
    }

    fn sketch(args: &Value) -> Sketch {
        let name = put_metric::named(args);
        Sketch {
            does: format!("nothing, unless the run is rolled back: then a point of metric {name}"),
            undo: Some(format!("put a point of metric {name}")),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = put_metric::named(args);
        vec![Touch::changes(format!("CloudWatch metric {name}, by a rollback alone"))]
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let Spec { namespace, metric, value, unit, dimensions } = spec.clone();
        let point = Point { namespace, metric, value, unit, dimensions };
        let resource = Resource {
            what: "CloudWatch metric".to_owned(),
            name: point.name(),
            arn: None,
            role: Role::Changes,
        };
        Ok((Prepared { point }, vec![resource]))
    }

    async fn execute(
        _env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        _cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        Ok(Done::Unchanged(Output { metric: prepared.point.name() }))
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        // A run that had come to its end was well; whoever takes it back later has no failure to tell of.
        if cx.completed {
            return Ok(Vec::new());
        }
        let noted = cx.noted().unwrap_or_default();
        let point = &prepared.point;
        let did = vec![format!("put {} of metric {}", point.value, point.name())];
        if noted["put"] == json!(true) {
            return Ok(did);
        }
        let at = match noted["at"].as_i64() {
            Some(at) => at,
            None => {
                let at = cx.clock.now().as_second();
                cx.note(json!({ "at": at })).await?;
                at
            }
        };
        point.put(env, at).await?;
        cx.note(json!({ "at": at, "put": true })).await?;
        Ok(did)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::steps::testing::{self, Rules};

    #[tokio::test(start_paused = true)]
    async fn the_point_is_put_by_the_rollback_alone_and_carries_its_moment() {
        let cx = testing::cx("if_it_fails");
        let failed = cx.clock.now().as_second() + 90;
        let put = mock!(Client::put_metric_data)
            .match_requests(move |r| {
                let datum = &r.metric_data()[0];
                datum.metric_name() == Some("RestoreFailures")
                    && datum.value() == Some(1.0)
                    && datum.timestamp().map(aws_smithy_types::DateTime::secs) == Some(failed)
            })
            .then_output(|| PutMetricDataOutput::builder().build());
        let env = testing::env(Rules { cloudwatch: vec![&put], ..Rules::default() });
        let spec: Spec = testing::spec(json!({
            "namespace": "Orchestrate", "metric": "RestoreFailures", "value": 1,
        }));
        let (prepared, _) = PutMetricIfUndone::prepare(&env, &spec, &cx).await.unwrap();
        PutMetricIfUndone::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert_eq!(put.num_calls(), 0);
        cx.sleep(Duration::from_secs(90)).await.unwrap();
        PutMetricIfUndone::undo(&env, &spec, &prepared, &cx).await.unwrap();
        // One whose answer was lost is put again with its moment; one that is noted is not.
        let mut again = testing::cx("if_it_fails");
        again.note = Some(json!({ "at": failed }));
        PutMetricIfUndone::undo(&env, &spec, &prepared, &again).await.unwrap();
        again.note = Some(json!({ "at": failed, "put": true }));
        let did = PutMetricIfUndone::undo(&env, &spec, &prepared, &again).await.unwrap();
        assert_eq!(did, ["put 1 of metric Orchestrate/RestoreFailures"]);
        assert_eq!(put.num_calls(), 2);
        // Nothing had gone wrong in a run that had come to its end.
        let mut well = testing::cx("if_it_fails");
        well.completed = true;
        let did = PutMetricIfUndone::undo(&env, &spec, &prepared, &well).await.unwrap();
        assert_eq!((did.len(), put.num_calls()), (0, 2));
    }
}
