//! A canary: small writes every few milliseconds through something that may break the writing, and what became of them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plane::Target;
use super::slot::slot_of;
use crate::engine::{Clock, Failure, Stopwatch};
use crate::steps::Env;

/// Between two writes, in time that passes outside: a server does not hurry with the sandbox's clock.
pub(crate) const EVERY: Duration = Duration::from_millis(50);
/// How long the numbers are looked for afterwards.
const READ_TRIES: u32 = 20;

/// Writes numbers under one key, and tells which are there. A try that fails leaves the next one to connect anew.
#[async_trait(?Send)]
pub trait Canary {
    /// Writes one number. Whoever gets `Ok` was told by the server that it is written.
    async fn write(&mut self, number: u64) -> Result<(), Failure>;

    /// The numbers that are there.
    async fn written(&mut self) -> Result<BTreeSet<u64>, Failure>;

    /// Removes the key.
    async fn remove(&mut self) -> Result<(), Failure>;
}

/// What became of a canary's writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Report {
    /// Writes that were tried.
    pub(crate) tried: u64,
    /// Writes that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Tries that failed, by the first words of what was said, with their number.
    pub(crate) failures: Vec<String>,
    /// The longest time between two acknowledged writes, in milliseconds. Without a failure it is about 50.
    pub(crate) write_gap_ms: u64,
    /// When that gap began, as RFC 3339: the last write before it.
    pub(crate) gap_began: String,
    /// Acknowledged writes that were not there afterwards.
    pub(crate) lost: u64,
}

/// A key with this prefix whose slot is in one of these ranges.
pub(crate) fn key_in(prefix: &str, ranges: &[(u16, u16)]) -> String {
    let fits = |key: &String| {
        let slot = slot_of(key.as_bytes());
        ranges.is_empty() || ranges.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    };
    // A shard with one slot is met after 16,384 tries on average; no shard is without any.
    (0..1_000_000).map(|n| format!("{prefix}:{n}")).find(fits).unwrap_or_else(|| prefix.to_owned())
}

/// A canary that sings until it is told to stop.
pub(crate) struct Singing {
    canary: Box<dyn Canary>,
    clock: Clock,
    acknowledged: BTreeSet<u64>,
    report: Report,
    next: u64,
    /// The last acknowledged write, and the time since then: a wall clock that is set would be a gap.
    last: Option<(Timestamp, Stopwatch)>,
}

impl Singing {
    /// Opens it with a first write, which must succeed.
    ///
    /// # Errors
    /// Those of connecting and writing.
    pub(crate) async fn open(
        env: &Env,
        target: &Target,
        key: &str,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let canary = env.data.canary(target, key)?;
        let (acknowledged, report) = (BTreeSet::new(), Report::default());
        let mut singing = Self { canary, clock, acknowledged, report, next: 0, last: None };
        singing.once().await?;
        Ok(singing)
    }

    async fn once(&mut self) -> Result<(), Failure> {
        let number = self.next;
        self.next += 1;
        self.report.tried += 1;
        self.canary.write(number).await?;
        if let Some((last, since)) = &self.last {
            let gap = since.elapsed().div_f64(self.clock.speed()).as_millis();
            let gap = u64::try_from(gap).unwrap_or(u64::MAX);
            if gap > self.report.write_gap_ms {
                self.report.write_gap_ms = gap;
                self.report.gap_began = last.to_string();
            }
        }
        self.last = Some((self.clock.now(), self.clock.stopwatch()));
        self.acknowledged.insert(number);
        Ok(())
    }

    /// Writes until `stop`.
    pub(crate) async fn sing(&mut self, stop: &Cell<bool>) {
        let mut failures: Vec<(String, u64)> = Vec::new();
        while !stop.get() {
            self.clock.sleep(EVERY.mul_f64(self.clock.speed())).await;
            let Err(failure) = self.once().await else { continue };
            match failures.iter_mut().find(|(said, _)| *said == failure.message) {
                Some((_, times)) => *times += 1,
                None => failures.push((failure.message, 1)),
            }
        }
        let told = failures.into_iter().map(|(said, times)| format!("{said} ({times} times)"));
        self.report.failures = told.collect();
    }

    /// Removes the key, if that can be done: nobody reads what was written.
    pub(crate) async fn forget(mut self) {
        // It expires by itself too.
        let _ = self.canary.remove().await;
    }

    /// Counts what was lost, and removes the key.
    ///
    /// # Errors
    /// The numbers cannot be read back.
    pub(crate) async fn report(mut self) -> Result<Report, Failure> {
        let mut tries = 0;
        let written = loop {
            tries += 1;
            match self.canary.written().await {
                Ok(written) => break written,
                Err(failure) if tries == READ_TRIES => return Err(failure),
                Err(_) => self.clock.sleep((EVERY * 4).mul_f64(self.clock.speed())).await,
            }
        };
        self.report.acknowledged = self.acknowledged.len() as u64;
        self.report.lost = self.acknowledged.difference(&written).count() as u64;
        self.canary.remove().await?;
        Ok(self.report)
    }
}

/// Removes what a canary of an earlier attempt has left.
///
/// # Errors
/// Those of connecting and writing.
pub(crate) async fn clear(env: &Env, target: &Target, key: &str) -> Result<(), Failure> {
    env.data.canary(target, key)?.remove().await
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn a_key_is_in_the_shard_that_is_meant() {
        for range in [(0, 5460), (5461, 10922), (10923, 16383)] {
            let key = key_in("orchestrate:canary", &[range]);
            assert!((range.0..=range.1).contains(&slot_of(key.as_bytes())), "{key}");
        }
    }

    /// Fails where it is told to, and forgets a number.
    struct Script {
        answers: VecDeque<bool>,
        kept: BTreeSet<u64>,
        forgets: u64,
    }

    #[async_trait(?Send)]
    impl Canary for Script {
        async fn write(&mut self, number: u64) -> Result<(), Failure> {
            if !self.answers.pop_front().unwrap_or(true) {
                return Err(Failure::fatal("connection refused"));
            }
            if number != self.forgets {
                self.kept.insert(number);
            }
            Ok(())
        }

        async fn written(&mut self) -> Result<BTreeSet<u64>, Failure> {
            Ok(self.kept.clone())
        }

        async fn remove(&mut self) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_gap_is_between_acknowledged_writes_and_lost_ones_are_counted() {
        let clock = Clock::tokio("2026-11-26T00:00:00Z".parse().unwrap(), 1.0);
        // The write 3 is acknowledged and lost; the four after it fail.
        let answers = [true, true, true, true, false, false, false, false];
        let script = Script { answers: answers.into(), kept: BTreeSet::new(), forgets: 3 };
        let mut singing = Singing {
            canary: Box::new(script),
            clock: clock.clone(),
            acknowledged: BTreeSet::new(),
            report: Report::default(),
            next: 0,
            last: None,
        };
        singing.once().await.unwrap();
        let stop = Cell::new(false);
        let later = async {
            clock.sleep(Duration::from_millis(620)).await;
            stop.set(true);
        };
        tokio::join!(singing.sing(&stop), later);
        let report = singing.report().await.unwrap();
        assert_eq!((report.lost, report.tried - report.acknowledged), (1, 4), "{report:?}");
        assert!((250..300).contains(&report.write_gap_ms), "{report:?}");
        assert!(report.gap_began.starts_with("2026-11-26T00:00:00.15"), "{report:?}");
        assert_eq!(report.failures, ["connection refused (4 times)"]);
    }
}
