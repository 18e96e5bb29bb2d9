//! Groups that a runbook changes, fails over, deletes or makes.

use orchestrate_sandbox::Seed;

use super::{Found, Row, Then, fails};

const DRILL: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.test_failover: { replication_group: demo, shard: '0001' }
";
const NODES: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.modify_replication_group:
      { replication_group: demo, node_type: cache.r7g.xlarge, apply_immediately: true }
";
const REPLICAS: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.scale_replicas: { replication_group: demo, replicas_per_shard: 2 }
";
const SHARDS: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.scale_shards: { replication_group: demo, shards: 3 }
";
const ENGINE: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.upgrade_engine: { replication_group: demo, engine_version: '7.2' }
";
const REMOVAL: &str = "
playbook: v1
name: checked
steps:
  - id: step
    elasticache.delete_replication_group: { replication_group: demo, final_snapshot: demo-last }
";
const COPY: &str = "
playbook: v1
name: checked
steps:
  - id: snapshot
    elasticache.create_snapshot: { replication_group: demo }
  - id: step
    elasticache.create_replication_group: { name: copy, from_snapshot: demo-earlier-00 }
";

fn of(check: &'static str, playbook: &'static str) -> Row {
    Row { check, playbook, found: ("step", Found::Ok), seed: earlier, ..Row::default() }
}

/// There is a snapshot of the day before yesterday.
fn earlier(seed: &mut Seed) {
    seed.replication_groups[0].manual_snapshots = vec![40];
}

fn refused(check: &'static str, case: &'static str, playbook: &'static str) -> Row {
    Row { case, found: ("step", Found::WillFail), ..of(check, playbook) }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        of("group.state", DRILL),
        Row {
            case: "busy, and then not",
            seed: |seed| {
                seed.replication_groups[0].status = "snapshotting".to_owned();
                seed.replication_groups[0].status_minutes = Some(5);
            },
            found: ("step", Found::CannotKnow),
            then: Then::Goes(&["cache.r7g.xlarge"]),
            ..of("group.state", NODES)
        },
        Row {
            seed: |seed| {
                let waits = [("engine_version".to_owned(), "7.2.0".to_owned())];
                seed.replication_groups[0].pending = waits.into();
            },
            then: fails("step", "has a change pending: engine version 7.2.0"),
            ..refused("group.state", "a change waits for its window", NODES)
        },
        of("failover.quota", DRILL),
        Row {
            seed: |seed| seed.replication_groups[0].tested_failovers = (1..=15).rev().collect(),
            then: fails("step", "the most that AWS allows"),
            ..refused("failover.quota", "15 were tested today", DRILL)
        },
        Row {
            case: "15 were tested, the first of them yesterday",
            seed: |seed| seed.replication_groups[0].tested_failovers = (11..=25).rev().collect(),
            ..of("failover.quota", DRILL)
        },
        of("failover.replicas", DRILL),
        Row {
            seed: |seed| seed.replication_groups[0].replicas = 0,
            then: fails("step", "has no replica that could take over"),
            ..refused("failover.replicas", "nobody is there to take over", DRILL)
        },
        Row {
            edits: &[("'0001'", "'0007'")],
            then: fails("step", "its shards are 0001, 0002"),
            ..refused("failover.replicas", "no such shard", DRILL)
        },
        of("group.node_type", NODES),
        Row {
            edits: &[("cache.r7g.xlarge", "cache.t9.huge")],
            then: fails("step", "not an allowed modification"),
            ..refused("group.node_type", "no such type", NODES)
        },
        of("group.replicas", REPLICAS),
        Row {
            edits: &[("replicas_per_shard: 2", "replicas_per_shard: 0")],
            seed: |seed| {
                seed.replication_groups[0].cluster_mode = false;
                seed.replication_groups[0].shards = 1;
            },
            then: fails("step", "cannot lose its last replica"),
            ..refused("group.replicas", "none is to be left, and Multi-AZ is on", REPLICAS)
        },
        Row {
            case: "none is to be left with cluster mode on",
            edits: &[("replicas_per_shard: 2", "replicas_per_shard: 0")],
            then: Then::Goes(&["\"replicas\":0"]),
            ..of("group.replicas", REPLICAS)
        },
        Row {
            edits: &[("replicas_per_shard: 2", "replicas_per_shard: 0")],
            seed: |seed| {
                let group = &mut seed.replication_groups[0];
                (group.engine, group.engine_version) = ("valkey".to_owned(), "9.0.0".to_owned());
                group.durability = Some("sync".to_owned());
            },
            then: fails("step", "needs a replica in each shard"),
            ..refused("group.replicas", "it is durable", REPLICAS)
        },
        of("group.shards", SHARDS),
        Row {
            seed: |seed| {
                seed.replication_groups[0].cluster_mode = false;
                seed.replication_groups[0].shards = 1;
            },
            then: fails("step", "cluster mode off"),
            ..refused("group.shards", "cluster mode is off", SHARDS)
        },
        Row {
            case: "fewer, whether or not they hold the data",
            edits: &[("shards: 3", "shards: 1")],
            found: ("step", Found::CannotKnow),
            ..of("group.shards", SHARDS)
        },
        of("group.engine", ENGINE),
        Row {
            edits: &[("'7.2'", "'6.2'")],
            then: fails("step", "cannot be downgraded"),
            ..refused("group.engine", "an older version", ENGINE)
        },
        Row {
            edits: &[("engine_version: '7.2'", "engine: valkey, engine_version: '8.0'")],
            seed: |seed| seed.replication_groups[0].parameter_group = Some("ours".to_owned()),
            then: fails("step", "create a parameter group of family valkey8"),
            ..refused("group.engine", "parameters of the old family", ENGINE)
        },
        of("group.record", REMOVAL),
        Row {
            seed: |seed| {
                seed.replication_groups[0].user_group = None;
                seed.replication_groups[0].auth_token = true;
            },
            then: fails("step", "no API tells the token"),
            ..refused("group.record", "a token that cannot be read back", REMOVAL)
        },
        of("group.name", COPY),
        Row {
            edits: &[("name: copy", "name: demo")],
            then: fails("step", "was not made by this run"),
            ..refused("group.name", "it is taken", COPY)
        },
        of("group.snapshot", COPY),
        Row {
            edits: &[("demo-earlier-00", "demo-none")],
            then: fails("step", "there is no ElastiCache snapshot \"demo-none\""),
            ..refused("group.snapshot", "there is none", COPY)
        },
        Row {
            edits: &[(
                "from_snapshot: demo-earlier-00",
                "from_snapshot: demo-earlier-00, as_recorded: true",
            )],
            then: fails("step", "do not tell what its group was like"),
            ..refused("group.snapshot", "nothing was written down", COPY)
        },
    ]
}
