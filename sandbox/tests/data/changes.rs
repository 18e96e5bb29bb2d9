use crate::support::{client, content, listening, modelled, open, real};
use orchestrate_sandbox::data::{Cluster, ClusterSpec, Fill, ShardInfo};
use std::time::{Duration, Instant};

type Content = std::collections::BTreeMap<Vec<u8>, (String, i64, String)>;

async fn filled(cluster: &Cluster) {
    cluster.fill(Fill { keys: 40, every_type: true, seed: 3 }).await.unwrap();
}

fn process(shard: &ShardInfo) -> (String, String) {
    let info: String = redis::cmd("INFO").query(&mut client(shard)).unwrap();
    let field = |name: &str| {
        let found = info.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().trim().to_owned()
    };
    (field("process_id:"), field("role:"))
}

/// Another process, that followed the first, at the same address; the first was killed.
async fn takes_over(spec: ClusterSpec, of: &str) {
    let plane = real();
    let cluster = plane.start(spec).await.unwrap();
    filled(&cluster).await;
    let (before, shards) = (content(&cluster), cluster.shards());
    let shard = shards.iter().find(|shard| shard.id == of).unwrap();
    let old = process(shard);
    // A client that writes all the while measures how long nobody answers.
    let writing = shard.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let key = (0..).map(|n| format!("gap:{n}")).find(|key| {
            let slot = orchestrate_sandbox::data::slot_of(key.as_bytes());
            writing.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
        });
        let url = format!("redis://{}:{}/", writing.host, writing.port);
        let (mut last, mut gap, mut connection) = (Instant::now(), Duration::ZERO, None);
        while stopped.try_recv().is_err() {
            if connection.is_none() {
                connection = redis::Client::open(url.as_str()).unwrap().get_connection().ok();
            }
            let wrote = connection.as_mut().map(|connection| {
                redis::cmd("SET").arg(&key).arg(1).query::<()>(connection).is_ok()
            });
            if wrote == Some(true) {
                gap = gap.max(last.elapsed());
                last = Instant::now();
            } else {
                connection = None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        (key.unwrap(), gap)
    });
    std::thread::sleep(Duration::from_millis(100));
    cluster.fail_over(of).await.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    stop.send(()).unwrap();
    let (key, gap) = writer.join().unwrap();
    println!("failover of a real shard: no write for {gap:?}");
    let new = process(shard);
    assert_eq!((old.1.as_str(), new.1.as_str()), ("master", "master"));
    assert_ne!(old.0, new.0, "the same process still serves");
    assert!(!std::path::Path::new(&format!("/proc/{}", old.0)).exists(), "the old one lives");
    assert_eq!(cluster.shards(), shards);
    let mut after = content(&cluster);
    after.remove(key.as_bytes());
    assert_eq!(before.len(), after.len());
    assert!(before == after, "the data differ");
    // The cluster is as good as before: it fails over again, is saved and stopped.
    cluster.fail_over(of).await.unwrap();
    assert_ne!(process(shard).0, new.0);
    assert_eq!(cluster.snapshot().await.unwrap().len(), shards.len());
    cluster.stop().await;
    assert!(!shards.iter().any(listening));
}

#[tokio::test]
async fn a_replica_takes_over_at_the_address_of_a_primary_that_is_killed() {
    takes_over(open("alone", 1), "0001").await;
}

#[tokio::test]
async fn a_replica_takes_over_in_cluster_mode_at_the_seed_s_address_too() {
    takes_over(open("sharded", 2), "0001").await;
}

#[tokio::test]
async fn a_shard_that_is_not_there_does_not_fail_over() {
    let plane = real();
    let cluster = plane.start(open("two", 2)).await.unwrap();
    assert!(cluster.fail_over("0009").await.unwrap_err().to_string().contains("no shard 0009"));
}

fn ids(list: &[&str]) -> Vec<String> {
    list.iter().map(|id| (*id).to_owned()).collect()
}

/// Types, values and whether a key expires are the same. When it expires may differ by what the move took: MIGRATE hands
/// over the time that is left.
fn same(before: &Content, after: &Content, what: &[&str]) {
    assert!(before.keys().eq(after.keys()), "{what:?}: the keys differ");
    for (key, (kind, expires, reading)) in before {
        let (now, later, read) = &after[key];
        assert!((kind, reading) == (now, read), "{what:?}: {key:?} was {reading}, is {read}");
        assert_eq!(*expires > 0, *later > 0, "{what:?}: {key:?}");
        assert!((later - expires).abs() < 2_000, "{what:?}: {key:?} at {expires}, now {later}");
    }
}

#[tokio::test]
async fn slots_move_with_their_keys_to_new_shards_and_back() {
    let plane = real();
    let cluster = plane.start(open("moving", 2)).await.unwrap();
    filled(&cluster).await;
    let (before, endpoint) = (content(&cluster), cluster.endpoint());
    for list in [&["0001", "0002", "0003"][..], &["0001", "0003"], &["0001"]] {
        let gone: Vec<ShardInfo> = cluster.shards();
        cluster.reshard(ids(list)).await.unwrap();
        let shards = cluster.shards();
        assert_eq!(shards.iter().map(|shard| shard.id.as_str()).collect::<Vec<_>>(), list);
        assert_eq!(cluster.endpoint(), endpoint);
        same(&before, &content(&cluster), list);
        assert_eq!(cluster.key_counts().await.unwrap().iter().sum::<u64>(), before.len() as u64);
        let gone = gone.iter().filter(|old| !shards.iter().any(|shard| shard.port == old.port));
        assert!(!gone.into_iter().any(listening), "{list:?}: a removed shard still serves");
        // A client that asks any shard is sent to the right one.
        for shard in &shards {
            let slots: redis::Value =
                redis::cmd("CLUSTER").arg("SLOTS").query(&mut client(shard)).unwrap();
            let redis::Value::Array(ranges) = slots else { panic!("{slots:?}") };
            assert_eq!(ranges.len(), shards.len(), "{list:?}: {ranges:?}");
        }
    }
}

#[tokio::test]
async fn the_model_moves_its_entries_likewise() {
    let plane = modelled();
    let cluster = plane.start(open("model", 2)).await.unwrap();
    filled(&cluster).await;
    let keys = |cluster: &Cluster| {
        let model = cluster.model().unwrap();
        let mut keys: Vec<Vec<u8>> = model.entries().map(|entry| entry.key.clone()).collect();
        assert!(keys.iter().all(|key| model.get(key).is_some()), "a key is in another's shard");
        keys.sort();
        keys
    };
    let before = keys(&cluster);
    cluster.reshard(ids(&["0001", "0002", "0003"])).await.unwrap();
    assert_eq!((cluster.shards().len(), keys(&cluster)), (3, before.clone()));
    cluster.reshard(ids(&["0003"])).await.unwrap();
    assert_eq!((cluster.shards()[0].id.as_str(), keys(&cluster)), ("0003", before));
}
