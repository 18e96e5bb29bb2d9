//! Changes of a replication group: its settings, replicas and shards.

use super::answer;
use super::call::{invalid_combination, invalid_value};
use super::groups::not_found;
use super::node_types;
use super::state::{Change, Due, ElastiCacheState, Group};
use crate::context::Ctx;
use crate::data::slot_ids;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

fn busy(group: &Group) -> ApiError {
    ApiError::bad(
        "InvalidReplicationGroupState",
        format!(
            "Replication group must be in available state to modify; {} is {}.",
            group.id, group.status
        ),
    )
}

/// The group that a request is about, if it may be changed now.
fn changeable<'a>(
    ctx: &Ctx,
    state: &'a mut ElastiCacheState,
    params: &Params,
) -> Result<&'a mut Group, ApiError> {
    let id = params.need("ReplicationGroupId")?.to_ascii_lowercase();
    let group = state.groups.get_mut(&id).filter(|group| group.visible <= ctx.now);
    let group = group.ok_or_else(|| not_found(&id))?;
    if group.status == "available" { Ok(group) } else { Err(busy(group)) }
}

fn begin(ctx: &Ctx, group: &mut Group, change: Change) -> Xml {
    "modifying".clone_into(&mut group.status);
    group.change = Some(change);
    group.due = Some(Due {
        at: ctx.due(ctx.timings().group_modify),
        to: Some("available".to_owned()),
        reason: None,
    });
    Xml::new("Result").child(answer::group(ctx, group))
}

/// ModifyReplicationGroup. Without ApplyImmediately a new node type or engine version waits for the maintenance window;
/// everything else is carried out at once (ElastiCache API reference, ModifyReplicationGroup).
pub(super) fn modify(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let at_once = params.flag("ApplyImmediately").unwrap_or(false);
    let mut world = ctx.world();
    let state = &mut world.elasticache;
    let known_groups: Vec<String> = state.user_groups.keys().cloned().collect();
    let parameter_groups = state.parameter_groups.clone();
    let group = changeable(ctx, state, params)?;
    let mut change = Change::default();
    // Asking for what is there withdraws what waits. UNSURE: it is so documented for RDS alone.
    if params.get("CacheNodeType") == Some(group.node_type.as_str()) {
        group.settings.pending.remove("node_type");
    }
    if params.get("EngineVersion") == Some(group.engine_version.as_str()) {
        group.settings.pending.remove("engine_version");
    }
    if let Some(node_type) = params.get("CacheNodeType").filter(|wanted| *wanted != group.node_type)
    {
        let (up, down) = node_types::allowed(&group.node_type, used(group));
        if !up.contains(&node_type) && !down.contains(&node_type) {
            return Err(invalid_value(format!(
                "The cache node type {node_type} is not an allowed modification of {}.",
                group.node_type
            )));
        }
        change.node_type = Some(node_type.to_owned());
    }
    let engine = params.get("Engine").map(str::to_ascii_lowercase).filter(|e| *e != group.engine);
    if let Some(engine) = &engine {
        if engine != "valkey" {
            return Err(invalid_combination(format!(
                "The engine of a {} group cannot be changed to {engine}.",
                group.engine
            )));
        }
        if params.get("EngineVersion").is_none() {
            return Err(invalid_combination("EngineVersion is required to change the engine."));
        }
        change.engine = Some(engine.clone());
    }
    if let Some(version) = params.get("EngineVersion") {
        // There is no way back to an older version (ElastiCache user guide, engine versions and upgrading).
        if engine.is_none() && numbers(version) < numbers(&group.engine_version) {
            return Err(invalid_combination(format!(
                "Downgrading from {} {} to {version} is not supported.",
                group.engine, group.engine_version
            )));
        }
        if !same_version(&group.engine_version, version) || engine.is_some() {
            change.engine_version = Some(full(version));
        }
    }
    if let Some(name) = params.get("CacheParameterGroupName") {
        let wanted = change.engine.as_deref().unwrap_or(&group.engine);
        let version = change.engine_version.as_deref().unwrap_or(&group.engine_version);
        let family = format!("{wanted}{}", version.split('.').next().unwrap_or_default());
        let of = match name.strip_prefix("default.") {
            Some(rest) => rest.trim_end_matches(".cluster.on").to_owned(),
            None => {
                parameter_groups.get(name).map(|group| group.family.clone()).ok_or_else(|| {
                    ApiError::missing(
                        "CacheParameterGroupNotFound",
                        format!("CacheParameterGroup not found: {name}"),
                    )
                })?
            }
        };
        if of != family {
            return Err(invalid_combination(format!(
                "Expected a parameter group of family {family} but found one of family {of}"
            )));
        }
        change.parameter_group = Some(name.to_owned());
    }
    let (add, remove) = (params.list("UserGroupIdsToAdd"), params.list("UserGroupIdsToRemove"));
    if !add.is_empty() || !remove.is_empty() {
        if let Some(missing) = add.iter().find(|id| !known_groups.contains(id)) {
            return Err(ApiError::missing("UserGroupNotFound", format!("{missing} not found.")));
        }
        let kept = group.user_groups.iter().filter(|id| !remove.contains(id)).cloned();
        change.user_groups = Some(kept.chain(add).collect());
    }
    change.retention = params.number("SnapshotRetentionLimit")?.map(|days| days as u32);
    if change.retention.is_some_and(|days| days > 35) {
        return Err(invalid_value("SnapshotRetentionLimit must be between 0 and 35."));
    }
    if !at_once {
        for (what, value) in [
            ("node_type", change.node_type.take()),
            ("engine", change.engine.take()),
            ("engine_version", change.engine_version.take()),
        ] {
            group.settings.pending.extend(value.map(|value| (what.to_owned(), value)));
        }
    } else if !group.settings.pending.is_empty() {
        // What waited is carried out with it.
        let waiting = std::mem::take(&mut group.settings.pending);
        change.node_type = change.node_type.or_else(|| waiting.get("node_type").cloned());
        change.engine = change.engine.or_else(|| waiting.get("engine").cloned());
        let version = || waiting.get("engine_version").cloned();
        change.engine_version = change.engine_version.or_else(version);
    }
    if change == Change::default() {
        return Ok(Xml::new("Result").child(answer::group(ctx, group)));
    }
    Ok(begin(ctx, group, change))
}

