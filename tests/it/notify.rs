//! Messages to SNS: how often they are published, and what is said of it.

use std::cell::RefCell;
use std::rc::Rc;

use orchestrate::engine::journal::{MemoryJournal, Record, Rest};
use orchestrate::engine::{End, Engine, EventKind, Ledger, Sink};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, SeedTopic};
use tokio_util::sync::CancellationToken;

use crate::world::{RUN, World, virtually, written};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:on-call";

/// A run that tells a topic while something goes wrong: how it ended, how often the topic was told, and the warnings.
fn told(topic: &str, more: &str, faults: FaultPlan) -> (End, usize, Vec<String>) {
    let plan = written(&format!(
        "playbook: v1\nname: tell\nsteps:\n  - id: tell\n    notify.sns: {{ topic: '{topic}', text: it burns{more} }}\n"
    ));
    virtually(async {
        let world = World::seeded(plan, |seed| {
            assert_eq!(seed.topics, [SeedTopic { name: topic.to_owned(), subscriptions: 1 }]);
        })
        .await;
        world.sandbox.set_faults(faults);
        let warnings: Rc<RefCell<Vec<String>>> = Rc::default();
        let sink: Sink = {
            let warnings = Rc::clone(&warnings);
            Rc::new(move |event| {
                if let EventKind::Warned { warning, .. } = &event.kind {
                    warnings.borrow_mut().push(warning.clone());
                }
            })
        };
        let header = Record::Started {
            run: RUN.parse().expect("a run id"),
            tool: "test".to_owned(),
            by: "tester".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: true,
            plan: Box::new(world.plan.clone()),
        };
        let clock = world.clock.clone();
        let journal = Box::new(MemoryJournal::default());
        let ledger = Ledger::begin(journal, header, clock.clone(), sink).await.expect("a header");
        let token = CancellationToken::new();
        let end = Engine::new(&world.registry, Rc::new(ledger), clock, token).run().await;
        let published = world.sandbox.published(topic);
        for (_, text, attributes) in &published {
            assert_eq!(text, "it burns");
            assert_eq!(attributes["orchestrate.run"], RUN);
            assert_eq!(attributes["orchestrate.step"], "tell");
        }
        let warnings = warnings.borrow().clone();
        (end, published.len(), warnings)
    })
}

fn first(kind: FaultKind) -> FaultPlan {
    FaultPlan::of([Fault::new("sns", "Publish", kind)])
}

#[test]
fn a_message_is_published_once_and_after_a_lost_answer_twice_which_is_said() {
    let done = End::Rest(Rest::Succeeded);
    let none: Vec<String> = Vec::new();
    assert_eq!(told(TOPIC, "", FaultPlan::default()), (done.clone(), 1, none.clone()));
    // Refused for sure: nothing was published before.
    assert_eq!(told(TOPIC, "", first(FaultKind::Throttle)), (done.clone(), 1, none));
    for lost in [FaultKind::LostResponse, FaultKind::ServerErrorAfter] {
        let (end, times, warnings) = told(TOPIC, "", first(lost.clone()));
        assert_eq!((end, times), (done.clone(), 2), "{lost:?}");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("may arrive twice"), "{warnings:?}");
        let (end, times, warnings) = told(&format!("{TOPIC}.fifo"), "", first(lost));
        assert_eq!((end, times), (done.clone(), 1));
        assert!(warnings[0].contains("the topic drops it"), "{warnings:?}");
    }
}

#[test]
fn a_message_that_is_not_required_stops_nothing() {
    let denied = || FaultPlan::of([Fault::new("sns", "Publish", FaultKind::Denied).times(100)]);
    let (end, times, _) = told(TOPIC, "", denied());
    assert_eq!((end, times), (End::Rest(Rest::RolledBack), 0));
    let (end, times, warnings) = told(TOPIC, ", required: false", denied());
    assert_eq!((end, times), (End::Rest(Rest::Succeeded), 0));
    assert!(warnings[0].contains("AuthorizationError"), "{warnings:?}");
}
