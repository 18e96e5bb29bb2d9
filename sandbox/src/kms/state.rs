//! Which keys exist.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Which keys exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct KmsState {
    /// By key id.
    pub(crate) keys: BTreeMap<String, Key>,
}

/// A key.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) arn: String,
    /// Such as `alias/redis`.
    pub(crate) alias: Option<String>,
    /// Such as `Enabled` (KMS API reference, KeyMetadata).
    pub(crate) state: String,
    /// Such as `SYMMETRIC_DEFAULT`.
    pub(crate) spec: String,
    /// Such as `ENCRYPT_DECRYPT`.
    pub(crate) usage: String,
}

impl KmsState {
    /// A key by its id, its ARN, its alias or its alias's ARN.
    pub(crate) fn find(&self, named: &str) -> Option<&Key> {
        let last = named.rsplit_once(":key/").map_or(named, |(_, id)| id);
        let alias = named.rfind("alias/").map(|at| &named[at..]);
        self.keys.values().find(|key| {
            let same = if named.contains(":key/") { key.arn == named } else { key.id == last };
            same || alias.is_some() && key.alias.as_deref() == alias
        })
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let keys: BTreeMap<_, _> =
            self.keys.values().map(|key| (&key.id, json!({"state": key.state}))).collect();
        json!({"keys": keys})
    }
}
