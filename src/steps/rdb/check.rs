//! `rdb.check`: reads exported RDB files to their end before a cluster is made from them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use orchestrate_rdb::Summary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::{self, Verdict};
use super::stream::{Part, read};
use crate::aws::split_s3_object_arn;
use crate::cost::CostEffect;
use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding};
use crate::facts;
use crate::permissions::Phases;
use crate::plan::{Effect, Fault};
use crate::steps::redis::{counted, grouped};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, action, s3};

/// What is not told without a right to look.
const UNSEEN: &str = "whether the engine reads what the source writes is not told";
/// Files read at a time. One takes what a connection to S3 gives; four fill a small machine's network.
const AT_ONCE: usize = 4;
/// How many of the biggest keys are named.
const BIGGEST: usize = 10;
/// How much of a key's name is shown.
const SHOWN: usize = 80;

/// Reads exported RDB files to their last byte, as they stream from S3, and stops the run if MemoryDB could not restore
/// them. A restore that would end as `restore-failed` half an hour later stops here instead, and nothing is created.
///
/// What stops it: a file that is missing, encrypted with KMS, cut off, or whose checksum differs; one that is too new for
/// `engine` and `engine_version`; keys in another database than 0, which MemoryDB does not have; values of modules that it
/// does not have, such as Bloom filters; functions, if the engine is Redis 6.2. A file without a checksum, values of type
/// JSON and files that no ElastiCache engine writes are warned of.
///
/// It never holds a file or a value in memory, and goes on where it was when a connection to S3 breaks. Where it runs it
/// needs as much network as the files have bytes: run it in the same region. It changes nothing, so there is nothing to
/// undo.
///
/// ```yaml
/// - id: check
///   rdb.check:
///     objects: "${{ steps.export.objects }}"
///     engine: valkey
///     engine_version: "7.3"
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The ARNs of the files, such as the `objects` output of `elasticache.export_snapshot`. All of them: what is missing
    /// from a list would be missing from the cluster.
    #[schemars(length(min = 1))]
    objects: Vec<String>,
    /// The engine that is to restore them: "valkey" or "redis". Without it, whether the files are too new is not known.
    engine: Option<String>,
    /// Its version as MAJOR.MINOR.
    engine_version: Option<String>,
}

/// The files as they were found. They are read only as long as they are the same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    files: Vec<File>,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::steps) struct File {
    pub(in crate::steps) bucket: String,
    pub(in crate::steps) key: String,
    pub(in crate::steps) bytes: u64,
    pub(in crate::steps) etag: Option<String>,
}

impl File {
    pub(super) fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// What the files hold together.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// How many files were read.
    files: usize,
    /// Their bytes.
    bytes: u64,
    /// Their keys.
    keys: u64,
    /// Keys with a time to live.
    keys_with_expiry: u64,
    /// Keys whose time to live had passed when they were read. A restore leaves them out.
    keys_expired: u64,
    /// Databases that are named in them.
    databases: BTreeSet<u64>,
    /// What they begin with, such as "REDIS0011".
    rdb_versions: BTreeSet<String>,
    /// The engine that wrote them, by their own account.
    written_by: BTreeSet<String>,
    /// Libraries of functions.
    functions: BTreeSet<String>,
    /// Modules that have values in them, or keep something beside the keys.
    modules: BTreeSet<String>,
    /// The keys with the most bytes in the files, the biggest first.
    biggest_keys: Vec<BigKey>,
}

/// A key and the size of its value.
#[derive(Debug, Serialize, JsonSchema)]
struct BigKey {
    /// Its name, shortened if it is long; bytes that are no printable text as `\xNN`.
    key: String,
    /// Its type.
    #[serde(rename = "type")]
    kind: String,
    /// Bytes of its value in the file, where strings may be compressed.
    bytes: u64,
}

/// `rdb.check`.
pub(crate) struct Check;

