//! A schedule as it is declared.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::blackout::Window;
use super::cadence::Cadence;

/// What becomes of occurrences that nobody began in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// They are left out.
    #[default]
    None,
    /// The newest of them is begun, if it was due no longer ago than the window.
    Latest {
        /// How long ago it may have been due.
        window: Option<Duration>,
    },
    /// Each of them is begun, one after the other.
    All {
        /// How long ago they may have been due.
        window: Option<Duration>,
        /// How many at most: the newest.
        most: Option<u32>,
    },
}

/// What becomes of an occurrence that is due while another one is not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// One waits until the other is finished; more than one do not.
    BufferOne,
    /// The other is cancelled and undone; then it begins.
    CancelOther,
}

/// When a playbook runs by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its times.
    pub cadence: Cadence,
    /// Up to how much later than its time an occurrence begins: the same for one occurrence everywhere.
    pub jitter: Duration,
    /// How late an occurrence may begin and still count as in time.
    pub grace: Duration,
    /// When nothing begins.
    pub blackout: Vec<Window>,
    /// What becomes of occurrences that nobody began in time.
    pub catch_up: CatchUp,
    /// What becomes of an occurrence that is due while another one is not finished.
    pub overlap: Overlap,
    /// Whether the schedule pauses once an occurrence has failed.
    pub pause_on_failure: bool,
}

/// The name of an occurrence: the same on every machine.
#[must_use]
pub fn key(playbook: &str, at: Timestamp) -> String {
    format!("{playbook}@{at}")
}

impl Schedule {
    /// When the occurrence of a time begins: that time, and its jitter.
    #[must_use]
    pub fn due(&self, playbook: &str, at: Timestamp) -> Timestamp {
        let most = self.jitter.as_secs();
        if most == 0 {
            return at;
        }
        let digest = Sha256::digest(key(playbook, at));
        let drawn = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let delay = i64::try_from(drawn % (most + 1)).unwrap_or(0);
        at.checked_add(SignedDuration::from_secs(delay)).unwrap_or(at)
    }

    /// Whether nothing may begin at an instant.
    #[must_use]
    pub fn dark(&self, instant: Timestamp) -> bool {
        let local = self.cadence.zone().to_datetime(instant);
        self.blackout.iter().any(|window| window.covers(local))
    }
}
