//! Buckets and what is in them.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::policy::{Verdict, policy_allows};

/// All buckets, of every owner: the sandbox stands for the whole of S3.
#[derive(Debug, Clone, Default)]
pub(crate) struct S3State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
}

/// One bucket: where it is, whose it is, and its objects.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    pub(crate) region: String,
    /// The account that owns it. Calls of any other account are refused.
    pub(crate) owner: String,
    /// The bucket policy as it was put: a JSON document.
    pub(crate) policy: Option<String>,
    /// What an object gets whose writer asks for nothing.
    pub(crate) encryption: Encryption,
    /// The object ownership setting, unless it was never made.
    pub(crate) ownership: Option<String>,
    pub(crate) versioning: Versioning,
    /// For how many days new objects are locked, in governance mode.
    pub(crate) object_lock_days: Option<u32>,
    pub(crate) created: Timestamp,
    /// The current objects.
    pub(crate) objects: BTreeMap<String, Object>,
    /// What was current before, oldest first. Where the key has no current object, the last one
    /// is its delete marker.
    pub(super) history: BTreeMap<String, Vec<Past>>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

/// The encryption of an object at rest, or the default of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Encryption {
    /// SSE-S3, the only kind that ElastiCache and MemoryDB can seed from (MemoryDB developer
    /// guide, snapshots-seeding-redis).
    #[default]
    Aes256,
    /// SSE-KMS under this key.
    Kms(String),
}

impl Encryption {
    /// From the wire's algorithm name; anything but `AES256` is a KMS kind, under the account's
    /// own key for S3 unless another is named.
    pub(super) fn parse(algorithm: &str, key: Option<String>) -> Self {
        match algorithm {
            "AES256" => Self::Aes256,
            _ => Self::Kms(key.unwrap_or_else(|| "alias/aws/s3".to_owned())),
        }
    }

