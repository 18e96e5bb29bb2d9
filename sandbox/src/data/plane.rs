use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// Where the servers inside the clusters come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServerPolicy {
    /// A server program, if one is found.
    #[default]
    Auto,
    /// No processes: the model.
    Off,
    /// This program.
    Program(PathBuf),
}

/// What stands behind the clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaneKind {
    /// Server processes.
    Real {
        /// The program.
        program: PathBuf,
        /// Its version.
        version: String,
    },
    /// The model.
    Model {
        /// Why there is no real server.
        why: String,
    },
}

/// What went wrong inside a cluster.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct DataError(pub String);

/// A user as a server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclUser {
    /// The name a client logs in with.
    pub name: String,
    /// As AWS stores it, such as `on ~* +@all`.
    pub access_string: String,
    /// Its passwords.
    pub passwords: Vec<String>,
    /// Whether it needs none.
    pub no_password: bool,
}

/// What kind of cluster to start.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// The name, for directories and messages.
    pub name: String,
    /// `redis` or `valkey`.
    pub engine: String,
    /// How many shards.
    pub shards: u16,
    /// Whether cluster mode is on.
    pub cluster_mode: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its users.
    pub users: Vec<AclUser>,
    /// Whether anybody may do anything.
    pub open_access: bool,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// Such as `0001`.
    pub id: String,
    /// First and last slot of each range.
    pub slots: Vec<(u16, u16)>,
    /// Where it listens.
    pub host: String,
    /// Where it listens.
    pub port: u16,
}

/// One shard's data at one instant.
#[derive(Debug, Clone)]
pub struct ShardSnapshot {
    /// Such as `0001`.
    pub shard_id: String,
    /// First and last slot of each range.
    pub slots: Vec<(u16, u16)>,
    /// The RDB file.
    pub rdb: Bytes,
    /// How many keys it holds.
    pub keys: u64,
}

/// What to fill a cluster with.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    /// How many keys.
    pub keys: u64,
    /// Whether every type is to be there.
    pub every_type: bool,
    /// The seed of names and values.
    pub seed: u64,
}

/// The entries of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// How many keys there are.
    pub keys: u64,
}

/// Starts clusters.
#[derive(Debug)]
pub struct DataPlane {
    next: AtomicU64,
}

impl DataPlane {
    /// A plane under this policy.
    ///
    /// # Errors
    /// The policy names a program that does not run.
    pub fn new(_policy: ServerPolicy, _seed: u64) -> Result<Self, DataError> {
        Ok(Self { next: AtomicU64::new(20000) })
    }

    /// What stands behind the clusters.
    pub fn kind(&self) -> PlaneKind {
        PlaneKind::Model { why: "the skeleton has no servers".to_owned() }
    }

    /// The certificate authority of clusters with TLS, in PEM.
    pub fn ca_pem(&self) -> Option<&str> {
        None
    }

    /// Starts a cluster.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn start(&self, spec: ClusterSpec) -> Result<Cluster, DataError> {
        let port = self.next.fetch_add(u64::from(spec.shards), Ordering::Relaxed) as u16;
        Ok(Cluster { spec: Arc::new(spec), port, keys: Arc::new(Mutex::new(0)) })
    }
}

/// A running cluster. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cluster {
    spec: Arc<ClusterSpec>,
    port: u16,
    keys: Arc<Mutex<u64>>,
}

impl Cluster {
    /// The configuration endpoint in cluster mode, else the primary.
    pub fn endpoint(&self) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.port)
    }

    /// The shards, in order.
    pub fn shards(&self) -> Vec<ShardInfo> {
        let count = u32::from(self.spec.shards.max(1));
        let edge = |i: u32| (i * 16384 / count) as u16;
        (0..count)
            .map(|i| ShardInfo {
                id: format!("{:04}", i + 1),
                slots: vec![(edge(i), edge(i + 1) - 1)],
                host: "127.0.0.1".to_owned(),
                port: self.port + i as u16,
            })
            .collect()
    }

    /// Every shard's data, each at its own instant.
    ///
    /// # Errors
    /// A server cannot save.
    pub async fn snapshot(&self) -> Result<Vec<ShardSnapshot>, DataError> {
        let (keys, shards) = (self.count(), self.shards());
        let each = keys / shards.len() as u64;
        let rest = keys - each * (shards.len() as u64 - 1);
        let files = shards.into_iter().enumerate().map(|(i, shard)| {
            let keys = if i == 0 { rest } else { each };
            let rdb = Bytes::from(format!("REDIS0010 {keys}"));
            ShardSnapshot { shard_id: shard.id, slots: shard.slots, rdb, keys }
        });
        Ok(files.collect())
    }

    /// Loads files into the shards by hash slot; gives the number of keys.
    ///
    /// # Errors
    /// A file that the server refuses, in the server's words.
    pub async fn restore(&self, files: Vec<(String, Bytes)>) -> Result<u64, DataError> {
        let mut total = 0;
        for (name, body) in files {
            let text = String::from_utf8_lossy(&body).into_owned();
            let keys = text.strip_prefix("REDIS0010 ").and_then(|keys| keys.parse::<u64>().ok());
            total += keys.ok_or_else(|| DataError(format!("{name}: wrong signature")))?;
        }
        *self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = total;
        Ok(total)
    }

    /// Replaces the users.
    ///
    /// # Errors
    /// A server refuses one.
    pub async fn set_users(&self, _users: Vec<AclUser>, _open: bool) -> Result<(), DataError> {
        Ok(())
    }

    /// Fills the cluster; gives the number of keys.
    ///
    /// # Errors
    /// A server refuses a write.
    pub async fn fill(&self, fill: Fill) -> Result<u64, DataError> {
        *self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = fill.keys;
        Ok(fill.keys)
    }

    /// Ends the servers.
    pub async fn stop(&self) {}

    /// The model's entries, where there is no real server.
    pub fn model(&self) -> Option<Model> {
        Some(Model { keys: self.count() })
    }

    fn count(&self) -> u64 {
        *self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
