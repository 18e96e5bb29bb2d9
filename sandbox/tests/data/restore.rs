use crate::support::{client, content, open, real};
use bytes::Bytes;
use orchestrate_sandbox::data::{DataError, Fill, ShardSnapshot};
use std::time::{Duration, Instant};

fn files(snapshots: Vec<ShardSnapshot>) -> Vec<(String, Bytes)> {
    snapshots.into_iter().map(|shot| (format!("s-{}.rdb", shot.shard_id), shot.rdb)).collect()
}

#[tokio::test]
async fn two_shards_into_three_keep_every_key_type_value_and_expiry() {
    let plane = real();
    let source = plane.start(open("source", 2)).await.unwrap();
    let written = source.fill(Fill { keys: 120, every_type: true, seed: 11 }).await.unwrap();
    let snapshots = source.snapshot().await.unwrap();
    assert_eq!(snapshots.len(), 2);
    assert!(snapshots.iter().all(|shot| shot.rdb.starts_with(b"REDIS") && shot.keys > 100));
    assert_eq!(snapshots.iter().map(|shot| shot.keys).sum::<u64>(), written);
    let target = plane.start(open("target", 3)).await.unwrap();
    assert_eq!(target.restore(files(snapshots)).await.unwrap(), written);
    let (before, after) = (content(&source), content(&target));
    assert_eq!(before.len() as u64, written);
    for kind in ["string", "hash", "list", "set", "zset", "stream"] {
        let count = before.values().filter(|(of, ..)| of == kind).count();
        assert!(count >= 120, "{count} of {kind}");
    }
    assert!(before.values().filter(|(_, expires, _)| *expires > 0).count() >= 120);
    for (key, value) in &before {
        assert_eq!(after.get(key), Some(value), "{}", key.escape_ascii());
    }
    assert_eq!(before.len(), after.len());
    for shard in target.shards() {
        let list: Vec<redis::Value> =
            redis::cmd("FUNCTION").arg("LIST").query(&mut client(&shard)).unwrap();
        assert_eq!(list.len(), 1, "the library is on shard {}", shard.id);
    }
}

#[tokio::test]
async fn a_fill_is_the_same_for_the_same_seed_and_has_every_odd_value() {
    let plane = real();
    let cluster = plane.start(open("seed", 1)).await.unwrap();
    let fill = Fill { keys: 5, every_type: true, seed: 4 };
    let without_times = || {
        let mut all = content(&cluster);
        all.retain(|_, (kind, ..)| kind != "stream");
        all.into_iter().map(|(key, (kind, _, value))| (key, kind, value)).collect::<Vec<_>>()
    };
    let written = cluster.fill(fill).await.unwrap();
    let first = without_times();
    assert_eq!(cluster.fill(fill).await.unwrap(), written);
    assert_eq!(without_times(), first);
    let mut connection = client(&cluster.shards()[0]);
    let mut length =
        |key: &[u8]| redis::cmd("STRLEN").arg(key).query::<u64>(&mut connection).unwrap();
    assert!(length(b"odd:big") > 1024 * 1024);
    assert_eq!(length(&(0..=255).collect::<Vec<u8>>()), 1024);
    let exists: u64 = redis::cmd("EXISTS").arg("odd:empty").query(&mut connection).unwrap();
    assert_eq!(exists, 1);
    let score: f64 =
        redis::cmd("ZSCORE").arg("odd:scores").arg("member:0").query(&mut connection).unwrap();
    assert!(score.is_infinite());
    let pending: (u64, String, String, redis::Value) =
        redis::cmd("XPENDING").arg("stream:0").arg("workers").query(&mut connection).unwrap();
    assert_eq!(pending.0, 1);
}

#[tokio::test]
async fn a_snapshot_is_of_one_instant_while_clients_go_on_writing() {
    let plane = real();
    let cluster = plane.start(open("busy", 1)).await.unwrap();
    cluster.fill(Fill { keys: 2000, every_type: false, seed: 1 }).await.unwrap();
    let snapshot = cluster.snapshot().await.unwrap();
    cluster.set(b"late", Some(b"x")).await.unwrap();
    cluster.set(b"string:0", None).await.unwrap();
    let target = plane.start(open("busy-target", 1)).await.unwrap();
    target.restore(files(snapshot)).await.unwrap();
    let after = content(&target);
    assert_eq!(after.len(), 2000);
    assert!(after.contains_key(&b"string:0"[..]) && !after.contains_key(&b"late"[..]));
}

