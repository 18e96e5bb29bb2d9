//! Loading snapshot files into a real cluster. Every call here blocks.
//!
//! A server of the same program loads each file first: what it refuses, AWS's would, and in the same words. Then every
//! key moves as it is (DUMP, RESTORE) to the shard that owns its slot.

use super::error::DataError;
use super::node::{Node, NodeSpec};
use super::real::RealCluster;
use super::slots::{owner, slot_of};
use bytes::Bytes;
use redis::{Connection, Pipeline, Value};
use std::collections::HashSet;

/// Keys asked for with one SCAN. A page is held in memory.
const PAGE: usize = 1000;

/// Returns how many keys were moved. A missing shard's file is not noticed: its slots stay empty.
pub(crate) fn load(cluster: &RealCluster, files: &[(String, Bytes)]) -> Result<u64, DataError> {
    let mut targets = cluster.connections()?;
    let mut moved = 0;
    for (name, rdb) in files {
        let scratch =
            Node::launch(&cluster.host, NodeSpec { rdb: Some(rdb), ..NodeSpec::default() })?;
        let mut source = scratch.ready().map_err(|error| match error {
            DataError::Start { reason, .. } => DataError::refused(name, reason),
            other => other,
        })?;
        let databases = Node::databases(&mut source)?;
        match databases[..] {
            [] | [(0, _)] => {}
            [(database, keys)] => {
                return Err(DataError::refused(
                    name,
                    format!(
                        "its {keys} keys are in database {database}; only database 0 is supported"
                    ),
                ));
            }
            _ => return Err(DataError::refused(name, more_than_one(&databases))),
        }
        let functions = match cluster.host.program.major() {
            ..7 => Ok(()),
            _ => functions(&mut source, &mut targets),
        };
        functions
            .and_then(|()| {
                keys(&mut source, &mut targets, &cluster.ranges(), cluster.host.program.major())
            })
            .map(|keys| moved += keys)
            .map_err(|error| DataError::server(format!("restoring {name}"), error))?;
    }
    Ok(moved)
}

/// MemoryDB guide, restoring from a snapshot: the restore fails if the file references more than one database.
pub(crate) fn more_than_one(databases: &[(u32, u64)]) -> String {
    let list: Vec<String> =
        databases.iter().map(|(number, keys)| format!("{number} ({keys} keys)")).collect();
    format!("it has keys in more than one database: {}", list.join(", "))
}

fn functions(source: &mut Connection, targets: &mut [Connection]) -> redis::RedisResult<()> {
    let libraries: Vec<Value> = redis::cmd("FUNCTION").arg("LIST").query(source)?;
    if libraries.is_empty() {
        return Ok(());
    }
    let payload: Vec<u8> = redis::cmd("FUNCTION").arg("DUMP").query(source)?;
    for target in targets {
        redis::cmd("FUNCTION").arg("RESTORE").arg(&payload).arg("REPLACE").query::<()>(target)?;
    }
    Ok(())
}

/// The server's own time in milliseconds since the epoch.
fn now(source: &mut Connection) -> redis::RedisResult<i64> {
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query(source)?;
    Ok(seconds * 1000 + micros / 1000)
}

fn keys(
    source: &mut Connection,
    targets: &mut [Connection],
    ranges: &[(u16, u16)],
    major: u32,
) -> redis::RedisResult<u64> {
    let mut cursor = 0_u64;
    // SCAN may name a key twice while the source still rehashes.
    let mut moved = HashSet::new();
    loop {
        let (next, page): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(PAGE).query(source)?;
        if !page.is_empty() {
            let mut read = Pipeline::with_capacity(page.len() * 2);
            for key in &page {
                // Before 7.0 a server tells how long is left, to the millisecond, and not until when.
                let expiry = if major < 7 { "PTTL" } else { "PEXPIRETIME" };
                read.cmd("DUMP").arg(key).cmd(expiry).arg(key);
            }
            let now = if major < 7 { now(source)? } else { 0 };
            let answers: Vec<Value> = read.query(source)?;
            let mut writes: Vec<Pipeline> = targets.iter().map(|_| Pipeline::new()).collect();
            for (key, answer) in page.into_iter().zip(answers.chunks_exact(2)) {
                // A key that expired since SCAN is nil, or has no expiry time any more.
                let [Value::BulkString(payload), Value::Int(expires @ (-1 | 1..))] = answer else {
                    continue;
                };
                writes[owner(ranges, slot_of(&key))]
                    .cmd("RESTORE")
                    .arg(&key)
                    .arg(if *expires < 0 { 0 } else { now + expires })
                    .arg(payload)
                    .arg("REPLACE")
                    .arg("ABSTTL")
                    .ignore();
                moved.insert(key);
            }
            for (write, target) in writes.iter().zip(targets.iter_mut()) {
                if !write.is_empty() {
                    write.query::<()>(target)?;
                }
            }
        }
        if next == 0 {
            return Ok(moved.len() as u64);
        }
        cursor = next;
    }
}
