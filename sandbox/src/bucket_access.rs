//! What a bucket lets the snapshot principals of ElastiCache and MemoryDB do.

use serde_json::json;

use crate::s3::Verdict;
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
        bucket.allows(principal, action, &resource) == Verdict::Allowed
    })
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

    fn refusal(change: impl Fn(&mut Bucket)) -> Option<String> {
        let mut bucket = Bucket::new("us-east-1", "123456789012", jiff::Timestamp::UNIX_EPOCH);
        bucket.policy = Some(ready_policy("exports", "us-east-1"));
        change(&mut bucket);
        let mut s3 = S3State::default();
        s3.buckets.insert("exports".to_owned(), bucket);
        let who = ("123456789012", "us-east-1");
        let keys = ["copy-0001.rdb".to_owned()];
        export_refusal(&s3, Guest::ElastiCache, "exports", who, &keys)
    }

    #[test]
    fn a_ready_bucket_takes_an_export_and_a_bare_one_says_what_is_missing() {
        assert_eq!(refusal(|_| {}), None);
        let bare = refusal(|bucket| bucket.policy = None).unwrap();
        assert_eq!(
            bare,
            "ElastiCache has not been granted READ permissions exports on the S3 Bucket."
        );
        let no_acl = refusal(|bucket| {
            bucket.policy = bucket.policy.as_ref().map(|p| p.replace("s3:GetBucketAcl", "s3:None"));
        });
        assert!(no_acl.unwrap().contains("READ_ACP permissions exports"));
        let elsewhere = refusal(|bucket| bucket.region = "eu-west-1".to_owned()).unwrap();
        assert_eq!(elsewhere, "The S3 bucket exports is outside of the region.");
        let foreign = refusal(|bucket| bucket.owner = "999999999999".to_owned()).unwrap();
        assert_eq!(foreign, "The S3 bucket exports is not owned by the authenticated user.");
    }

    #[test]
    fn the_ready_policy_lets_in_the_services_of_its_own_region_only() {
        let mut bucket = Bucket::new("us-east-1", "1", jiff::Timestamp::UNIX_EPOCH);
        bucket.policy = Some(ready_policy("exports", "us-east-1"));
        assert!(may_read(&bucket, "exports", Guest::MemoryDb, "us-east-1", "a-0001.rdb"));
        assert!(!may_read(&bucket, "exports", Guest::MemoryDb, "eu-west-1", "a-0001.rdb"));
        assert!(!may_read(&bucket, "others", Guest::MemoryDb, "us-east-1", "a-0001.rdb"));
    }
}
