//! What exists in MemoryDB.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::data::{AclUser, Cluster, ShardInfo, ShardSnapshot};
use crate::elsewhere::Landing;
use crate::events::Event;
use crate::world::{VPC, key_count};

/// What exists in MemoryDB.
#[derive(Debug, Clone)]
pub(crate) struct MemoryDbState {
    pub(crate) clusters: BTreeMap<String, MdbCluster>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) exports: Vec<Export>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) acls: BTreeMap<String, Acl>,
    pub(crate) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(crate) parameter_groups: BTreeMap<String, ParameterGroup>,
    pub(crate) quotas: Quotas,
    /// Node types beside those of the guide, with the bytes that a node holds.
    pub(crate) more_node_types: BTreeMap<String, u64>,
    pub(crate) events: Vec<Event>,
    pub(crate) taken: BTreeMap<String, Vec<Timestamp>>,
    /// When shards were failed over.
    pub(crate) failovers: Vec<Timestamp>,
    /// When the snapshot window opened in which each cluster was last snapshotted by the service.
    pub(crate) last_windows: BTreeMap<String, Timestamp>,
    /// Whether the account has never used MemoryDB: the first cluster then makes the service-linked role.
    pub(crate) linked_role_missing: bool,
}

/// A state that time will end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: Timestamp,
    /// The state after that; `None` is gone.
    pub(crate) to: Option<String>,
    /// Why it ends badly, for the events.
    pub(crate) reason: Option<String>,
}

/// What a new cluster starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Empty,
    /// Bucket and key of each file. They are read when the cluster is nearly there, not when it is asked for.
    Objects(Vec<(String, String)>),
    Snapshot(String),
}

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct MdbCluster {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) origin: Origin,
    /// Whether a request is filling the cluster right now, so that no other starts to.
    pub(crate) filling: bool,
    pub(crate) node_type: String,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) shard_count: u16,
    pub(crate) replicas: u16,
    pub(crate) acl: String,
    pub(crate) tls: bool,
    pub(crate) port: u16,
    pub(crate) subnet_group: String,
    pub(crate) parameter_group: String,
    pub(crate) security_groups: Vec<String>,
    pub(crate) kms_key: Option<String>,
    pub(crate) retention: u64,
    pub(crate) data_tiering: bool,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) visible: Timestamp,
    pub(crate) keys: u64,
    /// Since when CloudWatch has data of it.
    pub(crate) metrics_since: Option<Timestamp>,
    /// The servers; absent until they have started.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) shards: Vec<ShardInfo>,
    /// What an update brings when it is through.
    pub(crate) pending: Option<Pending>,
}

/// A change of a cluster that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pending {
    NodeType(String),
    Shards(u16),
    Replicas(u16),
    ParameterGroup(String),
    Acl(String),
    Engine { engine: String, version: String, group: String },
}

/// A snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) cluster: String,
    /// The cluster as it was, for the configuration in the answer.
    pub(crate) of: Box<MdbCluster>,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) visible: Timestamp,
    /// Whether its cluster is `snapshotting` until it is done.
    pub(crate) holds_cluster: bool,
    /// Whether the service took it by itself.
    pub(crate) automatic: bool,
    pub(crate) files: Option<Vec<ShardSnapshot>>,
}

/// An export that runs.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) snapshot: String,
    pub(crate) bucket: String,
    pub(crate) objects: Vec<(String, bytes::Bytes)>,
    pub(crate) at: Timestamp,
    pub(crate) landing: Landing,
}

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) access_string: String,
    pub(crate) passwords: Vec<String>,
    /// Whether it logs in by IAM.
    pub(crate) iam: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

impl User {
    /// One that is active.
    pub(crate) fn new(name: &str, access_string: &str, passwords: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            status: "active".to_owned(),
            due: None,
            access_string: access_string.to_owned(),
            passwords,
            iam: false,
            tags: BTreeMap::new(),
        }
    }
}

/// An ACL.
#[derive(Debug, Clone)]
pub(crate) struct Acl {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) users: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A subnet group.
#[derive(Debug, Clone)]
pub(crate) struct SubnetGroup {
    pub(crate) name: String,
    pub(crate) subnets: Vec<String>,
    /// The letters of their availability zones; one after the other, where there are none.
    pub(crate) zones: Vec<String>,
    pub(crate) vpc: String,
    pub(crate) tags: BTreeMap<String, String>,
}

