//! The way of one snapshot out to S3, whichever service's it is: CopySnapshot with a bucket, the wait, the files.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{self, Files};
use super::landing::{LANDED, Landing, MISSING, Progress};
use super::of::Of;
use crate::aws::s3_object_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Verdict, Wait};
use crate::steps::creation::{self, Call};
use crate::steps::{Env, ownership, s3};

/// Small exports take minutes; no figures are published.
pub(in crate::steps) const EXPECTED: Duration = Duration::from_secs(5 * 60);
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

/// The intent of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(in crate::steps) landing: Landing,
    pub(in crate::steps) bytes: u64,
    /// Where the source's events are, for reasons.
    pub(in crate::steps) source: Option<String>,
    pub(in crate::steps) source_is_node: bool,
}

/// The exported files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Exported {
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

impl Exported {
    pub(in crate::steps) fn new(bucket: &str, files: Files) -> Self {
        let Files { objects, keys, rdb_version, rdb_heads, bytes } = files;
        Self { objects, bucket: bucket.to_owned(), keys, rdb_version, rdb_heads, bytes }
    }
}

/// Whether the bucket is fit, the names are free and the snapshot can be exported, as far as the arguments are known.
pub(in crate::steps) async fn findings(env: &Env, of: Of, args: &Value) -> Vec<Finding> {
    let Some(bucket) = args["bucket"].as_str() else {
        return vec![Finding::cannot_know("bucket.exists", "the bucket is not known yet")];
    };
    let target = args["target_name"].as_str();
    let mut findings = s3::bucket_findings(env, bucket, of.guest(), target).await;
    if !s3::out_of_reach(&findings) {
        let (notes, names) =
            futures::join!(s3::bucket_notes(env, bucket), names(env, of, bucket, target));
        findings.extend(notes);
        findings.push(names);
    }
    if let Some(name) = args["snapshot"].as_str() {
        findings.push(match of.exportable(env, name).await {
            Ok(_) => Finding::ok("export.snapshot", format!("snapshot \"{name}\" can be exported")),
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

/// Decides what will be written where. `target` is checked already.
///
/// # Errors
/// If the snapshot cannot be exported now, the bucket is unfit, or files are in the way.
pub(in crate::steps) async fn prepare(
    env: &Env,
    cx: &Cx,
    of: Of,
    (snapshot, bucket): (&str, &str),
    (target, given): (String, bool),
) -> Result<Prepared, Failure> {
    let found = of.exportable(env, snapshot).await?;
    let landing = Landing {
        of,
        snapshot: snapshot.to_ascii_lowercase(),
        bucket: bucket.to_owned(),
        target,
        node_groups: found.shards,
    };
    bucket_fits(env, cx, of, bucket, given.then_some(landing.target.as_str())).await?;
    // Nothing has been asked for yet, so whatever lies there is somebody else's.
    let there = landing.in_the_way(env).await?;
    if let Some(object) = there.first() {
        return Err(taken(&landing, &object.key));
    }
    Ok(Prepared {
        landing,
        bytes: found.bytes,
        source_is_node: found.source_is_node,
        source: found.source,
    })
}

/// That the service can write to the bucket, as far as one can know.
///
/// # Errors
/// `Fatal` with the mend.
pub(in crate::steps) async fn bucket_fits(
    env: &Env,
    cx: &Cx,
    of: Of,
    bucket: &str,
    target: Option<&str>,
) -> Result<(), Failure> {
    for finding in s3::bucket_findings(env, bucket, of.guest(), target).await {
        match finding.verdict {
            Verdict::WillFail => {
                return Err(Failure::fatal(finding.what).mend(finding.mend.unwrap_or_default()));
            }
            Verdict::CannotKnow => cx.warn(finding.what),
            Verdict::Ok => {}
        }
    }
    Ok(())
}

/// The files that will be written.
pub(in crate::steps) fn resources(env: &Env, prepared: &Prepared) -> Vec<Resource> {
    let landing = &prepared.landing;
    let resource = |id: &String| {
        let key = landing.key(id);
        Resource {
            what: "S3 object".to_owned(),
            arn: Some(s3_object_arn(&env.identity, &landing.bucket, &key)),
            name: format!("s3://{}/{key}", landing.bucket),
            role: Role::Creates,
        }
    };
    landing.node_groups.iter().map(resource).collect()
}

/// Exports, or takes up what an earlier attempt began. Gives the files, and whether it was the latter.
///
/// # Errors
/// As a step's `execute`.
pub(in crate::steps) async fn execute(
    env: &Env,
    prepared: &Prepared,
    cx: &Cx,
) -> Result<(Files, bool), Failure> {
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
        Call::Asked => call::begun(cx, &view, || landing.view(env)).await?,
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
    Ok((files, asked_earlier))
}

/// Deletes what the export wrote, as far as it got.
///
/// # Errors
/// As a step's `undo`.
pub(in crate::steps) async fn undo(
    env: &Env,
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
            if call::begun(cx, &view, || landing.view(env)).await? {
                wait_over(env, prepared, cx).await?;
            }
        }
        Call::Over => {}
    }
    let there = landing.objects(env).await?.into_iter().flatten();
    let did = call::remove(env, &landing.bucket, there).await?;
    if let Some(left) = landing.objects(env).await?.into_iter().flatten().next() {
        return Err(Failure::new(
            Class::Transient,
            format!("s3://{}/{} is still there after its deletion", landing.bucket, left.key),
        ));
    }
    creation::note_call(cx, Call::Over).await?;
    Ok(did)
}

/// Whether files are in the bucket that an export would have to write.
async fn names(env: &Env, of: Of, bucket: &str, target: Option<&str>) -> Finding {
    const CHECK: &str = "bucket.names";
    let Some(target) = target else {
        return Finding::ok(
            CHECK,
            "the exported files are named after the run: no other has those names",
        );
    };
    let landing = Landing {
        of,
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

/// A target name in lower case. Slashes are refused since no documentation says what they do, commas since MemoryDB
/// cannot restore from such objects (MemoryDB API reference, CreateCluster).
///
/// # Errors
/// `Fatal`, saying which rule it breaks.
pub(in crate::steps) fn checked_target(target: &str) -> Result<String, Failure> {
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
    let place = (landing.of.guest(), landing.bucket.as_str());
    let in_the_way = || taken(landing, &format!("{}-*.rdb", landing.target));
    match landing.of {
        Of::ElastiCache => {
            let request = env
                .aws
                .elasticache
                .copy_snapshot()
                .source_snapshot_name(&landing.snapshot)
                .target_snapshot_name(&landing.target)
                .target_bucket(&landing.bucket);
            let asking = env.aws.change("ElastiCache", "CopySnapshot", request.send());
            call::ask(env, cx, place, before, asking, in_the_way).await
        }
        Of::MemoryDb => {
            let request = env
                .aws
                .memorydb
                .copy_snapshot()
                .source_snapshot_name(&landing.snapshot)
                .target_snapshot_name(&landing.target)
                .target_bucket(&landing.bucket);
            let asking = env.aws.change("MemoryDB", "CopySnapshot", request.send());
            call::ask(env, cx, place, before, asking, in_the_way).await
        }
    }
}

fn wait(prepared: &Prepared, states: States) -> Wait {
    let landing = &prepared.landing;
    Wait {
        subject: format!("export of snapshot \"{}\"", landing.snapshot),
        service: landing.of.service(),
        states,
        expected: EXPECTED + Duration::from_secs(prepared.bytes / RATE),
    }
}

async fn wait_landed(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let landing = &prepared.landing;
    let progress = Progress::default();
    let watch = landing.of.watch(env, &landing.snapshot);
    let look = || async {
        let view = landing.watched(env, cx, &watch).await?;
        if view.source.is_none() && !view.complete() {
            return Ok(Seen::gone());
        }
        Ok(progress.seen(cx, &view))
    };
    let why = || async {
        let source = (prepared.source.as_deref()?, prepared.source_is_node);
        landing.of.reason(env, source, &landing.snapshot).await
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
    Err(ended.mend(format!(
        "look at the bucket's policy and at CloudTrail for what {} was denied, then run again",
        landing.of.service()
    )))
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
        return Err(call::vanished(&landing.bucket, &landing.key(id)));
    }
    call::inspect(env, &landing.bucket, objects.into_iter().flatten()).await
}
