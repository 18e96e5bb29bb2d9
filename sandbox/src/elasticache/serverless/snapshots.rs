//! Snapshots of caches: create, describe, export, delete.

use super::answer;
use super::caches::{not_found as no_cache, page};
use super::state::CacheSnapshot;
use crate::context::Ctx;
use crate::elasticache::call::invalid_value;
use crate::elasticache::exports;
use crate::elasticache::snapshots::as_written;
use crate::elasticache::state::{Due, Exported, take_down};
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Manual snapshots of one cache in 24 hours (ElastiCache user guide, backups).
const QUOTA: usize = 24;

pub(in crate::elasticache) fn not_found(name: &str) -> ApiError {
    ApiError::missing(
        "ServerlessCacheSnapshotNotFoundFault",
        format!("Serverless Cache Snapshot {name} not found."),
    )
}

fn answered(ctx: &Ctx, snapshot: &CacheSnapshot) -> Xml {
    Xml::new("Result").child(answer::snapshot(ctx, "ServerlessCacheSnapshot", snapshot))
}

/// CreateServerlessCacheSnapshot. The cache stays available meanwhile: its states know no `snapshotting` (ElastiCache API
/// reference, ServerlessCache).
pub(in crate::elasticache) async fn create(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let what = "ServerlessCacheSnapshotName";
    let name = names::folded(what, params.need(what)?, 255).map_err(invalid_value)?;
    let of = params.need("ServerlessCacheName")?.to_ascii_lowercase();
    let (cluster, engine, version) = {
        let mut world = ctx.world();
        let state = &mut world.elasticache;
        let cache = state.caches.get(&of).ok_or_else(|| no_cache(&of))?.clone();
        if state.cache_snapshots.contains_key(&name) {
            return Err(ApiError::bad(
                "ServerlessCacheSnapshotAlreadyExistsFault",
                format!("Serverless Cache Snapshot with specified name already exists: {name}"),
            ));
        }
        if cache.status != "available" {
            return Err(ApiError::bad(
                "InvalidServerlessCacheStateFault",
                format!("Serverless Cache {of} is not in available state."),
            ));
        }
        if !state.within_quota(ctx, format!("serverlesscache:{of}"), QUOTA) {
            return Err(ApiError::bad(
                "ServerlessCacheSnapshotQuotaExceededFault",
                "The maximum number of manual snapshots for this serverless cache taken within 24 hours has been reached",
            ));
        }
        let snapshot = CacheSnapshot {
            name: name.clone(),
            status: "creating".to_owned(),
            due: Some(Due::reaching(ctx, ctx.timings().snapshot, "available")),
            cache: of,
            engine: cache.engine.clone(),
            major_version: cache.major_version,
            kms_key: params.get("KmsKeyId").map(str::to_owned),
            tags: params.tags(),
            created: ctx.now,
            visible: ctx.due(ctx.timings().visibility),
            export_suffix: cache.export_suffix,
            files: None,
        };
        state.cache_snapshots.insert(name.clone(), snapshot);
        (cache.cluster, cache.engine, cache.full_version)
    };
    let saved = match cluster {
        Some(cluster) => {
            let saved = cluster.snapshot().await.map_err(|error| error.to_string());
            // Real servers write their own version.
            match cluster.model().is_some() {
                true => saved.map(|files| as_written(&files, &engine, &version, 1)),
                false => saved,
            }
        }
        None => Err("the cache has no running servers".to_owned()),
    };
    let mut world = ctx.world();
    let snapshots = &mut world.elasticache.cache_snapshots;
    let snapshot = snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    take_down(saved, &mut snapshot.files, &mut snapshot.due);
    Ok(answered(ctx, snapshot))
}

/// DescribeServerlessCacheSnapshots.
pub(in crate::elasticache) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let state = &world.elasticache;
    let visible = |s: &&CacheSnapshot| s.visible <= ctx.now;
    let show = |s: &CacheSnapshot| answer::snapshot(ctx, "ServerlessCacheSnapshot", s);
    let items = if let Some(name) = params.get("ServerlessCacheSnapshotName") {
        let found = state.cache_snapshots.get(&name.to_ascii_lowercase()).filter(visible);
        vec![show(found.ok_or_else(|| not_found(name))?)]
    } else {
        let cache = params.get("ServerlessCacheName").map(str::to_ascii_lowercase);
        if let Some(cache) = cache.as_ref().filter(|cache| !state.caches.contains_key(*cache)) {
            return Err(no_cache(cache));
        }
        let manual = params.get("SnapshotType").is_none_or(|t| t.eq_ignore_ascii_case("manual"));
        let wanted = |s: &&CacheSnapshot| manual && cache.as_ref().is_none_or(|c| *c == s.cache);
        state.cache_snapshots.values().filter(visible).filter(wanted).map(show).collect()
    };
    page(params, "ServerlessCacheSnapshots", items)
}

/// ExportServerlessCacheSnapshot. Whether the bucket may be used is known at once; that an object is in the way is found
/// on the way, and told by an event (ElastiCache user guide, serverless cache events).
pub(in crate::elasticache) fn export(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("ServerlessCacheSnapshotName")?.to_ascii_lowercase();
    let bucket = params.need("S3BucketName")?;
    let mut world = ctx.world();
    let snapshots = &world.elasticache.cache_snapshots;
    let snapshot = snapshots.get(&name).filter(|s| s.visible <= ctx.now);
    let snapshot = snapshot.ok_or_else(|| not_found(&name))?;
    if snapshot.status != "available" {
        return Err(wrong_state(snapshot, "exported"));
    }
    let mut objects = snapshot.objects();
    exports::allowed(ctx, &world, bucket)?;
    let keys: Vec<&str> = objects.iter().map(|(key, _)| key.as_str()).collect();
    let taken = exports::taken(&world, bucket, &keys).is_some();
    if taken {
        objects.clear();
    }
    exports::begin(ctx, &mut world, Exported::CacheSnapshot(name.clone()), bucket, objects);
    if taken && let Some(export) = world.elasticache.exports.last_mut() {
        let why = "there is already an object with the same name in the bucket";
        export.due.reason.get_or_insert(why.to_owned());
    }
    let snapshots = &mut world.elasticache.cache_snapshots;
    let snapshot = snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    // AWS documents no status for this. `exporting` is the console's word for other exports.
    snapshot.status = "exporting".to_owned();
    Ok(answered(ctx, snapshot))
}

/// DeleteServerlessCacheSnapshot.
pub(in crate::elasticache) fn delete(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("ServerlessCacheSnapshotName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let snapshots = &mut world.elasticache.cache_snapshots;
    let snapshot = snapshots.get_mut(&name).ok_or_else(|| not_found(&name))?;
    if !matches!(snapshot.status.as_str(), "available" | "failed") {
        return Err(wrong_state(snapshot, "deleted"));
    }
    snapshot.status = "deleting".to_owned();
    snapshot.due = Some(Due::gone(ctx, ctx.timings().snapshot_delete));
    Ok(answered(ctx, snapshot))
}

fn wrong_state(snapshot: &CacheSnapshot, done: &str) -> ApiError {
    let (name, status) = (&snapshot.name, &snapshot.status);
    ApiError::bad(
        "InvalidServerlessCacheSnapshotStateFault",
        format!("Serverless Cache Snapshot {name} is in state {status} and cannot be {done}."),
    )
}
