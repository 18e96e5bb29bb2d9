//! `elasticache.export_serverless_snapshot`: a serverless snapshot's RDB files, out to S3.

use std::time::Duration;

use aws_sdk_elasticache::types::ServerlessCacheSnapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::arrivals::Arrivals;
use super::look::SERVICE;
use super::serverless;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Verdict, Wait};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::exports::{Files, LANDED, MISSING, Progress, call as export};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership, s3};

/// Small exports take minutes; no figures are published.
const EXPECTED: Duration = Duration::from_secs(5 * 60);
/// Bytes a second that a large export is expected to write; a guess that only spaces the looks.
const RATE: u64 = 60 << 20;
/// What a serverless snapshot shows while it is exported is not documented: these are the words for other exports.
const STATES: States = States {
    pending: &["available", "exporting", "copying", "creating"],
    success: &[LANDED],
    terminal: &[MISSING, "failed", "deleting"],
};
const OVER: States = States {
    pending: &["available", "exporting", "copying", "creating", "deleting"],
    success: &[LANDED, MISSING, "failed", GONE],
    terminal: &[],
};

/// Exports a snapshot of a serverless cache to S3 as RDB files, and waits until they are there.
///
/// AWS lets nobody choose what the files are called, and documents neither their names nor their number; they begin with
/// the snapshot's name. So the step lists the bucket before it asks, and what is new under that name afterwards is the
/// export: one file or several. Let nobody else export under a name that begins with this snapshot's meanwhile.
///
/// **That all files are there cannot be proved**: AWS says nothing when an export is complete, only when it failed. The
/// step takes it for complete when the snapshot is `available` again and the listing has stayed the same for a minute;
/// if it never saw the snapshot leave `available`, for five. Compare the restored cluster with the source before
/// anything is switched (`redis.compare`).
///
/// The bucket must be in the snapshot's region, belong to the same account, encrypt with SSE-S3 by default (MemoryDB
/// restores from nothing else) and let `<region>.elasticache-snapshot.amazonaws.com` in; preflight looks at all four and
/// says which statement is missing. The caller needs `s3:ListAllMyBuckets` on `*` besides, as for other exports.
///
/// Undone by deleting the files this run wrote, by their exact keys. In a bucket that keeps versions that hides them
/// only.
///
/// ```yaml
/// - id: export
///   elasticache.export_serverless_snapshot: { snapshot: "${{ steps.snapshot.name }}", bucket: exports }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The snapshot to export.
    pub(crate) snapshot: String,
    /// The bucket to export to. Nothing called `<snapshot>.rdb` or `<snapshot>-<number>.rdb` may be in it yet.
    pub(crate) bucket: String,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    arrivals: Arrivals,
    bytes: u64,
}

/// The exported files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Their ARNs, in the order of their keys: what `memorydb.create_cluster` restores from.
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

/// `elasticache.export_serverless_snapshot`.
pub(crate) struct ExportServerlessSnapshot;

