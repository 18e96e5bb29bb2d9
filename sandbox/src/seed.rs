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
    /// ElastiCache serverless caches, with data.
    pub serverless_caches: Vec<SeedServerlessCache>,
    /// MemoryDB users.
    pub memorydb_users: Vec<SeedUser>,
    /// MemoryDB ACLs; `open-access` is always there.
    pub acls: Vec<SeedAcl>,
    /// MemoryDB subnet groups; `default` is always there.
    pub subnet_groups: Vec<SeedSubnetGroup>,
    /// MemoryDB parameter groups; each family's default is always there.
    pub parameter_groups: Vec<SeedParameterGroup>,
    /// How many nodes MemoryDB allows.
    pub memorydb_quotas: SeedMemoryDbQuotas,
    /// Node types that MemoryDB has beside those of its guide, with the bytes that a node of each holds.
    pub memorydb_node_types: BTreeMap<String, u64>,
    /// MemoryDB clusters, with data.
    pub clusters: Vec<SeedCluster>,
    /// KMS keys.
    pub kms_keys: Vec<SeedKmsKey>,
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
    /// What CloudWatch shows, beside what the clusters publish.
    pub metrics: Vec<SeedMetric>,
    /// CloudWatch alarms.
    pub alarms: Vec<SeedAlarm>,
    /// SNS topics.
    pub topics: Vec<SeedTopic>,
}

/// What a metric shows. It counts before what the clusters publish.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedMetric {
    /// Such as `AWS/MemoryDB`.
    pub namespace: String,
    /// Such as `EngineCPUUtilization`.
    pub metric: String,
    /// All of its dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// Its values, earliest first.
    pub values: Vec<SeedPoint>,
}

/// What a metric shows from some moment on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedPoint {
    /// From when, in minutes after the seed was put there; less than nothing is before.
    pub after_minutes: i64,
    /// Its value; no data, where it is absent.
    pub value: Option<f64>,
}

/// A CloudWatch alarm. It weighs nothing: its state is what is said here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedAlarm {
    /// Its name.
    pub name: String,
    /// Its states, earliest first.
    pub states: Vec<SeedAlarmState>,
}

/// The state of an alarm from some moment on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedAlarmState {
    /// From when, in minutes after the seed was put there.
    pub after_minutes: i64,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why.
    pub reason: String,
}

/// An SNS topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedTopic {
    /// Its name, or its whole ARN.
    pub name: String,
    /// How many have confirmed that they subscribe to it.
    pub subscriptions: u32,
}

impl Default for SeedTopic {
    fn default() -> Self {
        Self { name: String::new(), subscriptions: 1 }
    }
}

/// A value: text, or the endpoint of a cluster of the same seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SeedValue {
    /// This text.
    Text(String),
    /// The endpoint of a replication group, serverless cache or MemoryDB cluster.
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
    /// The `Durability` asked for: sync, async, disabled or default. Valkey 9 has it; nothing is shown without.
    pub durability: Option<String>,
    /// Bytes of memory that each shard says it uses, and its files too; what the data takes, where it is absent. A model
    /// alone can say other than the truth.
    pub used_memory: Option<u64>,
    /// Whether CloudWatch has no data of it.
    pub without_metrics: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `available`, or another state.
    pub status: String,
    /// For how long it is in that state before it is `available`; for good, where it is absent.
    pub status_minutes: Option<u32>,
    /// Whether clients log in with an AUTH token.
    pub auth_token: bool,
    /// Changes that wait for the maintenance window, when they are carried out: `engine_version`, `node_type`,
    /// `cluster_mode`, `transit_encryption_mode`.
    pub pending: BTreeMap<String, String>,
    /// For how many days daily snapshots are kept; 0 takes none.
    pub snapshot_retention_days: u32,
    /// When the service has taken snapshots of it by itself, in hours before now. They hold the data of now, and count
    /// only while daily snapshots are kept.
    pub automatic_snapshots: Vec<u32>,
    /// When the daily snapshot is taken, in UTC.
    pub snapshot_window: String,
    /// When it is maintained, in UTC.
    pub maintenance_window: String,
    /// Its parameter group; AWS's own, unless `parameters` are set.
    pub parameter_group: Option<String>,
    /// What is set in its parameter group.
    pub parameters: BTreeMap<String, String>,
    /// Its subnet group.
    pub subnet_group: String,
    /// Its VPC security groups.
    pub security_groups: Vec<String>,
    /// The global datastore it is in.
    pub global_datastore: Option<String>,
    /// Its role there: `PRIMARY` or `SECONDARY`.
    pub global_role: String,
    /// How many logical databases hold keys. The keys of all but the first are of the model alone.
    pub databases: u16,
    /// When manual snapshots were taken of it (or of its first replica, with cluster mode off), in hours before now.
    pub manual_snapshots: Vec<u32>,
    /// When failovers of it were tested, in hours before now.
    pub tested_failovers: Vec<u32>,
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
            durability: None,
            used_memory: None,
            without_metrics: false,
            tags: BTreeMap::new(),
            status: "available".to_owned(),
            status_minutes: None,
            auth_token: false,
            pending: BTreeMap::new(),
            snapshot_retention_days: 0,
            automatic_snapshots: Vec::new(),
            snapshot_window: "05:00-06:00".to_owned(),
            maintenance_window: "sun:07:00-sun:08:00".to_owned(),
            parameter_group: None,
            parameters: BTreeMap::new(),
            subnet_group: "default".to_owned(),
            security_groups: Vec::new(),
            global_datastore: None,
            global_role: "PRIMARY".to_owned(),
            databases: 1,
            manual_snapshots: Vec::new(),
            tested_failovers: Vec::new(),
        }
    }
}

