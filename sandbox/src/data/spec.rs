use bytes::Bytes;
use std::fmt;

/// What a cluster should look like from inside.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    pub name: String,
    /// `redis` or `valkey`, as the API names it. With `engine_version` it chooses among the stand-ins; a cluster that none
    /// of them fits runs the one program found.
    pub engine: String,
    /// Such as `7.1`.
    pub engine_version: String,
    /// Primaries, at least one; more than one only in cluster mode.
    pub shards: u16,
    pub cluster_mode: bool,
    pub tls: bool,
    /// Who may connect. Ignored when `open_access` is set.
    pub users: Vec<AclUser>,
    /// User `default` without a password and with every command that AWS leaves to clients.
    pub open_access: bool,
}

/// A user as the AWS control planes store it.
#[derive(Clone, PartialEq, Eq)]
pub struct AclUser {
    pub name: String,
    /// For example `on ~* +@all`. Without `on` the user cannot log in.
    pub access_string: String,
    pub passwords: Vec<String>,
    pub no_password: bool,
}

/// Passwords are counted, never shown.
impl fmt::Debug for AclUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AclUser")
            .field("name", &self.name)
            .field("access_string", &self.access_string)
            .field("passwords", &self.passwords.len())
            .field("no_password", &self.no_password)
            .finish()
    }
}

/// One shard and where its primary listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardInfo {
    /// `0001`, `0002`, … as AWS numbers node groups.
    pub id: String,
    /// Inclusive slot ranges.
    pub slots: Vec<(u16, u16)>,
    pub host: String,
    pub port: u16,
}

/// One shard's snapshot, taken at that shard's own instant.
#[derive(Debug, Clone)]
pub struct ShardSnapshot {
    pub shard_id: String,
    pub slots: Vec<(u16, u16)>,
    pub rdb: Bytes,
    /// Keys in `rdb`.
    pub keys: u64,
}

/// What a modelled cluster says of itself that its entries do not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pretence {
    /// Bytes that each shard says it uses; what its entries take, unless it says so.
    pub used_memory: Option<u64>,
}

/// Made-up data, the same for the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Keys of every kind with `every_type`, or of strings without. Zero writes nothing.
    pub keys: u64,
    pub every_type: bool,
    pub seed: u64,
}
