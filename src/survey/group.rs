//! A replication group, as the services show it.

use super::read::Reader;
use super::window::Window;
use crate::aws::{Op, found};
use crate::engine::Failure;
use aws_sdk_elasticache::types::{CacheCluster, NodeGroup, ReplicationGroup};

/// A replication group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its id, in lower case.
    pub id: String,
    /// Such as "available", in lower case.
    pub status: String,
    /// "redis" or "valkey".
    pub engine: String,
    /// Such as "cache.r7g.large".
    pub node_type: String,
    /// Whether it is sharded.
    pub cluster_enabled: bool,
    /// Its shards, in order.
    pub shards: Vec<Shard>,
    /// Where clients connect: its configuration endpoint with cluster mode on, else its primary's.
    pub endpoint: Option<Endpoint>,
    /// Where they read, with cluster mode off.
    pub reader: Option<Endpoint>,
    /// Whether connections are encrypted.
    pub tls: bool,
    /// Whether clients log in with an AUTH token.
    pub auth_token: bool,
    /// The ids of its RBAC user groups.
    pub user_groups: Vec<String>,
    /// Whether it keeps values on disk (`cache.r6gd`).
    pub data_tiering: bool,
    /// The customer's key that encrypts it at rest.
    pub kms_key: Option<String>,
    /// The global datastore it belongs to, and its role there.
    pub global: Option<(String, String)>,
    /// Changes that have been asked for and are not carried out, in words.
    pub pending: Vec<String>,
    /// Whether Multi-AZ is on.
    pub multi_az: bool,
    /// For how many days automatic snapshots are kept; 0 for none.
    pub snapshot_retention_days: u32,
    /// When the daily snapshot is taken.
    pub snapshot_window: Option<Window>,
    /// What the live API shows of durability: nothing before Valkey 9.
    pub durability: Option<Durable>,
    /// What only its nodes show; or why that could not be read.
    pub node: Result<Node, Failure>,
}

/// What DescribeCacheClusters shows of the first node; its siblings are alike in this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Such as "7.1.0".
    pub engine_version: Option<String>,
    /// The parameter group.
    pub parameter_group: Option<String>,
    /// The subnet group.
    pub subnet_group: Option<String>,
    /// The VPC security groups.
    pub security_groups: Vec<String>,
    /// When the service may take it down for maintenance.
    pub maintenance_window: Option<Window>,
    /// Changes that wait for the maintenance window, in words.
    pub pending: Vec<String>,
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its node group id, such as "0001".
    pub id: String,
    /// Its hash slots, such as "0-8191"; with cluster mode on.
    pub slots: Option<String>,
    /// Its nodes' cache cluster ids.
    pub nodes: Vec<String>,
}

/// A host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The durability of a Valkey 9 group (ElastiCache user guide, durability).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    /// What was asked for: sync, async, disabled, default.
    pub asked: String,
    /// What is in force.
    pub effective: Option<String>,
}

