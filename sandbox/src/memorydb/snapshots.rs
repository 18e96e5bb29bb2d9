//! Snapshots of MemoryDB: create, describe, copy, export, delete.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, invalid_value, need, page, tags_in};
use super::clusters;
use super::state::{Due, Export, MdbCluster, MemoryDbState, Snapshot};
use crate::bucket_access::{Guest, export_refusal};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

/// Manual snapshots of one cluster in 24 hours (MemoryDB developer guide, snapshot constraints).
const QUOTA: usize = 20;
/// When the daily snapshot is taken, in UTC; the same for every cluster here.
const WINDOW: &str = "05:00-06:00";
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn not_found(name: &str) -> ApiError {
    ApiError::bad("SnapshotNotFoundFault", format!("Snapshot {name} not found."))
}

fn exists(name: &str) -> ApiError {
    ApiError::bad(
        "SnapshotAlreadyExistsFault",
        format!("Snapshot with specified name already exists: {name}"),
    )
}

fn bad_state(name: &str, state: &str) -> ApiError {
    ApiError::bad("InvalidSnapshotStateFault", format!("Snapshot {name} is in state {state}."))
}

fn due(ctx: &Ctx, duration: Duration) -> Due {
    let (to, reason) = match ctx.effects.terminal.clone() {
        Some((state, reason)) => (state, Some(reason)),
        None => ("available".to_owned(), None),
    };
    Due { at: ctx.due(duration), to: Some(to), reason }
}

/// CreateSnapshot. The data is that of the moment of the call, shard by shard.
pub(super) async fn create(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name =
        names::folded("SnapshotName", need(input, "SnapshotName")?, 255).map_err(invalid_value)?;
    let cluster_name = need(input, "ClusterName")?.to_ascii_lowercase();
    let servers = {
        let mut world = ctx.world();
        let state = &mut world.memorydb;
        let cluster = state.clusters.get_mut(&cluster_name).filter(|c| c.visible <= ctx.now);
        let cluster = cluster.ok_or_else(|| clusters::not_found(&cluster_name))?;
        if state.snapshots.contains_key(&name) {
            return Err(exists(&name));
        }
        if cluster.status != "available" {
            return Err(ApiError::bad(
                "InvalidClusterStateFault",
                format!("Cluster {cluster_name} is not in available state: {}.", cluster.status),
            ));
        }
        let taken = state.taken.entry(cluster_name.clone()).or_default();
        taken.retain(|at| *at > ctx.ago(DAY));
        if taken.len() >= QUOTA {
            return Err(ApiError::bad(
                "SnapshotQuotaExceededFault",
                "The maximum number of manual snapshots for this cluster taken within 24 hours has been reached",
            ));
        }
        taken.push(ctx.now);
        cluster.status = "snapshotting".to_owned();
        let snapshot = Snapshot {
            name: name.clone(),
            status: "creating".to_owned(),
            due: Some(due(ctx, ctx.timings().snapshot)),
            cluster: cluster_name.clone(),
            of: Box::new(cluster.clone()),
            kms_key: input["KmsKeyId"].as_str().map(str::to_owned),
            tags: tags_in(input),
            created: ctx.now,
            visible: ctx.due(ctx.timings().visibility),
            holds_cluster: true,
            automatic: false,
            files: None,
        };
        let servers = cluster.cluster.clone();
        state.snapshots.insert(name.clone(), snapshot);
        servers
    };
    let saved = match servers {
        Some(cluster) => cluster.snapshot().await.map_err(|error| error.to_string()),
        None => Err("the cluster has no running servers".to_owned()),
    };
    let mut world = ctx.world();
    let snapshot = world.memorydb.snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    match saved {
        Ok(files) => snapshot.files = Some(files),
        Err(why) => {
            snapshot.files = Some(Vec::new());
            let at = snapshot.due.as_ref().map_or(ctx.now, |due| due.at);
            snapshot.due = Some(Due { at, to: Some("failed".to_owned()), reason: Some(why) });
        }
    }
    Ok(json!({"Snapshot": answer::snapshot(ctx, snapshot, true)}))
}

