//! Versions of objects: which one is there, until when it is locked, and its removal for good.

use aws_smithy_types::date_time::Format;

use crate::aws::{Op, call};
use crate::engine::{Class, Failure};
use crate::steps::Env;

const SERVICE: &str = "S3";

/// An object, or one version of it, as HeadObject shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its size.
    pub(crate) bytes: u64,
    /// What changes when its bytes do.
    pub(crate) etag: Option<String>,
    /// Its version id, where the bucket keeps versions.
    pub(crate) version: Option<String>,
    /// Why it cannot be removed now, in words, as far as the caller may see it (`s3:GetObjectRetention` and
    /// `s3:GetObjectLegalHold`).
    pub(crate) locked: Option<String>,
}

/// An object or one version of it; none if it is not there.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn version_of(
    env: &Env,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Option<Version>, Failure> {
    let request = env.aws.s3.head_object().bucket(bucket).key(key);
    let request = request.set_version_id(version.map(str::to_owned));
    let head = match call(Op::read(SERVICE, "HeadObject"), request.send()).await {
        Ok(head) => head,
        Err(failure) if failure.class == Class::NotFound => return Ok(None),
        // HeadObject of a version that is not there has no code that tells (S3 API reference: 400 without a body).
        Err(failure) if version.is_some() && failure.code() == Some("400") => return Ok(None),
        Err(failure) => {
            return Err(failure.context(format!("failed to look at s3://{bucket}/{key}")));
        }
    };
    let held = head.object_lock_legal_hold_status().is_some_and(|hold| hold.as_str() == "ON");
    let until = head.object_lock_retain_until_date().and_then(|at| {
        let secs = at.secs();
        Some((secs, at.fmt(Format::DateTime).ok()?))
    });
    let locked = match (held, until) {
        (true, _) => Some("under a legal hold".to_owned()),
        (false, Some((_, until))) => Some(format!("retained until {until}")),
        (false, None) => None,
    };
    Ok(Some(Version {
        bytes: u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0),
        etag: head.e_tag().map(str::to_owned),
        version: head.version_id().map(str::to_owned),
        locked,
    }))
}

/// Removes exactly one version, for good; an object without versions is deleted. What is gone already is fine.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn delete_version(
    env: &Env,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<(), Failure> {
    let request = env.aws.s3.delete_object().bucket(bucket).key(key);
    let request = request.set_version_id(version.map(str::to_owned));
    match env.aws.change(SERVICE, "DeleteObject", request.send()).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.class == Class::NotFound => Ok(()),
        Err(failure) => Err(failure.context(format!("failed to delete s3://{bucket}/{key}"))),
    }
}
