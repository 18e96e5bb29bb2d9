//! TestFailover.

use jiff::SignedDuration;

use super::answer;
use super::groups::not_found;
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Node groups that may be tested in 24 hours by an account (ElastiCache API reference, TestFailover).
const QUOTA: usize = 15;

/// TestFailover. The status stays `available`; that it is over is told by events alone, in this order (API reference,
/// TestFailover): the call; the failover, of the node and of the group; the recovery, and its end.
pub(super) async fn test(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = params.need("ReplicationGroupId")?.to_ascii_lowercase();
    let shard_id = params.need("NodeGroupId")?.to_owned();
    let (answer, cluster) = {
        let mut world = ctx.world();
        let state = &mut world.elasticache;
        let group = state.groups.get_mut(&id).filter(|group| group.visible <= ctx.now);
        let group = group.ok_or_else(|| not_found(&id))?;
        let shard = group.shards.iter().find(|shard| shard.id == shard_id).cloned();
        let shard = shard.ok_or_else(|| {
            ApiError::missing("NodeGroupNotFoundFault", format!("NodeGroup {shard_id} not found."))
        })?;
        let recovering = group.recovers.is_some_and(|until| until > ctx.now);
        if group.status != "available" || recovering {
            let status = if recovering { "recovering a node" } else { group.status.as_str() };
            return Err(ApiError::bad(
                "InvalidReplicationGroupState",
                format!(
                    "Replication group {id} has status {status} which is not valid for TestFailover."
                ),
            ));
        }
        if group.replicas == 0 {
            return Err(ApiError::bad(
                "TestFailoverNotAvailableFault",
                format!(
                    "TestFailover is not available: node group {shard_id} of {id} has no replica."
                ),
            ));
        }
        let day = ctx.ago(std::time::Duration::from_secs(24 * 3600));
        state.failovers.retain(|at| *at > day);
        if state.failovers.len() >= QUOTA {
            return Err(ApiError::bad(
                "APICallRateForCustomerExceeded",
                "The customer has exceeded the allowed rate of TestFailover API calls.",
            ));
        }
        state.failovers.push(ctx.now);
        let members = group.members(&shard);
        let old = group.primary(&shard);
        let new = (old + 1) % members.len();
        let over = ctx.due(ctx.timings().failover);
        let over_by = SignedDuration::try_from(ctx.timings().recovery).unwrap_or_default();
        let recovered = over.checked_add(over_by).unwrap_or(over);
        group.recovers = Some(recovered);
        group.primaries.insert(shard_id.clone(), new);
        let (answer, cluster) = (answer::group(ctx, group), group.cluster.clone());
        let (from, to) = (&members[old], &members[new]);
        let called = format!("Test Failover API called for node group {shard_id}");
        let done = format!("Failover from primary node {from} to replica node {to} completed");
        state.event(ctx.now, "replication-group", &id, called);
        state.event(over, "cache-cluster", from, done.clone());
        state.event(over, "replication-group", &id, done);
        state.event(over, "cache-cluster", from, "Recovering cache nodes 0001");
        state.event(recovered, "cache-cluster", from, "Finished recovery for cache nodes 0001");
        (answer, cluster)
    };
    if let Some(cluster) = cluster
        && let Err(error) = cluster.fail_over(&shard_id).await
    {
        tracing::warn!(%error, "a sandbox cluster did not fail over");
    }
    Ok(Xml::new("Result").child(answer))
}

/// Failovers that were tested so many hours ago.
pub(crate) fn seed(ctx: &Ctx, id: &str, hours: &[u32]) {
    let mut world = ctx.world();
    for hours in hours {
        let at = ctx.ago(std::time::Duration::from_secs(u64::from(*hours) * 3600));
        let state = &mut world.elasticache;
        state.failovers.push(at);
        state.event(at, "replication-group", id, "Test Failover API called for node group 0001");
    }
}
