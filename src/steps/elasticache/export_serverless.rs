//! `elasticache.export_serverless`: a serverless cache, out to S3, verified and recorded.

use std::time::Duration;

use futures::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::create_serverless_snapshot::{self as snapshot, CreateServerlessSnapshot};
use super::export_serverless_snapshot::{self as export, ExportServerlessSnapshot};
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::exports::latest::{self, Found, Output};
use crate::steps::exports::manifest::{self, Manifest, Service, Source};
use crate::steps::exports::{Of, Tolerance, out};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, s3};

/// The snapshot, in permissions. AWS names the files after it, and the manifest lies beside them.
const MADE: &str = "serverlesscachesnapshot:{serverless_cache:lower}-*";

/// Exports a serverless cache to S3: takes a snapshot, exports it, reads every file to its end, records it, and deletes the
/// snapshot.
///
/// The snapshot is a manual one, of which AWS allows 24 of a cache in 24 hours: nothing that AWS documents says that the
/// automatic ones of a serverless cache can be exported. The cache stays available meanwhile. `keep_snapshot` leaves it.
///
/// Files, sizes, manifest and what a rollback keeps are as for `elasticache.export_latest`; with one difference. AWS
/// documents neither how many files a serverless cache gives nor an end of the export (see
/// `elasticache.export_serverless_snapshot`), so **that all files are there is not proved**: it is taken for complete when
/// the snapshot is free again and nothing new has come for a while. A file that is missing shows in the size, held against
/// the last exports, and in a restore drill.
///
/// ```yaml
/// - id: export
///   elasticache.export_serverless: { serverless_cache: prod, bucket: acme-exports }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The serverless cache.
    serverless_cache: String,
    /// The bucket: as for `elasticache.export_snapshot`.
    bucket: String,
    /// By how many hundredths the size may differ from the middle of the last five exports.
    #[serde(default = "band_percent")]
    band_percent: u32,
    /// Takes the size as it is, whatever the exports before it had; those after it are held against this one. For the run
    /// after a cluster has grown or shrunk for good.
    #[serde(default)]
    accept_size: bool,
    /// Whether the snapshot stays.
    #[serde(default)]
    keep_snapshot: bool,
}

fn band_percent() -> u32 {
    latest::BAND_PERCENT
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    cache: String,
    bucket: String,
    /// What snapshot and files are called.
    target: String,
    snapshot: snapshot::Prepared,
}

/// `elasticache.export_serverless`.
pub(crate) struct ExportServerless;

