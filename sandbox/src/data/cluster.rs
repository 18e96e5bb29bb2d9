use super::error::DataError;
use super::model::{Model, ModelCluster};
use super::real::RealCluster;
use super::spec::{AclUser, Fill, Pretence, ShardInfo, ShardSnapshot};
use super::{reshard, restore, snapshot, takeover, write};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// A running cluster. Clones are handles to the same one; it ends with the last of them, at [`stop`](Self::stop), or
/// with its [`DataPlane`](super::DataPlane).
#[derive(Clone)]
pub struct Cluster {
    inner: Inner,
}

#[derive(Clone)]
enum Inner {
    Real(Arc<RealCluster>),
    Model(Arc<ModelCluster>),
}

impl Cluster {
    pub(crate) fn from_real(cluster: Arc<RealCluster>) -> Self {
        Self { inner: Inner::Real(cluster) }
    }

    pub(crate) fn from_model(cluster: Arc<ModelCluster>) -> Self {
        Self { inner: Inner::Model(cluster) }
    }

    /// Where clients start: the configuration endpoint in cluster mode, the primary otherwise. A model's host ends in
    /// `.invalid`, which no resolver knows.
    pub fn endpoint(&self) -> (String, u16) {
        match &self.inner {
            Inner::Real(cluster) => {
                let first = cluster.shards().swap_remove(0);
                (first.host, first.port)
            }
            Inner::Model(cluster) => cluster.endpoint(),
        }
    }

    /// The shards in slot order.
    pub fn shards(&self) -> Vec<ShardInfo> {
        match &self.inner {
            Inner::Real(cluster) => cluster.shards(),
            Inner::Model(cluster) => cluster.shards(),
        }
    }

    /// Keys of each shard, in the order of [`shards`](Self::shards).
    pub async fn key_counts(&self) -> Result<Vec<u64>, DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || cluster.key_counts()).await
            }
            Inner::Model(cluster) => cluster.key_counts(),
        }
    }

    /// Bytes that each shard uses, in the order of [`shards`](Self::shards).
    pub async fn used_memory(&self) -> Result<Vec<u64>, DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || cluster.used_memory()).await
            }
            Inner::Model(cluster) => cluster.used_memory(),
        }
    }

    /// Lets a model say this of itself. False for real servers: those speak for themselves.
    pub fn pretend(&self, pretence: Pretence) -> bool {
        match &self.inner {
            Inner::Real(_) => false,
            Inner::Model(cluster) => {
                cluster.pretend(pretence);
                true
            }
        }
    }

    /// Every shard's snapshot file, each taken at that shard's own instant.
    pub async fn snapshot(&self) -> Result<Vec<ShardSnapshot>, DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || snapshot::take(&cluster)).await
            }
            Inner::Model(cluster) => cluster.snapshot(),
        }
    }

    /// Loads snapshot files (name for messages, content) written by any number of shards, each key into the shard that
    /// owns its slot. Gives the number of keys. A missing file is not noticed: its slots stay empty, as on AWS.
    ///
    /// [`DataError::Refused`] carries the server's own words, or that a file has keys in another database than 0;
    /// files before it have been loaded by then.
    pub async fn restore(&self, files: Vec<(String, Bytes)>) -> Result<u64, DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || restore::load(&cluster, &files)).await
            }
            Inner::Model(cluster) => cluster.restore(&files),
        }
    }

    /// Replaces the users. Connections stay and get NOPERM for what their user may no longer do; those of a user that
    /// is gone are closed.
    pub async fn set_users(&self, users: Vec<AclUser>, open_access: bool) -> Result<(), DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || cluster.set_users(&users, open_access)).await
            }
            Inner::Model(cluster) => cluster.set_users(&users, open_access),
        }
    }

    /// Writes made-up data over what is there. Gives the number of keys written; the model leaves out streams.
    pub async fn fill(&self, fill: Fill) -> Result<u64, DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || write::fill(&cluster, fill)).await
            }
            Inner::Model(cluster) => cluster.fill(fill),
        }
    }

    /// Sets a string without expiry, or removes the key with `None`: a client's write, past every user.
    pub async fn set(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                let (key, value) = (key.to_vec(), value.map(<[u8]>::to_vec));
                blocking(move || write::set(&cluster, &key, value.as_deref())).await
            }
            Inner::Model(cluster) => cluster.set(key, value),
        }
    }

    /// As `set`, of a model alone; false for real servers, and for a model that was stopped.
    pub(crate) fn set_in_model(&self, key: &[u8], value: Option<&[u8]>) -> bool {
        match &self.inner {
            Inner::Real(_) => false,
            Inner::Model(cluster) => cluster.set(key, value).is_ok(),
        }
    }

    /// Kills the primary of a shard and lets a replica take its place at its address. Real servers: a replica follows the
    /// primary by replication first, and the primary gets SIGKILL. A model loses nothing and has nobody to kill.
    pub async fn fail_over(&self, shard: &str) -> Result<(), DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let (cluster, shard) = (Arc::clone(cluster), shard.to_owned());
                blocking(move || takeover::fail_over(&cluster, &shard)).await
            }
            Inner::Model(_) => Ok(()),
        }
    }

    /// Splits the slots among shards of these ids, and moves every key to the shard that owns its slot. Shards that are
    /// not named are stopped, new ones are started. Only in cluster mode.
    pub async fn reshard(&self, ids: Vec<String>) -> Result<(), DataError> {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                blocking(move || reshard::reshard(&cluster, &ids)).await
            }
            Inner::Model(cluster) => cluster.reshard(&ids),
        }
    }

    /// Ends the cluster and forgets its data. Real servers are gone when this returns.
    pub async fn stop(&self) {
        match &self.inner {
            Inner::Real(cluster) => {
                let cluster = Arc::clone(cluster);
                let stopped = blocking(move || {
                    cluster.stop();
                    Ok(())
                });
                if let Err(error) = stopped.await {
                    tracing::warn!(%error, "stopping a cluster");
                }
            }
            Inner::Model(cluster) => cluster.stop(),
        }
    }

    /// A copy of the model's content, shard by shard. `None` for real servers: connect to those.
    pub fn model(&self) -> Option<Model> {
        match &self.inner {
            Inner::Real(_) => None,
            Inner::Model(cluster) => Some(cluster.content()),
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

/// Runs what blocks away from the runtime's own threads. Real time, whatever tokio's clock says.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(DataError::Local {
            during: "working with a server".to_owned(),
            reason: error.to_string(),
        }),
    }
}
