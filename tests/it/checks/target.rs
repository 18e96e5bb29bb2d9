//! The target of a migration: each row changes the world or the arguments, reads what the plan says of it, then runs the
//! playbook all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use orchestrate::engine::journal::Rest;
use orchestrate::engine::{Around, Cx, End, Finding, Kinds, Ledger, Upstream, Verdict};
use orchestrate::steps::checks::ALL;
use orchestrate_sandbox::{
    Fault, FaultKind, FaultPlan, Seed, SeedAcl, SeedCluster, SeedKmsKey, SeedParameterGroup,
    SeedSubnetGroup, SeedUser,
};
use serde_json::{Value, json};

use crate::world::{Disturb, Done, RUN, World, virtually, written};

/// Rows that are worked on at a time.
const LANES: usize = 4;
/// A security group that the source has.
const GROUP: &str = "sg-0123456789abcdef0";

/// Arguments of the cluster with which every check passes.
const GOOD: &[(&str, &str)] = &[
    ("name", "demo-mdb"),
    ("node_type", "db.r7g.large"),
    ("shards", "3"),
    ("replicas_per_shard", "1"),
    ("acl", "demo-acl"),
    ("engine", "valkey"),
    ("engine_version", "\"7.3\""),
    ("parameter_group", "carried"),
    ("subnet_group", "private"),
    ("security_groups", "[sg-0123456789abcdef0]"),
    ("kms_key", "alias/redis"),
    ("restore_from", "\"${{ steps.export.objects }}\""),
];

/// What comes when the plan is ignored.
enum Then {
    /// The step "cluster" fails, and says this.
    Fails(&'static [&'static str]),
    /// The run succeeds, and this holds of the world after it.
    Holds(fn(&Value) -> bool),
}

struct Row {
    check: &'static str,
    /// What is other than in `GOOD`; an empty value leaves the argument out.
    args: &'static [(&'static str, &'static str)],
    seed: fn(&mut Seed),
    /// A read that is denied while the plan is made.
    denied: Option<(&'static str, &'static str)>,
    verdict: Verdict,
    says: &'static [&'static str],
    mend: &'static str,
    then: Then,
}

const ROW: Row = Row {
    check: "",
    args: &[],
    seed: |_| {},
    denied: None,
    verdict: Verdict::WillFail,
    says: &[],
    mend: "",
    then: Then::Fails(&[]),
};

fn cluster(world: &Value) -> &Value {
    &world["memorydb"]["clusters"]["demo-mdb"]
}

fn available(world: &Value) -> bool {
    cluster(world)["status"] == "available"
}

fn users(seed: &mut Seed, access: &[(&str, &str)]) {
    seed.memorydb_users = access
        .iter()
        .map(|(name, access)| SeedUser {
            name: (*name).to_owned(),
            access_string: (*access).to_owned(),
            passwords: vec!["sandbox-password-of-no-value".to_owned()],
            ..SeedUser::default()
        })
        .collect();
    let names = access.iter().map(|(name, _)| (*name).to_owned()).collect();
    seed.acls = vec![SeedAcl { name: "demo-acl".to_owned(), users: names, ..SeedAcl::default() }];
}

