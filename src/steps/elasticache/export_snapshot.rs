//! `elasticache.export_snapshot`: a snapshot's RDB files, out to S3.

use std::time::Duration;

use aws_sdk_elasticache::types::SourceType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::export::{self, Files};
use super::landing::{LANDED, Landing, MISSING, Progress};
use super::look::{self, SERVICE};
use crate::aws::s3_object_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Verdict, Wait};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership, s3};

/// Small exports take minutes; no figures are published.
const EXPECTED: Duration = Duration::from_secs(5 * 60);
/// Bytes a second that a large export is expected to write; a guess that only spaces the looks.
const RATE: u64 = 60 << 20;
/// "copying" is what the source shows while it is exported; "exporting" is the console's word for it.
const STATES: States = States {
    pending: &["available", "copying", "exporting", "creating"],
    success: &[LANDED],
    terminal: &[MISSING, "failed", "deleting"],
};
const OVER: States = States {
    pending: &["available", "copying", "exporting", "creating", "deleting"],
    success: &[LANDED, MISSING, "failed", GONE],
    terminal: &[],
};

/// Exports a snapshot to S3: one RDB file for each shard, and waits until all of them are there.
///
/// The bucket must be in the snapshot's region, belong to the same account, encrypt with SSE-S3 by default (MemoryDB
/// restores from nothing else) and let `<region>.elasticache-snapshot.amazonaws.com` in; preflight looks at all four and
/// says which statement is missing. The caller needs `s3:ListAllMyBuckets` on `*` besides: AWS refuses the export
/// otherwise. Manual and automatic snapshots can be exported; those with data tiering cannot.
///
/// While it runs the snapshot is `copying` and cannot be deleted. It is done when the snapshot is `available` again and
/// every file is there; then each file's encryption and RDB version are read.
///
/// Undone by deleting the files this run wrote, by their exact keys. In a bucket that keeps versions that hides them
/// only.
///
/// ```yaml
/// - id: export
///   elasticache.export_snapshot: { snapshot: "${{ steps.snapshot.name }}", bucket: exports }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The snapshot to export.
    pub(crate) snapshot: String,
    /// The bucket to export to.
    pub(crate) bucket: String,
    /// What the files are called: `<target_name>-<node group>.rdb`, in lower case. `orc-<run>-export` if left out.
    /// No file of that form may be in the bucket yet.
    #[serde(default)]
    pub(crate) target_name: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    landing: Landing,
    bytes: u64,
    /// Where the source's events are, for reasons.
    source: Option<String>,
    source_is_node: bool,
}

/// The exported files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Their ARNs, in the order of the node groups: what `memorydb.create_cluster` restores from.
    pub(crate) objects: Vec<String>,
    /// The bucket.
    pub(crate) bucket: String,
    /// Their keys, likewise.
    pub(crate) keys: Vec<String>,
    /// The newest RDB version among them, such as 11.
    pub(crate) rdb_version: u32,
    /// Their RDB heads, such as `REDIS0011`: what the target's engine must be able to read.
    pub(crate) rdb_heads: Vec<String>,
    /// Their size together.
    pub(crate) bytes: u64,
}

impl Output {
    fn new(bucket: &str, files: Files) -> Self {
        let Files { objects, keys, rdb_version, rdb_heads, bytes } = files;
        Self { objects, bucket: bucket.to_owned(), keys, rdb_version, rdb_heads, bytes }
    }
}

/// `elasticache.export_snapshot`.
pub(crate) struct ExportSnapshot;

