//! What a new cluster is filled from, and whether MemoryDB will be able to read it.

use std::collections::BTreeSet;

use super::cluster;
use crate::aws::split_s3_object_arn;
use crate::engine::{Class, Cx, Failure, Verdict};
use crate::facts;
use crate::steps::s3::Magic;
use crate::steps::{Env, s3};

/// Looks at every file. Gives their size together.
///
/// MemoryDB accepts the request and fails much later, as `restore-failed`, when a file is missing, encrypted with KMS or
/// too new for the engine (MemoryDB developer guide, seeding a new cluster): so they are looked at first.
///
/// # Errors
/// `Fatal`, `NotFound`, or as `aws::call`.
pub(super) async fn check_objects(
    env: &Env,
    cx: &Cx,
    arns: &[String],
    engine: (Option<&str>, Option<&str>),
) -> Result<u64, Failure> {
    let mut bytes = 0;
    for arn in arns {
        let (bucket, key) = split_s3_object_arn(arn).ok_or_else(|| {
            Failure::fatal(format!("\"{arn}\" is not the ARN of an S3 object")).mend(
                "take `restore_from` from the `objects` output of elasticache.export_snapshot",
            )
        })?;
        if key.contains(',') {
            return Err(Failure::fatal(format!("s3://{bucket}/{key} cannot be restored from"))
                .because("MemoryDB takes no object with a comma in its name"));
        }
        let Some(object) = s3::head(env, bucket, key).await? else {
            return Err(Failure::new(
                Class::NotFound,
                format!("there is no object s3://{bucket}/{key} to restore from"),
            ));
        };
        if let Some(encryption) = object.encryption.as_deref().filter(|e| *e != "AES256") {
            return Err(Failure::fatal(format!(
                "s3://{bucket}/{key} is encrypted with {encryption}, and MemoryDB restores from SSE-S3 only"
            ))
            .mend("export again into a bucket whose default encryption is SSE-S3 (AES256)"));
        }
        let magic = s3::sniff(env, bucket, key).await?;
        match readable(magic, engine) {
            Readable::Yes => {}
            Readable::No(why) => {
                return Err(Failure::fatal(format!(
                    "s3://{bucket}/{key} is {magic}, which the cluster will not be able to read"
                ))
                .because(why)
                .mend("set `engine` and `engine_version` to ones that read it; `engine: valkey` reads up to RDB version 11"));
            }
            Readable::Unknown(why) => cx.warn(format!("s3://{bucket}/{key} is {magic}: {why}")),
        }
        bytes += object.bytes;
    }
    Ok(bytes)
}

/// Looks whether MemoryDB itself may read the buckets. The request does not tell: a cluster that may not read its files
/// ends as `restore-failed` after the time of a creation (MemoryDB developer guide, seeding a new cluster).
///
/// # Errors
/// `Fatal` with the statement that is missing. A policy that cannot be read is warned of only.
pub(super) async fn check_buckets(env: &Env, cx: &Cx, arns: &[String]) -> Result<(), Failure> {
    let buckets: BTreeSet<&str> =
        arns.iter().filter_map(|arn| Some(split_s3_object_arn(arn)?.0)).collect();
    for bucket in buckets {
        for finding in s3::bucket_lets_in(env, bucket, s3::Guest::MemoryDb, None).await {
            match finding.verdict {
                Verdict::WillFail => {
                    return Err(Failure::fatal(finding.what)
                        .because("MemoryDB could not read the files to restore from")
                        .mend(finding.mend.unwrap_or_default()));
                }
                Verdict::CannotKnow => cx.warn(finding.what),
                Verdict::Ok => {}
            }
        }
    }
    Ok(())
}

/// A MemoryDB snapshot that must be there.
///
/// # Errors
/// `NotFound`, `Busy`, or as `aws::call`.
pub(super) async fn check_snapshot(env: &Env, name: &str) -> Result<(), Failure> {
    let found = cluster::snapshot(env, name).await?.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no MemoryDB snapshot \"{name}\""))
            .mend("ElastiCache snapshots cannot be named here: export one and use `restore_from`")
    })?;
    match found.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" | "restoring" => Ok(()),
        status @ ("failed" | "deleting") => Err(Failure::fatal(format!(
            "MemoryDB snapshot \"{name}\" is {status} and cannot be restored"
        ))),
        status => Err(Failure::new(
            Class::Busy,
            format!(
                "MemoryDB snapshot \"{name}\" is {status}; it can be restored when it is available"
            ),
        )),
    }
}

/// Whether an engine reads a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Readable {
    /// It does.
    Yes,
    /// It does not, and why.
    No(String),
    /// It may, and what speaks against it.
    Unknown(String),
}

/// An engine reads RDB versions up to its own: Redis 6.2 writes 9, 7.0 and AWS's 7.1 write 10, Redis 7.2 and Valkey 7.2
/// to 8 write 11; Valkey 9 changed the magic (the engines' own sources, `RDB_VERSION`).
pub(crate) fn readable(magic: Magic, (engine, version): (Option<&str>, Option<&str>)) -> Readable {
    if magic.valkey {
        return Readable::No(
            "it was written by Valkey 9 or later, and MemoryDB has none so new".to_owned(),
        );
    }
    let Some(engine) = engine else {
        return match magic.version {
            ..=9 => Readable::Yes,
            _ => Readable::Unknown(
                "no `engine` is set, and AWS's default may be too old for it; set `engine: valkey`"
                    .to_owned(),
            ),
        };
    };
    let newest = facts::newest_readable(engine, version);
    if magic.version <= newest {
        Readable::Yes
    } else if magic.version <= 11 {
        let version = version.map(|v| format!(" {v}")).unwrap_or_default();
        Readable::No(format!("{engine}{version} reads RDB versions up to {newest}"))
    } else {
        Readable::Unknown(
            "no engine of ElastiCache writes that version; the restore may fail".to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_too_new_for_the_engine_is_refused() {
        let redis = |version| Magic { valkey: false, version };
        let yes = |magic, engine| {
            assert_eq!(readable(magic, engine), Readable::Yes, "{magic} {engine:?}")
        };
        let no = |magic, engine| {
            assert!(matches!(readable(magic, engine), Readable::No(_)), "{magic} {engine:?}");
        };
        yes(redis(9), (Some("redis"), Some("6.2")));
        no(redis(10), (Some("redis"), Some("6.2")));
        yes(redis(10), (Some("redis"), Some("7.1")));
        no(redis(11), (Some("redis"), Some("7.1")));
        yes(redis(11), (Some("valkey"), Some("7.2")));
        no(Magic { valkey: true, version: 80 }, (Some("valkey"), None));
        assert!(matches!(readable(redis(11), (None, None)), Readable::Unknown(_)));
        assert!(matches!(readable(redis(12), (Some("valkey"), None)), Readable::Unknown(_)));
    }
}
