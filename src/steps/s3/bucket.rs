//! Whether a bucket can pass snapshots from one service to the other.

use serde_json::Value;

use crate::aws::{Op, call};
use crate::engine::{Class, Failure, Finding};
use crate::permissions;
use crate::steps::Env;

const SERVICE: &str = "S3";

/// One of the services that reach into buckets by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    /// ElastiCache writes exports (ElastiCache user guide, exporting a backup).
    ElastiCache,
    /// MemoryDB reads them (MemoryDB developer guide, seeding a new cluster).
    MemoryDb,
}

impl Guest {
    /// The principal a bucket policy must name: one for each region.
    pub(crate) fn principal(self, region: &str) -> String {
        match self {
            Self::ElastiCache => format!("{region}.elasticache-snapshot.amazonaws.com"),
            Self::MemoryDb => format!("{region}.memorydb-snapshot.amazonaws.com"),
        }
    }

    /// What a kind declares that lets it into a bucket, which is a template.
    pub(crate) const fn in_bucket(self, bucket: &'static str) -> permissions::Guest {
        let (service, title) = match self {
            Self::ElastiCache => ("elasticache-snapshot", "ElastiCache"),
            Self::MemoryDb => ("memorydb-snapshot", "MemoryDB"),
        };
        permissions::Guest { service, title, actions: self.actions(), bucket }
    }

    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ElastiCache => &[
                "s3:PutObject",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketAcl",
                "s3:ListMultipartUploadParts",
                "s3:ListBucketMultipartUploads",
            ],
            Self::MemoryDb => &["s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl"],
        }
    }
}

/// What to add to the bucket's policy.
pub(crate) fn statement_wanted(guest: Guest, region: &str, bucket: &str) -> String {
    format!(
        "add a statement to the policy of bucket \"{bucket}\": Allow, principal service {}, actions {}, resources \
         arn:aws:s3:::{bucket} and arn:aws:s3:::{bucket}/*",
        guest.principal(region),
        guest.actions().join(", ")
    )
}

/// Looks at a bucket's region, default encryption and policy.
pub(crate) async fn findings(env: &Env, bucket: &str, guest: Guest) -> Vec<Finding> {
    let region = &env.identity.region;
    let mut findings = Vec::new();
    let place = call(
        Op::read(SERVICE, "GetBucketLocation"),
        env.aws.s3.get_bucket_location().bucket(bucket).send(),
    )
    .await;
    match place {
        Ok(answer) => {
            let place = match answer.location_constraint().map(|place| place.as_str()) {
                None | Some("") => "us-east-1",
                Some("EU") => "eu-west-1",
                Some(place) => place,
            };
            findings.push(if place == region {
                Finding::ok("bucket.region", format!("bucket \"{bucket}\" is in {region}"))
            } else {
                elsewhere(bucket, &format!("in {place}"), region)
            });
        }
        Err(failure) if failure.class == Class::NotFound => {
            return vec![Finding::will_fail(
                "bucket.exists",
                format!("there is no bucket \"{bucket}\""),
                "create it in the snapshot's region, with SSE-S3 as its default encryption",
            )];
        }
        Err(failure)
            if matches!(
                failure.code(),
                Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "301")
            ) =>
        {
            findings.push(elsewhere(bucket, "in another region", region));
        }
        Err(failure) => findings.push(Finding::cannot_know("bucket.region", failure.to_string())),
    }
    findings.push(encryption(env, bucket).await);
    findings.push(policy(env, bucket, guest).await);
    findings
}

fn elsewhere(bucket: &str, place: &str, region: &str) -> Finding {
    Finding::will_fail(
        "bucket.region",
        format!("bucket \"{bucket}\" is {place}, not in {region}"),
        format!("use a bucket in {region}: snapshots are exported within their region only"),
    )
}

/// Exported files must be readable without a customer's key: MemoryDB restores from SSE-S3 objects alone (MemoryDB
/// developer guide, seeding a new cluster).
async fn encryption(env: &Env, bucket: &str) -> Finding {
    let request = env.aws.s3.get_bucket_encryption().bucket(bucket);
    let answer = call(Op::read(SERVICE, "GetBucketEncryption"), request.send()).await;
    let algorithm = match answer {
        Ok(answer) => answer
            .server_side_encryption_configuration()
            .and_then(|configuration| {
                let rule = configuration.rules().first()?;
                Some(
                    rule.apply_server_side_encryption_by_default()?
                        .sse_algorithm()
                        .as_str()
                        .to_owned(),
                )
            })
            .unwrap_or_else(|| "AES256".to_owned()),
        Err(failure)
            if failure.code() == Some("ServerSideEncryptionConfigurationNotFoundError") =>
        {
            "AES256".to_owned()
        }
        Err(failure) => {
            return Finding::cannot_know(
                "bucket.encryption",
                format!("the default encryption of bucket \"{bucket}\": {failure}"),
            );
        }
    };
    if algorithm == "AES256" {
        Finding::ok("bucket.encryption", format!("bucket \"{bucket}\" encrypts with SSE-S3"))
    } else {
        Finding::will_fail(
            "bucket.encryption",
            format!("bucket \"{bucket}\" encrypts with {algorithm} by default"),
            "set its default encryption to SSE-S3 (AES256), or use another bucket: MemoryDB cannot restore from \
             objects encrypted with KMS",
        )
    }
}

