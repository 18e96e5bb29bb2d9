//! A failover of a real shard: a replica follows the primary, the primary is killed, the replica takes its address. Every
//! call here blocks.

use super::acl::ADMIN;
use super::error::DataError;
use super::node::{Node, NodeSpec};
use super::ports;
use super::real::{RealCluster, set_user};
use redis::Connection;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);

/// Kills the primary of `shard`; returns once its replica serves at its address.
pub(crate) fn fail_over(cluster: &RealCluster, shard: &str) -> Result<(), DataError> {
    let failed = |error| DataError::server(format!("failover of shard {shard}"), error);
    let shards = cluster.shards();
    let index = shards.iter().position(|known| known.id == shard);
    let index = index.ok_or_else(|| DataError::Spec {
        cluster: cluster.name.clone(),
        reason: format!("it has no shard {shard}"),
    })?;
    let _one_at_a_time = cluster.saving.lock().unwrap_or_else(PoisonError::into_inner);
    let nodes = cluster.nodes()?;
    let primary = &nodes[index];
    let mut from = primary.connect()?;
    // The primary would wait five seconds for more replicas before it sends its data.
    config(&mut from, &[("repl-diskless-sync-delay", "0")]).map_err(failed)?;
    let mut replica = spare(cluster)?;
    let mut to = replica.ready()?;
    for user in cluster.users.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        set_user(&mut to, user, cluster.host.program.major())?;
    }
    config(&mut to, &[("masteruser", ADMIN), ("masterauth", primary.password())])
        .map_err(failed)?;
    let old = match cluster.spec.cluster_mode {
        true => Some(enlist(cluster, shard, &nodes, primary, &replica, &mut to)?),
        false => {
            let port = primary.port.to_string();
            command(&mut to, &["REPLICAOF", "127.0.0.1", &port]).map_err(failed)?;
            None
        }
    };
    until(cluster, shard, || {
        let info = Node::info(&mut to, "replication")?;
        Ok(info.iter().any(|(name, value)| name == "master_link_status" && value == "up"))
    })?;
    // The watchdog's way to end a server is SIGKILL.
    primary.process.stop();
    if cluster.spec.cluster_mode {
        command(&mut to, &["CLUSTER", "FAILOVER", "TAKEOVER"]).map_err(failed)?;
    } else {
        command(&mut to, &["REPLICAOF", "NO", "ONE"]).map_err(failed)?;
    }
    let port = primary.port.to_string();
    let listens = if cluster.spec.tls { "tls-port" } else { "port" };
    config(&mut to, &[(listens, &port)]).map_err(failed)?;
    replica.port = primary.port;
    cluster.nodes.lock().unwrap_or_else(PoisonError::into_inner)[index] = replica;
    let Some(old) = old else { return Ok(()) };
    let new: String = redis::cmd("CLUSTER").arg("MYID").query(&mut to).map_err(failed)?;
    for mut other in cluster.connections()? {
        // Whoever has not heard of the failover yet would send clients to a server that is dead.
        until(cluster, shard, || {
            Ok(known(&mut other).map_err(failed)?.iter().any(|node| {
                node.id == new && node.flags.contains("master") && !node.flags.contains("fail")
            }))
        })?;
        if known(&mut other).map_err(failed)?.iter().any(|node| node.id == old) {
            command(&mut other, &["CLUSTER", "FORGET", &old]).map_err(failed)?;
        }
    }
    Ok(())
}

/// One more server on a port of its own.
pub(super) fn spare(cluster: &RealCluster) -> Result<Node, DataError> {
    let mut held = ports::pick(1)?;
    let port = held.numbers.pop();
    drop(held);
    let spec = &cluster.spec;
    Node::launch(
        &cluster.host,
        NodeSpec { port, cluster_mode: spec.cluster_mode, tls: spec.tls, rdb: None },
    )
}

/// Makes the new server a replica that the whole cluster knows. Gives the primary's id.
///
/// It says from the beginning that clients reach it at the primary's address, where it will be when it has taken over:
/// the others hear of a changed address only with one of the next pings, seconds later.
fn enlist(
    cluster: &RealCluster,
    shard: &str,
    nodes: &[Node],
    primary: &Node,
    replica: &Node,
    to: &mut Connection,
) -> Result<String, DataError> {
    let failed = |error| DataError::server(format!("failover of shard {shard}"), error);
    let announced =
        if cluster.spec.tls { "cluster-announce-tls-port" } else { "cluster-announce-port" };
    let (port, bus) = (primary.port.to_string(), replica.bus.to_string());
    config(to, &[("cluster-announce-bus-port", &bus), (announced, &port)]).map_err(failed)?;
    for node in nodes {
        let (port, bus) = (node.port.to_string(), node.bus.to_string());
        command(to, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).map_err(failed)?;
    }
    let mut connections = cluster.connections()?;
    let mut ids = Vec::new();
    for connection in connections.iter_mut().chain([&mut *to]) {
        let id: String = redis::cmd("CLUSTER").arg("MYID").query(connection).map_err(failed)?;
        ids.push(id);
    }
    // A node that knows nobody tells nobody that it took over.
    for connection in connections.iter_mut().chain([&mut *to]) {
        until(cluster, shard, || {
            let known = known(connection).map_err(failed)?;
            let linked = |id: &String| {
                known
                    .iter()
                    .any(|node| node.id == *id && node.linked && !node.flags.contains("handshake"))
            };
            Ok(ids.iter().all(linked))
        })?;
    }
    let at = nodes.iter().position(|node| node.port == primary.port).unwrap_or(0);
    let old = ids.swap_remove(at);
    command(to, &["CLUSTER", "REPLICATE", &old]).map_err(failed)?;
    Ok(old)
}

/// A node as another knows it.
struct Known {
    id: String,
    flags: String,
    linked: bool,
}

fn known(connection: &mut Connection) -> redis::RedisResult<Vec<Known>> {
    let text: String = redis::cmd("CLUSTER").arg("NODES").query(connection)?;
    let node = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        Some(Known {
            id: (*words.first()?).to_owned(),
            flags: (*words.get(2)?).to_owned(),
            linked: *words.get(7)? == "connected",
        })
    };
    Ok(text.lines().filter_map(node).collect())
}

pub(super) fn until(
    cluster: &RealCluster,
    shard: &str,
    mut done: impl FnMut() -> Result<bool, DataError>,
) -> Result<(), DataError> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() >= deadline {
            let seconds = PATIENCE.as_secs();
            return Err(DataError::server(
                format!("waiting for shard {shard} of {}", cluster.name),
                format!("not there within {seconds} s"),
            ));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// One after the other: before 7.0 a command takes one setting.
fn config(connection: &mut Connection, settings: &[(&str, &str)]) -> redis::RedisResult<()> {
    settings
        .iter()
        .try_for_each(|(name, value)| command(connection, &["CONFIG", "SET", name, value]))
}

pub(super) fn command(connection: &mut Connection, words: &[&str]) -> redis::RedisResult<()> {
    redis::cmd(words[0]).arg(&words[1..]).query(connection)
}
