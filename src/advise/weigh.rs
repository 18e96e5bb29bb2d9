//! Durable ElastiCache or MemoryDB, and what speaks for and against each.

use serde::Serialize;

use super::answers::{Answers, Auth, Budget, Latency, Loss, Regions};
use super::decide::{Level, Reason, Recommendation, Today, reason};
use crate::cost::{self, Engine, Mode, Money, Quantity};

/// What each costs more a month than today; `None` where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Premiums {
    /// Durable ElastiCache, async.
    pub durable_async: Option<Money>,
    /// Durable ElastiCache, sync.
    pub durable_sync: Option<Money>,
    /// MemoryDB, with the engine that costs less.
    pub memorydb: Option<Money>,
}

/// MiB a second that a primary takes, of durable ElastiCache by its page, of MemoryDB about.
const WRITE_LIMIT: u64 = 100;

impl Premiums {
    /// Of what is recommended.
    #[must_use]
    pub fn of(&self, recommendation: Recommendation) -> Option<Money> {
        match recommendation {
            Recommendation::Stay => Some(Money::ZERO),
            Recommendation::DurableElastiCache(Mode::Async) => self.durable_async,
            Recommendation::DurableElastiCache(Mode::Sync) => self.durable_sync,
            Recommendation::MemoryDb => self.memorydb,
            Recommendation::CannotTell => None,
        }
    }
}

/// A snapshot of it cannot be loaded by MemoryDB.
fn too_new_for_memorydb(today: &Today) -> bool {
    today.engine == Some(Engine::Valkey) && today.major.is_some_and(|major| major >= 9)
}

/// Both keep what must be kept, in one region: which asks less of whoever runs it.
pub(super) fn durable_or_memorydb(
    level: Level,
    answers: &Answers,
    today: &Today,
    premiums: &Premiums,
) -> Recommendation {
    let mode = if level == Level::TenSeconds { Mode::Async } else { Mode::Sync };
    let durable = Recommendation::DurableElastiCache(mode);
    let memorydb_blocked = today.memorydb_has_nodes == Some(false)
        || too_new_for_memorydb(today)
        || answers.auth == Some(Auth::Password);
    if today.durable_on_nodes == Some(false) && !memorydb_blocked {
        return Recommendation::MemoryDb;
    }
    // At ten seconds MemoryDB keeps more than is asked for, and its writes take longer.
    if memorydb_blocked || mode == Mode::Async {
        return durable;
    }
    match (premiums.durable_sync, premiums.memorydb) {
        (Some(durable_costs), Some(memorydb)) if memorydb < durable_costs => {
            Recommendation::MemoryDb
        }
        _ => durable,
    }
}

