//! Random plans, faults, deaths and stops. `Fixture` compares the live state with the replayed one at every record; here
//! the ends are checked.

use std::time::Duration;

use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::world::{Act, Fixture, plan};
use crate::engine::journal::{Crash, Rest};
use crate::engine::{Class, End, Inject, Strike};

#[derive(Clone, Debug)]
struct Case {
    plan: &'static str,
    executes: Vec<Vec<Act>>,
    undoes: Vec<Vec<Act>>,
    fail: Option<(usize, bool)>,
    twice: bool,
    crashes: Vec<(u64, bool)>,
    stop_after: Option<u64>,
}

const PLANS: [&str; 6] =
    ["a b c d e", "(a b|c d e)2", "a (b|c|d)2 e", "(a|b|c|d|e)3", "(a b c|d)1 e", "a (b c|d e)9"];
const STEPS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn passing() -> impl Strategy<Value = Act> {
    let class = prop_oneof![
        Just(Class::Transient),
        Just(Class::Throttled),
        Just(Class::Busy),
        Just(Class::Ambiguous),
        Just(Class::Capacity)
    ];
    prop_oneof![
        class.clone().prop_map(Act::Fail),
        class.prop_map(Act::FailAfter),
        (0_u64..400).prop_map(Act::Sleep),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let acts = || proptest::collection::vec(proptest::collection::vec(passing(), 0..3), 5);
    (
        0..PLANS.len(),
        acts(),
        acts(),
        proptest::option::of((0_usize..5, any::<bool>())),
        any::<bool>(),
        proptest::collection::vec((0_u64..25, any::<bool>()), 0..3),
        proptest::option::of(0_u64..600),
    )
        .prop_map(|(plan, executes, undoes, fail, twice, crashes, stop_after)| Case {
            plan: PLANS[plan],
            executes,
            undoes,
            fail,
            twice,
            crashes,
            stop_after,
        })
}

async fn play(case: &Case) {
    let mut fixture = Fixture::new(plan(case.plan));
    for (index, step) in STEPS.iter().enumerate() {
        fixture = fixture.executes(step, &case.executes[index]).undoes(step, &case.undoes[index]);
    }
    let strike = |after| if after { Strike::AfterExecute } else { Strike::BeforeExecute };
    fixture.inject = Inject {
        fail: case.fail.map(|(step, after)| (STEPS[step].to_owned(), strike(after))),
        execute_twice: case.twice,
        undo_twice: case.twice,
    };
    for (further, written) in &case.crashes {
        let at = fixture.journal.entries().len() as u64 + further + 1;
        fixture.process(Some(Crash { at, written: *written }), Vec::new()).await;
    }
    if let Some(secs) = case.stop_after {
        tokio::select! {
            biased;
            _ = fixture.begin() => {}
            () = async {
                fixture.clock.sleep(Duration::from_secs(secs)).await;
                fixture.cancel.cancel();
                std::future::pending().await
            } => {}
        }
        fixture.cancel = CancellationToken::new();
    }
    let expected = if case.fail.is_some() { Rest::RolledBack } else { Rest::Succeeded };
    assert_eq!(fixture.process(None, Vec::new()).await, End::Rest(expected));
    let world = fixture.world.borrow();
    assert!(world.made.values().all(|made| *made == 1), "made twice: {:?}", world.made);
    if case.fail.is_some() {
        assert!(world.things.is_empty(), "left behind: {:?}", world.things);
        assert_eq!(world.made, world.removed);
    } else {
        assert_eq!(world.things.len(), STEPS.len());
        assert!(world.removed.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_run_however_disturbed_ends_done_or_undone_with_nothing_made_twice(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(play(&case));
    }
}
