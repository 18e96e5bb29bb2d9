//! The export of the newest snapshot of a cluster, from the choice of the snapshot to the manifest.

use std::time::Duration;

use futures::FutureExt;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::{self, FORMAT, Manifest, Service, Source};
use super::of::Of;
use super::{Tolerance, out, verify};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Cx, Failure, Finding};
use crate::plan::Fault;
use crate::playbook::parse_duration;
use crate::steps::{Done, Env, Step, creation, elasticache, memorydb, s3};

/// With a daily snapshot, one that is older was not taken as it should have been.
pub(in crate::steps) const MAX_AGE: &str = "26h";
pub(in crate::steps) const BAND_PERCENT: u32 = 50;
/// What an export makes. Once the manifest is there, no rollback removes it.
pub(in crate::steps) const EXPORT: &str = "S3 objects (kept once they have their manifest)";

/// What is to be exported.
#[derive(Clone, Debug)]
pub(in crate::steps) struct Wanted {
    pub(in crate::steps) of: Of,
    pub(in crate::steps) cluster: String,
    pub(in crate::steps) bucket: String,
    pub(in crate::steps) max_age: String,
    pub(in crate::steps) tolerance: Tolerance,
    pub(in crate::steps) keep_snapshot: bool,
}

/// Where the data comes from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum From {
    /// This export of the newest snapshot is there already.
    Exported { manifest: String },
    /// A snapshot that the service has taken by itself.
    Automatic { snapshot: String },
    /// One that the step takes.
    Taken(Taking),
}

/// The part of the intent that is another kind's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Taking {
    ElastiCache(elasticache::SnapshotIntent),
    MemoryDb(memorydb::SnapshotIntent),
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    of: Of,
    cluster: String,
    bucket: String,
    /// What the files are called.
    target: String,
    from: From,
}

/// The export.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The replication group or cluster.
    cluster: String,
    /// The bucket.
    bucket: String,
    /// Where its manifest is, as `s3://bucket/key`.
    manifest: String,
    /// The ARNs of its files, in the order of the shards: what `memorydb.create_cluster` restores from.
    objects: Vec<String>,
    /// When every file had been read to its end, as RFC 3339.
    verified_at: String,
    /// The instant of its first shard, as RFC 3339: writes after it may be missing.
    taken_at: String,
    /// The snapshot it was made from.
    snapshot: String,
    /// Whether the service had taken that by itself.
    automatic: bool,
    /// Keys in all files.
    key_count: u64,
    /// Keys with a time to live among them.
    keys_with_expiry: u64,
    /// Bytes of all files.
    bytes: u64,
    /// RDB heads of the files, such as `REDIS0011`.
    rdb_heads: Vec<String>,
}

impl Output {
    pub(in crate::steps) fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(in crate::steps) fn of(env: &Env, key: &str, manifest: &Manifest) -> Self {
        Self {
            cluster: manifest.cluster.clone(),
            bucket: manifest.bucket.clone(),
            manifest: manifest.uri(key),
            objects: manifest.objects(env),
            verified_at: manifest.verified_at.to_string(),
            taken_at: manifest.taken_at.to_string(),
            snapshot: manifest.source.snapshot.clone(),
            automatic: manifest.source.automatic,
            key_count: manifest.keys,
            keys_with_expiry: manifest.keys_with_expiry,
            bytes: manifest.bytes,
            rdb_heads: manifest.files.iter().map(|file| file.rdb.clone()).collect(),
        }
    }
}

/// What a manual snapshot is called, where one has to be taken.
pub(in crate::steps) fn snapshot_name(cx: &Cx, of: Of) -> String {
    let longest = match of {
        Of::ElastiCache => 40,
        Of::MemoryDb => 255,
    };
    creation::default_name(cx, "snapshot", longest)
}

/// What is wrong with the arguments by themselves.
pub(in crate::steps) fn faults(args: &Value, cluster: &'static str) -> Vec<Fault> {
    let mut faults: Vec<Fault> = s3::bucket_fault(args).into_iter().collect();
    faults.extend(creation::empty_fault(args, cluster));
    if let Some(text) = args["max_age"].as_str()
        && let Err(why) = parse_duration(text)
    {
        faults.push(Fault::new(format!("`{text}` is not a duration: {why}")).key("max_age"));
    }
    faults
}

