//! A cluster without servers: its entries in memory, no I/O and no waiting anywhere.

use super::acl;
use super::error::DataError;
use super::fill::{self, Content};
use super::rdb;
use super::restore::more_than_one;
use super::slots::{self, owner, slot_of};
use super::spec::{AclUser, ClusterSpec, Fill, Pretence, ShardInfo, ShardSnapshot};
use super::value::Value;
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const PORT: u16 = 6379;
/// 2100-01-01. The model has no clock and expires nothing; a made-up time to live counts from here, so that a real
/// server that loads the model's file keeps the key too.
const TTL_BASE_MS: u64 = 4_102_444_800_000;

/// A copy of what a modelled cluster holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// In slot order. Empty once the cluster has been stopped.
    pub shards: Vec<ModelShard>,
}

impl Model {
    /// Keys of all shards.
    pub fn keys(&self) -> u64 {
        self.shards.iter().map(|shard| shard.entries.len() as u64).sum()
    }

    /// Every entry, shard by shard.
    pub fn entries(&self) -> impl Iterator<Item = &ModelEntry> {
        self.shards.iter().flat_map(|shard| &shard.entries)
    }

    /// The entry of a key, looked for in the shard that owns its slot.
    pub fn get(&self, key: &[u8]) -> Option<&ModelEntry> {
        let slot = slot_of(key);
        let owns = |shard: &&ModelShard| {
            shard.slots.iter().any(|&(first, last)| (first..=last).contains(&slot))
        };
        let entries = &self.shards.iter().find(owns)?.entries;
        let found = entries.binary_search_by(|entry| entry.key.as_slice().cmp(key)).ok()?;
        entries.get(found)
    }
}

/// One shard's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShard {
    pub id: String,
    pub slots: Vec<(u16, u16)>,
    /// In the order of their keys.
    pub entries: Vec<ModelEntry>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    pub key: Vec<u8>,
    /// `string`, `hash`, `list`, `set` or `zset`.
    pub kind: &'static str,
    /// Equal exactly when the values are equal; not how any server would encode them.
    pub value: Vec<u8>,
    /// Unix milliseconds.
    pub expires_at_ms: Option<u64>,
}

/// A value with its expiry, as stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) expires_at_ms: Option<u64>,
}

pub(crate) type Entries = BTreeMap<Vec<u8>, Entry>;

/// Labels of the clusters that exist, so that two of one name have different endpoints.
pub(crate) type Names = Mutex<HashSet<String>>;

pub(crate) struct ModelCluster {
    name: String,
    label: String,
    names: Arc<Names>,
    cluster_mode: bool,
    layout: Mutex<Vec<(String, (u16, u16))>>,
    pretence: Mutex<Pretence>,
    /// `None` once stopped.
    shards: Mutex<Option<Vec<Entries>>>,
}

impl ModelCluster {
    pub(crate) fn new(spec: &ClusterSpec, names: &Arc<Names>) -> Result<Arc<Self>, DataError> {
        acl::rules(&spec.users, spec.open_access)?;
        let mut taken = names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut label = spec.name.clone();
        let mut next = 2;
        while !taken.insert(label.clone()) {
            label = format!("{}-{next}", spec.name);
            next += 1;
        }
        drop(taken);
        Ok(Arc::new(Self {
            name: spec.name.clone(),
            label,
            names: Arc::clone(names),
            cluster_mode: spec.cluster_mode,
            layout: Mutex::new(slots::layout(spec.shards)),
            pretence: Mutex::default(),
            shards: Mutex::new(Some(vec![Entries::new(); usize::from(spec.shards)])),
        }))
    }

    pub(crate) fn endpoint(&self) -> (String, u16) {
        let role = if self.cluster_mode { "clustercfg" } else { "master" };
        (format!("{role}.{}.sandbox.invalid", self.label), PORT)
    }

    pub(crate) fn shards(&self) -> Vec<ShardInfo> {
        let shard = |(id, range): (String, (u16, u16))| {
            let host = if self.cluster_mode {
                format!("{}-{id}-001.sandbox.invalid", self.label)
            } else {
                self.endpoint().0
            };
            ShardInfo { id, slots: vec![range], host, port: PORT }
        };
        self.layout().into_iter().map(shard).collect()
    }

    fn layout(&self) -> Vec<(String, (u16, u16))> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn ranges(&self) -> Vec<(u16, u16)> {
        self.layout().into_iter().map(|(_, range)| range).collect()
    }

    /// Splits the slots among shards of these ids, and moves every entry to the shard that owns its slot.
    pub(crate) fn reshard(&self, ids: &[String]) -> Result<(), DataError> {
        let ranges = slots::split(u16::try_from(ids.len()).unwrap_or(slots::SLOTS));
        self.with(|shards| {
            let old = std::mem::replace(shards, vec![Entries::new(); ids.len()]);
            for (key, entry) in old.into_iter().flatten() {
                shards[owner(&ranges, slot_of(&key))].insert(key, entry);
            }
        })?;
        let layout = ids.iter().cloned().zip(ranges).collect();
        *self.layout.lock().unwrap_or_else(PoisonError::into_inner) = layout;
        Ok(())
    }

