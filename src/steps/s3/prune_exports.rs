//! `s3.prune_exports`: deletes the exports of clusters that no rule keeps.

use std::borrow::Cow;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::version::{delete_version, version_of};
use crate::aws::s3_object_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::exports::manifest::{self, Kept};
use crate::steps::exports::{Fate, Keep, Moment};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// Deletes the exports of clusters that no rule of `keep` keeps: set by set, and only the files that a manifest names.
///
/// What will go is shown in the plan and recorded before anything is deleted. The newest verified export always stays,
/// and `min_verified` of them if there are that many; a set is deleted whole or not at all, its manifest last; a file
/// that no manifest names is never touched, whatever it is called.
///
/// In a bucket that keeps versions, exactly the version that was verified is deleted, for good: a delete marker would
/// free nothing. Where versioning was switched on later, a delete marker is set. A set with a file under Object Lock, or a
/// legal hold, is left, and told.
///
/// Only exports that are whole count for a rule. One whose files are missing or changed goes once `min_verified` whole
/// ones are newer than it.
///
/// Not undone: what was deleted cannot be brought back.
///
/// ```yaml
/// - id: prune
///   s3.prune_exports:
///     bucket: acme-exports
///     clusters: [prod]
///     keep: { last: 3, daily: 7, weekly: 4, monthly: 12 }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The bucket.
    bucket: String,
    /// The replication groups, serverless caches or clusters that were exported; each is weighed by itself, also where two
    /// services have one of the same name.
    #[schemars(length(min = 1))]
    clusters: Vec<String>,
    /// What is kept.
    keep: Keep,
}

/// A set that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Doomed {
    manifest: String,
    /// The manifest's version, where the bucket keeps versions.
    version: Option<String>,
    /// The files with their versions.
    files: Vec<(String, Option<String>)>,
    bytes: u64,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    bucket: String,
    histories: Vec<Weighed>,
}

/// What becomes of the history of one cluster.
#[derive(Debug, Serialize, Deserialize)]
struct Weighed {
    cluster: String,
    doomed: Vec<Doomed>,
    /// Verified exports that stay.
    kept: Vec<String>,
    /// Sets that no rule keeps and that cannot go yet, and why.
    locked: Vec<String>,
}

/// What was deleted.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The manifests of the deleted sets.
    deleted: Vec<String>,
    /// How many files went with them.
    files: usize,
    /// Their bytes.
    bytes: u64,
    /// How many verified exports are left.
    kept: usize,
    /// Sets that cannot go yet, and why.
    locked: Vec<String>,
}

const LISTING: &str = "see that the bucket is there, and allow s3:ListBucket on it and s3:GetObject on what is in it to the caller";

/// `s3.prune_exports`.
pub(crate) struct PruneExports;

