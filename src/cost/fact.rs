//! What the comparison and the advice rest on: facts about the services, each with its source, and why it may be wrong.

use serde::Serialize;

/// A fact about the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The fact, as a sentence without its period.
    pub says: &'static str,
    /// Where it stands.
    pub source: &'static str,
    /// Why it may be wrong, if it is not certain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<&'static str>,
}

const fn sure(says: &'static str, source: &'static str) -> Fact {
    Fact { says, source, unsure: None }
}

const fn unsure(says: &'static str, source: &'static str, why: &'static str) -> Fact {
    Fact { says, source, unsure: Some(why) }
}

/// Plain ElastiCache on failover.
pub(crate) const REPLICATION_IS_ASYNC: Fact = sure(
    "ElastiCache without durability answers a write before its replicas have it: a failover loses the writes that had not arrived there",
    "ElastiCache user guide, Minimizing downtime with Multi-AZ",
);
/// Plain ElastiCache on the loss of a shard.
pub(crate) const BACKUPS_ARE_DAILY: Fact = sure(
    "automatic backups of ElastiCache are daily, with no log between them: a shard that loses all its nodes goes back to the last backup",
    "ElastiCache user guide, Scheduling automatic backups",
);
/// Durable ElastiCache, sync.
pub(crate) const SYNC_LOSES_NOTHING: Fact = sure(
    "with Durability sync a write is in a Multi-AZ transaction log before the client is answered; no acknowledged write is lost",
    "ElastiCache user guide, Durability options",
);
/// Durable ElastiCache, async.
pub(crate) const ASYNC_LOSES_TEN_SECONDS: Fact = sure(
    "with Durability async at most the last 10 seconds of writes are lost; if the log lags behind by more, writes are rejected",
    "ElastiCache user guide, Durability options",
);
/// Write latency of sync.
pub(crate) const SYNC_TAKES_MILLISECONDS: Fact = sure(
    "a write takes single-digit milliseconds with Durability sync, and as long as without durability with async",
    "ElastiCache user guide, Durability options",
);
/// Price of async.
pub(crate) const ASYNC_COSTS_NOTHING: Fact =
    sure("Durability async has no additional cost", "AWS notice of 2026-10-27");
