//! A cluster of real servers. Every call here blocks.

use super::acl::{self, UserRules};
use super::error::DataError;
use super::node::{Host, Node, NodeSpec};
use super::process::stop_all;
use super::spec::{AclUser, ClusterSpec, ShardInfo};
use super::{ports, slots};
use redis::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Another process may take a port between our look and the server's.
const START_TRIES: usize = 5;
const MEET_PATIENCE: Duration = Duration::from_secs(10);
const MEET_POLL: Duration = Duration::from_millis(10);
/// Up to this many nodes, each is introduced to each; above, gossip spreads the word.
const MEET_ALL: usize = 8;

pub(crate) struct RealCluster {
    pub(crate) name: String,
    pub(crate) host: Arc<Host>,
    pub(super) spec: ClusterSpec,
    /// Empty once stopped.
    pub(super) nodes: Mutex<Vec<Node>>,
    /// In slot order, each of one range, in the order of `nodes`.
    pub(super) shards: Mutex<Vec<ShardInfo>>,
    pub(super) users: Mutex<Vec<UserRules>>,
    /// One snapshot at a time: a server saves to one file, and once at a time.
    pub(crate) saving: Mutex<()>,
}

impl RealCluster {
    pub(crate) fn start(host: &Arc<Host>, spec: &ClusterSpec) -> Result<Self, DataError> {
        let rules = acl::rules(&spec.users, spec.open_access)?;
        let mut tries = 1;
        let nodes = loop {
            match Self::launch(host, spec, &rules) {
                Ok(nodes) => break nodes,
                Err(DataError::Start { reason, .. })
                    if reason.contains("Address already in use") && tries < START_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        };
        let shards = nodes
            .iter()
            .zip(slots::layout(spec.shards))
            .map(|(node, (id, range))| ShardInfo {
                id,
                slots: vec![range],
                host: "127.0.0.1".to_owned(),
                port: node.port,
            })
            .collect();
        Ok(Self {
            name: spec.name.clone(),
            host: Arc::clone(host),
            spec: spec.clone(),
            nodes: Mutex::new(nodes),
            shards: Mutex::new(shards),
            users: Mutex::new(rules),
            saving: Mutex::new(()),
        })
    }

    fn launch(
        host: &Host,
        spec: &ClusterSpec,
        users: &[UserRules],
    ) -> Result<Vec<Node>, DataError> {
        let mut held = ports::pick(usize::from(spec.shards))?;
        let numbers = std::mem::take(&mut held.numbers);
        drop(held);
        let nodes = numbers
            .into_iter()
            .map(|port| {
                let node = NodeSpec {
                    port: Some(port),
                    cluster_mode: spec.cluster_mode,
                    tls: spec.tls,
                    rdb: None,
                };
                Node::launch(host, node)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut connections =
            nodes.iter().map(Node::ready).collect::<Result<Vec<Connection>, _>>()?;
        if spec.cluster_mode {
            join(&nodes, &mut connections, host.program.major())?;
        }
        for connection in &mut connections {
            users.iter().try_for_each(|user| set_user(connection, user, host.program.major()))?;
        }
        Ok(nodes)
    }

    pub(crate) fn shards(&self) -> Vec<ShardInfo> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The slots of each shard.
    pub(crate) fn ranges(&self) -> Vec<(u16, u16)> {
        self.shards().iter().filter_map(|shard| shard.slots.first().copied()).collect()
    }

    /// The running nodes, or that there are none any more.
    pub(crate) fn nodes(&self) -> Result<Vec<Node>, DataError> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if nodes.is_empty() {
            return Err(DataError::Stopped { cluster: self.name.clone() });
        }
        Ok(nodes)
    }

    pub(crate) fn connections(&self) -> Result<Vec<Connection>, DataError> {
        self.nodes()?.iter().map(Node::connect).collect()
    }

    /// Keys of each shard.
    pub(crate) fn key_counts(&self) -> Result<Vec<u64>, DataError> {
        let mut counts = Vec::new();
        for mut connection in self.connections()? {
            counts.push(Node::databases(&mut connection)?.iter().map(|(_, keys)| keys).sum());
        }
        Ok(counts)
    }

    /// Bytes that each shard's primary uses.
    pub(crate) fn used_memory(&self) -> Result<Vec<u64>, DataError> {
        let mut used = Vec::new();
        for mut connection in self.connections()? {
            let info = Node::info(&mut connection, "memory")?;
            let field = info.iter().find(|(name, _)| name == "used_memory");
            used.push(field.and_then(|(_, value)| value.parse().ok()).unwrap_or_default());
        }
        Ok(used)
    }

    /// Replaces the users of every node; users left out are removed with their connections.
    pub(crate) fn set_users(&self, users: &[AclUser], open_access: bool) -> Result<(), DataError> {
        let rules = acl::rules(users, open_access)?;
        let mut known = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        for mut connection in self.connections()? {
            for user in &rules {
                if !known.iter().any(|other| other.name == user.name) {
                    known.push(user.clone());
                }
                set_user(&mut connection, user, self.host.program.major())?;
            }
            // `default` cannot be deleted; the rules above always name it.
            let gone = known.iter().map(|user| &user.name);
            for gone in gone.filter(|name| !rules.iter().any(|user| user.name == **name)) {
                redis::cmd("ACL")
                    .arg("DELUSER")
                    .arg(gone)
                    .query::<()>(&mut connection)
                    .map_err(|error| DataError::server(format!("removing user {gone}"), error))?;
            }
        }
        *known = rules;
        Ok(())
    }

    /// Ends the servers; they and their folders are gone when this returns.
    pub(crate) fn stop(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock().unwrap_or_else(PoisonError::into_inner));
        stop_all(&nodes.into_iter().map(|node| node.process).collect::<Vec<_>>());
    }
}

impl Drop for RealCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Before 7.0 a rule cannot take a subcommand away; such rules are left out there.
pub(super) fn set_user(
    connection: &mut Connection,
    user: &UserRules,
    major: u32,
) -> Result<(), DataError> {
    let known = |rule: &&String| major >= 7 || !(rule.starts_with('-') && rule.contains('|'));
    redis::cmd("ACL")
        .arg("SETUSER")
        .arg(&user.name)
        .arg(user.rules.iter().filter(known).collect::<Vec<_>>())
        .query::<()>(connection)
        .map_err(|error| DataError::User { user: user.name.clone(), reason: error.to_string() })
}

/// Makes one cluster of fresh nodes, the slots split evenly among them.
fn join(nodes: &[Node], connections: &mut [Connection], major: u32) -> Result<(), DataError> {
    let failed = |error| DataError::server("joining the cluster's nodes", error);
    let count = u16::try_from(nodes.len()).unwrap_or(slots::SLOTS);
    let ranges = slots::split(count);
    for (index, (connection, &(first, last))) in connections.iter_mut().zip(&ranges).enumerate() {
        let mut claim = redis::cmd("CLUSTER");
        match major {
            ..7 => claim.arg("ADDSLOTS").arg((first..=last).collect::<Vec<u16>>()),
            _ => claim.arg("ADDSLOTSRANGE").arg(first).arg(last),
        };
        claim.query::<()>(connection).map_err(failed)?;
        // Distinct epochs, or the nodes spend their first seconds settling a tie.
        redis::cmd("CLUSTER")
            .arg("SET-CONFIG-EPOCH")
            .arg(index + 1)
            .query::<()>(connection)
            .map_err(failed)?;
    }
    let greeters = if nodes.len() <= MEET_ALL { nodes.len() } else { 1 };
    for (index, connection) in connections.iter_mut().enumerate().take(greeters) {
        for node in &nodes[index + 1..] {
            redis::cmd("CLUSTER")
                .arg("MEET")
                .arg("127.0.0.1")
                .arg(node.port)
                .query::<()>(connection)
                .map_err(failed)?;
        }
    }
    let deadline = Instant::now() + MEET_PATIENCE;
    for connection in connections.iter_mut() {
        while !settled(connection, nodes.len()).map_err(failed)? {
            if Instant::now() >= deadline {
                let seconds = MEET_PATIENCE.as_secs();
                return Err(DataError::server(
                    "joining the cluster's nodes",
                    format!("cluster_state was not ok within {seconds} s"),
                ));
            }
            std::thread::sleep(MEET_POLL);
        }
    }
    Ok(())
}

fn settled(connection: &mut Connection, nodes: usize) -> redis::RedisResult<bool> {
    let info: String = redis::cmd("CLUSTER").arg("INFO").query(connection)?;
    let has = |wanted: &str| info.lines().any(|line| line.trim() == wanted);
    Ok(has("cluster_state:ok")
        && has(&format!("cluster_slots_ok:{}", slots::SLOTS))
        && has(&format!("cluster_known_nodes:{nodes}")))
}
