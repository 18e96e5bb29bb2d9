//! The node type.

use serde_json::Value;

use super::super::super::cluster::SERVICE;
use super::super::{Env, Finding, Op};
use super::source::Source;
use crate::aws::found;
use crate::facts::{self, Fit};

const CHECK: &str = "target.node_type";

pub(super) async fn findings(env: &Env, args: &Value, source: &Source) -> Option<Finding> {
    let name = args["node_type"].as_str()?;
    if name.starts_with("db.r6gd.") {
        // DataTiering "must be set when using r6gd nodes" (MemoryDB API reference, CreateCluster), and a snapshot goes
        // with tiering into tiering alone (developer guide, data tiering).
        return Some(Finding::will_fail(
            CHECK,
            format!(
                "{name} needs data tiering, which this step does not switch on: files of a group without it cannot be \
                 restored there"
            ),
            format!("set `node_type: {}`", name.replace("db.r6gd.", "db.r6g.")),
        ));
    }
    if facts::memorydb_node_type(name).is_some() {
        return Some(Finding::ok(CHECK, format!("MemoryDB has {name}")).seen("known", true));
    }
    let client = &env.aws.memorydb;
    let look = || client.describe_reserved_nodes_offerings().node_type(name).send();
    let op = Op::read(SERVICE, "DescribeReservedNodesOfferings");
    let offered = found(env.survey.ask(op, look).await);
    let reserved = offered.as_ref().is_ok_and(|answer| {
        answer.as_ref().is_some_and(|answer| !answer.reserved_nodes_offerings().is_empty())
    });
    if reserved {
        return Some(
            Finding::ok(
                CHECK,
                format!(
                    "{name} is in no table of this program, but MemoryDB reserves nodes of it, so it is there"
                ),
            )
            .seen("known", true),
        );
    }
    let all = facts::memorydb_node_types().iter().map(|node| node.name);
    let near = all
        .clone()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let fits = source.group().map(|group| facts::memorydb_counterpart(&group.node_type));
    let advice = match (fits, near) {
        (Some(Fit::Same(fit) | Fit::Other(fit, _)), _) => {
            format!("set `node_type: {fit}`, which stands for the source's")
        }
        (_, Some(near)) => format!("did you mean `node_type: {near}`?"),
        _ => String::new(),
    };
    let families = "db.r7g and db.r6g (large to 16xlarge), db.t4g (small, medium)";
    let mend = format!("{advice}; MemoryDB has {families}");
    let what = format!("MemoryDB has no node type \"{name}\"");
    Some(match offered {
        Err(failure) if failure.class.may_pass() => Finding::cannot_know(
            CHECK,
            format!("{what} in the tables of this program, and could not be asked: {failure}"),
        )
        .mend(mend),
        // A right that is missing, or an empty list: the table stands.
        _ => Finding::will_fail(CHECK, what, mend),
    })
}