/// Whether the bucket's policy, or its ACL, lets a service in.
pub(crate) async fn policy(env: &Env, bucket: &str, guest: Guest) -> Finding {
    let region = &env.identity.region;
    let principal = guest.principal(region);
    let request = env.aws.s3.get_bucket_policy().bucket(bucket);
    let text = match call(Op::read(SERVICE, "GetBucketPolicy"), request.send()).await {
        Ok(answer) => answer.policy().unwrap_or("{}").to_owned(),
        Err(failure) if failure.class == Class::NotFound => "{}".to_owned(),
        Err(failure) => {
            return Finding::cannot_know(
                "bucket.policy",
                format!("the policy of bucket \"{bucket}\": {failure}"),
            );
        }
    };
    let policy: Value = serde_json::from_str(&text).unwrap_or_default();
    let missing: Vec<_> = guest
        .actions()
        .iter()
        .filter(|action| !allows(&policy, &principal, action))
        .copied()
        .collect();
    if missing.is_empty() {
        return Finding::ok(
            "bucket.policy",
            format!("the policy of bucket \"{bucket}\" lets {principal} in"),
        );
    }
    if let Ok(true) = legacy_grant(env, bucket).await {
        return Finding::ok(
            "bucket.policy",
            format!("the ACL of bucket \"{bucket}\" lets the service in"),
        );
    }
    Finding::will_fail(
        "bucket.policy",
        format!(
            "the policy of bucket \"{bucket}\" does not allow {} to {principal}",
            missing.join(", ")
        ),
        statement_wanted(guest, region, bucket),
    )
}

/// The way before bucket policies: a grant to the service's canonical user (ElastiCache user guide, exporting a backup).
async fn legacy_grant(env: &Env, bucket: &str) -> Result<bool, Failure> {
    const SERVICE_USERS: [&str; 2] = [
        "540804c33a284a299d2547575ce1010f2312ef3da9b3a053c8bc45bf233e4353",
        "40fa568277ad703bd160f66ae4f83fc9dfdfd06c2f1b5060ca22442ac3ef8be6",
    ];
    let request = env.aws.s3.get_bucket_acl().bucket(bucket);
    let acl = call(Op::read(SERVICE, "GetBucketAcl"), request.send()).await?;
    Ok(acl
        .grants()
        .iter()
        .filter_map(|grant| grant.grantee()?.id())
        .any(|id| SERVICE_USERS.contains(&id)))
}

/// Whether some statement allows it and none denies it. Conditions and resources are not weighed: this is a hint before
/// the run, and AWS itself decides.
fn allows(policy: &Value, principal: &str, action: &str) -> bool {
    let statements = many(&policy["Statement"]);
    let applies = |statement: &&&Value| {
        let who = &statement["Principal"];
        let named = who.as_str() == Some("*")
            || many(&who["Service"]).iter().any(|s| s.as_str() == Some(principal))
            || many(&who["AWS"]).iter().any(|s| s.as_str() == Some("*"));
        let actions = many(&statement["Action"]);
        named && actions.iter().filter_map(|a| a.as_str()).any(|a| matches(a, action))
    };
    let effect = |wanted: &str| {
        statements
            .iter()
            .filter(applies)
            .any(|s| s["Effect"] == wanted && (wanted == "Allow" || s["Condition"].is_null()))
    };
    effect("Allow") && !effect("Deny")
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// IAM's pattern for actions: `*` is any characters, `?` is one; without case (IAM user guide, Action element).
fn matches(pattern: &str, action: &str) -> bool {
    fn from(pattern: &[u8], action: &[u8]) -> bool {
        match (pattern.split_first(), action.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if from(rest, action) => true,
            (Some((b'*', _)), Some((_, left))) => from(pattern, left),
            (Some((p, rest)), Some((a, left))) if *p == b'?' || p == a => from(rest, left),
            _ => false,
        }
    }
    from(pattern.to_ascii_lowercase().as_bytes(), action.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_are_read_as_aws_writes_them() {
        let service = "us-east-1.elasticache-snapshot.amazonaws.com";
        let allow = |actions: Value| json!({"Statement": {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}});
        assert!(allows(&allow(json!("s3:*")), service, "s3:PutObject"));
        assert!(allows(&allow(json!("s3:*Object")), service, "s3:PutObject"));
        assert!(allows(&allow(json!("s3:?etObject")), service, "s3:GetObject"));
        assert!(!allows(&allow(json!("s3:*Objects")), service, "s3:PutObject"));
        assert!(allows(&allow(json!(["s3:Get*", "s3:putobject"])), service, "s3:PutObject"));
        assert!(!allows(&allow(json!("s3:Get*")), service, "s3:PutObject"));
        assert!(!allows(
            &allow(json!("s3:*")),
            "eu-west-1.elasticache-snapshot.amazonaws.com",
            "s3:PutObject"
        ));
        let denied = json!({"Statement": [
            {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": "s3:*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"},
        ]});
        assert!(!allows(&denied, service, "s3:PutObject"));
        assert!(allows(&denied, service, "s3:GetObject"));
        assert!(!allows(&Value::Null, service, "s3:GetObject"));
    }
}
