//! UpdateCluster, ListAllowedNodeTypeUpdates and FailoverShard.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, invalid_value, need};
use super::catalog;
use super::clusters::not_found;
use super::create::{family_fits, node_type_fits, quotas};
use super::state::{Due, MdbCluster, MemoryDbState, OPEN_ACCESS, Pending};
use crate::context::Ctx;
use crate::wire::ApiError;

/// Failovers in 24 hours (developer guide, testing automatic failover).
const FAILOVERS: usize = 5;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

fn not_available(name: &str, status: &str) -> ApiError {
    ApiError::bad(
        "InvalidClusterStateFault",
        format!("Cluster {name} is not in available state: {status}."),
    )
}

/// UpdateCluster. One sort of change at a time: the CloudFormation handler of AWS makes each in a call of its own.
pub(super) fn update(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ClusterName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    let cluster = state.clusters.get(&name).filter(|c| c.visible <= ctx.now);
    let cluster = cluster.ok_or_else(|| not_found(&name))?.clone();
    if cluster.status != "available" {
        return Err(not_available(&name, &cluster.status));
    }
    let changes = asked(ctx, state, &cluster, input)?;
    let retention = input["SnapshotRetentionLimit"].as_u64();
    if retention.is_some_and(|days| days > 35) {
        return Err(invalid_value("SnapshotRetentionLimit must be between 0 and 35."));
    }
    if changes.len() > 1 {
        // UNSURE of the words.
        return Err(invalid_combination("Only one kind of modification can be made at a time."));
    }
    let Some(cluster) = state.clusters.get_mut(&name) else { return Err(not_found(&name)) };
    // What is only written down needs no time.
    let noted = retention.is_some() || input["Description"].is_string();
    if let Some(retention) = retention {
        cluster.retention = retention;
    }
    if let Some(description) = input["Description"].as_str() {
        cluster.description = description.to_owned();
    }
    match changes.into_iter().next() {
        Some(pending) => {
            cluster.pending = Some(pending);
            cluster.status = "updating".to_owned();
            let at = ctx.due(ctx.timings().update);
            cluster.due = Some(Due { at, to: Some("available".to_owned()), reason: None });
        }
        None if noted => {}
        None => {
            return Err(ApiError::bad("NoOperationFault", "No modifications were requested."));
        }
    }
    Ok(json!({"Cluster": answer::cluster(ctx, cluster, false)}))
}

/// The changes that a request asks for and that are not so already.
fn asked(
    ctx: &Ctx,
    state: &MemoryDbState,
    cluster: &MdbCluster,
    input: &Value,
) -> Result<Vec<Pending>, ApiError> {
    let _ = ctx;
    let mut changes = Vec::new();
    let group = input["ParameterGroupName"].as_str();
    let engine = input["Engine"].as_str().map(str::to_ascii_lowercase);
    let version = input["EngineVersion"].as_str();
    let engine = engine.unwrap_or_else(|| cluster.engine.clone());
    if engine != cluster.engine || version.is_some_and(|v| v != cluster.engine_version) {
        let version = catalog::version(&engine, version)?;
        let older = engine == cluster.engine && version.version < cluster.engine_version.as_str();
        if older || (cluster.engine == "valkey" && engine == "redis") {
            return Err(invalid_combination(
                "The engine version of a cluster cannot be downgraded.",
            ));
        }
        let group = match group {
            Some(group) => group.to_ascii_lowercase(),
            None if catalog::family_of(state, &cluster.parameter_group).as_deref()
                == Some(version.family) =>
            {
                cluster.parameter_group.clone()
            }
            None => catalog::default_group(version),
        };
        family_fits(state, &group, version.family)?;
        let version = version.version.to_owned();
        changes.push(Pending::Engine { engine, version, group });
    } else if let Some(group) = group.filter(|g| !g.eq_ignore_ascii_case(&cluster.parameter_group))
    {
        let version = catalog::version(&cluster.engine, Some(&cluster.engine_version))?;
        family_fits(state, group, version.family)?;
        changes.push(Pending::ParameterGroup(group.to_ascii_lowercase()));
    }
    if let Some(acl) = input["ACLName"].as_str().map(str::to_ascii_lowercase)
        && acl != cluster.acl
    {
        let found = state.acls.get(&acl);
        let found = found
            .ok_or_else(|| ApiError::bad("ACLNotFoundFault", format!("ACL {acl} not found.")))?;
        if found.status != "active" {
            return Err(ApiError::bad(
                "InvalidACLStateFault",
                format!("ACL {acl} is not in active state: {}.", found.status),
            ));
        }
        if !cluster.tls && acl != OPEN_ACCESS {
            return Err(invalid_combination(format!("The ACL {acl} requires TLS to be enabled.")));
        }
        changes.push(Pending::Acl(acl));
    }
    if let Some(node_type) = input["NodeType"].as_str()
        && node_type != cluster.node_type
    {
        node_type_fits(state, node_type, cluster.data_tiering)?;
        changes.push(Pending::NodeType(node_type.to_owned()));
    }
    let nodes = |shards: u64, replicas: u64| shards.saturating_mul(replicas + 1);
    let (shards, replicas) = (u64::from(cluster.shard_count), u64::from(cluster.replicas));
    let more = |wanted: u64| quotas(state, wanted.saturating_sub(nodes(shards, replicas)));
    if let Some(wanted) = input["ShardConfiguration"]["ShardCount"].as_u64()
        && wanted != shards
    {
        if wanted == 0 {
            return Err(invalid_value("ShardCount must be at least 1."));
        }
        more(nodes(wanted, replicas))?;
        changes.push(Pending::Shards(u16::try_from(wanted).unwrap_or(u16::MAX)));
    }
    if let Some(wanted) = input["ReplicaConfiguration"]["ReplicaCount"].as_u64()
        && wanted != replicas
    {
        if wanted > 5 {
            return Err(invalid_value("ReplicaCount must be between 0 and 5."));
        }
        more(nodes(shards, wanted))?;
        changes.push(Pending::Replicas(u16::try_from(wanted).unwrap_or(u16::MAX)));
    }
    Ok(changes)
}

