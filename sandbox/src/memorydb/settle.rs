//! What time has brought since the last request: snapshots and exports that ended, clusters that were filled.

use bytes::Bytes;

use super::catalog;
use super::changes;
use super::state::{Due, MdbCluster, MemoryDbState, Origin};
use crate::bucket_access::{Guest, may_read};
use crate::context::Ctx;
use crate::data::{Cluster, ClusterSpec, DataError, PlaneKind, stated_memory};
use crate::elsewhere::Landing;
use crate::s3::state::{Encryption, S3State};
use crate::world::World;

/// Why a restore failed: the file, if one is to blame, and the reason.
#[derive(Debug)]
struct Failure {
    file: Option<String>,
    reason: String,
}

type Files = Result<Vec<(String, Bytes)>, Failure>;

/// Carries out what time has brought since the last request.
pub(crate) async fn settle(ctx: &Ctx) {
    let (stop, fill, orders, save) = {
        let mut world = ctx.world();
        snapshots(ctx, &mut world.memorydb);
        exports(ctx, &mut world);
        let orders = changes::over(ctx, &mut world.memorydb);
        let stop = ended(ctx, &mut world.memorydb);
        let save = super::snapshots::daily(ctx, &mut world.memorydb);
        (stop, to_fill(ctx, &mut world), orders, save)
    };
    for name in save {
        super::snapshots::save(ctx, &name).await;
    }
    changes::tell(ctx, orders).await;
    for cluster in stop {
        cluster.stop().await;
    }
    for (cluster, due, files) in fill {
        let filled = match (&due.reason, files) {
            (Some(reason), _) => Err(Failure { file: None, reason: reason.clone() }),
            (None, Err(failure)) => Err(failure),
            (None, Ok(files)) => run(ctx, &cluster, files).await,
        };
        finish(ctx, &cluster, &due, filled);
    }
}

fn over(due: Option<&Due>, ctx: &Ctx) -> Option<Due> {
    due.filter(|due| due.at <= ctx.now).cloned()
}

fn snapshots(ctx: &Ctx, state: &mut MemoryDbState) {
    let done: Vec<_> = state
        .snapshots
        .values()
        .filter(|s| s.status != "creating" || s.files.is_some())
        .filter_map(|s| Some((s.name.clone(), over(s.due.as_ref(), ctx)?)))
        .collect();
    for (name, due) in done {
        let Some(to) = due.to else {
            state.snapshots.remove(&name);
            continue;
        };
        let Some(snapshot) = state.snapshots.get_mut(&name) else { continue };
        snapshot.status = to;
        snapshot.due = None;
        let cluster = snapshot.cluster.clone();
        if std::mem::take(&mut snapshot.holds_cluster)
            && let Some(cluster) = state.clusters.get_mut(&cluster)
            && cluster.status == "snapshotting"
        {
            cluster.status = "available".to_owned();
        }
        let text = match due.reason {
            None => format!("Snapshot {name} created for cluster {cluster}"),
            Some(reason) => format!("Snapshot {name} failed for cluster {cluster}. {reason}"),
        };
        state.event(due.at, "cluster", &cluster, text);
    }
}

fn exports(ctx: &Ctx, world: &mut World) {
    let (landed, running): (Vec<_>, Vec<_>) = world
        .memorydb
        .exports
        .drain(..)
        .partition(|export| export.at <= ctx.now && export.landing == Landing::Done);
    world.memorydb.exports = running;
    for export in landed {
        for (key, body) in export.objects {
            world.s3.put_object(&export.bucket, &key, body, export.at, None);
        }
        if let Some(snapshot) = world.memorydb.snapshots.get_mut(&export.snapshot) {
            snapshot.status = "available".to_owned();
        }
    }
}