/// Why this one, besides the demands.
pub(super) fn reasons(
    recommendation: Recommendation,
    wanted: Level,
    regions: Regions,
    answers: &Answers,
    today: &Today,
    premiums: &Premiums,
) -> Vec<Reason> {
    let mut out = Vec::new();
    let mut add = |says: &str, facts: &[cost::Fact]| out.push(reason(says, facts));
    match recommendation {
        Recommendation::Stay if today.keeps.is_some_and(|keeps| keeps > Level::Cache) => {
            add(
                "the API shows that the log is on",
                &[match today.keeps {
                    Some(Level::EveryWrite) => cost::SYNC_LOSES_NOTHING,
                    _ => cost::ASYNC_LOSES_TEN_SECONDS,
                }],
            );
            if regions == Regions::ReadElsewhere {
                add(
                    "for a copy in other regions durability would have to be switched off, which nothing asked for forbids",
                    &[cost::DURABLE_IS_REGIONAL, cost::GLOBAL_DATASTORE],
                );
            }
        }
        Recommendation::Stay => {
            add(
                "nothing that was asked for needs a transaction log",
                &[cost::FAILOVER_TAKES_SECONDS, cost::SAME_SLA],
            );
            if regions == Regions::ReadElsewhere {
                add("other regions can read a copy", &[cost::GLOBAL_DATASTORE]);
            }
        }
        Recommendation::DurableElastiCache(Mode::Async) => add(
            "durable ElastiCache keeps all but ten seconds, at the speed and the price of today",
            &[cost::ASYNC_LOSES_TEN_SECONDS, cost::ASYNC_COSTS_NOTHING],
        ),
        Recommendation::DurableElastiCache(Mode::Sync) => add(
            "durable ElastiCache keeps every acknowledged write, as MemoryDB does, without another service, other authentication or another eviction policy",
            &[cost::SYNC_LOSES_NOTHING, cost::MEMORYDB_HAS_NO_TOKEN, cost::MEMORYDB_DOES_NOT_EVICT],
        ),
        Recommendation::MemoryDb => {
            match regions {
                Regions::WriteEverywhere => add(
                    "of the two only MemoryDB takes writes in several regions",
                    &[cost::MEMORYDB_MULTI_REGION],
                ),
                Regions::ReadElsewhere => add(
                    "durable ElastiCache cannot be copied to other regions, MemoryDB can",
                    &[cost::DURABLE_IS_REGIONAL, cost::MEMORYDB_MULTI_REGION],
                ),
                Regions::One => {}
            }
            if wanted > Level::Cache {
                add("MemoryDB keeps every acknowledged write", &[cost::MEMORYDB_LOSES_NOTHING]);
            }
            if regions == Regions::One && today.durable_on_nodes == Some(false) {
                add("durability does not work on these nodes", &[cost::DURABLE_NEEDS]);
            }
        }
        Recommendation::CannotTell => {}
    }
    if let (
        Recommendation::DurableElastiCache(Mode::Sync) | Recommendation::MemoryDb,
        Regions::One,
        Some(durable),
        Some(memorydb),
    ) = (recommendation, regions, premiums.durable_sync, premiums.memorydb)
    {
        let says = format!(
            "a month of durable ElastiCache differs from today by {}, of MemoryDB by {}",
            durable.signed_cents(),
            memorydb.signed_cents()
        );
        add(&says, &[cost::MEMORYDB_CHARGES_WRITES]);
    }
    if recommendation != Recommendation::MemoryDb && too_new_for_memorydb(today) {
        add("MemoryDB cannot load a snapshot of this engine version", &[cost::MEMORYDB_ENDS_AT_7]);
    }
    if matches!(recommendation, Recommendation::DurableElastiCache(_))
        && answers.auth == Some(Auth::Password)
    {
        add("the clients can go on sending a password alone", &[cost::MEMORYDB_HAS_NO_TOKEN]);
    }
    out
}

/// What speaks against it, and where the answers contradict each other.
pub(super) fn against(
    recommendation: Recommendation,
    wanted: Level,
    answers: &Answers,
    today: &Today,
    premiums: &Premiums,
) -> Vec<Reason> {
    let mut out = Vec::new();
    let mut add = |says: String, facts: &[cost::Fact]| out.push(reason(says, facts));
    let sync = matches!(
        recommendation,
        Recommendation::DurableElastiCache(Mode::Sync) | Recommendation::MemoryDb
    );
    let logged = sync || matches!(recommendation, Recommendation::DurableElastiCache(_));
    if sync && answers.latency == Some(Latency::Microseconds) {
        add(
            "writes are to stay below a millisecond, and no service that keeps every one of them does that".to_owned(),
            &[cost::SYNC_TAKES_MILLISECONDS, cost::MEMORYDB_TAKES_MILLISECONDS],
        );
    } else if sync {
        add(
            "each write takes milliseconds instead of microseconds".to_owned(),
            &[if recommendation == Recommendation::MemoryDb {
                cost::MEMORYDB_TAKES_MILLISECONDS
            } else {
                cost::SYNC_TAKES_MILLISECONDS
            }],
        );
    }
    if let (true, Some(peak)) = (logged, answers.peak_write)
        && peak > Quantity::whole(WRITE_LIMIT)
    {
        add(
            format!(
                "{} MiB a second at peak is more than a shard takes; more shards are needed",
                peak.words()
            ),
            &[match recommendation {
                Recommendation::MemoryDb => cost::MEMORYDB_WRITE_LIMIT,
                _ => cost::DURABLE_WRITE_LIMIT,
            }],
        );
    }
    if let (Some(Budget::AtMost(most)), Some(premium)) =
        (answers.budget, premiums.of(recommendation))
        && premium > most
    {
        add(
            format!(
                "it costs {} a month more than today, and at most {} was allowed: the demand or the budget must give way",
                premium.cents(),
                most.cents()
            ),
            &[],
        );
    }
    if matches!(recommendation, Recommendation::DurableElastiCache(_)) {
        add(
            "durability of ElastiCache is new, and few have run it for long".to_owned(),
            &[cost::DURABLE_IS_NEW],
        );
    }
    if recommendation == Recommendation::MemoryDb && answers.evicts == Some(true) {
        add(
            "keys that are evicted today would fill MemoryDB until it refuses writes, unless its parameter group evicts too".to_owned(),
            &[cost::MEMORYDB_DOES_NOT_EVICT],
        );
    }
    if wanted > Level::Cache && answers.evicts == Some(true) {
        add(
            "eviction loses data by design: keys that must not be lost and keys that may be evicted belong in two clusters".to_owned(),
            &[],
        );
    }
    let mild = matches!(answers.loss, Some(Loss::Everything | Loss::ADay));
    if mild && answers.only_copy == Some(true) {
        add(
            "the answers contradict each other: data that is nowhere else may be lost".to_owned(),
            &[],
        );
    }
    if mild && answers.loss_forbidden == Some(true) {
        add(
            "the answers contradict each other: writes may be lost, and losing them is forbidden"
                .to_owned(),
            &[],
        );
    }
    if recommendation == Recommendation::Stay && today.keeps.unwrap_or(Level::Cache) == Level::Cache
    {
        add(
            "a failover may lose the last writes, and the loss of a shard all since the last backup".to_owned(),
            &[cost::REPLICATION_IS_ASYNC, cost::BACKUPS_ARE_DAILY],
        );
    }
    out
}

