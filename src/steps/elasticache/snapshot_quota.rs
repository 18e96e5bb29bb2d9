//! How many manual snapshots of one source may be taken in a day.

use jiff::{SignedDuration, Timestamp, Unit};

use crate::engine::Finding;

/// The name of the check.
pub(super) const CHECK: &str = "source.snapshot_quota";

/// A quota of ElastiCache.
pub(super) struct Quota {
    /// Manual snapshots in 24 hours.
    pub(super) a_day: usize,
    /// The code with which the next one is refused.
    pub(super) fault: &'static str,
}

impl Quota {
    /// What the instants of the manual snapshots of `of` say. AWS counts what was taken, also what has been deleted since:
    /// the list shows a lower bound. `other`: what else helps, behind a semicolon.
    pub(super) fn weigh(
        &self,
        of: &str,
        taken: impl Iterator<Item = Timestamp>,
        now: Timestamp,
        other: &str,
    ) -> Finding {
        let Self { a_day, fault } = self;
        let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let mut recent: Vec<Timestamp> = taken.filter(|at| *at > day_ago).collect();
        recent.sort_unstable();
        let used = recent.len();
        if used < *a_day {
            return Finding::ok(
                CHECK,
                format!(
                    "at least {used} of {a_day} manual snapshots of {of} were taken in the last 24 hours; deleted ones \
                     count too and are not listed"
                ),
            );
        }
        // The quota has room again when all but one less than it allows are a day old.
        let frees = recent[used - a_day].checked_add(SignedDuration::from_hours(24));
        let frees = frees.ok().and_then(|at| at.round(Unit::Second).ok()).unwrap_or(Timestamp::MAX);
        Finding::will_fail(
            CHECK,
            format!(
                "{used} manual snapshots of {of} were taken in the last 24 hours, and ElastiCache allows {a_day} ({fault})"
            ),
            format!("run after {frees}; deleting snapshots does not help{other}"),
        )
    }
}
