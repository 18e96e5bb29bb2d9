//! Against the sandbox: read, write, plan, run.

use std::collections::BTreeMap;
use std::rc::Rc;

use orchestrate::aws;
use orchestrate::engine::journal::Rest;
use orchestrate::engine::{Cx, End, Finding, Kinds, Ledger, RunId, Verdict};
use orchestrate::init::{Failed, Options, Reader, Wanted, Written, gather};
use orchestrate::survey::Survey;
use orchestrate_sandbox::{
    EndpointFormat, Fault, FaultKind, FaultPlan, Seed, SeedAcl, SeedBucket, SeedHostedZone,
    SeedParameter, SeedRecord, SeedReplicationGroup, SeedSecret, SeedSubnetGroup, SeedUser,
    SeedUserGroup, SeedValue,
};
use serde_json::Map;

use super::{planned, written};
use crate::world::{Disturb, World, compiled, virtually};

fn user(id: &str, name: &str, access: &str) -> SeedUser {
    SeedUser {
        id: id.to_owned(),
        name: name.to_owned(),
        access_string: access.to_owned(),
        passwords: vec!["sandbox-password-of-no-value".to_owned()],
    }
}

fn endpoint(format: EndpointFormat) -> SeedValue {
    SeedValue::Endpoint { endpoint_of: "shop".to_owned(), format }
}

/// A sharded group with RBAC users, named in four places, and what its move needs.
fn shop() -> Seed {
    let parameter = |name: &str, value: SeedValue, kind: &str| SeedParameter {
        kind: kind.to_owned(),
        ..SeedParameter::new(name, value)
    };
    let fields = BTreeMap::from([
        ("host".to_owned(), endpoint(EndpointFormat::Host)),
        ("port".to_owned(), endpoint(EndpointFormat::Port)),
        ("password".to_owned(), SeedValue::Text("hunter2-hunter2-hunter2".to_owned())),
    ]);
    Seed {
        users: vec![
            user("shop-default", "default", "off -@all"),
            user("shop-app", "app", "on ~* &* +@all"),
            user(
                "shop-reader",
                "reader",
                "on ~* -@all +@read +@connection +scan +dbsize +time +info +cluster|slots +memory|usage +function|list",
            ),
        ],
        user_groups: vec![SeedUserGroup {
            id: "shop-users".to_owned(),
            users: ["shop-default", "shop-app", "shop-reader"].map(str::to_owned).to_vec(),
        }],
        replication_groups: vec![SeedReplicationGroup {
            id: "shop".to_owned(),
            shards: 2,
            cluster_mode: true,
            tls: true,
            user_group: Some("shop-users".to_owned()),
            keys: 24,
            ..SeedReplicationGroup::default()
        }],
        memorydb_users: vec![user("", "app", "on ~* &* +@all"), user("", "reader", "on ~* +@all")],
        acls: vec![SeedAcl {
            name: "shop-mdb".to_owned(),
            users: ["app", "reader"].map(str::to_owned).to_vec(),
            ..SeedAcl::default()
        }],
        subnet_groups: vec![SeedSubnetGroup {
            name: "shop-mdb".to_owned(),
            ..SeedSubnetGroup::default()
        }],
        buckets: vec![SeedBucket {
            name: "acme-move".to_owned(),
            ready_for_exports: true,
            ..SeedBucket::default()
        }],
        parameters: vec![
            parameter("/shop/redis", endpoint(EndpointFormat::HostPort), "String"),
            parameter("/shop/url", endpoint(EndpointFormat::Url), "String"),
            parameter("/shop/hidden", endpoint(EndpointFormat::Url), "SecureString"),
            parameter("/other", SeedValue::Text("db.example.com:5432".to_owned()), "String"),
        ],
        secrets: vec![
            SeedSecret::new("shop/redis", SeedValue::Object(fields)),
            SeedSecret::new(
                "shop/reader",
                SeedValue::Text("sandbox-password-of-no-value".to_owned()),
            ),
        ],
        hosted_zones: vec![SeedHostedZone {
            id: "Z0000000001".to_owned(),
            name: "internal.example.com".to_owned(),
            private: true,
            records: vec![SeedRecord {
                name: "redis.internal.example.com".to_owned(),
                kind: "CNAME".to_owned(),
                ttl: 60,
                values: vec![endpoint(EndpointFormat::Host)],
                alias: None,
                weight: None,
            }],
        }],
        ..Seed::default()
    }
}