    /// The value of `x-amz-server-side-encryption`.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::Kms(_) => "aws:kms",
        }
    }

    pub(super) fn kms_key(&self) -> Option<String> {
        match self {
            Self::Aes256 => None,
            Self::Kms(key) => Some(key.clone()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}

/// One object, or one version of it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Bytes,
    /// Without the quotes.
    pub(crate) etag: String,
    pub(crate) last_modified: Timestamp,
    pub(crate) sse: Encryption,
    /// Its version id, where it was written while the bucket kept versions.
    pub(crate) version: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// The checksum the writer sent, such as `("crc32", "DUoRhQ==")`.
    pub(super) checksum: Option<(&'static str, String)>,
}

/// A version that is no longer the current object.
#[derive(Debug, Clone)]
pub(super) enum Past {
    Object(Object),
    DeleteMarker { version: String, at: Timestamp },
}

/// A multipart upload that is neither completed nor aborted.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) key: String,
    /// What the completed object will be, without its bytes.
    pub(super) template: Object,
    pub(super) parts: BTreeMap<i32, Object>,
}

/// The version id of what was written while versioning was not enabled.
pub(super) const NULL_VERSION: &str = "null";

impl Object {
    /// An object of `body` as written at `now`; its ETag is the MD5 of the bytes.
    pub(crate) fn new(body: Bytes, now: Timestamp, sse: Encryption) -> Self {
        Self {
            etag: hex(&Md5::digest(&body)),
            body,
            last_modified: now,
            sse,
            version: None,
            content_type: None,
            metadata: BTreeMap::new(),
            tags: BTreeMap::new(),
            checksum: None,
        }
    }

    fn is(&self, version: &str) -> bool {
        self.version.as_deref().unwrap_or(NULL_VERSION) == version
    }
}

impl Past {
    pub(super) fn is(&self, id: &str) -> bool {
        match self {
            Self::Object(object) => object.is(id),
            Self::DeleteMarker { version, .. } => version == id,
        }
    }
}

impl Bucket {
    /// A bucket as `CreateBucket` leaves it: private, SSE-S3, ACLs disabled (the defaults of
    /// every bucket since April 2023).
    pub(crate) fn new(region: &str, owner: &str, now: Timestamp) -> Self {
        Self {
            region: region.to_owned(),
            owner: owner.to_owned(),
            policy: None,
            encryption: Encryption::Aes256,
            ownership: Some("BucketOwnerEnforced".to_owned()),
            versioning: Versioning::Never,
            object_lock_days: None,
            created: now,
            objects: BTreeMap::new(),
            history: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// What the bucket policy says about a service; a bucket without one grants nothing.
    /// `resource_arn` is the bucket's ARN or an object's.
    pub(crate) fn allows(&self, service: &str, action: &str, resource_arn: &str) -> Verdict {
        match &self.policy {
            Some(policy) => policy_allows(policy, service, &self.owner, action, resource_arn),
            None => Verdict::NotGranted,
        }
    }

    /// The current object of `key`, or the one of that version id.
    pub(super) fn find(&self, key: &str, version: Option<&str>) -> Option<&Object> {
        let current = self.objects.get(key);
        let Some(version) = version else { return current };
        let past = self.history.get(key).into_iter().flatten().filter_map(|past| match past {
            Past::Object(object) => Some(object),
            Past::DeleteMarker { .. } => None,
        });
        current.into_iter().chain(past).find(|object| object.is(version))
    }

    /// Makes `object` the current one of the key. `fresh` is the version id it gets if the
    /// bucket keeps versions; gives the id that the answer names, if any.
    pub(super) fn put(&mut self, key: &str, mut object: Object, fresh: String) -> Option<String> {
        object.version = (self.versioning == Versioning::Enabled).then_some(fresh);
        let version = object.version.clone();
        let replaced = self.objects.insert(key.to_owned(), object);
        self.retire(key, replaced);
        match self.versioning {
            Versioning::Never => None,
            _ => Some(version.unwrap_or_else(|| NULL_VERSION.to_owned())),
        }
    }

    /// What DeleteObject without a version does: removes the object, or puts a delete marker
    /// with the id `fresh` over it. Gives the id of the marker, if there is one.
    pub(super) fn delete(&mut self, key: &str, fresh: String, now: Timestamp) -> Option<String> {
        let removed = self.objects.remove(key);
        if self.versioning == Versioning::Never {
            return None;
        }
        self.retire(key, removed);
        let enabled = self.versioning == Versioning::Enabled;
        let version = if enabled { fresh } else { NULL_VERSION.to_owned() };
        let marker = Past::DeleteMarker { version: version.clone(), at: now };
        self.history.entry(key.to_owned()).or_default().push(marker);
        Some(version)
    }

    /// Removes exactly one version, for good. What was current before it becomes current again.
    /// Says whether it was a delete marker.
    pub(super) fn delete_version(&mut self, key: &str, version: &str) -> bool {
        let mut marker = false;
        if self.objects.get(key).is_some_and(|object| object.is(version)) {
            self.objects.remove(key);
        } else if let Some(past) = self.history.get_mut(key)
            && let Some(at) = past.iter().position(|past| past.is(version))
        {
            marker = matches!(past.remove(at), Past::DeleteMarker { .. });
        }
        if !self.objects.contains_key(key)
            && let Some(past) = self.history.get_mut(key)
        {
            match past.pop() {
                Some(Past::Object(object)) => {
                    self.objects.insert(key.to_owned(), object);
                }
                Some(marker) => past.push(marker),
                None => {}
            }
        }
        self.history.retain(|_, past| !past.is_empty());
        marker
    }

    /// Whether exactly this version may not be removed yet. A delete marker over it may always be put (S3 user guide,
    /// Object Lock).
    pub(super) fn locks(&self, key: &str, version: &str, now: Timestamp) -> bool {
        let Some(days) = self.object_lock_days else { return false };
        let lock = jiff::SignedDuration::from_hours(24 * i64::from(days));
        self.find(key, Some(version)).is_some_and(|object| {
            object.last_modified.checked_add(lock).is_ok_and(|until| now < until)
        })
    }

    /// Until when a version is locked; none where the bucket locks nothing.
    pub(super) fn locked_until(&self, object: &Object) -> Option<Timestamp> {
        let days = self.object_lock_days.filter(|days| *days > 0)?;
        object
            .last_modified
            .checked_add(jiff::SignedDuration::from_hours(24 * i64::from(days)))
            .ok()
    }

    /// Keeps what a write replaced, if the bucket keeps versions. A write without versioning
    /// replaces the null version wherever it is.
    fn retire(&mut self, key: &str, replaced: Option<Object>) {
        let past = self.history.entry(key.to_owned()).or_default();
        if let Some(object) = replaced {
            past.push(Past::Object(object));
        }
        if self.versioning != Versioning::Enabled {
            past.retain(|past| !past.is(NULL_VERSION));
        }
        self.history.retain(|_, past| !past.is_empty());
    }
}

impl S3State {
    /// Stores an object whole, as a service of AWS does it; `sse` of `None` takes the bucket's
    /// default. Nothing happens if there is no such bucket.
    pub(crate) fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        body: Bytes,
        now: Timestamp,
        sse: Option<Encryption>,
    ) {
        let Some(bucket) = self.buckets.get_mut(bucket) else { return };
        let sse = sse.unwrap_or_else(|| bucket.encryption.clone());
        let fresh = hex(&Md5::digest(format!("{key} {now} {}", body.len())));
        bucket.put(key, Object::new(body, now, sse), fresh);
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let object =
            |o: &Object| json!({ "size": o.body.len(), "sse": o.sse.algorithm(), "tags": o.tags });
        let bucket = |b: &Bucket| {
            let objects: BTreeMap<_, _> = b.objects.iter().map(|(k, o)| (k, object(o))).collect();
            let older: BTreeMap<_, _> = b.history.iter().map(|(k, p)| (k, p.len())).collect();
            json!({
                "region": b.region,
                "owner": b.owner,
                "policy": b.policy,
                "encryption": b.encryption.algorithm(),
                "objects": objects,
                "older_versions": older,
                "unfinished_uploads": b.uploads.len(),
            })
        };
        self.buckets.iter().map(|(name, b)| (name.clone(), bucket(b))).collect()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
