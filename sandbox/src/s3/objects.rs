//! Objects: put, get, head, copy, delete, tags.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use s3s::dto::*;
use s3s::{Body, S3Error, S3Result, s3_error};

use super::body::{declared, read};
use super::buckets::{bucket, time};
use super::service::Cx;
use super::state::{Encryption, Object, S3State};

/// Puts a stored checksum into the member of the output that is named after its algorithm.
macro_rules! checksum_fields {
    ($output:ident, $checksum:expr) => {
        match &$checksum {
            Some(("crc32", sum)) => $output.checksum_crc32 = Some(sum.clone()),
            Some(("crc32c", sum)) => $output.checksum_crc32c = Some(sum.clone()),
            Some(("crc64nvme", sum)) => $output.checksum_crc64nvme = Some(sum.clone()),
            Some(("sha1", sum)) => $output.checksum_sha1 = Some(sum.clone()),
            Some((_, sum)) => $output.checksum_sha256 = Some(sum.clone()),
            None => {}
        }
    };
}

pub(super) use checksum_fields;

pub(super) fn put(
    state: &mut S3State,
    cx: &Cx,
    input: PutObjectInput,
) -> S3Result<PutObjectOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let checksum = declared(
        input.checksum_crc32,
        input.checksum_crc32c,
        input.checksum_crc64nvme,
        input.checksum_sha1,
        input.checksum_sha256,
    );
    let body = read(input.body, input.content_md5.as_deref(), checksum.as_ref())?;
    check_write(
        found.objects.get(&input.key),
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    let sse = encryption(input.server_side_encryption.as_ref(), input.ssekms_key_id, found);
    let mut object = Object::new(body, cx.ctx.now, sse);
    object.content_type = input.content_type;
    object.metadata = input.metadata.into_iter().flatten().collect();
    object.tags = header_tags(input.tagging.as_deref());
    object.checksum = checksum;
    let mut output = PutObjectOutput {
        e_tag: Some(etag(&object)),
        server_side_encryption: Some(algorithm(&object.sse)),
        ssekms_key_id: object.sse.kms_key(),
        ..Default::default()
    };
    checksum_fields!(output, object.checksum);
    output.version_id = found.put(&input.key, object, cx.ctx.hex(32));
    Ok(output)
}

pub(super) fn get(
    state: &mut S3State,
    cx: &Cx,
    input: GetObjectInput,
) -> S3Result<GetObjectOutput> {
    let object = find(state, cx, &input.bucket, &input.key, input.version_id.as_deref())?;
    check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let full = object.body.len() as u64;
    let range = span(input.range.as_ref(), full)?;
    let body = match &range {
        Some(range) => object.body.slice(range.start as usize..range.end as usize),
        None => object.body.clone(),
    };
    let mut output = GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(body.len() as i64),
        content_range: range.as_ref().map(|r| format!("bytes {}-{}/{full}", r.start, r.end - 1)),
        body: Some(StreamingBlob::from(Body::from(body))),
        content_type: object.content_type.clone().or_else(binary),
        e_tag: Some(etag(&object)),
        last_modified: Some(time(object.last_modified)),
        metadata: Some(object.metadata.clone().into_iter().collect()),
        server_side_encryption: Some(algorithm(&object.sse)),
        ssekms_key_id: object.sse.kms_key(),
        tag_count: (!object.tags.is_empty()).then_some(object.tags.len() as i32),
        version_id: object.version.clone(),
        ..Default::default()
    };
    if input.checksum_mode.is_some() && range.is_none() {
        checksum_fields!(output, object.checksum);
    }
    Ok(output)
}

