//! The XML forms of what exists in ElastiCache.

use super::state::{Group, Snapshot, User, UserGroup};
use crate::context::Ctx;
use crate::data::stated_memory;
use crate::names;
use crate::wire::query::Xml;

pub(super) fn arn(ctx: &Ctx, kind: &str, id: &str) -> String {
    format!("arn:aws:elasticache:{}:{}:{kind}:{id}", ctx.region(), ctx.account())
}

pub(super) fn endpoint(name: &'static str, host: &str, port: u16) -> Xml {
    Xml::new(name).text("Address", host).show("Port", port)
}

fn engine_family(engine: &str, version: &str) -> String {
    let major = version.split('.').next().unwrap_or("7");
    format!("default.{engine}{major}")
}

/// A `ReplicationGroup`. Endpoints are there once the group has been created; the engine version never is: it is on the
/// nodes alone (ElastiCache API reference, ReplicationGroup).
pub(super) fn group(ctx: &Ctx, g: &Group) -> Xml {
    let ready = g.status != "creating" && g.status != "create-failed";
    let node_groups = g.shards.iter().map(|shard| {
        let members = g.members(shard).into_iter().enumerate().map(|(i, id)| {
            let member = Xml::new("NodeGroupMember")
                .text("CacheClusterId", id)
                .text("CacheNodeId", "0001")
                .text("PreferredAvailabilityZone", format!("{}{}", ctx.region(), zone(i)));
            if g.cluster_mode {
                return member;
            }
            let role = if i == g.primary(shard) { "primary" } else { "replica" };
            let member = member.text("CurrentRole", role);
            match ready {
                true => member.child(endpoint("ReadEndpoint", &shard.host, shard.port)),
                false => member,
            }
        });
        let status = if ready { "available" } else { "creating" };
        let mut node_group =
            Xml::new("NodeGroup").text("NodeGroupId", &shard.id).text("Status", status);
        if g.cluster_mode {
            node_group = node_group.text("Slots", names::slots(&shard.slots));
        } else if ready {
            node_group = node_group
                .child(endpoint("PrimaryEndpoint", &shard.host, shard.port))
                .child(endpoint("ReaderEndpoint", &shard.host, shard.port));
        }
        node_group.list("NodeGroupMembers", members)
    });
    let mut xml = Xml::new("ReplicationGroup")
        .text("ReplicationGroupId", &g.id)
        .text("Description", &g.description)
        .text("Status", &g.status)
        .child(pending(g, &["transit_encryption_mode", "cluster_mode"]))
        .values("MemberClusters", "ClusterId", g.all_members())
        .list("NodeGroups", node_groups.collect::<Vec<_>>())
        .text("AutomaticFailover", if g.replicas > 0 { "enabled" } else { "disabled" })
        .text("MultiAZ", if g.replicas > 0 { "enabled" } else { "disabled" });
    if let (true, true, Some(cluster)) = (g.cluster_mode, ready, &g.cluster) {
        let (host, port) = cluster.endpoint();
        xml = xml.child(endpoint("ConfigurationEndpoint", &host, port));
    }
    if let Some((datastore, role)) = &g.settings.global {
        xml = xml.child(
            Xml::new("GlobalReplicationGroupInfo")
                .text("GlobalReplicationGroupId", datastore)
                .text("GlobalReplicationGroupMemberRole", role),
        );
    }
    xml = xml
        .show("SnapshotRetentionLimit", g.settings.retention)
        .text("SnapshotWindow", &g.settings.snapshot_window)
        .show("ClusterEnabled", g.cluster_mode)
        .text("ClusterMode", if g.cluster_mode { "enabled" } else { "disabled" })
        .text("CacheNodeType", &g.node_type)
        .show("AuthTokenEnabled", g.settings.auth_token)
        .show("TransitEncryptionEnabled", g.tls)
        .maybe("TransitEncryptionMode", g.tls.then_some("required"))
        .show("AtRestEncryptionEnabled", true)
        .text("ARN", arn(ctx, "replicationgroup", &g.id));
    if !g.user_groups.is_empty() {
        xml = xml.values("UserGroupIds", "member", &g.user_groups);
    }
    // `default` comes to nothing on Valkey 9.0 (ElastiCache user guide, Configuring durability).
    let effective = g.durability.as_deref().map(|asked| match asked {
        "default" => "disabled",
        asked => asked,
    });
    xml.maybe("Durability", g.durability.as_deref())
        .maybe("EffectiveDurability", effective)
        .time("ReplicationGroupCreateTime", g.created)
        .text("DataTiering", if g.data_tiering { "enabled" } else { "disabled" })
        .show("AutoMinorVersionUpgrade", true)
        .text("NetworkType", "ipv4")
        .text("IpDiscovery", "ipv4")
        .text("Engine", &g.engine)
}