/// An automatic snapshot of a cluster, available, without its data. Its name is taken to be as ElastiCache's.
pub(super) fn automatic(of: &MdbCluster, at: Timestamp) -> Snapshot {
    Snapshot {
        name: format!("automatic.{}-{}", of.name, at.strftime("%Y-%m-%d-%H-%M")),
        status: "available".to_owned(),
        due: None,
        cluster: of.name.clone(),
        of: Box::new(of.clone()),
        kms_key: None,
        tags: std::collections::BTreeMap::new(),
        created: at,
        visible: at,
        holds_cluster: false,
        automatic: true,
        files: None,
    }
}

/// Begins the daily snapshot of each cluster whose window is open, and drops those that are kept no longer. Gives the
/// names of the new ones: their data is still to be saved.
pub(super) fn daily(ctx: &Ctx, state: &mut MemoryDbState) -> Vec<String> {
    let MemoryDbState { clusters, snapshots, last_windows, .. } = state;
    snapshots.retain(|_, snapshot| {
        let days = clusters.get(&snapshot.cluster).map_or(0, |cluster| cluster.retention);
        let busy = snapshot.status != "available";
        !snapshot.automatic || busy || (days > 0 && snapshot.created > ctx.ago(DAY * days as u32))
    });
    let Some(opened) = crate::elasticache::opened(WINDOW, ctx.now) else { return Vec::new() };
    let mut begun = Vec::new();
    for cluster in clusters.values_mut() {
        // One of the last hours counts for the day, whenever it was taken.
        let recent = snapshots
            .values()
            .any(|s| s.automatic && s.cluster == cluster.name && s.created > ctx.ago(DAY / 2));
        let due = cluster.status == "available" && cluster.retention > 0 && !recent;
        if !due || last_windows.insert(cluster.name.clone(), opened) == Some(opened) {
            continue;
        }
        let snapshot = Snapshot {
            status: "creating".to_owned(),
            due: Some(due_available(ctx)),
            visible: ctx.due(ctx.timings().visibility),
            holds_cluster: true,
            ..automatic(cluster, ctx.now)
        };
        cluster.status = "snapshotting".to_owned();
        begun.push(snapshot.name.clone());
        snapshots.insert(snapshot.name.clone(), snapshot);
    }
    begun
}

fn due_available(ctx: &Ctx) -> Due {
    let at = ctx.due(ctx.timings().snapshot);
    Due { at, to: Some("available".to_owned()), reason: None }
}

/// Saves the data of a snapshot that the service itself takes.
pub(super) async fn save(ctx: &Ctx, name: &str) {
    let servers = {
        let world = ctx.world();
        let snapshot = world.memorydb.snapshots.get(name);
        snapshot.and_then(|s| world.memorydb.clusters.get(&s.cluster)?.cluster.clone())
    };
    let saved = match servers {
        Some(cluster) => cluster.snapshot().await.unwrap_or_default(),
        None => Vec::new(),
    };
    if let Some(snapshot) = ctx.world().memorydb.snapshots.get_mut(name) {
        snapshot.files = Some(saved);
    }
}

/// Automatic snapshots that were taken so many hours ago, with the data of now.
pub(crate) async fn seed_automatic(ctx: &Ctx, cluster: &str, hours: &[u32]) {
    for hours in hours {
        let name = {
            let mut world = ctx.world();
            let Some(of) = world.memorydb.clusters.get(cluster) else { return };
            let at = ctx.ago(Duration::from_secs(u64::from(*hours) * 3600));
            let snapshot = automatic(of, at);
            let name = snapshot.name.clone();
            world.memorydb.snapshots.insert(name.clone(), snapshot);
            name
        };
        save(ctx, &name).await;
    }
}