/// MiB that each shard takes, about.
fn used(group: &Group) -> u32 {
    let model = group.cluster.as_ref().and_then(crate::data::Cluster::model);
    let entries = model.map_or(group.keys, |model| model.keys());
    u32::try_from(entries / 4096).unwrap_or(u32::MAX)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn same_version(is: &str, asked: &str) -> bool {
    is == asked || is.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.'))
}

/// AWS chooses the patch where none is named.
pub(super) fn full(version: &str) -> String {
    let patch = ".0".repeat(3_usize.saturating_sub(version.split('.').count()));
    format!("{version}{patch}")
}

/// ListAllowedNodeTypeModifications.
pub(super) fn allowed(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let groups = &world.elasticache.groups;
    let group = match (params.get("ReplicationGroupId"), params.get("CacheClusterId")) {
        (Some(id), None) => groups.get(&id.to_ascii_lowercase()).ok_or_else(|| not_found(id))?,
        (None, Some(node)) => {
            let holds = |group: &&Group| group.all_members().contains(&node.to_ascii_lowercase());
            groups.values().find(holds).ok_or_else(|| {
                ApiError::missing("CacheClusterNotFound", format!("CacheCluster not found: {node}"))
            })?
        }
        _ => {
            return Err(invalid_combination(
                "Exactly one of ReplicationGroupId and CacheClusterId must be specified.",
            ));
        }
    };
    let (up, down) = node_types::allowed(&group.node_type, used(group));
    Ok(Xml::new("Result").values("ScaleUpModifications", "member", up).values(
        "ScaleDownModifications",
        "member",
        down,
    ))
}

/// The number of replicas that is asked for; both calls carry it out at once or not at all (API reference).
fn wanted_replicas(params: &Params) -> Result<u16, ApiError> {
    if params.flag("ApplyImmediately") != Some(true) {
        return Err(invalid_value("ApplyImmediately must be true."));
    }
    let wanted = params.number("NewReplicaCount")?.ok_or_else(|| {
        invalid_combination("NewReplicaCount must be specified: the sandbox knows no other form.")
    })?;
    u16::try_from(wanted).map_err(|_| invalid_value("NewReplicaCount is out of range."))
}

fn no_operation(group: &Group) -> ApiError {
    ApiError::bad(
        "NoOperationFault",
        format!("The operation was not performed: {} has that many replicas.", group.id),
    )
}

/// IncreaseReplicaCount.
pub(super) fn increase(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let wanted = wanted_replicas(params)?;
    let mut world = ctx.world();
    let group = changeable(ctx, &mut world.elasticache, params)?;
    if wanted > 5 {
        return Err(invalid_value("NewReplicaCount must be at most 5."));
    }
    if wanted <= group.replicas {
        return Err(no_operation(group));
    }
    Ok(begin(ctx, group, Change { replicas: Some(wanted), ..Change::default() }))
}

/// DecreaseReplicaCount. With cluster mode off, one replica stays while Multi-AZ is on, which it is here in every group that
/// has any; with cluster mode on there may be none (API reference, DecreaseReplicaCount).
pub(super) fn decrease(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let wanted = wanted_replicas(params)?;
    let mut world = ctx.world();
    let group = changeable(ctx, &mut world.elasticache, params)?;
    if wanted >= group.replicas {
        return Err(no_operation(group));
    }
    if wanted == 0 && !group.cluster_mode {
        return Err(invalid_combination(format!(
            "Replication group {} must have at least one replica while Multi-AZ is enabled.",
            group.id
        )));
    }
    Ok(begin(ctx, group, Change { replicas: Some(wanted), ..Change::default() }))
}

/// ModifyReplicationGroupShardConfiguration.
pub(super) fn reshard(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    if params.flag("ApplyImmediately") != Some(true) {
        return Err(invalid_value("ApplyImmediately must be true."));
    }
    let count = params.number("NodeGroupCount")?;
    let count = count.ok_or_else(|| {
        ApiError::bad("MissingParameter", "The request must contain the parameter NodeGroupCount.")
    })? as usize;
    let mut world = ctx.world();
    let group = changeable(ctx, &mut world.elasticache, params)?;
    if !group.cluster_mode {
        return Err(invalid_combination(
            "Only groups with cluster mode enabled have node groups to change.",
        ));
    }
    if !(1..=90).contains(&count) {
        return Err(invalid_value("NodeGroupCount must be between 1 and 90."));
    }
    let have: Vec<String> = group.shards.iter().map(|shard| shard.id.clone()).collect();
    let ids = match count.cmp(&have.len()) {
        std::cmp::Ordering::Equal => {
            return Err(invalid_combination(format!(
                "{} has {count} node groups already.",
                group.id
            )));
        }
        std::cmp::Ordering::Greater => {
            let fresh = slot_ids().filter(|id| !have.contains(id)).take(count - have.len());
            let fresh: Vec<String> = fresh.collect();
            have.into_iter().chain(fresh).collect()
        }
        std::cmp::Ordering::Less => {
            let remove = params.list("NodeGroupsToRemove");
            let retain = params.list("NodeGroupsToRetain");
            let left: Vec<String> = match (remove.is_empty(), retain.is_empty()) {
                (false, true) => have.iter().filter(|id| !remove.contains(id)).cloned().collect(),
                (true, false) => have.iter().filter(|id| retain.contains(id)).cloned().collect(),
                _ => {
                    return Err(invalid_combination(
                        "Either NodeGroupsToRemove or NodeGroupsToRetain must be specified to scale in.",
                    ));
                }
            };
            if left.len() != count {
                return Err(invalid_combination(
                    "The node groups to remove or retain do not fit NodeGroupCount.",
                ));
            }
            left
        }
    };
    Ok(begin(ctx, group, Change { shards: Some(ids), ..Change::default() }))
}
