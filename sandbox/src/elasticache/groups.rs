//! Replication groups and their nodes.

use super::answer;
use super::call::page;
use crate::context::Ctx;
use crate::data::{ClusterSpec, DataError};
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

pub(super) fn not_found(id: &str) -> ApiError {
    ApiError::missing("ReplicationGroupNotFoundFault", format!("ReplicationGroup {id} not found."))
}

/// DescribeReplicationGroups.
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let visible = world.elasticache.groups.values().filter(|group| group.visible <= ctx.now);
    let items: Vec<Xml> = match params.get("ReplicationGroupId") {
        None => visible.map(|group| answer::group(ctx, group)).collect(),
        Some(id) => {
            let mut named = visible.filter(|group| group.id.eq_ignore_ascii_case(id));
            vec![answer::group(ctx, named.next().ok_or_else(|| not_found(id))?)]
        }
    };
    page(params, "ReplicationGroups", items, 100)
}

/// DescribeCacheClusters.
pub(super) fn describe_nodes(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let info = params.flag("ShowCacheNodeInfo").unwrap_or(false);
    let world = ctx.world();
    let visible = world.elasticache.groups.values().filter(|group| group.visible <= ctx.now);
    let mut nodes: Vec<_> = visible.flat_map(|group| answer::nodes(ctx, group, info)).collect();
    if let Some(wanted) = params.get("CacheClusterId") {
        nodes.retain(|(id, _)| id.eq_ignore_ascii_case(wanted));
        if nodes.is_empty() {
            return Err(ApiError::missing(
                "CacheClusterNotFound",
                format!("CacheCluster not found: {wanted}"),
            ));
        }
    }
    page(params, "CacheClusters", nodes.into_iter().map(|(_, xml)| xml).collect(), 100)
}

/// Starts the servers of a group that is already in the state.
///
/// # Errors
/// A server does not start; the group stays without servers.
pub(crate) async fn start(ctx: &Ctx, id: &str, shards: u16) -> Result<(), DataError> {
    let spec = {
        let world = ctx.world();
        let Some(group) = world.elasticache.groups.get(id) else { return Ok(()) };
        let (users, open_access) = world.elasticache.access(&group.user_groups);
        ClusterSpec {
            name: id.to_owned(),
            engine: group.engine.clone(),
            engine_version: group.engine_version.clone(),
            shards,
            cluster_mode: group.cluster_mode,
            tls: group.tls,
            users,
            open_access,
        }
    };
    let cluster = ctx.data().start(spec).await?;
    let mut world = ctx.world();
    if let Some(group) = world.elasticache.groups.get_mut(id) {
        group.shards = cluster.shards();
        group.cluster = Some(cluster);
    }
    Ok(())
}