/// Clusters whose deletion or first automatic snapshot is over; gives the servers to stop.
fn ended(ctx: &Ctx, state: &mut MemoryDbState) -> Vec<Cluster> {
    let done: Vec<_> = state
        .clusters
        .values()
        .filter(|cluster| cluster.status != "creating" && !cluster.filling)
        .filter_map(|cluster| Some((cluster.name.clone(), over(cluster.due.as_ref(), ctx)?)))
        .collect();
    let mut stop = Vec::new();
    for (name, due) in done {
        match due.to {
            Some(to) => {
                if let Some(cluster) = state.clusters.get_mut(&name) {
                    cluster.status = to;
                    cluster.due = None;
                }
            }
            None => {
                stop.extend(state.clusters.remove(&name).and_then(|cluster| cluster.cluster));
                state.event(due.at, "cluster", &name, "Cluster deleted.");
            }
        }
    }
    stop
}

/// Clusters whose creation is due and which nobody fills yet, with the files they are to hold.
fn to_fill(ctx: &Ctx, world: &mut World) -> Vec<(MdbCluster, Due, Files)> {
    let World { memorydb, s3, .. } = world;
    let mut fill = Vec::new();
    for cluster in memorydb.clusters.values_mut() {
        if cluster.status != "creating" || cluster.filling {
            continue;
        }
        let Some(due) = over(cluster.due.as_ref(), ctx) else { continue };
        cluster.filling = true;
        let files = match &cluster.origin {
            Origin::Empty => Ok(Vec::new()),
            Origin::Objects(objects) => {
                objects.iter().map(|(bucket, key)| read(ctx, s3, bucket, key)).collect()
            }
            Origin::Snapshot(name) => {
                let files = memorydb.snapshots.get(name).and_then(|s| s.files.as_ref());
                let named = files.into_iter().flatten();
                Ok(named.map(|f| (format!("{name}-{}", f.shard_id), f.rdb.clone())).collect())
            }
        };
        fill.push((cluster.clone(), due, files));
    }
    fill
}

/// One file of a restore, as the service principal sees it: SSE-S3 only (MemoryDB developer guide, seeding).
fn read(ctx: &Ctx, s3: &S3State, name: &str, key: &str) -> Result<(String, Bytes), Failure> {
    let failure = |reason: &str| Failure { file: Some(key.to_owned()), reason: reason.to_owned() };
    let bucket = s3.buckets.get(name).ok_or_else(|| failure("The S3 bucket does not exist."))?;
    if !may_read(bucket, name, Guest::MemoryDb, ctx.region(), key) {
        return Err(failure(
            "MemoryDB has not been granted READ permissions on the S3 bucket or its objects.",
        ));
    }
    let object = bucket.objects.get(key);
    let object = object.ok_or_else(|| failure("The file does not exist in the S3 bucket."))?;
    if object.sse != Encryption::Aes256 {
        return Err(failure("The file is encrypted with SSE-KMS; only SSE-S3 can be read."));
    }
    Ok((key.to_owned(), object.body.clone()))
}

/// Why an engine cannot load a file, if its header says so. Redis 6.2 loads format 9 at most, and none of MemoryDB's
/// engines loads that of Valkey 9. Beyond that the header is held against a Redis 7.x only if no server wrote the file: the
/// one on this machine may write a newer format than the engine that it stands for.
fn unloadable(of: &MdbCluster, modelled: bool, file: &[u8]) -> Option<String> {
    if file.starts_with(b"VALKEY") {
        return Some("Wrong signature trying to load DB from file: VALKEY".to_owned());
    }
    let version = std::str::from_utf8(file.get(5..9)?).ok()?.parse::<u32>().ok()?;
    let newest = match (of.engine.as_str(), of.engine_version.as_str()) {
        (_, "6.2") => 9,
        ("redis", _) if modelled => 10,
        _ => u32::MAX,
    };
    (version > newest).then(|| format!("Can't handle RDB format version {version}"))
}

/// Whether the files hold more than the nodes (developer guide, seeding: a restore that does not fit fails). UNSURE of
/// the words. The keys are taken to spread evenly over the new shards.
fn does_not_fit(ctx: &Ctx, of: &MdbCluster, files: &[(String, Bytes)]) -> Option<String> {
    let node = catalog::node_memory(&ctx.world().memorydb, &of.node_type)?;
    let held: u64 = files
        .iter()
        .map(|(_, body)| stated_memory(body).unwrap_or(body.len() as u64))
        .fold(0, u64::saturating_add);
    (held / u64::from(of.shard_count.max(1)) > node).then(|| {
        format!(
            "OOM: {held} bytes do not fit into {} shards of {} with {node} bytes each.",
            of.shard_count, of.node_type
        )
    })
}