/// The changes of a group that wait; some are told of the group, some of its nodes (ElastiCache API reference,
/// ReplicationGroupPendingModifiedValues and PendingModifiedValues).
fn pending(g: &Group, told: &[&str]) -> Xml {
    let member = |what: &str| match what {
        "engine_version" => "EngineVersion",
        "node_type" => "CacheNodeType",
        "cluster_mode" => "ClusterMode",
        _ => "TransitEncryptionMode",
    };
    let waiting = g.settings.pending.iter().filter(|(what, _)| told.contains(&what.as_str()));
    waiting
        .fold(Xml::new("PendingModifiedValues"), |xml, (what, value)| xml.text(member(what), value))
}

fn zone(node: usize) -> char {
    ['a', 'b', 'c'][node % 3]
}

/// The `CacheCluster`s of a group, each with its id.
pub(super) fn nodes(ctx: &Ctx, g: &Group, with_node_info: bool) -> Vec<(String, Xml)> {
    let per_shard = g.shards.iter().flat_map(|shard| {
        g.members(shard).into_iter().enumerate().map(move |(i, id)| (i, id, shard))
    });
    let node = |(i, id, shard): (usize, String, &crate::data::ShardInfo)| {
        let suffix = if g.cluster_mode { ".cluster.on" } else { "" };
        let family = engine_family(&g.engine, &g.engine_version);
        let parameter_group =
            g.settings.parameter_group.clone().unwrap_or_else(|| format!("{family}{suffix}"));
        let security_groups = g
            .settings
            .security_groups
            .iter()
            .map(|id| Xml::new("member").text("SecurityGroupId", id).text("Status", "active"));
        let mut xml = Xml::new("CacheCluster")
            .text("CacheClusterId", &id)
            .text("CacheNodeType", &g.node_type)
            .text("Engine", &g.engine)
            .text("EngineVersion", &g.engine_version)
            .text("CacheClusterStatus", &g.status)
            .show("NumCacheNodes", 1)
            .text("PreferredAvailabilityZone", format!("{}{}", ctx.region(), zone(i)))
            .time("CacheClusterCreateTime", g.created)
            .text("PreferredMaintenanceWindow", &g.settings.maintenance_window)
            .child(pending(g, &["engine_version", "node_type"]))
            .list("CacheSecurityGroups", [])
            .child(
                Xml::new("CacheParameterGroup")
                    .text("CacheParameterGroupName", parameter_group)
                    .text("ParameterApplyStatus", "in-sync")
                    .list("CacheNodeIdsToReboot", []),
            )
            .text("CacheSubnetGroupName", &g.settings.subnet_group);
        if with_node_info {
            let info = Xml::new("CacheNode")
                .text("CacheNodeId", "0001")
                .text("CacheNodeStatus", &g.status)
                .time("CacheNodeCreateTime", g.created)
                .child(endpoint("Endpoint", &shard.host, shard.port))
                .text("ParameterGroupStatus", "in-sync");
            xml = xml.list("CacheNodes", [info]);
        }
        let xml = xml
            .show("AutoMinorVersionUpgrade", true)
            .list("SecurityGroups", security_groups.collect::<Vec<_>>())
            .text("ReplicationGroupId", &g.id)
            .show("SnapshotRetentionLimit", g.settings.retention)
            .text("SnapshotWindow", &g.settings.snapshot_window)
            .show("AuthTokenEnabled", g.settings.auth_token)
            .show("TransitEncryptionEnabled", g.tls)
            .show("AtRestEncryptionEnabled", true)
            .text("ARN", arn(ctx, "cluster", &id));
        (id, xml)
    };
    per_shard.map(node).collect()
}