/// How old the newest snapshot is, whether it will do, and what is in the way.
pub(in crate::steps) async fn findings(
    env: &Env,
    cx: &Cx,
    of: Of,
    cluster: Option<&str>,
    args: &Value,
) -> Vec<Finding> {
    const CHECK: &str = "export.source";
    let mut findings = match args["bucket"].as_str() {
        None => vec![Finding::cannot_know("bucket.exists", "the bucket is not known yet")],
        Some(bucket) => {
            let mut findings = s3::bucket_findings(env, bucket, of.guest(), cluster).await;
            if !s3::out_of_reach(&findings) {
                findings.extend(s3::bucket_notes(env, bucket).await);
            }
            findings
        }
    };
    let Some(cluster) = cluster else {
        findings
            .push(Finding::cannot_know(CHECK, "which clusters are exported is found by the run"));
        return findings;
    };
    let max_age = args["max_age"].as_str().unwrap_or(MAX_AGE);
    findings.push(match newest(env, of, cluster).await {
        Err(failure) => Finding::of(CHECK, &failure),
        Ok(None) => Finding::ok(
            CHECK,
            format!("\"{cluster}\" has no automatic snapshot: a manual one will be taken"),
        ),
        Ok(Some(found)) => {
            let age = found.earliest().map(|at| cx.clock.since(at)).unwrap_or_default();
            let hours = age.as_secs() / 3600;
            let name = &found.name;
            match parse_duration(max_age) {
                Ok(most) if age <= most => {
                    Finding::ok(CHECK, format!("automatic snapshot \"{name}\" is {hours} h old and will do"))
                }
                _ => Finding::ok(
                    CHECK,
                    format!(
                        "automatic snapshot \"{name}\" is {hours} h old, older than {max_age}: a manual one will be taken"
                    ),
                ),
            }
        }
    });
    findings
}

/// The newest automatic snapshot.
async fn newest(env: &Env, of: Of, cluster: &str) -> Result<Option<super::Shown>, Failure> {
    let nodes = match of {
        Of::MemoryDb => {
            memorydb::at_rest(env, cluster).await.or_else(unless_passing)?;
            Vec::new()
        }
        Of::ElastiCache => elasticache::look::snapshotted_nodes(env, cluster).await?,
    };
    Ok(of.automatic(env, cluster, &nodes).await?.into_iter().next())
}

/// A cluster that is busy now still has its automatic snapshots.
fn unless_passing(failure: Failure) -> Result<(), Failure> {
    if failure.class.may_pass() { Ok(()) } else { Err(failure) }
}

/// Chooses the snapshot and fixes the names.
///
/// # Errors
/// As a step's `prepare`.
pub(in crate::steps) async fn prepare(
    env: &Env,
    cx: &Cx,
    wanted: &Wanted,
) -> Result<(Prepared, Vec<Resource>), Failure> {
    let Wanted { of, bucket, .. } = wanted;
    let cluster = wanted.cluster.to_ascii_lowercase();
    let max_age = parse_duration(&wanted.max_age).map_err(|why| {
        Failure::fatal(format!("`max_age: {}` is not a duration", wanted.max_age)).because(why)
    })?;
    out::bucket_fits(env, cx, *of, bucket, Some(&cluster)).await?;
    let target = manifest::target(cx, &cluster);
    let newest = newest(env, *of, &cluster).await?;
    let fresh = newest
        .filter(|snapshot| snapshot.earliest().is_some_and(|at| cx.clock.since(at) <= max_age));
    let mut resources = Vec::new();
    let from = match fresh {
        Some(snapshot) => {
            let service = Some(Service::from(*of));
            let history =
                manifest::history(env, bucket, &cluster, service, verify::HISTORY).await?;
            let same = |kept: &&manifest::Kept| {
                kept.whole && kept.manifest.source.snapshot.eq_ignore_ascii_case(&snapshot.name)
            };
            match history.kept.iter().find(same) {
                Some(kept) => From::Exported { manifest: kept.key.clone() },
                None => From::Automatic { snapshot: snapshot.name },
            }
        }
        None => {
            let (taking, mut taken) = take(env, cx, *of, &cluster).await?;
            resources.append(&mut taken);
            From::Taken(taking)
        }
    };
    if !matches!(from, From::Exported { .. }) {
        let what = EXPORT.to_owned();
        // The shards are the snapshot's, which may not be there yet.
        let name = format!("s3://{bucket}/{target}*");
        resources.push(Resource { what, name, arn: None, role: Role::Creates });
    }
    Ok((Prepared { of: *of, cluster, bucket: bucket.clone(), target, from }, resources))
}

