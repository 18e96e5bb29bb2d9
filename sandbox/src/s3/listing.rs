//! Listings, in byte order of the keys.

use std::collections::BTreeSet;

use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::buckets::{bucket, owner, time};
use super::objects::etag;
use super::service::Cx;
use super::state::{NULL_VERSION, Past, S3State};

/// Pages never hold more, whatever is asked (S3 API reference, ListObjectsV2).
const PAGE: i32 = 1000;

pub(super) fn list(
    state: &mut S3State,
    cx: &Cx,
    input: ListObjectsV2Input,
) -> S3Result<ListObjectsV2Output> {
    let account = cx.ctx.account().to_owned();
    let found = bucket(state, cx, &input.bucket)?;
    let encode = |text: &str| match &input.encoding_type {
        Some(_) => percent_encode(text),
        None => text.to_owned(),
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
    let max = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
    let after = match &input.continuation_token {
        Some(token) => Some(token_key(token).ok_or_else(|| {
            s3_error!(InvalidArgument, "The continuation token provided is incorrect")
        })?),
        None => input.start_after.clone(),
    };

    let mut contents = Vec::new();
    let mut prefixes = BTreeSet::new();
    let mut last = None;
    let mut truncated = false;
    for (key, object) in found.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        let group = delimiter.as_ref().and_then(|delimiter| {
            let at = key[prefix.len()..].find(delimiter.as_str())?;
            Some(key[..prefix.len() + at + delimiter.len()].to_owned())
        });
        // A page that ended with a group went past every key in it.
        let position = group.as_ref().unwrap_or(key);
        if after.as_ref().is_some_and(|after| position <= after || key <= after)
            || group.as_ref().is_some_and(|group| prefixes.contains(group))
        {
            continue;
        }
        if (contents.len() + prefixes.len()) as i32 >= max {
            truncated = max > 0;
            break;
        }
        last = Some(position.clone());
        if let Some(group) = group {
            prefixes.insert(group);
            continue;
        }
        contents.push(Object {
            key: Some(encode(key)),
            e_tag: Some(etag(object)),
            last_modified: Some(time(object.last_modified)),
            size: Some(object.body.len() as i64),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            owner: (input.fetch_owner == Some(true)).then(|| owner(&account)),
            ..Default::default()
        });
    }
    let common: Vec<_> =
        prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) }).collect();
    Ok(ListObjectsV2Output {
        key_count: Some((contents.len() + common.len()) as i32),
        name: Some(input.bucket.clone()),
        prefix: Some(encode(&prefix)),
        delimiter: delimiter.as_deref().map(encode),
        max_keys: Some(max),
        encoding_type: input.encoding_type.clone(),
        start_after: input.start_after.as_deref().map(encode),
        continuation_token: input.continuation_token.clone(),
        is_truncated: Some(truncated),
        next_continuation_token: last.filter(|_| truncated).map(|key| key_token(&key)),
        contents: Some(contents),
        common_prefixes: Some(common),
        ..Default::default()
    })
}

/// Every version of every key under a prefix, newest first, on one page.
pub(super) fn versions(
    state: &mut S3State,
    cx: &Cx,
    input: ListObjectVersionsInput,
) -> S3Result<ListObjectVersionsOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let keys: BTreeSet<_> = found.objects.keys().chain(found.history.keys()).collect();
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    let version = |key: &str, object: &super::state::Object, latest| ObjectVersion {
        key: Some(key.to_owned()),
        version_id: Some(object.version.clone().unwrap_or_else(|| NULL_VERSION.to_owned())),
        is_latest: Some(latest),
        e_tag: Some(etag(object)),
        size: Some(object.body.len() as i64),
        last_modified: Some(time(object.last_modified)),
        ..Default::default()
    };
    for key in keys.into_iter().filter(|key| key.starts_with(&prefix)) {
        let current = found.objects.get(key);
        versions.extend(current.map(|object| version(key, object, true)));
        let past = found.history.get(key).into_iter().flatten().rev();
        for (age, past) in past.enumerate() {
            match past {
                Past::Object(object) => versions.push(version(key, object, false)),
                Past::DeleteMarker { version, at } => markers.push(DeleteMarkerEntry {
                    key: Some(key.clone()),
                    version_id: Some(version.clone()),
                    is_latest: Some(age == 0 && current.is_none()),
                    last_modified: Some(time(*at)),
                    owner: None,
                }),
            }
        }
    }
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(prefix),
        max_keys: Some(PAGE),
        is_truncated: Some(false),
        versions: Some(versions),
        delete_markers: Some(markers),
        ..Default::default()
    })
}

/// A continuation token is opaque to the client; here it is the last key, in hexadecimal.
fn key_token(key: &str) -> String {
    super::state::hex(key.as_bytes())
}

fn token_key(token: &str) -> Option<String> {
    let pairs = token.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// What `encoding-type=url` asks for: everything but unreserved characters and the slash.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}
