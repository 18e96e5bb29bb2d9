//! The stop lever: what engages it, what happens when it cannot be read, and that no change leaves once it is engaged.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use aws_sdk_ssm::types::ParameterType;
use orchestrate::engine::journal::{Record, Rest};
use orchestrate::engine::{Class, End, EventKind, Ledger};
use orchestrate::state::{LEVER, Lever, LeverGate, lever};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan};
use serde_json::Map;

use crate::world::{Disturb, World, compiled, virtually};

/// Writes the parameter as somebody would with any other tool.
async fn write(world: &World, value: &str) {
    let put = world.aws.ssm.put_parameter().name(LEVER).value(value).overwrite(true);
    put.r#type(ParameterType::String).send().await.expect("written");
}

fn gate(world: &World) -> LeverGate {
    LeverGate::new(world.aws.clone(), "123456789012", world.clock.clone(), None)
}

#[test]
fn every_value_but_released_engages_it() {
    virtually(async {
        let world = World::for_plan(compiled("quickstart", Map::new())).await;
        assert_eq!(lever(&world.aws).await, Ok(Lever::Absent));
        gate(&world).ask().await.expect("nobody ever engaged it");
        for value in
            ["engaged by ops", "STOP", "unreleased", "releasedish", "0", "false", "x released"]
        {
            write(&world, value).await;
            let failure = gate(&world).ask().await.expect_err(value);
            assert_eq!(failure.class, Class::Halted, "{value}");
            assert!(failure.message.contains(value), "its words are shown: {failure}");
        }
        for value in ["released", "Released by ops at noon", "released: all is well"] {
            write(&world, value).await;
            gate(&world).ask().await.expect(value);
        }
    });
}

#[test]
fn an_answer_is_good_for_two_seconds() {
    virtually(async {
        let world = World::for_plan(compiled("quickstart", Map::new())).await;
        let gate = gate(&world);
        gate.ask().await.expect("released");
        write(&world, "engaged").await;
        world.clock.sleep(Duration::from_millis(1_900)).await;
        gate.ask().await.expect("as it was two seconds ago");
        world.clock.sleep(Duration::from_millis(200)).await;
        gate.ask().await.expect_err("as it is now");
    });
}

#[test]
fn a_lever_that_gives_no_answer_holds_changes_back_and_one_that_may_not_be_read_does_not() {
    virtually(async {
        let world = World::for_plan(compiled("quickstart", Map::new())).await;
        let fault = |kind| FaultPlan::of([Fault::new("ssm", "GetParameter", kind).times(3)]);
        for kind in [FaultKind::Timeout, FaultKind::ServerErrorBefore, FaultKind::Throttle] {
            world.sandbox.set_faults(fault(kind.clone()));
            world.aws.gates.add(Rc::new(gate(&world)));
            let refused = world.aws.permit("Test", "Change").await.expect_err("held back");
            assert_eq!(refused.class, Class::Transient, "{kind:?}: {refused}");
            assert!(refused.message.contains("was not called"), "{refused}");
        }
        world.sandbox.set_faults(fault(FaultKind::Denied));
        let warnings = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&warnings);
        let sink = Rc::new(move |event: &orchestrate::engine::Event| {
            if let EventKind::Warned { warning, .. } = &event.kind {
                heard.borrow_mut().push(warning.clone());
            }
        });
        let ledger = Rc::new(Ledger::none(world.clock.clone(), sink));
        let account = "123456789012";
        let gate = LeverGate::new(world.aws.clone(), account, world.clock.clone(), Some(ledger));
        for _ in 0..3 {
            gate.ask().await.expect("no lever for who may not read it");
            world.clock.sleep(Duration::from_secs(3)).await;
        }
        let warnings = warnings.borrow();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("allow ssm:GetParameter"), "{warnings:?}");
    });
}

#[test]
fn once_it_is_engaged_no_change_leaves_and_the_run_goes_on_after_its_release() {
    for minute in [0, 1, 3, 6, 9, 12, 15, 20, 25, 30] {
        virtually(async {
            let world = World::for_plan(compiled("quickstart", Map::new())).await;
            world.aws.gates.add(Rc::new(gate(&world)));
            let at = Duration::from_secs(minute * 60);
            let begun = world.clock.now();
            let disturb = Disturb::default();
            let engaging = async {
                world.clock.sleep(at).await;
                write(&world, "engaged").await;
                world.clock.now()
            };
            let (done, engaged) = futures::join!(world.run(&disturb), engaging);
            let late = world.changes().into_iter().filter(|call| call.resource != LEVER);
            let late = late.filter(|call| world.clock.since(call.at) < world.clock.since(engaged));
            let slack = Duration::from_secs(2);
            for call in late {
                let after = Duration::try_from(call.at.duration_since(engaged)).unwrap_or_default();
                assert!(after <= slack, "{} left {after:?} after the lever", call.operation);
            }
            if done.end == End::Rest(Rest::Succeeded) {
                assert!(world.clock.since(begun) <= at + slack, "it was done before");
                return;
            }
            assert_eq!(done.end, End::Interrupted, "minute {minute}\n{}", done.story());
            write(&world, "released").await;
            world.clock.sleep(slack).await;
            let more = vec![Record::Resumed { by: "tester".to_owned() }];
            let done = world.take_up(&done, more, &disturb).await;
            assert_eq!(done.end, End::Rest(Rest::Succeeded), "{}", done.story());
            for operation in ["CreateSnapshot", "CopySnapshot", "CreateCluster"] {
                let made = world.changes().iter().filter(|c| c.operation == operation).count();
                assert_eq!(made, 1, "{operation}, engaged in minute {minute}");
            }
        });
    }
}
