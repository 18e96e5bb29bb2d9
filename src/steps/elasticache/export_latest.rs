//! `elasticache.export_latest`: the newest snapshot of a replication group, out to S3, verified and recorded.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::cost::CostEffect;
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::{Foreseen, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::exports::latest::{self, Output, Prepared, Wanted};
use crate::steps::exports::{Of, Tolerance};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, s3};

/// The snapshot that is taken where no automatic one will do, in permissions.
const MADE: &str = "snapshot:orc-*-snapshot*";
/// The automatic ones. With cluster mode off they are named after a node.
const AUTOMATIC: &str = "snapshot:automatic.{replication_group}-*";

/// Exports the newest snapshot of a replication group to S3, reads every file to its end, and records it.
///
/// The newest **automatic** snapshot is exported if it is no older than `max_age`: that uses none of the 20 manual
/// snapshots that AWS allows in a day, and does not touch the group. Where there is none a manual one is taken,
/// exported, and deleted again unless `keep_snapshot` says otherwise. A snapshot that was exported to this bucket before
/// is not exported twice: the step then gives the export that is there.
///
/// Every file is read to its last byte: format, checksum, keys. The size of all is held against the last exports of the
/// same group; with none it is said that it was held against nothing. Then one file is written beside them,
/// `<group>-<run>-<step>.manifest.json`: files, versions, checksums, key counts. **An export without a manifest is no
/// export**, and nothing that this program does ever uses or deletes one.
///
/// A rollback removes what has no manifest yet, and the manual snapshot. An export that has one is kept: that a later step
/// failed makes no backup bad.
///
/// ```yaml
/// - id: export
///   elasticache.export_latest: { replication_group: prod, bucket: acme-exports }
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    replication_group: String,
    /// The bucket: as for `elasticache.export_snapshot`.
    bucket: String,
    /// How old an automatic snapshot may be, such as `26h`. `0s` takes a manual one always.
    #[serde(default = "max_age")]
    #[schemars(extend("x-format" = "duration"))]
    max_age: String,
    /// By how many hundredths the size may differ from the middle of the last five exports.
    #[serde(default = "band_percent")]
    band_percent: u32,
    /// Takes the size as it is, whatever the exports before it had; those after it are held against this one. For the run
    /// after a cluster has grown or shrunk for good.
    #[serde(default)]
    accept_size: bool,
    /// Whether a manual snapshot that the step takes stays.
    #[serde(default)]
    keep_snapshot: bool,
}

fn max_age() -> String {
    latest::MAX_AGE.to_owned()
}

fn band_percent() -> u32 {
    latest::BAND_PERCENT
}

impl Spec {
    fn wanted(&self) -> Wanted {
        Wanted {
            of: Of::ElastiCache,
            cluster: self.replication_group.clone(),
            bucket: self.bucket.clone(),
            max_age: self.max_age.clone(),
            tolerance: Tolerance { band_percent: self.band_percent, accept_size: self.accept_size },
            keep_snapshot: self.keep_snapshot,
        }
    }
}

/// `elasticache.export_latest`.
pub(crate) struct ExportLatest;

impl Step for ExportLatest {
    const KIND: &'static str = "elasticache.export_latest";
    const SUMMARY: &'static str =
        "export the newest snapshot of a replication group, verified and recorded";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        ),
        // Those of the group or of one of its nodes: a list by source is asked for on every snapshot.
        action("elasticache:DescribeSnapshots", "*", Phases::PLAN_RUN),
        action("elasticache:DescribeSnapshots", MADE, Phases::UNDO),
        action("elasticache:DescribeSnapshots", AUTOMATIC, Phases::UNDO),
        action("elasticache:ListTagsForResource", MADE, Phases::RUN_UNDO),
        action("elasticache:CreateSnapshot", "replicationgroup:{replication_group}", Phases::RUN),
        action("elasticache:CreateSnapshot", "cluster:{replication_group}-*", Phases::RUN),
        action("elasticache:CreateSnapshot", MADE, Phases::RUN),
        action("elasticache:AddTagsToResource", MADE, Phases::RUN),
        action("elasticache:CopySnapshot", AUTOMATIC, Phases::RUN),
        action("elasticache:CopySnapshot", MADE, Phases::RUN),
        action("elasticache:CopySnapshot", "snapshot:{replication_group}-*", Phases::RUN),
        action("elasticache:DeleteSnapshot", MADE, Phases::RUN_UNDO),
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
        ("objects", "{bucket}/{replication_group:lower}-*.rdb"),
        ("manifest", "s3://{bucket}/{replication_group:lower}-*"),
        ("bucket", "{bucket}"),
        ("cluster", "{replication_group:lower}"),
    ];
    const GUESTS: &'static [Guest] = &[s3::Guest::ElastiCache.in_bucket("{bucket}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
    const EXPECTED: Duration = latest::EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        latest::faults(args, "replication_group")
    }

    fn sketch(args: &Value) -> Sketch {
        let of = args["replication_group"].as_str();
        let of = of.map_or("a replication group".to_owned(), |name| {
            format!("replication group \"{name}\"")
        });
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let age = args["max_age"].as_str().unwrap_or(latest::MAX_AGE);
        Sketch {
            does: format!(
                "export the newest automatic snapshot of {of} to bucket \"{bucket}\", or a manual one if it is older \
                 than {age}; read every file, write the manifest{}",
                Tolerance::words(args)
            ),
            undo: Some("delete what has no manifest yet; a verified export is kept".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let bucket = args["bucket"].as_str().unwrap_or("…");
        let of = args["replication_group"].as_str().unwrap_or("<group>").to_ascii_lowercase();
        vec![
            Touch::creates(format!(
                "S3 objects s3://{bucket}/{of}-<run>-<step>-*.rdb, one for each shard"
            )),
            Touch::creates(format!("S3 object s3://{bucket}/{of}-<run>-<step>.manifest.json")),
        ]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        let Cargo { bytes, files } = cargo;
        vec![CostEffect::S3Objects { bytes, files }, CostEffect::S3Reads { bytes, files }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let of = args["replication_group"].as_str().map(str::to_owned);
        let source = of
            .iter()
            .flat_map(|of| [Need::ReplicationGroup(of.clone()), Need::DailySnapshots(of.clone())]);
        let bucket = args["bucket"].as_str().map(|b| Need::Bucket(b.to_owned()));
        source.chain(bucket).collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        latest::findings(env, cx, Of::ElastiCache, args["replication_group"].as_str(), args).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        latest::prepare(env, cx, &spec.wanted()).await
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        latest::execute(env, cx, &spec.wanted(), prepared).await
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        latest::undo(env, cx, prepared).await
    }
}
