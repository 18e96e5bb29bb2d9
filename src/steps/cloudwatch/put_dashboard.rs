//! `cloudwatch.put_dashboard`: graphs of metrics that somebody publishes.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::metric::metric_faults;
use super::read::SERVICE;
use crate::aws::{Op, call, found};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::memorydb::NAME as CHECK;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

/// Columns of a dashboard (CloudWatch API reference, dashboard body).
const COLUMNS: usize = 24;
const WIDTH: usize = 12;
const HEIGHT: usize = 6;
/// Longest name (CloudWatch API reference, PutDashboard).
const LONGEST: usize = 255;

/// Makes a CloudWatch dashboard: two graphs in a row.
///
/// CloudWatch draws an empty graph for a name or dimensions that nobody publishes. So metrics of `AWS/ElastiCache` and
/// `AWS/MemoryDB` are checked before the run against what these services publish.
///
/// ```yaml
/// - id: dashboard
///   cloudwatch.put_dashboard:
///     name: prod-mdb
///     graphs:
///       - title: Memory
///         metrics:
///           - { namespace: AWS/MemoryDB, metric: DatabaseMemoryUsagePercentage, dimensions: { ClusterName: prod-mdb } }
/// ```
///
/// A dashboard carries no tags: it is known again by its name and content. One that was there fails the step; with
/// `replace: true` its content is replaced, and a rollback puts it back.
///
/// Undone by deleting the dashboard, or by putting its former content back. One that somebody has changed since is left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name: letters, digits, `-` and `_`.
    name: String,
    /// The graphs.
    #[schemars(length(min = 1, max = 100))]
    graphs: Vec<Graph>,
    /// Whether a dashboard that is there already gets this content.
    #[serde(default)]
    replace: bool,
}

/// A graph.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Graph {
    /// What stands above it.
    title: String,
    /// Its lines.
    #[schemars(length(min = 1))]
    metrics: Vec<Line>,
}

/// A line of a graph.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// Such as `AWS/MemoryDB`.
    namespace: String,
    /// Such as `CurrItems`.
    metric: String,
    /// All of its dimensions.
    #[serde(default)]
    dimensions: BTreeMap<String, String>,
    /// `Average`, `Minimum`, `Maximum`, `Sum`, `SampleCount` or a percentile such as `p99`; `Average` if left out.
    #[serde(default = "average")]
    statistic: String,
}

fn average() -> String {
    "Average".to_owned()
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    body: Value,
    /// What was there.
    former: Option<String>,
}

/// The dashboard.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name.
    name: String,
}

/// `cloudwatch.put_dashboard`.
pub(crate) struct PutDashboard;

