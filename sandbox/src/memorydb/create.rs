//! CreateCluster: empty, from S3 objects, or from a snapshot.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer;
use super::call::{invalid_combination, invalid_value, need, tags_in, texts};
use super::catalog;
use super::snapshots;
use super::state::{Due, MdbCluster, MemoryDbState, OPEN_ACCESS, Origin};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::world::World;

/// CreateCluster. What can be seen from the request is refused at once; what is wrong with the files shows only at the
/// end, as `restore-failed`.
pub(super) fn create(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name =
        names::folded("ClusterName", need(input, "ClusterName")?, 40).map_err(invalid_value)?;
    let node_type = need(input, "NodeType")?;
    let tls = input["TLSEnabled"].as_bool().unwrap_or(true);
    let shard_count = input["NumShards"].as_u64().unwrap_or(1);
    let replicas = input["NumReplicasPerShard"].as_u64().unwrap_or(1);
    if replicas > 5 {
        return Err(invalid_value("NumReplicasPerShard must be between 0 and 5."));
    }
    if shard_count == 0 {
        return Err(invalid_value("NumShards must be at least 1."));
    }
    let engine = input["Engine"].as_str().unwrap_or("redis").to_ascii_lowercase();
    let version = catalog::version(&engine, input["EngineVersion"].as_str())?;
    let group = input["ParameterGroupName"].as_str();
    let mut world = ctx.world();
    let tiering = input["DataTiering"].as_bool().unwrap_or(false);
    node_type_fits(&world.memorydb, node_type, tiering)?;
    if let Some(group) = group {
        family_fits(&world.memorydb, group, version.family)?;
    }
    quotas(&world.memorydb, shard_count.saturating_mul(replicas + 1))?;
    if let Some(key) = input["KmsKeyId"].as_str() {
        key_fits(&world, key)?;
    }
    if let Some(id) = texts(input, "SecurityGroupIds").iter().find(|id| !is_security_group(id)) {
        // UNSURE of the code: CreateCluster declares none of its own for security groups.
        return Err(invalid_value(format!("Invalid security group id: {id}.")));
    }
    if world.memorydb.clusters.contains_key(&name) {
        return Err(ApiError::bad(
            "ClusterAlreadyExistsFault",
            format!("Cluster with specified name already exists: {name}"),
        ));
    }
    let acl = acl(&world, input, tls)?;
    let subnet_group = input["SubnetGroupName"].as_str().unwrap_or("default").to_ascii_lowercase();
    let subnets = world.memorydb.subnet_groups.get(&subnet_group);
    let subnets = subnets.ok_or_else(|| catalog::subnet_group_not_found(&subnet_group))?;
    let zones: BTreeSet<_> = subnets.zones().collect();
    if replicas > 0 && zones.len() < 2 {
        // A shard with replicas is spread over zones (developer guide, Multi-AZ). UNSURE of the code.
        return Err(invalid_combination(format!(
            "The subnet group {subnet_group} must cover at least two Availability Zones for a cluster with replicas."
        )));
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
        data_tiering: tiering,
        tags: tags_in(input),
        created: ctx.now,
        visible: ctx.due(ctx.timings().visibility),
        keys: 0,
        metrics_since: None,
        cluster: None,
        shards: Vec::new(),
        pending: None,
    };
    let answer = answer::cluster(ctx, &cluster, false);
    world.memorydb.linked_role_missing = false;
    world.memorydb.clusters.insert(name, cluster);
    Ok(json!({"Cluster": answer}))
}

/// Data tiering goes with r6gd, and r6gd with data tiering (MemoryDB API reference, CreateCluster).
pub(super) fn node_type_fits(
    state: &MemoryDbState,
    node_type: &str,
    tiering: bool,
) -> Result<(), ApiError> {
    if catalog::node_memory(state, node_type).is_none() {
        return Err(invalid_value(format!("Invalid node type: {node_type}.")));
    }
    if node_type.starts_with("db.r6gd.") == tiering {
        return Ok(());
    }
    // UNSURE of the words.
    Err(invalid_combination(if tiering {
        format!("Data tiering is not supported for the node type {node_type}.")
    } else {
        format!("DataTiering must be enabled for the node type {node_type}.")
    }))
}

/// UNSURE of the code; the words are those of ElastiCache in the same place.
pub(super) fn family_fits(
    state: &MemoryDbState,
    group: &str,
    family: &str,
) -> Result<(), ApiError> {
    let found = catalog::family_of(state, group).ok_or_else(|| catalog::group_not_found(group))?;
    if found == family {
        return Ok(());
    }
    Err(invalid_combination(format!(
        "Expected a parameter group of family {family} but found one of family {found}"
    )))
}

pub(super) fn quotas(state: &MemoryDbState, nodes: u64) -> Result<(), ApiError> {
    let quotas = state.quotas;
    let clusters = state.clusters.values();
    let there: u64 = clusters.map(|c| u64::from(c.shard_count) * (u64::from(c.replicas) + 1)).sum();
    if nodes > quotas.nodes_per_cluster {
        let most = quotas.nodes_per_cluster;
        return Err(ApiError::bad(
            "NodeQuotaForClusterExceededFault",
            format!("The request exceeds the quota of {most} nodes per cluster."),
        ));
    }
    if there.saturating_add(nodes) > quotas.nodes_per_region {
        let most = quotas.nodes_per_region;
        return Err(ApiError::bad(
            "NodeQuotaForCustomerExceededFault",
            format!(
                "The request exceeds the quota of {most} nodes per Region; {there} are in use."
            ),
        ));
    }
    Ok(())
}

/// UNSURE of the code: CreateCluster declares no error for keys, and UpdateCluster's InvalidKMSKeyFault is not among its
/// errors. The key's state counts as in KMS (KMS developer guide, key states).
fn key_fits(world: &World, named: &str) -> Result<(), ApiError> {
    let wrong = |why: &str| Err(invalid_value(format!("The KMS key {named} {why}.")));
    match world.kms.find(named) {
        None => wrong("does not exist, or cannot be used in this Region"),
        Some(key) if key.state != "Enabled" => {
            wrong(&format!("is not enabled: its state is {}", key.state))
        }
        Some(key) if key.spec != "SYMMETRIC_DEFAULT" || key.usage != "ENCRYPT_DECRYPT" => {
            wrong("is not a symmetric encryption key")
        }
        Some(_) => Ok(()),
    }
}

/// `sg-` and eight or seventeen hex digits (EC2 user guide, resource IDs).
fn is_security_group(id: &str) -> bool {
    let digits = id.strip_prefix("sg-");
    digits.is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
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