/// A world with this seed, and a playbook written of one of its groups.
async fn looked(seed: Seed, group: &str, secrets: bool, options: &Options) -> (World, Written) {
    let world = World::seeded(compiled("quickstart", Map::new()), |there| *there = seed).await;
    let who = aws::identify(&world.aws).await.expect("the sandbox knows who we are");
    let survey = Survey::new(world.aws.clone(), world.clock.clone());
    let found = gather(&survey, &who, world.clock.now(), Wanted::Group(group), secrets).await;
    let found = found.unwrap_or_else(|failed| panic!("{failed:?}"));
    let written = written(&found, options);
    (world, written)
}

/// What every step's checks say of the world's plan.
async fn checked(world: &World) -> Vec<(String, Finding)> {
    let ledger = Rc::new(Ledger::none(world.clock.clone(), Rc::new(|_| {})));
    let run: RunId = "01h3kq7xw2".parse().expect("a run id");
    let mut all = Vec::new();
    for step in world.plan.steps() {
        let kind = world.registry.kind(&step.kind).expect("a kind");
        let cx = Cx::reading(run.clone(), &step.id, Rc::clone(&ledger), world.clock.clone());
        let findings = kind.preflight(&step.args.partial(), &cx).await;
        all.extend(findings.into_iter().map(|finding| (step.id.clone(), finding)));
    }
    all
}

fn none_will_fail(findings: &[(String, Finding)]) {
    let bad: Vec<String> = findings
        .iter()
        .filter(|(_, finding)| finding.verdict == Verdict::WillFail)
        .map(|(step, finding)| format!("{step}: {}: {}", finding.check, finding.what))
        .collect();
    assert!(!findings.is_empty() && bad.is_empty(), "{bad:#?}");
}

/// The group's own parameters cannot be carried in this sandbox; a default group stands for the one to be made.
const DEFAULTS: &str = "parameter_group=default.memorydb-redis7";

#[test]
fn a_group_is_read_planned_and_moved_by_the_playbook_that_was_written() {
    virtually(async {
        let options = Options {
            bucket: Some("acme-move".to_owned()),
            reader: Some(Reader {
                user: "reader".to_owned(),
                source_password: "secretsmanager:shop/reader".to_owned(),
                target_password: "secretsmanager:shop/reader".to_owned(),
            }),
            ..Options::default()
        };
        let (mut world, written) = looked(shop(), "shop", true, &options).await;
        assert!(world.sandbox.calls().iter().all(|call| !call.mutating), "init changed something");
        let places: Vec<&str> =
            written.targets.switched.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(
            places,
            ["/shop/redis", "/shop/url", "redis.internal.example.com", "shop/redis"]
        );
        assert!(!written.playbook.contains("hunter2"), "a secret is in the playbook");
        world.plan = planned(&written, &[DEFAULTS]);
        none_will_fail(&checked(&world).await);
        assert!(world.changes().is_empty(), "reading changed something");
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
        let state = world.sandbox.world().to_string();
        assert!(!state.contains("\"/shop/redis\":{\"value\":\"clustercfg.shop."), "{state}");
        let endpoint = done.state().playbook_outputs()["endpoint"].clone();
        assert!(state.contains(endpoint.as_str().expect("text")), "{endpoint} is not in {state}");
    });
}

