//! Writing made-up data to real servers. Every call here blocks.

use super::error::DataError;
use super::fill::{self, Content, FUNCTIONS, Item};
use super::real::RealCluster;
use super::slots::{owner, slot_of};
use super::spec::Fill;
use super::value::Value;
use redis::{Connection, Pipeline};

/// Commands, and bytes of long strings, sent to a shard at a time.
const BATCH: usize = 2_000;
const BATCH_BYTES: usize = 1024 * 1024;

/// Returns how many keys were written.
pub(crate) fn fill(cluster: &RealCluster, fill: Fill) -> Result<u64, DataError> {
    let during = |error: redis::RedisError| DataError::server("filling the cluster", error);
    let mut targets: Vec<Target> = cluster.connections()?.into_iter().map(Target::new).collect();
    // Functions came with 7.0.
    if fill.every_type && fill.keys > 0 && cluster.host.program.major() >= 7 {
        for target in &mut targets {
            redis::cmd("FUNCTION")
                .arg("LOAD")
                .arg("REPLACE")
                .arg(FUNCTIONS)
                .query::<()>(&mut target.connection)
                .map_err(during)?;
        }
    }
    let (mut written, ranges) = (0, cluster.ranges());
    for item in fill::items(fill) {
        targets[owner(&ranges, slot_of(&item.key))].write(&item).map_err(during)?;
        written += 1;
    }
    for target in &mut targets {
        target.flush().map_err(during)?;
    }
    Ok(written)
}

/// Sets a string, or removes a key.
pub(crate) fn set(
    cluster: &RealCluster,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), DataError> {
    let nodes = cluster.nodes()?;
    let mut connection = nodes[owner(&cluster.ranges(), slot_of(key))].connect()?;
    let command = match value {
        Some(value) => redis::cmd("SET").arg(key).arg(value).take(),
        None => redis::cmd("DEL").arg(key).take(),
    };
    command.query::<()>(&mut connection).map_err(|error| DataError::server("writing a key", error))
}

/// One shard, and what is not sent to it yet.
struct Target {
    connection: Connection,
    pipeline: Pipeline,
    bytes: usize,
}

impl Target {
    fn new(connection: Connection) -> Self {
        Self { connection, pipeline: Pipeline::new(), bytes: 0 }
    }

    fn write(&mut self, item: &Item) -> redis::RedisResult<()> {
        commands(&mut self.pipeline, item);
        if let Content::Plain(Value::String(value)) = &item.content {
            self.bytes += value.len();
        }
        if self.pipeline.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> redis::RedisResult<()> {
        self.bytes = 0;
        if self.pipeline.is_empty() {
            return Ok(());
        }
        self.pipeline.query::<()>(&mut self.connection)?;
        self.pipeline.clear();
        Ok(())
    }
}

fn commands(pipeline: &mut Pipeline, item: &Item) {
    let key = item.key.as_slice();
    pipeline.cmd("DEL").arg(key).ignore();
    match &item.content {
        Content::Plain(Value::String(value)) => {
            pipeline.cmd("SET").arg(key).arg(value).ignore();
        }
        Content::Plain(Value::Hash(fields)) => {
            pipeline.cmd("HSET").arg(key).arg(fields).ignore();
        }
        Content::Plain(Value::List(items)) => {
            pipeline.cmd("RPUSH").arg(key).arg(items).ignore();
        }
        Content::Plain(Value::Set(members)) => {
            pipeline.cmd("SADD").arg(key).arg(members).ignore();
        }
        Content::Plain(Value::Zset(members)) => {
            pipeline.cmd("ZADD").arg(key);
            for (member, score) in members {
                // The shortest text that reads back as the same number.
                pipeline.arg(format!("{score:e}")).arg(member);
            }
            pipeline.ignore();
        }
        Content::Stream { entries } => {
            for n in 1..=*entries {
                let id = format!("{n}-0");
                pipeline.cmd("XADD").arg(key).arg(id).arg("event").arg(n).arg("\0").arg("\r\n");
                pipeline.ignore();
            }
            pipeline.cmd("XGROUP").arg("CREATE").arg(key).arg("workers").arg("0").ignore();
            pipeline
                .cmd("XREADGROUP")
                .arg(&["GROUP", "workers", "worker-1", "COUNT", "2", "STREAMS"])
                .arg(key)
                .arg(">")
                .ignore();
            pipeline.cmd("XACK").arg(key).arg("workers").arg("1-0").ignore();
        }
    }
    if let Some(ttl) = item.ttl_ms {
        pipeline.cmd("PEXPIRE").arg(key).arg(ttl).ignore();
    }
}