async fn take(
    env: &Env,
    cx: &Cx,
    of: Of,
    cluster: &str,
) -> Result<(Taking, Vec<Resource>), Failure> {
    let part = cx.part("snapshot");
    Ok(match of {
        Of::ElastiCache => {
            let spec = elasticache::SnapshotSpec::of(cluster);
            let (intent, taken) =
                elasticache::CreateSnapshot::prepare(env, &spec, &part).boxed_local().await?;
            (Taking::ElastiCache(intent), taken)
        }
        Of::MemoryDb => {
            let spec = memorydb::SnapshotSpec::of(cluster);
            let (intent, taken) =
                memorydb::CreateSnapshot::prepare(env, &spec, &part).boxed_local().await?;
            (Taking::MemoryDb(intent), taken)
        }
    })
}

/// Takes the snapshot if one is to be taken, exports it, reads every file, and writes the manifest.
///
/// # Errors
/// As a step's `execute`.
pub(in crate::steps) async fn execute(
    env: &Env,
    cx: &Cx,
    wanted: &Wanted,
    prepared: &Prepared,
) -> Result<Done<Output>, Failure> {
    let Prepared { cluster, bucket, target, from, .. } = prepared;
    if let From::Exported { manifest: key } = from {
        let Some(found) = manifest::read(env, bucket, key).await? else {
            return Err(super::call::vanished(bucket, key));
        };
        return Ok(Done::Unchanged(Output::of(env, key, &found)));
    }
    let key = manifest::key_of(target);
    // Once it is there everything before it is done, and must not be done again: the snapshot may be gone by then.
    let (manifest, adopted) = match manifest::ours(env, cx, bucket, &key).await? {
        Some(manifest) => (manifest, true),
        None => {
            let manifest = export(env, cx, wanted, prepared).boxed_local().await?;
            manifest::write(env, cx, &key, &manifest).await.map_err(|failure| {
                failure.context(format!("the export of \"{cluster}\" is there and not recorded"))
            })?;
            (manifest, false)
        }
    };
    if let From::Taken(taking) = from
        && !wanted.keep_snapshot
    {
        untake(env, cx, cluster, taking).await?;
    }
    let output = Output::of(env, &key, &manifest);
    Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
}

async fn export(
    env: &Env,
    cx: &Cx,
    wanted: &Wanted,
    prepared: &Prepared,
) -> Result<Manifest, Failure> {
    let Prepared { of, cluster, bucket, target, from } = prepared;
    let part = cx.part("snapshot");
    let snapshot = match from {
        From::Exported { .. } => String::new(),
        From::Automatic { snapshot } => snapshot.clone(),
        From::Taken(Taking::ElastiCache(intent)) => {
            let spec = elasticache::SnapshotSpec::of(cluster);
            let done = elasticache::CreateSnapshot::execute(env, &spec, intent, &part)
                .boxed_local()
                .await?;
            output(done)?.name
        }
        From::Taken(Taking::MemoryDb(intent)) => {
            let spec = memorydb::SnapshotSpec::of(cluster);
            let done =
                memorydb::CreateSnapshot::execute(env, &spec, intent, &part).boxed_local().await?;
            output(done)?.name
        }
    };
    let landing = match landing(cx)? {
        Some(landing) => landing,
        None => {
            let place = (snapshot.as_str(), bucket.as_str());
            let landing = out::prepare(env, cx, *of, place, (target.clone(), true)).await?;
            // The intent could not name the shards; from here on they are fixed, before anything is written.
            cx.part("landing").note(json(&landing)?).await?;
            landing
        }
    };
    let source = of.exportable_or_busy(env, &snapshot).await?;
    let part = cx.part("export");
    let (files, _) = out::execute(env, &landing, &part).boxed_local().await?;
    let found = Found {
        service: (*of).into(),
        source: Source {
            automatic: super::is_automatic(&snapshot),
            snapshot,
            arn: source.arn.clone(),
            engine: source.engine.clone(),
            engine_version: source.engine_version.clone(),
            node_type: source.node_type.clone(),
        },
        taken_at: source.earliest(),
        keys: files.keys,
    };
    verified(env, cx, (cluster, bucket), found, wanted.tolerance).boxed_local().await
}

/// Files that an export brought, and what of.
pub(in crate::steps) struct Found {
    pub(in crate::steps) service: Service,
    pub(in crate::steps) source: Source,
    /// The instant of the first shard, where the service says it.
    pub(in crate::steps) taken_at: Option<Timestamp>,
    pub(in crate::steps) keys: Vec<String>,
}

