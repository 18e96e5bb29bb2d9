//! What is emitted for small plans, in full.

use serde_json::{Map, Value, json};

use super::*;
use crate::plan::{GivenInputs, Plan, compile};
use crate::playbook::Source;
use crate::steps::{catalog, declared};

fn plan(steps: &str) -> Plan {
    let text = format!("playbook: v1\nname: small\nsteps:\n{steps}");
    let given = GivenInputs { arguments: Vec::new(), file: None, earlier: Map::new() };
    compile(&Source::new("small.yaml".to_owned(), text), &catalog(), &given)
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn here() -> Place {
    Place::new(Some("eu-west-1"), Some("123456789012"))
}

fn found(steps: &str) -> Vec<(String, String)> {
    let grants = grants(&plan(steps), &|kind| declared(kind), &here());
    grants.into_iter().map(|grant| (grant.action, grant.resource)).collect()
}

#[track_caller]
fn has(found: &[(String, String)], action: &str, resources: &[&str]) {
    let of: Vec<&str> =
        found.iter().filter(|(a, _)| a == action).map(|(_, r)| r.as_str()).collect();
    assert_eq!(of, resources, "{action}");
}

const MIGRATION: &str = "
  - id: freeze
    elasticache.freeze_writes: { replication_group: Prod }
  - id: snapshot
    elasticache.create_snapshot: { replication_group: Prod }
  - id: export
    elasticache.export_snapshot: { snapshot: \"${{ steps.snapshot.name }}\", bucket: hand-off }
  - id: cluster
    memorydb.create_cluster:
      name: Prod-MDB
      node_type: db.r7g.large
      acl: App
      restore_from: \"${{ steps.export.objects }}\"
";

#[test]
fn names_are_lower_case_and_what_the_run_makes_up_is_a_pattern() {
    let found = found(MIGRATION);
    let ec = "arn:aws:elasticache:eu-west-1:123456789012";
    let mdb = "arn:aws:memorydb:eu-west-1:123456789012";
    let made = format!("{ec}:snapshot:orc-*-snapshot*");
    has(
        &found,
        "elasticache:CreateSnapshot",
        &[&format!("{ec}:replicationgroup:prod"), &format!("{ec}:cluster:prod-*"), &made],
    );
    has(&found, "elasticache:AddTagsToResource", &[&made]);
    has(&found, "elasticache:CopySnapshot", &[&made, &format!("{ec}:snapshot:orc-*-export*")]);
    has(&found, "s3:ListAllMyBuckets", &["*"]);
    has(&found, "s3:ListBucket", &["arn:aws:s3:::hand-off"]);
    has(
        &found,
        "memorydb:CreateCluster",
        &[
            &format!("{mdb}:cluster/prod-mdb"),
            &format!("{mdb}:acl/app"),
            &format!("{mdb}:subnetgroup/default"),
            &format!("{mdb}:parametergroup/default.*"),
        ],
    );
}

#[test]
fn the_caller_may_read_each_file_of_a_restore_and_no_other() {
    let alone = "
  - id: cluster
    memorydb.create_cluster:
      name: a
      node_type: db.r7g.large
      acl: app
      restore_from: [\"arn:aws:s3:::old/x-0001.rdb\", \"arn:aws:s3:::old/x-0002.rdb\"]
";
    let found = found(alone);
    let files = ["arn:aws:s3:::old/x-0001.rdb", "arn:aws:s3:::old/x-0002.rdb"];
    has(&found, "s3:GetObject", &files);
    has(&found, "s3:ListBucket", &["arn:aws:s3:::old"]);
    has(&found, "s3:PutObject", &[]);
}

#[test]
fn every_sort_of_target_has_its_own_arn() {
    let found = found(
        "
  - id: switch
    endpoint.swap:
      to: new.example.com:6379
      targets:
        - ssm_parameter: /app/Redis
        - secret: app/redis
          format: host_port
        - secret: \"arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf\"
        - route53_record: Redis.Example.com.
          zone: /hostedzone/Z1
",
    );
    has(&found, "ssm:PutParameter", &["arn:aws:ssm:eu-west-1:123456789012:parameter/app/Redis"]);
    has(
        &found,
        "secretsmanager:PutSecretValue",
        &[
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/redis-??????",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-AbCdEf",
        ],
    );
    has(&found, "route53:ChangeResourceRecordSets", &["arn:aws:route53:::hostedzone/Z1"]);
    has(&found, "route53:GetChange", &["arn:aws:route53:::change/*"]);
}

#[test]
fn what_is_not_given_is_not_granted() {
    let lost = "
  - id: freeze
    elasticache.freeze_writes: { replication_group: prod, accept_lost_writes_of: prod }
";
    assert_eq!(found(lost), []);
    let compare = "
  - id: compare
    redis.compare:
      source: { endpoint: \"a:1\", password: \"ssm:/a/b\" }
      target: { endpoint: \"b:1\", password: \"secretsmanager:c#d\" }
";
    let found = found(compare);
    let expected = [
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:c-??????",
        ),
        ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b"),
        // For the plan alone: who may do what it takes.
        ("elasticache:DescribeReplicationGroups", "*"),
        ("elasticache:DescribeCacheClusters", "*"),
        ("elasticache:DescribeUserGroups", "*"),
        ("elasticache:DescribeUsers", "*"),
        ("memorydb:DescribeACLs", "*"),
        ("memorydb:DescribeUsers", "*"),
    ];
    assert_eq!(found, expected.map(|(a, r)| (a.to_owned(), r.to_owned())));
}

#[test]
fn a_star_in_a_playbook_widens_nothing() {
    let found = found(
        "
  - id: switch
    endpoint.swap: { to: \"a.example.com:6379\", targets: [{ ssm_parameter: \"/a*\" }] }
",
    );
    has(&found, "ssm:PutParameter", &["arn:aws:ssm:eu-west-1:123456789012:parameter/a${*}"]);
}

/// Each action with each resource that policies allow it on, in order.
fn pairs(policies: &[Policy]) -> Vec<(String, String)> {
    let statements = policies.iter().flat_map(|policy| &policy.statements);
    let mut pairs: Vec<_> = statements
        .filter(|statement| statement.sid != "AskThePolicySimulator")
        .flat_map(|s| {
            s.actions.iter().flat_map(|a| s.resources.iter().map(|r| (a.clone(), r.clone())))
        })
        .collect();
    pairs.sort();
    pairs
}

fn emitted(steps: &str) -> Vec<Policy> {
    let grants = grants(&plan(steps), &|kind| declared(kind), &here());
    policies(&grants, vec![simulator_statement(None, &here())])
}

#[test]
fn statements_grant_what_the_grants_say_and_no_more() {
    let mut granted = found(MIGRATION);
    granted.sort();
    assert_eq!(pairs(&emitted(MIGRATION)), granted);
}

#[test]
fn ids_say_what_a_statement_is_for_and_are_what_iam_takes() {
    let policies = emitted(MIGRATION);
    let sids: Vec<&str> =
        policies.iter().flat_map(|p| &p.statements).map(|s| s.sid.as_str()).collect();
    for wanted in [
        "ElastiCacheCreateSnapshot",
        "ElastiCacheRollBackDeleteSnapshot",
        "S3ListAllMyBuckets",
        "IamCreateServiceLinkedRole",
        "AskThePolicySimulator",
    ] {
        assert!(sids.contains(&wanted), "{wanted} is not in {sids:?}");
    }
    let mut once = sids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), sids.len(), "{sids:?}");
    assert!(sids.iter().all(|sid| sid.bytes().all(|b| b.is_ascii_alphanumeric())), "{sids:?}");
    assert!(policies.iter().all(|policy| policy.size() <= LIMIT));
}

#[test]
fn a_policy_that_is_too_large_becomes_several_that_say_the_same() {
    let secrets: String = (0..200)
        .map(|n| format!("\n        - secret: an/endpoint/with/quite/a/long/name/{n}"))
        .collect();
    let steps = format!(
        "\n  - id: switch\n    endpoint.swap:\n      to: new.example.com:6379\n      targets:{secrets}\n"
    );
    let policies = emitted(&steps);
    assert!(policies.len() > 3, "{}", policies.len());
    assert!(policies.iter().all(|policy| policy.size() <= LIMIT));
    let stated = pairs(&policies);
    let mut granted = found(&steps);
    granted.sort();
    assert_eq!(stated, granted);
}

#[test]
fn the_bucket_s_policy_names_both_services_of_the_region() {
    let plan = plan(MIGRATION);
    let buckets = bucket_policies(&plan, &|kind| declared(kind), &here()).unwrap();
    assert_eq!(buckets.len(), 1);
    let resources = ["arn:aws:s3:::hand-off", "arn:aws:s3:::hand-off/*"];
    let expected = json!({"Version": "2012-10-17", "Statement": [
        {
            "Sid": "LetElastiCacheIn",
            "Effect": "Allow",
            "Principal": {"Service": "eu-west-1.elasticache-snapshot.amazonaws.com"},
            "Action": [
                "s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl",
                "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads",
            ],
            "Resource": resources,
        },
        {
            "Sid": "LetMemoryDBIn",
            "Effect": "Allow",
            "Principal": {"Service": "eu-west-1.memorydb-snapshot.amazonaws.com"},
            "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl"],
            "Resource": resources,
        },
    ]});
    assert_eq!(buckets[0].policy.json(), expected);
    let anywhere = Place::new(None, None);
    assert_eq!(bucket_policies(&plan, &|kind| declared(kind), &anywhere), None);
}

#[test]
fn a_template_holds_the_same_document() {
    let policies = emitted(MIGRATION);
    let json: Value = serde_json::from_str(&format::json(&policies)).unwrap();
    assert_eq!(json, policies[0].json());
    let template: Value =
        serde_json::from_str(&format::cloudformation("small", &policies)).unwrap();
    let resource = &template["Resources"]["OrchestratePolicy"];
    assert_eq!(resource["Type"], "AWS::IAM::ManagedPolicy");
    assert_eq!(resource["Properties"]["PolicyDocument"], json);
}
