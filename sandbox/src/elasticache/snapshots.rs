//! Snapshots: create, describe, delete.

use super::answer;
use super::call::{invalid_combination, invalid_value, page};
use super::groups;
use super::state::{Due, Group, Snapshot, take_down};
use super::windows;
use crate::context::Ctx;
use crate::data::{Cluster, ShardSnapshot, rdb};
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};
use crate::world::World;

/// Manual snapshots of one node, or of one group in cluster mode, in 24 hours (ElastiCache user guide, backups).
const QUOTA: usize = 20;

pub(super) fn not_found(name: &str) -> ApiError {
    ApiError::missing("SnapshotNotFoundFault", format!("Snapshot not found: {name}"))
}

pub(super) fn exists(name: &str) -> ApiError {
    ApiError::bad(
        "SnapshotAlreadyExistsFault",
        format!("Snapshot with specified name already exists: {name}"),
    )
}

/// The group and, with cluster mode off, the node that a request names.
fn source(world: &World, ctx: &Ctx, params: &Params) -> Result<(Group, Option<String>), ApiError> {
    let groups = &world.elasticache.groups;
    let visible = |group: &&Group| group.visible <= ctx.now;
    let (group, node) = match (params.get("ReplicationGroupId"), params.get("CacheClusterId")) {
        (Some(id), None) => {
            let group = groups.get(&id.to_ascii_lowercase()).filter(visible);
            (group.ok_or_else(|| groups::not_found(id))?, None)
        }
        (None, Some(id)) => {
            let id = id.to_ascii_lowercase();
            let group = groups.values().filter(visible).find(|g| g.all_members().contains(&id));
            let missing = || {
                ApiError::missing("CacheClusterNotFound", format!("CacheCluster not found: {id}"))
            };
            (group.ok_or_else(missing)?, Some(id))
        }
        _ => {
            return Err(invalid_combination(
                "Exactly one of ReplicationGroupId and CacheClusterId must be specified.",
            ));
        }
    };
    match (&node, group.cluster_mode) {
        (None, false) => Err(invalid_combination(
            "Cannot snapshot a replication group with cluster-mode disabled; specify the CacheClusterId of one of its \
             nodes.",
        )),
        (Some(_), true) => Err(invalid_combination(
            "Cannot snapshot a node of a replication group with cluster-mode enabled; specify the ReplicationGroupId.",
        )),
        _ => Ok((group.clone(), node)),
    }
}

/// CreateSnapshot. The data is that of the moment of the call, shard by shard.
pub(super) async fn create(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name =
        names::folded("SnapshotName", params.need("SnapshotName")?, 255).map_err(invalid_value)?;
    let (cluster, engine, engine_version, databases) = {
        let mut world = ctx.world();
        let (group, node) = source(&world, ctx, params)?;
        if world.elasticache.snapshots.contains_key(&name) {
            return Err(exists(&name));
        }
        if group.status != "available" {
            let (code, what) = match &node {
                Some(_) => ("InvalidCacheClusterState", "Cache cluster"),
                None => ("InvalidReplicationGroupState", "Replication group"),
            };
            let id = node.as_ref().unwrap_or(&group.id);
            return Err(ApiError::bad(code, format!("{what} {id} is not in available state.")));
        }
        // ElastiCache user guide, backup constraints.
        if group.node_type == "cache.t1.micro" {
            return Err(ApiError::bad(
                "SnapshotFeatureNotSupportedFault",
                "Snapshots are not supported for cache.t1.micro nodes.",
            ));
        }
        let owner = node.clone().unwrap_or_else(|| group.id.clone());
        if !world.elasticache.within_quota(ctx, owner, QUOTA) {
            return Err(ApiError::bad(
                "SnapshotQuotaExceededFault",
                "The maximum number of manual snapshots for this cluster taken within 24 hours has been reached",
            ));
        }
        let snapshot = Snapshot {
            name: name.clone(),
            status: "creating".to_owned(),
            due: Some(Due::reaching(ctx, ctx.timings().snapshot, "available")),
            group: group.id.clone(),
            node,
            engine: group.engine.clone(),
            engine_version: group.engine_version.clone(),
            node_type: group.node_type.clone(),
            replicas: group.replicas,
            cluster_mode: group.cluster_mode,
            data_tiering: group.data_tiering,
            kms_key: params.get("KmsKeyId").map(str::to_owned),
            tags: params.tags(),
            created: ctx.now,
            visible: ctx.due(ctx.timings().visibility),
            manual: true,
            holds_group: true,
            shards: group.shards.clone(),
            files: None,
        };
        world.elasticache.snapshots.insert(name.clone(), snapshot);
        if let Some(group) = world.elasticache.groups.get_mut(&group.id) {
            group.status = "snapshotting".to_owned();
        }
        (group.cluster, group.engine, group.engine_version, group.settings.databases)
    };
    let saved = written(cluster, &engine, &engine_version, databases).await;
    let mut world = ctx.world();
    let snapshot = world.elasticache.snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    take_down(saved, &mut snapshot.files, &mut snapshot.due);
    Ok(Xml::new("Result").child(answer::snapshot(ctx, snapshot, false)))
}

/// What the servers of a group save, or why they do not.
async fn written(
    cluster: Option<Cluster>,
    engine: &str,
    version: &str,
    databases: u16,
) -> Result<Vec<ShardSnapshot>, String> {
    let Some(cluster) = cluster else {
        return Err("the group has no running servers".to_owned());
    };
    let saved = cluster.snapshot().await.map_err(|error| error.to_string());
    // Real servers write their own version, and have the databases they have.
    match cluster.model().is_some() {
        true => saved.map(|files| as_written(&files, engine, version, databases)),
        false => saved,
    }
}

