//! What the runbooks of MemoryDB make and change.

use orchestrate_sandbox::{Seed, SeedSecret, SeedUser, SeedValue};

use super::{Found, Row, fails};

const MAKE: &str = "
playbook: v1
name: checked
steps:
  - id: secret
    secretsmanager.create_secret: { name: demo/users, generate: [app] }
  - id: user
    memorydb.create_user: { name: maker, access: 'on ~* +@all', iam: true }
";

const UPDATE: &str = "
playbook: v1
name: checked
steps:
  - id: scale
    memorydb.update_cluster: { name: demo, node_type: db.r7g.xlarge, engine_version: '7.1' }
";

const FAIL_OVER: &str = "
playbook: v1
name: checked
steps:
  - id: drill
    memorydb.failover_shard: { cluster: demo }
";

fn user(seed: &mut Seed) {
    seed.memorydb_users.push(SeedUser {
        name: "maker".to_owned(),
        access_string: "on ~* +@read".to_owned(),
        ..SeedUser::default()
    });
}

fn of(check: &'static str, playbook: &'static str, step: &'static str) -> Row {
    Row { check, playbook, found: (step, Found::Ok), ..Row::default() }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        of("made.name", MAKE, "secret"),
        of("made.name", MAKE, "user"),
        Row {
            case: "a user of somebody else",
            seed: user,
            found: ("user", Found::WillFail),
            then: fails("user", "exists already and was not made by this run"),
            ..of("made.name", MAKE, "user")
        },
        Row {
            case: "one that is to be adopted and is another",
            edits: &[("iam: true }", "iam: true, adopt: true }")],
            seed: user,
            found: ("user", Found::WillFail),
            then: fails("user", "intended is \"on ~* +@all\""),
            ..of("made.name", MAKE, "user")
        },
        Row {
            case: "a secret that is about to be deleted",
            seed: |seed| {
                let mut secret = SeedSecret::new("demo/users", SeedValue::Text("x".to_owned()));
                secret.deleted = true;
                seed.secrets.push(secret);
            },
            found: ("secret", Found::WillFail),
            then: fails("secret", "is scheduled for deletion"),
            ..of("made.name", MAKE, "secret")
        },
        of("update.state", UPDATE, "scale"),
        Row {
            case: "no such cluster",
            seed: |seed| seed.clusters.clear(),
            found: ("scale", Found::WillFail),
            then: fails("scale", "there is no MemoryDB cluster"),
            ..of("update.state", UPDATE, "scale")
        },
        of("update.node_type", UPDATE, "scale"),
        Row {
            case: "a node type that keeps data on disk",
            edits: &[("db.r7g.xlarge", "db.r6gd.xlarge")],
            found: ("scale", Found::WillFail),
            then: fails("scale", "DataTiering must be enabled"),
            ..of("update.node_type", UPDATE, "scale")
        },
        of("update.engine", UPDATE, "scale"),
        Row {
            case: "a version that is older",
            edits: &[("'7.1'", "'6.2'")],
            found: ("scale", Found::WillFail),
            then: fails("scale", "never downgraded"),
            ..of("update.engine", UPDATE, "scale")
        },
        of("failover.replicas", FAIL_OVER, "drill"),
        Row {
            case: "a shard alone",
            seed: |seed| seed.clusters[0].replicas = 0,
            found: ("drill", Found::WillFail),
            then: fails("drill", "has no replica"),
            ..of("failover.replicas", FAIL_OVER, "drill")
        },
        of("failover.budget", FAIL_OVER, "drill"),
        Row {
            case: "five were called today",
            seed: |seed| seed.clusters[0].failovers_today = 5,
            found: ("drill", Found::WillFail),
            then: fails("drill", "APICallRateForCustomerExceededFault"),
            ..of("failover.budget", FAIL_OVER, "drill")
        },
    ]
}
