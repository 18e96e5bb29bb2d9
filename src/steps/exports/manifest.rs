//! What an export is: one JSON file beside the RDB files, written last.
//!
//! Its name tells cluster, run and step: `<cluster>-<run>-<step>.manifest.json`, and the files
//! `<cluster>-<run>-<step>-<shard>.rdb`. Run ids begin with the minute, so that a listing is a history. Keys are flat,
//! since no service exports below a folder.

use std::fmt;

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::of::Of;
use crate::aws::{get_object, s3_object_arn};
use crate::engine::{Class, Cx, Failure, RunId};
use crate::steps::{Env, s3};

/// The version of the format. One that is not known is left alone: never restored, never deleted.
pub(super) const FORMAT: u32 = 1;
const ENDING: &str = ".manifest.json";

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExportedFile {
    pub(crate) key: String,
    pub(crate) bytes: u64,
    pub(crate) etag: Option<String>,
    /// The version that was read, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// What it begins with, such as "REDIS0011".
    pub(crate) rdb: String,
    /// "fits", or "absent" where the engine writes none.
    pub(crate) checksum: String,
    pub(crate) keys: u64,
    pub(crate) keys_with_expiry: u64,
}

/// Whose data it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Service {
    /// An ElastiCache replication group's.
    #[serde(rename = "elasticache")]
    ElastiCache,
    /// An ElastiCache serverless cache's.
    #[serde(rename = "elasticache_serverless")]
    ElastiCacheServerless,
    /// A MemoryDB cluster's.
    #[serde(rename = "memorydb")]
    MemoryDb,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ElastiCache => "elasticache",
            Self::ElastiCacheServerless => "elasticache_serverless",
            Self::MemoryDb => "memorydb",
        })
    }
}

impl From<Of> for Service {
    fn from(of: Of) -> Self {
        match of {
            Of::ElastiCache => Self::ElastiCache,
            Of::MemoryDb => Self::MemoryDb,
        }
    }
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) snapshot: String,
    pub(crate) arn: String,
    /// Whether the service had taken it by itself.
    pub(crate) automatic: bool,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) node_type: String,
}

/// What the size was held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Band {
    /// How many earlier exports there were to hold it against; with none nothing was.
    pub(crate) exports: usize,
    /// The middle of their sizes.
    pub(crate) median_bytes: u64,
    /// By how many hundredths of it the size may differ.
    pub(crate) percent: u32,
    /// Whether a person took the size as it was: what comes later is held against this export and those after it.
    #[serde(default)]
    pub(crate) accepted: bool,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) tool: String,
    pub(crate) service: Service,
    /// The replication group, serverless cache or cluster.
    pub(crate) cluster: String,
    pub(crate) run: String,
    pub(crate) step: String,
    pub(crate) source: Source,
    /// The instant of the first shard: what every file has at least.
    pub(crate) taken_at: Timestamp,
    /// When the last file had been read to its end.
    pub(crate) verified_at: Timestamp,
    pub(crate) bucket: String,
    pub(crate) files: Vec<ExportedFile>,
    pub(crate) bytes: u64,
    pub(crate) keys: u64,
    pub(crate) keys_with_expiry: u64,
    pub(crate) band: Band,
}

/// What the files of an export are called before the shard's id.
pub(in crate::steps) fn target(cx: &Cx, cluster: &str) -> String {
    let mut slug = String::new();
    for c in cx.step.to_ascii_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(60).collect();
    format!("{cluster}-{}-{slug}", cx.run)
}

/// The key of the manifest beside them.
pub(in crate::steps) fn key_of(target: &str) -> String {
    format!("{target}{ENDING}")
}

/// Whether a key has the form of a manifest of this cluster; whose it is its content says.
fn is_manifest_of(key: &str, cluster: &str) -> bool {
    let rest = key.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-'));
    let rest = rest.and_then(|rest| rest.strip_suffix(ENDING));
    let named = rest.and_then(|rest| rest.split_once('-'));
    named.is_some_and(|(run, step)| !step.is_empty() && run.parse::<RunId>().is_ok())
}

/// A manifest as it lies in the bucket.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) key: String,
    pub(crate) manifest: Manifest,
    /// Whether each of its files is there, with the size and the entity tag that were recorded.
    pub(crate) whole: bool,
}

impl Manifest {
    /// Its ARNs, for a restore.
    pub(crate) fn objects(&self, env: &Env) -> Vec<String> {
        let arn = |file: &ExportedFile| s3_object_arn(&env.identity, &self.bucket, &file.key);
        self.files.iter().map(arn).collect()
    }

