//! The signals that ask this process to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, which all mean the same.
pub(crate) struct Signals {
    all: Vec<Signal>,
}

impl Signals {
    /// Takes the signals over from now on. One that cannot be taken keeps its usual meaning.
    ///
    /// SIGHUP stays ignored where whoever started this process has seen to that: `nohup` promises that the process
    /// outlives its terminal, and a handler would break that promise.
    #[must_use]
    pub(crate) fn watch() -> Self {
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !hangup_ignored() {
            kinds.push(SignalKind::hangup());
        }
        Self { all: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    /// Returns when the next one comes.
    pub(crate) async fn next(&mut self) {
        if self.all.is_empty() {
            return std::future::pending().await;
        }
        let each = self.all.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(each).await;
    }
}

/// Whether SIGHUP was ignored when the process began; where there is no `/proc` this cannot be told.
fn hangup_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, SIGHUP))
}

const SIGHUP: u32 = 1;

fn ignores(status: &str, signal: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_mask() {
        assert!(ignores("Name:\tx\nSigIgn:\t0000000000000001\n", SIGHUP));
        assert!(!ignores("SigIgn:\t0000000000001000\n", SIGHUP));
        assert!(!ignores("", SIGHUP));
    }
}