/// ListAllowedNodeTypeUpdates: everything larger, and everything smaller, of the same sort of storage.
pub(super) fn allowed_node_types(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ClusterName")?.to_ascii_lowercase();
    let world = ctx.world();
    let state = &world.memorydb;
    let cluster = state.clusters.get(&name).filter(|c| c.visible <= ctx.now);
    let cluster = cluster.ok_or_else(|| not_found(&name))?;
    let held = catalog::node_memory(state, &cluster.node_type).unwrap_or_default();
    let other = |name: &&str| {
        name.starts_with("db.r6gd.") == cluster.data_tiering && **name != *cluster.node_type
    };
    let all: Vec<&str> = catalog::node_types(state).filter(other).collect();
    let (up, down): (Vec<&str>, Vec<&str>) =
        all.into_iter().partition(|name| catalog::node_memory(state, name) >= Some(held));
    Ok(json!({"ScaleUpNodeTypes": up, "ScaleDownNodeTypes": down}))
}

/// FailoverShard. The cluster shows `available` all the while: what happens is told by events alone. Their words are those
/// of the developer guide, testing automatic failover; the seconds between them those of its CLI sample.
pub(super) fn failover(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ClusterName")?.to_ascii_lowercase();
    let shard = need(input, "ShardName")?.to_owned();
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    let cluster = state.clusters.get(&name).filter(|c| c.visible <= ctx.now);
    let cluster = cluster.ok_or_else(|| not_found(&name))?.clone();
    if cluster.status != "available" {
        return Err(not_available(&name, &cluster.status));
    }
    if !cluster.shards.iter().any(|known| known.id == shard) {
        return Err(ApiError::bad("ShardNotFoundFault", format!("Shard {shard} not found.")));
    }
    if cluster.replicas == 0 {
        // UNSURE of the code: the fault is the one that AWS declares for drills that cannot be had.
        return Err(ApiError::bad(
            "TestFailoverNotAvailableFault",
            format!("Shard {shard} of {name} has no replica to fail over to."),
        ));
    }
    state.failovers.retain(|at| *at > ctx.ago(DAY));
    if state.failovers.len() >= FAILOVERS {
        return Err(ApiError::bad(
            "APICallRateForCustomerExceededFault",
            "The customer has exceeded the allowed rate of API calls.",
        ));
    }
    state.failovers.push(ctx.now);
    let node = |number: u16| format!("{name}-{shard}-{number:03}");
    let turn = state.failovers.len() % 2;
    let (old, new) = if turn == 1 { (node(1), node(2)) } else { (node(2), node(1)) };
    let events = [
        (0, format!("FailoverShard API called for shard {shard}")),
        (27, format!("Failover from primary node {old} to replica node {new} completed")),
        (29, format!("Recovering nodes {old}")),
        (180, format!("Finished recovery for nodes {old}")),
    ];
    let scale = ctx.timings().shard_failover.as_secs_f64() / 180.0;
    for (after, message) in events {
        let after = SignedDuration::from_millis((f64::from(after) * scale * 1000.0) as i64);
        state.event(ctx.now.checked_add(after).unwrap_or(ctx.now), "cluster", &name, message);
    }
    Ok(json!({"Cluster": answer::cluster(ctx, &cluster, false)}))
}