    /// Where it is.
    pub(crate) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Why it cannot be what an export left under this key. Whoever may write into the bucket may write a manifest, and what
    /// it names is restored and deleted: so it may name the files of its own export and no others.
    fn forged(&self, bucket: &str, key: &str) -> Option<String> {
        if self.bucket != bucket || !is_manifest_of(key, &self.cluster) {
            return Some(format!("it is of \"{}\" in bucket \"{}\"", self.cluster, self.bucket));
        }
        let target = key.strip_suffix(ENDING).unwrap_or(key);
        let own = |file: &str| {
            let rest = file.strip_prefix(target).and_then(|rest| rest.strip_suffix(".rdb"));
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        let foreign = self.files.iter().find(|file| !own(&file.key))?;
        Some(format!("it names {}, which is not of its export", foreign.key))
    }

    fn is_ours(&self, cx: &Cx) -> bool {
        self.run == cx.run.to_string() && self.step == cx.step
    }
}

/// The manifest under a key, if there is one.
///
/// # Errors
/// `Fatal` if it cannot be understood; as `aws::call`.
pub(super) async fn read(env: &Env, bucket: &str, key: &str) -> Result<Option<Manifest>, Failure> {
    let what = || format!("failed to read manifest s3://{bucket}/{key}");
    let found = get_object(&env.aws, bucket, key).await.map_err(|f| f.context(what()))?;
    let Some(found) = found else { return Ok(None) };
    let manifest: Manifest = serde_json::from_slice(&found.bytes).map_err(|error| {
        Failure::fatal(what())
            .because(error.to_string())
            .mend("it was not written by this program, or by a newer version of it; move it away")
    })?;
    if manifest.format != FORMAT {
        let format = manifest.format;
        return Err(Failure::fatal(what())
            .because(format!("its format is {format}, and this version knows {FORMAT}"))
            .mend("use the version of orchestrate that wrote it"));
    }
    Ok(Some(manifest))
}

/// This run's own manifest, if it lies there already.
///
/// # Errors
/// `Conflict` if it is another's; as `read`.
pub(in crate::steps) async fn ours(
    env: &Env,
    cx: &Cx,
    bucket: &str,
    key: &str,
) -> Result<Option<Manifest>, Failure> {
    match read(env, bucket, key).await? {
        Some(manifest) if !manifest.is_ours(cx) => Err(Failure::new(
            Class::Conflict,
            format!("s3://{bucket}/{key} was written by run {}", manifest.run),
        )
        .mend("look who uses names of this form in the bucket")),
        found => Ok(found),
    }
}

/// Writes it, if nothing lies under its key: from then on the export counts.
///
/// # Errors
/// `Conflict` if another lies there; as `aws::call`.
pub(in crate::steps) async fn write(
    env: &Env,
    cx: &Cx,
    key: &str,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let bucket = &manifest.bucket;
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Failure::fatal("the manifest is not JSON").because(error.to_string()))?;
    let request = env
        .aws
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type("application/json")
        .if_none_match("*")
        .body(ByteStream::from(text));
    match env.aws.change("S3", "PutObject", request.send()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == Some("PreconditionFailed") => {
            ours(env, cx, bucket, key).await.map(drop)
        }
        // Two writes met (S3 user guide, conditional requests): look again.
        Err(failure) if failure.code() == Some("ConditionalRequestConflict") => {
            Err(Failure { class: Class::Transient, ..failure })
        }
        Err(failure) => Err(failure.context(format!("failed to write s3://{bucket}/{key}"))),
    }
}

/// Entity tags come with quotes from one request and, from some servers, without from another.
fn same_tag(recorded: Option<&str>, found: Option<&str>) -> bool {
    match (recorded, found) {
        (Some(recorded), Some(found)) => recorded.trim_matches('"') == found.trim_matches('"'),
        _ => true,
    }
}

/// The exports of a cluster, as the manifests in a bucket tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Newest first.
    pub(crate) kept: Vec<Kept>,
    /// What has the name of a manifest and is none that this version understands: left alone, and why.
    pub(crate) strange: Vec<String>,
}