#[test]
fn groups_of_every_sort_give_plans_that_nothing_stands_against() {
    type Sort = (&'static str, fn(&mut SeedReplicationGroup), &'static [&'static str]);
    let sorts: [Sort; 3] = [
        ("rbac", |_| {}, &[]),
        (
            "plain",
            |group| {
                group.user_group = None;
                group.tls = false;
                group.cluster_mode = false;
                group.shards = 1;
                group.node_type = "cache.m6g.large".to_owned();
                group.engine_version = "6.2.6".to_owned();
            },
            &["accept_lost_writes_of=shop"],
        ),
        (
            "valkey",
            |group| {
                group.engine = "valkey".to_owned();
                group.engine_version = "8.1.0".to_owned();
                group.replicas = 0;
            },
            &[],
        ),
    ];
    for (sort, change, inputs) in sorts {
        virtually(async {
            let mut seed = shop();
            change(&mut seed.replication_groups[0]);
            let options = Options { bucket: Some("acme-move".to_owned()), ..Options::default() };
            let (mut world, written) = looked(seed, "shop", false, &options).await;
            let group = match written.choice.version.value.as_str() {
                "6.2" => "parameter_group=default.memorydb-redis6",
                "7.3" => "parameter_group=default.memorydb-valkey7",
                _ => DEFAULTS,
            };
            world.plan = planned(&written, &[&[group], inputs].concat());
            println!("{sort}");
            none_will_fail(&checked(&world).await);
        });
    }
}

#[test]
fn secrets_are_read_only_when_that_is_said() {
    virtually(async {
        let (world, written) = looked(shop(), "shop", false, &Options::default()).await;
        let read = |operation: &str| {
            world.sandbox.calls().iter().filter(|call| call.operation == operation).count()
        };
        assert_eq!(read("GetSecretValue"), 0);
        assert!(written.playbook.contains("shop/redis"), "the names of secrets are shown");
        assert!(written.targets.switched.iter().all(|target| target.kind != "secret"));
        assert!(written.playbook.contains("SecureString"), "what was not read is said");
    });
}

#[test]
fn what_may_not_be_read_is_said_and_the_rest_goes_on() {
    virtually(async {
        let world =
            World::seeded(compiled("quickstart", Map::new()), |there| *there = shop()).await;
        let denied = [
            ("route53", "ListHostedZones"),
            ("ssm", "DescribeParameters"),
            ("secretsmanager", "ListSecrets"),
            ("elasticache", "DescribeUserGroups"),
        ];
        let faults = denied
            .map(|(service, operation)| Fault::new(service, operation, FaultKind::Denied).times(9));
        world.sandbox.set_faults(FaultPlan { faults: faults.to_vec(), ..FaultPlan::default() });
        let who = aws::identify(&world.aws).await.expect("the sandbox knows who we are");
        let survey = Survey::new(world.aws.clone(), world.clock.clone());
        let found = gather(&survey, &who, world.clock.now(), Wanted::Group("shop"), false).await;
        let written = written(&found.expect("the group itself is read"), &Options::default());
        for what in ["Route 53 records", "SSM parameters", "secrets", "its users"] {
            let said = written.unread.iter().any(|unread| unread.starts_with(what));
            assert!(said, "{what} is not among {:?}", written.unread);
        }
        assert!(written.playbook.contains("AccessDenied"), "AWS's word for it is in the head");
        planned(&written, &["bucket=acme-move", "endpoint_parameter=/x"]);
    });
}

#[test]
fn a_name_that_is_not_there_is_told_what_is() {
    virtually(async {
        let world =
            World::seeded(compiled("quickstart", Map::new()), |there| *there = shop()).await;
        let who = aws::identify(&world.aws).await.expect("the sandbox knows who we are");
        let survey = Survey::new(world.aws.clone(), world.clock.clone());
        let found = gather(&survey, &who, world.clock.now(), Wanted::Group("shob"), false).await;
        match found {
            Err(Failed::Missing { near, there, .. }) => {
                assert_eq!(near.as_deref(), Some("shop"));
                assert_eq!(there, ["shop"]);
            }
            other => panic!("{other:?}"),
        }
    });
}
