//! What `validate` finds by the kinds' own rules.

use crate::plan;
use crate::playbook::{Code, Source};

fn problems(steps: &str) -> crate::playbook::Diagnostics {
    let text = format!(
        "playbook: v1\nname: t\ninputs: {{ n: {{ type: string, description: d }} }}\noutputs: {{ n: \"${{{{ inputs.n }}}}\" }}\nsteps:\n{steps}"
    );
    plan::check(&Source::new("p.yaml", text), &super::catalog()).1
}

/// One step's problems, each as `code line:column message`.
fn found(kind: &str, args: &str) -> Vec<String> {
    let problems = problems(&format!("  - id: a\n    {kind}: {{ {args} }}\n"));
    problems
        .entries()
        .into_iter()
        // Whether writes are lost is another matter.
        .filter(|entry| entry.code != Code::WritesLost)
        .map(|entry| format!("{} {}:{} {}", entry.code, entry.line, entry.column, entry.message))
        .collect()
}

#[test]
fn rules_of_the_kinds_are_told_where_they_are_broken() {
    let shown: Vec<String> = [
        ("pause", "for: \"10\""),
        ("pause", "for: 31d"),
        ("pause", ""),
        ("pause", "for: 10m, message: hi"),
        ("approve", "message: go, within: \"5\""),
        ("endpoint.swap", "to: new.example.com, targets: [{ ssm_parameter: /a }]"),
        ("endpoint.swap", "to: \"a.b:1\", targets: [{ ssm_parameter: /a }, { format: host }]"),
        ("endpoint.swap", "to: \"a.b:1\", targets: [{ ssm_parameter: /a, secret: b }]"),
        ("endpoint.swap", "to: \"a.b:1\", targets: [{ secret: b }, { secret: b }]"),
        ("endpoint.swap", "to: \"a.b:1\", settle: \"9\", targets: [{ secret: b }]"),
        ("redis.compare", "source: { endpoint: a }, target: { endpoint: \"b:1\" }"),
        ("redis.compare", "source: { endpoint: \"b:1\" }, target: { endpoint: \"b:1\" }"),
        (
            "redis.compare",
            "source: { endpoint: \"a:1\", password: hunter2 }, target: { endpoint: \"b:1\" }",
        ),
        (
            "redis.compare",
            "source: { endpoint: \"a:1\" }, target: { endpoint: \"b:1\" }, ttl_tolerance: \"1\"",
        ),
        ("memorydb.create_cluster", "name: a--b, node_type: cache.r7g.large, acl: a"),
        (
            "memorydb.create_cluster",
            "name: a, node_type: db.a, acl: a, shards: 0, replicas_per_shard: 9, tls: false",
        ),
        (
            "memorydb.create_cluster",
            "name: a, node_type: db.a, acl: a, restore_from: [x], restore_from_snapshot: y",
        ),
        ("memorydb.create_cluster", "name: a, node_type: db.a, acl: a, engine: keydb"),
        (
            "memorydb.create_cluster",
            "name: a, node_type: db.a, acl: a, engine_version: \"7\", tags: { \"orchestrate:a\": b }",
        ),
        ("elasticache.create_snapshot", "replication_group: g, name: 1a"),
        ("elasticache.export_snapshot", "snapshot: s, bucket: exports, target_name: a/b"),
        ("elasticache.freeze_writes", "accept_lost_writes_of: g"),
        ("elasticache.thaw_writes", "replication_group: g, serverless_cache: c, users: []"),
        ("elasticache.create_serverless_snapshot", "serverless_cache: c, name: 1a"),
        ("elasticache.delete_serverless_snapshot", "snapshot: a_b"),
        ("elasticache.delete_snapshot", "snapshot: automatic.prod"),
        ("elasticache.delete_snapshot", "snapshot: a_b"),
        ("memorydb.delete_cluster", "name: a_b, final_snapshot: \"\""),
        ("s3.delete_objects", "objects: [\"arn:aws:s3:::b/a.rdb\", \"s3://b/a.rdb\"]"),
    ]
    .into_iter()
    .flat_map(|(kind, args)| {
        let found = found(kind, args);
        assert!(!found.is_empty(), "{kind}: {args}");
        found
    })
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r###"
    P0026 7:19 `10` is not a duration
    P0032 7:19 `for` is longer than 30 days
    P0032 7:5 a pause has either `for` or `message`
    P0032 7:33 a pause has either `for` or `message`
    P0026 7:37 `5` is not a duration
    P0032 7:26 `to` is "new.example.com", not host:port: it has no port
    P0032 7:68 a target is exactly one of `ssm_parameter`, `secret` and `route53_record`
    P0032 7:45 a target is exactly one of `ssm_parameter`, `secret` and `route53_record`
    P0032 7:60 secret "b" is a target twice
    P0026 7:43 `9` is not a duration
    P0032 7:42 "a" is no endpoint
    P0032 7:71 source and target are the same endpoint, and comparing it with itself proves nothing
    P0032 7:59 the source's password is no reference: a secret is named as `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or `ssm:<name>`; this names no service
    P0026 7:95 `1` is not a duration
    P0032 7:38 cluster name "a--b" cannot be used: it may not end with a hyphen or hold two in a row
    P0032 7:55 "cache.r7g.large" is not a MemoryDB node type
    P0032 7:74 `shards` is 0; one is the least
    P0032 7:97 `replicas_per_shard` is 9; 5 is the most
    P0032 7:105 `tls: false` goes with `acl: open-access` only, and the ACL is "a"
    P0032 7:108 `restore_from` and `restore_from_snapshot` cannot both be given
    P0023 7:74 `engine` cannot be `keydb`
    P0032 7:82 `engine_version` "7" is not major.minor
    P0032 7:93 tag "orchestrate:a": tags that begin with orchestrate: are this program's own
    P0032 7:64 snapshot name "1a" cannot be used: it must begin with a letter
    P0032 7:79 `target_name` "a/b" cannot be used: 1 to 200 letters, digits, hyphens, underscores and dots are allowed
    P0032 7:5 a source is either a `replication_group` or a `serverless_cache`
    P0032 7:72 a source is either a `replication_group` or a `serverless_cache`
    P0032 7:74 snapshot name "1a" cannot be used: it must begin with a letter
    P0032 7:57 snapshot name "a_b" cannot be used: it may hold letters, digits and hyphens only
    P0032 7:46 snapshot "automatic.prod" is an automatic one and is not deleted
    P0032 7:46 snapshot name "a_b" cannot be used: it may hold letters, digits and hyphens only
    P0032 7:38 cluster name "a_b" cannot be used: it may hold letters, digits and hyphens only
    P0032 7:59 final snapshot name "" cannot be used: it must have 1 to 255 characters
    P0032 7:60 "s3://b/a.rdb" is not deleted: it is not the ARN of an S3 object
    "###);
}

