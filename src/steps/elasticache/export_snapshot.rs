//! `elasticache.export_snapshot`: a snapshot's RDB files, out to S3.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::cost::CostEffect;
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::exports::{Exported, Of, out};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, creation, s3};

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
    const EXPECTED: Duration = out::EXPECTED;

    type Spec = Spec;
    type Prepared = out::Prepared;
    type Output = Exported;

    fn check(args: &Value) -> Vec<Fault> {
        let target = args["target_name"].as_str().map(out::checked_target);
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
        out::findings(env, Of::ElastiCache, args).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(out::Prepared, Vec<Resource>), Failure> {
        let (target, given) = match &spec.target_name {
            Some(target) => (out::checked_target(target)?, true),
            None => (creation::default_name(cx, "export", 200), false),
        };
        let place = (spec.snapshot.as_str(), spec.bucket.as_str());
        let prepared = out::prepare(env, cx, Of::ElastiCache, place, (target, given)).await?;
        let resources = out::resources(env, &prepared);
        Ok((prepared, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &out::Prepared,
        cx: &Cx,
    ) -> Result<Done<Exported>, Failure> {
        let (files, adopted) = out::execute(env, prepared, cx).await?;
        let output = Exported::new(&prepared.landing.bucket, files);
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &out::Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        out::undo(env, prepared, cx).await
    }
}

#[cfg(test)]
mod tests;