/// Saves the data of a snapshot that the service itself takes.
pub(super) async fn save(ctx: &Ctx, name: &str) {
    let group = {
        let world = ctx.world();
        let snapshot = world.elasticache.snapshots.get(name);
        snapshot.and_then(|snapshot| world.elasticache.groups.get(&snapshot.group)).cloned()
    };
    let Some(group) = group else { return };
    let (engine, version) = (&group.engine, &group.engine_version);
    let saved = written(group.cluster, engine, version, group.settings.databases).await;
    if let Some(snapshot) = ctx.world().elasticache.snapshots.get_mut(name) {
        take_down(saved, &mut snapshot.files, &mut snapshot.due);
    }
}

/// Automatic snapshots that were taken so many hours ago, with the data of now.
pub(crate) async fn seed_automatic(ctx: &Ctx, id: &str, hours: &[u32]) {
    for hours in hours {
        let name = {
            let mut world = ctx.world();
            let Some(group) = world.elasticache.groups.get(id) else { return };
            let at = ctx.ago(std::time::Duration::from_secs(u64::from(*hours) * 3600));
            let snapshot = windows::automatic(group, at);
            let name = snapshot.name.clone();
            world.elasticache.snapshots.insert(name.clone(), snapshot);
            name
        };
        save(ctx, &name).await;
    }
}

/// The files as this engine would write them: with its head, and with keys in each of its databases.
pub(super) fn as_written(
    files: &[ShardSnapshot],
    engine: &str,
    version: &str,
    databases: u16,
) -> Vec<ShardSnapshot> {
    let rewrite = |file: &ShardSnapshot| ShardSnapshot {
        rdb: rdb::as_written_by(&file.rdb, engine, version, databases).into(),
        ..file.clone()
    };
    files.iter().map(rewrite).collect()
}

/// Manual snapshots that were taken so many hours ago, of the group or, with cluster mode off, of its first replica.
/// They hold nothing.
pub(crate) fn seed_history(ctx: &Ctx, id: &str, hours: &[u32]) {
    let mut world = ctx.world();
    let Some(group) = world.elasticache.groups.get(id).cloned() else { return };
    let members = group.all_members();
    let node = (!group.cluster_mode).then(|| members.get(1).or(members.first()).cloned()).flatten();
    for (index, hours) in hours.iter().enumerate() {
        let created = ctx.ago(std::time::Duration::from_secs(u64::from(*hours) * 3600));
        let snapshot = Snapshot {
            name: format!("{id}-earlier-{index:02}"),
            status: "available".to_owned(),
            due: None,
            group: group.id.clone(),
            node: node.clone(),
            engine: group.engine.clone(),
            engine_version: group.engine_version.clone(),
            node_type: group.node_type.clone(),
            replicas: group.replicas,
            cluster_mode: group.cluster_mode,
            data_tiering: group.data_tiering,
            kms_key: None,
            tags: std::collections::BTreeMap::new(),
            created,
            visible: created,
            manual: true,
            holds_group: false,
            shards: group.shards.clone(),
            files: Some(
                group
                    .shards
                    .iter()
                    .map(|shard| ShardSnapshot {
                        shard_id: shard.id.clone(),
                        slots: shard.slots.clone(),
                        rdb: rdb::empty().into(),
                        keys: 0,
                    })
                    .collect(),
            ),
        };
        world.elasticache.snapshots.insert(snapshot.name.clone(), snapshot);
        let owner = node.clone().unwrap_or_else(|| group.id.clone());
        world.elasticache.taken.entry(owner).or_default().push(created);
    }
}

/// DescribeSnapshots.
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let with_config = params.flag("ShowNodeGroupConfig").unwrap_or(false);
    let world = ctx.world();
    let visible = |s: &&Snapshot| s.visible <= ctx.now;
    if let Some(name) = params.get("SnapshotName") {
        let found = world.elasticache.snapshots.get(&name.to_ascii_lowercase()).filter(visible);
        let snapshot = found.ok_or_else(|| not_found(name))?;
        return page(params, "Snapshots", vec![answer::snapshot(ctx, snapshot, with_config)], 50);
    }
    let source = match params.get("SnapshotSource") {
        None => None,
        Some("user") => Some(true),
        Some("system") => Some(false),
        Some(other) => {
            return Err(invalid_value(format!("SnapshotSource is user or system, not {other}")));
        }
    };
    let same = |wanted: Option<&str>, is: Option<&str>| {
        wanted.is_none_or(|wanted| is.is_some_and(|is| is.eq_ignore_ascii_case(wanted)))
    };
    let wanted = |s: &&Snapshot| {
        let group = s.node.is_none().then_some(s.group.as_str());
        source.is_none_or(|manual| manual == s.manual)
            && same(params.get("ReplicationGroupId"), group)
            && same(params.get("CacheClusterId"), s.node.as_deref())
    };
    let snapshots = world.elasticache.snapshots.values().filter(visible).filter(wanted);
    let items = snapshots.map(|s| answer::snapshot(ctx, s, with_config)).collect();
    page(params, "Snapshots", items, 50)
}

/// DeleteSnapshot.
pub(super) fn delete(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("SnapshotName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let snapshot = world.elasticache.snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    if !matches!(snapshot.status.as_str(), "available" | "failed") {
        return Err(ApiError::bad(
            "InvalidSnapshotState",
            format!("Snapshot {name} is in state {} and cannot be deleted.", snapshot.status),
        ));
    }
    snapshot.status = "deleting".to_owned();
    snapshot.due = Some(Due::gone(ctx, ctx.timings().snapshot_delete));
    Ok(Xml::new("Result").child(answer::snapshot(ctx, snapshot, false)))
}
