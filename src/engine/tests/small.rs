//! Run ids, pauses, paces.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::engine::pace::Pace;
use crate::engine::retry::pause;
use crate::engine::{Class, Clock, RunId};

#[test]
fn run_ids_sort_by_age_and_round_trip() {
    let mut rng = StdRng::seed_from_u64(1);
    let begin: Timestamp = "2024-02-29T23:58:00Z".parse().expect("a timestamp");
    let mut earlier: Option<RunId> = None;
    for hours in 0..2000 {
        let at = begin + SignedDuration::from_mins(hours * 61);
        let id = RunId::new(at, &mut rng);
        assert_eq!(id.as_str().parse::<RunId>().expect("its own text"), id);
        assert_eq!(id.as_str(), id.as_str().to_ascii_lowercase());
        let json = serde_json::to_string(&id).expect("json");
        assert_eq!(serde_json::from_str::<RunId>(&json).expect("its own json"), id);
        assert!(earlier.is_none_or(|earlier| earlier < id));
        earlier = Some(id);
    }
    let (a, b) = (RunId::new(begin, &mut rng), RunId::new(begin, &mut rng));
    assert_ne!(a, b, "two runs of one minute");
}

#[test]
fn what_is_not_a_run_id_is_refused() {
    for text in [
        "",
        "012345678",
        "01234567890",
        "01234567i9",
        "01234567l9",
        "0123-56789",
        "ABCDEFGHJK",
        "0123456é9",
        "../../../x",
    ] {
        assert!(text.parse::<RunId>().is_err(), "{text}");
        assert!(serde_json::from_str::<RunId>(&format!("\"{text}\"")).is_err(), "{text}");
    }
}

#[test]
fn pauses_grow_within_the_bounds_of_their_class() {
    let mut rng = StdRng::seed_from_u64(1);
    for (class, first, longest) in [
        (Class::Transient, 2.0, 60.0),
        (Class::Ambiguous, 2.0, 60.0),
        (Class::Throttled, 5.0, 120.0),
        (Class::Busy, 15.0, 60.0),
        (Class::Capacity, 120.0, 600.0),
    ] {
        for attempt in 1..8_u32 {
            let full = f64::min(first * 2_f64.powi(attempt.cast_signed() - 1), longest);
            for _ in 0..100 {
                let secs = pause(class, attempt, &mut rng).expect("another attempt").as_secs_f64();
                assert!((full / 2.0..full).contains(&secs), "{class:?} {attempt}: {secs}");
            }
        }
        for attempt in [8, 100, u32::MAX] {
            let again = pause(class, attempt, &mut rng);
            assert_eq!(again.is_some(), class == Class::Busy, "{class:?} {attempt}");
            assert!(again.is_none_or(|pause| pause <= Duration::from_secs(60)));
        }
    }
    for class in [
        Class::Denied,
        Class::NotFound,
        Class::Conflict,
        Class::Quota,
        Class::Terminal,
        Class::TimedOut,
        Class::Interrupted,
        Class::Journal,
        Class::Fatal,
    ] {
        assert_eq!(pause(class, 1, &mut rng), None, "{class:?}");
        assert!(!class.may_pass(), "{class:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_service_is_asked_less_often_by_everybody_until_it_answers() {
    let clock = Clock::tokio(Timestamp::UNIX_EPOCH, 1.0);
    let pace = Pace::default();
    assert_eq!(pace.hold("A", &clock), Duration::ZERO);
    pace.throttled("A", &clock);
    assert_eq!(pace.hold("B", &clock), Duration::ZERO, "another service is not slowed");
    let held: Vec<u64> = (0..3).map(|_| pace.hold("a", &clock).as_secs()).collect();
    assert_eq!(held, [1, 2, 3], "the very next call waits, and each caller gets its own place");
    for _ in 0..10 {
        pace.throttled("A", &clock);
    }
    clock.sleep(Duration::from_secs(120)).await;
    let held: Vec<u64> = (0..3).map(|_| pace.hold("A", &clock).as_secs()).collect();
    assert_eq!(held, [0, 30, 60], "never further apart than half a minute");
    for _ in 0..6 {
        pace.answered("A");
    }
    assert_eq!(pace.hold("A", &clock), Duration::ZERO, "good answers bring it back");
}
