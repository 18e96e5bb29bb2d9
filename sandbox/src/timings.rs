//! How long things take on AWS, as far as it is known, and how much faster they go here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The durations of the lifecycles, before [`Timings::scaled`] by the speed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Timings {
    /// A manual snapshot, from `creating` to `available`.
    pub snapshot: Duration,
    /// An export, from `copying` back to `available`.
    pub export: Duration,
    /// A native copy of a snapshot.
    pub copy: Duration,
    /// A replication group, from `creating` to `available`.
    pub group_create: Duration,
    /// A change of a replication group, from `modifying` to `available`.
    pub group_modify: Duration,
    /// A failover of a shard, from the call until a replica has taken over.
    pub failover: Duration,
    /// The replacement of the node that was failed, after that.
    pub recovery: Duration,
    /// A MemoryDB cluster, from `creating` to `available` or `restore-failed`.
    pub cluster_create: Duration,
    /// Deletion of a cluster or a replication group.
    pub delete: Duration,
    /// Deletion of a snapshot.
    pub snapshot_delete: Duration,
    /// A change of a user, from `modifying` to `active`.
    pub modify_user: Duration,
    /// A new or changed ACL, until it is `active`.
    pub acl: Duration,
    /// A change of a MemoryDB cluster, from `updating` to `available`.
    pub update: Duration,
    /// A failover of a MemoryDB shard, until its nodes have recovered.
    pub shard_failover: Duration,
    /// A Route 53 change, from `PENDING` to `INSYNC`.
    pub dns_change: Duration,
    /// From a new cluster to its first metrics.
    pub metrics: Duration,
    /// How long a describe by name still answers not-found after a create.
    pub visibility: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        Self {
            snapshot: minutes(6),
            export: minutes(4),
            copy: minutes(3),
            group_create: minutes(10),
            group_modify: minutes(8),
            failover: Duration::from_secs(30),
            recovery: minutes(4),
            cluster_create: minutes(18),
            delete: minutes(5),
            snapshot_delete: Duration::from_secs(15),
            modify_user: Duration::from_secs(20),
            acl: Duration::from_secs(30),
            update: minutes(9),
            shard_failover: minutes(3),
            dns_change: Duration::from_secs(40),
            metrics: minutes(2),
            visibility: Duration::from_secs(2),
        }
    }
}

impl Timings {
    /// The same durations divided by `speed`. A speed that is not a positive number counts as 1.
    pub(crate) fn scaled(&self, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        let scale = |d: Duration| Duration::try_from_secs_f64(d.as_secs_f64() / speed).unwrap_or(d);
        Self {
            snapshot: scale(self.snapshot),
            export: scale(self.export),
            copy: scale(self.copy),
            group_create: scale(self.group_create),
            group_modify: scale(self.group_modify),
            failover: scale(self.failover),
            recovery: scale(self.recovery),
            cluster_create: scale(self.cluster_create),
            delete: scale(self.delete),
            snapshot_delete: scale(self.snapshot_delete),
            modify_user: scale(self.modify_user),
            acl: scale(self.acl),
            update: scale(self.update),
            shard_failover: scale(self.shard_failover),
            dns_change: scale(self.dns_change),
            metrics: scale(self.metrics),
            visibility: scale(self.visibility),
        }
    }
}
