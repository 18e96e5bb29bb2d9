//! The runbooks for replication groups: what they measure on real servers, what they bring back, what they do under faults.

use orchestrate::engine::End;
use orchestrate::engine::journal::{Crash, Record, Rest};
use orchestrate::steps::redis::{Secret, Target};
use orchestrate_sandbox::{FaultKind, FaultPlan, RandomFaults, Seed, SeedMetric, SeedPoint};
use serde_json::{Map, Value, json};

use crate::harness::{intent_before_call, same, succeeded};
use crate::world::{Disturb, Done, RUNBOOKS, World, compiled, edited, virtually, written};

/// How much faster than AWS the lifecycles of these sandboxes are; the servers in them are as fast as they are. A failover
/// with its recovery, four and a half minutes, takes as many seconds.
const SPEED: f64 = 60.0;

/// Runs a test in real time.
fn really<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}

fn output(done: &Done, step: &str) -> Value {
    let state = done.state();
    let (_, step) = state.steps().find(|(planned, _)| planned.id == step).expect("the step");
    step.output.clone().unwrap_or_default()
}

/// A group with cluster mode off, and so one shard.
fn one_shard(seed: &mut Seed) {
    for group in &mut seed.replication_groups {
        (group.cluster_mode, group.shards) = (false, 1);
    }
}

/// On a hurried clock, as in `--sandbox`, the servers and the gap that is told are as slow as they are.
#[test]
fn a_hurried_clock_does_not_stretch_the_gap() {
    let told = really(async {
        let world = World::hurried(compiled("failover-drill", Map::new()), SPEED, one_shard).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        output(&done, "failover")
    });
    let gap = told["write_gap_ms"].as_u64().unwrap_or_else(|| panic!("{told}"));
    println!("failover drill, hurried {SPEED} times: no write acknowledged for {gap} ms");
    assert!(gap > 20 && gap < 10_000, "{told}");
}

/// The drill with real servers behind the group: the primary's process gets SIGKILL, and a replica that followed it by
/// replication takes over at its address.
fn drill(what: &str, change: fn(&mut Seed)) {
    let done = really(async {
        let world = World::real(compiled("failover-drill", Map::new()), SPEED, change).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{what}: {e}"));
        let calls = world.sandbox.calls();
        let tests = calls.iter().filter(|call| call.operation == "TestFailover").count();
        assert_eq!(tests, 1, "{what}");
        done
    });
    let told = output(&done, "failover");
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or_else(|| panic!("{told}"));
    let (gap, lost) = (number(&told, "write_gap_ms"), number(&told, "lost_writes"));
    let (tried, acknowledged) =
        (number(&told["canary"], "tried"), number(&told["canary"], "acknowledged"));
    println!(
        "failover drill, {what}: no write acknowledged for {gap} ms; {lost} of {acknowledged} acknowledged writes lost, \
         {tried} tried"
    );
    // A server was really away, and the canary sang on both sides of the gap. It may lose what was not yet replicated.
    assert!(tried > 40 && gap > 20 && gap < 10_000, "{told}");
    assert!(lost * 10 < acknowledged, "{told}");
    let events = told["events"].to_string();
    assert!(events.contains("Finished recovery"), "{events}");
}

#[test]
fn the_drill_s_gap_is_measured_on_a_server_that_is_really_killed() {
    drill("cluster mode with TLS", |_| {});
}

#[test]
fn the_drill_s_gap_is_measured_with_cluster_mode_off_too() {
    drill("cluster mode off with TLS", one_shard);
}