/// An ElastiCache serverless cache. It speaks TLS and the cluster protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedServerlessCache {
    /// Its name.
    pub name: String,
    /// `redis`, `valkey` or `memcached`.
    pub engine: String,
    /// Such as `8`.
    pub major_version: String,
    /// Such as `8.0`.
    pub full_version: String,
    /// `available`, or what keeps it from being snapshotted, such as `modifying`.
    pub status: String,
    /// The user group that controls access.
    pub user_group: Option<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// How many servers it is made of. An export has one file of each: AWS documents no number.
    pub partitions: u16,
    /// How exported files are called behind the snapshot's name; `{n}` is the file's number. AWS documents no name.
    pub export_suffix: String,
    /// How many keys to fill it with; with `every_type`, how many of each sort.
    pub keys: u64,
    /// Whether they are of every type.
    pub every_type: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for SeedServerlessCache {
    fn default() -> Self {
        Self {
            name: String::new(),
            engine: "valkey".to_owned(),
            major_version: "8".to_owned(),
            full_version: "8.0".to_owned(),
            status: "available".to_owned(),
            user_group: None,
            security_groups: Vec::new(),
            subnets: Vec::new(),
            partitions: 2,
            export_suffix: "-{n}.rdb".to_owned(),
            keys: 0,
            every_type: true,
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
    /// Such as `deleting`; `active`, where it is absent.
    pub status: Option<String>,
}

/// A MemoryDB parameter group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedParameterGroup {
    /// Its name.
    pub name: String,
    /// Such as `memorydb_valkey7`.
    pub family: String,
    /// The values that are not the family's defaults.
    pub values: BTreeMap<String, String>,
}

/// How many nodes MemoryDB allows (developer guide, quotas).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedMemoryDbQuotas {
    /// In the region.
    pub nodes_per_region: u64,
    /// In one cluster.
    pub nodes_per_cluster: u64,
}

impl Default for SeedMemoryDbQuotas {
    fn default() -> Self {
        Self { nodes_per_region: 300, nodes_per_cluster: 90 }
    }
}

/// A KMS key of the sandbox's account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedKmsKey {
    /// Its id, or its whole ARN.
    pub id: String,
    /// Such as `alias/redis`.
    pub alias: Option<String>,
    /// Such as `Enabled`, `Disabled` or `PendingDeletion`.
    pub state: String,
    /// Such as `SYMMETRIC_DEFAULT` or `RSA_2048`.
    pub spec: String,
    /// Such as `ENCRYPT_DECRYPT` or `SIGN_VERIFY`.
    pub usage: String,
}

impl Default for SeedKmsKey {
    fn default() -> Self {
        Self {
            id: String::new(),
            alias: None,
            state: "Enabled".to_owned(),
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
        }
    }
}

/// A MemoryDB subnet group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedSubnetGroup {
    /// Its name.
    pub name: String,
    /// Its subnets; two, where none is named.
    pub subnets: Vec<String>,
    /// The letters of their availability zones in order; `a`, `b`, `c`, `a`, …, where none is named.
    pub zones: Vec<String>,
    /// Its VPC; the one that everything else is in, where it is absent.
    pub vpc: Option<String>,
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
    /// How many of its shards were failed over an hour ago.
    pub failovers_today: u32,
    /// For how many days daily snapshots are kept; 0 takes none.
    pub snapshot_retention_days: u32,
    /// When the service has taken snapshots of it by itself, as for replication groups.
    pub automatic_snapshots: Vec<u32>,
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
            failovers_today: 0,
            snapshot_retention_days: 0,
            automatic_snapshots: Vec::new(),
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
    /// Statements of its policy, besides those of `ready_for_exports`.
    pub statements: Vec<serde_json::Value>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`; the first, where it is absent.
    pub ownership: Option<String>,
    /// For how many days new objects are locked. Needs `versioning`.
    pub object_lock_days: Option<u32>,
    /// Keys of objects in it, each with a few bytes.
    pub objects: Vec<String>,
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
    /// The expression that values must match.
    #[serde(default)]
    pub allowed_pattern: Option<String>,
    /// The types of its policies: `Expiration`, `ExpirationNotification`, `NoChangeNotification`.
    #[serde(default)]
    pub policies: Vec<String>,
}

impl SeedParameter {
    /// A plain parameter.
    pub fn new(name: impl Into<String>, value: SeedValue) -> Self {
        Self {
            name: name.into(),
            value,
            kind: plain(),
            allowed_pattern: None,
            policies: Vec::new(),
        }
    }
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
    /// Whether it is rotated.
    #[serde(default)]
    pub rotation: bool,
    /// Whether it is scheduled for deletion.
    #[serde(default)]
    pub deleted: bool,
    /// The AWS service that manages it, such as `rds`.
    #[serde(default)]
    pub owning_service: Option<String>,
}

impl SeedSecret {
    /// A secret that nothing is special about.
    pub fn new(name: impl Into<String>, value: SeedValue) -> Self {
        Self { name: name.into(), value, rotation: false, deleted: false, owning_service: None }
    }
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
    #[serde(default)]
    pub values: Vec<SeedValue>,
    /// The name an alias leads to, in place of values.
    #[serde(default)]
    pub alias: Option<String>,
    /// Its weight, with weighted routing.
    #[serde(default)]
    pub weight: Option<u8>,
}

fn minute() -> u64 {
    60
}