/// DescribeSnapshots.
pub(super) fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let with_detail = input["ShowDetail"].as_bool().unwrap_or(false);
    let world = ctx.world();
    let visible = world.memorydb.snapshots.values().filter(|s| s.visible <= ctx.now);
    let items = match input["SnapshotName"].as_str() {
        Some(name) => {
            let mut named = visible.filter(|s| s.name.eq_ignore_ascii_case(name));
            let snapshot = named.next().ok_or_else(|| not_found(name))?;
            vec![answer::snapshot(ctx, snapshot, with_detail)]
        }
        None => {
            let cluster = input["ClusterName"].as_str();
            let source = input["Source"].as_str();
            let wanted = |s: &&Snapshot| {
                cluster.is_none_or(|cluster| s.cluster.eq_ignore_ascii_case(cluster))
                    && source.is_none_or(|source| (source == "system") == s.automatic)
            };
            visible.filter(wanted).map(|s| answer::snapshot(ctx, s, with_detail)).collect()
        }
    };
    page(input, "Snapshots", items)
}

/// DeleteSnapshot.
pub(super) fn delete(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "SnapshotName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let snapshot = world.memorydb.snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    if !matches!(snapshot.status.as_str(), "available" | "failed") {
        return Err(bad_state(&name, &snapshot.status));
    }
    snapshot.status = "deleting".to_owned();
    snapshot.due = Some(Due { at: ctx.due(ctx.timings().snapshot_delete), to: None, reason: None });
    Ok(json!({"Snapshot": answer::snapshot(ctx, snapshot, true)}))
}

/// CopySnapshot: to another snapshot, or, with a target bucket, out to S3.
pub(super) fn copy(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let source = need(input, "SourceSnapshotName")?.to_ascii_lowercase();
    let target = need(input, "TargetSnapshotName")?;
    let mut world = ctx.world();
    let snapshot = world.memorydb.snapshots.get(&source).filter(|s| s.visible <= ctx.now);
    let snapshot = snapshot.ok_or_else(|| not_found(&source))?.clone();
    if snapshot.status != "available" {
        return Err(bad_state(&source, &snapshot.status));
    }
    let Some(bucket) = input["TargetBucket"].as_str().filter(|bucket| !bucket.is_empty()) else {
        let name = names::folded("TargetSnapshotName", target, 255).map_err(invalid_value)?;
        if world.memorydb.snapshots.contains_key(&name) {
            return Err(exists(&name));
        }
        let copy = Snapshot {
            name: name.clone(),
            status: "creating".to_owned(),
            due: Some(due(ctx, ctx.timings().copy)),
            tags: tags_in(input),
            visible: ctx.due(ctx.timings().visibility),
            holds_cluster: false,
            automatic: false,
            ..snapshot
        };
        let answer = answer::snapshot(ctx, &copy, true);
        world.memorydb.snapshots.insert(name, copy);
        return Ok(json!({"Snapshot": answer}));
    };
    if input["KmsKeyId"].is_string() {
        return Err(invalid_combination(
            "A customer managed KMS key cannot be used when exporting a snapshot.",
        ));
    }
    if snapshot.of.data_tiering {
        return Err(invalid_value(
            "Exporting a snapshot of a cluster that uses data tiering is not supported.",
        ));
    }
    let target = target.to_ascii_lowercase();
    let files = snapshot.files.as_deref().unwrap_or_default();
    let name = |shard: &str| format!("{target}-{shard}.rdb");
    let mut objects: Vec<_> =
        files.iter().map(|file| (name(&file.shard_id), file.rdb.clone())).collect();
    let keys: Vec<String> = objects.iter().map(|(key, _)| key.clone()).collect();
    let who = (ctx.account(), ctx.region());
    if let Some(refusal) = export_refusal(&world.s3, Guest::MemoryDb, bucket, who, &keys) {
        return Err(invalid_value(refusal));
    }
    if ctx.effects.missing_objects || ctx.effects.terminal.is_some() {
        objects.pop();
    }
    let at = ctx.due(ctx.timings().export);
    let bucket = bucket.to_owned();
    let landing = ctx.landing();
    world.memorydb.exports.push(Export { snapshot: source.clone(), bucket, objects, at, landing });
    if let Some(source) = world.memorydb.snapshots.get_mut(&source) {
        source.status = "copying".to_owned();
    }
    let echo = Snapshot { name: target, status: "creating".to_owned(), ..snapshot };
    Ok(json!({"Snapshot": answer::snapshot(ctx, &echo, true)}))
}
