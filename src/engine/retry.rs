//! How long to wait before another attempt, or that there is no point in one.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::failure::Class;

const MOST_ATTEMPTS: u32 = 8;

/// The failed attempts of one step, or of its undo. A busy resource is counted apart: having waited long for it leaves
/// no less patience for the passing fault that comes after.
#[derive(Debug, Default)]
pub(super) struct Tries {
    busy: bool,
    in_a_row: u32,
}

impl Tries {
    /// The pause after an attempt failed with `class`, as `pause`.
    pub(super) fn pause(&mut self, class: Class, rng: &mut impl Rng) -> Option<Duration> {
        let busy = class == Class::Busy;
        self.in_a_row = if busy == self.busy { self.in_a_row + 1 } else { 1 };
        self.busy = busy;
        pause(class, self.in_a_row, rng)
    }
}

/// The pause before attempt `attempt + 1` after attempt `attempt` (from 1) failed with `class`; `None` if another
/// attempt is pointless. A busy resource is asked again until the step's time is up; everything else at most eight
/// times in a row.
pub(super) fn pause(class: Class, attempt: u32, rng: &mut impl Rng) -> Option<Duration> {
    let (first, longest) = match class {
        Class::Transient | Class::Ambiguous => (2.0, 60.0),
        Class::Throttled => (5.0, 120.0),
        Class::Busy => (15.0, 60.0),
        Class::Capacity => (120.0, 600.0),
        _ => return None,
    };
    if class != Class::Busy && attempt >= MOST_ATTEMPTS {
        return None;
    }
    let doubled = first * 2_f64.powi(i32::try_from(attempt.min(16)).unwrap_or(16) - 1);
    // Half fixed, half drawn: spreads callers without ever retrying at once.
    let secs = doubled.min(longest) * rng.random_range(0.5..1.0);
    Some(Duration::from_secs_f64(secs))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_long_busy_time_leaves_patience_for_a_passing_fault() {
        let (mut tries, mut rng) = (Tries::default(), StdRng::seed_from_u64(1));
        for _ in 0..20 {
            assert!(tries.pause(Class::Busy, &mut rng).is_some());
        }
        for _ in 1..MOST_ATTEMPTS {
            assert!(tries.pause(Class::Transient, &mut rng).is_some());
        }
        assert_eq!(tries.pause(Class::Throttled, &mut rng), None);
    }
}