impl Step for Check {
    const KIND: &'static str = "rdb.check";
    const SUMMARY: &'static str = "read exported RDB files to the end before they are restored";
    const ACTIONS: &'static [Action] = &[
        // HeadObject: without s3:ListBucket S3 answers 403 instead of 404 for an object that is not there.
        action("s3:ListBucket", "{objects.bucket}", Phases::RUN)
            .helps("a file that is missing is told as one that may not be read"),
        action("s3:GetObject", "{objects}", Phases::RUN),
        // Before a run: what the source writes.
        action("elasticache:DescribeReplicationGroups", "*", Phases::PLAN)
            .when("engine")
            .helps(UNSEEN),
        action("elasticache:DescribeCacheClusters", "*", Phases::PLAN).when("engine").helps(UNSEEN),
    ];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let objects = args["objects"].as_array().into_iter().flatten().enumerate();
        objects
            .filter_map(|(index, arn)| Some((index, place(arn.as_str()?).err()?)))
            .map(|(index, failure)| Fault::from(failure).key("objects").item(index))
            .collect()
    }

    fn sketch(args: &Value) -> Sketch {
        let files = match args["objects"].as_array() {
            Some(objects) => counted(objects.len() as u64, "RDB file", "RDB files"),
            None => "the exported RDB files".to_owned(),
        };
        let does = format!(
            "read {files} to the end: format, checksum, databases, modules, functions, keys"
        );
        Sketch { does, ..Sketch::default() }
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::S3Reads { bytes: cargo.bytes, files: cargo.files }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let objects = args["objects"].as_array().into_iter().flatten();
        objects.filter_map(|o| Some(Need::Object(o.as_str()?.to_owned()))).collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let objects = args["objects"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wrong = objects.filter_map(|arn| place(arn).err());
        let mut findings: Vec<Finding> =
            wrong.map(|failure| Finding::of("arguments", &failure)).collect();
        findings.extend(engine(env, args, cx).await);
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let mut files = Vec::new();
        for arn in &spec.objects {
            files.push(look(env, arn).await?);
        }
        Ok((Prepared { files }, Vec::new()))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let progress = &Progress::new(cx, &prepared.files);
        let reads = prepared.files.iter().map(|file| async move {
            (file, read(env, cx, file, BIGGEST, |part| progress.tell(part)).await)
        });
        // In the order of the list, so that the same faults are told in the same words.
        let read: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
        let mut verdicts = Vec::new();
        let mut output = Output::default();
        for (file, summary) in read {
            let verdict = match summary {
                Ok(summary) => {
                    let engine = (spec.engine.as_deref(), spec.engine_version.as_deref());
                    let verdict = judge::judge(file, &summary, engine);
                    output.add(summary);
                    verdict
                }
                Err(failure) => Verdict::of(failure),
            };
            verdicts.push(verdict);
        }
        for warning in verdicts.iter_mut().flat_map(|verdict| std::mem::take(&mut verdict.warnings))
        {
            cx.warn(warning);
        }
        let failures = verdicts.into_iter().filter_map(|verdict| verdict.failure);
        match together(failures.collect()) {
            Some(failure) => Err(failure),
            None => Ok(Done::Unchanged(output)),
        }
    }
}

impl Output {
    fn add(&mut self, summary: Summary) {
        self.files += 1;
        self.bytes += summary.bytes;
        self.keys += summary.all.keys;
        self.keys_with_expiry += summary.all.expiring;
        self.keys_expired += summary.all.expired;
        self.databases.extend(summary.databases.keys());
        self.rdb_versions.extend(summary.head.map(|head| head.to_string()));
        self.written_by.extend(summary.engine);
        self.functions.extend(summary.functions);
        let modules = summary.modules.iter().chain(&summary.modules_aside);
        self.modules.extend(modules.map(|module| module.name()));
        self.biggest_keys.extend(summary.biggest.into_iter().map(|big| BigKey {
            key: orchestrate_rdb::escaped(&big.key, SHOWN),
            kind: big.kind.to_string(),
            bytes: big.bytes,
        }));
        self.biggest_keys.sort_by_key(|big| std::cmp::Reverse(big.bytes));
        self.biggest_keys.truncate(BIGGEST);
    }
}

/// One failure of all of them. One that will not pass goes before one that may: the engine shall not read everything
/// again to find the same fault.
fn together(failures: Vec<Failure>) -> Option<Failure> {
    let (passing, lasting): (Vec<_>, Vec<_>) =
        failures.into_iter().partition(|failure| failure.class.may_pass());
    let mut all = lasting.into_iter().chain(passing);
    let first = all.next()?;
    Some(all.fold(first, |first, other| first.because(format!("and {other}"))))
}