#[test]
fn of_what_is_not_known_yet_nothing_is_said() {
    let x = "\"${{ inputs.n }}\"";
    for (kind, args) in [
        ("pause", format!("for: {x}")),
        ("pause", format!("for: {x}, message: {x}")),
        ("endpoint.swap", format!("to: {x}, targets: [{{ ssm_parameter: {x} }}]")),
        (
            "endpoint.swap",
            "to: \"${{ inputs.n }}:1\", targets: [{ route53_record: a, zone: \"${{ inputs.n }}\" }]"
                .to_owned(),
        ),
        (
            "redis.compare",
            format!("source: {{ endpoint: {x}, password: {x} }}, target: {{ endpoint: {x} }}"),
        ),
        (
            "memorydb.create_cluster",
            format!("name: {x}, node_type: {x}, acl: {x}, tls: false, restore_from_snapshot: {x}"),
        ),
        ("elasticache.create_snapshot", format!("replication_group: {x}, name: {x}")),
        ("elasticache.export_snapshot", format!("snapshot: {x}, bucket: {x}, target_name: {x}")),
        ("elasticache.freeze_writes", format!("replication_group: {x}, serverless_cache: {x}")),
        ("elasticache.create_serverless_snapshot", format!("serverless_cache: {x}, name: {x}")),
        ("elasticache.export_serverless_snapshot", format!("snapshot: {x}, bucket: {x}")),
        ("elasticache.delete_serverless_snapshot", format!("snapshot: {x}")),
        ("elasticache.delete_snapshot", format!("snapshot: {x}")),
        ("memorydb.delete_cluster", format!("name: {x}, final_snapshot: {x}")),
        ("s3.delete_objects", format!("objects: [{x}]")),
    ] {
        assert_eq!(found(kind, &args), [""; 0], "{kind}: {args}");
    }
}

#[test]
fn a_password_written_out_is_not_repeated() {
    let problems = problems(
        "  - id: a\n    redis.compare:\n      source: { endpoint: \"a\", password: hünter2 }\n      target: { \
         endpoint: \"b:1\", password: \"other one\" }\n",
    );
    let shown = problems.render(false);
    assert!(!shown.contains("nter2") && !shown.contains("other one"), "{shown}");
    insta::assert_snapshot!(shown, @r###"
    error[P0032]: "a" is no endpoint
     --> p.yaml:8:27
      |
    8 |       source: { endpoint: "a", password: ******** }
      |                           ^^^
      |
      = help: write it as `host:port`

    error[P0032]: the source's password is no reference: a secret is named as `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or `ssm:<name>`; this names no service
     --> p.yaml:8:42
      |
    8 |       source: { endpoint: "a", password: ******** }
      |                                          ^^^^^^^^
      |
      = help: keep the password in Secrets Manager or Parameter Store and name it here; one that stood in a file should be changed

    error[P0032]: the target's password is no reference: a secret is named as `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or `ssm:<name>`; this names no service
     --> p.yaml:9:44
      |
    9 |       target: { endpoint: "b:1", password: *********** }
      |                                            ^^^^^^^^^^^
      |
      = help: keep the password in Secrets Manager or Parameter Store and name it here; one that stood in a file should be changed
    "###);
}