/// What durability needs.
pub(crate) const DURABLE_NEEDS: Fact = sure(
    "durability needs Valkey 9.0 or later, cluster mode enabled, Multi-AZ with a replica in each shard, TLS, and nodes of the families r6g, r7g, r8g, m6g, m7g, m8g, c7gn or c8gn",
    "ElastiCache user guide, Durability, Limitations",
);
/// Where durability does not work.
pub(crate) const DURABLE_IS_REGIONAL: Fact = sure(
    "durability does not work with Global Datastore, Serverless, Outposts, Local Zones or data tiering",
    "ElastiCache user guide, Durability, Limitations",
);
/// Write rate of durable clusters.
pub(crate) const DURABLE_WRITE_LIMIT: Fact = sure(
    "a primary of a durable cluster takes up to 100 MiB of writes a second",
    "ElastiCache user guide, Durability, Limitations",
);
/// How long it has been there.
pub(crate) const DURABLE_IS_NEW: Fact = unsure(
    "durability came to ElastiCache in June 2026",
    "AWS Database Blog, Announcing durability for Amazon ElastiCache for Valkey",
    "the month is as third parties give it",
);
/// The pages that disagree.
pub(crate) const DURABILITY_CAN_BE_SWITCHED_ON: Fact = unsure(
    "durability can be switched on for an existing cluster of Valkey 9.0 or later, by ModifyReplicationGroup",
    "AWS notice of 2026-10-27; ElastiCache user guide, Changing durability on an existing cluster",
    "AWS's pages disagree: \"Configuring durability\" and \"Limitations\" say that it can be switched on only when a cluster is created",
);
/// Redis OSS to Valkey.
pub(crate) const CROSS_UPGRADE: Fact = sure(
    "a Redis OSS cluster can be upgraded to Valkey in place; there is no way back to an older version",
    "ElastiCache user guide, Upgrading engine versions",
);
/// MemoryDB's log.
pub(crate) const MEMORYDB_LOSES_NOTHING: Fact = sure(
    "MemoryDB has a write in a Multi-AZ transaction log before the client is answered; no acknowledged write is lost",
    "MemoryDB developer guide, Consistency",
);
/// Write latency of MemoryDB.
pub(crate) const MEMORYDB_TAKES_MILLISECONDS: Fact = sure(
    "a write to MemoryDB takes single-digit milliseconds, a read microseconds",
    "MemoryDB developer guide, Features of MemoryDB",
);
/// MemoryDB's charge for writes.
pub(crate) const MEMORYDB_CHARGES_WRITES: Fact = sure(
    "MemoryDB charges for each GB written: on Redis OSS from the first, on Valkey beyond 10 TB a month",
    "AWS price list of 2026-08-31",
);
/// Write rate of MemoryDB.
pub(crate) const MEMORYDB_WRITE_LIMIT: Fact = unsure(
    "MemoryDB slows writes down above about 100 MB a second for a shard",
    "MemoryDB developer guide, Monitoring: MaxReplicationThroughput",
    "the figure is approximate",
);
/// MemoryDB's protocol.
pub(crate) const MEMORYDB_IS_CLUSTER_MODE: Fact = sure(
    "MemoryDB is always in cluster mode and has database 0 only: clients must speak the cluster protocol, and commands over several keys must stay in one slot",
    "MemoryDB developer guide, Restoring from a snapshot; Endpoints",
);
/// MemoryDB's authentication.
pub(crate) const MEMORYDB_HAS_NO_TOKEN: Fact = sure(
    "MemoryDB has no AUTH token, and its user \"default\" no password: a client that sends a password alone is refused",
    "MemoryDB developer guide, Authenticating users with ACLs",
);
/// MemoryDB's eviction.
pub(crate) const MEMORYDB_DOES_NOT_EVICT: Fact = sure(
    "MemoryDB does not evict unless its parameter group says so: the default of maxmemory-policy is noeviction, on ElastiCache it is volatile-lru",
    "MemoryDB developer guide and ElastiCache user guide, engine parameters",
);
/// What MemoryDB can load.
pub(crate) const MEMORYDB_ENDS_AT_7: Fact = unsure(
    "MemoryDB ends at Valkey 7.3 and Redis OSS 7.1; a snapshot of Valkey 9 cannot be loaded there",
    "MemoryDB developer guide, Engine versions; the header of Valkey 9's RDB files",
    "AWS publishes no table of what loads what: DescribeEngineVersions and a rehearsal tell",
);
/// MemoryDB over several regions.
pub(crate) const MEMORYDB_MULTI_REGION: Fact = sure(
    "MemoryDB Multi-Region takes writes in several regions; it needs Valkey 7.3 and r7g.xlarge or larger, and knows strings, hashes, sets and sorted sets only",
    "MemoryDB developer guide, MemoryDB Multi-Region",
);
/// ElastiCache over several regions.
pub(crate) const GLOBAL_DATASTORE: Fact = sure(
    "Global Datastore copies an ElastiCache cluster to other regions asynchronously, for reading and for disasters",
    "ElastiCache user guide, Replication across AWS Regions using global datastores",
);
/// Failover times.
pub(crate) const FAILOVER_TAKES_SECONDS: Fact = sure(
    "both services fail over to a replica in a few seconds; guides that say minutes for ElastiCache are out of date",
    "ElastiCache user guide and MemoryDB developer guide, Minimizing downtime with Multi-AZ",
);
/// Recovery of a shard from the log.
pub(crate) const LOG_RESTORES_A_SHARD: Fact = unsure(
    "with a transaction log, nodes that replace a lost shard load their data from it by themselves",
    "ElastiCache user guide, Durability; MemoryDB developer guide, Minimizing downtime with Multi-AZ",
    "AWS says \"fast\" and gives no figure",
);
/// Availability promised.
pub(crate) const SAME_SLA: Fact = sure(
    "both services promise 99.99% with Multi-AZ: availability is no reason to choose between them",
    "ElastiCache and MemoryDB service level agreements",
);
/// Compliance.
pub(crate) const COMPLIANCE_IS_YOURS: Fact = unsure(
    "both services are listed as HIPAA eligible and in scope for PCI DSS and SOC",
    "AWS, Services in scope by compliance program",
    "not looked up again for this version; a rule about lost writes is the auditor's to read",
);
/// Storage billed for backups.
pub(crate) const ONE_BACKUP_MAY_BE_FREE: Fact = unsure(
    "one backup of each active ElastiCache cluster may be free of charge; it is not subtracted here",
    "ElastiCache user guide, Backup costs, text of 2023",
    "the allowance is in older text only",
);
/// Reserved nodes of MemoryDB.
pub(crate) const MEMORYDB_RESERVES_REDIS: Fact = sure(
    "MemoryDB has reserved nodes for Redis OSS only; on Valkey nodes they count for more, by size",
    "MemoryDB developer guide, MemoryDB reserved nodes",
);
/// Serverless and durability.
pub(crate) const SERVERLESS_IS_NOT_DURABLE: Fact = sure(
    "ElastiCache Serverless has no durability; MemoryDB has no serverless form",
    "ElastiCache user guide, Durability, Limitations; MemoryDB developer guide",
);
