//! CreateCluster: empty, from S3 objects, or from a snapshot.

use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, invalid_value, need, tags_in, texts};
use super::catalog;
use super::snapshots;
use super::state::{Due, MdbCluster, OPEN_ACCESS, Origin};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::world::World;

/// Nodes of one cluster (MemoryDB developer guide, quotas).
const NODES: u64 = 90;

/// CreateCluster. What can be seen from the request is refused at once; what is wrong with the files shows only at the
/// end, as `restore-failed`.
pub(super) fn create(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name =
        names::folded("ClusterName", need(input, "ClusterName")?, 40).map_err(invalid_value)?;
    let node_type = need(input, "NodeType")?;
    if !catalog::has_node_type(node_type) {
        return Err(invalid_value(format!("Invalid node type: {node_type}.")));
    }
    let tls = input["TLSEnabled"].as_bool().unwrap_or(true);
    let shard_count = input["NumShards"].as_u64().unwrap_or(1);
    let replicas = input["NumReplicasPerShard"].as_u64().unwrap_or(1);
    if replicas > 5 {
        return Err(invalid_value("NumReplicasPerShard must be between 0 and 5."));
    }
    if shard_count == 0 {
        return Err(invalid_value("NumShards must be at least 1."));
    }
    if shard_count.saturating_mul(replicas + 1) > NODES {
        return Err(ApiError::bad(
            "NodeQuotaForClusterExceededFault",
            format!("The request exceeds the quota of {NODES} nodes per cluster."),
        ));
    }
    let engine = input["Engine"].as_str().unwrap_or("redis").to_ascii_lowercase();
    let version = catalog::version(&engine, input["EngineVersion"].as_str())?;
    let group = input["ParameterGroupName"].as_str();
    if let Some(group) = group.filter(|group| !catalog::has_group(group)) {
        return Err(catalog::group_not_found(group));
    }
    let mut world = ctx.world();
    if world.memorydb.clusters.contains_key(&name) {
        return Err(ApiError::bad(
            "ClusterAlreadyExistsFault",
            format!("Cluster with specified name already exists: {name}"),
        ));
    }
    let acl = acl(&world, input, tls)?;
    let subnet_group = input["SubnetGroupName"].as_str().unwrap_or("default").to_ascii_lowercase();
    if !world.memorydb.subnet_groups.contains_key(&subnet_group) {
        return Err(catalog::subnet_group_not_found(&subnet_group));
    }
    let origin = origin(ctx, &mut world, input)?;
    let (to, reason) = match ctx.effects.terminal.clone() {
        Some((state, reason)) => (state, Some(reason)),
        None => ("available".to_owned(), None),
    };
    let cluster = MdbCluster {
        name: name.clone(),
        description: input["Description"].as_str().unwrap_or_default().to_owned(),
        status: "creating".to_owned(),
        due: Some(Due { at: ctx.due(ctx.timings().cluster_create), to: Some(to), reason }),
        origin,
        filling: false,
        node_type: node_type.to_owned(),
        engine,
        engine_version: version.version.to_owned(),
        shard_count: shard_count as u16,
        replicas: replicas as u16,
        acl,
        tls,
        port: input["Port"].as_u64().unwrap_or(6379) as u16,
        subnet_group,
        parameter_group: group.map_or_else(|| catalog::default_group(version), str::to_owned),
        security_groups: texts(input, "SecurityGroupIds"),
        kms_key: input["KmsKeyId"].as_str().map(str::to_owned),
        retention: input["SnapshotRetentionLimit"].as_u64().unwrap_or(0),
        data_tiering: input["DataTiering"].as_bool().unwrap_or(false),
        tags: tags_in(input),
        created: ctx.now,
        visible: ctx.due(ctx.timings().visibility),
        keys: 0,
        cluster: None,
        shards: Vec::new(),
    };
    let answer = answer::cluster(ctx, &cluster, false);
    world.memorydb.linked_role_missing = false;
    world.memorydb.clusters.insert(name, cluster);
    Ok(json!({"Cluster": answer}))
}

/// The ACL of the cluster. Without TLS it must be `open-access` (MemoryDB developer guide, ACLs).
fn acl(world: &World, input: &Value, tls: bool) -> Result<String, ApiError> {
    let name = need(input, "ACLName")?.to_ascii_lowercase();
    let acl = world.memorydb.acls.get(&name);
    let acl =
        acl.ok_or_else(|| ApiError::bad("ACLNotFoundFault", format!("ACL {name} not found.")))?;
    if acl.status != "active" {
        return Err(ApiError::bad(
            "InvalidACLStateFault",
            format!("ACL {name} is not in active state: {}.", acl.status),
        ));
    }
    if !tls && name != OPEN_ACCESS {
        return Err(invalid_combination(format!(
            "The ACL {name} requires TLS to be enabled: a cluster without TLS must use {OPEN_ACCESS}."
        )));
    }
    Ok(name)
}

fn origin(ctx: &Ctx, world: &mut World, input: &Value) -> Result<Origin, ApiError> {
    let arns = texts(input, "SnapshotArns");
    match (arns.is_empty(), input["SnapshotName"].as_str()) {
        (true, None) => Ok(Origin::Empty),
        (false, Some(_)) => {
            Err(invalid_combination("SnapshotArns and SnapshotName cannot be used together."))
        }
        (false, None) => {
            let objects: Result<Vec<_>, _> = arns.iter().map(|arn| object(arn)).collect();
            objects.map(Origin::Objects)
        }
        (true, Some(name)) => {
            let name = name.to_ascii_lowercase();
            let snapshot = world.memorydb.snapshots.get_mut(&name);
            let snapshot = snapshot.filter(|s| s.visible <= ctx.now);
            let snapshot = snapshot.ok_or_else(|| snapshots::not_found(&name))?;
            if !matches!(snapshot.status.as_str(), "available" | "restoring") {
                return Err(ApiError::bad(
                    "InvalidSnapshotStateFault",
                    format!("Snapshot {name} is in state {}.", snapshot.status),
                ));
            }
            snapshot.status = "restoring".to_owned();
            Ok(Origin::Snapshot(name))
        }
    }
}

/// Bucket and key of an S3 object ARN. The key may hold no comma (MemoryDB API reference, CreateCluster).
fn object(arn: &str) -> Result<(String, String), ApiError> {
    let wrong = || {
        invalid_value(format!(
            "The snapshot ARN {arn} is not valid: it must name an S3 object, without commas in its name."
        ))
    };
    let path = arn.strip_prefix("arn:aws:s3:::").ok_or_else(wrong)?;
    let (bucket, key) = path.split_once('/').ok_or_else(wrong)?;
    if bucket.is_empty() || key.is_empty() || key.contains(',') {
        return Err(wrong());
    }
    Ok((bucket.to_owned(), key.to_owned()))
}
