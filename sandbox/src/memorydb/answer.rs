//! The JSON forms of clusters and snapshots.

use serde_json::{Value, json};

use super::call::arn;
use super::catalog;
use super::state::{MdbCluster, Snapshot};
use crate::context::Ctx;
use crate::names;
use crate::wire::json::epoch;

/// A `Cluster`. While it is created its endpoint has a port but no address (awscli examples, create-cluster).
pub(super) fn cluster(ctx: &Ctx, c: &MdbCluster, with_shards: bool) -> Value {
    let mut endpoint = json!({"Port": c.port});
    if let Some(cluster) = c.cluster.as_ref().filter(|_| c.status != "creating") {
        let (host, port) = cluster.endpoint();
        endpoint = json!({"Address": host, "Port": port});
    }
    let patch = catalog::version(&c.engine, Some(&c.engine_version)).map(|v| v.patch);
    let groups = c.security_groups.iter();
    let groups: Vec<_> =
        groups.map(|id| json!({"SecurityGroupId": id, "Status": "active"})).collect();
    let mut out = json!({
        "Name": c.name,
        "Description": c.description,
        "Status": c.status,
        "PendingUpdates": {},
        "NumberOfShards": c.shard_count,
        "AvailabilityMode": if c.replicas > 0 { "multiaz" } else { "singleaz" },
        "ClusterEndpoint": endpoint,
        "NodeType": c.node_type,
        "Engine": c.engine,
        "EngineVersion": c.engine_version,
        "EnginePatchVersion": patch.unwrap_or_default(),
        "ParameterGroupName": c.parameter_group,
        "ParameterGroupStatus": "in-sync",
        "SecurityGroups": groups,
        "SubnetGroupName": c.subnet_group,
        "TLSEnabled": c.tls,
        "ARN": arn(ctx, "cluster", &c.name),
        "SnapshotRetentionLimit": c.retention,
        "MaintenanceWindow": "sun:07:00-sun:08:00",
        "SnapshotWindow": "05:00-06:00",
        "ACLName": c.acl,
        "AutoMinorVersionUpgrade": true,
        "DataTiering": c.data_tiering.to_string(),
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
    });
    if let Some(key) = &c.kms_key {
        out["KmsKeyId"] = json!(key);
    }
    if with_shards {
        out["Shards"] = c.shards.iter().map(|shard| shard_json(ctx, c, shard)).collect();
    }
    out
}

fn shard_json(ctx: &Ctx, c: &MdbCluster, shard: &crate::data::ShardInfo) -> Value {
    let zones = ["a", "b", "c"];
    let nodes: Vec<_> = (0..=c.replicas)
        .map(|i| {
            json!({
                "Name": format!("{}-{}-{:03}", c.name, shard.id, i + 1),
                "Status": "available",
                "AvailabilityZone": format!("{}{}", ctx.region(), zones[usize::from(i) % 3]),
                "CreateTime": epoch(c.created),
                "Endpoint": {"Address": shard.host, "Port": shard.port},
            })
        })
        .collect();
    json!({
        "Name": shard.id,
        "Status": "available",
        "Slots": names::slots(&shard.slots),
        "NumberOfNodes": nodes.len(),
        "Nodes": nodes,
    })
}

/// A `Snapshot`; the shards are there with `ShowDetail`.
pub(super) fn snapshot(ctx: &Ctx, s: &Snapshot, with_detail: bool) -> Value {
    let of = &s.of;
    let mut configuration = json!({
        "Name": of.name,
        "Description": of.description,
        "NodeType": of.node_type,
        "Engine": of.engine,
        "EngineVersion": of.engine_version,
        "MaintenanceWindow": "sun:07:00-sun:08:00",
        "Port": of.port,
        "ParameterGroupName": of.parameter_group,
        "SubnetGroupName": of.subnet_group,
        "VpcId": "vpc-0sandbox",
        "SnapshotRetentionLimit": of.retention,
        "SnapshotWindow": "05:00-06:00",
        "NumShards": of.shard_count,
    });
    if with_detail {
        let files = s.files.as_deref().unwrap_or_default();
        let shard = |(i, shard): (usize, &crate::data::ShardInfo)| {
            let mut out = json!({
                "Name": shard.id,
                "Configuration": {"Slots": names::slots(&shard.slots), "ReplicaCount": of.replicas},
            });
            if let Some(file) = files.get(i).filter(|_| s.status != "creating") {
                out["Size"] = json!(format!("{} MB", file.rdb.len().div_ceil(1 << 20)));
                out["SnapshotCreationTime"] = epoch(s.created);
            }
            out
        };
        configuration["Shards"] = of.shards.iter().enumerate().map(shard).collect();
    }
    let mut out = json!({
        "Name": s.name,
        "Status": s.status,
        "Source": if s.automatic { "automated" } else { "manual" },
        "ARN": arn(ctx, "snapshot", &s.name),
        "ClusterConfiguration": configuration,
        "DataTiering": of.data_tiering.to_string(),
    });
    if let Some(key) = &s.kms_key {
        out["KmsKeyId"] = json!(key);
    }
    out
}
