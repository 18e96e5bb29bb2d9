//! What AWS does to a migration, and what the run says and leaves: refusals, dead ends, long waits, chance.

use orchestrate::engine::End;
use orchestrate::engine::journal::{Record, Rest};
use orchestrate::report::{Place, Style, render_summary};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, RandomFaults, Seed};
use serde_json::{Value, json};

use crate::harness::{intent_before_call, same, succeeded};
use crate::meanwhile::{Meanwhile, When};
use crate::world::{Disturb, Done, World, virtually, written};

/// What the person reads at the end.
fn summary(done: &Done) -> String {
    let place = Place { journal: "run.jsonl".to_owned(), flags: String::new() };
    render_summary(&done.state(), &place, false, Style::default())
}

fn terminal(state: &str, reason: &str) -> FaultKind {
    FaultKind::TerminalState { state: state.to_owned(), reason: reason.to_owned() }
}

/// The quickstart in a changed world with faults, which must come back to a clean slate and say these words.
async fn comes_back(change: impl FnOnce(&mut Seed), faults: Vec<Fault>, words: &[&str]) -> Done {
    let world = World::changed(change).await;
    let clean = world.sandbox.world();
    world.sandbox.set_faults(FaultPlan::of(faults));
    let done = world.run(&Disturb::default()).await;
    assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
    same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}\n{}", done.story()));
    for word in words {
        assert!(summary(&done).contains(word), "no \"{word}\" in\n{}", summary(&done));
    }
    done
}

#[test]
fn a_failed_restore_ends_with_memorydb_s_own_reason() {
    let fault = terminal("restore-failed", "OOM command not allowed");
    let fault = Fault::new("memorydb", "CreateCluster", fault);
    virtually(comes_back(|_| {}, vec![fault], &["restore-failed", "OOM command not allowed"]));
}

#[test]
fn a_failed_snapshot_ends_with_elasticache_s_own_reason() {
    let fault =
        Fault::new("elasticache", "CreateSnapshot", terminal("failed", "too little memory"));
    virtually(comes_back(|_| {}, vec![fault], &["ended as failed", "too little memory"]));
}

/// Last night's backup failed; the export that loses a file tonight is not to be blamed on its reason unmarked.
#[test]
fn a_reason_that_is_of_something_else_is_told_as_such() {
    virtually(async {
        let world = World::before("quickstart").await;
        let broken = Fault::new("elasticache", "CreateSnapshot", terminal("failed", "no memory"));
        world.sandbox.set_faults(FaultPlan::of([broken]));
        let request = world.aws.elasticache.create_snapshot().snapshot_name("nightly");
        request.replication_group_id("demo").send().await.expect("a snapshot");
        world.clock.sleep(std::time::Duration::from_secs(1800)).await;
        let missing = Fault::new("elasticache", "CopySnapshot", FaultKind::MissingObjects);
        world.sandbox.set_faults(FaultPlan::of([missing]));
        let said = summary(&world.run(&Disturb::default()).await);
        assert!(said.contains("objects are missing"), "{said}");
        assert!(!said.contains("no memory") || said.contains("it does not name"), "{said}");
    });
}

#[test]
fn an_export_that_comes_back_without_all_files_is_no_export() {
    let fault = Fault::new("elasticache", "CopySnapshot", FaultKind::MissingObjects);
    virtually(comes_back(|_| {}, vec![fault], &["1 of 2 objects are missing"]));
}

#[test]
fn a_bucket_under_kms_or_without_policy_is_refused_before_the_export() {
    virtually(comes_back(
        |seed| seed.buckets[0].kms_key = Some("key".to_owned()),
        Vec::new(),
        &["encrypts with aws:kms by default", "SSE-S3"],
    ));
    virtually(comes_back(
        |seed| seed.buckets[0].ready_for_exports = false,
        Vec::new(),
        &["us-east-1.elasticache-snapshot.amazonaws.com"],
    ));
}

