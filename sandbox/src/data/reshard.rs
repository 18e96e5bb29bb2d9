//! Resharding of real servers: slots move key by key (MIGRATE), while clients are served. Every call here blocks.

use super::acl::ADMIN;
use super::error::DataError;
use super::node::Node;
use super::process::stop_all;
use super::real::{RealCluster, set_user};
use super::slots::{self, owner};
use super::spec::ShardInfo;
use super::takeover::{command, spare, until};
use redis::{Connection, Pipeline};
use std::sync::PoisonError;

/// Slots that are opened and closed in one go.
const BATCH: usize = 1_000;
/// Keys in one MIGRATE.
const KEYS: usize = 100;

/// A server of the new or the old layout.
struct Member {
    id: String,
    node: Node,
    connection: Connection,
    name: String,
}

/// See `Cluster::reshard`.
pub(crate) fn reshard(cluster: &RealCluster, ids: &[String]) -> Result<(), DataError> {
    let failed = |error| DataError::server(format!("resharding {}", cluster.name), error);
    let _one_at_a_time = cluster.saving.lock().unwrap_or_else(PoisonError::into_inner);
    let (old, nodes) = (cluster.shards(), cluster.nodes()?);
    let mut members = Vec::new();
    for (shard, node) in old.iter().zip(&nodes) {
        members.push(member(shard.id.clone(), node.clone())?);
    }
    for id in ids.iter().filter(|id| !old.iter().any(|shard| shard.id == **id)) {
        members.push(join(cluster, id, &nodes[0])?);
    }
    let known = members.len();
    for Member { id, connection, .. } in &mut members {
        until(cluster, id, || {
            let info: String =
                redis::cmd("CLUSTER").arg("INFO").query(connection).map_err(failed)?;
            let has = |wanted: &str| info.lines().any(|line| line.trim() == wanted);
            // A new server takes no keys before it has heard who serves the slots.
            Ok(has("cluster_state:ok")
                && has(&format!("cluster_slots_ok:{}", slots::SLOTS))
                && has(&format!("cluster_known_nodes:{known}")))
        })?;
    }
    let at = |id: &String| members.iter().position(|member| member.id == *id).unwrap_or(0);
    let (before, after) = (cluster.ranges(), slots::split(u16::try_from(ids.len()).unwrap_or(1)));
    let mut moves: Vec<Vec<Vec<u16>>> = vec![vec![Vec::new(); known]; known];
    for slot in 0..slots::SLOTS {
        let from = at(&old[owner(&before, slot)].id);
        let to = at(&ids[owner(&after, slot)]);
        if from != to {
            moves[from][to].push(slot);
        }
    }
    for (from, targets) in moves.iter().enumerate() {
        for (to, slots) in targets.iter().enumerate() {
            for batch in slots.chunks(BATCH) {
                carry(&mut members, from, to, batch).map_err(failed)?;
            }
        }
    }
    let (stay, gone): (Vec<Member>, Vec<Member>) =
        members.into_iter().partition(|member| ids.contains(&member.id));
    let mut stay = stay;
    for member in &mut stay {
        for name in gone.iter().map(|gone| &gone.name) {
            command(&mut member.connection, &["CLUSTER", "FORGET", name]).map_err(failed)?;
        }
    }
    stay.sort_by_key(|member| ids.iter().position(|id| *id == member.id));
    let shards = stay.iter().zip(&after).map(|(member, range)| ShardInfo {
        id: member.id.clone(),
        slots: vec![*range],
        host: "127.0.0.1".to_owned(),
        port: member.node.port,
    });
    *cluster.shards.lock().unwrap_or_else(PoisonError::into_inner) = shards.collect();
    *cluster.nodes.lock().unwrap_or_else(PoisonError::into_inner) =
        stay.into_iter().map(|member| member.node).collect();
    stop_all(&gone.into_iter().map(|member| member.node.process).collect::<Vec<_>>());
    Ok(())
}

fn member(id: String, node: Node) -> Result<Member, DataError> {
    let mut connection = node.connect()?;
    let name = redis::cmd("CLUSTER").arg("MYID").query(&mut connection);
    let name = name.map_err(|error| DataError::server("asking a server's id", error))?;
    Ok(Member { id, node, connection, name })
}

fn join(cluster: &RealCluster, id: &str, first: &Node) -> Result<Member, DataError> {
    let node = spare(cluster)?;
    let mut connection = node.ready()?;
    for user in cluster.users.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        set_user(&mut connection, user, cluster.host.program.major())?;
    }
    let (port, bus) = (first.port.to_string(), first.bus.to_string());
    command(&mut connection, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus])
        .map_err(|error| DataError::server("joining a new shard", error))?;
    member(id.to_owned(), node)
}

/// Moves some slots from one server to another, with what is in them.
fn carry(members: &mut [Member], from: usize, to: usize, slots: &[u16]) -> redis::RedisResult<()> {
    let (source, target) = (members[from].name.clone(), members[to].name.clone());
    mark(&mut members[to].connection, slots, "IMPORTING", &source)?;
    mark(&mut members[from].connection, slots, "MIGRATING", &target)?;
    let (port, password) = (members[to].node.port, members[to].node.password().to_owned());
    let connection = &mut members[from].connection;
    let mut left: Vec<u16> = slots.to_vec();
    while !left.is_empty() {
        let mut ask = Pipeline::new();
        for slot in &left {
            ask.cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(KEYS);
        }
        let held: Vec<Vec<Vec<u8>>> = ask.query(connection)?;
        let full = left.into_iter().zip(&held).filter(|(_, keys)| !keys.is_empty());
        left = full.map(|(slot, _)| slot).collect();
        for keys in held.iter().filter(|keys| !keys.is_empty()) {
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(port).arg("").arg(0).arg(10_000);
            migrate.arg("AUTH2").arg(ADMIN).arg(&password).arg("KEYS").arg(keys);
            migrate.query::<()>(connection)?;
        }
    }
    // The new owner first, so that no slot is ever without one.
    mark(&mut members[to].connection, slots, "NODE", &target)?;
    mark(&mut members[from].connection, slots, "NODE", &target)?;
    for (index, member) in members.iter_mut().enumerate() {
        if index != to && index != from {
            mark(&mut member.connection, slots, "NODE", &target)?;
        }
    }
    Ok(())
}

fn mark(
    connection: &mut Connection,
    slots: &[u16],
    what: &str,
    server: &str,
) -> redis::RedisResult<()> {
    let mut pipeline = Pipeline::new();
    for slot in slots {
        pipeline.cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(what).arg(server).ignore();
    }
    pipeline.query(connection)
}
