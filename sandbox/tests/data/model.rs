use crate::support::{content, modelled, open, real};
use bytes::Bytes;
use orchestrate_sandbox::data::{DataError, Fill, Model, PlaneKind, slot_of};
use std::collections::BTreeMap;
use std::time::Duration;

const FILL: Fill = Fill { keys: 40, every_type: true, seed: 21 };

fn entries(model: &Model) -> BTreeMap<&[u8], (&str, &[u8], Option<u64>)> {
    model
        .entries()
        .map(|entry| (&*entry.key, (entry.kind, &*entry.value, entry.expires_at_ms)))
        .collect()
}

async fn files(cluster: &orchestrate_sandbox::data::Cluster) -> Vec<(String, Bytes)> {
    let snapshots = cluster.snapshot().await.unwrap();
    snapshots.into_iter().map(|shot| (format!("m-{}.rdb", shot.shard_id), shot.rdb)).collect()
}

#[tokio::test(start_paused = true)]
async fn the_model_keeps_every_entry_from_two_shards_to_three_without_waiting() {
    let before = tokio::time::Instant::now();
    let plane = modelled();
    assert!(matches!(plane.kind(), PlaneKind::Model { .. }));
    assert!(plane.ca_pem().is_none());
    let source = plane.start(open("source", 2)).await.unwrap();
    let written = source.fill(FILL).await.unwrap();
    let target = plane.start(open("target", 3)).await.unwrap();
    assert_eq!(target.restore(files(&source).await).await.unwrap(), written);
    let (was, is) = (source.model().unwrap(), target.model().unwrap());
    assert_eq!(entries(&was), entries(&is));
    assert_eq!(is.keys(), written);
    assert_eq!(target.key_counts().await.unwrap().iter().sum::<u64>(), written);
    for shard in &is.shards {
        let (first, last) = shard.slots[0];
        assert!(!shard.entries.is_empty());
        assert!(shard.entries.iter().all(|entry| (first..=last).contains(&slot_of(&entry.key))));
    }
    for kind in ["string", "hash", "list", "set", "zset"] {
        assert!(is.entries().filter(|entry| entry.kind == kind).count() >= 40, "{kind}");
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_real_server_loads_what_the_model_wrote() {
    let model = modelled().start(open("written", 2)).await.unwrap();
    let written = model.fill(FILL).await.unwrap();
    let plane = real();
    let loaded = plane.start(open("loaded", 1)).await.unwrap();
    assert_eq!(loaded.restore(files(&model).await).await.unwrap(), written);
    // The same fill written by commands is the same content, but for expiry times, which count from another day.
    let filled = plane.start(open("filled", 1)).await.unwrap();
    filled.fill(FILL).await.unwrap();
    let (loaded, mut filled) = (content(&loaded), content(&filled));
    filled.retain(|_, (kind, ..)| kind != "stream");
    assert_eq!(loaded.len(), filled.len());
    let entries = model.model().unwrap();
    for (key, (kind, expires, value)) in &loaded {
        let (other_kind, _, other_value) = &filled[key];
        assert_eq!((kind, value), (other_kind, other_value), "{}", key.escape_ascii());
        let entry = entries.get(key).unwrap();
        assert_eq!(entry.expires_at_ms.map_or(-1, |at| at as i64), *expires);
    }
}

#[tokio::test]
async fn an_empty_shard_is_a_file_too() {
    let plane = modelled();
    let empty = plane.start(open("empty", 1)).await.unwrap();
    let files = files(&empty).await;
    assert_eq!(
        plane.start(open("other", 2)).await.unwrap().restore(files.clone()).await.unwrap(),
        0
    );
    let server = real().start(open("server", 1)).await;
    drop(server);
    let plane = real();
    assert_eq!(plane.start(open("server", 1)).await.unwrap().restore(files).await.unwrap(), 0);
}

#[tokio::test]
async fn the_model_refuses_what_a_server_refuses() {
    let plane = modelled();
    let cluster = plane.start(open("refuse", 1)).await.unwrap();
    cluster.fill(Fill { keys: 3, every_type: false, seed: 1 }).await.unwrap();
    let good = files(&cluster).await.remove(0).1;
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        bytes
    };
    let last = good.len() - 1;
    let cases = [
        (Vec::new(), "Short read"),
        (b"nothing like a snapshot".to_vec(), "Wrong signature"),
        (good[..good.len() - 9].to_vec(), "Short read"),
        (changed(8, b'2'), "Can't handle RDB format version 12"),
        (changed(last, good[last] ^ 0x10), "Wrong RDB checksum"),
        (
            b"REDIS0010\xfe\x00\x00\x01a\x01b\xfe\x01\x00\x01c\x01d\xff\0\0\0\0\0\0\0\0".to_vec(),
            "more than one database: 0 (1 keys), 1 (1 keys)",
        ),
        (b"REDIS0010\xfe\x01\x00\x01c\x01d\xff\0\0\0\0\0\0\0\0".to_vec(), "database 1"),
        (b"REDIS0010\xfe\x00\x04\x01c\xbf\xff\xff\xff\xff".to_vec(), "Unknown length encoding"),
        (b"REDIS0010\xfe\x00\x04\x01c\x81\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), "Short read"),
    ];
    let target = plane.start(open("refuse-target", 1)).await.unwrap();
    for (bytes, words) in cases {
        let error = target.restore(vec![("x.rdb".to_owned(), bytes.into())]).await.unwrap_err();
        assert!(matches!(error, DataError::Refused { .. }));
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    assert_eq!(target.model().unwrap().keys(), 0);
}

#[tokio::test]
async fn writes_show_and_a_stopped_model_is_gone() {
    let plane = modelled();
    let cluster = plane.start(open("orders", 2)).await.unwrap();
    cluster.set(b"k", Some(b"v")).await.unwrap();
    assert_eq!(cluster.model().unwrap().get(b"k").unwrap().kind, "string");
    cluster.set(b"k", None).await.unwrap();
    assert!(cluster.model().unwrap().get(b"k").is_none());
    let second = plane.start(open("orders", 2)).await.unwrap();
    assert_ne!(cluster.endpoint(), second.endpoint(), "two of one name at a time");
    let endpoint = cluster.endpoint();
    assert!(endpoint.0.ends_with(".invalid"));
    cluster.stop().await;
    assert!(matches!(cluster.snapshot().await, Err(DataError::Stopped { .. })));
    assert_eq!(cluster.model().unwrap().keys(), 0);
    let third = plane.start(open("orders", 2)).await.unwrap();
    assert_eq!(third.endpoint(), endpoint, "a name that is free again");
}
