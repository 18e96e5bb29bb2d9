use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Value, json};

/// The encryption of an object at rest, or the default of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Encryption {
    /// SSE-S3.
    #[default]
    Aes256,
    /// SSE-KMS under this key.
    Kms(String),
}

/// One object, or one version of it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Bytes,
    /// Without the quotes.
    pub(crate) etag: String,
    pub(crate) last_modified: Timestamp,
    pub(crate) sse: Encryption,
    pub(crate) version: Option<String>,
}

/// One bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) region: String,
    /// The account that owns it.
    pub(crate) owner: String,
    /// The bucket policy as it was put: a JSON document.
    pub(crate) policy: Option<String>,
    pub(crate) encryption: Encryption,
    pub(crate) versioning: bool,
    pub(crate) created: Timestamp,
    pub(crate) objects: BTreeMap<String, Object>,
}

/// All buckets, of every owner: the sandbox stands for the whole of S3.
#[derive(Debug, Clone, Default)]
pub(crate) struct S3State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

impl S3State {
    /// Puts an empty bucket as if it had always been there.
    #[expect(clippy::too_many_arguments, reason = "one argument per property that a seed may set")]
    pub(crate) fn seed_bucket(
        &mut self,
        name: &str,
        region: &str,
        owner: &str,
        policy: Option<String>,
        encryption: Encryption,
        versioning: bool,
        now: Timestamp,
    ) {
        let bucket = Bucket {
            region: region.to_owned(),
            owner: owner.to_owned(),
            policy,
            encryption,
            versioning,
            created: now,
            objects: BTreeMap::new(),
        };
        self.buckets.insert(name.to_owned(), bucket);
    }

    /// Stores an object whole; `sse` of `None` takes the bucket's default. Nothing happens if there is no such bucket.
    pub(crate) fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        body: Bytes,
        now: Timestamp,
        sse: Option<Encryption>,
    ) {
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        let etag = Md5::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let sse = sse.unwrap_or_else(|| bucket.encryption.clone());
        let object = Object { body, etag, last_modified: now, sse, version: None };
        bucket.objects.insert(key.to_owned(), object);
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let bucket = |b: &Bucket| {
            let objects: BTreeMap<_, _> = b
                .objects
                .iter()
                .map(|(key, object)| (key, json!({"size": object.body.len()})))
                .collect();
            json!({"region": b.region, "owner": b.owner, "objects": objects})
        };
        self.buckets.iter().map(|(name, b)| (name.clone(), bucket(b))).collect()
    }
}
