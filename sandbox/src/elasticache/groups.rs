//! Replication groups and their nodes.

use super::answer;
use super::call::{invalid_combination, invalid_value, page};
use super::state::{Due, Group, Settings};
use crate::context::Ctx;
use crate::data::{ClusterSpec, DataError};
use crate::names;
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

/// CreateReplicationGroup, as far as people need it to try things: no restore, no network members.
pub(super) async fn create(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = names::folded("ReplicationGroupId", params.need("ReplicationGroupId")?, 40)
        .map_err(invalid_value)?;
    let description = params.need("ReplicationGroupDescription")?.to_owned();
    let shards = params.number("NumNodeGroups")?.unwrap_or(1) as u16;
    let replicas =
        match (params.number("ReplicasPerNodeGroup")?, params.number("NumCacheClusters")?) {
            (Some(replicas), _) => replicas as u16,
            (None, nodes) => nodes.unwrap_or(1).saturating_sub(1) as u16,
        };
    if !(1..=90).contains(&shards) || replicas > 5 {
        return Err(invalid_value("a group has 1 to 90 node groups with 0 to 5 replicas each"));
    }
    let by_parameters =
        params.get("CacheParameterGroupName").is_some_and(|name| name.ends_with(".cluster.on"));
    let cluster_mode = shards > 1
        || by_parameters
        || params.get("ClusterMode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    let engine = params.get("Engine").unwrap_or("redis").to_ascii_lowercase();
    let default_version = if engine == "valkey" { "8.0.1" } else { "7.1.0" };
    {
        let mut world = ctx.world();
        let user_groups = params.list("UserGroupIds");
        if world.elasticache.groups.contains_key(&id) {
            return Err(ApiError::bad(
                "ReplicationGroupAlreadyExists",
                format!("Replication group {id} already exists."),
            ));
        }
        if let Some(missing) =
            user_groups.iter().find(|id| !world.elasticache.user_groups.contains_key(*id))
        {
            return Err(ApiError::missing("UserGroupNotFound", format!("{missing} not found.")));
        }
        let group = Group {
            id: id.clone(),
            description,
            status: "creating".to_owned(),
            due: Some(Due::reaching(ctx, ctx.timings().group_create, "available")),
            engine,
            engine_version: params.get("EngineVersion").unwrap_or(default_version).to_owned(),
            node_type: params.get("CacheNodeType").unwrap_or("cache.r7g.large").to_owned(),
            replicas,
            cluster_mode,
            tls: params.flag("TransitEncryptionEnabled").unwrap_or(false),
            data_tiering: params.flag("DataTieringEnabled").unwrap_or(false),
            durability: params.get("Durability").map(str::to_owned),
            user_groups,
            tags: params.tags(),
            created: ctx.now,
            visible: ctx.due(ctx.timings().visibility),
            metrics_since: Some(ctx.now),
            keys: 0,
            cluster: None,
            shards: Vec::new(),
            settings: Settings {
                auth_token: params.get("AuthToken").is_some(),
                parameter_group: params.get("CacheParameterGroupName").map(str::to_owned),
                security_groups: params.list("SecurityGroupIds"),
                ..Settings::default()
            },
        };
        world.elasticache.groups.insert(id.clone(), group);
    }
    if let Err(error) = start(ctx, &id, shards).await
        && let Some(group) = ctx.world().elasticache.groups.get_mut(&id)
        && let Some(due) = &mut group.due
    {
        due.to = Some("create-failed".to_owned());
        due.reason = Some(error.to_string());
    }
    let world = ctx.world();
    let group = world.elasticache.groups.get(&id).ok_or_else(|| not_found(&id))?;
    Ok(Xml::new("Result").child(answer::group(ctx, group)))
}

/// DeleteReplicationGroup.
pub(super) fn delete(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = params.need("ReplicationGroupId")?.to_ascii_lowercase();
    if params.get("FinalSnapshotIdentifier").is_some() {
        return Err(invalid_combination("the sandbox takes no final snapshot: take one first"));
    }
    let mut world = ctx.world();
    let group = world.elasticache.groups.get_mut(&id).ok_or_else(|| not_found(&id))?;
    if !matches!(group.status.as_str(), "available" | "create-failed") {
        return Err(ApiError::bad(
            "InvalidReplicationGroupState",
            format!(
                "Replication group {id} has status {} which is not valid for deletion.",
                group.status
            ),
        ));
    }
    group.status = "deleting".to_owned();
    group.due = Some(Due::gone(ctx, ctx.timings().delete));
    Ok(Xml::new("Result").child(answer::group(ctx, group)))
}
