//! Uploads in parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3Error, S3Result, s3_error};

use super::body::{declared, read};
use super::buckets::bucket;
use super::objects::{algorithm, checksum_fields, encryption, etag, header_tags};
use super::service::Cx;
use super::state::{Object, S3State, Upload, hex};

/// Every part but the last must have this many bytes (S3 user guide, "Multipart upload limits").
const MINIMUM_PART: usize = 5 * 1024 * 1024;

pub(super) fn create(
    state: &mut S3State,
    cx: &Cx,
    input: CreateMultipartUploadInput,
) -> S3Result<CreateMultipartUploadOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let sse = encryption(input.server_side_encryption.as_ref(), input.ssekms_key_id, found);
    let mut template = Object::new(Bytes::new(), cx.ctx.now, sse);
    template.content_type = input.content_type;
    template.metadata = input.metadata.into_iter().flatten().collect();
    template.tags = header_tags(input.tagging.as_deref());
    let id = cx.ctx.hex(64);
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key.clone()),
        upload_id: Some(id.clone()),
        server_side_encryption: Some(algorithm(&template.sse)),
        ssekms_key_id: template.sse.kms_key(),
        checksum_algorithm: input.checksum_algorithm,
        ..Default::default()
    };
    let upload = Upload { key: input.key, template, parts: BTreeMap::new() };
    found.uploads.insert(id, upload);
    Ok(output)
}

pub(super) fn upload_part(
    state: &mut S3State,
    cx: &Cx,
    input: UploadPartInput,
) -> S3Result<UploadPartOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let upload = found.uploads.get_mut(&input.upload_id).filter(|u| u.key == input.key);
    let upload = upload.ok_or_else(no_such_upload)?;
    if !(1..=10_000).contains(&input.part_number) {
        return Err(s3_error!(
            InvalidArgument,
            "Part number must be an integer between 1 and 10000, inclusive"
        ));
    }
    let checksum = declared(
        input.checksum_crc32,
        input.checksum_crc32c,
        input.checksum_crc64nvme,
        input.checksum_sha1,
        input.checksum_sha256,
    );
    let body = read(input.body, input.content_md5.as_deref(), checksum.as_ref())?;
    let part = Object::new(body, cx.ctx.now, upload.template.sse.clone());
    let mut output = UploadPartOutput {
        e_tag: Some(etag(&part)),
        server_side_encryption: Some(algorithm(&part.sse)),
        ..Default::default()
    };
    checksum_fields!(output, checksum);
    upload.parts.insert(input.part_number, part);
    Ok(output)
}

pub(super) fn complete(
    state: &mut S3State,
    cx: &Cx,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let upload = found.uploads.get(&input.upload_id).filter(|u| u.key == input.key);
    let upload = upload.ok_or_else(no_such_upload)?;
    let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if named.is_empty() {
        return Err(super::buckets::malformed());
    }
    let mut body = Vec::new();
    let mut digests = Md5::new();
    let mut previous = 0;
    for (at, part) in named.iter().enumerate() {
        let number = part.part_number.unwrap_or_default();
        if number <= previous {
            return Err(s3_error!(
                InvalidPartOrder,
                "The list of parts was not in ascending order. Parts must be ordered by part \
                 number."
            ));
        }
        previous = number;
        let tag = part.e_tag.as_ref().map(ETag::value);
        let stored = upload.parts.get(&number).filter(|stored| Some(&*stored.etag) == tag);
        let stored = stored.ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found. The part may not have \
                 been uploaded, or the specified entity tag may not match the part's entity tag."
            )
        })?;
        if at + 1 < named.len() && stored.body.len() < MINIMUM_PART {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed size"
            ));
        }
        digests.update(Md5::digest(&stored.body));
        body.extend_from_slice(&stored.body);
    }
    let mut object = upload.template.clone();
    object.body = body.into();
    object.etag = format!("{}-{}", hex(&digests.finalize()), named.len());
    object.last_modified = cx.ctx.now;
    found.uploads.remove(&input.upload_id);
    let (e_tag, sse, kms) = (etag(&object), algorithm(&object.sse), object.sse.kms_key());
    let version_id = found.put(&input.key, object, cx.ctx.hex(32));
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("http://{}.s3.amazonaws.com/{}", input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(e_tag),
        server_side_encryption: Some(sse),
        ssekms_key_id: kms,
        version_id,
        ..Default::default()
    })
}

pub(super) fn abort(
    state: &mut S3State,
    cx: &Cx,
    input: AbortMultipartUploadInput,
) -> S3Result<AbortMultipartUploadOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    match found.uploads.remove(&input.upload_id) {
        Some(_) => Ok(AbortMultipartUploadOutput::default()),
        None => Err(no_such_upload()),
    }
}

fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may \
         have been aborted or completed."
    )
}
