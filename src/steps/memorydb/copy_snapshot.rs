//! `memorydb.copy_snapshot`: a snapshot's RDB files, out to S3.

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

/// Copies a MemoryDB snapshot to S3: one RDB file for each shard, and waits until all of them are there.
///
/// The bucket must be in the snapshot's region, belong to the same account, encrypt with SSE-S3 by default and let
/// `<region>.memorydb-snapshot.amazonaws.com` write; preflight looks at all four. MemoryDB's guide also asks for a bucket
/// whose object ownership is "bucket owner preferred", with ACLs enabled; whether it writes into one without ACLs is
/// documented nowhere: try it once before you rely on it.
///
/// While it runs the snapshot is `copying` and cannot be deleted. Undone by deleting the files this run wrote, by their
/// exact keys. In a bucket that keeps versions that hides them only.
///
/// ```yaml
/// - id: copy
///   memorydb.copy_snapshot: { snapshot: "${{ steps.snapshot.name }}", bucket: exports }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The snapshot to copy; a manual or an automatic one.
    pub(crate) snapshot: String,
    /// The bucket to copy to.
    pub(crate) bucket: String,
    /// What the files are called: `<target_name>-<shard>.rdb`, in lower case. `orc-<run>-export` if left out. No file of
    /// that form may be in the bucket yet.
    #[serde(default)]
    pub(crate) target_name: Option<String>,
}

/// `memorydb.copy_snapshot`.
pub(crate) struct CopySnapshot;

impl Step for CopySnapshot {
    const KIND: &'static str = "memorydb.copy_snapshot";
    const SUMMARY: &'static str = "copy a MemoryDB snapshot to S3 as RDB files";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeSnapshots", "snapshot/{snapshot}", Phases::ALL),
        action("memorydb:CopySnapshot", "snapshot/{snapshot}", Phases::RUN),
        action("memorydb:CopySnapshot", "snapshot/{target_name|orc-*-export*}", Phases::RUN),
        action("memorydb:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        // Through the caller's eyes, as ElastiCache (MemoryDB developer guide, API permissions).
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
    const GUESTS: &'static [Guest] = &[s3::Guest::MemoryDbExports.in_bucket("{bucket}")];
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
        let snapshot =
            snapshot.map_or("the MemoryDB snapshot".to_owned(), |s| format!("snapshot \"{s}\""));
        let bucket = args["bucket"].as_str().unwrap_or("…");
        Sketch {
            does: format!("copy {snapshot} to bucket \"{bucket}\", one RDB file for each shard"),
            undo: Some("delete the copied files".to_owned()),
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
        args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        out::findings(env, Of::MemoryDb, args).await
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
        let prepared = out::prepare(env, cx, Of::MemoryDb, place, (target, given)).await?;
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
