//! How long to wait before another attempt, or that there is no point in one.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::failure::Class;

const MOST_ATTEMPTS: u32 = 8;

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