#[tokio::test]
async fn a_missing_file_loses_its_slots_without_a_word() {
    let plane = real();
    let source = plane.start(open("partial", 2)).await.unwrap();
    source.fill(Fill { keys: 200, every_type: false, seed: 2 }).await.unwrap();
    let mut snapshots = source.snapshot().await.unwrap();
    let kept = snapshots.pop().unwrap();
    let target = plane.start(open("partial-target", 1)).await.unwrap();
    assert_eq!(target.restore(files(vec![kept.clone()])).await.unwrap(), kept.keys);
    assert!(kept.keys < 200);
}

#[tokio::test]
async fn what_a_server_cannot_load_is_refused_in_its_own_words() {
    let plane = real();
    let cluster = plane.start(open("refuse", 2)).await.unwrap();
    cluster.fill(Fill { keys: 50, every_type: false, seed: 9 }).await.unwrap();
    let good = cluster.snapshot().await.unwrap().remove(0).rdb;
    let mut flipped = good.to_vec();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let mut newer = good.to_vec();
    newer[5..9].copy_from_slice(b"0080");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty", Vec::new(), "Short read or OOM loading DB"),
        ("garbage", b"this is not a snapshot at all".to_vec(), "Wrong signature"),
        ("truncated", good[..good.len() / 2].to_vec(), "Short read or OOM loading DB"),
        ("newer", newer, "Can't handle RDB format version 80"),
        ("checksum", flipped, "Wrong RDB checksum"),
        ("type", b"REDIS0010\xfe\x00\x63\x03abc".to_vec(), "Unknown RDB encoding type 99"),
    ];
    let target = plane.start(open("refuse-target", 2)).await.unwrap();
    for (name, rdb, words) in cases {
        let error = target.restore(vec![(format!("{name}.rdb"), rdb.into())]).await.unwrap_err();
        assert!(
            matches!(&error, DataError::Refused { file, .. } if *file == format!("{name}.rdb"))
        );
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
    assert_eq!(target.key_counts().await.unwrap(), [0, 0]);
}

#[tokio::test]
async fn keys_in_another_database_are_refused() {
    let plane = real();
    let source = plane.start(open("databases", 1)).await.unwrap();
    let mut connection = client(&source.shards()[0]);
    redis::cmd("SELECT").arg(3).query::<()>(&mut connection).unwrap();
    redis::cmd("SET").arg("k").arg("v").query::<()>(&mut connection).unwrap();
    let target = plane.start(open("databases-target", 1)).await.unwrap();
    let only_three = files(source.snapshot().await.unwrap());
    let error = target.restore(only_three).await.unwrap_err().to_string();
    assert!(error.contains("database 3"), "{error}");
    source.set(b"k", Some(b"v")).await.unwrap();
    let snapshot = source.snapshot().await.unwrap();
    assert_eq!(snapshot[0].keys, 2, "both databases are counted");
    let error = target.restore(files(snapshot)).await.unwrap_err().to_string();
    assert!(error.contains("more than one database: 0 (1 keys), 3 (1 keys)"), "{error}");
    assert_eq!(target.key_counts().await.unwrap(), [0]);
}

#[tokio::test]
async fn ten_thousand_keys_move_in_seconds() {
    let plane = real();
    let source = plane.start(open("many", 1)).await.unwrap();
    source.fill(Fill { keys: 10_000, every_type: false, seed: 5 }).await.unwrap();
    let snapshot = files(source.snapshot().await.unwrap());
    let target = plane.start(open("many-target", 2)).await.unwrap();
    let begun = Instant::now();
    assert_eq!(target.restore(snapshot).await.unwrap(), 10_000);
    println!("10,000 keys in {:?}", begun.elapsed());
    // Well under a second alone; other tests share the machine.
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}