pub(super) fn head(
    state: &mut S3State,
    cx: &Cx,
    input: HeadObjectInput,
) -> S3Result<HeadObjectOutput> {
    let object = find(state, cx, &input.bucket, &input.key, input.version_id.as_deref())?;
    // Whoever may see a lock is not asked here (S3 API reference, HeadObject: s3:GetObjectRetention).
    let locked = bucket(state, cx, &input.bucket)?.locked_until(&object);
    check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let full = object.body.len() as u64;
    let range = span(input.range.as_ref(), full)?;
    let length = range.as_ref().map_or(full, |range| range.end - range.start);
    let mut output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: Some(length as i64),
        content_range: range.as_ref().map(|r| format!("bytes {}-{}/{full}", r.start, r.end - 1)),
        content_type: object.content_type.clone().or_else(binary),
        e_tag: Some(etag(&object)),
        last_modified: Some(time(object.last_modified)),
        metadata: Some(object.metadata.clone().into_iter().collect()),
        server_side_encryption: Some(algorithm(&object.sse)),
        ssekms_key_id: object.sse.kms_key(),
        version_id: object.version.clone(),
        object_lock_mode: locked.map(|_| ObjectLockMode::from_static(ObjectLockMode::GOVERNANCE)),
        object_lock_retain_until_date: locked.map(time),
        ..Default::default()
    };
    if input.checksum_mode.is_some() && range.is_none() {
        checksum_fields!(output, object.checksum);
    }
    Ok(output)
}

pub(super) fn copy(
    state: &mut S3State,
    cx: &Cx,
    input: CopyObjectInput,
) -> S3Result<CopyObjectOutput> {
    let CopySource::Bucket { bucket: from, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "the sandbox copies from buckets only"));
    };
    let source = find(state, cx, from, key, version_id.as_deref())?;
    let replace =
        |directive: Option<&str>| directive.is_some_and(|d| d.eq_ignore_ascii_case("REPLACE"));
    let replace_metadata = replace(input.metadata_directive.as_ref().map(|d| d.as_str()));
    let same_place = **from == *input.bucket && **key == *input.key && version_id.is_none();
    if same_place && !replace_metadata && input.server_side_encryption.is_none() {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location or \
             encryption attributes."
        ));
    }
    let target = bucket(state, cx, &input.bucket)?;
    let sse = encryption(input.server_side_encryption.as_ref(), input.ssekms_key_id, target);
    let mut object = Object::new(source.body.clone(), cx.ctx.now, sse);
    object.checksum = source.checksum;
    if replace_metadata {
        object.content_type = input.content_type;
        object.metadata = input.metadata.into_iter().flatten().collect();
    } else {
        object.content_type = source.content_type;
        object.metadata = source.metadata;
    }
    object.tags = match replace(input.tagging_directive.as_ref().map(|d| d.as_str())) {
        true => header_tags(input.tagging.as_deref()),
        false => source.tags,
    };
    let result = CopyObjectResult {
        e_tag: Some(etag(&object)),
        last_modified: Some(time(cx.ctx.now)),
        ..Default::default()
    };
    let (sse, kms) = (algorithm(&object.sse), object.sse.kms_key());
    let version_id = target.put(&input.key, object, cx.ctx.hex(32));
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source.version,
        server_side_encryption: Some(sse),
        ssekms_key_id: kms,
        version_id,
        ..Default::default()
    })
}

/// Deleting what does not exist succeeds.
pub(super) fn delete(
    state: &mut S3State,
    cx: &Cx,
    input: DeleteObjectInput,
) -> S3Result<DeleteObjectOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let output = match input.version_id {
        Some(version) if found.locks(&input.key, &version, cx.ctx.now) => {
            return Err(s3_error!(
                AccessDenied,
                "Access Denied because object protected by object lock."
            ));
        }
        Some(version) => DeleteObjectOutput {
            delete_marker: found.delete_version(&input.key, &version).then_some(true),
            version_id: Some(version),
            request_charged: None,
        },
        None => {
            let version_id = found.delete(&input.key, cx.ctx.hex(32), cx.ctx.now);
            let delete_marker = version_id.is_some().then_some(true);
            DeleteObjectOutput { delete_marker, version_id, request_charged: None }
        }
    };
    Ok(output)
}

pub(super) fn delete_many(
    state: &mut S3State,
    cx: &Cx,
    input: DeleteObjectsInput,
) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(super::buckets::malformed());
    }
    let quiet = input.delete.quiet == Some(true);
    let found = bucket(state, cx, &input.bucket)?;
    let mut deleted = Vec::new();
    for ObjectIdentifier { key, version_id, .. } in input.delete.objects {
        let mut entry = DeletedObject { key: Some(key.clone()), ..Default::default() };
        match version_id {
            Some(version) => {
                entry.delete_marker = found.delete_version(&key, &version).then_some(true);
                entry.version_id = Some(version);
            }
            None => {
                entry.delete_marker_version_id = found.delete(&key, cx.ctx.hex(32), cx.ctx.now);
                entry.delete_marker = entry.delete_marker_version_id.is_some().then_some(true);
            }
        }
        deleted.push(entry);
    }
    Ok(DeleteObjectsOutput { deleted: (!quiet).then_some(deleted), ..Default::default() })
}

