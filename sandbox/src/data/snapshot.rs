//! A real shard's own snapshot. Every call here blocks.

use super::config::files;
use super::error::DataError;
use super::node::Node;
use super::rdb;
use super::real::RealCluster;
use super::spec::ShardSnapshot;
use redis::Connection;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(5);

/// One file per shard, each shard at its own instant.
pub(crate) fn take(cluster: &RealCluster) -> Result<Vec<ShardSnapshot>, DataError> {
    let _one_at_a_time = cluster.saving.lock().unwrap_or_else(PoisonError::into_inner);
    let nodes = cluster.nodes()?;
    let mut snapshots = Vec::with_capacity(nodes.len());
    for (node, shard) in nodes.iter().zip(cluster.shards()) {
        let during = |error| DataError::server(format!("snapshot of shard {}", shard.id), error);
        let mut connection = node.connect()?;
        save(&mut connection, &shard.id)?;
        let path = node.process.folder().join(files::DUMP);
        let bytes = std::fs::read(&path).map_err(|error| during(error.to_string()))?;
        let _ = std::fs::remove_file(&path);
        // The file says how many keys its first database has; only a numbered database needs the server's own count,
        // which writes made since the snapshot may have moved.
        let databases = Node::databases(&mut connection)?;
        let keys = match rdb::first_key_count(&bytes) {
            Some(keys) if databases.len() <= 1 => keys,
            _ => databases.iter().map(|(_, keys)| keys).sum(),
        };
        snapshots.push(ShardSnapshot {
            shard_id: shard.id.clone(),
            slots: shard.slots.clone(),
            rdb: bytes.into(),
            keys,
        });
    }
    Ok(snapshots)
}

fn save(connection: &mut Connection, shard: &str) -> Result<(), DataError> {
    let during = |reason: String| DataError::server(format!("snapshot of shard {shard}"), reason);
    redis::cmd("BGSAVE").query::<()>(connection).map_err(|error| during(error.to_string()))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let info = Node::info(connection, "persistence")?;
        let field = |name: &str| {
            info.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
        };
        if field("rdb_bgsave_in_progress") == "0" {
            return match field("rdb_last_bgsave_status") {
                "ok" => Ok(()),
                status => Err(during(format!("BGSAVE ended with `{status}`"))),
            };
        }
        if Instant::now() >= deadline {
            return Err(during(format!("BGSAVE did not end within {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(POLL);
    }
}
