//! What would be refused, before anything is asked for.

use serde_json::Value;

use super::super::cluster::SERVICE;
use super::change::{Shape, downgrade};
use super::there;
use crate::aws::Op;
use crate::engine::Finding;
use crate::steps::Env;

const STATE: &str = "update.state";
const ENGINE: &str = "update.engine";
const NODE_TYPE: &str = "update.node_type";

pub(super) async fn findings(env: &Env, args: &Value) -> Vec<Finding> {
    let Some(name) = args["name"].as_str().map(str::to_ascii_lowercase) else { return Vec::new() };
    let found = match there(env, &name).await {
        Ok(found) => found,
        Err(failure) => return vec![Finding::of(STATE, &failure)],
    };
    let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
    let mut findings = vec![match status.as_str() {
        "available" => Finding::ok(STATE, format!("cluster \"{name}\" is available")),
        "deleting" | "restore-failed" | "create-failed" => Finding::will_fail(
            STATE,
            format!("cluster \"{name}\" is {status}"),
            "a cluster in this state cannot be changed: name another one",
        ),
        _ => Finding::cannot_know(STATE, format!("cluster \"{name}\" is {status}; the step waits"))
            .mend("nothing, if it comes to its end"),
    }];
    let before = Shape::of(&found);
    let asks = |key: &str| args.get(key).is_some();
    if asks("engine") || asks("engine_version") {
        let engine = args["engine"].as_str().unwrap_or(before.engine().0);
        findings.push(match downgrade(&before, engine, args["engine_version"].as_str()) {
            Ok(()) => {
                Finding::ok(ENGINE, format!("\"{name}\" can be upgraded; there is no way back"))
            }
            Err(failure) => Finding::of(ENGINE, &failure),
        });
    }
    if let Some(wanted) = args["node_type"].as_str().filter(|wanted| *wanted != before.node_type())
    {
        findings.push(node_type(env, &name, wanted).await);
    }
    findings
}

/// MemoryDB says what a cluster can change to (API reference, ListAllowedNodeTypeUpdates).
async fn node_type(env: &Env, name: &str, wanted: &str) -> Finding {
    let op = Op::read(SERVICE, "ListAllowedNodeTypeUpdates");
    let look = || env.aws.memorydb.list_allowed_node_type_updates().cluster_name(name).send();
    let answer = match env.survey.ask(op, look).await {
        Ok(answer) => answer,
        Err(failure) => return Finding::of(NODE_TYPE, &failure),
    };
    let (up, down) = (answer.scale_up_node_types(), answer.scale_down_node_types());
    if up.iter().chain(down).any(|allowed| allowed == wanted) {
        return Finding::ok(NODE_TYPE, format!("\"{name}\" can have {wanted}"));
    }
    let allowed: Vec<&str> = up.iter().chain(down).map(String::as_str).collect();
    Finding::will_fail(
        NODE_TYPE,
        format!("MemoryDB does not let \"{name}\" change to {wanted}"),
        format!("it can change to {}", allowed.join(", ")),
    )
}
