//! What the schedule of looks costs and how late it notices, in figures; `cargo bench --bench polling` prints more.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::engine::next_look;

/// Looks until the first at or after `end`: how many, and how late that one is.
fn looks(expected: f64, end: f64, rng: &mut StdRng) -> (u32, f64) {
    let (mut now, mut looks) = (0.0, 1);
    while now < end {
        let expected = Duration::from_secs_f64(expected);
        now += next_look(Duration::from_secs_f64(now), expected, rng).as_secs_f64();
        looks += 1;
    }
    (looks, now - end)
}

#[test]
fn an_hours_wait_takes_at_most_sixty_looks_and_ends_within_twenty_seconds_on_average() {
    let mut rng = StdRng::seed_from_u64(7);
    for expected in [3600.0, 3700.0, 3800.0, 3900.0] {
        let most = (0..500).map(|_| looks(expected, 3900.0, &mut rng).0).max().unwrap_or(0);
        let delays: Vec<f64> = (0..4000)
            .map(|_| {
                let end = expected * rng.random_range(0.85..1.25);
                looks(expected, end, &mut rng).1
            })
            .collect();
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        let worst = delays.iter().copied().fold(0.0, f64::max);
        println!(
            "expected {expected} s: at most {most} looks for 3900 s; late by {mean:.1} s on average, {worst:.1} s at worst"
        );
        assert!(most <= 60, "{most} looks");
        assert!(mean <= 20.0, "{mean} s");
        assert!(worst <= 60.0, "{worst} s");
    }
}

#[test]
fn a_failure_within_the_first_minute_is_noticed_within_half_a_minute() {
    let mut rng = StdRng::seed_from_u64(7);
    for expected in [1.0, 60.0, 600.0, 3900.0, 36_000.0] {
        for _ in 0..1000 {
            let end = rng.random_range(0.0..30.0);
            let (_, late) = looks(expected, end, &mut rng);
            assert!(late <= 35.0, "expected {expected}: {late}");
        }
    }
}

#[test]
fn no_gap_is_without_bounds() {
    let mut rng = StdRng::seed_from_u64(7);
    for expected in [0, 1, 59, 600, 3900, 86_400, u64::from(u32::MAX)] {
        for elapsed in [0, 1, 29, 31, 600, 3900, 86_400, 864_000] {
            let (elapsed, expected) = (Duration::from_secs(elapsed), Duration::from_secs(expected));
            let gap = next_look(elapsed, expected, &mut rng).as_secs_f64();
            assert!((0.9..=165.0).contains(&gap), "{elapsed:?} of {expected:?}: {gap}");
        }
    }
}