/// What must be done or known first.
pub(super) fn first(
    recommendation: Recommendation,
    answers: &Answers,
    today: &Today,
) -> Vec<Reason> {
    let mut out = Vec::new();
    let mut add = |says: &str, facts: &[cost::Fact]| out.push(reason(says, facts));
    let durable = matches!(recommendation, Recommendation::DurableElastiCache(_));
    let memorydb = recommendation == Recommendation::MemoryDb;
    if durable {
        match (today.engine, today.major) {
            (Some(Engine::Valkey), Some(9..)) => {}
            (Some(Engine::Valkey), _) => {
                add("upgrade the engine to Valkey 9", &[cost::DURABLE_NEEDS]);
            }
            _ => add(
                "upgrade the engine from Redis OSS to Valkey 9, and test the clients against it",
                &[cost::CROSS_UPGRADE, cost::DURABLE_NEEDS],
            ),
        }
        if today.tls == Some(false) {
            add("switch TLS on", &[cost::DURABLE_NEEDS]);
        }
        if today.replicas == Some(0) {
            add("add a replica to each shard, and switch Multi-AZ on", &[cost::DURABLE_NEEDS]);
        }
        if today.durable_on_nodes == Some(false) {
            add("change to a node type on which durability works", &[cost::DURABLE_NEEDS]);
        }
        add(
            "switch it on with `aws elasticache modify-replication-group --durability`; if that is refused, restore a snapshot into a new cluster that has it",
            &[cost::DURABILITY_CAN_BE_SWITCHED_ON],
        );
    }
    if (durable || memorydb) && answers.cluster_clients == Some(false) {
        add(
            "change the clients: both services need the cluster protocol",
            &[if memorydb { cost::MEMORYDB_IS_CLUSTER_MODE } else { cost::DURABLE_NEEDS }],
        );
    }
    if durable && today.cluster_mode == Some(false) {
        add("change the cluster to cluster mode enabled", &[cost::DURABLE_NEEDS]);
    }
    if memorydb {
        if answers.auth == Some(Auth::Password) {
            add(
                "give the clients user names: a password alone is refused",
                &[cost::MEMORYDB_HAS_NO_TOKEN],
            );
        }
        if too_new_for_memorydb(today) {
            add("find another way for the data than a snapshot", &[cost::MEMORYDB_ENDS_AT_7]);
        }
        if today.tiered {
            add(
                "find another way for the data than a snapshot: a cluster with data tiering cannot be exported to S3",
                &[],
            );
        }
        if today.memorydb_has_nodes == Some(false) {
            add("choose a node type that MemoryDB has: r7g, r6g, r6gd or t4g", &[]);
        }
    }
    out
}
