//! CreateReplicationGroup: empty, from a snapshot, or from RDB files in S3.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::answer;
use super::call::{invalid_combination, invalid_value};
use super::groups::{not_found, start};
use super::modify::full;
use super::snapshots;
use super::state::{Due, Group, Origin, Settings, Snapshot};
use crate::bucket_access::{Guest, may_read};
use crate::context::Ctx;
use crate::data::ShardSnapshot;
use crate::names;
use crate::s3::state::Encryption;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};
use crate::world::World;

type Files = Vec<(String, Bytes)>;

/// CreateReplicationGroup. What can be seen from the request is refused at once; what is wrong with files in S3 shows only
/// at the end, as `create-failed`, with the reason in an event.
pub(super) async fn create(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = names::folded("ReplicationGroupId", params.need("ReplicationGroupId")?, 40)
        .map_err(invalid_value)?;
    let (shards, files) = {
        let mut world = ctx.world();
        let (group, shards, files) = planned(ctx, &mut world, params, &id)?;
        if let Origin::Snapshot(name) = &group.origin
            && let Some(snapshot) = world.elasticache.snapshots.get_mut(name)
        {
            snapshot.status = "restoring".to_owned();
        }
        world.elasticache.groups.insert(id.clone(), group);
        (shards, files)
    };
    if let Err(reason) = filled(ctx, &id, shards, files).await
        && let Some(group) = ctx.world().elasticache.groups.get_mut(&id)
        && let Some(due) = &mut group.due
    {
        due.to = Some("create-failed".to_owned());
        due.reason = Some(reason);
    }
    let world = ctx.world();
    let group = world.elasticache.groups.get(&id).ok_or_else(|| not_found(&id))?;
    Ok(Xml::new("Result").child(answer::group(ctx, group)))
}

/// Starts the servers and loads what they are to hold.
async fn filled(
    ctx: &Ctx,
    id: &str,
    shards: u16,
    files: Result<Files, String>,
) -> Result<(), String> {
    let files = files?;
    start(ctx, id, shards).await.map_err(|error| error.to_string())?;
    let cluster = ctx.world().elasticache.groups.get(id).and_then(|group| group.cluster.clone());
    let Some(cluster) = cluster.filter(|_| !files.is_empty()) else { return Ok(()) };
    let keys = cluster.restore(files).await.map_err(|error| error.to_string())?;
    if let Some(group) = ctx.world().elasticache.groups.get_mut(id) {
        group.keys = keys;
    }
    Ok(())
}

/// The group as it will be, its number of shards, and the files it is filled from.
fn planned(
    ctx: &Ctx,
    world: &mut World,
    params: &Params,
    id: &str,
) -> Result<(Group, u16, Result<Files, String>), ApiError> {
    if world.elasticache.groups.contains_key(id) {
        return Err(ApiError::bad(
            "ReplicationGroupAlreadyExists",
            format!("Replication group {id} already exists."),
        ));
    }
    let from = snapshot(ctx, world, params)?;
    let counted = params.number("NumNodeGroups")?.map(|count| count as u16);
    let recorded = from.as_ref().map(|s| (s.shards.len().max(1)) as u16);
    let shards = counted.or(recorded).unwrap_or(1);
    let replicas =
        match (params.number("ReplicasPerNodeGroup")?, params.number("NumCacheClusters")?) {
            (Some(replicas), _) => replicas as u16,
            (None, Some(nodes)) => nodes.saturating_sub(1) as u16,
            (None, None) => from.as_ref().map_or(0, |s| s.replicas),
        };
    if !(1..=90).contains(&shards) || replicas > 5 {
        return Err(invalid_value("a group has 1 to 90 node groups with 0 to 5 replicas each"));
    }
    let by_parameters =
        params.get("CacheParameterGroupName").is_some_and(|name| name.ends_with(".cluster.on"));
    let cluster_mode = shards > 1
        || by_parameters
        || params.get("ClusterMode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
        || from.as_ref().is_some_and(|s| s.cluster_mode);
    let engine = params.get("Engine").map(str::to_ascii_lowercase);
    let engine =
        engine.or(from.as_ref().map(|s| s.engine.clone())).unwrap_or_else(|| "redis".to_owned());
    let engine_version = match (params.get("EngineVersion"), &from) {
        (Some(version), _) => full(version),
        (None, Some(snapshot)) if snapshot.engine == engine => snapshot.engine_version.clone(),
        _ if engine == "valkey" => "8.0.1".to_owned(),
        _ => "7.1.0".to_owned(),
    };
    let tls = params.flag("TransitEncryptionEnabled").unwrap_or(false);
    let durability = params.get("Durability").map(str::to_owned);
    if durability.as_deref().is_some_and(|asked| matches!(asked, "sync" | "async")) {
        durable(&engine, &engine_version, cluster_mode, tls, replicas)?;
    }
    let user_groups = params.list("UserGroupIds");
    let known = &world.elasticache.user_groups;
    if let Some(missing) = user_groups.iter().find(|id| !known.contains_key(*id)) {
        return Err(ApiError::missing("UserGroupNotFound", format!("{missing} not found.")));
    }
    if !user_groups.is_empty() && !tls {
        return Err(invalid_combination("User group based access control requires TLS."));
    }
    let (origin, files) = origin(ctx, world, params, from.as_ref())?;
    let keys = ["SnapshotWindow", "PreferredMaintenanceWindow"].map(|key| params.get(key));
    let usual = Settings::default();
    let node_type = params.get("CacheNodeType").map(str::to_owned);
    let node_type = node_type.or(from.map(|s| s.node_type));
    let group = Group {
        id: id.to_owned(),
        description: params.need("ReplicationGroupDescription")?.to_owned(),
        status: "creating".to_owned(),
        due: Some(Due::reaching(ctx, ctx.timings().group_create, "available")),
        engine,
        engine_version,
        node_type: node_type.unwrap_or_else(|| "cache.r7g.large".to_owned()),
        replicas,
        cluster_mode,
        tls,
        data_tiering: params.flag("DataTieringEnabled").unwrap_or(false),
        durability,
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
            retention: params.number("SnapshotRetentionLimit")?.unwrap_or(0) as u32,
            snapshot_window: keys[0].map_or(usual.snapshot_window, str::to_owned),
            maintenance_window: keys[1].map_or(usual.maintenance_window, str::to_owned),
            parameter_group: params.get("CacheParameterGroupName").map(str::to_owned),
            subnet_group: params
                .get("CacheSubnetGroupName")
                .map_or(usual.subnet_group, str::to_owned),
            security_groups: params.list("SecurityGroupIds"),
            ..Settings::default()
        },
        change: None,
        origin,
        primaries: BTreeMap::new(),
        recovers: None,
    };
    Ok((group, shards, files))
}