/// The manifests of a cluster in a bucket, newest first, and whether their files are there: down to the `most`th whole one,
/// so that no number of damaged ones or of another service's hides the others.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn history(
    env: &Env,
    bucket: &str,
    cluster: &str,
    service: Option<Service>,
    most: usize,
) -> Result<History, Failure> {
    let listed = s3::list_with_tags(env, bucket, &format!("{cluster}-")).await?;
    let mut keys: Vec<&str> = listed
        .iter()
        .map(|object| object.key.as_str())
        .filter(|key| is_manifest_of(key, cluster))
        .collect();
    keys.sort_unstable_by(|a, b| b.cmp(a));
    let History { mut kept, mut strange } = History::default();
    let mut whole_ones = 0;
    for key in keys {
        if whole_ones == most {
            break;
        }
        let manifest = match read(env, bucket, key).await {
            Ok(Some(manifest)) => manifest,
            Ok(None) => continue,
            Err(failure) if failure.class == Class::Fatal => {
                strange.push(failure.to_string());
                continue;
            }
            Err(failure) => return Err(failure),
        };
        if let Some(why) = manifest.forged(bucket, key) {
            strange.push(format!("s3://{bucket}/{key} is no manifest of an export: {why}"));
            continue;
        }
        if manifest.cluster != cluster || service.is_some_and(|wanted| wanted != manifest.service) {
            continue;
        }
        let there = |file: &ExportedFile| {
            listed.iter().any(|object| {
                object.key == file.key
                    && object.bytes == file.bytes
                    && same_tag(file.etag.as_deref(), object.etag.as_deref())
            })
        };
        let whole = !manifest.files.is_empty() && manifest.files.iter().all(there);
        whole_ones += usize::from(whole);
        kept.push(Kept { key: key.to_owned(), manifest, whole });
    }
    kept.sort_by_key(|kept| std::cmp::Reverse((kept.manifest.taken_at, kept.manifest.verified_at)));
    Ok(History { kept, strange })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn manifest(cluster: &str, bucket: &str, files: &[String], bytes: u64) -> Manifest {
        let file = |key: &String| {
            serde_json::json!({
                "key": key, "bytes": 9, "etag": null, "rdb": "REDIS0011", "checksum": "fits", "keys": 1,
                "keys_with_expiry": 0,
            })
        };
        let files: Vec<serde_json::Value> = files.iter().map(file).collect();
        let manifest = serde_json::json!({
            "format": 1, "tool": "orchestrate", "service": Service::ElastiCache, "cluster": cluster, "run": "0test0test",
            "step": "copy", "taken_at": "2026-11-23T03:00:00Z", "verified_at": "2026-11-23T03:10:00Z",
            "source": {
                "snapshot": "s", "arn": "", "automatic": true, "engine": "redis", "engine_version": "7.1",
                "node_type": "cache.r7g.large",
            },
            "bucket": bucket, "files": files, "bytes": bytes, "keys": 1, "keys_with_expiry": 0,
            "band": { "exports": 0, "median_bytes": 0, "percent": 50 },
        });
        serde_json::from_value(manifest).expect("a manifest")
    }

    /// A whole export of so many bytes.
    pub(in crate::steps::exports) fn kept(bytes: u64, accepted: bool) -> Kept {
        let mut manifest = manifest("prod", "b", &["prod-0test0test-copy.rdb".to_owned()], bytes);
        manifest.band.accepted = accepted;
        Kept { key: "prod-0test0test-copy.manifest.json".to_owned(), manifest, whole: true }
    }

    #[test]
    fn only_manifests_of_this_cluster_are_its_history() {
        let name = target(&crate::steps::testing::cx("copy[2]"), "prod");
        assert_eq!(name, "prod-0test0test-copy-2");
        assert!(is_manifest_of(&key_of(&name), "prod"));
        for other in [
            "prod-2-0test0test-export.manifest.json",
            "prod-0test0test-export-0001.rdb",
            "prod-0test0test-export.json",
            "prod-0test0test-.manifest.json",
            "prod-0test0tes-export.manifest.json",
            "prod.manifest.json",
        ] {
            assert!(!is_manifest_of(other, "prod"), "{other}");
        }
    }

    #[test]
    fn a_manifest_may_name_the_files_of_its_own_export_alone() {
        let target = target(&crate::steps::testing::cx("copy"), "prod");
        let key = key_of(&target);
        let own = [format!("{target}-0001.rdb"), format!("{target}.rdb")];
        assert_eq!(manifest("prod", "b", &own, 9).forged("b", &key), None);
        for foreign in ["payroll.csv", "prod-0test0test-copy2-0001.rdb", "prod-0001.rdb", &key] {
            let files = [own[0].clone(), foreign.to_owned()];
            let why = manifest("prod", "b", &files, 9).forged("b", &key).expect("it is refused");
            assert!(why.contains(foreign), "{why}");
        }
        assert!(manifest("other", "b", &own, 9).forged("b", &key).is_some());
        assert!(manifest("prod", "c", &own, 9).forged("b", &key).is_some());
    }
}
