//! What a step relies on that it does not make itself. `--sandbox` provides it.

use serde::Serialize;

/// Something that must exist before a playbook runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Need {
    /// An ElastiCache replication group with data and RBAC users.
    ReplicationGroup(String),
    /// An ElastiCache serverless cache, likewise.
    ServerlessCache(String),
    /// A manual ElastiCache snapshot.
    Snapshot(String),
    /// A manual snapshot of a serverless cache.
    ServerlessSnapshot(String),
    /// A CloudWatch alarm, in state `OK`.
    Alarm(String),
    /// That the service has taken snapshots of a replication group or MemoryDB cluster by itself, every day.
    DailySnapshots(String),
    /// A bucket that both services may use, in this region.
    Bucket(String),
    /// Objects in S3, by ARN.
    Object(String),
    /// A MemoryDB cluster with data, a replica in each shard, and TLS.
    Cluster(String),
    /// A MemoryDB ACL other than "open-access".
    Acl(String),
    /// A MemoryDB subnet group.
    SubnetGroup(String),
    /// A MemoryDB parameter group.
    ParameterGroup {
        /// Its name.
        name: String,
        /// Such as "memorydb_valkey7".
        family: String,
    },
    /// An enabled KMS key, by id, ARN or alias.
    KmsKey(String),
    /// An SSM parameter that names the source's endpoint in the given form.
    Parameter {
        /// Its name.
        name: String,
        /// "host", "host:port", "url", or a JSON document.
        form: String,
    },
    /// A Secrets Manager secret, likewise.
    Secret {
        /// Its name or ARN.
        name: String,
        /// As for `Parameter`.
        form: String,
    },
    /// A Route 53 record, likewise.
    Record {
        /// The hosted zone's id.
        zone: String,
        /// The record's name.
        name: String,
    },
    /// An SNS topic with a subscription, by ARN.
    Topic(String),
    /// A password kept under a secret reference.
    Password(String),
}
