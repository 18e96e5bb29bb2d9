//! Snapshots of MemoryDB: create, describe, copy, export, delete.

use std::time::Duration;

use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, invalid_value, need, page, tags_in};
use super::clusters;
use super::state::{Due, Export, Snapshot};
use crate::bucket_access::{Guest, export_refusal};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

/// Manual snapshots of one cluster in 24 hours (MemoryDB developer guide, snapshot constraints).
const QUOTA: usize = 20;
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
                    && source.is_none_or(|source| source == "user")
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
