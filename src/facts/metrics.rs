//! Which metrics ElastiCache and MemoryDB publish, and under which dimensions. CloudWatch takes any name and any dimensions,
//! and shows no data for those that nobody publishes: an alarm on one looks healthy for ever.
//!
//! ElastiCache user guide ("Metrics for Valkey and Redis OSS", "Host-level metrics", "CloudWatch dimensions", serverless
//! metrics) and MemoryDB developer guide ("Monitoring CloudWatch metrics"). CloudWatch never sums up what a service
//! publishes over a dimension that is left out: the set must be one of these exactly.

use crate::facts::metrics::Of::{Both, ElastiCache, MemoryDb};

/// ElastiCache's namespace.
pub const ELASTICACHE: &str = "AWS/ElastiCache";
/// MemoryDB's namespace.
pub const MEMORYDB: &str = "AWS/MemoryDB";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Both,
    ElastiCache,
    MemoryDb,
}

/// Metrics of a node.
const NODES: &[(Of, &[&str])] = &[
    (
        Both,
        &[
            "AuthenticationFailures",
            "ChannelAuthorizationFailures",
            "CommandAuthorizationFailures",
            "CPUUtilization",
            "CurrConnections",
            "CurrItems",
            "DatabaseCapacityUsagePercentage",
            "DatabaseMemoryUsagePercentage",
            "EngineCPUUtilization",
            "ErrorCount",
            "Evictions",
            "FreeableMemory",
            "GetTypeCmds",
            "IamAuthenticationExpirations",
            "IamAuthenticationThrottling",
            "KeyAuthorizationFailures",
            "MemoryFragmentationRatio",
            "NetworkBandwidthInAllowanceExceeded",
            "NetworkBandwidthOutAllowanceExceeded",
            "NetworkBytesIn",
            "NetworkBytesOut",
            "NetworkConntrackAllowanceExceeded",
            "NetworkMaxBytesIn",
            "NetworkMaxBytesOut",
            "NetworkMaxPacketsIn",
            "NetworkMaxPacketsOut",
            "NetworkPacketsIn",
            "NetworkPacketsOut",
            "NetworkPacketsPerSecondAllowanceExceeded",
            "NewConnections",
            "NonKeyTypeCmds",
            "Reclaimed",
            "ReplicationBytes",
            "ReplicationLag",
            "SetTypeCmds",
            "SuccessfulReadRequestLatency",
            "SuccessfulWriteRequestLatency",
            "SwapUsage",
            "ClusterBasedCmds",
            "EvalBasedCmds",
            "GeoSpatialBasedCmds",
            "HashBasedCmds",
            "HyperLogLogBasedCmds",
            "JsonBasedCmds",
            "KeyBasedCmds",
            "ListBasedCmds",
            "PubSubBasedCmds",
            "SetBasedCmds",
            "SortedSetBasedCmds",
            "StreamBasedCmds",
            "StringBasedCmds",
        ],
    ),
    (
        ElastiCache,
        &[
            "BytesUsedForCache",
            "CacheHitRate",
            "CacheHits",
            "CacheMisses",
            "CPUCreditBalance",
            "CPUCreditUsage",
            "DatabaseCapacityUsageCountedForEvictPercentage",
            "DatabaseMemoryUsageCountedForEvictPercentage",
            "DB0AverageTTL",
            "DurabilityBufferExceededErrorCount",
            "DurabilityLag",
            "GetTypeCmdsLatency",
            "IsMaster",
            "MasterLinkHealthStatus",
            "ProcessedCommands",
            "RejectedConnections",
            "SaveInProgress",
            "SetTypeCmdsLatency",
            "StringBasedCmdsLatency",
            "HashBasedCmdsLatency",
            "ListBasedCmdsLatency",
            "SetBasedCmdsLatency",
            "SortedSetBasedCmdsLatency",
            "StreamBasedCmdsLatency",
            "KeyBasedCmdsLatency",
            "EvalBasedCmdsLatency",
            "TrafficManagementActive",
        ],
    ),
    (
        MemoryDb,
        &[
            "BytesUsedForMemoryDB",
            "IsPrimary",
            "KeyspaceHits",
            "KeyspaceMisses",
            "MaxReplicationThroughput",
            "MultiRegionClusterReplicationLag",
            "PrimaryLinkHealthStatus",
            "ReplicationDelayedWriteCommands",
        ],
    ),
];
/// Metrics of a MemoryDB node that are not told of its cluster.
const NODE_ALONE: &[&str] = &["BytesReadFromDisk", "BytesWrittenToDisk"];
/// Metrics of a whole replication group, and the second dimensions that they can have.
const GROUPS: &[(&str, &[&str])] = &[
    ("EngineCPUUtilization", &["NodeGroupId", "Role"]),
    ("DatabaseMemoryUsageCountedForEvictPercentage", &["NodeGroupId"]),
    ("DatabaseCapacityUsageCountedForEvictPercentage", &["NodeGroupId"]),
];
/// Metrics of a serverless cache.
const SERVERLESS: &[&str] = &[
    "AuthenticationFailures",
    "BytesUsedForCache",
    "CacheHitRate",
    "CacheHits",
    "CacheMisses",
    "CommandAuthorizationFailures",
    "CurrConnections",
    "CurrItems",
    "CurrVolatileItems",
    "ElastiCacheProcessingUnits",
    "Evictions",
    "KeyAuthorizationFailures",
    "NewConnections",
    "SuccessfulReadRequestLatency",
    "SuccessfulWriteRequestLatency",
    "ThrottledCmds",
    "TotalCmdsCount",
];
/// Names that dashboards and alarms use and that nobody publishes, and what to use in their place.
const INSTEAD: &[(&str, &str, &str)] = &[
    (
        ELASTICACHE,
        "CommandsProcessed",
        "ProcessedCommands, or GetTypeCmds + SetTypeCmds + NonKeyTypeCmds",
    ),
    (ELASTICACHE, "KeyspaceHits", "CacheHits"),
    (ELASTICACHE, "KeyspaceMisses", "CacheMisses"),
    (ELASTICACHE, "ActiveConnections", "CurrConnections"),
    (MEMORYDB, "NetworkThroughput", "NetworkBytesIn and NetworkBytesOut"),
    (MEMORYDB, "ActiveConnections", "CurrConnections"),
    (MEMORYDB, "CommandsProcessed", "GetTypeCmds + SetTypeCmds + NonKeyTypeCmds"),
    (MEMORYDB, "CacheHits", "KeyspaceHits"),
    (MEMORYDB, "CacheMisses", "KeyspaceMisses"),
    (MEMORYDB, "CacheHitRate", "KeyspaceHits and KeyspaceMisses"),
    (MEMORYDB, "WriteLatency", "SuccessfulWriteRequestLatency, in microseconds"),
    (MEMORYDB, "ReadLatency", "SuccessfulReadRequestLatency, in microseconds"),
    (MEMORYDB, "BytesUsedForCache", "BytesUsedForMemoryDB"),
    (MEMORYDB, "MasterLinkHealthStatus", "PrimaryLinkHealthStatus"),
    (MEMORYDB, "IsMaster", "IsPrimary"),
];