impl Step for ExportSnapshot {
    const KIND: &'static str = "elasticache.export_snapshot";
    const SUMMARY: &'static str = "export a snapshot to S3 as RDB files";
    const ACTIONS: &'static [Action] = &[
        action("elasticache:DescribeSnapshots", "snapshot:{snapshot}", Phases::ALL),
        // The source and the target (service authorization reference, CopySnapshot), though an export makes no snapshot.
        action("elasticache:CopySnapshot", "snapshot:{snapshot}", Phases::RUN),
        action("elasticache:CopySnapshot", "snapshot:{target_name|orc-*-export*}", Phases::RUN),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        // ElastiCache looks through the caller's eyes whether the bucket is theirs, and takes no narrower resource
        // (ElastiCache user guide, exporting a backup). The guide gives the rest for everything in the bucket, and says
        // nowhere which keys it tries: so they are not confined to this run's files.
        action("s3:ListAllMyBuckets", "*", Phases::RUN),
        action("s3:GetBucketLocation", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetEncryptionConfiguration", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketOwnershipControls", "{bucket}", Phases::PLAN_RUN)
            .helps("whose the exported files will be is not told"),
        action("s3:GetBucketVersioning", "{bucket}", Phases::PLAN_RUN)
            .helps("whether an undo leaves versions behind is not told"),
        action("s3:GetBucketObjectLockConfiguration", "{bucket}", Phases::PLAN_RUN)
            .helps("whether an undo can remove the files is not told"),
        action("s3:GetBucketPolicy", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketAcl", "{bucket}", Phases::PLAN_RUN),
        action("s3:ListBucket", "{bucket}", Phases::ALL),
        action("s3:PutObject", "{bucket}/*", Phases::RUN),
        action("s3:GetObject", "{bucket}/*", Phases::RUN),
        action("s3:DeleteObject", "{bucket}/*", Phases::RUN_UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[
        ("objects", "{bucket}/{target_name:lower|orc-*-export*}-*.rdb"),
        ("keys", "{target_name:lower|orc-*-export*}-*.rdb"),
        ("bucket", "{bucket}"),
    ];
    const GUESTS: &'static [Guest] = &[s3::Guest::ElastiCache.in_bucket("{bucket}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let target = args["target_name"].as_str().map(checked_target);
        let failure = target.and_then(Result::err);
        let target = failure.map(|failure| Fault::from(failure).key("target_name"));
        target.into_iter().chain(s3::bucket_fault(args)).collect()
    }

    fn sketch(args: &Value) -> Sketch {
        let snapshot = args["snapshot"].as_str();
        let snapshot = snapshot.map_or("the snapshot".to_owned(), |s| format!("snapshot \"{s}\""));
        let bucket = args["bucket"].as_str().unwrap_or("…");
        Sketch {
            does: format!("export {snapshot} to bucket \"{bucket}\", one RDB file for each shard"),
            undo: Some("delete the exported files".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let target = args["target_name"].as_str().unwrap_or("orc-<run>-export");
        let target = target.to_ascii_lowercase();
        vec![Touch::creates(format!("S3 objects s3://{bucket}/{target}-*.rdb, one for each shard"))]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::S3Objects { bytes: cargo.bytes, files: cargo.files }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let snapshot = args["snapshot"].as_str().map(|s| Need::Snapshot(s.to_owned()));
        let bucket = args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned()));
        snapshot.into_iter().chain(bucket).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(bucket) = args["bucket"].as_str() else {
            return vec![Finding::cannot_know("bucket.exists", "the bucket is not known yet")];
        };
        let target = args["target_name"].as_str();
        let mut findings = s3::bucket_findings(env, bucket, s3::Guest::ElastiCache, target).await;
        if !s3::out_of_reach(&findings) {
            let (notes, names) =
                futures::join!(s3::bucket_notes(env, bucket), names(env, bucket, target));
            findings.extend(notes);
            findings.push(names);
        }
        if let Some(name) = args["snapshot"].as_str() {
            findings.push(match source(env, name).await {
                Ok(_) => {
                    Finding::ok("export.snapshot", format!("snapshot \"{name}\" can be exported"))
                }
                Err(failure) if failure.class.may_pass() => {
                    Finding::cannot_know("export.snapshot", failure.to_string())
                }
                Err(failure) => Finding::will_fail(
                    "export.snapshot",
                    failure.to_string(),
                    failure.mend.unwrap_or_default(),
                ),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let target = match &spec.target_name {
            Some(target) => checked_target(target)?,
            None => creation::default_name(cx, "export", 200),
        };
        let found = source(env, &spec.snapshot).await?;
        let landing = Landing {
            snapshot: spec.snapshot.to_ascii_lowercase(),
            bucket: spec.bucket.clone(),
            target,
            node_groups: look::node_groups(&found),
        };
        let name = spec.target_name.as_deref();
        for finding in s3::bucket_findings(env, &spec.bucket, s3::Guest::ElastiCache, name).await {
            match finding.verdict {
                Verdict::WillFail => {
                    return Err(Failure::fatal(finding.what).mend(finding.mend.unwrap_or_default()));
                }
                Verdict::CannotKnow => cx.warn(finding.what),
                Verdict::Ok => {}
            }
        }
        // Nothing has been asked for yet, so whatever lies there is somebody else's.
        let there = landing.in_the_way(env).await?;
        if let Some(object) = there.first() {
            return Err(taken(&landing, &object.key));
        }
        let events = look::source_of(&found);
        let resources = landing.node_groups.iter().map(|id| {
            let key = landing.key(id);
            Resource {
                what: "S3 object".to_owned(),
                arn: Some(s3_object_arn(&env.identity, &landing.bucket, &key)),
                name: format!("s3://{}/{key}", landing.bucket),
                role: Role::Creates,
            }
        });
        let resources = resources.collect();
        let prepared = Prepared {
            landing,
            bytes: look::bytes(&found),
            source_is_node: matches!(events, Some((SourceType::CacheCluster, _))),
            source: events.map(|(_, id)| id),
        };
        Ok((prepared, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let landing = &prepared.landing;
        let what = format!(
            "failed to export snapshot \"{}\" to s3://{}/{}-*.rdb",
            landing.snapshot, landing.bucket, landing.target
        );
        let before = creation::call_state(cx);
        let view = landing.view(env).await?;
        let asked_earlier = match before {
            Call::Taken => true,
            // The call was made and its answer is not known: look for its traces before making it again.
            Call::Asked => export::begun(cx, &view, || landing.view(env)).await?,
            Call::Never | Call::Refused | Call::Over if view.present() > 0 => {
                let key = view.objects.iter().flatten().next().map(|o| o.key.clone());
                return Err(taken(landing, &key.unwrap_or_default()).context(what));
            }
            Call::Never | Call::Refused | Call::Over => false,
        };
        if !asked_earlier {
            ask(env, landing, cx, before).await.map_err(|f| f.context(what.clone()))?;
        }
        wait_landed(env, prepared, cx).await.map_err(|f| f.context(what.clone()))?;
        let files = inspect(env, landing).await.map_err(|f| f.context(what))?;
        creation::note_call(cx, Call::Taken).await?;
        let output = Output::new(&landing.bucket, files);
        Ok(if asked_earlier { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let landing = &prepared.landing;
        match creation::call_state(cx) {
            // Nothing was ever asked for, or what was asked for was refused: nothing in the bucket can be this run's, and
            // files of these names may be there because somebody else wrote them meanwhile.
            Call::Never | Call::Refused => return Ok(Vec::new()),
            // Files that appear after the deletion would stay: let the export end first.
            Call::Taken => wait_over(env, prepared, cx).await?,
            Call::Asked => {
                let view = landing.view(env).await?;
                if export::begun(cx, &view, || landing.view(env)).await? {
                    wait_over(env, prepared, cx).await?;
                }
            }
            Call::Over => {}
        }
        let there = landing.objects(env).await?.into_iter().flatten();
        let did = export::remove(env, &landing.bucket, there).await?;
        if let Some(left) = landing.objects(env).await?.into_iter().flatten().next() {
            return Err(Failure::new(
                Class::Transient,
                format!("s3://{}/{} is still there after its deletion", landing.bucket, left.key),
            ));
        }
        creation::note_call(cx, Call::Over).await?;
        Ok(did)
    }
}

/// Whether files are in the bucket that the export would have to write.
async fn names(env: &Env, bucket: &str, target: Option<&str>) -> Finding {
    const CHECK: &str = "bucket.names";
    let Some(target) = target else {
        return Finding::ok(
            CHECK,
            "the exported files are named after the run: no other has those names",
        );
    };
    let landing = Landing {
        snapshot: String::new(),
        bucket: bucket.to_owned(),
        target: target.to_ascii_lowercase(),
        node_groups: Vec::new(),
    };
    match landing.in_the_way(env).await {
        Err(failure) => Finding::cannot_know(CHECK, failure.to_string())
            .mend(format!("allow s3:ListBucket on arn:aws:s3:::{bucket} to the caller")),
        Ok(there) => match there.first() {
            None => Finding::ok(
                CHECK,
                format!("bucket \"{bucket}\" has no file {}-*.rdb yet", landing.target),
            ),
            Some(object) => {
                let taken = taken(&landing, &object.key);
                let mend = format!(
                    "choose another `target_name`, or, if nobody needs it: aws s3 rm s3://{bucket}/{}",
                    object.key
                );
                Finding::will_fail(CHECK, taken.message, mend)
            }
        },
    }
}

/// The snapshot, if it can be exported now.
async fn source(env: &Env, name: &str) -> Result<aws_sdk_elasticache::types::Snapshot, Failure> {
    let found = look::snapshot(env, &name.to_ascii_lowercase()).await?.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no snapshot \"{name}\"")).mend(format!(
            "aws elasticache describe-snapshots --region {} lists them",
            env.identity.region
        ))
    })?;
    if look::tiered(found.data_tiering(), found.cache_node_type()) {
        return Err(Failure::fatal(format!(
            "snapshot \"{name}\" is of a cluster with data tiering, and ElastiCache cannot export those"
        ))
        .mend("copy the data online instead, for example with RIOT or RedisShake"));
    }
    match found.snapshot_status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" => Ok(found),
        status @ ("failed" | "deleting") => {
            Err(Failure::fatal(format!("snapshot \"{name}\" is {status} and cannot be exported")))
        }
        status => Err(Failure::new(
            Class::Busy,
            format!("snapshot \"{name}\" is {status}; it can be exported when it is available"),
        )),
    }
}

/// A target name in lower case. Slashes are refused since no documentation says what they do, commas since MemoryDB
/// cannot restore from such objects (MemoryDB API reference, CreateCluster).
fn checked_target(target: &str) -> Result<String, Failure> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if target.is_empty() || target.len() > 200 || !target.bytes().all(fits) {
        return Err(Failure::fatal(format!("`target_name` \"{target}\" cannot be used"))
            .because("1 to 200 letters, digits, hyphens, underscores and dots are allowed")
            .mend("choose another `target_name`, or leave it out"));
    }
    Ok(target.to_ascii_lowercase())
}

fn taken(landing: &Landing, key: &str) -> Failure {
    let what = format!("bucket \"{}\" already contains \"{key}\"", landing.bucket);
    let mut failure = ownership::not_ours(&what, &[]);
    failure.message = format!("{what}, which this run did not write; it was not touched");
    failure.mend("choose another `target_name`, or remove the file yourself if nobody needs it")
}

/// CopySnapshot. No tags are sent: the files in S3 would not carry them.
async fn ask(env: &Env, landing: &Landing, cx: &Cx, before: Call) -> Result<(), Failure> {
    let request = env
        .aws
        .elasticache
        .copy_snapshot()
        .source_snapshot_name(&landing.snapshot)
        .target_snapshot_name(&landing.target)
        .target_bucket(&landing.bucket);
    let asking = env.aws.change(SERVICE, "CopySnapshot", request.send());
    export::ask(env, cx, &landing.bucket, before, asking, || {
        taken(landing, &format!("{}-*.rdb", landing.target))
    })
    .await
}

fn wait(prepared: &Prepared, states: States) -> Wait {
    let landing = &prepared.landing;
    Wait {
        subject: format!("export of snapshot \"{}\"", landing.snapshot),
        service: SERVICE,
        states,
        expected: EXPECTED + Duration::from_secs(prepared.bytes / RATE),
    }
}

async fn wait_landed(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let landing = &prepared.landing;
    let progress = Progress::default();
    let look = || async {
        let view = landing.view(env).await?;
        if view.source.is_none() && !view.complete() {
            return Ok(Seen::gone());
        }
        Ok(progress.seen(cx, &view))
    };
    let why = || async {
        let source_type = match prepared.source_is_node {
            true => SourceType::CacheCluster,
            false => SourceType::ReplicationGroup,
        };
        look::reason(env, source_type, prepared.source.as_deref()?, &landing.snapshot).await
    };
    let failure = match cx.wait(&wait(prepared, STATES), look, why).await {
        Ok(_) => return Ok(()),
        Err(failure) if failure.class == Class::Terminal => failure,
        Err(failure) => return Err(failure),
    };
    let view = landing.view(env).await?;
    let missing = view.objects.len() - view.present();
    if missing == 0 {
        return Ok(());
    }
    if view.present() == 0 && creation::call_state(cx) == Call::Asked {
        // The traces were somebody else's copy: this run's own call never arrived. It may be made again.
        creation::note_call(cx, Call::Refused).await?;
        return Err(Failure::new(Class::Transient, "the export has not begun"));
    }
    creation::note_call(cx, Call::Over).await?;
    let mut ended = Failure::new(
        Class::Terminal,
        format!("the export ended, but {missing} of {} objects are missing", view.objects.len()),
    );
    ended.causes = failure.causes;
    Err(ended.mend(
        "look at the bucket's policy and at CloudTrail for what ElastiCache was denied, then run again",
    ))
}

/// Waits until nothing more can appear, whether the export went well or not.
async fn wait_over(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let progress = Progress::default();
    let look = || async { Ok(progress.seen(cx, &prepared.landing.glance(env).await?)) };
    cx.wait(&wait(prepared, OVER), look, || async { None }).await.map(drop)
}

/// Reads the files.
async fn inspect(env: &Env, landing: &Landing) -> Result<Files, Failure> {
    let objects = landing.objects(env).await?;
    // A cluster restored from fewer files than there are shards comes up without the slots of the others, and says
    // nothing about it.
    if let Some((id, _)) = landing.node_groups.iter().zip(&objects).find(|(_, o)| o.is_none()) {
        return Err(export::vanished(&landing.bucket, &landing.key(id)));
    }
    export::inspect(env, &landing.bucket, objects.into_iter().flatten()).await
}

#[cfg(test)]
mod tests;
