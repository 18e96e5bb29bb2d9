//! Waits: what a look means, faults, the deadline.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::engine::{
    Class, Clock, Cx, Event, EventKind, Failure, GONE, Ledger, Meaning, Seen, States, Wait,
};

const STATES: States =
    States { pending: &["creating"], success: &["available"], terminal: &["failed"] };

fn wait(states: States) -> Wait {
    let expected = Duration::from_secs(600);
    Wait { subject: "thing \"a\"".to_owned(), service: "World", states, expected }
}

/// A context of its own, the events it told, and the looks it took.
struct Place {
    cx: Cx,
    events: Rc<RefCell<Vec<Event>>>,
    looks: RefCell<Vec<u64>>,
}

fn place(timeout: u64) -> Place {
    let clock = Clock::tokio(Timestamp::UNIX_EPOCH, 1.0);
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let sink = {
        let events = Rc::clone(&events);
        Rc::new(move |event: &Event| events.borrow_mut().push(event.clone()))
    };
    let ledger = Rc::new(Ledger::none(clock.clone(), sink));
    let run = "0123456789".parse().expect("a run id");
    let cx = Cx::reading(run, "a", ledger, clock.clone());
    cx.deadline.set(Some(clock.now() + SignedDuration::from_secs(timeout.cast_signed())));
    Place { cx, events, looks: RefCell::default() }
}

impl Place {
    /// Waits for what `show` shows so many seconds after the start.
    async fn wait(
        &self,
        states: States,
        show: impl Fn(u64) -> Result<&'static str, Class>,
    ) -> Result<Seen, Failure> {
        let wait = wait(states);
        let look = || async {
            let now = self.cx.clock.now().as_second().unsigned_abs();
            self.looks.borrow_mut().push(now);
            show(now).map(Seen::state).map_err(|class| Failure::new(class, "no look"))
        };
        let waiting = self.cx.wait(&wait, look, || async { Some("no subnet".to_owned()) });
        // In virtual time: a wait that forgets its deadline fails the test instead of holding it up.
        let bound = Duration::from_secs(30 * 24 * 3600);
        tokio::time::timeout(bound, waiting).await.expect("a wait ends")
    }

    fn now(&self) -> u64 {
        self.cx.clock.now().as_second().unsigned_abs()
    }

    fn warnings(&self) -> Vec<String> {
        let warning = |event: &Event| match &event.kind {
            EventKind::Warned { warning, .. } => Some(warning.clone()),
            _ => None,
        };
        self.events.borrow().iter().filter_map(warning).collect()
    }
}

