//! Objects: list, look at, delete.

use crate::aws::{Op, call, s3_object_arn};
use crate::engine::{Class, Failure};
use crate::steps::Env;

const SERVICE: &str = "S3";

/// An object as a listing or a HEAD shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    /// Its key.
    pub(crate) key: String,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// How it is encrypted: "AES256", "aws:kms"; none in listings, or where the server does not say.
    pub(crate) encryption: Option<String>,
    /// What changes when its bytes do; none in listings.
    pub(crate) etag: Option<String>,
}

/// How a deletion went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// The object is gone.
    Gone,
    /// The bucket keeps versions: a delete marker hides the object, and its bytes are still there.
    Hidden,
}

/// All objects whose keys begin with `prefix`.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn list(env: &Env, bucket: &str, prefix: &str) -> Result<Vec<Object>, Failure> {
    let mut objects = list_with_tags(env, bucket, prefix).await?;
    objects.iter_mut().for_each(|object| object.etag = None);
    Ok(objects)
}

/// As `list`, with the entity tags.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn list_with_tags(
    env: &Env,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<Object>, Failure> {
    let mut objects = Vec::new();
    let mut next = None;
    loop {
        let request = env.aws.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let request = request.set_continuation_token(next.take());
        let page = call(Op::read(SERVICE, "ListObjectsV2"), request.send()).await;
        let page =
            page.map_err(|failure| failure.context(format!("failed to list bucket \"{bucket}\"")))?;
        objects.extend(page.contents().iter().filter_map(|object| {
            Some(Object {
                key: object.key()?.to_owned(),
                bytes: u64::try_from(object.size().unwrap_or(0)).unwrap_or(0),
                encryption: None,
                etag: object.e_tag().map(str::to_owned),
            })
        }));
        next = page.next_continuation_token().map(str::to_owned);
        if next.is_none() {
            return Ok(objects);
        }
    }
}

/// An object, or `None` if there is none.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn head(env: &Env, bucket: &str, key: &str) -> Result<Option<Object>, Failure> {
    let request = env.aws.s3.head_object().bucket(bucket).key(key);
    match call(Op::read(SERVICE, "HeadObject"), request.send()).await {
        Ok(head) => Ok(Some(Object {
            key: key.to_owned(),
            bytes: u64::try_from(head.content_length().unwrap_or(0)).unwrap_or(0),
            encryption: head.server_side_encryption().map(|sse| sse.as_str().to_owned()),
            etag: head.e_tag().map(str::to_owned),
        })),
        Err(failure) if failure.class == Class::NotFound => Ok(None),
        Err(failure) if failure.class == Class::Denied => {
            let arn = s3_object_arn(&env.identity, bucket, key);
            Err(failure.context(format!("failed to look at s3://{bucket}/{key}")).mend(format!(
                "allow s3:GetObject on {arn}, and s3:ListBucket on the bucket: S3 does not say which is missing"
            )))
        }
        Err(failure) => Err(failure.context(format!("failed to look at s3://{bucket}/{key}"))),
    }
}

/// The first nine bytes of an object: an RDB file's magic and version, such as "REDIS0011" or "VALKEY080".
///
/// # Errors
/// As `aws::call`; `Fatal` if the object is not an RDB file.
pub(crate) async fn sniff(env: &Env, bucket: &str, key: &str) -> Result<Magic, Failure> {
    let request = env.aws.s3.get_object().bucket(bucket).key(key).range("bytes=0-8");
    let answer = call(Op::read(SERVICE, "GetObject"), request.send()).await;
    let answer =
        answer.map_err(|failure| failure.context(format!("failed to read s3://{bucket}/{key}")))?;
    let body = answer.body.collect().await.map_err(|error| {
        Failure::new(Class::Transient, format!("failed to read s3://{bucket}/{key}"))
            .because(error.to_string())
    })?;
    Magic::read(&body.into_bytes()).ok_or_else(|| {
        Failure::fatal(format!("s3://{bucket}/{key} is not an RDB file"))
            .because("it does not begin with REDIS or VALKEY and a version")
    })
}

/// The head of an RDB file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Magic {
    /// Whether it is in the format of Valkey 9 and later, which no Redis and no older Valkey reads.
    pub(crate) valkey: bool,
    /// The version of the format.
    pub(crate) version: u32,
}

impl Magic {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes.get(..9)?).ok()?;
        let (valkey, digits) = match text.strip_prefix("REDIS") {
            Some(digits) => (false, digits),
            None => (true, text.strip_prefix("VALKEY")?),
        };
        Some(Self { valkey, version: digits.parse().ok()? })
    }
}

impl std::fmt::Display for Magic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.valkey {
            true => write!(f, "VALKEY{:03}", self.version),
            false => write!(f, "REDIS{:04}", self.version),
        }
    }
}

/// Deletes an object; one that is gone already is fine.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn delete(env: &Env, bucket: &str, key: &str) -> Result<Removed, Failure> {
    let request = env.aws.s3.delete_object().bucket(bucket).key(key);
    match env.aws.change(SERVICE, "DeleteObject", request.send()).await {
        Ok(answer) if answer.delete_marker() == Some(true) => Ok(Removed::Hidden),
        Ok(_) => Ok(Removed::Gone),
        Err(failure) if failure.class == Class::NotFound => Ok(Removed::Gone),
        Err(failure) => Err(failure.context(format!("failed to delete s3://{bucket}/{key}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rdb_heads_are_told_apart() {
        let redis = Magic::read(b"REDIS0011\xfa").unwrap();
        assert_eq!(
            (redis.valkey, redis.version, redis.to_string().as_str()),
            (false, 11, "REDIS0011")
        );
        let valkey = Magic::read(b"VALKEY080\xfa").unwrap();
        assert_eq!(
            (valkey.valkey, valkey.version, valkey.to_string().as_str()),
            (true, 80, "VALKEY080")
        );
        for odd in [&b"REDIS"[..], b"", b"GARBAGE01", b"REDIS00x1", b"\xff\xfe\xfd012345"] {
            assert_eq!(Magic::read(odd), None);
        }
    }
}