    pub(crate) fn key_counts(&self) -> Result<Vec<u64>, DataError> {
        self.with(|shards| shards.iter().map(|entries| entries.len() as u64).collect())
    }

    pub(crate) fn pretend(&self, pretence: Pretence) {
        *self.pretence.lock().unwrap_or_else(PoisonError::into_inner) = pretence;
    }

    fn pretence(&self) -> Pretence {
        *self.pretence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each shard says it uses, or about what its entries take.
    pub(crate) fn used_memory(&self) -> Result<Vec<u64>, DataError> {
        let pretence = self.pretence();
        let used = |entries: &Entries| {
            pretence.used_memory.unwrap_or_else(|| rdb::write(entries, pretence).len() as u64)
        };
        self.with(|shards| shards.iter().map(used).collect())
    }

    pub(crate) fn snapshot(&self) -> Result<Vec<ShardSnapshot>, DataError> {
        let (infos, pretence) = (self.shards(), self.pretence());
        self.with(|shards| {
            let snapshot = |(entries, info): (&mut Entries, ShardInfo)| ShardSnapshot {
                shard_id: info.id,
                slots: info.slots,
                rdb: rdb::write(entries, pretence).into(),
                keys: entries.len() as u64,
            };
            shards.iter_mut().zip(infos).map(snapshot).collect()
        })
    }

    pub(crate) fn restore(&self, files: &[(String, Bytes)]) -> Result<u64, DataError> {
        let mut moved = 0;
        for (name, bytes) in files {
            let databases = rdb::read(bytes).map_err(|reason| DataError::refused(name, reason))?;
            let used: Vec<(u32, u64)> = databases
                .iter()
                .filter(|(_, entries)| !entries.is_empty())
                .map(|(&number, entries)| (number, entries.len() as u64))
                .collect();
            if used.len() > 1 {
                return Err(DataError::refused(name, more_than_one(&used)));
            }
            if let [(number @ 1.., keys)] = used[..] {
                return Err(DataError::refused(
                    name,
                    format!(
                        "its {keys} keys are in database {number}; only database 0 is supported"
                    ),
                ));
            }
            let ranges = self.ranges();
            self.with(|shards| {
                for (key, entry) in databases.into_values().flatten() {
                    moved += 1;
                    shards[owner(&ranges, slot_of(&key))].insert(key, entry);
                }
            })?;
        }
        Ok(moved)
    }

    /// Nobody connects to a model, so users are only checked.
    pub(crate) fn set_users(&self, users: &[AclUser], open_access: bool) -> Result<(), DataError> {
        self.with(|_| ())?;
        acl::rules(users, open_access).map(|_| ())
    }

    pub(crate) fn fill(&self, fill: Fill) -> Result<u64, DataError> {
        let (mut written, ranges) = (0, self.ranges());
        self.with(|shards| {
            for item in fill::items(fill) {
                let Content::Plain(value) = item.content else { continue };
                let expires_at_ms = item.ttl_ms.map(|ttl| TTL_BASE_MS + ttl);
                shards[owner(&ranges, slot_of(&item.key))]
                    .insert(item.key, Entry { value, expires_at_ms });
                written += 1;
            }
        })?;
        Ok(written)
    }

    pub(crate) fn set(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), DataError> {
        let ranges = self.ranges();
        self.with(|shards| {
            let shard = &mut shards[owner(&ranges, slot_of(key))];
            match value {
                Some(value) => {
                    let value = Value::String(value.to_vec());
                    shard.insert(key.to_vec(), Entry { value, expires_at_ms: None });
                }
                None => {
                    shard.remove(key);
                }
            }
        })
    }

    pub(crate) fn content(&self) -> Model {
        let infos = self.shards();
        let shards = self.lock();
        let shards = shards.iter().flatten();
        let shards = infos
            .into_iter()
            .zip(shards)
            .map(|(info, entries)| ModelShard {
                id: info.id,
                slots: info.slots,
                entries: entries
                    .iter()
                    .map(|(key, entry)| ModelEntry {
                        key: key.clone(),
                        kind: entry.value.kind(),
                        value: entry.value.canonical(),
                        expires_at_ms: entry.expires_at_ms,
                    })
                    .collect(),
            })
            .collect();
        Model { shards }
    }

    pub(crate) fn stop(&self) {
        if self.lock().take().is_some() {
            self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.label);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Entries>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Entries>) -> T) -> Result<T, DataError> {
        match self.lock().as_mut() {
            Some(shards) => Ok(work(shards)),
            None => Err(DataError::Stopped { cluster: self.name.clone() }),
        }
    }
}

impl Drop for ModelCluster {
    fn drop(&mut self) {
        self.stop();
    }
}