async fn run(
    ctx: &Ctx,
    of: &MdbCluster,
    files: Vec<(String, Bytes)>,
) -> Result<(Cluster, u64), Failure> {
    let modelled = matches!(ctx.data().kind(), PlaneKind::Model { .. });
    let chosen = ctx.data().stands_in(&of.engine, &of.engine_version);
    for (file, body) in &files {
        // A server that somebody chose for this version speaks for itself.
        if !chosen && let Some(reason) = unloadable(of, modelled, body) {
            return Err(Failure { file: Some(file.clone()), reason });
        }
    }
    does_not_fit(ctx, of, &files).map_or(Ok(()), |reason| Err(Failure { file: None, reason }))?;
    let (users, open_access) = ctx.world().memorydb.access(&of.acl);
    let spec = ClusterSpec {
        name: of.name.clone(),
        engine: of.engine.clone(),
        engine_version: of.engine_version.clone(),
        shards: of.shard_count,
        cluster_mode: true,
        tls: of.tls,
        users,
        open_access,
    };
    let no_file = |error: DataError| Failure { file: None, reason: error.to_string() };
    let cluster = ctx.data().start(spec).await.map_err(no_file)?;
    if files.is_empty() {
        return Ok((cluster, 0));
    }
    match cluster.restore(files).await {
        Ok(keys) => Ok((cluster, keys)),
        Err(error) => {
            cluster.stop().await;
            Err(match error {
                DataError::Refused { file, reason } => Failure { file: Some(file), reason },
                other => Failure { file: None, reason: other.to_string() },
            })
        }
    }
}

fn finish(ctx: &Ctx, of: &MdbCluster, due: &Due, filled: Result<(Cluster, u64), Failure>) {
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    if let Origin::Snapshot(name) = &of.origin
        && let Some(snapshot) = state.snapshots.get_mut(name)
        && snapshot.status == "restoring"
    {
        snapshot.status = "available".to_owned();
    }
    let Some(cluster) = state.clusters.get_mut(&of.name) else { return };
    cluster.filling = false;
    cluster.due = None;
    let message = match filled {
        Ok((servers, keys)) => {
            cluster.shards = servers.shards();
            cluster.cluster = Some(servers);
            cluster.keys = keys;
            cluster.metrics_since = Some(ctx.due(ctx.timings().metrics));
            // With automatic snapshots on, the first one starts before the cluster is ever seen as available.
            if cluster.retention > 0 {
                cluster.status = "snapshotting".to_owned();
                let at = ctx.due(ctx.timings().snapshot);
                cluster.due = Some(Due { at, to: Some("available".to_owned()), reason: None });
            } else {
                cluster.status = "available".to_owned();
            }
            "Cluster created.".to_owned()
        }
        Err(failure) => {
            let planned = due.reason.as_ref().and(due.to.clone());
            cluster.status = planned.unwrap_or_else(|| match of.origin {
                Origin::Empty => "create-failed".to_owned(),
                _ => "restore-failed".to_owned(),
            });
            let first = match &of.origin {
                Origin::Objects(objects) => objects.first().map(|(_, key)| key.clone()),
                Origin::Snapshot(name) => Some(name.clone()),
                Origin::Empty => None,
            };
            match failure.file.or(first) {
                Some(file) if cluster.status == "restore-failed" => {
                    format!(
                        "Restore from {file} failed for node {}-0001-001. {}",
                        of.name, failure.reason
                    )
                }
                _ => format!("Cluster could not be created. {}", failure.reason),
            }
        }
    };
    let status = cluster.status.clone();
    tracing::debug!(cluster = of.name, status, "sandbox cluster settled");
    state.event(due.at, "cluster", &of.name, message);
}
