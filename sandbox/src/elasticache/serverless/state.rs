//! What exists in ElastiCache Serverless.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::data::{Cluster, ShardSnapshot};
use crate::elasticache::state::{Due, ElastiCacheState};
use crate::world::key_count;

/// A serverless cache. It always speaks TLS and the cluster protocol (ElastiCache user guide, serverless caches).
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) engine: String,
    /// Such as `8`.
    pub(crate) major_version: String,
    /// Such as `8.0`.
    pub(crate) full_version: String,
    pub(crate) user_group: Option<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) subnets: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    /// How many keys it was filled with.
    pub(crate) keys: u64,
    /// How exported files are called behind the snapshot's name; `{n}` is the number of the file.
    pub(crate) export_suffix: String,
    /// The servers; absent until they have started.
    pub(crate) cluster: Option<Cluster>,
}

/// A snapshot of a serverless cache.
#[derive(Debug, Clone)]
pub(crate) struct CacheSnapshot {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    /// The cache it was taken from.
    pub(crate) cache: String,
    pub(crate) engine: String,
    pub(crate) major_version: String,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) visible: Timestamp,
    pub(crate) export_suffix: String,
    /// The data, server by server; absent until they have saved it.
    pub(crate) files: Option<Vec<ShardSnapshot>>,
}

impl CacheSnapshot {
    /// The objects that an export writes. AWS documents neither how many they are nor what follows the snapshot's name
    /// (ElastiCache API reference, ExportServerlessCacheSnapshot), so both are the seed's to choose.
    pub(crate) fn objects(&self) -> Vec<(String, bytes::Bytes)> {
        let files = self.files.as_deref().unwrap_or_default().iter().enumerate();
        let key = |n: usize| {
            format!("{}{}", self.name, self.export_suffix.replace("{n}", &format!("{:04}", n + 1)))
        };
        files.map(|(n, file)| (key(n), file.rdb.clone())).collect()
    }
}

/// See `World::describe`: caches and snapshots.
pub(in crate::elasticache) fn describe(state: &ElastiCacheState) -> (Value, Value) {
    let caches: BTreeMap<_, _> = state
        .caches
        .iter()
        .map(|(name, c)| {
            let keys = key_count(c.cluster.as_ref(), c.keys);
            (
                name,
                json!({
                    "status": c.status, "engine": c.engine, "user_group": c.user_group,
                    "tags": c.tags, "keys": keys,
                }),
            )
        })
        .collect();
    let snapshots: BTreeMap<_, _> = state
        .cache_snapshots
        .iter()
        .map(|(name, s)| {
            let keys: Option<u64> =
                s.files.as_ref().map(|files| files.iter().map(|file| file.keys).sum());
            (name, json!({"status": s.status, "cache": s.cache, "keys": keys, "tags": s.tags}))
        })
        .collect();
    (json!(caches), json!(snapshots))
}
