//! ARNs. Forms as in the AWS service authorization reference: ElastiCache separates type and name by a colon, MemoryDB
//! by a slash; names in them are lower case.

use super::Identity;

/// `arn:aws:elasticache:<region>:<account>:<resource>:<name>`; `resource` is "snapshot", "replicationgroup", "user" …
#[must_use]
pub fn elasticache_arn(who: &Identity, resource: &str, name: &str) -> String {
    let Identity { partition, region, account, .. } = who;
    format!("arn:{partition}:elasticache:{region}:{account}:{resource}:{}", name.to_lowercase())
}

/// `arn:aws:memorydb:<region>:<account>:<resource>/<name>`; `resource` is "cluster", "snapshot", "acl" …
#[must_use]
pub fn memorydb_arn(who: &Identity, resource: &str, name: &str) -> String {
    let Identity { partition, region, account, .. } = who;
    format!("arn:{partition}:memorydb:{region}:{account}:{resource}/{}", name.to_lowercase())
}

/// `arn:aws:s3:::<bucket>/<key>`.
#[must_use]
pub fn s3_object_arn(who: &Identity, bucket: &str, key: &str) -> String {
    format!("arn:{}:s3:::{bucket}/{key}", who.partition)
}

/// Bucket and key of an object's ARN.
#[must_use]
pub fn split_s3_object_arn(arn: &str) -> Option<(&str, &str)> {
    let rest = arn.strip_prefix("arn:")?;
    let (_, path) = rest.split_once(":s3:::")?;
    path.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
}
