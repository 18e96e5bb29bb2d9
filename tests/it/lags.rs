//! Reads that lag behind writes, and not-founds that are not true, where an undo or a deletion would take them for the end
//! of its work. Each was found by a simulated seed.

use orchestrate::engine::journal::{Crash, Record, Rest};
use orchestrate::engine::{End, Inject};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan};

use crate::harness::{roll_back, run, same, succeeded};
use crate::world::{Disturb, World, virtually, written};

const SWAP: &str = r#"
playbook: v1
name: swap
steps:
  - id: switch
    accept_no_way_back: true
    endpoint.swap: { to: "new.example.com:6379", targets: [{ ssm_parameter: /demo/redis }] }
"#;

const FREEZE: &str = r#"
playbook: v1
name: freeze
steps:
  - id: freeze
    elasticache.freeze_writes: { replication_group: prod }
"#;

const BRIEF: &str = r#"
playbook: v1
name: brief
steps:
  - id: cluster
    memorydb.create_cluster: { name: short-lived, node_type: db.t4g.small, acl: app }
  - id: remove
    memorydb.delete_cluster: { name: "${{ steps.cluster.name }}" }
"#;

const SNAPSHOT: &str = r#"
playbook: v1
name: brief-snapshot
steps:
  - id: snapshot
    elasticache.create_snapshot: { replication_group: prod }
  - id: remove
    elasticache.delete_snapshot: { snapshot: "${{ steps.snapshot.name }}" }
"#;

const SERVERLESS: &str = r#"
playbook: v1
name: brief-serverless
steps:
  - id: snapshot
    elasticache.create_serverless_snapshot: { serverless_cache: prod }
  - id: remove
    elasticache.delete_serverless_snapshot: { snapshot: "${{ steps.snapshot.name }}" }
"#;

/// A whole run is rolled back at once, and the first looks of its undo lag.
async fn undone_through_lag(playbook: &str, service: &str, operation: &str, nth: u32) {
    let world = World::seeded(written(playbook), |_| {}).await;
    let clean = world.sandbox.world();
    let done = run(&world, Inject::default(), None).await;
    succeeded(&done).unwrap_or_else(|e| panic!("{e}"));
    let lag = Fault::new(service, operation, FaultKind::StaleRead).nth(nth).times(3);
    world.sandbox.set_faults(FaultPlan::of([lag]));
    let back = roll_back(&world, &done, Inject::default(), None).await;
    assert_eq!(back.end, End::Rest(Rest::RolledBack), "{}", back.story());
    same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{operation}: {e}"));
}

#[test]
fn a_lagging_read_does_not_leave_the_applications_on_the_new_endpoint() {
    for nth in 1..=3 {
        virtually(undone_through_lag(SWAP, "ssm", "GetParameter", nth));
    }
}

#[test]
fn a_lagging_read_does_not_leave_writes_stopped() {
    for nth in 1..=3 {
        virtually(undone_through_lag(FREEZE, "elasticache", "DescribeUsers", nth));
    }
}

/// What is made and deleted: playbook, service, look, deletion.
const DELETIONS: [(&str, &str, &str, &str); 3] = [
    (BRIEF, "memorydb", "DescribeClusters", "DeleteCluster"),
    (SNAPSHOT, "elasticache", "DescribeSnapshots", "DeleteSnapshot"),
    (
        SERVERLESS,
        "elasticache",
        "DescribeServerlessCacheSnapshots",
        "DeleteServerlessCacheSnapshot",
    ),
];

#[test]
fn what_is_not_found_once_is_deleted_all_the_same() {
    for (playbook, service, look, deletion) in DELETIONS {
        virtually(async {
            let plain = World::seeded(written(playbook), |_| {}).await;
            succeeded(&run(&plain, Inject::default(), None).await).expect("undisturbed");
            // The two looks before the deletion: when it is prepared, and when it is carried out. Then the deletion itself,
            // and a look while it goes.
            let calls = plain.sandbox.calls();
            let until = calls.iter().take_while(|call| call.operation != deletion);
            let looks = until.filter(|call| call.operation == look).count();
            let looks = u32::try_from(looks).expect("few");
            for (operation, nth) in
                [(look, looks - 1), (look, looks), (deletion, 1), (look, looks + 1)]
            {
                let world = World::seeded(written(playbook), |_| {}).await;
                let fault = Fault::new(service, operation, FaultKind::NotFound).nth(nth);
                world.sandbox.set_faults(FaultPlan::of([fault]));
                let done = run(&world, Inject::default(), None).await;
                succeeded(&done).unwrap_or_else(|e| panic!("{operation} {nth}: {e}"));
                let met = world.sandbox.calls().iter().any(|call| call.fault.is_some());
                assert!(met, "{operation} {nth}: nothing went wrong");
                same(&plain.sandbox.world(), &world.sandbox.world())
                    .unwrap_or_else(|e| panic!("{operation} {nth}: {e}"));
            }
        });
    }
}

/// A cluster is being made; the next process does not find it twice, and its own request is refused.
#[test]
fn a_refusal_does_not_make_an_earlier_request_forgotten() {
    virtually(async {
        let plain = World::seeded(written(BRIEF), |_| {}).await;
        let clean = plain.sandbox.world();
        let done = run(&plain, Inject::default(), None).await;
        let taken = done.journal.entries().into_iter().find(
            |entry| matches!(&entry.record, Record::Noted { note, .. } if note["call"] == "taken"),
        );
        let at = taken.expect("the request is noted as taken").seq;
        let world = World::seeded(written(BRIEF), |_| {}).await;
        let crash = Some(Crash { at, written: true });
        let dead = world.run(&Disturb { crash, ..Disturb::default() }).await;
        let unseen = Fault::new("memorydb", "DescribeClusters", FaultKind::NotFound).times(2);
        let refused = Fault::new("memorydb", "CreateCluster", FaultKind::NotFound);
        world.sandbox.set_faults(FaultPlan::of([unseen, refused]));
        let more = vec![Record::Resumed { by: "another process".to_owned() }];
        let done = world.take_up(&dead, more, &Disturb::default()).await;
        assert_eq!(done.end, End::Rest(Rest::RolledBack), "{}", done.story());
        same(&clean, &world.sandbox.world()).unwrap_or_else(|e| panic!("{e}"));
    });
}
