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
    let old = follow(cluster, primary, &mut from, &mut to).map_err(failed)?;
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
    let mut address = match cluster.spec.tls {
        true => vec![("tls-port", port.as_str())],
        false => vec![("port", port.as_str())],
    };
    if cluster.spec.cluster_mode {
        let announced =
            if cluster.spec.tls { "cluster-announce-tls-port" } else { "cluster-announce-port" };
        address.push((announced, &port));
    }
    config(&mut to, &address).map_err(failed)?;
    replica.port = primary.port;
    cluster.nodes.lock().unwrap_or_else(PoisonError::into_inner)[index] = replica;
    if let Some(old) = old {
        for mut other in cluster.connections()? {
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

/// Makes the new server a replica. Gives the primary's id in cluster mode.
fn follow(
    cluster: &RealCluster,
    primary: &Node,
    from: &mut Connection,
    to: &mut Connection,
) -> redis::RedisResult<Option<String>> {
    let port = primary.port.to_string();
    if !cluster.spec.cluster_mode {
        command(to, &["REPLICAOF", "127.0.0.1", &port])?;
        return Ok(None);
    }
    let id: String = redis::cmd("CLUSTER").arg("MYID").query(from)?;
    let bus = primary.bus.to_string();
    command(to, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
    let deadline = Instant::now() + PATIENCE;
    // It has to have heard of the primary first.
    loop {
        match command(to, &["CLUSTER", "REPLICATE", &id]) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(POLL),
            done => return done.map(|()| Some(id)),
        }
    }
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

fn config(connection: &mut Connection, settings: &[(&str, &str)]) -> redis::RedisResult<()> {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET");
    for (name, value) in settings {
        set.arg(*name).arg(*value);
    }
    set.query(connection)
}

pub(super) fn command(connection: &mut Connection, words: &[&str]) -> redis::RedisResult<()> {
    redis::cmd(words[0]).arg(&words[1..]).query(connection)
}