pub(super) fn get_tags(
    state: &mut S3State,
    cx: &Cx,
    input: GetObjectTaggingInput,
) -> S3Result<GetObjectTaggingOutput> {
    let object = find(state, cx, &input.bucket, &input.key, input.version_id.as_deref())?;
    let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
    let tag_set = object.tags.into_iter().map(tag).collect();
    Ok(GetObjectTaggingOutput { tag_set, version_id: object.version })
}

pub(super) fn put_tags(
    state: &mut S3State,
    cx: &Cx,
    input: PutObjectTaggingInput,
) -> S3Result<PutObjectTaggingOutput> {
    if input.tagging.tag_set.len() > 10 {
        return Err(s3_error!(InvalidTag, "Object tags cannot be greater than 10"));
    }
    let mut tags = BTreeMap::new();
    for Tag { key, value } in input.tagging.tag_set {
        if tags.insert(key.unwrap_or_default(), value.unwrap_or_default()).is_some() {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    let found = bucket(state, cx, &input.bucket)?;
    let object = found.objects.get_mut(&input.key).ok_or_else(no_such_key)?;
    object.tags = tags;
    Ok(PutObjectTaggingOutput { version_id: object.version.clone() })
}

/// A copy of the object, which is cheap: the bytes are shared.
fn find(
    state: &mut S3State,
    cx: &Cx,
    name: &str,
    key: &str,
    version: Option<&str>,
) -> S3Result<Object> {
    let found = bucket(state, cx, name)?.find(key, version);
    found.cloned().ok_or_else(|| match version {
        Some(_) => s3_error!(NoSuchVersion, "The specified version does not exist."),
        None => no_such_key(),
    })
}

fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

/// The bytes a range asks for, or 416 with the full length.
fn span(range: Option<&Range>, full: u64) -> S3Result<Option<std::ops::Range<u64>>> {
    range.map(|range| range.check(full)).transpose().map_err(|_| {
        let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
        let length = HeaderValue::from_str(&format!("bytes */{full}")).ok();
        error.set_headers(HeaderMap::from_iter(
            length.map(|length| (http::header::CONTENT_RANGE, length)),
        ));
        error
    })
}

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.value() == object.etag,
    }
}

fn check_write(
    current: Option<&Object>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let met = match (if_match, if_none_match, current) {
        (Some(_), _, None) => return Err(no_such_key()),
        (Some(wanted), _, Some(object)) => matches(wanted, object),
        (None, Some(unwanted), Some(object)) => !matches(unwanted, object),
        (None, _, None) | (None, None, Some(_)) => true,
    };
    if met { Ok(()) } else { Err(precondition_failed()) }
}

fn check_read(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|wanted| !matches(wanted, object)) {
        return Err(precondition_failed());
    }
    if if_none_match.is_some_and(|unwanted| matches(unwanted, object)) {
        return Err(S3Error::new(s3s::S3ErrorCode::NotModified));
    }
    Ok(())
}

fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

/// What a new object is encrypted with: what its writer asks for, or the bucket's default.
pub(super) fn encryption(
    asked: Option<&ServerSideEncryption>,
    key: Option<String>,
    bucket: &super::state::Bucket,
) -> Encryption {
    match asked {
        Some(asked) => Encryption::parse(asked.as_str(), key),
        None => bucket.encryption.clone(),
    }
}

pub(super) fn algorithm(sse: &Encryption) -> ServerSideEncryption {
    ServerSideEncryption::from_static(sse.algorithm())
}

pub(super) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// The tags of an `x-amz-tagging` header: a query string.
pub(super) fn header_tags(header: Option<&str>) -> BTreeMap<String, String> {
    form_urlencoded::parse(header.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn binary() -> Option<String> {
    Some("binary/octet-stream".to_owned())
}