impl Step for PruneExports {
    const KIND: &'static str = "s3.prune_exports";
    const SUMMARY: &'static str = "delete the exports of a cluster that no rule keeps";
    const ACTIONS: &'static [Action] = &[
        action("s3:ListBucket", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetObject", "{bucket}/*", Phases::PLAN_RUN),
        // HeadObject shows a lock only to who may see it (S3 API reference, HeadObject).
        action("s3:GetObjectVersion", "{bucket}/*", Phases::RUN),
        action("s3:GetObjectRetention", "{bucket}/*", Phases::RUN),
        action("s3:GetObjectLegalHold", "{bucket}/*", Phases::RUN),
        action("s3:DeleteObject", "{bucket}/*", Phases::RUN),
        action("s3:DeleteObjectVersion", "{bucket}/*", Phases::RUN),
    ];
    const EFFECT: Effect =
        Effect::Mutates(UndoPolicy::None(Cow::Borrowed("a deleted export cannot be brought back")));
    const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
    const EXPECTED: Duration = Duration::from_secs(10);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> = super::bucket_fault(args).into_iter().collect();
        let empty = args["clusters"]
            .as_array()
            .is_some_and(|all| all.is_empty() || all.iter().any(|name| name.as_str() == Some("")));
        if empty {
            let fault = Fault::new("`clusters` names no cluster, or one without a name");
            faults.push(fault.key("clusters").mend("name the ones that were exported"));
        }
        if let Ok(keep) = serde_json::from_value::<Keep>(args["keep"].clone()) {
            let mend = "write for example `keep: { last: 3, daily: 7, weekly: 4, monthly: 12 }`";
            if !keep.says_something() {
                let fault = Fault::new("`keep` keeps nothing but the last verified export");
                faults.push(fault.key("keep").mend(mend));
            }
            if keep.min_verified == 0 {
                let fault = Fault::new("the last verified export is never deleted");
                faults.push(fault.key("keep").key("min_verified").mend("write 1 or more"));
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let text = |name: &str| args[name].as_str().unwrap_or("…").to_owned();
        let (cluster, bucket) = (names(args), text("bucket"));
        Sketch {
            does: format!(
                "delete the exports of {cluster} in bucket \"{bucket}\" that no rule keeps; never the last verified"
            ),
            undo: None,
            loses: Some(format!("exports of {cluster} that no rule of `keep` keeps")),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let what = format!(
            "S3 objects that manifests s3://{bucket}/<cluster>-*.manifest.json name, of {}",
            names(args)
        );
        vec![Touch::deletes(what)]
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "export.retention";
        let Some(bucket) = args["bucket"].as_str() else { return Vec::new() };
        let Some(clusters) = args["clusters"].as_array() else {
            let what = "which clusters these are, a step before this one finds; what goes is told before it does";
            return vec![Finding::ok(CHECK, what)];
        };
        let Ok(keep) = serde_json::from_value::<Keep>(args["keep"].clone()) else {
            return Vec::new();
        };
        let mut findings = Vec::new();
        for cluster in clusters {
            let Some(cluster) = cluster.as_str() else {
                // The run finds it out.
                continue;
            };
            findings.push(match sorted(env, bucket, cluster, &keep).await {
                Err(failure) => Finding::of(CHECK, &failure).mend(LISTING),
                Ok(sorted) => Finding::ok(CHECK, sorted.words(cluster)),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let bucket = &spec.bucket;
        let mut histories = Vec::new();
        for cluster in &spec.clusters {
            histories.push(weigh(env, cx, bucket, cluster, &spec.keep).await?);
        }
        let resource = |key: &String| Resource {
            what: "S3 object".to_owned(),
            name: format!("s3://{bucket}/{key}"),
            arn: Some(s3_object_arn(&env.identity, bucket, key)),
            role: Role::Deletes,
        };
        let doomed = histories.iter().flat_map(|history| &history.doomed);
        let keys = doomed.flat_map(|set| {
            set.files.iter().map(|(key, _)| key).chain(std::iter::once(&set.manifest))
        });
        let resources = keys.map(resource).collect();
        Ok((Prepared { bucket: bucket.clone(), histories }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let bucket = &prepared.bucket;
        let mut output = Output::default();
        for history in &prepared.histories {
            let Weighed { cluster, doomed, kept, locked } = history;
            // Between the intent and now a person, a lifecycle rule or hours may have been at work.
            let there = manifest::history(env, bucket, cluster, None, usize::MAX).await?;
            let is_there =
                |key: &&String| there.kept.iter().any(|set| set.whole && set.key == **key);
            let still = kept.iter().filter(is_there).count();
            if let Some(missing) = kept.iter().find(|key| !is_there(key))
                && !doomed.is_empty()
            {
                return Err(Failure::new(
                    Class::Conflict,
                    format!(
                        "{} verified exports of \"{cluster}\" were to stay, and {still} of them are there and whole: \
                         nothing of it was deleted",
                        kept.len()
                    ),
                )
                .because(format!("s3://{bucket}/{missing} or one of its files is missing or changed"))
                .mend(
                    "find out who deletes or changes files in this bucket (a lifecycle rule?), then run again",
                ));
            }
            if !doomed.is_empty() {
                let names: Vec<&str> = doomed.iter().map(|set| set.manifest.as_str()).collect();
                cx.progress(
                    &format!("exports of \"{cluster}\""),
                    &format!("{} go, {still} verified ones stay", doomed.len()),
                    Some(names.join(", ")),
                    cx.clock.now(),
                );
            }
            for set in doomed {
                // A manifest goes last: where it is gone, an earlier attempt has deleted the whole set.
                if there.kept.iter().any(|left| left.key == set.manifest) {
                    for (key, version) in &set.files {
                        delete_version(env, bucket, key, version.as_deref()).await?;
                    }
                    // A set that lost files and still has its manifest is damaged, and nobody restores from it.
                    delete_version(env, bucket, &set.manifest, set.version.as_deref()).await?;
                }
                output.deleted.push(set.manifest.clone());
                output.files += set.files.len();
                output.bytes += set.bytes;
            }
            output.kept += still;
            output.locked.extend(locked.iter().cloned());
        }
        let nothing = output.deleted.is_empty();
        Ok(if nothing { Done::Unchanged(output) } else { Done::Changed(output) })
    }
}

/// The clusters of the arguments, in words.
fn names(args: &Value) -> String {
    let all: Vec<&str> =
        args["clusters"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if all.is_empty() { "the clusters".to_owned() } else { all.join(", ") }
}

/// Decides what goes of one cluster's history.
async fn weigh(
    env: &Env,
    cx: &Cx,
    bucket: &str,
    cluster: &str,
    keep: &Keep,
) -> Result<Weighed, Failure> {
    let sorted = sorted(env, bucket, cluster, keep).await?;
    let (mut doomed, mut locked) = (Vec::new(), Vec::new());
    for (set, _) in sorted.sets.iter().filter(|(_, fate)| *fate == Fate::Dropped) {
        match look(env, bucket, set).await? {
            Ok(set) => doomed.push(set),
            Err(why) => {
                cx.warn(format!("s3://{bucket}/{} is left: {why}", set.key));
                locked.push(format!("{}: {why}", set.key));
            }
        }
    }
    for why in &sorted.strange {
        cx.warn(format!("{why}; it is left"));
        locked.push(why.clone());
    }
    let kept = sorted.verified_that_stay();
    Ok(Weighed { cluster: cluster.to_ascii_lowercase(), doomed, kept, locked })
}

/// The exports with their fates, newest first.
struct Sorted {
    sets: Vec<(Kept, Fate)>,
    /// What only looks like an export; it is left.
    strange: Vec<String>,
}

impl Sorted {
    fn verified_that_stay(&self) -> Vec<String> {
        let stays = |(set, fate): &&(Kept, Fate)| set.whole && *fate != Fate::Dropped;
        self.sets.iter().filter(stays).map(|(set, _)| set.key.clone()).collect()
    }

    /// The diff, for the plan.
    fn words(&self, cluster: &str) -> String {
        let dropped: Vec<&Kept> = self
            .sets
            .iter()
            .filter(|(_, fate)| *fate == Fate::Dropped)
            .map(|(set, _)| set)
            .collect();
        let kept: Vec<String> = self
            .sets
            .iter()
            .filter_map(|(set, fate)| match fate {
                Fate::Kept(why) => Some(format!("{} ({why})", set.manifest.taken_at)),
                Fate::Dropped => None,
            })
            .collect();
        if dropped.is_empty() {
            return format!(
                "of \"{cluster}\" nothing would be deleted now; {} kept",
                match kept.as_slice() {
                    [] => "no export is".to_owned(),
                    kept => kept.join(", "),
                }
            );
        }
        let bytes: u64 = dropped.iter().map(|set| set.manifest.bytes).sum();
        let names: Vec<&str> = dropped.iter().map(|set| set.key.as_str()).collect();
        format!(
            "of \"{cluster}\" {} of {} exports would be deleted now, {bytes} bytes: {}; kept: {}",
            dropped.len(),
            self.sets.len(),
            names.join(", "),
            kept.join(", ")
        )
    }
}

async fn sorted(env: &Env, bucket: &str, cluster: &str, keep: &Keep) -> Result<Sorted, Failure> {
    let cluster = cluster.to_ascii_lowercase();
    let manifest::History { kept: mut rest, strange } =
        manifest::history(env, bucket, &cluster, None, usize::MAX).await?;
    let mut sorted = Sorted { sets: Vec::new(), strange };
    // After a migration both services have a cluster of the same name: one's exports are none of the other's.
    while let Some(service) = rest.first().map(|kept| kept.manifest.service) {
        let (own, others) =
            rest.into_iter().partition::<Vec<Kept>, _>(|kept| kept.manifest.service == service);
        rest = others;
        let moments: Vec<Moment> = own
            .iter()
            .map(|kept| Moment { at: kept.manifest.taken_at, verified: kept.whole })
            .collect();
        let fates = keep.decide(&moments);
        sorted.sets.extend(own.into_iter().zip(fates));
    }
    Ok(sorted)
}

/// A set with its versions; or why it cannot go.
async fn look(env: &Env, bucket: &str, set: &Kept) -> Result<Result<Doomed, String>, Failure> {
    let mut files = Vec::new();
    for file in &set.manifest.files {
        let version = file.version.as_deref();
        let found = version_of(env, bucket, &file.key, version).await?;
        if let Some(why) = found.and_then(|found| found.locked) {
            return Ok(Err(format!("{} is {why}", file.key)));
        }
        files.push((file.key.clone(), file.version.clone()));
    }
    let own = version_of(env, bucket, &set.key, None).await?;
    if let Some(why) = own.as_ref().and_then(|own| own.locked.clone()) {
        return Ok(Err(format!("its manifest is {why}")));
    }
    let version = own.and_then(|own| own.version);
    let bytes = set.manifest.bytes;
    Ok(Ok(Doomed { manifest: set.key.clone(), version, files, bytes }))
}
