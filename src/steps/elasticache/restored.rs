//! What a replication group is made of: a snapshot with what it tells of its group, or files in S3.

use super::delete_replication_group::tags;
use super::look;
use super::recorded::Recorded;
use crate::aws::{elasticache_arn, split_s3_object_arn};
use crate::engine::{Class, Failure};
use crate::steps::{Env, s3};

/// The snapshot, if it can be restored; with what it tells of its group.
///
/// # Errors
/// `NotFound`, `Busy` while it is made, `Fatal` if it cannot be restored or nothing is written down; as the reads.
pub(super) async fn snapshot(
    env: &Env,
    name: &str,
    recorded: bool,
) -> Result<Option<Recorded>, Failure> {
    let name = name.to_ascii_lowercase();
    let found = look::snapshot(env, &name).await?.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no ElastiCache snapshot \"{name}\"")).mend(
            format!(
                "check the name: aws elasticache describe-snapshots --region {} lists them",
                env.identity.region
            ),
        )
    })?;
    match found.snapshot_status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" | "restoring" => {}
        status @ ("failed" | "deleting") => {
            return Err(Failure::fatal(format!(
                "snapshot \"{name}\" is {status}, and cannot be restored"
            )));
        }
        status => {
            return Err(Failure::new(
                Class::Busy,
                format!("snapshot \"{name}\" is {status}; it can be restored when it is available"),
            ));
        }
    }
    let arn = elasticache_arn(&env.identity, "snapshot", &name);
    let tags = tags(env, &arn).await?;
    let read = Recorded::read(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    match (read, recorded) {
        (read, true) if read.is_some() => Ok(read),
        (None, true) => Err(Failure::fatal(format!(
            "the tags of snapshot \"{name}\" do not tell what its group was like"
        ))
        .because(
            "only elasticache.delete_replication_group writes that down, in its final snapshot",
        )
        .mend("leave `as_recorded` out, and give node type, networks, parameters and users here")),
        _ => Ok(None),
    }
}

/// Whether clients can log in to a group that had an AUTH token: the token is lost, and without users whoever reaches the
/// port could run every command.
///
/// # Errors
/// `Fatal` if no users are given.
pub(super) fn users_for(recorded: Option<&Recorded>, given: bool) -> Result<(), Failure> {
    if given || !recorded.is_some_and(Recorded::had_token) {
        return Ok(());
    }
    Err(Failure::fatal("the group of the snapshot had an AUTH token, which nobody can read back")
        .because("without users whoever reaches the port of the new one could run every command")
        .mend("give `user_groups`, and let the clients log in as their users"))
}

/// A file that the group is to be filled from. ElastiCache accepts the request and fails much later where a file is
/// missing or encrypted with KMS (ElastiCache user guide, seeding a new cluster).
///
/// # Errors
/// `NotFound` or `Fatal`; as the read.
pub(super) async fn check_file(env: &Env, arn: &str) -> Result<(), Failure> {
    let (bucket, key) = split_s3_object_arn(arn).ok_or_else(|| {
        Failure::fatal(format!("\"{arn}\" is not the ARN of an S3 object"))
            .mend("write it like arn:aws:s3:::bucket/key")
    })?;
    let found = s3::head(env, bucket, key).await?.ok_or_else(|| {
        Failure::new(
            Class::NotFound,
            format!("there is no object s3://{bucket}/{key} to restore from"),
        )
    })?;
    match found.encryption.filter(|encryption| encryption != "AES256") {
        None => Ok(()),
        Some(encryption) => Err(Failure::fatal(format!(
            "s3://{bucket}/{key} is encrypted with {encryption}, and ElastiCache restores from SSE-S3 only"
        ))
        .mend("export again into a bucket whose default encryption is SSE-S3 (AES256)")),
    }
}
