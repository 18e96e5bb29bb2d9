//! Parameters: which MemoryDB lets one set, which it has not, and which mean something else there.

use std::collections::BTreeMap;

/// What is done when memory is full.
pub const EVICTION: &str = "maxmemory-policy";
/// ElastiCache's default of it (ElastiCache user guide, Redis OSS parameters).
const EVICTION_BEFORE: &str = "volatile-lru";
/// MemoryDB's (MemoryDB developer guide, engine specific parameters).
const EVICTION_AFTER: &str = "noeviction";

/// What MemoryDB lets one set (awscli examples, memorydb describe-parameters), as engine 7 calls it: what engine 6 calls
/// ziplist is called listpack there.
const SETTABLE: &[&str] = &[
    "acllog-max-len",
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activedefrag",
    "activerehashing",
    "client-output-buffer-limit-normal-hard-limit",
    "client-output-buffer-limit-normal-soft-limit",
    "client-output-buffer-limit-normal-soft-seconds",
    "client-output-buffer-limit-pubsub-hard-limit",
    "client-output-buffer-limit-pubsub-soft-limit",
    "client-output-buffer-limit-pubsub-soft-seconds",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hll-sparse-max-bytes",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lfu-decay-time",
    "lfu-log-factor",
    "list-compress-depth",
    "list-max-listpack-size",
    "maxmemory-policy",
    "maxmemory-samples",
    "notify-keyspace-events",
    "set-max-intset-entries",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "tcp-keepalive",
    "timeout",
    "tracking-table-max-keys",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
];

/// What ElastiCache has and MemoryDB has not, by how its name begins, and why that is no loss or what it is.
const GONE: &[(&str, &str)] = &[
    ("reserved-memory", "MemoryDB reserves no memory by parameter"),
    ("cluster-enabled", "MemoryDB is always in cluster mode"),
    ("cluster-allow-reads-when-down", "MemoryDB has no such switch"),
    ("databases", "MemoryDB has database 0 only"),
    ("append", "MemoryDB keeps every write in its transaction log"),
    ("close-on-", "MemoryDB has no such switch"),
    ("repl-", "MemoryDB replicates through its transaction log"),
    ("min-replicas-", "MemoryDB acknowledges a write when its log has it"),
];

/// What a different value of a parameter does to applications, for those that they notice.
const NOTICED: &[(&str, &str)] = &[
    (EVICTION, "decides whether writes fail or keys are thrown away when memory is full"),
    ("notify-keyspace-events", "subscribers to keyspace events hear other events, or none"),
    ("timeout", "idle connections are closed after another time"),
    ("client-output-buffer-limit-pubsub", "slow subscribers are cut off at another backlog"),
    (
        "client-output-buffer-limit-normal",
        "clients that read slowly are cut off at another backlog",
    ),
];

/// What becomes of a parameter that the source's owner set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// MemoryDB has it, and the target has another value.
    Other {
        /// Its name at the target.
        name: String,
        /// The source's value.
        source: String,
        /// The target's.
        target: String,
        /// What that does, where applications notice.
        effect: Option<&'static str>,
    },
    /// MemoryDB has it not.
    Gone(Dropped),
}

/// A parameter that MemoryDB has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Its name.
    pub name: String,
    /// The source's value.
    pub value: String,
    /// Why MemoryDB needs none, where that is known.
    pub why: Option<&'static str>,
}

/// What a parameter group for MemoryDB takes over from the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Name and value, by name.
    pub set: BTreeMap<String, String>,
    /// What cannot be taken over.
    pub dropped: Vec<Dropped>,
}

/// The parameter family of an engine of MemoryDB.
#[must_use]
pub fn family_of(engine: &str, version: Option<&str>) -> &'static str {
    match (engine.to_ascii_lowercase().as_str(), version) {
        ("valkey", _) => "memorydb_valkey7",
        (_, Some("6.2")) => "memorydb_redis6",
        _ => "memorydb_redis7",
    }
}

/// The parameter group that a cluster of this family has unless it names another.
#[must_use]
pub fn default_parameter_group(family: &str) -> String {
    format!("default.{}", family.replace('_', "-"))
}

