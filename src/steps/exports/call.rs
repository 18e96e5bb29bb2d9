//! What every export to S3 has in common: the call that begins one, its refusals, the files it leaves.

use std::future::Future;

use super::landing::View;
use crate::aws::s3_object_arn;
use crate::engine::{Class, Cx, Failure};
use crate::steps::creation::{self, Call};
use crate::steps::{Env, s3};

/// Makes the call that begins an export. `taken` is the failure if a file of its name is in the bucket already.
///
/// # Errors
/// Those of the call, with what to mend; `Journal`.
pub(in crate::steps) async fn ask<T>(
    env: &Env,
    cx: &Cx,
    (guest, bucket): (s3::Guest, &str),
    before: Call,
    asking: impl Future<Output = Result<T, Failure>>,
    taken: impl FnOnce() -> Failure,
) -> Result<(), Failure> {
    creation::note_call(cx, Call::Asked).await?;
    let Err(failure) = asking.await else { return creation::note_call(cx, Call::Taken).await };
    let said = failure.answer.as_ref().and_then(|a| a.message.as_deref()).unwrap_or_default();
    let exists = said.contains("already contains an object") || failure.class == Class::Conflict;
    // The bucket was empty when the intent was recorded, and an earlier call of this step may have landed.
    if exists && before == Call::Asked {
        return creation::note_call(cx, Call::Taken).await;
    }
    if failure.class != Class::Ambiguous && before != Call::Asked {
        creation::note_call(cx, Call::Refused).await?;
    }
    if exists {
        let mut conflict = taken();
        conflict.answer = failure.answer;
        return Err(conflict);
    }
    let mend = mend(said, env, guest, bucket);
    Err(match mend {
        Some(mend) => failure.mend(mend),
        None => failure,
    })
}

/// What to do about the refusals that the documentation of CopySnapshot lists (ElastiCache API reference).
fn mend(said: &str, env: &Env, guest: s3::Guest, bucket: &str) -> Option<String> {
    let region = &env.identity.region;
    if said.contains("outside of the region") {
        Some(format!("use a bucket in {region}: snapshots are exported within their region only"))
    } else if said.contains("does not exist") {
        Some(format!(
            "create bucket \"{bucket}\" in {region}, with SSE-S3 as its default encryption"
        ))
    } else if said.contains("not owned by the authenticated user") {
        Some(format!("use a bucket of account {}", env.identity.account))
    } else if said.contains("validate the authenticated user has access") {
        Some(
            "allow s3:ListAllMyBuckets on \"*\" to the caller: no narrower resource will do"
                .to_owned(),
        )
    } else if said.contains("does not have sufficient permissions") {
        Some(format!(
            "allow the caller s3:ListAllMyBuckets on \"*\", s3:GetBucketLocation, s3:GetBucketAcl and s3:ListBucket on \
             the bucket, and s3:PutObject, s3:GetObject and s3:DeleteObject on arn:aws:s3:::{bucket}/*"
        ))
    } else if said.contains("has not been granted") {
        Some(s3::statement_wanted(guest, region, bucket))
    } else {
        None
    }
}

/// Whether an export whose answer was lost has begun: the source is busy, or files are there.
///
/// # Errors
/// Those of `view`, and of sleeping.
pub(in crate::steps) async fn begun<L>(
    cx: &Cx,
    first: &View,
    mut view: impl FnMut() -> L,
) -> Result<bool, Failure>
where
    L: Future<Output = Result<View, Failure>>,
{
    if first.shows_traces() {
        return Ok(true);
    }
    let look = || {
        let view = view();
        async move { Ok(Some(view.await?).filter(View::shows_traces)) }
    };
    Ok(creation::until_visible(cx, look).await?.is_some())
}

/// Exported files that were looked at.
#[derive(Debug, Default)]
pub(in crate::steps) struct Files {
    /// Their ARNs.
    pub(in crate::steps) objects: Vec<String>,
    /// Their keys.
    pub(in crate::steps) keys: Vec<String>,
    /// The newest RDB version among them.
    pub(in crate::steps) rdb_version: u32,
    /// Their RDB heads.
    pub(in crate::steps) rdb_heads: Vec<String>,
    /// Their size together.
    pub(in crate::steps) bytes: u64,
}

/// Reads each file's encryption and head.
///
/// # Errors
/// `Conflict` if one is gone, `Fatal` if MemoryDB cannot restore from one, or as `aws::call`.
pub(in crate::steps) async fn inspect(
    env: &Env,
    bucket: &str,
    objects: impl IntoIterator<Item = s3::Object>,
) -> Result<Files, Failure> {
    let mut files = Files::default();
    for object in objects {
        let key = object.key;
        let Some(head) = s3::head(env, bucket, &key).await? else {
            return Err(vanished(bucket, &key));
        };
        if let Some(encryption) = head.encryption.filter(|e| e != "AES256") {
            return Err(Failure::fatal(format!(
                "s3://{bucket}/{key} is encrypted with {encryption}, and MemoryDB cannot restore from it"
            ))
            .mend("set the bucket's default encryption to SSE-S3 (AES256), then run again"));
        }
        let magic = s3::sniff(env, bucket, &key).await?;
        files.objects.push(s3_object_arn(&env.identity, bucket, &key));
        files.keys.push(key);
        files.rdb_version = files.rdb_version.max(magic.version);
        files.rdb_heads.push(magic.to_string());
        files.bytes += head.bytes;
    }
    Ok(files)
}

/// The failure for an exported file that somebody removed.
pub(in crate::steps) fn vanished(bucket: &str, key: &str) -> Failure {
    Failure::new(Class::Conflict, format!("s3://{bucket}/{key} was there and is gone"))
        .mend("find out who deletes files from this bucket (a lifecycle rule?), then run again")
}

/// Deletes exported files. Says what it did.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn remove(
    env: &Env,
    bucket: &str,
    objects: impl IntoIterator<Item = s3::Object>,
) -> Result<Vec<String>, Failure> {
    let mut did = Vec::new();
    for object in objects {
        let removed = s3::delete(env, bucket, &object.key).await?;
        let versions = match removed {
            s3::Removed::Gone => "",
            s3::Removed::Hidden => {
                " (the bucket keeps versions: a delete marker hides it, its bytes are still there)"
            }
        };
        did.push(format!("deleted s3://{bucket}/{}{versions}", object.key));
    }
    Ok(did)
}