#[test]
fn states_mean_what_their_sets_say_whatever_their_case() {
    assert_eq!(STATES.meaning("Available"), Meaning::Success);
    assert_eq!(STATES.meaning("FAILED"), Meaning::Terminal);
    assert_eq!(STATES.meaning("creating"), Meaning::Pending);
    assert_eq!(STATES.meaning("polishing"), Meaning::Unknown);
    assert_eq!(STATES.meaning(""), Meaning::Unknown);
    assert_eq!(STATES.meaning(GONE), Meaning::Pending);
    let leaving = States { pending: &[], success: &[GONE], terminal: &[] };
    assert_eq!(leaving.meaning(GONE), Meaning::Success);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_what_it_waited_for() {
    let place = place(3600);
    let seen = place.wait(STATES, |now| Ok(if now < 500 { "creating" } else { "available" })).await;
    assert_eq!(seen.map(|seen| seen.state), Ok("available".to_owned()));
    assert!((500..540).contains(&place.now()));
    assert!(place.warnings().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_state_is_waited_through_and_warned_of_once() {
    let place = place(3600);
    let seen = place
        .wait(STATES, |now| {
            Ok(match now {
                500.. => "available",
                _ if now / 20 % 2 == 0 => "polishing",
                _ => "creating",
            })
        })
        .await;
    assert!(seen.is_ok());
    assert_eq!(place.warnings().len(), 1, "{:?}", place.warnings());
    assert!(place.warnings()[0].contains("\"polishing\""));
}

#[tokio::test(start_paused = true)]
async fn a_terminal_state_ends_the_wait_with_the_reason() {
    let place = place(3600);
    let failure = place.wait(STATES, |_| Ok("failed")).await.expect_err("it failed");
    assert_eq!(failure.class, Class::Terminal);
    assert_eq!(failure.to_string(), "thing \"a\" ended as failed: no subnet");
    assert_eq!(place.now(), 0, "seen at the first look");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_yet_is_borne_for_two_minutes() {
    let late = place(3600);
    let seen = late.wait(STATES, |now| Ok(if now < 115 { GONE } else { "available" })).await;
    assert!(seen.is_ok());
    let never = place(3600);
    let failure = never.wait(STATES, |_| Ok(GONE)).await.expect_err("it is not there");
    assert_eq!(failure.class, Class::NotFound);
    assert!((120..300).contains(&never.now()), "{}", never.now());
}

#[tokio::test(start_paused = true)]
async fn one_stale_answer_late_in_a_wait_is_borne_and_a_lasting_one_is_not() {
    // One look in three does not see it.
    let place = place(3600);
    let looks = Cell::new(0);
    let seen = place
        .wait(STATES, |now| {
            looks.set(looks.get() + 1);
            Ok(match now {
                550.. => "available",
                _ if looks.get() % 3 == 0 => GONE,
                _ => "creating",
            })
        })
        .await;
    assert!(seen.is_ok(), "{seen:?}");
    let vanished = self::place(3600);
    let failure = vanished
        .wait(STATES, |now| Ok(if now < 300 { "creating" } else { GONE }))
        .await
        .expect_err("it is gone");
    assert_eq!(failure.class, Class::NotFound);
    assert!((420..700).contains(&vanished.now()), "{}", vanished.now());
}

#[tokio::test(start_paused = true)]
async fn what_is_to_go_may_be_gone_already() {
    let leaving = States { pending: &["deleting"], success: &[GONE], terminal: &[] };
    let place = place(3600);
    assert!(place.wait(leaving, |_| Ok(GONE)).await.is_ok());
    assert_eq!(place.now(), 0);
}

#[tokio::test(start_paused = true)]
async fn passing_faults_of_a_look_are_borne_and_lasting_ones_end_the_wait() {
    for class in [Class::Transient, Class::Throttled, Class::Busy, Class::Ambiguous] {
        let place = place(3600);
        let seen =
            place.wait(STATES, |now| if now < 200 { Err(class) } else { Ok("available") }).await;
        assert!(seen.is_ok(), "{class:?}");
        assert!(!place.warnings().is_empty());
    }
    for class in [Class::Denied, Class::Fatal, Class::Conflict] {
        let place = place(3600);
        let failure = place.wait(STATES, |_| Err(class)).await.expect_err("it ends");
        assert_eq!(failure.class, class);
        assert_eq!(failure.to_string(), "lost sight of thing \"a\": no look");
        assert_eq!(place.looks.borrow().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_wait_looks_less_often_than_a_good_one() {
    let mut looks = Vec::new();
    for throttled in [false, true] {
        let place = place(400);
        let shown = |_| if throttled { Err(Class::Throttled) } else { Ok("creating") };
        place.wait(STATES, shown).await.expect_err("its time is up");
        looks.push(place.looks.borrow().iter().filter(|at| **at < 60).count());
    }
    assert!(looks[1] < looks[0], "{looks:?}");
    // And the next wait on that service is held back as well.
    let place = place(400);
    place.cx.pace.throttled("World", &place.cx.clock);
    assert!(place.wait(STATES, |_| Ok("available")).await.is_ok());
    assert!(place.now() >= 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_wait_says_what_it_saw_last() {
    let place = place(900);
    let failure = place.wait(STATES, |_| Ok("creating")).await.expect_err("its time is up");
    assert_eq!(failure.class, Class::TimedOut);
    assert_eq!(
        failure.to_string(),
        "the step's time is up: thing \"a\" was \"creating\" when last seen"
    );
    assert_eq!(place.now(), 900);
    let blind = self::place(900);
    let failure = blind.wait(STATES, |_| Err(Class::Transient)).await.expect_err("no time left");
    assert_eq!(failure.to_string(), "the step's time is up: the last look failed: no look");
}

#[tokio::test(start_paused = true)]
async fn what_arrives_just_before_the_deadline_is_not_given_up() {
    let place = place(900);
    let seen = place.wait(STATES, |now| Ok(if now < 899 { "creating" } else { "available" })).await;
    assert!(seen.is_ok(), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_wait_takes_no_further_look() {
    let place = place(900);
    let failure = place
        .wait(STATES, |now| {
            if now > 100 {
                place.cx.cancel.cancel();
            }
            Ok("creating")
        })
        .await
        .expect_err("it is stopped");
    assert_eq!(failure.class, Class::Interrupted);
    assert_eq!(place.looks.borrow().iter().filter(|at| **at > 100).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_is_not_heard_out_when_the_run_is_stopped() {
    let place = place(1_000);
    let look = || std::future::pending::<Result<Seen, Failure>>();
    let wait = wait(STATES);
    let stop = async {
        place.cx.clock.sleep(Duration::from_secs(10)).await;
        place.cx.cancel.cancel();
        place.cx.clock.sleep(Duration::from_secs(500)).await;
    };
    tokio::select! {
        biased;
        ended = place.cx.wait(&wait, look, || async { None }) => {
            assert_eq!(ended.unwrap_err().class, Class::Interrupted);
        }
        () = stop => panic!("the look was heard out"),
    }
    assert_eq!(place.now(), 10);
}