/// Reads every file to its end and holds the size of all against the exports before: what the manifest says.
///
/// # Errors
/// As `verify` and `within`.
pub(in crate::steps) async fn verified(
    env: &Env,
    cx: &Cx,
    (cluster, bucket): (&str, &str),
    found: Found,
    tolerance: Tolerance,
) -> Result<Manifest, Failure> {
    let files = verify::verify(env, cx, bucket, &found.keys).boxed_local().await?;
    let sum = |of: fn(&manifest::ExportedFile) -> u64| files.iter().map(of).sum::<u64>();
    let bytes = sum(|file| file.bytes);
    let history =
        manifest::history(env, bucket, cluster, Some(found.service), verify::HISTORY).await?;
    history.strange.into_iter().for_each(|why| cx.warn(why));
    let band = verify::within(bytes, &history.kept, tolerance)?;
    if band.accepted {
        cx.warn(format!(
            "its size, {bytes} bytes, was taken as it is (`accept_size`); the middle of the last {} was {}. Leave that out \
             of the next run",
            band.exports, band.median_bytes
        ));
    }
    if band.exports == 0 {
        cx.warn(format!(
            "\"{cluster}\" has no earlier export in this bucket: its size was held against nothing"
        ));
    }
    // To the second, since two clocks do not agree on more; and never to one that is still to come.
    let second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Trunc);
    let whole = |at: Timestamp| at.round(second).unwrap_or(at);
    let now = whole(cx.clock.now());
    Ok(Manifest {
        format: FORMAT,
        tool: format!("orchestrate {}", env!("CARGO_PKG_VERSION")),
        service: found.service,
        cluster: cluster.to_owned(),
        run: cx.run.to_string(),
        step: cx.step.clone(),
        taken_at: found.taken_at.map_or(now, whole),
        source: found.source,
        verified_at: now,
        bucket: bucket.to_owned(),
        bytes,
        keys: sum(|file| file.keys),
        keys_with_expiry: sum(|file| file.keys_with_expiry),
        files,
        band,
    })
}

pub(in crate::steps) fn output<T>(done: Done<T>) -> Result<T, Failure> {
    match done {
        Done::Changed(output) | Done::Adopted(output) | Done::Unchanged(output) => Ok(output),
        Done::Ask(question) => Err(Failure::fatal("a snapshot asked a question").because(question)),
    }
}

fn landing(cx: &Cx) -> Result<Option<out::Prepared>, Failure> {
    let Some(noted) = cx.part("landing").noted() else { return Ok(None) };
    serde_json::from_value(noted).map(Some).map_err(|error| {
        Failure::fatal("what was noted of the export does not read back").because(error.to_string())
    })
}

pub(in crate::steps) fn json(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value)
        .map_err(|error| Failure::fatal("a note is not JSON").because(error.to_string()))
}

async fn untake(
    env: &Env,
    cx: &Cx,
    cluster: &str,
    taking: &Taking,
) -> Result<Vec<String>, Failure> {
    let part = cx.part("snapshot");
    match taking {
        Taking::ElastiCache(intent) => {
            let spec = elasticache::SnapshotSpec::of(cluster);
            elasticache::CreateSnapshot::undo(env, &spec, intent, &part).boxed_local().await
        }
        Taking::MemoryDb(intent) => {
            let spec = memorydb::SnapshotSpec::of(cluster);
            memorydb::CreateSnapshot::undo(env, &spec, intent, &part).boxed_local().await
        }
    }
}

/// Removes what does not count yet. An export that counts is kept: a later step that failed makes no backup bad.
///
/// # Errors
/// As a step's `undo`.
pub(in crate::steps) async fn undo(
    env: &Env,
    cx: &Cx,
    prepared: &Prepared,
) -> Result<Vec<String>, Failure> {
    let Prepared { cluster, bucket, target, from, .. } = prepared;
    if matches!(from, From::Exported { .. }) {
        return Ok(Vec::new());
    }
    let mut did = Vec::new();
    let key = manifest::key_of(target);
    if manifest::ours(env, cx, bucket, &key).await?.is_some() {
        did.push(format!("kept the verified export s3://{bucket}/{key}"));
    } else if let Some(landing) = landing(cx)? {
        did.extend(out::undo(env, &landing, &cx.part("export")).await?);
    }
    if let From::Taken(taking) = from {
        did.extend(untake(env, cx, cluster, taking).await?);
    }
    Ok(did)
}

/// How long it usually takes: the export, and with it the snapshot that may have to be taken.
pub(in crate::steps) const EXPECTED: Duration = Duration::from_secs(8 * 60);