impl Step for ExportServerless {
    const KIND: &'static str = "elasticache.export_serverless";
    const SUMMARY: &'static str = "export a serverless cache, verified and recorded";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeServerlessCaches",
            "serverlesscache:{serverless_cache}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DescribeServerlessCacheSnapshots",
            "serverlesscachesnapshot:*",
            Phases::ALL,
        ),
        action("elasticache:ListTagsForResource", MADE, Phases::RUN_UNDO),
        action(
            "elasticache:CreateServerlessCacheSnapshot",
            "serverlesscache:{serverless_cache}",
            Phases::RUN,
        ),
        action("elasticache:CreateServerlessCacheSnapshot", MADE, Phases::RUN),
        action("elasticache:AddTagsToResource", MADE, Phases::RUN),
        action("elasticache:ExportServerlessCacheSnapshot", MADE, Phases::RUN),
        action("elasticache:DeleteServerlessCacheSnapshot", MADE, Phases::RUN_UNDO),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("s3:ListAllMyBuckets", "*", Phases::RUN),
        action("s3:GetBucketLocation", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetEncryptionConfiguration", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketOwnershipControls", "{bucket}", Phases::PLAN)
            .helps("whose the exported files will be is not told"),
        action("s3:GetBucketVersioning", "{bucket}", Phases::PLAN)
            .helps("whether an undo leaves versions behind is not told"),
        action("s3:GetBucketObjectLockConfiguration", "{bucket}", Phases::PLAN)
            .helps("whether an undo can remove the files is not told"),
        action("s3:GetBucketPolicy", "{bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketAcl", "{bucket}", Phases::PLAN_RUN),
        action("s3:ListBucket", "{bucket}", Phases::RUN_UNDO),
        action("s3:PutObject", "{bucket}/*", Phases::RUN),
        action("s3:GetObject", "{bucket}/*", Phases::RUN_UNDO),
        action("s3:DeleteObject", "{bucket}/*", Phases::RUN_UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[
        ("objects", "{bucket}/{serverless_cache:lower}-*"),
        ("manifest", "s3://{bucket}/{serverless_cache:lower}-*"),
        ("bucket", "{bucket}"),
        ("cluster", "{serverless_cache:lower}"),
    ];
    const GUESTS: &'static [Guest] = &[s3::Guest::ElastiCache.in_bucket("{bucket}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = Duration::from_secs(15 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        latest::faults(args, "serverless_cache")
    }

    fn sketch(args: &Value) -> Sketch {
        let text = |name: &str| args[name].as_str().unwrap_or("…").to_owned();
        Sketch {
            does: format!(
                "export a new snapshot of serverless cache \"{}\" to bucket \"{}\"; read every file, write the manifest{}",
                text("serverless_cache"),
                text("bucket"),
                Tolerance::words(args)
            ),
            undo: Some("delete what has no manifest yet; a verified export is kept".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let of = args["serverless_cache"].as_str().unwrap_or("<cache>").to_ascii_lowercase();
        vec![
            Touch::creates(format!("ElastiCache serverless snapshot \"{of}-<run>-<step>\"")),
            Touch::creates(format!("S3 objects s3://{bucket}/{of}-<run>-<step>*, named by AWS")),
            Touch::creates(format!("S3 object s3://{bucket}/{of}-<run>-<step>.manifest.json")),
        ]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        let Cargo { bytes, files } = cargo;
        vec![CostEffect::S3Objects { bytes, files }, CostEffect::S3Reads { bytes, files }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let cache = args["serverless_cache"].as_str().map(|c| Need::ServerlessCache(c.to_owned()));
        let bucket = args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned()));
        cache.into_iter().chain(bucket).collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let cache = json!({ "serverless_cache": args["serverless_cache"] });
        let mut findings = CreateServerlessSnapshot::preflight(env, &cache, cx).await;
        match args["bucket"].as_str() {
            None => {
                findings.push(Finding::cannot_know("bucket.exists", "the bucket is not known yet"))
            }
            Some(bucket) => {
                let found = s3::bucket_findings(env, bucket, s3::Guest::ElastiCache, None).await;
                let notes = !s3::out_of_reach(&found);
                findings.extend(found);
                if notes {
                    findings.extend(s3::bucket_notes(env, bucket).await);
                }
            }
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let cache = spec.serverless_cache.to_ascii_lowercase();
        out::bucket_fits(env, cx, Of::ElastiCache, &spec.bucket, None).await?;
        let target = manifest::target(cx, &cache);
        let wanted = snapshot_spec(&cache, &target);
        let (snapshot, mut resources) =
            CreateServerlessSnapshot::prepare(env, &wanted, &cx.part("snapshot"))
                .boxed_local()
                .await?;
        resources.push(Resource {
            what: latest::EXPORT.to_owned(),
            name: format!("s3://{}/{target}*", spec.bucket),
            arn: None,
            role: Role::Creates,
        });
        Ok((Prepared { cache, bucket: spec.bucket.clone(), target, snapshot }, resources))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let Prepared { bucket, target, .. } = prepared;
        let key = manifest::key_of(target);
        // Once it is there everything before it is done, and must not be done again: the snapshot may be gone by then.
        let (manifest, adopted) = match manifest::ours(env, cx, bucket, &key).await? {
            Some(manifest) => (manifest, true),
            None => {
                let manifest = exported(env, cx, spec, prepared).boxed_local().await?;
                manifest::write(env, cx, &key, &manifest).await.map_err(|failure| {
                    let cache = &prepared.cache;
                    failure.context(format!("the export of \"{cache}\" is there and not recorded"))
                })?;
                (manifest, false)
            }
        };
        if !spec.keep_snapshot {
            untake(env, cx, prepared).await?;
        }
        let output = Output::of(env, &key, &manifest);
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let Prepared { bucket, target, .. } = prepared;
        let mut did = Vec::new();
        let key = manifest::key_of(target);
        if manifest::ours(env, cx, bucket, &key).await?.is_some() {
            did.push(format!("kept the verified export s3://{bucket}/{key}"));
        } else if let Some(intent) = noted(cx)? {
            let (part, wanted) = (cx.part("export"), export_spec(prepared));
            let undo = ExportServerlessSnapshot::undo(env, &wanted, &intent, &part);
            did.extend(undo.boxed_local().await?);
        }
        did.extend(untake(env, cx, prepared).await?);
        Ok(did)
    }
}

fn snapshot_spec(cache: &str, name: &str) -> snapshot::Spec {
    snapshot::Spec { serverless_cache: cache.to_owned(), name: Some(name.to_owned()) }
}

fn export_spec(prepared: &Prepared) -> export::Spec {
    export::Spec { snapshot: prepared.target.clone(), bucket: prepared.bucket.clone() }
}

/// The intent of the export proper, which could not be known before the snapshot was there.
fn noted(cx: &Cx) -> Result<Option<export::Prepared>, Failure> {
    let Some(noted) = cx.part("landing").noted() else { return Ok(None) };
    serde_json::from_value(noted).map(Some).map_err(|error| {
        Failure::fatal("what was noted of the export does not read back").because(error.to_string())
    })
}

async fn exported(
    env: &Env,
    cx: &Cx,
    spec: &Spec,
    prepared: &Prepared,
) -> Result<Manifest, Failure> {
    let Prepared { cache, bucket, target, snapshot } = prepared;
    let (part, wanted) = (cx.part("snapshot"), snapshot_spec(cache, target));
    let done = CreateServerlessSnapshot::execute(env, &wanted, snapshot, &part);
    let taken = latest::output(done.boxed_local().await?)?;
    let (part, wanted) = (cx.part("export"), export_spec(prepared));
    let intent = match noted(cx)? {
        Some(intent) => intent,
        None => {
            let (intent, _) =
                ExportServerlessSnapshot::prepare(env, &wanted, &part).boxed_local().await?;
            cx.part("landing").note(latest::json(&intent)?).await?;
            intent
        }
    };
    let done = ExportServerlessSnapshot::execute(env, &wanted, &intent, &part);
    let files = latest::output(done.boxed_local().await?)?;
    let found = Found {
        service: Service::ElastiCacheServerless,
        taken_at: taken.created_at.parse().ok(),
        source: Source {
            snapshot: taken.name,
            arn: taken.arn,
            automatic: false,
            engine: taken.engine,
            engine_version: taken.engine_version,
            node_type: String::new(),
        },
        keys: files.keys,
    };
    let tolerance = Tolerance { band_percent: spec.band_percent, accept_size: spec.accept_size };
    latest::verified(env, cx, (cache, bucket), found, tolerance).boxed_local().await
}

async fn untake(env: &Env, cx: &Cx, prepared: &Prepared) -> Result<Vec<String>, Failure> {
    let wanted = snapshot_spec(&prepared.cache, &prepared.target);
    let part = cx.part("snapshot");
    CreateServerlessSnapshot::undo(env, &wanted, &prepared.snapshot, &part).boxed_local().await
}