/// Why there is no data by a name and dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong, as a clause.
    pub what: String,
    /// What to write instead.
    pub mend: String,
    /// Whether the dimensions are wrong, and not the name.
    pub dimensions: bool,
}

/// Whether somebody publishes a metric under these dimensions; nothing is known of the namespaces of others.
///
/// # Errors
/// Why nobody does.
pub fn fits(namespace: &str, name: &str, dimensions: &[&str]) -> Result<(), Misfit> {
    if ![ELASTICACHE, MEMORYDB].contains(&namespace) {
        return Ok(());
    }
    let sets = sets(namespace, name);
    if sets.is_empty() {
        return Err(no_such(namespace, name));
    }
    let mut given: Vec<&str> = dimensions.to_vec();
    given.sort_unstable();
    let same = |set: &Vec<&str>| {
        let mut set = set.clone();
        set.sort_unstable();
        set == given
    };
    if sets.iter().any(same) {
        return Ok(());
    }
    let words: Vec<String> = sets.iter().map(|set| set.join(" + ")).collect();
    let given = if given.is_empty() { "no dimensions".to_owned() } else { given.join(" + ") };
    Err(Misfit {
        what: format!("{namespace} publishes no {name} by {given}: there would never be data"),
        mend: format!("its dimensions are {}", words.join(", or ")),
        dimensions: true,
    })
}

