//! Sources.

use orchestrate_sandbox::Seed;

use super::{ACCEPTING, Found, MIGRATION, Row, Then, fails};

/// The group that every row moves.
fn group(seed: &mut Seed) -> &mut orchestrate_sandbox::SeedReplicationGroup {
    &mut seed.replication_groups[0]
}

/// With cluster mode off, in one shard with a replica.
fn unsharded(seed: &mut Seed) {
    group(seed).cluster_mode = false;
    group(seed).shards = 1;
}

fn bare(check: &'static str) -> Row {
    Row { check, ..Row::default() }
}

const WARNED: (&str, Found) = ("snapshot", Found::CannotKnow);
const REFUSED: (&str, Found) = ("snapshot", Found::WillFail);

const EXPORT: &str = "
playbook: v1
name: checked
steps:
  - id: export
    elasticache.export_snapshot: { snapshot: demo-earlier-00, bucket: demo-migration }
";

const DELETE: &str = "
playbook: v1
name: checked
steps:
  - id: delete
    elasticache.delete_snapshot:
      snapshot: demo-earlier-00
      arn: arn:aws:elasticache:us-east-1:123456789012:snapshot:another
";

const COMPARE: &str = "
playbook: v1
name: checked
steps:
  - id: compare
    redis.compare:
      source: { endpoint: 'clustercfg.demo.sandbox.invalid:6379', user: reader, password: secretsmanager:demo/reader }
      target: { endpoint: 'clustercfg.twin.sandbox.invalid:6379', user: reader, password: secretsmanager:demo/reader }
";

/// The files are looked into before anything is made of them.
const CHECKED: &[(&str, &str)] = &[(
    "  - id: cluster\n",
    "  - id: files\n    rdb.check: { objects: '${{ steps.export.objects }}', engine: valkey, engine_version: '7.3' }\n  - id: cluster\n",
)];

/// The same, against an engine that reads less.
const OLD_ENGINE: &[(&str, &str)] = &[
    CHECKED[0],
    ("engine: valkey, engine_version: '7.3' }", "engine: redis, engine_version: '6.2' }"),
];

/// A group with a snapshot of an earlier day.
fn with_snapshot(seed: &mut Seed) {
    seed.replication_groups.push(orchestrate_sandbox::SeedReplicationGroup {
        id: "demo".to_owned(),
        cluster_mode: true,
        manual_snapshots: vec![30],
        ..Default::default()
    });
}

