//! What the clusters of the sandbox publish by themselves: how much memory they use, how many keys they hold, and a calm
//! value for the rest. Only by the dimensions under which the services publish (ElastiCache and MemoryDB user guides,
//! metrics): anything else has no data, as on AWS.

use jiff::Timestamp;

use crate::context::Ctx;
use crate::data::Cluster;
use crate::memorydb;
use crate::world::key_count;

/// What a cluster without trouble shows. Connections are the service's own monitoring.
const CALM: [(&str, f64); 30] = [
    ("AuthenticationFailures", 0.0),
    ("ChannelAuthorizationFailures", 0.0),
    ("CommandAuthorizationFailures", 0.0),
    ("CPUUtilization", 3.0),
    ("CurrConnections", 4.0),
    ("EngineCPUUtilization", 2.0),
    ("ErrorCount", 0.0),
    ("Evictions", 0.0),
    ("GetTypeCmds", 0.0),
    ("IsMaster", 1.0),
    ("IsPrimary", 1.0),
    ("KeyAuthorizationFailures", 0.0),
    ("MasterLinkHealthStatus", 1.0),
    ("MemoryFragmentationRatio", 1.1),
    ("NetworkBytesIn", 2048.0),
    ("NetworkBytesOut", 4096.0),
    ("NewConnections", 0.0),
    ("NonKeyTypeCmds", 0.0),
    ("PrimaryLinkHealthStatus", 1.0),
    ("ProcessedCommands", 0.0),
    ("Reclaimed", 0.0),
    ("RejectedConnections", 0.0),
    ("ReplicationBytes", 0.0),
    ("ReplicationDelayedWriteCommands", 0.0),
    ("ReplicationLag", 0.0),
    ("SaveInProgress", 0.0),
    ("SetTypeCmds", 0.0),
    ("SuccessfulReadRequestLatency", 300.0),
    ("SuccessfulWriteRequestLatency", 2500.0),
    ("SwapUsage", 0.0),
];
/// What each service alone has (the same pages).
const ELASTICACHE_ONLY: [&str; 5] = [
    "IsMaster",
    "MasterLinkHealthStatus",
    "ProcessedCommands",
    "RejectedConnections",
    "SaveInProgress",
];
const MEMORYDB_ONLY: [&str; 3] =
    ["IsPrimary", "PrimaryLinkHealthStatus", "ReplicationDelayedWriteCommands"];
/// The metrics of a replication group as a whole.
const OF_GROUPS: [&str; 2] =
    ["EngineCPUUtilization", "DatabaseMemoryUsageCountedForEvictPercentage"];

/// The value, and the second since when it is published.
pub(super) async fn value(
    ctx: &Ctx,
    namespace: &str,
    name: &str,
    dimensions: &[(String, String)],
) -> Option<(f64, f64)> {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| name.as_str()).collect();
    let of = |wanted: &str| {
        dimensions.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    match (namespace, names.as_slice()) {
        ("AWS/ElastiCache", ["clusterId"]) => serverless(ctx, name, &of("clusterId")?).await,
        ("AWS/ElastiCache", ["ReplicationGroupId"]) => {
            group(ctx, name, &of("ReplicationGroupId")?).await
        }
        ("AWS/ElastiCache", ["CacheClusterId"] | ["CacheClusterId", "CacheNodeId"]) => {
            let whole = of("CacheNodeId").is_none_or(|id| id == "0001");
            if whole { node(ctx, name, &of("CacheClusterId")?).await } else { None }
        }
        ("AWS/MemoryDB", ["ClusterName"] | ["ClusterName", "NodeName"]) => {
            memorydb(ctx, name, &of("ClusterName")?).await
        }
        _ => None,
    }
}

fn calm(name: &str, not: &[&str]) -> Option<f64> {
    CALM.iter().find(|(known, _)| *known == name && !not.contains(known)).map(|(_, value)| *value)
}

/// A serverless cache is one to its user (ElastiCache user guide, serverless metrics). What there is was seeded, and is
/// taken to have been there for long.
async fn serverless(ctx: &Ctx, name: &str, cache: &str) -> Option<(f64, f64)> {
    let cluster = ctx.world().elasticache.caches.get(cache)?.cluster.clone()?;
    let value = match name {
        "BytesUsedForCache" => cluster.used_memory().await.ok()?.into_iter().sum::<u64>() as f64,
        _ => calm(name, &MEMORYDB_ONLY)?,
    };
    Some((value, 0.0))
}

async fn group(ctx: &Ctx, name: &str, id: &str) -> Option<(f64, f64)> {
    if !OF_GROUPS.contains(&name) {
        return None;
    }
    let since = ctx.world().elasticache.groups.get(id)?.metrics_since?;
    Some((calm(name, &[]).unwrap_or(1.0), since.as_second() as f64))
}

async fn node(ctx: &Ctx, name: &str, node: &str) -> Option<(f64, f64)> {
    let (cluster, shard, since): (Cluster, usize, Timestamp) = {
        let world = ctx.world();
        let group = world
            .elasticache
            .groups
            .values()
            .find(|g| g.all_members().iter().any(|m| m == node))?;
        let shard = group
            .shards
            .iter()
            .position(|shard| group.members(shard).iter().any(|member| member == node))?;
        (group.cluster.clone()?, shard, group.metrics_since?)
    };
    let value = match name {
        "BytesUsedForCache" => *cluster.used_memory().await.ok()?.get(shard)? as f64,
        "CurrItems" => *cluster.key_counts().await.ok()?.get(shard)? as f64,
        "DatabaseMemoryUsagePercentage" => 1.0,
        _ => calm(name, &MEMORYDB_ONLY)?,
    };
    Some((value, since.as_second() as f64))
}

/// A new cluster publishes nothing for its first minutes.
async fn memorydb(ctx: &Ctx, name: &str, id: &str) -> Option<(f64, f64)> {
    let (cluster, keys, memory, shards, since) = {
        let world = ctx.world();
        let found = world.memorydb.clusters.get(id)?;
        let memory = memorydb::node_memory(&world.memorydb, &found.node_type);
        let keys = key_count(found.cluster.as_ref(), found.keys);
        let since = found.metrics_since?;
        (found.cluster.clone()?, keys, memory, u64::from(found.shard_count.max(1)), since)
    };
    let value = match name {
        "CurrItems" => (keys / shards) as f64,
        "BytesUsedForMemoryDB" | "DatabaseMemoryUsagePercentage" | "FreeableMemory" => {
            let used = cluster.used_memory().await.ok()?.into_iter().max()? as f64;
            let memory = memory? as f64;
            match name {
                "BytesUsedForMemoryDB" => used,
                "FreeableMemory" => (memory - used).max(0.0),
                _ => 100.0 * used / memory,
            }
        }
        _ => calm(name, &ELASTICACHE_ONLY)?,
    };
    Some((value, since.as_second() as f64))
}
