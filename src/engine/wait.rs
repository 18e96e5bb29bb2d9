//! Waiting for a state: when to look, what a look means.
//!
//! Neither service offers a waiter for snapshots, and MemoryDB none at all (AWS SDK service models); the generated ones
//! that exist poll blindly. Here the looks are dense where an answer is likely: early, for fast failures, and around
//! the expected time.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The word for a resource that is not there.
pub const GONE: &str = "(not found)";

/// How long a resource may stay invisible right after the call that created it: describes are eventually consistent.
pub(super) const VISIBLE_WITHIN: Duration = Duration::from_secs(120);

/// The three sets of states of one wait. States outside all of them are waited through, with a warning.
#[derive(Clone, Copy, Debug)]
pub struct States {
    /// On the way.
    pub pending: &'static [&'static str],
    /// Arrived.
    pub success: &'static [&'static str],
    /// Never going to arrive.
    pub terminal: &'static [&'static str],
}

/// What a state means to a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Keep waiting.
    Pending,
    /// Keep waiting, and say that the state is unheard of.
    Unknown,
    /// Arrived.
    Success,
    /// Give up.
    Terminal,
}

impl States {
    /// What `state` means. Compared without case: the services are not consistent in it.
    #[must_use]
    pub fn meaning(&self, state: &str) -> Meaning {
        let among = |set: &[&str]| set.iter().any(|s| s.eq_ignore_ascii_case(state));
        if among(self.success) {
            Meaning::Success
        } else if among(self.terminal) {
            Meaning::Terminal
        } else if among(self.pending) || state == GONE {
            Meaning::Pending
        } else {
            Meaning::Unknown
        }
    }
}

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What is watched, for people: `snapshot "prod-1"`.
    pub subject: String,
    /// The service that is asked; callers of one service share its pace.
    pub service: &'static str,
    /// What the states mean.
    pub states: States,
    /// How long it usually takes.
    pub expected: Duration,
}

/// What one look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The state in AWS's word.
    pub state: String,
    /// More, for example a percentage.
    pub detail: Option<String>,
}

impl Seen {
    /// A state with nothing to add.
    pub fn state(state: impl Into<String>) -> Self {
        Self { state: state.into(), detail: None }
    }

    /// Nothing of that name is there.
    #[must_use]
    pub fn gone() -> Self {
        Self::state(GONE)
    }
}

const EARLY: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(12),
    Duration::from_secs(30),
];
/// The least time between two early looks.
const LEAST: Duration = Duration::from_secs(1);
const DENSE: (f64, f64) = (0.84, 1.35);
const DENSE_LOOKS: f64 = 60.0;
const FASTEST: Duration = Duration::from_secs(10);
const DENSEST: Duration = Duration::from_secs(30);
const SPARSEST: Duration = Duration::from_secs(150);
const SPARSE_SHARE: f64 = 0.09;
const OVERDUE_SHARE: f64 = 0.05;

/// The time from a look at `elapsed` to the next one.
///
/// Early looks catch what fails at once; then looks are sparse; between 0.84 and 1.35 of the expected time they come
/// every 10 to 30 s; after that they thin out again with the time waited. Jitter of a tenth keeps waits apart.
pub fn next_look(elapsed: Duration, expected: Duration, rng: &mut impl Rng) -> Duration {
    let expected = expected.max(Duration::from_secs(1));
    let dense = expected.div_f64(DENSE_LOOKS).clamp(FASTEST, DENSEST);
    let from = expected.mul_f64(DENSE.0);
    let to = expected.mul_f64(DENSE.1);
    if let Some(gap) = EARLY.iter().find(|at| **at > elapsed).map(|at| *at - elapsed) {
        // Drawn to lie beyond its mark: a look just before it would be followed by another at once, and another.
        return gap.clamp(LEAST, dense).mul_f64(rng.random_range(1.0..1.2));
    }
    let gap = if elapsed < from {
        let sparse = expected.mul_f64(SPARSE_SHARE).clamp(dense, SPARSEST);
        // Never sleep past the beginning of the dense part.
        sparse.min(from - elapsed + dense / 2)
    } else if elapsed < to {
        dense
    } else {
        elapsed.mul_f64(OVERDUE_SHARE).clamp(dense, SPARSEST)
    };
    gap.mul_f64(rng.random_range(0.9..1.1))
}
