//! The bytes of an upload, checked against what the client says about them.

use aws_smithy_types::base64;
use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Result, s3_error};

/// A checksum as the wire has it: the algorithm in lower case and the digest in base 64.
pub(super) type Declared = (&'static str, String);

/// The checksum that a request declares, if any; S3 takes at most one.
pub(super) fn declared(
    crc32: Option<String>,
    crc32c: Option<String>,
    crc64nvme: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
) -> Option<Declared> {
    let all = [
        ("crc32", crc32),
        ("crc32c", crc32c),
        ("crc64nvme", crc64nvme),
        ("sha1", sha1),
        ("sha256", sha256),
    ];
    all.into_iter().find_map(|(name, value)| Some((name, value?)))
}

/// Reads an upload whole and refuses it with `BadDigest` where the bytes are not those that the
/// client summed.
pub(super) fn read(
    body: Option<StreamingBlob>,
    content_md5: Option<&str>,
    checksum: Option<&Declared>,
) -> S3Result<Bytes> {
    let bytes = match body {
        None => Bytes::new(),
        Some(stream) => match stream.try_collect::<Vec<Bytes>>().now_or_never() {
            Some(Ok(chunks)) => chunks.concat().into(),
            _ => return Err(s3_error!(IncompleteBody, "the request body could not be read")),
        },
    };
    if content_md5.is_some_and(|md5| md5 != base64::encode(Md5::digest(&bytes))) {
        return Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ));
    }
    if let Some((algorithm, expected)) = checksum
        && sum(algorithm, &bytes).as_ref() != Some(expected)
    {
        return Err(s3_error!(
            BadDigest,
            "The {} you specified did not match the calculated checksum.",
            algorithm.to_uppercase()
        ));
    }
    Ok(bytes)
}

fn sum(algorithm: &str, bytes: &[u8]) -> Option<String> {
    let mut hasher = ChecksumHasher::default();
    match algorithm {
        "crc32" => hasher.crc32 = Some(Crc32::new()),
        "crc32c" => hasher.crc32c = Some(Crc32c::new()),
        "crc64nvme" => hasher.crc64nvme = Some(Crc64Nvme::new()),
        "sha1" => hasher.sha1 = Some(Sha1::new()),
        _ => hasher.sha256 = Some(Sha256::new()),
    }
    hasher.update(bytes);
    let found: Checksum = hasher.finalize();
    found
        .checksum_crc32
        .or(found.checksum_crc32c)
        .or(found.checksum_crc64nvme)
        .or(found.checksum_sha1)
        .or(found.checksum_sha256)
}
