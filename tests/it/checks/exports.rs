//! Exports, and what is kept of them.

use super::{Found, Row, Then, fails};

const EXPORT: &str = "
playbook: v1
name: checked
steps:
  - id: export
    elasticache.export_latest: { replication_group: demo, bucket: exports }
  - id: prune
    s3.prune_exports: { bucket: exports, clusters: [demo], keep: { last: 2 } }
";

const FLEET: &str = "
playbook: v1
name: checked
steps:
  - id: exports
    elasticache.export_fleet: { pattern: 'demo-*', bucket: exports, tags: {} }
";

pub(super) fn rows() -> Vec<Row> {
    let of = |check: &'static str, step: &'static str| Row {
        check,
        playbook: EXPORT,
        found: (step, Found::Ok),
        ..Row::default()
    };
    vec![
        of("export.source", "export"),
        Row {
            case: "a manual snapshot has to be taken",
            seed: |seed| seed.replication_groups[0].automatic_snapshots.clear(),
            then: Then::Goes(&["\"automatic\":false"]),
            ..of("export.source", "export")
        },
        Row {
            case: "no such group",
            seed: |seed| seed.replication_groups.clear(),
            found: ("export", Found::WillFail),
            then: fails("export", "there is no replication group \"demo\""),
            ..of("export.source", "export")
        },
        of("export.retention", "prune"),
        Row {
            case: "no such bucket",
            seed: |seed| seed.buckets.clear(),
            found: ("prune", Found::WillFail),
            then: fails("export", "there is no bucket \"exports\""),
            ..of("export.retention", "prune")
        },
        Row { playbook: FLEET, ..of("export.fleet", "exports") },
        Row {
            case: "a pattern that chooses nothing",
            playbook: FLEET,
            edits: &[("demo-*", "nobody-*")],
            seed: |seed| {
                seed.replication_groups
                    .iter_mut()
                    .for_each(|group| group.id = format!("other-{}", group.id));
            },
            found: ("exports", Found::WillFail),
            then: fails("exports", "no replication group is called \"nobody-*\""),
            ..of("export.fleet", "exports")
        },
    ]
}
