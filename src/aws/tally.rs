//! How often this process called each service, and how often it was told to slow down: for the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Calls of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// All of them.
    pub made: u64,
    /// Those that the service throttled.
    pub throttled: u64,
}

static CALLS: Mutex<BTreeMap<&'static str, Calls>> = Mutex::new(BTreeMap::new());

/// Counts a call that was answered or given up.
pub(super) fn count(service: &'static str, throttled: bool) {
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let calls = calls.entry(service).or_default();
    calls.made += 1;
    calls.throttled += u64::from(throttled);
}

/// The calls of this process so far, by service.
#[must_use]
pub fn calls() -> Vec<(&'static str, Calls)> {
    let calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    calls.iter().map(|(service, calls)| (*service, *calls)).collect()
}
