//! What exists before the first request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What exists before the first request. Names are folded to lower case where AWS does so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// ElastiCache users.
    pub users: Vec<SeedUser>,
    /// ElastiCache user groups.
    pub user_groups: Vec<SeedUserGroup>,
    /// ElastiCache replication groups, with data.
    pub replication_groups: Vec<SeedReplicationGroup>,
    /// MemoryDB users.
    pub memorydb_users: Vec<SeedUser>,
    /// MemoryDB ACLs; `open-access` is always there.
    pub acls: Vec<SeedAcl>,
    /// MemoryDB subnet groups; `default` is always there.
    pub subnet_groups: Vec<SeedSubnetGroup>,
    /// MemoryDB clusters, with data.
    pub clusters: Vec<SeedCluster>,
    /// Whether the account has never used MemoryDB, so that its first cluster needs `iam:CreateServiceLinkedRole`.
    pub memorydb_first_use: bool,
    /// S3 buckets.
    pub buckets: Vec<SeedBucket>,
    /// SSM parameters.
    pub parameters: Vec<SeedParameter>,
    /// Secrets Manager secrets.
    pub secrets: Vec<SeedSecret>,
    /// Route 53 hosted zones.
    pub hosted_zones: Vec<SeedHostedZone>,
}

/// A value: text, or the endpoint of a cluster of the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SeedValue {
    /// This text.
    Text(String),
    /// The endpoint of a replication group or MemoryDB cluster.
    Endpoint {
        /// Its id.
        endpoint_of: String,
        /// How to write it.
        #[serde(default)]
        format: EndpointFormat,
    },
    /// A JSON object whose members are values; stored as its text.
    Object(BTreeMap<String, Self>),
}

/// How an endpoint is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointFormat {
    /// The host alone.
    #[serde(rename = "host")]
    Host,
    /// The port alone.
    #[serde(rename = "port")]
    Port,
    /// `host:port`.
    #[default]
    #[serde(rename = "host:port")]
    HostPort,
    /// `redis://host:port`, or `rediss://` with TLS.
    #[serde(rename = "url")]
    Url,
}

/// A user of either service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedUser {
    /// The ElastiCache user id; the name, where it is empty.
    pub id: String,
    /// The name a client logs in with.
    pub name: String,
    /// Such as `on ~* +@all`.
    pub access_string: String,
    /// Its passwords; none means that it needs none.
    pub passwords: Vec<String>,
}

/// An ElastiCache user group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedUserGroup {
    /// Its id.
    pub id: String,
    /// The ids of its users.
    pub users: Vec<String>,
}

/// An ElastiCache replication group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedReplicationGroup {
    /// Its id.
    pub id: String,
    /// `redis` or `valkey`.
    pub engine: String,
    /// The full version, such as `7.1.0`.
    pub engine_version: String,
    /// Such as `cache.r7g.large`.
    pub node_type: String,
    /// How many node groups.
    pub shards: u16,
    /// Replicas in each.
    pub replicas: u16,
    /// Whether cluster mode is on. More than one shard needs it.
    pub cluster_mode: bool,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The user group that controls access.
    pub user_group: Option<String>,
    /// How many keys to fill it with; with `every_type`, how many of each sort.
    pub keys: u64,
    /// Whether they are of every type.
    pub every_type: bool,
    /// Whether it is data-tiered.
    pub data_tiering: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for SeedReplicationGroup {
    fn default() -> Self {
        Self {
            id: String::new(),
            engine: "redis".to_owned(),
            engine_version: "7.1.0".to_owned(),
            node_type: "cache.r7g.large".to_owned(),
            shards: 1,
            replicas: 1,
            cluster_mode: false,
            tls: false,
            user_group: None,
            keys: 0,
            every_type: true,
            data_tiering: false,
            tags: BTreeMap::new(),
        }
    }
}

/// A MemoryDB ACL.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedAcl {
    /// Its name.
    pub name: String,
    /// The names of its users.
    pub users: Vec<String>,
}

/// A MemoryDB subnet group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedSubnetGroup {
    /// Its name.
    pub name: String,
    /// Its subnets.
    pub subnets: Vec<String>,
}

/// A MemoryDB cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedCluster {
    /// Its name.
    pub name: String,
    /// Such as `db.r7g.large`.
    pub node_type: String,
    /// How many shards.
    pub shards: u16,
    /// Replicas in each.
    pub replicas: u16,
    /// Its ACL.
    pub acl: String,
    /// Whether it speaks TLS. Without it the ACL must be `open-access`.
    pub tls: bool,
    /// How many keys to fill it with.
    pub keys: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for SeedCluster {
    fn default() -> Self {
        Self {
            name: String::new(),
            node_type: "db.r7g.large".to_owned(),
            shards: 1,
            replicas: 1,
            acl: "open-access".to_owned(),
            tls: false,
            keys: 0,
            tags: BTreeMap::new(),
        }
    }
}

/// An S3 bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedBucket {
    /// Its name.
    pub name: String,
    /// Its region; the sandbox's, where it is absent.
    pub region: Option<String>,
    /// The account that owns it; the sandbox's, where it is absent.
    pub owner: Option<String>,
    /// Whether its policy lets both services' snapshot principals in.
    pub ready_for_exports: bool,
    /// The key of its default SSE-KMS encryption; SSE-S3, where it is absent.
    pub kms_key: Option<String>,
    /// Whether it keeps versions.
    pub versioning: bool,
}

/// An SSM parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedParameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: SeedValue,
    /// `String`, `StringList` or `SecureString`.
    #[serde(default = "plain", rename = "type")]
    pub kind: String,
}

fn plain() -> String {
    "String".to_owned()
}

/// A Secrets Manager secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedSecret {
    /// Its name.
    pub name: String,
    /// The text of its current version.
    pub value: SeedValue,
}

/// A Route 53 hosted zone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedHostedZone {
    /// Its id, without `/hostedzone/`.
    pub id: String,
    /// Its domain.
    pub name: String,
    /// Whether it is private.
    pub private: bool,
    /// Its records.
    pub records: Vec<SeedRecord>,
}

/// A DNS record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedRecord {
    /// Its name.
    pub name: String,
    /// Such as `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In seconds.
    #[serde(default = "minute")]
    pub ttl: u64,
    /// Its values.
    pub values: Vec<SeedValue>,
}

fn minute() -> u64 {
    60
}
