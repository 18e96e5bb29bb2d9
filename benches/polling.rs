//! What waiting costs: looks taken and delay until the end is noticed, for the schedule of `next_look` and for a look
//! every 15 s, the fixed interval of the generated waiters people use. `cargo bench --bench polling`. Seeds are fixed.

use std::time::Duration;

use orchestrate::engine::next_look;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const RUNS: u32 = 20_000;

struct Figures {
    mean_looks: f64,
    most_looks: u32,
    mean_late: f64,
    worst_late: f64,
}

/// Ends drawn uniformly from `from..to` of the expectation.
fn measure(
    expected: Duration,
    (from, to): (f64, f64),
    mut gap: impl FnMut(Duration, &mut StdRng) -> Duration,
) -> Figures {
    let mut rng = StdRng::seed_from_u64(7);
    let mut figures = Figures { mean_looks: 0.0, most_looks: 0, mean_late: 0.0, worst_late: 0.0 };
    for _ in 0..RUNS {
        let share = if from < to { rng.random_range(from..to) } else { from };
        let end = expected.mul_f64(share);
        let (mut now, mut looks) = (Duration::ZERO, 1);
        while now < end {
            now += gap(now, &mut rng);
            looks += 1;
        }
        let late = (now - end).as_secs_f64();
        figures.mean_looks += f64::from(looks) / f64::from(RUNS);
        figures.most_looks = figures.most_looks.max(looks);
        figures.mean_late += late / f64::from(RUNS);
        figures.worst_late = figures.worst_late.max(late);
    }
    figures
}

fn main() {
    println!(
        "{:>9}  {:<13} {:<9} {:>6} {:>5} {:>10} {:>10}",
        "expected", "ends at", "looks", "mean", "most", "mean late", "worst late"
    );
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for (expected, spread, name) in [
        (minutes(60), (65.0 / 60.0, 65.0 / 60.0), "65 min"),
        (minutes(65), (1.0, 1.0), "65 min"),
        (minutes(65), (0.95, 1.05), "0.95 - 1.05"),
        (minutes(65), (0.85, 1.25), "0.85 - 1.25"),
        (minutes(65), (0.5, 2.0), "0.50 - 2.00"),
        (minutes(65), (0.0, 0.5), "0.00 - 0.50"),
        (minutes(10), (0.85, 1.25), "0.85 - 1.25"),
        (minutes(2), (0.85, 1.25), "0.85 - 1.25"),
        (minutes(300), (0.85, 1.25), "0.85 - 1.25"),
    ] {
        let adaptive = measure(expected, spread, |now, rng| next_look(now, expected, rng));
        let fixed = measure(expected, spread, |_, _| Duration::from_secs(15));
        for (schedule, figures) in [("adaptive", adaptive), ("15 s", fixed)] {
            println!(
                "{:>5} min  {name:<13} {schedule:<9} {:>6.1} {:>5} {:>8.1} s {:>8.1} s",
                expected.as_secs() / 60,
                figures.mean_looks,
                figures.most_looks,
                figures.mean_late,
                figures.worst_late,
            );
        }
    }
}