/// The restore would fail a quarter of an hour later, with the reason in an event alone.
#[test]
fn a_bucket_that_memorydb_may_not_read_is_told_before_the_cluster_is_asked_for() {
    virtually(async {
        let world = World::before("quickstart").await;
        let policy = json!({"Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "us-east-1.elasticache-snapshot.amazonaws.com"},
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::demo-migration", "arn:aws:s3:::demo-migration/*"],
        }]});
        let request = world.aws.s3.put_bucket_policy().bucket("demo-migration");
        request.policy(policy.to_string()).send().await.expect("a policy");
        let clean = world.sandbox.world();
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        let said = summary(&done);
        assert!(said.contains("us-east-1.memorydb-snapshot.amazonaws.com"), "{said}");
        assert!(world.sandbox.calls().iter().all(|call| call.operation != "CreateCluster"));
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn a_data_tiered_source_is_refused_before_anything_is_made() {
    virtually(comes_back(
        |seed| seed.replication_groups[0].data_tiering = true,
        Vec::new(),
        &["data tiering", "copy the data online"],
    ));
}

const ACCEPTING: &str = "
playbook: v1
name: accepting
steps:
  - id: freeze
    elasticache.freeze_writes: { replication_group: demo, accept_lost_writes_of: demo }
  - id: snapshot
    elasticache.create_snapshot: { replication_group: demo }
  - id: export
    elasticache.export_snapshot: { snapshot: '${{ steps.snapshot.name }}', bucket: demo-migration }
  - id: cluster
    memorydb.create_cluster:
      name: demo-mdb
      node_type: db.r7g.large
      acl: demo-acl
      engine: valkey
      engine_version: '7.3'
      restore_from: '${{ steps.export.objects }}'
  - id: switch
    endpoint.swap:
      to: '${{ steps.cluster.endpoint }}'
      targets: [{ ssm_parameter: /demo/redis/endpoint }]
";

#[test]
fn a_source_without_rbac_is_not_frozen_silently() {
    let bare = |seed: &mut Seed| {
        seed.replication_groups[0].user_group = None;
    };
    virtually(comes_back(bare, Vec::new(), &["no RBAC users", "accept_lost_writes_of: demo"]));
    virtually(async {
        let world = World::seeded(written(ACCEPTING), bare).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        let said = summary(&done);
        assert!(
            said.contains("are lost") || said.contains("LOST") || said.contains("lost"),
            "{said}"
        );
        let step = world.plan.steps().next().expect("a step").clone();
        let sketch = orchestrate::steps::all();
        let about = sketch.iter().find(|a| a.info.name == step.kind).expect("the kind");
        let args = json!({"replication_group": "demo", "accept_lost_writes_of": "demo"});
        let loses = (about.sketch)(&args).loses.expect("the plan says what is lost");
        assert!(loses.contains("accepted by name"), "{loses}");
    });
}

#[test]
fn users_that_another_group_shares_are_not_frozen() {
    let shared = |seed: &mut Seed| {
        let mut other = seed.replication_groups[0].clone();
        other.id = "billing".to_owned();
        seed.replication_groups.push(other);
    };
    virtually(comes_back(
        shared,
        Vec::new(),
        &["also write to billing", "also_freezes: [billing]"],
    ));
}

/// The strings are odd on purpose: none may come back prettier than it was.
#[test]
fn access_strings_come_back_exactly() {
    let odd = "on   ~app:*  &* -@all +@read +@write -del   +client|id";
    virtually(async {
        let world = World::changed(|seed| {
            let user = seed.users.iter_mut().find(|u| u.name == "app").expect("the app user");
            user.access_string = odd.to_owned();
        })
        .await;
        let fault = Fault::new("memorydb", "CreateCluster", FaultKind::Denied);
        world.sandbox.set_faults(FaultPlan::of([fault]));
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        let users = world.aws.elasticache.describe_users().user_id("demo-app").send().await;
        let users = users.expect("the user");
        assert_eq!(users.users()[0].access_string(), Some(odd));
    });
}

/// Somebody else's snapshot holds the source for ten minutes, and the first call after that meets a passing fault.
#[test]
fn a_busy_source_is_waited_for_and_leaves_patience_for_more() {
    virtually(async {
        let world = World::before("quickstart").await;
        let busy = async {
            let slow = Fault::new("elasticache", "CreateSnapshot", FaultKind::SlowTransition(2.0));
            world.sandbox.set_faults(FaultPlan::of([slow]));
            let request = world.aws.elasticache.create_snapshot().snapshot_name("nightly");
            request.replication_group_id("demo").send().await.expect("a snapshot");
            // Throttled after many refusals for the state.
            let late =
                |nth| Fault::new("elasticache", "CreateSnapshot", FaultKind::Throttle).nth(nth);
            world.sandbox.set_faults(FaultPlan::of((12..17).map(late)));
        };
        let kinds = Meanwhile::new(
            &world.registry,
            "elasticache.create_snapshot",
            When::BeforeExecute,
            busy,
        );
        let done = world.run(&Disturb { kinds: Some(&kinds), ..Disturb::default() }).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        assert!(done.story().contains("is not in available state"), "{}", done.story());
        assert!(done.story().contains("Throttl"), "{}", done.story());
        let tries = done.story().matches("is not in available state").count();
        assert!(tries >= 8, "the source was busy {tries} times only\n{}", done.story());
    });
}

/// A resource that stays busy is waited for until the step's time is up, and then that is what is said.
#[test]
fn a_source_that_stays_busy_ends_at_the_deadline_and_says_so() {
    virtually(async {
        let world = World::before("quickstart").await;
        let clean = world.sandbox.world();
        let slow = Fault::new("elasticache", "CreateSnapshot", FaultKind::SlowTransition(100.0));
        world.sandbox.set_faults(FaultPlan::of([slow]));
        let request = world.aws.elasticache.create_snapshot().snapshot_name("nightly");
        request.replication_group_id("demo").send().await.expect("a snapshot");
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        let said = summary(&done);
        assert!(said.contains("time is up") && said.contains("snapshotting"), "{said}");
        world.clock.sleep(std::time::Duration::from_secs(24 * 3600)).await;
        let delete = world.aws.elasticache.delete_snapshot().snapshot_name("nightly");
        delete.send().await.expect("a deletion");
        world.clock.sleep(std::time::Duration::from_secs(60)).await;
        world.aws.elasticache.describe_users().send().await.expect("an answer");
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn throttling_storms_are_outlasted() {
    virtually(async {
        let world = World::before("quickstart").await;
        let storm = |service, nth| Fault::new(service, "*", FaultKind::Throttle).nth(nth).times(5);
        let storms = [storm("elasticache", 4), storm("elasticache", 30), storm("memorydb", 2)];
        world.sandbox.set_faults(FaultPlan::of(storms));
        succeeded(&world.run(&Disturb::default()).await).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn transitions_five_times_as_slow_are_waited_for() {
    virtually(async {
        let world = World::before("quickstart").await;
        let slow = Fault::new("*", "*", FaultKind::SlowTransition(5.0)).times(u32::MAX);
        world.sandbox.set_faults(FaultPlan::of([slow]));
        succeeded(&world.run(&Disturb::default()).await).unwrap_or_else(|e| panic!("{e}"));
    });
}

#[test]
fn stale_reads_on_every_operation_are_borne() {
    for (service, operation) in [
        ("elasticache", "DescribeUsers"),
        ("elasticache", "DescribeUserGroups"),
        ("elasticache", "DescribeReplicationGroups"),
        ("elasticache", "DescribeSnapshots"),
        ("memorydb", "DescribeClusters"),
        ("memorydb", "DescribeACLs"),
        ("ssm", "GetParameter"),
    ] {
        for nth in 1..=4 {
            virtually(async {
                let world = World::before("quickstart").await;
                let fault = Fault::new(service, operation, FaultKind::StaleRead).nth(nth).times(2);
                world.sandbox.set_faults(FaultPlan::of([fault]));
                let done = world.run(&Disturb::default()).await;
                succeeded(&done).unwrap_or_else(|e| panic!("{operation} {nth}: {e}"));
            });
        }
    }
}

/// Credentials end in the middle of an hour's wait: the run stops, loses nothing, and goes on after they were renewed.
#[test]
fn a_run_whose_credentials_expire_stops_and_goes_on_once_they_are_renewed() {
    for (service, operation, nth) in [
        ("elasticache", "DescribeSnapshots", 6),
        ("elasticache", "CopySnapshot", 1),
        ("memorydb", "CreateCluster", 1),
        ("memorydb", "DescribeClusters", 5),
        ("ssm", "PutParameter", 2),
    ] {
        virtually(async {
            let world = World::before("quickstart").await;
            let fault = Fault::new(service, operation, FaultKind::ExpiredCredentials);
            world.sandbox.set_faults(FaultPlan::of([fault.nth(nth).times(u32::MAX)]));
            let stopped = world.run(&Disturb::default()).await;
            let at = format!("{operation} {nth}");
            assert_eq!(stopped.end, End::Interrupted, "{at}: {}", stopped.story());
            assert!(summary(&stopped).contains("expired"), "{at}: {}", summary(&stopped));
            world.sandbox.set_faults(FaultPlan::default());
            let more = vec![Record::Resumed { by: "tester".to_owned() }];
            let done = world.take_up(&stopped, more, &Disturb::default()).await;
            succeeded(&done).unwrap_or_else(|e| panic!("{at}: {e}"));
        });
    }
}

#[test]
fn a_refusal_of_any_change_unwinds_to_a_clean_slate() {
    for (service, operation, nth) in [
        ("elasticache", "ModifyUser", 1),
        ("elasticache", "CreateSnapshot", 1),
        ("elasticache", "CopySnapshot", 1),
        ("memorydb", "CreateCluster", 1),
        ("ssm", "PutParameter", 2),
    ] {
        let fault = Fault::new(service, operation, FaultKind::Denied).nth(nth);
        virtually(comes_back(|_| {}, vec![fault], &[operation, "AccessDenied"]));
    }
}

/// The tags cannot be read: nobody can know whose the snapshot is, so nobody deletes it, and a person is called.
#[test]
fn what_cannot_be_proved_this_run_s_own_is_not_deleted() {
    virtually(async {
        let world = World::before("quickstart").await;
        let denied = Fault::new("elasticache", "ListTagsForResource", FaultKind::Denied);
        let refused = Fault::new("elasticache", "CopySnapshot", FaultKind::Denied);
        world.sandbox.set_faults(FaultPlan::of([denied.times(u32::MAX), refused]));
        let done = world.run(&Disturb::default()).await;
        let End::Rest(Rest::Stuck { step, failure }) = &done.end else {
            panic!("{:?}\n{}", done.end, done.story())
        };
        assert_eq!(step, "snapshot");
        assert!(failure.to_string().contains("could not read whose"), "{failure}");
        assert!(world.sandbox.calls().iter().all(|call| call.operation != "DeleteSnapshot"));
    });
}

/// A 404 for something that is there: now and then the services answer so for what they are working on.
#[test]
fn single_not_founds_make_no_run_forget_what_it_made() {
    for (service, operation) in [
        ("elasticache", "DescribeSnapshots"),
        ("elasticache", "DescribeUsers"),
        ("elasticache", "ListTagsForResource"),
        ("memorydb", "DescribeClusters"),
        ("memorydb", "ListTags"),
    ] {
        virtually(async {
            let world = World::before("quickstart").await;
            let clean = world.sandbox.world();
            let fail = Fault::new("ssm", "PutParameter", FaultKind::Denied);
            // Every other answer from there on.
            let odd = (1..60)
                .step_by(2)
                .map(|nth| Fault::new(service, operation, FaultKind::NotFound).nth(nth));
            let undo = async { world.sandbox.set_faults(FaultPlan::of(odd.chain([fail]))) };
            let kinds = Meanwhile::new(&world.registry, "endpoint.swap", When::BeforeExecute, undo);
            let disturb = Disturb { kinds: Some(&kinds), ..Disturb::default() };
            let done = world.run(&disturb).await;
            let ended = done.end.clone();
            if ended == End::Rest(Rest::Succeeded) {
                let back = crate::harness::roll_back(
                    &world,
                    &done,
                    orchestrate::engine::Inject::default(),
                    None,
                )
                .await;
                assert_eq!(back.end, End::Rest(Rest::RolledBack), "{operation} {}", back.story());
            } else {
                assert_eq!(ended, End::Rest(Rest::RolledBack), "{operation} {}", done.story());
            }
            same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{operation}: {e}"));
        });
    }
}

#[test]
fn a_source_with_cluster_mode_off_migrates_whole() {
    virtually(async {
        let world = World::changed(|seed| {
            seed.replication_groups[0].cluster_mode = false;
            seed.replication_groups[0].shards = 1;
        })
        .await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
    });
}

const THREE: &str = r#"
playbook: v1
name: three
steps:
  - id: switch
    accept_no_way_back: true
    endpoint.swap:
      to: "new.example.com:6379"
      targets:
        - ssm_parameter: /demo/redis
        - secret: demo/redis
          format: json
          fields: { host: redis.host, port: redis.port }
        - route53_record: redis.internal.example.com
          zone: Z0123456789
"#;

/// One parameter, one secret, one record: all of them or none.
#[test]
fn three_targets_are_switched_together_or_not_at_all() {
    virtually(async {
        let world = World::seeded(written(THREE), |_| {}).await;
        let clean = world.sandbox.world();
        let denied = Fault::new("route53", "ChangeResourceRecordSets", FaultKind::Denied);
        // The first is the question whether it would be allowed.
        world.sandbox.set_faults(FaultPlan::of([denied.nth(2)]));
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        let said = summary(&done);
        assert!(said.contains("was put back to the old endpoint"), "{said}");
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
    virtually(async {
        let world = World::seeded(written(THREE), |_| {}).await;
        let clean = world.sandbox.world();
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        assert!(world.sandbox.world().to_string().matches("new.example.com").count() >= 3);
        let back =
            crate::harness::roll_back(&world, &done, orchestrate::engine::Inject::default(), None)
                .await;
        assert_eq!(back.end, End::Rest(Rest::RolledBack), "{}", back.story());
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}

/// Whatever happens, the run ends in one of three ways, the endpoint is one of two, and nothing is left behind unsaid.
async fn by_chance(name: &str, target: &str, seed: u64) {
    let world = World::before(name).await;
    let clean = world.sandbox.world();
    let endpoint = |world: &Value| world["ssm"].to_string();
    let old = endpoint(&clean);
    let kinds = vec![
        FaultKind::Throttle,
        FaultKind::ServerErrorBefore,
        FaultKind::ServerErrorAfter,
        FaultKind::LostResponse,
        FaultKind::Timeout,
        FaultKind::StaleRead,
        FaultKind::NotFound,
        FaultKind::Denied,
        FaultKind::SlowTransition(3.0),
        FaultKind::MissingObjects,
        terminal("restore-failed", "by chance"),
    ];
    // A terminal state fits some operations only; what it does to the others is for the sandbox to say.
    let kinds = kinds.into_iter().take(if seed.is_multiple_of(3) { 11 } else { 7 }).collect();
    let random = RandomFaults { seed, rate: 0.15, kinds };
    world.sandbox.set_faults(FaultPlan { faults: Vec::new(), random: Some(random) });
    let done = world.run(&Disturb::default()).await;
    world.sandbox.set_faults(FaultPlan::default());
    intent_before_call(&done).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let calls = || {
        let calls = world.sandbox.calls();
        let odd =
            calls.iter().filter(|c| c.mutating || c.outcome != orchestrate_sandbox::Outcome::Ok);
        odd.map(|c| format!("{} {} {:?}", c.operation, c.resource, c.outcome)).collect::<Vec<_>>()
    };
    let story = || format!("seed {seed}: {:?}\n{}\n{}", done.end, done.story(), calls().join("\n"));
    match &done.end {
        End::Rest(Rest::Succeeded) => {
            assert!(endpoint(&world.sandbox.world()).contains(target), "{}", story());
        }
        End::Rest(Rest::RolledBack) => {
            same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}\n{}", story()));
        }
        End::Rest(Rest::Stuck { step, failure }) => {
            assert!(!step.is_empty() && !failure.message.is_empty(), "{}", story());
            let now = endpoint(&world.sandbox.world());
            assert!(now == old || now.contains(target), "{}", story());
            // Once the faults are over a resume must get to a clean slate.
            let more = vec![Record::Resumed { by: "tester".to_owned() }];
            let end = world.take_up(&done, more, &Disturb::default()).await;
            match &end.end {
                End::Rest(Rest::RolledBack) => {
                    same(&clean, &world.sandbox.world()).unwrap_or_else(|e| {
                        panic!("after resuming: {e}\n{}\n{}", story(), end.story())
                    })
                }
                End::Rest(Rest::Succeeded) => {}
                other => panic!("after resuming {other:?}\n{}\n{}", story(), end.story()),
            }
        }
        other => panic!("{other:?}: {}", story()),
    }
}

fn seeds(from: u64) {
    for seed in from..from + 15 {
        virtually(by_chance("quickstart", "demo-mdb", seed));
    }
}

#[test]
fn chance_leaves_a_clean_slate_or_says_what_is_left_of_a_serverless_cache_too() {
    for seed in 100..115 {
        virtually(by_chance("serverless-to-memorydb", "prod-mdb", seed));
    }
}

#[test]
fn chance_leaves_a_clean_slate_or_says_what_is_left_0() {
    seeds(0);
}

#[test]
fn chance_leaves_a_clean_slate_or_says_what_is_left_15() {
    seeds(15);
}

#[test]
fn chance_leaves_a_clean_slate_or_says_what_is_left_30() {
    seeds(30);
}

#[test]
fn chance_leaves_a_clean_slate_or_says_what_is_left_45() {
    seeds(45);
}

/// Whose program is not there has changed nothing: its undo would take back what somebody else did.
#[test]
fn the_undo_of_a_command_that_never_began_is_not_run() {
    virtually(async {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("undone");
        let playbook = format!(
            "playbook: v1\nname: never\nsteps:\n  - id: warm\n    exec: {{ command: [/nowhere/nothing], undo: [/usr/bin/touch, '{}'] }}\n",
            trace.display()
        );
        let world = World::for_plan(written(&playbook)).await;
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(done.story().contains("could not be started"), "{}", done.story());
        assert!(!trace.exists(), "it was undone");
    });
}