impl SubnetGroup {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            subnets: vec!["subnet-0a".to_owned(), "subnet-0b".to_owned()],
            zones: Vec::new(),
            vpc: VPC.to_owned(),
            tags: BTreeMap::new(),
        }
    }

    /// The letter of each subnet's zone.
    pub(crate) fn zones(&self) -> impl Iterator<Item = &str> {
        let letter = |i: usize| self.zones.get(i).map_or(["a", "b", "c"][i % 3], String::as_str);
        (0..self.subnets.len()).map(letter)
    }
}

/// A parameter group of a person's own.
#[derive(Debug, Clone)]
pub(crate) struct ParameterGroup {
    pub(crate) family: String,
    pub(crate) description: String,
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// How many nodes there may be (developer guide, quotas).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotas {
    pub(crate) nodes_per_region: u64,
    pub(crate) nodes_per_cluster: u64,
}

/// The ACL without any authentication, which every account has.
pub(crate) const OPEN_ACCESS: &str = "open-access";

impl Default for MemoryDbState {
    fn default() -> Self {
        let default_user = User::new("default", "on ~* &* +@all", Vec::new());
        let open_access = Acl {
            name: OPEN_ACCESS.to_owned(),
            status: "active".to_owned(),
            due: None,
            users: vec!["default".to_owned()],
            tags: BTreeMap::new(),
        };
        Self {
            clusters: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            exports: Vec::new(),
            users: BTreeMap::from([("default".to_owned(), default_user)]),
            acls: BTreeMap::from([(OPEN_ACCESS.to_owned(), open_access)]),
            subnet_groups: BTreeMap::from([("default".to_owned(), SubnetGroup::new("default"))]),
            parameter_groups: BTreeMap::new(),
            quotas: Quotas { nodes_per_region: 300, nodes_per_cluster: 90 },
            more_node_types: BTreeMap::new(),
            events: Vec::new(),
            taken: BTreeMap::new(),
            failovers: Vec::new(),
            last_windows: BTreeMap::new(),
            linked_role_missing: false,
        }
    }
}

impl MemoryDbState {
    pub(crate) fn event(
        &mut self,
        at: Timestamp,
        kind: &'static str,
        source: &str,
        message: impl Into<String>,
    ) {
        self.events.push(Event { at, source: source.to_owned(), kind, message: message.into() });
    }

    /// The users that may log in under an ACL, and whether anybody may.
    pub(crate) fn access(&self, acl: &str) -> (Vec<AclUser>, bool) {
        if acl == OPEN_ACCESS {
            return (Vec::new(), true);
        }
        let users = self.acls.get(acl).into_iter().flat_map(|acl| &acl.users);
        let users = users.filter_map(|name| self.users.get(name)).map(|user| AclUser {
            name: user.name.clone(),
            access_string: user.access_string.clone(),
            passwords: user.passwords.clone(),
            no_password: false,
        });
        (users.collect(), false)
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        let clusters: BTreeMap<_, _> = self.clusters.iter().map(|(name, c)| {
            (name, json!({
                "status": c.status, "node_type": c.node_type, "engine": c.engine,
                "engine_version": c.engine_version, "shards": c.shard_count,
                "replicas": c.replicas, "acl": c.acl, "parameter_group": c.parameter_group,
                "retention": c.retention, "tls": c.tls, "keys": key_count(c.cluster.as_ref(), c.keys), "tags": c.tags,
            }))
        }).collect();
        let snapshots: BTreeMap<_, _> = self
            .snapshots
            .iter()
            .map(|(name, s)| {
                let keys: Option<u64> =
                    s.files.as_ref().map(|files| files.iter().map(|file| file.keys).sum());
                (
                    name,
                    json!({"status": s.status, "cluster": s.cluster, "keys": keys, "tags": s.tags}),
                )
            })
            .collect();
        let acls: BTreeMap<_, _> = self
            .acls
            .iter()
            .map(|(name, acl)| {
                (name, json!({"status": acl.status, "users": acl.users, "tags": acl.tags}))
            })
            .collect();
        let users: BTreeMap<_, _> = self
            .users
            .iter()
            .map(|(name, u)| (name, json!({"access_string": u.access_string, "tags": u.tags})))
            .collect();
        let subnet_groups: BTreeMap<_, _> = self
            .subnet_groups
            .iter()
            .map(|(name, group)| (name, json!({"subnets": group.subnets, "tags": group.tags})))
            .collect();
        let parameter_groups: BTreeMap<_, _> = self
            .parameter_groups
            .iter()
            .map(|(name, group)| {
                let (family, values) = (&group.family, &group.values);
                (name, json!({"family": family, "values": values, "tags": group.tags}))
            })
            .collect();
        json!({
            "clusters": clusters, "snapshots": snapshots, "acls": acls, "users": users,
            "subnet_groups": subnet_groups, "parameter_groups": parameter_groups,
        })
    }
}
