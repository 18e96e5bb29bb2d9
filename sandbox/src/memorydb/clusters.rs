//! DescribeClusters and DeleteCluster.

use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, need, page};
use super::state::Due;
use crate::context::Ctx;
use crate::wire::ApiError;

pub(super) fn not_found(name: &str) -> ApiError {
    ApiError::bad("ClusterNotFoundFault", format!("Cluster {name} not found."))
}

/// DescribeClusters.
pub(super) fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let with_shards = input["ShowShardDetails"].as_bool().unwrap_or(false);
    let world = ctx.world();
    let visible = world.memorydb.clusters.values().filter(|c| c.visible <= ctx.now);
    let items: Vec<Value> = match input["ClusterName"].as_str() {
        None => visible.map(|c| answer::cluster(ctx, c, with_shards)).collect(),
        Some(name) => {
            let mut named = visible.filter(|c| c.name.eq_ignore_ascii_case(name));
            let cluster = named.next().ok_or_else(|| not_found(name))?;
            vec![answer::cluster(ctx, cluster, with_shards)]
        }
    };
    page(input, "Clusters", items)
}

/// DeleteCluster.
pub(super) fn delete(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ClusterName")?.to_ascii_lowercase();
    if input["FinalSnapshotName"].is_string() {
        return Err(invalid_combination("the sandbox takes no final snapshot: take one first"));
    }
    let mut world = ctx.world();
    let cluster = world.memorydb.clusters.get_mut(&name).ok_or_else(|| not_found(&name))?;
    if !matches!(cluster.status.as_str(), "available" | "restore-failed" | "create-failed") {
        return Err(ApiError::bad(
            "InvalidClusterStateFault",
            format!("Cluster {name} is not in a valid state to be deleted: {}.", cluster.status),
        ));
    }
    cluster.status = "deleting".to_owned();
    cluster.due = Some(Due { at: ctx.due(ctx.timings().delete), to: None, reason: None });
    Ok(json!({"Cluster": answer::cluster(ctx, cluster, false)}))
}