const ROWS: &[Row] = &[
    Row {
        check: "target.name",
        seed: |seed| {
            let name = "demo-mdb".to_owned();
            seed.clusters.push(SeedCluster { name, ..SeedCluster::default() });
        },
        says: &["a MemoryDB cluster \"demo-mdb\" exists already"],
        mend: "aws memorydb delete-cluster --cluster-name demo-mdb",
        then: Then::Fails(&["MemoryDB cluster \"demo-mdb\""]),
        ..ROW
    },
    Row {
        check: "target.node_type",
        args: &[("node_type", "db.r7g.lage")],
        says: &["MemoryDB has no node type \"db.r7g.lage\""],
        mend: "set `node_type: db.r7g.large`, which stands for the source's",
        then: Then::Fails(&["InvalidParameterValueException", "db.r7g.lage"]),
        ..ROW
    },
    Row {
        check: "target.node_type",
        args: &[("node_type", "db.r6gd.xlarge")],
        says: &["data tiering"],
        mend: "set `node_type: db.r6g.xlarge`",
        then: Then::Fails(&["InvalidParameterCombinationException", "DataTiering"]),
        ..ROW
    },
    Row {
        check: "target.node_type",
        args: &[("node_type", "db.r99g.large")],
        seed: |seed| {
            seed.memorydb_node_types.insert("db.r99g.large".to_owned(), 14 << 30);
        },
        verdict: Verdict::Ok,
        says: &["MemoryDB reserves nodes of it"],
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.memory",
        args: &[("node_type", "db.r99g.large")],
        seed: |seed| {
            seed.memorydb_node_types.insert("db.r99g.large".to_owned(), 14 << 30);
        },
        verdict: Verdict::CannotKnow,
        says: &["no page tells how much memory db.r99g.large has"],
        mend: "BytesUsedForCache",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.memory",
        args: &[("shards", "2")],
        seed: |seed| seed.replication_groups[0].used_memory = Some(14 << 30),
        says: &[
            "28.00 GiB in 2 shards (CloudWatch, BytesUsedForCache, the highest of the 6 hours before 2026-11-23",
            "14.00 GiB in the fullest of 2 shards",
            "108 % of the 13.07 GiB that db.r7g.large holds",
        ],
        mend: "set `node_type: db.r7g.xlarge`, or `shards: 3`",
        then: Then::Fails(&["restore-failed", "do not fit"]),
        ..ROW
    },
    Row {
        check: "target.memory",
        args: &[("shards", "2")],
        seed: |seed| seed.replication_groups[0].used_memory = Some(12 << 30),
        verdict: Verdict::CannotKnow,
        says: &["92 % of", "one hot slot cannot be split"],
        mend: "`shards: 3`",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.memory",
        args: &[("shards", "1")],
        seed: |seed| seed.replication_groups[0].without_metrics = true,
        verdict: Verdict::CannotKnow,
        says: &["at most 19.61 GiB", "CloudWatch has no data of it", "no snapshot tells its size"],
        mend: "BytesUsedForCache",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.memory",
        denied: Some(("monitoring", "GetMetricData")),
        verdict: Verdict::Ok,
        says: &["at most", "CloudWatch could not be read", "AccessDenied", "51 % of"],
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.quota.nodes_per_cluster",
        args: &[("shards", "46")],
        says: &["46 × 2 nodes are 92; one cluster may have 90 (Service Quotas)"],
        mend: "aws service-quotas request-service-quota-increase --service-code memorydb",
        then: Then::Fails(&["NodeQuotaForClusterExceededFault"]),
        ..ROW
    },
    Row {
        check: "target.quota.nodes_per_cluster",
        denied: Some(("servicequotas", "ListServiceQuotas")),
        verdict: Verdict::Ok,
        says: &["90 (the documented default: Service Quotas could not be read", "AccessDenied"],
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.quota.nodes_per_region",
        seed: |seed| {
            let name = "other".to_owned();
            seed.clusters.push(SeedCluster { name, shards: 2, ..SeedCluster::default() });
            seed.memorydb_quotas.nodes_per_region = 9;
        },
        says: &["3 × 2 nodes are 6, and 4 are in use; the region may have 9"],
        mend: "--desired-value 10",
        then: Then::Fails(&["NodeQuotaForCustomerExceededFault"]),
        ..ROW
    },
    Row {
        check: "target.subnets",
        seed: |seed| seed.subnet_groups[0].zones = vec!["a".to_owned(), "a".to_owned()],
        says: &["in one availability zone, us-east-1a"],
        mend: "aws memorydb update-subnet-group --subnet-group-name private",
        then: Then::Fails(&["InvalidParameterCombinationException", "two Availability Zones"]),
        ..ROW
    },
    Row {
        check: "target.subnets",
        args: &[("replicas_per_shard", "0")],
        seed: |seed| seed.subnet_groups[0].zones = vec!["a".to_owned(), "a".to_owned()],
        verdict: Verdict::Ok,
        says: &["is in us-east-1a"],
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.subnets",
        args: &[("subnet_group", "privat")],
        seed: |seed| seed.subnet_groups.clear(),
        says: &["there is no MemoryDB subnet group \"privat\""],
        mend: "aws memorydb create-subnet-group --subnet-group-name privat",
        then: Then::Fails(&["SubnetGroupNotFoundFault"]),
        ..ROW
    },
    Row {
        check: "target.vpc",
        seed: |seed| seed.subnet_groups[0].vpc = Some("vpc-0elsewhere".to_owned()),
        verdict: Verdict::Ok,
        says: &["the source is in vpc-0sandbox and subnet group \"private\" in vpc-0elsewhere"],
        mend: "clients need a route",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.acl",
        seed: |seed| seed.acls.clear(),
        says: &["there is no MemoryDB ACL \"demo-acl\""],
        mend: "aws memorydb create-user",
        then: Then::Fails(&["there is no MemoryDB ACL \"demo-acl\""]),
        ..ROW
    },
    Row {
        check: "target.acl",
        seed: |seed| seed.acls[0].status = Some("deleting".to_owned()),
        says: &["is being deleted"],
        mend: "name another ACL",
        then: Then::Fails(&["ACL \"demo-acl\" is being deleted"]),
        ..ROW
    },
    Row {
        check: "target.acl",
        args: &[("acl", "open-access")],
        verdict: Verdict::Ok,
        says: &["no authentication"],
        mend: "aws memorydb create-acl",
        then: Then::Holds(|world| cluster(world)["acl"] == "open-access"),
        ..ROW
    },
    Row {
        check: "target.acl.users",
        seed: |seed| users(seed, &[("app", "on ~* +@read +@connection +cluster|slots")]),
        verdict: Verdict::CannotKnow,
        says: &["nobody may write under ACL \"demo-acl\""],
        mend: "aws memorydb update-user --user-name app --access-string 'on ~* &* +@all'",
        then: Then::Holds(|world| {
            world["memorydb"]["users"]["app"]["access_string"]
                == "on ~* +@read +@connection +cluster|slots"
        }),
        ..ROW
    },
    Row {
        check: "target.acl.users",
        seed: |seed| users(seed, &[("app", "on ~* &* +@all"), ("reader", "on ~* +@read")]),
        verdict: Verdict::CannotKnow,
        says: &["user \"reader\" lacks +cluster|slots", "clients cannot find the shards"],
        mend: "'on ~* +@read +cluster|slots +cluster|shards +cluster|nodes +ping +readonly'",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.acl.users",
        seed: |seed| users(seed, &[("app", "off ~* &* +@all")]),
        verdict: Verdict::CannotKnow,
        says: &["nobody may log in", "user \"app\" is off"],
        mend: "aws memorydb update-acl --acl-name demo-acl",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.acl.source_users",
        seed: |seed| users(seed, &[("app", "on ~* &* +@all")]),
        verdict: Verdict::CannotKnow,
        says: &["the source lets \"reader\" in"],
        mend: "aws memorydb create-user --user-name reader",
        then: Then::Holds(|world| world["memorydb"]["acls"]["demo-acl"]["users"] == json!(["app"])),
        ..ROW
    },
    Row {
        check: "target.parameters",
        seed: |seed| seed.parameter_groups[0].family = "memorydb_redis7".to_owned(),
        says: &["is of family memorydb_redis7, and valkey 7.3 needs memorydb_valkey7"],
        mend: "aws memorydb create-parameter-group --parameter-group-name carried-valkey7 --family memorydb_valkey7",
        then: Then::Fails(&[
            "InvalidParameterCombinationException",
            "Expected a parameter group of family memorydb_valkey7",
        ]),
        ..ROW
    },
    Row {
        check: "target.parameters",
        seed: |seed| seed.parameter_groups.clear(),
        says: &["there is no MemoryDB parameter group \"carried\""],
        mend: "aws memorydb create-parameter-group --parameter-group-name carried --family memorydb_valkey7",
        then: Then::Fails(&["ParameterGroupNotFoundFault"]),
        ..ROW
    },
    Row {
        check: "target.parameters.differences",
        args: &[("parameter_group", "")],
        seed: |seed| {
            seed.replication_groups[0].parameter_group = Some("own".to_owned());
            let set = [("timeout", "300"), ("reserved-memory-percent", "40")];
            let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
            seed.replication_groups[0].parameters = BTreeMap::from(set);
        },
        verdict: Verdict::Ok,
        says: &[
            "maxmemory-policy is \"volatile-lru\" at the source and \"noeviction\" here",
            "timeout is \"300\" at the source and \"0\" here",
            "reserved-memory-percent = 40 is dropped",
        ],
        mend: "{\"ParameterName\":\"maxmemory-policy\",\"ParameterValue\":\"volatile-lru\"},{\"ParameterName\":\"timeout\"",
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.version",
        args: &[("engine_version", "\"7.9\""), ("parameter_group", "")],
        says: &["MemoryDB offers no valkey 7.9 here"],
        mend: "engine_version: \"7.3\"",
        then: Then::Fails(&["InvalidParameterValueException", "7.9"]),
        ..ROW
    },
    Row {
        check: "target.rdb",
        seed: |seed| engine(seed, "valkey", "9.0.1"),
        says: &["valkey 9.0.1 writes VALKEY080, and no engine of MemoryDB reads that"],
        mend: "orchestrate advise",
        then: Then::Fails(&["VALKEY080", "Valkey 9"]),
        ..ROW
    },
    Row {
        check: "target.rdb",
        args: &[("engine", "redis"), ("engine_version", "\"7.1\""), ("parameter_group", "")],
        seed: |seed| engine(seed, "valkey", "8.1.0"),
        says: &["writes REDIS0011, and redis 7.1 reads up to REDIS0010"],
        mend: "`engine: valkey`",
        then: Then::Fails(&["REDIS0011", "reads RDB versions up to 10"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        seed: |seed| seed.kms_keys[0].state = "Disabled".to_owned(),
        says: &["KMS key alias/redis is not enabled: it is Disabled"],
        mend: "aws kms enable-key --key-id",
        then: Then::Fails(&["InvalidParameterValueException", "is not enabled"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        seed: |seed| seed.kms_keys[0].state = "PendingDeletion".to_owned(),
        says: &["PendingDeletion"],
        mend: "aws kms cancel-key-deletion",
        then: Then::Fails(&["InvalidParameterValueException", "PendingDeletion"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        seed: |seed| {
            seed.kms_keys[0].spec = "RSA_2048".to_owned();
            seed.kms_keys[0].usage = "SIGN_VERIFY".to_owned();
        },
        says: &["RSA_2048 for SIGN_VERIFY"],
        mend: "aws kms create-key",
        then: Then::Fails(&["InvalidParameterValueException", "symmetric"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        seed: |seed| seed.kms_keys.clear(),
        says: &["there is no KMS key alias/redis in us-east-1"],
        mend: "aws kms list-aliases",
        then: Then::Fails(&["InvalidParameterValueException", "does not exist"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        args: &[("kms_key", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd")],
        seed: |seed| seed.kms_keys.clear(),
        says: &["is in eu-west-1, and the cluster is to be in us-east-1"],
        mend: "name a key of us-east-1",
        then: Then::Fails(&["InvalidParameterValueException", "cannot be used in this Region"]),
        ..ROW
    },
    Row {
        check: "target.kms",
        denied: Some(("kms", "DescribeKey")),
        verdict: Verdict::CannotKnow,
        says: &["KMS refused DescribeKey: AccessDenied"],
        then: Then::Holds(available),
        ..ROW
    },
    Row {
        check: "target.security_groups",
        args: &[("security_groups", "[web]")],
        says: &["\"web\" is not the id of a security group"],
        mend: "aws ec2 describe-security-groups",
        then: Then::Fails(&["InvalidParameterValueException", "Invalid security group id: web"]),
        ..ROW
    },
    Row {
        check: "target.security_groups",
        args: &[("security_groups", "[sg-00000000000000000]")],
        verdict: Verdict::CannotKnow,
        says: &["whether sg-00000000000000000 exist"],
        mend: "aws ec2 describe-security-groups --group-ids sg-00000000000000000",
        then: Then::Holds(available),
        ..ROW
    },
];

fn engine(seed: &mut Seed, engine: &str, version: &str) {
    seed.replication_groups[0].engine = engine.to_owned();
    seed.replication_groups[0].engine_version = version.to_owned();
}

fn playbook(changed: &[(&str, &str)]) -> String {
    let mut args: BTreeMap<&str, &str> = GOOD.iter().copied().collect();
    args.extend(changed.iter().copied());
    let args = args.into_iter().filter(|(_, value)| !value.is_empty());
    let args: String = args.map(|(name, value)| format!("      {name}: {value}\n")).collect();
    format!(
        "playbook: v1\nname: checked\nsteps:\n  - id: snapshot\n    elasticache.create_snapshot: {{ replication_group: demo \
         }}\n  - id: export\n    elasticache.export_snapshot: {{ snapshot: \"${{{{ steps.snapshot.name }}}}\", bucket: \
         demo-migration }}\n  - id: cluster\n    memorydb.create_cluster:\n{args}"
    )
}

/// The world in which `GOOD` passes, changed.
async fn world(args: &[(&str, &str)], change: fn(&mut Seed)) -> World {
    World::seeded(written(&playbook(args)), |seed| {
        seed.replication_groups[0].security_groups = vec![GROUP.to_owned()];
        seed.subnet_groups =
            vec![SeedSubnetGroup { name: "private".to_owned(), ..SeedSubnetGroup::default() }];
        seed.parameter_groups = vec![SeedParameterGroup {
            name: "carried".to_owned(),
            family: "memorydb_valkey7".to_owned(),
            values: BTreeMap::from([("maxmemory-policy".to_owned(), "volatile-lru".to_owned())]),
        }];
        seed.kms_keys = vec![SeedKmsKey {
            id: "1234abcd-0000-4000-a000-000000000000".to_owned(),
            alias: Some("alias/redis".to_owned()),
            ..SeedKmsKey::default()
        }];
        change(seed);
    })
    .await
}

/// What reading says of the step "cluster", with other arguments if some are given.
async fn read(world: &World, args: Option<Value>) -> Vec<Finding> {
    let step = world.plan.steps().find(|step| step.id == "cluster").expect("the step is there");
    let ledger = Rc::new(Ledger::none(world.clock.clone(), Rc::new(|_| {})));
    let run = RUN.parse().expect("a run id");
    let mut cx = Cx::reading(run, "cluster", ledger, world.clock.clone());
    let upstream = world.plan.upstream(step).into_iter().map(|from| Upstream {
        step: from.id.clone(),
        kind: from.kind.clone(),
        args: from.args.partial(),
    });
    cx.around = Around { upstream: upstream.collect(), ..Around::default() };
    let kind = world.registry.kind("memorydb.create_cluster").expect("the kind is there");
    kind.preflight(&args.unwrap_or_else(|| step.args.partial()), &cx).await
}

fn failed(done: &Done, words: &[&str]) -> Result<(), String> {
    let state = done.state();
    let Some((step, _)) = state.failed() else {
        return Err(format!("no step failed: {:?}", done.end));
    };
    if step.id != "cluster" {
        return Err(format!("step {} failed", step.id));
    }
    let story = done.story();
    match words.iter().find(|word| !story.contains(*word)) {
        Some(word) => Err(format!("the failure does not say {word:?}:\n{story}")),
        None => Ok(()),
    }
}

async fn hold(row: &Row) -> Result<(), String> {
    let world = world(row.args, row.seed).await;
    if let Some((service, operation)) = row.denied {
        let fault = Fault::new(service, operation, FaultKind::Denied).times(u32::MAX);
        world.sandbox.set_faults(FaultPlan::of([fault]));
    }
    let before = world.sandbox.calls().len();
    let findings = read(&world, None).await;
    if let Some(call) = world.sandbox.calls()[before..].iter().find(|call| call.mutating) {
        return Err(format!("reading made a change: {} {}", call.service, call.operation));
    }
    world.sandbox.set_faults(FaultPlan::default());
    let found: Vec<&Finding> = findings.iter().filter(|f| f.check == row.check).collect();
    let [found] = found[..] else { return Err(format!("{} findings: {findings:#?}", found.len())) };
    if found.verdict != row.verdict {
        return Err(format!("{found:?}"));
    }
    if let Some(word) = row.says.iter().find(|word| !found.what.contains(**word)) {
        return Err(format!("it does not say {word:?}: {}", found.what));
    }
    super::region_missing(found)?;
    let mend = found.mend.clone().unwrap_or_default();
    if !mend.contains(row.mend) || (row.verdict == Verdict::WillFail && mend.is_empty()) {
        return Err(format!("the mend does not say {:?}: {mend}", row.mend));
    }
    let done = world.run(&Disturb::default()).await;
    match row.then {
        Then::Fails(words) => failed(&done, words),
        Then::Holds(holds) => {
            if done.end != End::Rest(Rest::Succeeded) {
                return Err(format!("{:?}\n{}", done.end, done.story()));
            }
            let after = world.sandbox.world();
            holds(&after).then_some(()).ok_or_else(|| format!("it does not hold: {after}"))
        }
    }
}

#[test]
fn what_the_plan_says_of_the_target_is_what_comes_when_it_is_ignored() {
    let check = |(index, row): (usize, &Row)| {
        let held = virtually(hold(row));
        held.err().map(|error| format!("row {index}, {}: {error}", row.check))
    };
    // Each row is a world of its own; some at a time.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                let rows = ROWS.iter().enumerate().skip(lane).step_by(LANES);
                scope.spawn(move || rows.filter_map(check).collect::<Vec<_>>())
            })
            .collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("no row panics")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Every check is silent about the good world, and has a row that it is not silent about.
#[test]
fn every_check_of_the_target_has_a_failing_and_a_passing_form() {
    let own = || ALL.iter().map(|(name, _)| *name).filter(|name| name.starts_with("target."));
    virtually(async {
        let world = world(&[], |_| {}).await;
        let findings = read(&world, None).await;
        for name in own() {
            let plain =
                |f: &&Finding| f.check == name && f.verdict == Verdict::Ok && f.mend.is_none();
            assert!(findings.iter().any(|f| plain(&f)), "{name}: {findings:#?}");
        }
        let known: BTreeSet<&str> = ALL.iter().map(|(name, _)| *name).collect();
        for finding in &findings {
            assert!(known.contains(finding.check.as_ref()), "{} is not registered", finding.check);
            // Facts that change by themselves would refuse every saved plan.
            let seen = serde_json::to_string(&finding.seen).expect("JSON");
            assert!(!seen.contains("2026-"), "{}: {seen}", finding.check);
        }
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
    });
    // `target.arguments` has a test of its own: no playbook with arguments that do not fit compiles.
    let speaks = |row: &&Row| row.verdict != Verdict::Ok || !row.mend.is_empty();
    let rows: BTreeSet<&str> = ROWS.iter().filter(speaks).map(|row| row.check).collect();
    let silent: Vec<&str> =
        own().filter(|name| *name != "target.arguments" && !rows.contains(name)).collect();
    assert!(silent.is_empty(), "no row for {silent:?}");
}

/// Such arguments can come from a saved plan alone; the step refuses them in the same words.
#[test]
fn arguments_that_do_not_fit_are_refused_as_the_plan_says() {
    virtually(async {
        let world = world(&[], |_| {}).await;
        let mut args: Value = world.plan.step("cluster").expect("a step").args.partial();
        args["tls"] = json!(false);
        args["restore_from"] = json!(["arn:aws:s3:::demo-migration/x.rdb"]);
        let findings = read(&world, Some(args.clone())).await;
        let found = findings.iter().find(|f| f.check == "target.arguments").expect("a finding");
        assert_eq!(found.verdict, Verdict::WillFail);
        assert!(found.mend.is_some());
        let kind = world.registry.kind("memorydb.create_cluster").expect("the kind is there");
        let ledger = Rc::new(Ledger::none(world.clock.clone(), Rc::new(|_| {})));
        let run = RUN.parse().expect("a run id");
        let cx = Cx::reading(run, "cluster", ledger, world.clock.clone());
        let failure = kind.prepare(&args, &cx).await.expect_err("it is refused");
        assert!(failure.to_string().contains(&found.what), "{failure}\n{}", found.what);
    });
}

/// A serverless cache has metrics under its own name, and tells no size otherwise.
#[test]
fn the_memory_of_a_serverless_cache_is_known_too() {
    virtually(async {
        let world = World::before("serverless-to-memorydb").await;
        let findings = read(&world, None).await;
        let found = findings.iter().find(|f| f.check == "target.memory").expect("a finding");
        assert_eq!(found.verdict, Verdict::Ok, "{found:?}");
        assert!(found.what.contains("CloudWatch, BytesUsedForCache"), "{}", found.what);
        let denied = Fault::new("monitoring", "GetMetricData", FaultKind::Denied).times(u32::MAX);
        world.sandbox.set_faults(FaultPlan::of([denied]));
        let findings = read(&world, None).await;
        let found = findings.iter().find(|f| f.check == "target.memory").expect("a finding");
        assert_eq!(found.verdict, Verdict::CannotKnow, "{found:?}");
        assert!(found.what.contains("CloudWatch could not be read"), "{}", found.what);
    });
}

/// Without metrics the newest snapshot tells, and says of when it is.
#[test]
fn a_snapshot_tells_how_much_memory_is_used_where_cloudwatch_does_not() {
    virtually(async {
        let world = world(&[("shards", "2")], |seed| {
            seed.replication_groups[0].without_metrics = true;
            seed.replication_groups[0].used_memory = Some(14 << 30);
        })
        .await;
        let create = world.aws.elasticache.create_snapshot().snapshot_name("nightly");
        create.replication_group_id("demo").send().await.expect("a snapshot");
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        let findings = read(&world, None).await;
        let found = findings.iter().find(|f| f.check == "target.memory").expect("a finding");
        assert_eq!(found.verdict, Verdict::WillFail, "{found:?}");
        assert!(found.what.contains("snapshot \"nightly\" of 2026-11-23"), "{}", found.what);
        let done = world.run(&Disturb::default()).await;
        failed(&done, &["restore-failed", "do not fit"]).unwrap_or_else(|e| panic!("{e}"));
    });
}