/// Every key of a group, by the user `app`.
async fn keys(world: &World, id: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let group = world.env.survey.group(id).await.expect("a group");
    let group = group.as_ref().clone().expect("it is there");
    let endpoint = group.endpoint.expect("an endpoint");
    let target = Target {
        host: endpoint.host,
        port: endpoint.port,
        tls: true,
        user: Some("app".to_owned()),
        password: Some(Secret::new("sandbox-password-of-no-value".to_owned())),
    };
    let mut store = world.env.data.open(&target).await.expect("it answers");
    let mut all = Vec::new();
    for shard in 0..store.shards() {
        let mut cursor = 0;
        loop {
            let (next, page) = store.scan(shard, cursor).await.expect("a page");
            for (key, entry) in page.iter().zip(store.read(&page).await.expect("entries")) {
                all.push((key.clone(), entry.expect("nobody deletes").value));
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn resharding_real_servers_up_and_down_keeps_every_key() {
    let text = |shards: u32| {
        format!(
            "playbook: v1\nname: reshard\nsteps:\n  - id: shards\n    elasticache.scale_shards: {{ replication_group: prod, shards: {shards} }}\n"
        )
    };
    really(async {
        let mut world = World::hurried(written(&text(3)), SPEED, |_| {}).await;
        let before = keys(&world, "prod").await;
        assert!(before.len() > 100, "{}", before.len());
        for (shards, run) in [(3, "01h3kq7aa3"), (1, "01h3kq7aa1")] {
            world.plan = written(&text(shards));
            let done = world.run(&Disturb { run, ..Disturb::default() }).await;
            succeeded(&done).unwrap_or_else(|e| panic!("{shards}: {e}"));
            world.env.survey.begin();
            let group = world.env.survey.group("prod").await.expect("a group");
            let ids: Vec<_> = group.as_ref().iter().flat_map(|g| g.shards.clone()).collect();
            assert_eq!(ids.len(), shards as usize);
            assert!(keys(&world, "prod").await == before, "{shards}: the keys differ");
        }
    });
}

/// Park and unpark: the group has everything that it had, and its data.
#[test]
fn an_unparked_group_is_as_it_was_before_it_was_parked() {
    let change = |seed: &mut Seed| {
        let group = &mut seed.replication_groups[0];
        group.tags = [("team".to_owned(), "blue".to_owned())].into();
        group.snapshot_retention_days = 3;
        group.snapshot_window = "01:00-02:00".to_owned();
        group.maintenance_window = "tue:02:00-tue:03:00".to_owned();
        group.parameters = [("timeout".to_owned(), "300".to_owned())].into();
        group.security_groups = vec!["sg-0a1b2c3d".to_owned(), "sg-1a2b3c4d".to_owned()];
    };
    virtually(async {
        let mut world = World::seeded(compiled("park", Map::new()), change).await;
        let before = world.sandbox.world();
        let told = |world: &World| {
            let aws = world.aws.elasticache.clone();
            async move {
                let groups = aws.describe_replication_groups().send().await.expect("groups");
                let nodes = aws.describe_cache_clusters().send().await.expect("nodes");
                let group = groups.replication_groups().first().cloned();
                let node = nodes.cache_clusters().first().cloned().expect("a node");
                let group = group.expect("a group");
                (
                    group.configuration_endpoint().cloned(),
                    group.snapshot_window().map(str::to_owned),
                    group.multi_az().cloned(),
                    group.user_group_ids().to_vec(),
                    node.preferred_maintenance_window().map(str::to_owned),
                    node.security_groups().to_vec(),
                    node.cache_parameter_group().cloned(),
                )
            }
        };
        let was = told(&world).await;
        let parked = world.run(&Disturb { run: "01h3kq7aaa", ..Disturb::default() }).await;
        succeeded(&parked).unwrap_or_else(|e| panic!("{e}"));
        let gone = world.sandbox.world()["elasticache"]["replication_groups"].clone();
        assert_eq!(gone, json!({}));
        // Nothing of the first run is handed over: the snapshot is enough.
        world.plan = compiled("unpark", Map::new());
        let back = world.run(&Disturb::default()).await;
        succeeded(&back).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(told(&world).await, was);
        assert_eq!(output(&back, "group")["same_endpoint"], json!(true));
        let mut after = world.sandbox.world();
        let tags = &mut after["elasticache"]["replication_groups"]["prod"]["tags"];
        let own = tags.as_object_mut().expect("tags");
        own.retain(|key, _| !key.starts_with("orchestrate:"));
        same(&before, &after).unwrap_or_else(|e| panic!("{e}"));
    });
}

const THERE_AND_BACK: &str = "
playbook: v1
name: back
steps:
  - id: snapshot
    elasticache.create_snapshot: { replication_group: prod }
  - id: export
    elasticache.export_snapshot: { snapshot: '${{ steps.snapshot.name }}', bucket: exports }
  - id: back
    elasticache.create_replication_group:
      name: again
      node_type: cache.r7g.large
      shards: 3
      engine: valkey
      engine_version: '9.0'
      cluster_mode: true
      durability: sync
      user_groups: [prod-users]
      restore_from: '${{ steps.export.objects }}'
";

#[test]
fn files_in_s3_become_a_durable_group_with_the_same_keys() {
    virtually(async {
        let world = World::seeded(written(THERE_AND_BACK), |_| {}).await;
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        let groups = &world.sandbox.world()["elasticache"]["replication_groups"];
        assert_eq!(groups["again"]["keys"], groups["prod"]["keys"]);
        assert!(groups["again"]["keys"].as_u64() > Some(0));
        assert_eq!(output(&done, "back")["durability"], json!("sync"));
    });
}

/// What a node shows of a metric, from so many minutes after the beginning on.
fn shows(seed: &mut Seed, metric: &str, node: &str, values: &[(i64, Option<f64>)]) {
    let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    seed.metrics.push(SeedMetric {
        namespace: "AWS/ElastiCache".to_owned(),
        metric: metric.to_owned(),
        dimensions: [("CacheClusterId", node), ("CacheNodeId", "0001")].map(named).into(),
        values: values
            .iter()
            .map(|(after_minutes, value)| SeedPoint {
                after_minutes: *after_minutes,
                value: *value,
            })
            .collect(),
    });
}

/// The step at which a run stopped, and why.
fn stopped(done: &Done) -> (String, String) {
    let failed = done.journal.entries().into_iter().find_map(|entry| match entry.record {
        Record::Failed { step, failure } => Some((step, failure.to_string())),
        _ => None,
    });
    failed.unwrap_or_else(|| panic!("no step failed: {:?}\n{}", done.end, done.story()))
}

#[test]
fn a_source_that_anybody_may_still_use_is_not_deleted() {
    type Case = (&'static str, fn(&mut Seed), &'static str, &'static str);
    // After the approval, as if somebody had thought it over until the next day.
    let night: [(&str, &str); 1] = [(
        "  - id: still_unused\n",
        "  - id: night\n    pause: { for: 20h }\n  - id: still_unused\n",
    )];
    let cases: [Case; 7] = [
        (
            "a replica was read a day ago, once",
            |seed| {
                let once = [(-4000, Some(0.0)), (-1480, Some(1.0)), (-1479, Some(0.0))];
                shows(seed, "GetTypeCmds", "prod-0002-002", &once);
            },
            "unused",
            "GetTypeCmds Sum of CacheClusterId prod-0002-002, CacheNodeId 0001 is 1, and must be at most 0",
        ),
        (
            "something writes",
            |seed| shows(seed, "SetTypeCmds", "prod-0001-001", &[(-4000, Some(2.0))]),
            "unused",
            "SetTypeCmds",
        ),
        (
            "a connection more than the service's own",
            |seed| {
                let one = [(-4000, Some(4.0)), (-600, Some(7.0)), (-599, Some(4.0))];
                shows(seed, "CurrConnections", "prod-0001-002", &one);
            },
            "unused",
            "is 7, and must be at most 6",
        ),
        (
            "nothing is known of a node",
            |seed| shows(seed, "GetTypeCmds", "prod-0001-001", &[(-4000, None)]),
            "unused",
            "1 of 12 metrics have data points for less than 95 % of the last",
        ),
        (
            "a node has data for the last hour only",
            |seed| shows(seed, "GetTypeCmds", "prod-0001-001", &[(-60, Some(0.0))]),
            "unused",
            "1 of 12 metrics have data points for less than 95 % of the last",
        ),
        (
            "somebody came back while the question was open",
            |seed| {
                let back = [(-4000, Some(0.0)), (300, Some(9.0)), (310, Some(0.0))];
                shows(seed, "GetTypeCmds", "prod-0001-001", &back);
            },
            "still_unused",
            "is 45, and must be at most 0",
        ),
        (
            "its nodes have told nothing since the question was asked",
            |seed| shows(seed, "GetTypeCmds", "prod-0001-001", &[(-4000, Some(0.0)), (60, None)]),
            "still_unused",
            "data points for less than 95 %",
        ),
    ];
    for (what, change, step, words) in cases {
        virtually(async {
            let plan = edited("decommission-source", &night, Map::new());
            let world = World::seeded(plan, change).await;
            let done = world.run(&Disturb::default()).await;
            let (at, why) = stopped(&done);
            assert!(at == step && why.contains(words), "{what}: at {at}: {why}");
            let calls = world.sandbox.calls();
            assert!(!calls.iter().any(|call| call.mutating), "{what}: something was changed");
        });
    }
}

#[test]
fn a_source_that_nobody_uses_goes_and_leaves_its_data() {
    // A group that clients log in to by AUTH token, as most sources of a migration have it.
    let change = |seed: &mut Seed| {
        let group = &mut seed.replication_groups[0];
        (group.user_group, group.auth_token) = (None, true);
    };
    virtually(async {
        let plan = compiled("decommission-source", Map::new());
        let mut world = World::seeded(plan, change).await;
        let keys =
            world.sandbox.world()["elasticache"]["replication_groups"]["prod"]["keys"].clone();
        let done = world.run(&Disturb { run: "01h3kq7aaa", ..Disturb::default() }).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(world.sandbox.world()["elasticache"]["replication_groups"], json!({}));
        let proof = &done.state().playbook_outputs()["proof"];
        assert_eq!(proof.as_array().map(Vec::len), Some(12), "{proof}");
        assert!(
            proof.as_array().into_iter().flatten().all(|read| read["points"] == 300),
            "{proof}"
        );

        // The way back needs users, since the token is lost; and then has every key.
        let back = |more: &str| {
            written(&format!(
                "playbook: v1\nname: back\nsteps:\n  - id: back\n    elasticache.create_replication_group: \
                 {{ name: prod, from_snapshot: prod-final, as_recorded: true{more} }}\n"
            ))
        };
        world.plan = back("");
        let refused = world.run(&Disturb { run: "01h3kq7aab", ..Disturb::default() }).await;
        assert!(stopped(&refused).1.contains("had an AUTH token"), "{}", refused.story());
        let aws = &world.aws.elasticache;
        let user = aws.create_user().user_id("everybody").user_name("default").engine("redis");
        let user = user.access_string("on ~* +@all").passwords("sandbox-password-of-no-value");
        user.send().await.expect("a user");
        let users = aws.create_user_group().engine("redis").user_group_id("users");
        users.user_ids("everybody").send().await.expect("a user group");
        world.plan = back(", user_groups: [users]");
        let done = world.run(&Disturb::default()).await;
        succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            world.sandbox.world()["elasticache"]["replication_groups"]["prod"]["keys"],
            keys
        );
    });
}

/// Whatever calls meet, a runbook ends in a way that tells what is: done, back, or in need of a person; and once the
/// faults are over a resume gets there.
#[test]
fn runbooks_bear_faults_by_chance_or_say_what_is_left() {
    let kinds = || {
        vec![
            FaultKind::Throttle,
            FaultKind::ServerErrorBefore,
            FaultKind::ServerErrorAfter,
            FaultKind::LostResponse,
            FaultKind::Timeout,
            FaultKind::StaleRead,
            FaultKind::NotFound,
        ]
    };
    let mut ends = std::collections::BTreeMap::new();
    for name in RUNBOOKS {
        for seed in 0..12 {
            virtually(async {
                let world = World::before(name).await;
                let from = world.sandbox.calls().len();
                let random = RandomFaults { seed, rate: 0.15, kinds: kinds() };
                world
                    .sandbox
                    .set_faults(FaultPlan { random: Some(random), ..FaultPlan::default() });
                let done = world.run(&Disturb::default()).await;
                world.sandbox.set_faults(FaultPlan::default());
                intent_before_call(&done).unwrap_or_else(|e| panic!("{name} {seed}: {e}"));
                let calls = || {
                    let calls = world.sandbox.calls().into_iter().skip(from);
                    let odd = calls.filter(|c| c.mutating || c.fault.is_some());
                    odd.map(|c| format!("{} {} {:?}", c.operation, c.resource, c.outcome))
                        .collect::<Vec<_>>()
                        .join("\n")
                };
                let end = match &done.end {
                    End::Rest(Rest::Succeeded) => "done",
                    End::Rest(Rest::RolledBack) => "back",
                    End::Rest(Rest::Stuck { .. }) => {
                        let more = vec![Record::Resumed { by: "tester".to_owned() }];
                        let end = world.take_up(&done, more, &Disturb::default()).await;
                        let rest = matches!(end.end, End::Rest(Rest::Succeeded | Rest::RolledBack));
                        assert!(rest, "{name} {seed}: {:?}\n{}\n{}", end.end, end.story(), calls());
                        "stuck, then resumed"
                    }
                    other => panic!("{name} {seed}: {other:?}\n{}\n{}", done.story(), calls()),
                };
                // A shard is failed over once at most, whatever became of the answer.
                let tests = world.sandbox.calls().into_iter().skip(from);
                let tests = tests.filter(|c| c.operation == "TestFailover" && c.effect).count();
                assert!(tests <= 1, "{name} {seed}: {tests} failovers\n{}", calls());
                *ends.entry(format!("{name}: {end}")).or_insert(0) += 1;
            });
        }
    }
    println!("{ends:?}");
}

/// A misspelt name is not told to be parked.
#[test]
fn a_group_that_is_not_there_cannot_be_parked() {
    virtually(async {
        let mut world = World::before("park").await;
        world.plan = written(
            "playbook: v1\nname: park\nsteps:\n  - id: park\n    elasticache.delete_replication_group: \
             { replication_group: pord, final_snapshot: pord-parked }\n",
        );
        let done = world.run(&Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        assert!(
            done.story().contains("there is no replication group \"pord\""),
            "{}",
            done.story()
        );
    });
}

/// Whoever takes up a run that had not come to its intent deletes nothing that was made meanwhile.
#[test]
fn a_group_that_somebody_made_since_the_run_began_is_not_deleted() {
    virtually(async {
        let plain = World::before("park").await.run(&Disturb::default()).await;
        let started = |entry: &&orchestrate::engine::journal::Entry| matches!(&entry.record, Record::StepStarted { step, .. } if step == "park");
        let entries = plain.journal.entries();
        let at = entries.iter().find(started).expect("it began").seq;
        let world = World::before("park").await;
        let crash = Some(Crash { at, written: true });
        let dead = world.run(&Disturb { crash, ..Disturb::default() }).await;
        let client = &world.aws.elasticache;
        client.delete_replication_group().replication_group_id("prod").send().await.expect("gone");
        world.clock.sleep(std::time::Duration::from_secs(7200)).await;
        let again = client.create_replication_group().replication_group_id("prod");
        let again = again.replication_group_description("another").num_cache_clusters(1);
        let again = again.cache_node_type("cache.r7g.large").engine("redis").engine_version("7.1");
        again.send().await.expect("made again");
        let resumed = vec![Record::Resumed { by: "another process".to_owned() }];
        let done = world.take_up(&dead, resumed, &Disturb::default()).await;
        assert!(done.story().contains("made after this run began"), "{}", done.story());
        let deletes = world.sandbox.calls().into_iter();
        let deletes = deletes.filter(|call| call.operation == "DeleteReplicationGroup");
        assert_eq!(deletes.count(), 1, "{}", done.story());
    });
}
