//! CopySnapshot: to another snapshot, or, with a target bucket, out to S3.

use super::answer;
use super::call::{invalid_combination, invalid_value};
use super::exports;
use super::snapshots::{exists, not_found};
use super::state::{Due, Exported, Snapshot};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};
use crate::world::World;

/// CopySnapshot.
pub(super) fn copy(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let source = params.need("SourceSnapshotName")?.to_ascii_lowercase();
    let target = params.need("TargetSnapshotName")?;
    let mut world = ctx.world();
    let snapshot = world.elasticache.snapshots.get(&source).filter(|s| s.visible <= ctx.now);
    let snapshot = snapshot.ok_or_else(|| not_found(&source))?.clone();
    if snapshot.status != "available" {
        return Err(ApiError::bad(
            "InvalidSnapshotState",
            format!("Snapshot {source} is in state {} and cannot be copied.", snapshot.status),
        ));
    }
    match params.get("TargetBucket") {
        Some(bucket) => export(ctx, &mut world, params, &snapshot, target, bucket),
        None => native(ctx, &mut world, params, &snapshot, target),
    }
}

/// The copy lands as one object per node group, `<target>-<node group id>.rdb` (ElastiCache user guide, exporting). It is
/// no snapshot that could be described later: the source's status tells how far it is.
fn export(
    ctx: &Ctx,
    world: &mut World,
    params: &Params,
    snapshot: &Snapshot,
    target: &str,
    bucket: &str,
) -> Result<Xml, ApiError> {
    if params.get("KmsKeyId").is_some() {
        return Err(invalid_combination(
            "A customer managed KMS key cannot be used when exporting a snapshot.",
        ));
    }
    if snapshot.data_tiering {
        return Err(invalid_value(
            "Exporting a snapshot of a cluster that uses data tiering is not supported.",
        ));
    }
    if target.len() > 1000 {
        return Err(invalid_value("TargetSnapshotName must have 1 to 1000 characters."));
    }
    let target = target.to_ascii_lowercase();
    let files = snapshot.files.as_deref().unwrap_or_default();
    let objects: Vec<_> = files
        .iter()
        .map(|file| (format!("{target}-{}.rdb", file.shard_id), file.rdb.clone()))
        .collect();
    let keys: Vec<&str> = objects.iter().map(|(key, _)| key.as_str()).collect();
    exports::allowed(ctx, world, bucket)?;
    if let Some(key) = exports::taken(world, bucket, &keys) {
        return Err(invalid_value(format!(
            "The S3 bucket {bucket} already contains an object with key {key}."
        )));
    }
    let name = snapshot.name.clone();
    exports::begin(ctx, world, Exported::Snapshot(name.clone()), bucket, objects);
    if let Some(source) = world.elasticache.snapshots.get_mut(&name) {
        source.status = "copying".to_owned();
    }
    let echo = Snapshot { name: target, status: "creating".to_owned(), ..snapshot.clone() };
    Ok(Xml::new("Result").child(answer::snapshot(ctx, &echo, false)))
}

fn native(
    ctx: &Ctx,
    world: &mut World,
    params: &Params,
    snapshot: &Snapshot,
    target: &str,
) -> Result<Xml, ApiError> {
    let name = names::folded("TargetSnapshotName", target, 255).map_err(invalid_value)?;
    if world.elasticache.snapshots.contains_key(&name) {
        return Err(exists(&name));
    }
    let copy = Snapshot {
        name: name.clone(),
        status: "creating".to_owned(),
        due: Some(Due::reaching(ctx, ctx.timings().copy, "available")),
        kms_key: params.get("KmsKeyId").map(str::to_owned).or_else(|| snapshot.kms_key.clone()),
        tags: params.tags(),
        visible: ctx.due(ctx.timings().visibility),
        manual: true,
        holds_group: false,
        ..snapshot.clone()
    };
    let answer = answer::snapshot(ctx, &copy, false);
    world.elasticache.snapshots.insert(name, copy);
    Ok(Xml::new("Result").child(answer))
}
