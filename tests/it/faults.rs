//! Answers that are lost, refused or late, at the wire.

use orchestrate::engine::End;
use orchestrate::engine::journal::Rest;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan};

use crate::harness::{same, same_changes};
use crate::world::{Disturb, World, virtually};

/// Runs the quickstart with a fault; it must succeed, and end in the world of a run without it.
async fn survives(service: &str, operation: &str, kind: FaultKind) {
    let plain = World::before("quickstart").await;
    plain.run(&Disturb::default()).await;
    let world = World::before("quickstart").await;
    let fault = Fault::new(service, operation, kind.clone());
    world.sandbox.set_faults(FaultPlan { faults: vec![fault], random: None });
    let done = world.run(&Disturb::default()).await;
    let place = format!("{operation} with {kind:?}");
    assert_eq!(done.end, End::Rest(Rest::Succeeded), "{place}\n{}", done.story());
    same(&plain.sandbox.world(), &world.sandbox.world()).unwrap_or_else(|e| panic!("{place}: {e}"));
    same_changes(&plain, &world).unwrap_or_else(|e| panic!("{place}: {e}"));
}

/// The operations by which the quickstart changes something.
const CHANGES: [(&str, &str); 5] = [
    ("elasticache", "ModifyUser"),
    ("elasticache", "CreateSnapshot"),
    ("elasticache", "CopySnapshot"),
    ("memorydb", "CreateCluster"),
    ("ssm", "PutParameter"),
];

#[test]
fn a_lost_answer_is_looked_into_and_nothing_is_made_twice() {
    for (service, operation) in CHANGES {
        virtually(survives(service, operation, FaultKind::LostResponse));
    }
}

#[test]
fn a_server_fault_after_the_effect_is_looked_into_and_nothing_is_made_twice() {
    for (service, operation) in CHANGES {
        virtually(survives(service, operation, FaultKind::ServerErrorAfter));
    }
}

#[test]
fn passing_faults_on_every_operation_are_borne() {
    let calls = virtually(async {
        let world = World::before("quickstart").await;
        let before = world.sandbox.calls().len();
        world.run(&Disturb::default()).await;
        let calls = world.sandbox.calls();
        let mut used: Vec<(String, String)> =
            calls[before..].iter().map(|c| (c.service.clone(), c.operation.clone())).collect();
        used.sort();
        used.dedup();
        used
    });
    assert!(calls.len() > 8, "the quickstart uses many operations: {calls:?}");
    for (service, operation) in calls {
        for kind in [FaultKind::Throttle, FaultKind::ServerErrorBefore, FaultKind::Timeout] {
            virtually(survives(&service, &operation, kind));
        }
    }
}