fn place(arn: &str) -> Result<(&str, &str), Failure> {
    split_s3_object_arn(arn).ok_or_else(|| {
        Failure::fatal(format!("\"{arn}\" is not the ARN of an S3 object"))
            .mend("take `objects` from the output of elasticache.export_snapshot")
    })
}

/// A file as S3 shows it; one that MemoryDB could not read at all ends here (MemoryDB developer guide, seeding a new
/// cluster: SSE-S3 only).
async fn look(env: &Env, arn: &str) -> Result<File, Failure> {
    let (bucket, key) = place(arn)?;
    let Some(object) = s3::head(env, bucket, key).await? else {
        return Err(Failure::new(
            Class::NotFound,
            format!("there is no object s3://{bucket}/{key}"),
        )
        .mend("the export may have been cleaned up: export again, or correct `objects`"));
    };
    if let Some(encryption) = object.encryption.as_deref().filter(|e| *e != "AES256") {
        return Err(Failure::fatal(format!(
            "s3://{bucket}/{key} is encrypted with {encryption}, and MemoryDB restores from SSE-S3 only"
        ))
        .mend("export again into a bucket whose default encryption is SSE-S3 (AES256)"));
    }
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    Ok(File { bucket, key, bytes: object.bytes, etag: object.etag })
}

/// How far all files are together.
struct Progress<'a> {
    cx: &'a Cx,
    subject: String,
    total: u64,
    bytes: Cell<u64>,
    keys: Cell<u64>,
    started: Timestamp,
    told: Cell<Timestamp>,
}

impl<'a> Progress<'a> {
    fn new(cx: &'a Cx, files: &[File]) -> Self {
        let now = cx.clock.now();
        Self {
            cx,
            subject: counted(files.len() as u64, "RDB file", "RDB files"),
            total: files.iter().map(|file| file.bytes).sum(),
            bytes: Cell::new(0),
            keys: Cell::new(0),
            started: now,
            told: Cell::new(now),
        }
    }

    fn tell(&self, part: Part) {
        self.bytes.set(self.bytes.get() + part.bytes);
        self.keys.set(self.keys.get() + part.keys);
        if self.cx.clock.since(self.told.get()) < Duration::from_secs(2) {
            return;
        }
        self.told.set(self.cx.clock.now());
        let mebibytes = |bytes: u64| grouped(bytes >> 20);
        let state = format!("{} of {} MiB", mebibytes(self.bytes.get()), mebibytes(self.total));
        let detail = format!("{} so far", counted(self.keys.get(), "key", "keys"));
        self.cx.progress(&self.subject, &state, Some(detail), self.started);
    }
}

/// Whether the engine that the files are held against reads what the source of the plan writes.
async fn engine(env: &Env, args: &Value, cx: &Cx) -> Option<Finding> {
    const CHECK: &str = "check.engine";
    let engine = args["engine"].as_str()?;
    let version = args["engine_version"].as_str();
    let step = cx.around.upstream("elasticache.create_snapshot")?;
    let id = step.args["replication_group"].as_str()?;
    let found = match env.survey.group(id).await {
        Ok(found) => found,
        Err(failure) => return Some(Finding::cannot_know(CHECK, failure.to_string())),
    };
    let group = found.as_ref().as_ref()?;
    let (from, of) = (group.engine.as_str(), group.engine_version().unwrap_or_default());
    let head = facts::written_by(from, of)?;
    let newest = facts::newest_readable(engine, version);
    let to = format!("{engine} {}", version.unwrap_or_default());
    let to = to.trim_end();
    Some(if !head.valkey && head.version <= newest {
        Finding::ok(CHECK, format!("{to} reads the {head} that \"{id}\" writes"))
    } else {
        Finding::will_fail(
            CHECK,
            format!(
                "\"{id}\" ({from} {of}) writes {head}, and {to} does not read that: no file would pass"
            ),
            "hold the files against the engine and version of the new cluster",
        )
    })
}

#[cfg(test)]
mod tests;