/// Two groups that hold the same.
fn twins(seed: &mut Seed) {
    for id in ["demo", "twin"] {
        seed.replication_groups.push(orchestrate_sandbox::SeedReplicationGroup {
            id: id.to_owned(),
            cluster_mode: true,
            keys: 2,
            ..Default::default()
        });
    }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        bare("source.state"),
        Row {
            check: "source.state",
            case: "it could not be created",
            seed: |seed| group(seed).status = "create-failed".to_owned(),
            found: REFUSED,
            then: fails("snapshot", "is create-failed; there is nothing to snapshot"),
            ..Row::default()
        },
        Row {
            check: "source.state",
            case: "there is none",
            seed: |seed| {
                seed.replication_groups.clear();
                let nowhere = "old.example.com:6379".to_owned();
                seed.parameters[0].value = orchestrate_sandbox::SeedValue::Text(nowhere);
            },
            edits: &[ACCEPTING],
            found: REFUSED,
            then: fails("snapshot", "there is no replication group \"demo\""),
            ..Row::default()
        },
        Row {
            check: "source.state",
            case: "somebody scales it",
            seed: |seed| {
                group(seed).status = "modifying".to_owned();
                group(seed).status_minutes = Some(10);
            },
            found: WARNED,
            then: Then::Goes(&["is modifying; it can be snapshotted when it is available"]),
            ..Row::default()
        },
        Row { check: "source.writers", found: ("freeze", Found::Ok), ..Row::default() },
        Row {
            check: "source.writers",
            case: "nobody's writes can be stopped",
            seed: |seed| group(seed).user_group = None,
            found: ("freeze", Found::WillFail),
            then: fails("freeze", "has no RBAC users whose writes could be stopped"),
            ..Row::default()
        },
        bare("source.engine"),
        Row {
            check: "source.engine",
            case: "Valkey 9",
            seed: |seed| {
                group(seed).engine = "valkey".to_owned();
                group(seed).engine_version = "9.0.0".to_owned();
            },
            found: REFUSED,
            then: fails("cluster", "is VALKEY080, which the cluster will not be able to read"),
            ..Row::default()
        },
        bare("source.node_type"),
        Row {
            check: "source.node_type",
            case: "cache.t1.micro",
            seed: |seed| group(seed).node_type = "cache.t1.micro".to_owned(),
            found: REFUSED,
            then: fails("snapshot", "SnapshotFeatureNotSupportedFault"),
            ..Row::default()
        },
        bare("source.data_tiering"),
        Row {
            check: "source.data_tiering",
            case: "on",
            seed: |seed| group(seed).data_tiering = true,
            found: REFUSED,
            then: fails("snapshot", "uses data tiering"),
            ..Row::default()
        },
        bare("source.global"),
        Row {
            check: "source.global",
            case: "a secondary",
            seed: |seed| {
                group(seed).global_datastore = Some("ldgnf-world".to_owned());
                group(seed).global_role = "SECONDARY".to_owned();
            },
            found: WARNED,
            then: Then::Goes(&["\"frozen\":true"]),
            ..Row::default()
        },
        bare("source.pending"),
        Row {
            check: "source.pending",
            case: "an upgrade that begins while the writers are stopped",
            seed: |seed| {
                group(seed).pending.insert("engine_version".to_owned(), "7.1.1".to_owned());
                group(seed).maintenance_window = "mon:03:00-mon:04:00".to_owned();
                // The window is noticed once nothing else holds the group.
                group(seed).status = "modifying".to_owned();
                group(seed).status_minutes = Some(1);
            },
            found: WARNED,
            then: Then::Goes(&["is modifying; it can be snapshotted when it is available"]),
            ..Row::default()
        },
        bare("source.snapshot_quota"),
        Row {
            check: "source.snapshot_quota",
            case: "used up",
            seed: |seed| group(seed).manual_snapshots = (1..=20).collect(),
            found: REFUSED,
            then: fails("snapshot", "SnapshotQuotaExceededFault"),
            ..Row::default()
        },
        Row {
            check: "source.snapshot_quota",
            case: "used up, of the replica that would be taken",
            seed: |seed| {
                unsharded(seed);
                group(seed).manual_snapshots = (1..=20).collect();
            },
            found: REFUSED,
            then: fails("snapshot", "SnapshotQuotaExceededFault"),
            ..Row::default()
        },
        Row {
            check: "source.snapshot_quota",
            case: "taken earlier than a day ago",
            seed: |seed| group(seed).manual_snapshots = (24..=44).collect(),
            ..Row::default()
        },
        bare("source.snapshot_window"),
        Row {
            check: "source.snapshot_window",
            case: "the daily snapshot is due",
            seed: |seed| {
                group(seed).snapshot_retention_days = 1;
                group(seed).snapshot_window = "03:00-04:00".to_owned();
            },
            found: WARNED,
            then: Then::Goes(&["is snapshotting; it can be snapshotted when it is available"]),
            ..Row::default()
        },
        Row {
            check: "source.snapshot_window",
            case: "the daily snapshot is due later",
            seed: |seed| group(seed).snapshot_retention_days = 1,
            ..Row::default()
        },
        bare("source.maintenance_window"),
        Row {
            check: "source.maintenance_window",
            case: "open over midnight, with an upgrade",
            seed: |seed| {
                group(seed).pending.insert("engine_version".to_owned(), "7.1.1".to_owned());
                group(seed).maintenance_window = "sun:23:00-mon:04:00".to_owned();
            },
            found: WARNED,
            then: Then::Goes(&["is modifying; it can be snapshotted when it is available"]),
            ..Row::default()
        },
        Row {
            check: "source.memory_reserve",
            seed: |seed| {
                group(seed)
                    .parameters
                    .insert("reserved-memory-percent".to_owned(), "30".to_owned());
            },
            ..Row::default()
        },
        Row {
            check: "source.memory_reserve",
            case: "10%",
            seed: |seed| {
                group(seed)
                    .parameters
                    .insert("reserved-memory-percent".to_owned(), "10".to_owned());
            },
            found: WARNED,
            then: Then::Goes(&[]),
            ..Row::default()
        },
        bare("source.durability"),
        Row {
            check: "source.durability",
            case: "durable already",
            seed: |seed| {
                group(seed).engine = "valkey".to_owned();
                group(seed).engine_version = "9.0.0".to_owned();
                group(seed).durability = Some("sync".to_owned());
            },
            found: WARNED,
            then: fails("cluster", "is VALKEY080"),
            ..Row::default()
        },
        bare("source.databases"),
        Row {
            check: "source.databases",
            case: "one by its parameter group",
            seed: |seed| {
                unsharded(seed);
                group(seed).parameters.insert("databases".to_owned(), "1".to_owned());
            },
            ..Row::default()
        },
        Row {
            check: "source.databases",
            case: "keys in a second one",
            seed: |seed| {
                unsharded(seed);
                group(seed).databases = 2;
            },
            found: WARNED,
            then: fails("cluster", "more than one database"),
            ..Row::default()
        },
        bare("source.cluster_mode"),
        Row {
            check: "source.cluster_mode",
            case: "off",
            seed: unsharded,
            found: WARNED,
            then: Then::Goes(&["\"value\":\"clustercfg.demo-mdb.sandbox.invalid:6379\""]),
            ..Row::default()
        },
        bare("source.tls"),
        Row {
            check: "source.tls",
            case: "off, and the new cluster's is on",
            seed: |seed| group(seed).tls = false,
            found: WARNED,
            then: Then::Goes(&[
                "\"tls\":true",
                "\"value\":\"clustercfg.demo-mdb.sandbox.invalid:6379\"",
            ]),
            ..Row::default()
        },
        bare("source.auth"),
        Row {
            check: "source.auth",
            case: "an AUTH token",
            edits: &[ACCEPTING],
            seed: |seed| {
                group(seed).user_group = None;
                group(seed).auth_token = true;
            },
            found: WARNED,
            // Nobody can log in to the new cluster without a name.
            then: Then::Goes(&["\"users\":[\"app\",\"reader\"]"]),
            ..Row::default()
        },
        Row {
            check: "source.auth",
            case: "no login",
            edits: &[ACCEPTING],
            seed: |seed| group(seed).user_group = None,
            found: WARNED,
            then: Then::Goes(&["\"users\":[\"app\",\"reader\"]"]),
            ..Row::default()
        },
        bare("source.users"),
        Row {
            check: "source.users",
            case: "a name that MemoryDB has not",
            seed: |seed| {
                let app = seed.users.iter_mut().find(|user| user.name == "app").expect("app");
                app.name = "app_user".to_owned();
            },
            found: WARNED,
            then: Then::Goes(&["\"users\":[\"app\",\"reader\"]"]),
            ..Row::default()
        },
        Row {
            check: "source.users",
            case: "one that needs no password",
            seed: |seed| {
                let app = seed.users.iter_mut().find(|user| user.name == "app").expect("app");
                app.passwords.clear();
            },
            found: WARNED,
            then: Then::Goes(&["\"users\":[\"app\",\"reader\"]"]),
            ..Row::default()
        },
        Row { check: "snapshot.name", edits: &[NAMED], ..Row::default() },
        Row {
            check: "snapshot.name",
            case: "taken",
            edits: &[NAMED],
            seed: |seed| group(seed).manual_snapshots = vec![30],
            found: REFUSED,
            then: fails("snapshot", "demo-earlier-00"),
            ..Row::default()
        },
        Row {
            check: "export.snapshot",
            playbook: EXPORT,
            seed: with_snapshot,
            found: ("export", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "export.snapshot",
            case: "of a group with data tiering",
            playbook: EXPORT,
            seed: |seed| {
                with_snapshot(seed);
                group(seed).data_tiering = true;
            },
            found: ("export", Found::WillFail),
            then: fails("export", "with data tiering"),
            ..Row::default()
        },
        Row {
            check: "snapshot.exists",
            case: "gone already",
            playbook: DELETE,
            found: ("delete", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "snapshot.exists",
            case: "another one of that name",
            playbook: DELETE,
            seed: with_snapshot,
            found: ("delete", Found::WillFail),
            then: fails("delete", "demo-earlier-00"),
            ..Row::default()
        },
        Row {
            check: "check.engine",
            edits: CHECKED,
            found: ("files", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "check.engine",
            case: "an engine that is too old",
            edits: OLD_ENGINE,
            found: ("files", Found::WillFail),
            then: fails("files", "redis 6.2"),
            ..Row::default()
        },
        Row {
            check: "compare.endpoint",
            playbook: COMPARE,
            seed: twins,
            found: ("compare", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "compare.endpoint",
            case: "nobody answers",
            playbook: COMPARE,
            found: ("compare", Found::WillFail),
            then: fails("compare", "clustercfg.demo.sandbox.invalid"),
            ..Row::default()
        },
        Row {
            check: "compare.password",
            playbook: COMPARE,
            seed: twins,
            found: ("compare", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "compare.password",
            case: "it is not there",
            playbook: COMPARE,
            seed: |seed| {
                twins(seed);
                seed.secrets.clear();
            },
            found: ("compare", Found::WillFail),
            then: fails("compare", "demo/reader"),
            ..Row::default()
        },
    ]
}

/// The snapshot gets a name.
const NAMED: (&str, &str) = (
    "elasticache.create_snapshot: { replication_group: demo }",
    "elasticache.create_snapshot: { replication_group: demo, name: demo-earlier-00 }",
);

/// The playbook that the rows change is a migration as the shipped ones are.
#[test]
fn the_rows_are_about_a_migration() {
    assert!(MIGRATION.contains("endpoint.swap") && MIGRATION.contains("memorydb.create_cluster"));
}
