use orchestrate_sandbox::data::{
    Cluster, ClusterSpec, DataPlane, PlaneKind, ServerPolicy, ShardInfo,
};
use redis::{Connection, Value};
use std::collections::BTreeMap;
use std::net::TcpStream;

/// A plane of real servers; their absence fails the test rather than skipping it.
pub(crate) fn real() -> DataPlane {
    let plane = DataPlane::new(ServerPolicy::Auto, 1).unwrap();
    match plane.kind() {
        PlaneKind::Real { .. } => plane,
        PlaneKind::Model { why } => panic!("these tests need redis-server: {why}"),
    }
}

pub(crate) fn modelled() -> DataPlane {
    DataPlane::new(ServerPolicy::Off, 1).unwrap()
}

pub(crate) fn open(name: &str, shards: u16) -> ClusterSpec {
    ClusterSpec {
        name: name.to_owned(),
        engine: "redis".to_owned(),
        engine_version: "7.1".to_owned(),
        shards,
        cluster_mode: shards > 1,
        tls: false,
        users: Vec::new(),
        open_access: true,
    }
}

pub(crate) fn client(shard: &ShardInfo) -> Connection {
    let url = format!("redis://{}:{}/", shard.host, shard.port);
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

pub(crate) fn client_as(
    shard: &ShardInfo,
    user: &str,
    password: &str,
) -> redis::RedisResult<Connection> {
    let url = format!("redis://{user}:{password}@{}:{}/", shard.host, shard.port);
    redis::Client::open(url)?.get_connection()
}

pub(crate) fn listening(shard: &ShardInfo) -> bool {
    TcpStream::connect((shard.host.as_str(), shard.port)).is_ok()
}

/// The server's folder, as its own client sees it.
pub(crate) fn folder(shard: &ShardInfo) -> String {
    let info: String = redis::cmd("INFO").arg("server").query(&mut client(shard)).unwrap();
    let config = info.lines().find_map(|line| line.strip_prefix("config_file:")).unwrap();
    config.rsplit_once('/').unwrap().0.to_owned()
}

/// Type, expiry and a reading of the value that does not depend on how the server stores it, for every key.
pub(crate) fn content(cluster: &Cluster) -> BTreeMap<Vec<u8>, (String, i64, String)> {
    let mut all = BTreeMap::new();
    for shard in cluster.shards() {
        let mut connection = client(&shard);
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        for page in keys.chunks(2000) {
            let mut head = redis::Pipeline::new();
            for key in page {
                head.cmd("TYPE").arg(key).cmd("PEXPIRETIME").arg(key);
            }
            let head: Vec<Value> = head.query(&mut connection).unwrap();
            let heads: Vec<(String, i64)> = head
                .chunks_exact(2)
                .map(|pair| {
                    (
                        redis::from_redis_value(pair[0].clone()).unwrap(),
                        redis::from_redis_value(pair[1].clone()).unwrap(),
                    )
                })
                .collect();
            let mut body = redis::Pipeline::new();
            for (key, (kind, _)) in page.iter().zip(&heads) {
                match kind.as_str() {
                    "string" => body.cmd("GET").arg(key),
                    "hash" => body.cmd("HGETALL").arg(key),
                    "list" => body.cmd("LRANGE").arg(key).arg(0).arg(-1),
                    "set" => body.cmd("SMEMBERS").arg(key),
                    "zset" => body.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
                    "stream" => {
                        body.cmd("XINFO").arg("STREAM").arg(key).arg("FULL").arg("COUNT").arg(0)
                    }
                    other => panic!("{key:?} is a {other}"),
                };
            }
            let body: Vec<Value> = body.query(&mut connection).unwrap();
            for ((key, (kind, expires)), value) in page.iter().zip(heads).zip(body) {
                let reading = reading(&kind, value);
                all.insert(key.clone(), (kind, expires, reading));
            }
        }
    }
    all
}

fn reading(kind: &str, value: Value) -> String {
    let Value::Array(items) = value else { return format!("{value:?}") };
    match kind {
        "set" => {
            let mut items: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
            items.sort();
            items.join(",")
        }
        "hash" => {
            let mut pairs: Vec<_> = items.chunks(2).map(|pair| format!("{pair:?}")).collect();
            pairs.sort();
            pairs.join(",")
        }
        // How the radix tree came to be is not the content.
        "stream" => items
            .chunks(2)
            .filter(|pair| !format!("{:?}", pair[0]).contains("radix"))
            .map(|pair| format!("{pair:?}"))
            .collect(),
        _ => format!("{items:?}"),
    }
}
