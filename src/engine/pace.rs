//! One pace per service: a throttled answer to anybody slows everybody who asks that service.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::clock::Clock;

const FIRST_GAP: Duration = Duration::from_secs(1);
const WIDEST_GAP: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Bucket {
    gap: Duration,
    next: Option<Timestamp>,
}

/// The gaps kept between calls to each service. Zero until a service throttles; doubles with each throttled answer and
/// halves with each good one.
#[derive(Debug, Default)]
pub(super) struct Pace {
    buckets: RefCell<HashMap<String, Bucket>>,
}

impl Pace {
    /// How long to hold the next call to `service` back. Reserves the place.
    pub(super) fn hold(&self, service: &str, clock: &Clock) -> Duration {
        let mut buckets = self.buckets.borrow_mut();
        let Some(bucket) = buckets.get_mut(&key(service)).filter(|b| !b.gap.is_zero()) else {
            return Duration::ZERO;
        };
        let now = clock.now();
        let at = bucket.next.map_or(now, |next| next.max(now));
        let gap = SignedDuration::try_from(bucket.gap).unwrap_or(SignedDuration::ZERO);
        bucket.next = at.checked_add(gap).ok();
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    }

    /// The service asked for fewer calls.
    pub(super) fn throttled(&self, service: &str, clock: &Clock) {
        let mut buckets = self.buckets.borrow_mut();
        let bucket = buckets.entry(key(service)).or_default();
        bucket.gap = (bucket.gap * 2).clamp(FIRST_GAP, WIDEST_GAP);
        // The gap begins now: without this the very next call would not be held at all.
        let gap = SignedDuration::try_from(bucket.gap).unwrap_or(SignedDuration::ZERO);
        let soonest = clock.now().checked_add(gap).ok();
        bucket.next = bucket.next.max(soonest);
    }

    /// The service answered.
    pub(super) fn answered(&self, service: &str) {
        if let Some(bucket) = self.buckets.borrow_mut().get_mut(&key(service)) {
            bucket.gap = if bucket.gap <= FIRST_GAP { Duration::ZERO } else { bucket.gap / 2 };
        }
    }
}

/// Services are named as their documentation does in answers and by callers: one bucket however it is spelled.
fn key(service: &str) -> String {
    service.to_ascii_lowercase()
}