impl Step for ExportServerlessSnapshot {
    const KIND: &'static str = "elasticache.export_serverless_snapshot";
    const SUMMARY: &'static str = "export a serverless cache's snapshot to S3 as RDB files";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeServerlessCacheSnapshots",
            "serverlesscachesnapshot:*",
            Phases::ALL,
        ),
        action(
            "elasticache:ExportServerlessCacheSnapshot",
            "serverlesscachesnapshot:{snapshot}",
            Phases::RUN,
        ),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        // As for CopySnapshot (ElastiCache user guide, exporting a backup): one page describes both.
        action("s3:ListAllMyBuckets", "*", Phases::RUN),
        action("s3:GetBucketLocation", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetEncryptionConfiguration", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketPolicy", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketAcl", "{bucket}", Phases::PLAN_RUN),
        action("s3:ListBucket", "{bucket}", Phases::ALL),
        action("s3:PutObject", "{bucket}/*", Phases::RUN),
        action("s3:GetObject", "{bucket}/*", Phases::RUN),
        action("s3:DeleteObject", "{bucket}/*", Phases::RUN_UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[
        ("objects", "{bucket}/{snapshot:lower}*"),
        ("keys", "{snapshot:lower}*"),
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
        s3::bucket_fault(args).into_iter().collect()
    }

    fn sketch(args: &Value) -> Sketch {
        let snapshot = args["snapshot"].as_str();
        let snapshot = snapshot.map_or("the serverless snapshot".to_owned(), |s| {
            format!("serverless snapshot \"{s}\"")
        });
        let bucket = args["bucket"].as_str().unwrap_or("…");
        Sketch {
            does: format!("export {snapshot} to bucket \"{bucket}\", as RDB files that AWS names"),
            undo: Some("delete the exported files".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let snapshot = args["snapshot"].as_str().unwrap_or("<snapshot>").to_ascii_lowercase();
        vec![Touch::creates(format!("S3 objects s3://{bucket}/{snapshot}*, named by AWS"))]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::S3Objects { bytes: cargo.bytes, files: cargo.files }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let snapshot = args["snapshot"].as_str().map(|s| Need::ServerlessSnapshot(s.to_owned()));
        let bucket = args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned()));
        snapshot.into_iter().chain(bucket).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(bucket) = args["bucket"].as_str() else {
            return vec![Finding::cannot_know("bucket.exists", "the bucket is not known yet")];
        };
        let mut findings = s3::bucket_findings(env, bucket, s3::Guest::ElastiCache, None).await;
        if let Some(name) = args["snapshot"].as_str() {
            findings.push(match source(env, name).await {
                Ok(_) => Finding::ok(
                    "export.snapshot",
                    format!("serverless snapshot \"{name}\" can be exported"),
                ),
                Err(failure) => Finding::of("export.snapshot", &failure),
            });
            findings.push(match arrivals(env, name, bucket).await {
                Ok(_) => Finding::ok(
                    "export.names",
                    format!(
                        "nothing in bucket \"{bucket}\" is in the way of files called \"{name}-…\""
                    ),
                ),
                Err(failure) => Finding::of("export.names", &failure),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let found = source(env, &spec.snapshot).await?;
        for finding in s3::bucket_findings(env, &spec.bucket, s3::Guest::ElastiCache, None).await {
            match finding.verdict {
                Verdict::WillFail => {
                    return Err(Failure::fatal(finding.what).mend(finding.mend.unwrap_or_default()));
                }
                Verdict::CannotKnow => cx.warn(finding.what),
                Verdict::Ok => {}
            }
        }
        let arrivals = arrivals(env, &spec.snapshot, &spec.bucket).await?;
        let resource = Resource {
            what: "S3 objects".to_owned(),
            name: format!("s3://{}/{}*", arrivals.bucket, arrivals.snapshot),
            // Their names are AWS's to choose.
            arn: None,
            role: Role::Creates,
        };
        Ok((Prepared { arrivals, bytes: serverless::bytes(&found) }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let arrivals = &prepared.arrivals;
        let what = format!(
            "failed to export serverless snapshot \"{}\" to bucket \"{}\"",
            arrivals.snapshot, arrivals.bucket
        );
        let before = creation::call_state(cx);
        let asked_earlier = match before {
            Call::Taken => true,
            // The call was made and its answer is not known: look for its traces before making it again.
            Call::Asked => {
                let view = arrivals.view(env).await?;
                export::begun(cx, &view, || arrivals.view(env)).await?
            }
            Call::Never | Call::Refused | Call::Over => {
                if let Some(object) = arrivals.objects(env).await?.first() {
                    return Err(taken(arrivals, &object.key).context(what));
                }
                false
            }
        };
        if !asked_earlier {
            ask(env, arrivals, cx, before).await.map_err(|f| f.context(what.clone()))?;
        }
        let keys = match noted_keys(cx) {
            Some(keys) => keys,
            None => {
                wait_landed(env, prepared, cx).await.map_err(|f| f.context(what.clone()))?;
                let keys = arrivals.objects(env).await?.into_iter().map(|object| object.key);
                let keys: Vec<String> = keys.collect();
                // From here on these are the export, whatever else may come under the snapshot's name.
                note_keys(cx, Call::Taken, &keys).await?;
                keys
            }
        };
        let files = inspect(env, arrivals, &keys).await.map_err(|f| f.context(what))?;
        let Files { objects, keys, rdb_version, rdb_heads, bytes } = files;
        let bucket = arrivals.bucket.clone();
        let output = Output { objects, bucket, keys, rdb_version, rdb_heads, bytes };
        Ok(if asked_earlier { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let arrivals = &prepared.arrivals;
        let known = noted_keys(cx);
        match creation::call_state(cx) {
            // Nothing was ever asked for, or what was asked for was refused: nothing in the bucket can be this run's.
            Call::Never | Call::Refused => return Ok(Vec::new()),
            Call::Taken if known.is_some() => {}
            // Files that appear after the deletion would stay: let the export end first.
            Call::Taken => wait_over(env, prepared, cx).await?,
            Call::Asked => {
                let view = arrivals.view(env).await?;
                if export::begun(cx, &view, || arrivals.view(env)).await? {
                    wait_over(env, prepared, cx).await?;
                }
            }
            Call::Over => {}
        }
        let there = || async {
            let mut objects = arrivals.objects(env).await?;
            objects.retain(|o| known.as_ref().is_none_or(|known| known.contains(&o.key)));
            Ok::<_, Failure>(objects)
        };
        let found = there().await?;
        let keys = known.clone().unwrap_or_else(|| found.iter().map(|o| o.key.clone()).collect());
        let did = export::remove(env, &arrivals.bucket, found).await?;
        if let Some(left) = there().await?.first() {
            return Err(Failure::new(
                Class::Transient,
                format!("s3://{}/{} is still there after its deletion", arrivals.bucket, left.key),
            ));
        }
        note_keys(cx, Call::Over, &keys).await?;
        Ok(did)
    }
}

/// The keys of the export, once they are known. Kept in the step's note, beside how far the call got.
fn noted_keys(cx: &Cx) -> Option<Vec<String>> {
    serde_json::from_value(cx.noted()?.get("keys")?.clone()).ok()
}

async fn note_keys(cx: &Cx, state: Call, keys: &[String]) -> Result<(), Failure> {
    let note = json!({ "call": state, "keys": keys });
    if cx.noted().as_ref() == Some(&note) { Ok(()) } else { cx.note(note).await }
}

/// The snapshot, if it can be exported now.
async fn source(env: &Env, name: &str) -> Result<ServerlessCacheSnapshot, Failure> {
    let found = serverless::snapshot(env, &name.to_ascii_lowercase()).await?.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no serverless snapshot \"{name}\"")).mend(
            format!(
                "aws elasticache describe-serverless-cache-snapshots --region {} lists them",
                env.identity.region
            ),
        )
    })?;
    match serverless::status(&found).as_str() {
        "available" => Ok(found),
        status @ ("failed" | "create-failed" | "deleting") => Err(Failure::fatal(format!(
            "serverless snapshot \"{name}\" is {status} and cannot be exported"
        ))),
        status => Err(Failure::new(
            Class::Busy,
            format!(
                "serverless snapshot \"{name}\" is {status}; it can be exported when it is available"
            ),
        )),
    }
}

/// What lies in the bucket before the export, unless some of it is in the way.
async fn arrivals(env: &Env, snapshot: &str, bucket: &str) -> Result<Arrivals, Failure> {
    let snapshot = snapshot.to_ascii_lowercase();
    let there = Arrivals::list(env, bucket, &snapshot).await?;
    let before = there.into_iter().map(|object| object.key).collect();
    let arrivals = Arrivals { snapshot, bucket: bucket.to_owned(), before };
    match arrivals.in_the_way() {
        Some(key) => Err(taken(&arrivals, key)),
        None => Ok(arrivals),
    }
}

fn taken(arrivals: &Arrivals, key: &str) -> Failure {
    let what = format!("bucket \"{}\" already contains \"{key}\"", arrivals.bucket);
    let mut failure = ownership::not_ours(&what, &[]);
    failure.message = format!("{what}, which this run did not write; it was not touched");
    failure.mend(format!(
        "export to another bucket or from a snapshot of another name, or remove the file yourself if nobody needs it: AWS \
         names the files after snapshot \"{}\"",
        arrivals.snapshot
    ))
}

/// ExportServerlessCacheSnapshot.
async fn ask(env: &Env, arrivals: &Arrivals, cx: &Cx, before: Call) -> Result<(), Failure> {
    let request = env
        .aws
        .elasticache
        .export_serverless_cache_snapshot()
        .serverless_cache_snapshot_name(&arrivals.snapshot)
        .s3_bucket_name(&arrivals.bucket);
    let asking = env.aws.change(SERVICE, "ExportServerlessCacheSnapshot", request.send());
    export::ask(env, cx, (s3::Guest::ElastiCache, &arrivals.bucket), before, asking, || {
        taken(arrivals, &format!("{}*", arrivals.snapshot))
    })
    .await
}

fn wait(prepared: &Prepared, states: States) -> Wait {
    Wait {
        subject: format!("export of serverless snapshot \"{}\"", prepared.arrivals.snapshot),
        service: SERVICE,
        states,
        expected: EXPECTED + Duration::from_secs(prepared.bytes / RATE),
    }
}

async fn wait_landed(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let arrivals = &prepared.arrivals;
    let progress = Progress::default();
    let look = || async {
        let view = arrivals.glance(env).await?;
        if view.source.is_none() && view.present() == 0 {
            return Ok(Seen::gone());
        }
        Ok(progress.seen(cx, &view))
    };
    let subject = format!("bucket '{}'", arrivals.bucket);
    let why = || serverless::reason(env, &arrivals.snapshot, &subject);
    let failure = match cx.wait(&wait(prepared, STATES), look, why).await {
        Ok(_) => return Ok(()),
        Err(failure) if failure.class == Class::Terminal => failure,
        Err(failure) => return Err(failure),
    };
    if creation::call_state(cx) == Call::Asked {
        // The traces were somebody else's export: this run's own call never arrived. It may be made again.
        creation::note_call(cx, Call::Refused).await?;
        return Err(Failure::new(Class::Transient, "the export has not begun"));
    }
    creation::note_call(cx, Call::Over).await?;
    let mut ended = Failure::new(
        Class::Terminal,
        format!(
            "the export ended, and bucket \"{}\" has no new file under \"{}\"",
            arrivals.bucket, arrivals.snapshot
        ),
    );
    ended.causes = failure.causes;
    Err(ended.mend(
        "look at the bucket's policy and at CloudTrail for what ElastiCache was denied, then run again",
    ))
}

/// Waits until nothing more can appear, whether the export went well or not.
async fn wait_over(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let progress = Progress::default();
    let look = || async { Ok(progress.seen(cx, &prepared.arrivals.glance(env).await?)) };
    cx.wait(&wait(prepared, OVER), look, || async { None }).await.map(drop)
}

/// Reads the files that the export was found to be.
async fn inspect(env: &Env, arrivals: &Arrivals, keys: &[String]) -> Result<Files, Failure> {
    let objects = arrivals.objects(env).await?;
    if let Some(key) = keys.iter().find(|key| !objects.iter().any(|o| o.key == **key)) {
        return Err(export::vanished(&arrivals.bucket, key));
    }
    let ours = objects.into_iter().filter(|object| keys.contains(&object.key));
    export::inspect(env, &arrivals.bucket, ours).await
}

#[cfg(test)]
mod tests;