/// What to set at MemoryDB so that it behaves as the source. `set` is what the source's owner set; the source's default
/// eviction policy, which is not MemoryDB's, counts as set.
#[must_use]
pub fn carried(set: &[(String, String)], family: &str) -> Carried {
    let mut carried = Carried::default();
    carried.set.insert(EVICTION.to_owned(), EVICTION_BEFORE.to_owned());
    for (name, value) in set {
        let modern = name.replace("ziplist", "listpack");
        if let Some(why) = refused(family, &modern, value) {
            let why = Some(why);
            carried.dropped.push(Dropped { name: name.clone(), value: value.clone(), why });
        } else if SETTABLE.contains(&modern.as_str()) {
            let name = match family {
                "memorydb_redis6" => modern.replace("listpack", "ziplist"),
                _ => modern,
            };
            carried.set.insert(name, value.clone());
        } else {
            let why = GONE.iter().find(|(begins, _)| name.starts_with(begins));
            let why = why.map(|(_, why)| *why);
            carried.dropped.push(Dropped { name: name.clone(), value: value.clone(), why });
        }
    }
    if carried.set.get(EVICTION).is_some_and(|policy| policy == EVICTION_AFTER) {
        carried.set.remove(EVICTION);
    }
    carried
}

/// Why MemoryDB does not take a value, though it has the parameter (MemoryDB developer guide, engine specific
/// parameters).
fn refused(family: &str, name: &str, value: &str) -> Option<&'static str> {
    if name == "activerehashing" && family != "memorydb_redis6" {
        return Some("always on with engine 7, and not to be set");
    }
    let short = value.parse::<u64>().is_ok_and(|seconds| (1..20).contains(&seconds));
    (name == "timeout" && short).then_some("MemoryDB takes 0, or 20 and more")
}

/// What of the source's parameters means something else at a target with these values. A target that does not tell a
/// parameter's value is taken to differ.
#[must_use]
pub fn differences(
    set: &[(String, String)],
    family: &str,
    target: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut carried = carried(set, family);
    // A source that never evicts differs from a target that does.
    carried.set.entry(EVICTION.to_owned()).or_insert_with(|| EVICTION_AFTER.to_owned());
    let other = |(name, source): (String, String)| {
        let target = target.get(&name).cloned().unwrap_or_default();
        let effect = NOTICED.iter().find(|(begins, _)| name.starts_with(begins));
        let effect = effect.map(|(_, effect)| *effect);
        (target != source).then_some(Difference::Other { name, source, target, effect })
    };
    let others = carried.set.into_iter().filter_map(other);
    others.chain(carried.dropped.into_iter().map(Difference::Gone)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_memorydb_has_is_carried_over_and_the_rest_is_named() {
        let set = pairs(&[
            ("timeout", "300"),
            ("hash-max-ziplist-entries", "64"),
            ("reserved-memory-percent", "40"),
            ("cluster-enabled", "yes"),
            ("made-up", "1"),
        ]);
        let Carried { set: kept, dropped } = carried(&set, "memorydb_valkey7");
        let kept: Vec<_> = kept.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(
            kept,
            ["hash-max-listpack-entries=64", "maxmemory-policy=volatile-lru", "timeout=300"]
        );
        let names: Vec<_> = dropped.iter().map(|d| (d.name.as_str(), d.why.is_some())).collect();
        assert_eq!(
            names,
            [("reserved-memory-percent", true), ("cluster-enabled", true), ("made-up", false)]
        );
        let older = carried(&set, "memorydb_redis6").set;
        assert!(older.contains_key("hash-max-ziplist-entries"), "{older:?}");
        assert!(carried(&pairs(&[(EVICTION, "noeviction")]), "memorydb_redis7").set.is_empty());
    }

    #[test]
    fn defaults_that_mean_something_else_are_differences() {
        let target = |policy: &str| BTreeMap::from([(EVICTION.to_owned(), policy.to_owned())]);
        let family = "memorydb_valkey7";
        let found = differences(&[], family, &target("noeviction"));
        assert!(
            matches!(&found[..], [Difference::Other { name, source, target, effect: Some(_) }]
                if name == EVICTION && source == "volatile-lru" && target == "noeviction"),
            "{found:?}"
        );
        assert_eq!(differences(&[], family, &target("volatile-lru")), []);
        let never = pairs(&[(EVICTION, "noeviction")]);
        assert_eq!(differences(&never, family, &target("noeviction")), []);
        assert_eq!(differences(&never, family, &target("allkeys-lru")).len(), 1);
    }

    #[test]
    fn families_have_defaults() {
        for (engine, version, family, group) in [
            ("valkey", Some("7.3"), "memorydb_valkey7", "default.memorydb-valkey7"),
            ("redis", Some("6.2"), "memorydb_redis6", "default.memorydb-redis6"),
            ("Redis", None, "memorydb_redis7", "default.memorydb-redis7"),
        ] {
            assert_eq!(family_of(engine, version), family);
            assert_eq!(default_parameter_group(family), group);
        }
    }
}
