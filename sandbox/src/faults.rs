//! Failures on order: which call goes wrong, and how.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The service answers that the rate is exceeded; nothing happened.
    Throttle,
    /// HTTP 500; nothing happened.
    ServerErrorBefore,
    /// HTTP 500; the effect happened.
    ServerErrorAfter,
    /// The effect happened, and the connection breaks before the answer.
    LostResponse,
    /// No answer in time; nothing happened.
    Timeout,
    /// A read answers from the state before the last change, if that was within the last minute. Mutations and S3 are
    /// not affected.
    StaleRead,
    /// The service answers that there is no such thing, as it may while the thing is busy.
    NotFound,
    /// A write under a condition meets another one in flight: S3 answers 409 ConditionalRequestConflict, and nothing
    /// happened (S3 user guide, "Conditional request behavior"). Of S3 only.
    WriteConflict,
    /// The caller is not allowed to do this.
    Denied,
    /// The caller's credentials have expired.
    ExpiredCredentials,
    /// What the call creates ends in this state, for this reason.
    TerminalState {
        /// The state, such as `restore-failed`.
        state: String,
        /// The reason that the service's events will tell.
        reason: String,
    },
    /// What the call starts takes this many times as long.
    SlowTransition(f64),
    /// The export the call starts returns to `available` with its last object missing.
    MissingObjects,
}

impl FaultKind {
    /// Its name, as a fault plan writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::ServerErrorBefore => "server_error_before",
            Self::ServerErrorAfter => "server_error_after",
            Self::LostResponse => "lost_response",
            Self::Timeout => "timeout",
            Self::StaleRead => "stale_read",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::ExpiredCredentials => "expired_credentials",
            Self::TerminalState { .. } => "terminal_state",
            Self::SlowTransition(_) => "slow_transition",
            Self::MissingObjects => "missing_objects",
            Self::WriteConflict => "write_conflict",
        }
    }
}

/// One failure: the `nth` call (from 1) of an operation and the `times - 1` after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service by its signing name: `elasticache`, `memorydb`, `s3`, `ssm`, `secretsmanager`, `route53`, `sts`, or `*`.
    pub service: String,
    /// The operation, such as `CopySnapshot`, or `*`.
    pub operation: String,
    /// Which matching call is the first to fail, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls in a row fail.
    #[serde(default = "one")]
    pub times: u32,
    /// What goes wrong.
    pub kind: FaultKind,
}

fn one() -> u32 {
    1
}

impl Fault {
    /// A fault on the first call of one operation.
    pub fn new(service: &str, operation: &str, kind: FaultKind) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            nth: 1,
            times: 1,
            kind,
        }
    }

    /// The same fault on the `nth` call, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// The same fault on `times` calls in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// Failures drawn at random, the same for the same seed and order of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFaults {
    /// The seed of the draw.
    pub seed: u64,
    /// How many of the calls fail, from 0 to 1.
    pub rate: f64,
    /// What may go wrong, each as likely as the others.
    pub kinds: Vec<FaultKind>,
}

/// Everything that is to go wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Faults by operation and count. The first that matches wins.
    pub faults: Vec<Fault>,
    /// Faults by chance, asked when no planned fault matches.
    pub random: Option<RandomFaults>,
}

impl FaultPlan {
    /// A plan of these faults.
    pub fn of(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: faults.into_iter().collect(), random: None }
    }
}

/// A plan and how far it has come.
#[derive(Debug, Default)]
pub(crate) struct FaultState {
    plan: FaultPlan,
    seen: BTreeMap<usize, u32>,
    draw: Option<StdRng>,
}

impl FaultState {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        let draw = plan.random.as_ref().map(|random| StdRng::seed_from_u64(random.seed));
        Self { plan, seen: BTreeMap::new(), draw }
    }

    /// The fault of this call, if it has one. Every call must be asked exactly once: asking counts.
    pub(crate) fn decide(&mut self, service: &str, operation: &str) -> Option<FaultKind> {
        let mut chosen = None;
        for (index, fault) in self.plan.faults.iter().enumerate() {
            let matches = (fault.service == "*" || fault.service == service)
                && (fault.operation == "*" || fault.operation == operation);
            if !matches {
                continue;
            }
            let seen = self.seen.entry(index).or_default();
            *seen += 1;
            let hit = *seen >= fault.nth && *seen - fault.nth < fault.times;
            if hit && chosen.is_none() {
                chosen = Some(fault.kind.clone());
            }
        }
        if chosen.is_some() {
            return chosen;
        }
        let (random, draw) = (self.plan.random.as_ref()?, self.draw.as_mut()?);
        if random.kinds.is_empty() || draw.random::<f64>() >= random.rate {
            return None;
        }
        Some(random.kinds[draw.random_range(0..random.kinds.len())].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_nth_call_and_those_after_it_and_no_other() {
        let fault = Fault::new("s3", "GetObject", FaultKind::Throttle).nth(2).times(2);
        let mut state = FaultState::new(FaultPlan::of([fault]));
        assert_eq!(state.decide("s3", "PutObject"), None);
        let hits: Vec<bool> = (0..5).map(|_| state.decide("s3", "GetObject").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let plan = FaultPlan {
            faults: vec![],
            random: Some(RandomFaults {
                seed: 7,
                rate: 0.5,
                kinds: vec![FaultKind::Throttle, FaultKind::LostResponse],
            }),
        };
        let draw = |plan: &FaultPlan| {
            let mut state = FaultState::new(plan.clone());
            (0..50).map(|_| state.decide("ssm", "GetParameter")).collect::<Vec<_>>()
        };
        assert_eq!(draw(&plan), draw(&plan));
        assert!(draw(&plan).iter().any(Option::is_some));
        assert!(draw(&plan).iter().any(Option::is_none));
    }
}