fn snapshot(ctx: &Ctx, world: &World, params: &Params) -> Result<Option<Snapshot>, ApiError> {
    let Some(name) = params.get("SnapshotName") else { return Ok(None) };
    if !params.list("SnapshotArns").is_empty() {
        return Err(invalid_combination("SnapshotArns and SnapshotName cannot be used together."));
    }
    let found = world.elasticache.snapshots.get(&name.to_ascii_lowercase());
    let found = found.filter(|s| s.visible <= ctx.now);
    let found = found.ok_or_else(|| snapshots::not_found(name))?;
    if !matches!(found.status.as_str(), "available" | "restoring") {
        return Err(ApiError::bad(
            "InvalidSnapshotState",
            format!("Snapshot {name} is in state {} and cannot be restored.", found.status),
        ));
    }
    Ok(Some(found.clone()))
}

/// What durability needs (ElastiCache user guide, Configuring durability).
fn durable(
    engine: &str,
    version: &str,
    cluster_mode: bool,
    tls: bool,
    replicas: u16,
) -> Result<(), ApiError> {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or(0);
    let lacks = if engine != "valkey" || major < 9 {
        "Valkey 9.0 or later"
    } else if !cluster_mode {
        "cluster mode"
    } else if !tls {
        "encryption in transit"
    } else if replicas == 0 {
        "at least one replica in each node group"
    } else {
        return Ok(());
    };
    Err(invalid_combination(format!("Durability requires {lacks}.")))
}

fn origin(
    ctx: &Ctx,
    world: &World,
    params: &Params,
    from: Option<&Snapshot>,
) -> Result<(Origin, Result<Files, String>), ApiError> {
    if let Some(snapshot) = from {
        let file = |file: &ShardSnapshot| {
            (format!("{}-{}", snapshot.name, file.shard_id), file.rdb.clone())
        };
        let files = snapshot.files.iter().flatten().map(file).collect();
        return Ok((Origin::Snapshot(snapshot.name.clone()), Ok(files)));
    }
    let arns = params.list("SnapshotArns");
    if arns.is_empty() {
        return Ok((Origin::Empty, Ok(Vec::new())));
    }
    let object = |arn: &String| {
        let path = arn.strip_prefix("arn:aws:s3:::").and_then(|path| path.split_once('/'));
        let path = path.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
        let (bucket, key) =
            path.ok_or_else(|| invalid_value(format!("The snapshot ARN {arn} is not valid.")))?;
        Ok((bucket.to_owned(), key.to_owned()))
    };
    let objects = arns.iter().map(object).collect::<Result<Vec<_>, ApiError>>()?;
    let files = objects.iter().map(|(bucket, key)| read(ctx, world, bucket, key)).collect();
    Ok((Origin::Objects(objects), files))
}

/// One file, as the service principal sees it (ElastiCache user guide, seeding a new cluster with an external snapshot).
fn read(ctx: &Ctx, world: &World, name: &str, key: &str) -> Result<(String, Bytes), String> {
    let failed = |reason: &str| format!("Restore from {key} failed. {reason}");
    let bucket = world.s3.buckets.get(name);
    let bucket = bucket.ok_or_else(|| failed("The S3 bucket does not exist."))?;
    if !may_read(bucket, name, Guest::ElastiCache, ctx.region(), key) {
        return Err(failed(
            "ElastiCache has not been granted READ permissions on the S3 bucket or its objects.",
        ));
    }
    let object = bucket.objects.get(key);
    let object = object.ok_or_else(|| failed("The file does not exist in the S3 bucket."))?;
    if object.sse != Encryption::Aes256 {
        return Err(failed("The file is encrypted with SSE-KMS; only SSE-S3 can be read."));
    }
    Ok((key.to_owned(), object.body.clone()))
}