impl Group {
    /// Replicas of the shard that has fewest.
    #[must_use]
    pub fn replicas(&self) -> u32 {
        let fewest = self.shards.iter().map(|shard| shard.nodes.len()).min().unwrap_or(1);
        u32::try_from(fewest.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Its engine's version, where it could be read: such as "7.1.0".
    #[must_use]
    pub fn engine_version(&self) -> Option<&str> {
        self.node.as_ref().ok()?.engine_version.as_deref()
    }
}

pub(super) async fn read(reader: &Reader, id: &str) -> Result<Option<Group>, Failure> {
    let op = Op::read("ElastiCache", "DescribeReplicationGroups");
    let client = &reader.aws.elasticache;
    let request = || client.describe_replication_groups().replication_group_id(id).send();
    let Some(answer) = found(reader.ask(op, request).await)? else { return Ok(None) };
    // One that was not asked for is none: an id that the service ignores must not choose the first of all.
    let asked = |group: &ReplicationGroup| {
        group.replication_group_id().is_some_and(|of| of.eq_ignore_ascii_case(id))
    };
    let Some(group) = answer.replication_groups.unwrap_or_default().into_iter().find(asked) else {
        return Ok(None);
    };
    let first = match group.member_clusters().first() {
        Some(member) => node(reader, member).await,
        None => Ok(Node::default()),
    };
    Ok(Some(describe(&group, first)))
}

async fn node(reader: &Reader, id: &str) -> Result<Node, Failure> {
    let op = Op::read("ElastiCache", "DescribeCacheClusters");
    let client = &reader.aws.elasticache;
    let answer =
        reader.ask(op, || client.describe_cache_clusters().cache_cluster_id(id).send()).await?;
    Ok(answer.cache_clusters().first().map(describe_node).unwrap_or_default())
}

/// What a node shows.
pub(crate) fn describe_node(node: &CacheCluster) -> Node {
    let mut pending = Vec::new();
    if let Some(values) = node.pending_modified_values() {
        if let Some(version) = values.engine_version() {
            pending.push(format!("engine version {version}"));
        }
        if let Some(kind) = values.cache_node_type() {
            pending.push(format!("node type {kind}"));
        }
        if let Some(nodes) = values.num_cache_nodes() {
            pending.push(format!("{nodes} nodes"));
        }
    }
    let groups = node.security_groups().iter().filter_map(|group| group.security_group_id());
    Node {
        engine_version: node.engine_version().map(str::to_owned),
        parameter_group: node
            .cache_parameter_group()
            .and_then(|group| group.cache_parameter_group_name())
            .map(str::to_owned),
        subnet_group: node.cache_subnet_group_name().map(str::to_owned),
        security_groups: groups.map(str::to_owned).collect(),
        maintenance_window: node.preferred_maintenance_window().map(Window::parse),
        pending,
    }
}

/// What a group shows, and its first node.
pub(crate) fn describe(group: &ReplicationGroup, node: Result<Node, Failure>) -> Group {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let first = group.node_groups().first();
    let place = |endpoint: Option<&aws_sdk_elasticache::types::Endpoint>| {
        let endpoint = endpoint?;
        let port = endpoint.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(6379);
        Some(Endpoint { host: endpoint.address()?.to_owned(), port })
    };
    let node_type = text(group.cache_node_type());
    let tiering = group.data_tiering().map(|status| status.as_str());
    Group {
        id: text(group.replication_group_id()).to_ascii_lowercase(),
        status: text(group.status()).to_ascii_lowercase(),
        engine: group.engine().unwrap_or("redis").to_ascii_lowercase(),
        data_tiering: tiering == Some("enabled") || node_type.starts_with("cache.r6gd."),
        node_type,
        cluster_enabled: group.cluster_enabled().unwrap_or_default(),
        shards: group.node_groups().iter().map(shard).collect(),
        endpoint: place(
            group
                .configuration_endpoint()
                .or_else(|| first.and_then(|shard| shard.primary_endpoint())),
        ),
        reader: place(first.and_then(|shard| shard.reader_endpoint())),
        tls: group.transit_encryption_enabled().unwrap_or_default(),
        auth_token: group.auth_token_enabled().unwrap_or_default(),
        user_groups: group.user_group_ids().to_vec(),
        kms_key: group.kms_key_id().map(str::to_owned),
        global: group.global_replication_group_info().and_then(|global| {
            let id = global.global_replication_group_id()?.to_owned();
            Some((id, text(global.global_replication_group_member_role())))
        }),
        pending: pending(group),
        multi_az: group.multi_az().is_some_and(|is| is.as_str() == "enabled"),
        snapshot_retention_days: group
            .snapshot_retention_limit()
            .and_then(|days| u32::try_from(days).ok())
            .unwrap_or_default(),
        snapshot_window: group.snapshot_window().map(Window::parse),
        durability: group.durability().map(|asked| Durable {
            asked: asked.as_str().to_owned(),
            effective: group.effective_durability().map(|e| e.as_str().to_owned()),
        }),
        node,
    }
}

fn shard(group: &NodeGroup) -> Shard {
    let nodes = group.node_group_members().iter().filter_map(|member| member.cache_cluster_id());
    Shard {
        id: group.node_group_id().unwrap_or("0001").to_owned(),
        slots: group.slots().map(str::to_owned),
        nodes: nodes.map(str::to_owned).collect(),
    }
}

fn pending(group: &ReplicationGroup) -> Vec<String> {
    let Some(values) = group.pending_modified_values() else { return Vec::new() };
    let mut pending = Vec::new();
    let mut say = |what: &str, there: bool| {
        if there {
            pending.push(what.to_owned());
        }
    };
    say("resharding", values.resharding().is_some());
    say("automatic failover", values.automatic_failover_status().is_some());
    say("another primary", values.primary_cluster_id().is_some());
    say("AUTH token", values.auth_token_status().is_some());
    say("user groups", values.user_groups().is_some());
    say("TLS", values.transit_encryption_enabled().is_some());
    say("TLS mode", values.transit_encryption_mode().is_some());
    say("cluster mode", values.cluster_mode().is_some());
    pending
}
