//! Buckets.

use orchestrate_sandbox::{Seed, SeedBucket};
use serde_json::{Value, json};

use super::{Found, Row, Then, fails};

fn bucket(seed: &mut Seed) -> &mut SeedBucket {
    &mut seed.buckets[0]
}

fn bare(check: &'static str) -> Row {
    Row { check, found: ("export", Found::Ok), ..Row::default() }
}

const WARNED: (&str, Found) = ("export", Found::CannotKnow);
const REFUSED: (&str, Found) = ("export", Found::WillFail);

/// The run refuses at the export, and AWS would have.
const fn refused(words: &'static str, aws: &'static str) -> Then {
    Then::Fails { step: "export", words, aws: Some(aws) }
}

fn deny(condition: Value) -> Value {
    json!({
        "Sid": "Perimeter",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::demo-migration", "arn:aws:s3:::demo-migration/*"],
        "Condition": condition,
    })
}

/// The exported files get a name.
const NAMED: (&str, &str) =
    ("bucket: demo-migration }", "bucket: demo-migration, target_name: moved }");

pub(super) fn rows() -> Vec<Row> {
    vec![
        bare("bucket.exists"),
        Row {
            check: "bucket.exists",
            case: "there is none",
            seed: |seed| seed.buckets.clear(),
            found: REFUSED,
            then: refused("there is no bucket", "The S3 bucket demo-migration does not exist."),
            ..Row::default()
        },
        bare("bucket.region"),
        Row {
            check: "bucket.region",
            case: "in another one",
            seed: |seed| bucket(seed).region = Some("eu-west-1".to_owned()),
            found: REFUSED,
            then: refused("is in eu-west-1, not in us-east-1", "is outside of the region"),
            ..Row::default()
        },
        bare("bucket.owner"),
        Row {
            check: "bucket.owner",
            case: "somebody else's",
            seed: |seed| bucket(seed).owner = Some("999999999999".to_owned()),
            found: REFUSED,
            then: refused(
                "is not account 123456789012's",
                "is not owned by the authenticated user",
            ),
            ..Row::default()
        },
        bare("bucket.encryption"),
        Row {
            check: "bucket.encryption",
            case: "under a key of KMS",
            seed: |seed| bucket(seed).kms_key = Some("alias/ours".to_owned()),
            found: REFUSED,
            // AWS would export, and restore nothing from it.
            then: fails("export", "encrypts with aws:kms by default"),
            ..Row::default()
        },
        bare("bucket.policy"),
        Row { check: "bucket.policy", found: ("cluster", Found::Ok), ..Row::default() },
        Row {
            check: "bucket.policy",
            case: "there is none",
            seed: |seed| bucket(seed).ready_for_exports = false,
            found: REFUSED,
            then: refused(
                "us-east-1.elasticache-snapshot.amazonaws.com",
                "ElastiCache has not been granted READ permissions",
            ),
            ..Row::default()
        },
        Row {
            check: "bucket.policy",
            case: "one action is missing",
            seed: |seed| {
                bucket(seed).ready_for_exports = false;
                bucket(seed).statements = vec![json!({
                    "Effect": "Allow",
                    "Principal": {"Service": "us-east-1.elasticache-snapshot.amazonaws.com"},
                    "Action": ["s3:PutObject", "s3:GetObject", "s3:List*"],
                    "Resource": ["arn:aws:s3:::demo-migration", "arn:aws:s3:::demo-migration/*"],
                })];
            },
            found: REFUSED,
            then: refused("does not allow s3:GetBucketAcl to us-east-1", "READ_ACP permissions"),
            ..Row::default()
        },
        Row {
            check: "bucket.policy",
            case: "MemoryDB is not let in",
            seed: |seed| {
                bucket(seed).ready_for_exports = false;
                bucket(seed).statements = vec![json!({
                    "Effect": "Allow",
                    "Principal": {"Service": "us-east-1.elasticache-snapshot.amazonaws.com"},
                    "Action": "s3:*",
                    "Resource": ["arn:aws:s3:::demo-migration", "arn:aws:s3:::demo-migration/*"],
                })];
            },
            found: ("cluster", Found::WillFail),
            then: fails("cluster", "us-east-1.memorydb-snapshot.amazonaws.com"),
            ..Row::default()
        },
        bare("bucket.denies"),
        Row {
            check: "bucket.denies",
            case: "plain HTTP alone",
            seed: |seed| {
                bucket(seed).statements =
                    vec![deny(json!({"Bool": {"aws:SecureTransport": "false"}}))];
            },
            found: ("export", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "bucket.denies",
            case: "all but one VPC endpoint",
            seed: |seed| {
                bucket(seed).statements =
                    vec![deny(json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}))];
            },
            found: REFUSED,
            then: refused("by statement \"Perimeter\"", "has not been granted READ permissions"),
            ..Row::default()
        },
        Row {
            check: "bucket.denies",
            case: "whatever is not under KMS",
            seed: |seed| {
                let mut kms = deny(
                    json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}),
                );
                kms["Action"] = json!("s3:PutObject");
                bucket(seed).statements = vec![kms];
            },
            found: REFUSED,
            then: refused("s3:PutObject to us-east-1", "has not been granted WRITE permissions"),
            ..Row::default()
        },
        Row {
            check: "bucket.denies",
            case: "all but the organization, AWS's services exempt",
            seed: |seed| {
                bucket(seed).statements = vec![deny(json!({
                    "StringNotEquals": {"aws:PrincipalOrgID": "o-1"},
                    "Bool": {"aws:PrincipalIsAWSService": "false"},
                }))];
            },
            // Of which organization the caller is, the statement's reader cannot tell.
            found: WARNED,
            then: Then::Goes(&[]),
            ..Row::default()
        },
        Row {
            check: "bucket.denies",
            case: "all but some addresses",
            seed: |seed| {
                bucket(seed).statements =
                    vec![deny(json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))];
            },
            found: WARNED,
            then: refused("has not been granted", "has not been granted READ permissions"),
            ..Row::default()
        },
        bare("bucket.names"),
        Row {
            check: "bucket.names",
            case: "a name that is free",
            edits: &[NAMED],
            found: ("export", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "bucket.names",
            case: "an earlier export of that name",
            edits: &[NAMED],
            seed: |seed| bucket(seed).objects = vec!["moved-0001.rdb".to_owned()],
            found: REFUSED,
            then: refused(
                "already contains \"moved-0001.rdb\"",
                "already contains an object with key",
            ),
            ..Row::default()
        },
        bare("bucket.ownership"),
        Row {
            check: "bucket.ownership",
            case: "whoever writes it owns it",
            seed: |seed| bucket(seed).ownership = Some("ObjectWriter".to_owned()),
            found: WARNED,
            then: Then::Goes(&[]),
            ..Row::default()
        },
        bare("bucket.versions"),
        Row {
            check: "bucket.versions",
            case: "kept",
            seed: |seed| bucket(seed).versioning = true,
            found: ("export", Found::Note),
            then: Then::RollsBack(&["a delete marker hides it", "-export-0001.rdb\":2"]),
            ..Row::default()
        },
        bare("bucket.object_lock"),
        Row {
            check: "bucket.object_lock",
            case: "for thirty days",
            seed: |seed| {
                bucket(seed).versioning = true;
                bucket(seed).object_lock_days = Some(30);
            },
            found: WARNED,
            then: Then::RollsBack(&["a delete marker hides it", "-export-0001.rdb\":2"]),
            ..Row::default()
        },
    ]
}
