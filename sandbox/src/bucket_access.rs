//! What a bucket lets the snapshot principals of ElastiCache and MemoryDB do.
//!
//! Bucket policies are evaluated as far as these services need it: Allow and Deny by principal, action and resource, with
//! wildcards. A condition on an Allow counts as met; a Deny with a condition counts as not aimed at an AWS service.

use serde_json::{Value, json};

use crate::s3::state::{Bucket, S3State};

/// One of the two services that reach into buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guest {
    ElastiCache,
    MemoryDb,
}

impl Guest {
    /// The name in error texts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ElastiCache => "ElastiCache",
            Self::MemoryDb => "MemoryDB",
        }
    }

    /// The service principal of a region (ElastiCache user guide, exporting; MemoryDB developer guide, seeding).
    pub(crate) fn principal(self, region: &str) -> String {
        match self {
            Self::ElastiCache => format!("{region}.elasticache-snapshot.amazonaws.com"),
            Self::MemoryDb => format!("{region}.memorydb-snapshot.amazonaws.com"),
        }
    }
}

const READ: [(&str, bool); 2] = [("s3:ListBucket", false), ("s3:GetObject", true)];
const WRITE: [(&str, bool); 3] = [
    ("s3:PutObject", true),
    ("s3:ListMultipartUploadParts", true),
    ("s3:ListBucketMultipartUploads", false),
];
const READ_ACP: [(&str, bool); 1] = [("s3:GetBucketAcl", false)];

/// Checks that an export may go to this bucket, in the order and with the texts of the service (ElastiCache API
/// reference, CopySnapshot). `keys` are the objects it would write.
pub(crate) fn export_refusal(
    s3: &S3State,
    guest: Guest,
    name: &str,
    (account, region): (&str, &str),
    keys: &[String],
) -> Option<String> {
    let Some(bucket) = s3.buckets.get(name) else {
        return Some(format!("The S3 bucket {name} does not exist."));
    };
    if bucket.owner != account {
        return Some(format!("The S3 bucket {name} is not owned by the authenticated user."));
    }
    if bucket.region != region {
        return Some(format!("The S3 bucket {name} is outside of the region."));
    }
    for (right, actions) in
        [("READ", &READ[..]), ("WRITE", &WRITE[..]), ("READ_ACP", &READ_ACP[..])]
    {
        if !all_allowed(bucket, name, &guest.principal(region), actions, "export-probe.rdb") {
            let service = guest.name();
            return Some(format!(
                "{service} has not been granted {right} permissions {name} on the S3 Bucket."
            ));
        }
    }
    let taken = keys.iter().find(|key| bucket.objects.contains_key(*key))?;
    Some(format!("The S3 bucket {name} already contains an object with key {taken}."))
}

/// Whether the service may read this object for a restore.
pub(crate) fn may_read(bucket: &Bucket, name: &str, guest: Guest, region: &str, key: &str) -> bool {
    let principal = guest.principal(region);
    all_allowed(bucket, name, &principal, &READ, key)
        && all_allowed(bucket, name, &principal, &READ_ACP, key)
}

fn all_allowed(
    bucket: &Bucket,
    name: &str,
    principal: &str,
    actions: &[(&str, bool)],
    key: &str,
) -> bool {
    actions.iter().all(|(action, on_object)| {
        let resource = match on_object {
            true => format!("arn:aws:s3:::{name}/{key}"),
            false => format!("arn:aws:s3:::{name}"),
        };
        allows(bucket.policy.as_deref(), principal, action, &resource)
    })
}

fn allows(policy: Option<&str>, principal: &str, action: &str, resource: &str) -> bool {
    let Some(Ok(policy)) = policy.map(serde_json::from_str::<Value>) else { return false };
    let mut allowed = false;
    for statement in each(&policy["Statement"]) {
        let applies = names_principal(&statement["Principal"], principal)
            && each(&statement["Action"])
                .any(|a| matches_text(a, &action.to_ascii_lowercase(), true))
            && each(&statement["Resource"]).any(|r| matches_text(r, resource, false));
        if !applies {
            continue;
        }
        match statement["Effect"].as_str() {
            Some("Allow") => allowed = true,
            Some("Deny") if statement.get("Condition").is_none() => return false,
            _ => {}
        }
    }
    allowed
}

/// The members of a list, or the value itself: policies write one for the other.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        other => std::slice::from_ref(other).iter(),
    }
}

fn names_principal(value: &Value, principal: &str) -> bool {
    if value.as_str() == Some("*") {
        return true;
    }
    each(&value["Service"]).any(|service| service.as_str() == Some(principal))
        || each(&value["AWS"]).any(|who| who.as_str() == Some("*"))
}

fn matches_text(pattern: &Value, text: &str, fold: bool) -> bool {
    let Some(pattern) = pattern.as_str() else { return false };
    let pattern = if fold { pattern.to_ascii_lowercase() } else { pattern.to_owned() };
    glob(pattern.as_bytes(), text.as_bytes())
}

/// `*` and `?`, in time proportional to the product of the lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// A policy that lets both services export to and restore from the bucket.
pub(crate) fn ready_policy(bucket: &str, region: &str) -> String {
    let statement = |guest: Guest| {
        json!({
            "Sid": format!("{}Snapshots", guest.name()),
            "Effect": "Allow",
            "Principal": {"Service": guest.principal(region)},
            "Action": [
                "s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl",
                "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads",
            ],
            "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        })
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [statement(Guest::ElastiCache), statement(Guest::MemoryDb)],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = "us-east-1.elasticache-snapshot.amazonaws.com";

    #[test]
    fn the_ready_policy_lets_both_in_and_nobody_else() {
        let policy = ready_policy("exports", "us-east-1");
        let put = |principal: &str, resource: &str| {
            allows(Some(&policy), principal, "s3:PutObject", resource)
        };
        assert!(put(EC, "arn:aws:s3:::exports/a-0001.rdb"));
        assert!(put("us-east-1.memorydb-snapshot.amazonaws.com", "arn:aws:s3:::exports/a"));
        assert!(!put("eu-west-1.elasticache-snapshot.amazonaws.com", "arn:aws:s3:::exports/a"));
        assert!(!put(EC, "arn:aws:s3:::others/a"));
        assert!(!allows(Some(&policy), EC, "s3:DeleteObject", "arn:aws:s3:::exports/a"));
        assert!(!allows(None, EC, "s3:PutObject", "arn:aws:s3:::exports/a"));
    }

    #[test]
    fn a_plain_deny_wins_over_an_allow_and_a_conditional_one_does_not() {
        let with = |deny: Value| {
            let mut policy: Value = serde_json::from_str(&ready_policy("b", "us-east-1")).unwrap();
            policy["Statement"].as_array_mut().unwrap().push(deny);
            allows(Some(&policy.to_string()), EC, "s3:PutObject", "arn:aws:s3:::b/k")
        };
        let deny =
            json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*"});
        assert!(!with(deny.clone()));
        let mut tls = deny;
        tls["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert!(with(tls));
    }

    #[test]
    fn globs_match_as_in_policies() {
        assert!(glob(b"s3:*Object", b"s3:PutObject"));
        assert!(glob(b"*", b""));
        assert!(glob(b"a?c*", b"abcdef"));
        assert!(!glob(b"a?c", b"ac"));
        assert!(!glob(b"s3:Get*", b"s3:PutObject"));
    }
}