/// A `Snapshot`. Sizes are empty while it is created (ElastiCache API reference, NodeSnapshot).
pub(super) fn snapshot(ctx: &Ctx, s: &Snapshot, with_config: bool) -> Xml {
    let done = s.status != "creating";
    let nodes = s.shards.iter().enumerate().map(|(i, shard)| {
        let node = match (&s.node, s.cluster_mode) {
            (Some(node), _) => node.clone(),
            (None, true) => format!("{}-{}-001", s.group, shard.id),
            (None, false) => format!("{}-001", s.group),
        };
        let mut xml = Xml::new("NodeSnapshot")
            .text("CacheClusterId", node)
            .text("NodeGroupId", &shard.id)
            .text("CacheNodeId", "0001")
            .time("CacheNodeCreateTime", s.created);
        let file = s.files.as_ref().and_then(|files| files.get(i));
        xml = match file.filter(|_| done) {
            Some(file) => {
                // The size of the cache, not of the file (ElastiCache API reference, NodeSnapshot).
                let used = stated_memory(&file.rdb).unwrap_or(file.rdb.len() as u64);
                let size = used.div_ceil(1 << 20);
                xml.text("CacheSize", format!("{size} MB")).time("SnapshotCreateTime", s.created)
            }
            None => xml.text("CacheSize", ""),
        };
        if with_config {
            let config = Xml::new("NodeGroupConfiguration")
                .text("NodeGroupId", &shard.id)
                .text("Slots", names::slots(&shard.slots))
                .show("ReplicaCount", s.replicas);
            xml = xml.child(config);
        }
        xml
    });
    let nodes: Vec<Xml> = nodes.collect();
    let mut xml = Xml::new("Snapshot").text("SnapshotName", &s.name);
    xml = match &s.node {
        Some(node) => xml.text("CacheClusterId", node).show("NumCacheNodes", 1),
        None => xml
            .text("ReplicationGroupId", &s.group)
            .text("ReplicationGroupDescription", &s.group)
            .show("NumNodeGroups", s.shards.len())
            .text("AutomaticFailover", if s.replicas > 0 { "enabled" } else { "disabled" }),
    };
    xml.text("SnapshotStatus", &s.status)
        .text("SnapshotSource", if s.manual { "manual" } else { "automated" })
        .text("CacheNodeType", &s.node_type)
        .text("Engine", &s.engine)
        .text("EngineVersion", &s.engine_version)
        .show("Port", 6379)
        .text("CacheParameterGroupName", engine_family(&s.engine, &s.engine_version))
        .text("CacheSubnetGroupName", "default")
        .show("AutoMinorVersionUpgrade", true)
        .show("SnapshotRetentionLimit", 0)
        .text("SnapshotWindow", "05:00-06:00")
        .list("NodeSnapshots", nodes)
        .maybe("KmsKeyId", s.kms_key.as_deref())
        .text("ARN", arn(ctx, "snapshot", &s.name))
        .text("DataTiering", if s.data_tiering { "enabled" } else { "disabled" })
}

/// A user. ModifyUser and CreateUser answer with these members directly, DescribeUsers with a list of them.
pub(super) fn user(ctx: &Ctx, u: &User, groups: &[String]) -> Xml {
    let authentication = Xml::new("Authentication")
        .text("Type", if u.passwords.is_empty() { "no-password" } else { "password" });
    let authentication = match u.passwords.len() {
        0 => authentication,
        count => authentication.show("PasswordCount", count),
    };
    Xml::new("member")
        .text("UserId", &u.id)
        .text("UserName", &u.name)
        .text("Status", &u.status)
        .text("Engine", &u.engine)
        .text("MinimumEngineVersion", "6.0")
        .text("AccessString", &u.access_string)
        .values("UserGroupIds", "member", groups)
        .child(authentication)
        .text("ARN", arn(ctx, "user", &u.id))
}

/// A user group.
pub(super) fn user_group(ctx: &Ctx, g: &UserGroup, attached: &[String], caches: &[String]) -> Xml {
    Xml::new("member")
        .text("UserGroupId", &g.id)
        .text("Status", "active")
        .text("Engine", &g.engine)
        .values("UserIds", "member", &g.users)
        .text("MinimumEngineVersion", "6.0")
        .values("ReplicationGroups", "member", attached)
        .values("ServerlessCaches", "member", caches)
        .text("ARN", arn(ctx, "usergroup", &g.id))
}