impl Step for PutDashboard {
    const KIND: &'static str = "cloudwatch.put_dashboard";
    const SUMMARY: &'static str = "make a CloudWatch dashboard of metrics that are published";
    const ACTIONS: &'static [Action] = &[
        action("cloudwatch:GetDashboard", "dashboard/{name}", Phases::ALL),
        action("cloudwatch:PutDashboard", "dashboard/{name}", Phases::RUN),
        action("cloudwatch:PutDashboard", "dashboard/{name}", Phases::UNDO).when("replace"),
        action("cloudwatch:DeleteDashboards", "dashboard/{name}", Phases::UNDO),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = args["name"].as_str() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
                let fault = Fault::new("it is no name of a dashboard").key("name");
                faults.push(fault.mend("use letters, digits, - and _ alone"));
            }
        }
        let graphs = args["graphs"].as_array().into_iter().flatten().enumerate();
        for (graph, given) in graphs {
            let lines = given["metrics"].as_array().into_iter().flatten().enumerate();
            for (line, metric) in lines {
                let path =
                    Fault::default().key("graphs").item(graph).key("metrics").item(line).path;
                faults.extend(metric_faults(metric).into_iter().map(|fault| {
                    let path = path.iter().cloned().chain(fault.path).collect();
                    Fault { path, ..fault }
                }));
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().unwrap_or("…");
        let graphs = args["graphs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let titles: Vec<&str> = graphs.iter().map(|g| g["title"].as_str().unwrap_or("…")).collect();
        Sketch {
            does: format!("make CloudWatch dashboard \"{name}\": {}", titles.join(", ")),
            undo: Some("delete the dashboard, or put its former content back".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().unwrap_or("…");
        vec![Touch::creates(format!("CloudWatch dashboard \"{name}\""))]
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["name"].as_str() else { return Vec::new() };
        let replace = args["replace"].as_bool().unwrap_or(false);
        let finding = match read(env, name).await {
            Err(failure) => Finding::of(CHECK, &failure),
            Ok(None) => Finding::ok(CHECK, format!("there is no dashboard \"{name}\" yet")),
            Ok(Some(_)) if replace => {
                Finding::ok(CHECK, format!("dashboard \"{name}\" is there and is replaced"))
            }
            Ok(Some(_)) => {
                let failure = taken(name);
                Finding::will_fail(
                    CHECK,
                    failure.to_string(),
                    failure.mend.clone().unwrap_or_default(),
                )
            }
        };
        vec![finding]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let _ = cx;
        let body = body(spec, &env.identity.region);
        let former = read(env, &spec.name).await?;
        let role = match &former {
            None => Role::Creates,
            Some(_) if spec.replace => Role::Changes,
            Some(_) => return Err(taken(&spec.name)),
        };
        let resource = Resource {
            what: "CloudWatch dashboard".to_owned(),
            name: spec.name.clone(),
            arn: None,
            role,
        };
        Ok((Prepared { name: spec.name.clone(), body, former }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let output = Output { name: name.clone() };
        let there = read(env, name).await?;
        match &there {
            Some(there) if same(there, &prepared.body) => {
                return Ok(match creation::call_state(cx) {
                    Call::Never => Done::Unchanged(output),
                    _ => Done::Adopted(output),
                });
            }
            Some(there) if prepared.former.as_ref() != Some(there) => return Err(taken(name)),
            _ => {}
        }
        put(env, cx, name, prepared.body.to_string()).await?;
        creation::note_call(cx, Call::Taken).await?;
        Ok(Done::Changed(output))
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let name = &prepared.name;
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let Some(there) = creation::look_for_made(cx, || read(env, name)).await? else {
            return Ok(Vec::new());
        };
        if prepared.former.as_ref() == Some(&there) {
            return Ok(Vec::new());
        }
        if !same(&there, &prepared.body) {
            cx.warn(format!(
                "somebody else has changed CloudWatch dashboard \"{name}\" since; it was left"
            ));
            return Ok(Vec::new());
        }
        let did = match &prepared.former {
            Some(former) => {
                put(env, cx, name, former.clone()).await?;
                format!("put CloudWatch dashboard \"{name}\" back")
            }
            None => {
                let request = env.aws.cloudwatch.delete_dashboards().dashboard_names(name);
                let deleted = env.aws.change(SERVICE, "DeleteDashboards", request.send()).await;
                deleted.map_err(creation::not_deleted)?;
                format!("deleted CloudWatch dashboard \"{name}\"")
            }
        };
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![did])
    }
}

async fn put(env: &Env, cx: &Cx, name: &str, body: String) -> Result<(), Failure> {
    let request = env.aws.cloudwatch.put_dashboard().dashboard_name(name).dashboard_body(body);
    creation::ask(cx, env.aws.change(SERVICE, "PutDashboard", request.send()))
        .await
        .map(drop)
        .map_err(|failure| {
            failure.context(format!("failed to make CloudWatch dashboard \"{name}\""))
        })
}

async fn read(env: &Env, name: &str) -> Result<Option<String>, Failure> {
    let request = env.aws.cloudwatch.get_dashboard().dashboard_name(name);
    let answer = found(call(Op::read(SERVICE, "GetDashboard"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.dashboard_body))
}

fn same(there: &str, body: &Value) -> bool {
    serde_json::from_str::<Value>(there).is_ok_and(|there| there == *body)
}

fn taken(name: &str) -> Failure {
    Failure::new(
        Class::Conflict,
        format!("CloudWatch dashboard \"{name}\" exists already and was not made by this run; it was not touched"),
    )
    .mend("choose another name; `replace: true` replaces its content, and a rollback puts it back")
}

fn body(spec: &Spec, region: &str) -> Value {
    let line = |line: &Line| {
        let mut parts = vec![json!(line.namespace), json!(line.metric)];
        for (name, value) in &line.dimensions {
            parts.extend([json!(name), json!(value)]);
        }
        parts.push(json!({"stat": line.statistic}));
        Value::Array(parts)
    };
    let per_row = COLUMNS / WIDTH;
    let widget = |(index, graph): (usize, &Graph)| {
        json!({
            "type": "metric",
            "x": (index % per_row) * WIDTH,
            "y": (index / per_row) * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {
                "title": graph.title,
                "region": region,
                "view": "timeSeries",
                "period": 60,
                "metrics": graph.metrics.iter().map(line).collect::<Vec<_>>(),
            },
        })
    };
    json!({"widgets": spec.graphs.iter().enumerate().map(widget).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::Client;
    use aws_sdk_cloudwatch::operation::delete_dashboards::DeleteDashboardsOutput;
    use aws_sdk_cloudwatch::operation::get_dashboard::GetDashboardOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn spec() -> Spec {
        testing::spec(json!({"name": "prod", "graphs": [{"title": "Keys", "metrics": [
            {"namespace": "AWS/MemoryDB", "metric": "CurrItems", "dimensions": {"ClusterName": "prod"}},
        ]}]}))
    }

    #[test]
    fn a_line_has_its_dimensions_and_region() {
        let body = body(&spec(), "eu-west-1");
        let properties = &body["widgets"][0]["properties"];
        assert_eq!(properties["region"], "eu-west-1");
        let line = json!(["AWS/MemoryDB", "CurrItems", "ClusterName", "prod", {"stat": "Average"}]);
        assert_eq!(properties["metrics"][0], line);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dashboard_that_somebody_changed_since_is_left() {
        for (text, calls) in
            [(body(&spec(), "us-east-1").to_string(), 1), ("{\"widgets\":[]}".to_owned(), 0)]
        {
            let shown = text.clone();
            let get = mock!(Client::get_dashboard)
                .then_output(move || GetDashboardOutput::builder().dashboard_body(&shown).build());
            let delete = mock!(Client::delete_dashboards)
                .then_output(|| DeleteDashboardsOutput::builder().build());
            let rules = vec![&get, &delete];
            let env = testing::env(Rules { cloudwatch: rules, ..Rules::default() });
            let mut cx = testing::cx("dashboard");
            cx.note = Some(json!({"call": "taken"}));
            let body = body(&spec(), "us-east-1");
            let prepared = Prepared { name: "prod".to_owned(), body, former: None };
            let did = PutDashboard::undo(&env, &spec(), &prepared, &cx).await.unwrap();
            assert_eq!((did.len(), delete.num_calls()), (calls, calls), "{text}");
        }
    }

    #[test]
    fn graphs_that_would_stay_empty_are_refused() {
        let args = json!({"name": "a b", "graphs": [{"title": "x", "metrics": [
            {"namespace": "AWS/MemoryDB", "metric": "TransactionLogDiskUsage", "dimensions": {"ClusterName": "x"}},
            {"namespace": "AWS/MemoryDB", "metric": "CurrItems"},
        ]}]});
        assert_eq!(PutDashboard::check(&args).len(), 3);
    }
}