/// The sets of dimensions under which a metric is published; none if it is not.
fn sets(namespace: &str, name: &str) -> Vec<Vec<&'static str>> {
    let service = if namespace == MEMORYDB { MemoryDb } else { ElastiCache };
    let of_nodes =
        NODES.iter().any(|(of, names)| (*of == Both || *of == service) && names.contains(&name));
    let mut sets = Vec::new();
    if service == MemoryDb {
        if of_nodes {
            sets.extend([vec!["ClusterName"], vec!["ClusterName", "NodeName"]]);
        } else if NODE_ALONE.contains(&name) {
            sets.push(vec!["ClusterName", "NodeName"]);
        }
        return sets;
    }
    if of_nodes {
        sets.extend([vec!["CacheClusterId", "CacheNodeId"], vec!["CacheClusterId"]]);
    }
    if let Some((_, seconds)) = GROUPS.iter().find(|(known, _)| *known == name) {
        sets.push(vec!["ReplicationGroupId"]);
        sets.extend(seconds.iter().map(|second| vec!["ReplicationGroupId", *second]));
    }
    if SERVERLESS.contains(&name) {
        sets.push(vec!["clusterId"]);
    }
    sets
}

fn no_such(namespace: &str, name: &str) -> Misfit {
    let what = format!("{namespace} publishes no metric {name}: there would never be data");
    let instead = INSTEAD.iter().find(|(of, wrong, _)| *of == namespace && *wrong == name);
    let mend = match instead {
        Some((_, _, instead)) => format!("use {instead}"),
        None => {
            let folded = name.to_ascii_lowercase();
            let all = NODES.iter().flat_map(|(_, names)| names.iter()).chain(SERVERLESS);
            let near = all
                .filter(|known| !sets(namespace, known).is_empty())
                .find(|known| known.to_ascii_lowercase() == folded);
            match near {
                Some(near) => format!("write {near}: names are told apart by case"),
                None => {
                    "`aws cloudwatch list-metrics --namespace` shows what is published".to_owned()
                }
            }
        }
    };
    Misfit { what, mend, dimensions: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dimensions_must_be_a_whole_set() {
        for (namespace, name, dimensions, fit) in [
            (MEMORYDB, "EngineCPUUtilization", &["ClusterName"][..], true),
            (MEMORYDB, "EngineCPUUtilization", &["NodeName", "ClusterName"], true),
            (MEMORYDB, "EngineCPUUtilization", &[], false),
            (MEMORYDB, "BytesReadFromDisk", &["ClusterName"], false),
            (ELASTICACHE, "EngineCPUUtilization", &["ReplicationGroupId"], true),
            (ELASTICACHE, "EngineCPUUtilization", &["ReplicationGroupId", "Role"], true),
            (ELASTICACHE, "Evictions", &["ReplicationGroupId"], false),
            (ELASTICACHE, "Evictions", &["CacheClusterId"], true),
            (ELASTICACHE, "ElastiCacheProcessingUnits", &["clusterId"], true),
            (ELASTICACHE, "ElastiCacheProcessingUnits", &["CacheClusterId"], false),
            ("Shop/Orders", "Anything", &[], true),
        ] {
            assert_eq!(fits(namespace, name, dimensions).is_ok(), fit, "{name} by {dimensions:?}");
        }
    }

    #[test]
    fn what_nobody_publishes_is_told_with_what_is() {
        let misfit = |namespace, name| fits(namespace, name, &["ClusterName"]).unwrap_err().mend;
        assert!(misfit(MEMORYDB, "ActiveConnections").contains("CurrConnections"));
        assert!(misfit(MEMORYDB, "SaveInProgress").contains("list-metrics"));
        assert!(misfit(MEMORYDB, "currItems").contains("write CurrItems"));
        assert!(misfit(ELASTICACHE, "KeyspaceHits").contains("CacheHits"));
        let group = fits(ELASTICACHE, "CacheHits", &["ReplicationGroupId"]).unwrap_err();
        assert!(
            group.dimensions && group.mend.contains("CacheClusterId + CacheNodeId"),
            "{group:?}"
        );
    }
}
