//! Going through two stores page by page: everything on the source, then what is only on the target.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::difference::{Detail, Rules, What};
use super::plane::{Entry, Store};
use super::select::Selection;
use super::show::grouped;
use crate::engine::{Cx, Failure};

/// Readings of a key whose source does not hold still before it counts as a difference.
const ROUNDS: u32 = 3;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(500);
/// Differing keys remembered so that SCAN giving one twice does not count it twice.
const REMEMBERED: usize = 100_000;

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Keys of the source that were compared.
    pub(super) compared: u64,
    /// The same by type.
    pub(super) by_type: BTreeMap<String, u64>,
    /// Keys that differ, on either side.
    pub(super) differing: u64,
    /// The same by what differs; a key may differ in two ways.
    pub(super) by_what: BTreeMap<&'static str, u64>,
    /// The first of them, a line each.
    pub(super) lines: Vec<String>,
}

/// Two open stores and how to compare them.
pub(super) struct Walk<'a> {
    pub(super) cx: &'a Cx,
    pub(super) source: Box<dyn Store>,
    pub(super) target: Box<dyn Store>,
    pub(super) selection: Selection,
    pub(super) tolerance_ms: u64,
    /// Differences to list.
    pub(super) most: usize,
    /// What is compared, for progress.
    pub(super) subject: String,
    /// Milliseconds by which the source's clock is ahead of ours.
    pub(super) ahead_ms: i64,
    pub(super) started: Timestamp,
    pub(super) tally: Tally,
    seen: HashSet<[u8; 16]>,
}

/// What differs under one key, with what was read last.
struct Finding {
    key: Vec<u8>,
    whats: Vec<What>,
    source: Option<Entry>,
    target: Option<Entry>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        cx: &'a Cx,
        source: Box<dyn Store>,
        target: Box<dyn Store>,
        subject: String,
    ) -> Self {
        Self {
            cx,
            source,
            target,
            selection: Selection::all(),
            tolerance_ms: 0,
            most: 20,
            subject,
            ahead_ms: 0,
            started: cx.clock.now(),
            tally: Tally::default(),
            seen: HashSet::new(),
        }
    }

    /// Compares every chosen key of the source with the target. `total` is for progress.
    pub(super) async fn forward(&mut self, total: u64) -> Result<(), Failure> {
        let mut passed = 0;
        for shard in 0..self.source.shards() {
            let mut cursor = 0;
            loop {
                let (next, page) = self.source.scan(shard, cursor).await?;
                passed += page.len() as u64;
                self.compare(self.chosen(page)).await?;
                self.breathe(passed, total, "compared").await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Looks for chosen keys that are only on the target.
    pub(super) async fn backward(&mut self, total: u64) -> Result<(), Failure> {
        let mut passed = 0;
        for shard in 0..self.target.shards() {
            let mut cursor = 0;
            loop {
                let (next, page) = self.target.scan(shard, cursor).await?;
                passed += page.len() as u64;
                let keys = self.chosen(page);
                let present = self.source.present(&keys).await?;
                let absent: Vec<Vec<u8>> = keys
                    .into_iter()
                    .zip(present)
                    .filter_map(|(key, present)| (!present).then_some(key))
                    .collect();
                let findings = self.settle(absent).await?;
                self.count(findings).await?;
                self.breathe(passed, total, "of the target looked up on the source").await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The keys of a page that are to be compared, each once.
    fn chosen(&self, mut page: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        page.retain(|key| self.selection.takes(key));
        page.sort_unstable();
        page.dedup();
        page
    }

    fn rules(&self) -> Rules {
        let ours = self.cx.clock.now().as_millisecond();
        let now_ms = u64::try_from(ours.saturating_add(self.ahead_ms)).unwrap_or(0);
        Rules { tolerance_ms: self.tolerance_ms, now_ms }
    }

    async fn compare(&mut self, keys: Vec<Vec<u8>>) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let (source, target) = futures::join!(self.source.read(&keys), self.target.read(&keys));
        let rules = self.rules();
        let mut suspects = Vec::new();
        for ((key, source), target) in keys.into_iter().zip(source?).zip(target?) {
            // A key that is gone from the source since the scan is looked for when the target is scanned.
            let Some(source) = source else { continue };
            self.tally.compared += 1;
            if !rules.differences(Some(&source), target.as_ref()).is_empty() {
                suspects.push(key);
            }
            match self.tally.by_type.get_mut(&source.kind) {
                Some(count) => *count += 1,
                None => {
                    self.tally.by_type.insert(source.kind, 1);
                }
            }
        }
        let findings = self.settle(suspects).await?;
        self.count(findings).await
    }

    /// Reads suspects again: source, target, source. Only a key whose source is the same both times counts, so that a
    /// change under way is not taken for a difference.
    async fn settle(&mut self, mut open: Vec<Vec<u8>>) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::new();
        for round in 1..=ROUNDS {
            if open.is_empty() {
                break;
            }
            let before = self.source.read(&open).await?;
            let target = self.target.read(&open).await?;
            let after = self.source.read(&open).await?;
            let rules = self.rules();
            let mut unsteady = Vec::new();
            for (((key, before), target), after) in
                std::mem::take(&mut open).into_iter().zip(before).zip(target).zip(after)
            {
                let mut whats = rules.differences(after.as_ref(), target.as_ref());
                if !rules.steady(before.as_ref(), after.as_ref()) {
                    if round < ROUNDS {
                        unsteady.push(key);
                        continue;
                    }
                    whats = vec![What::Unsettled];
                }
                if !whats.is_empty() {
                    findings.push(Finding { key, whats, source: after, target });
                }
            }
            open = unsteady;
            if !open.is_empty() {
                self.cx.sleep(BETWEEN_ROUNDS).await?;
            }
        }
        Ok(findings)
    }

    async fn count(&mut self, findings: Vec<Finding>) -> Result<(), Failure> {
        for finding in findings {
            let digest = Sha256::digest(&finding.key);
            let short = std::array::from_fn(|index| digest[index]);
            if self.seen.contains(&short) {
                continue;
            }
            if self.seen.len() < REMEMBERED {
                self.seen.insert(short);
            }
            self.tally.differing += 1;
            for what in &finding.whats {
                *self.tally.by_what.entry(what.summary()).or_default() += 1;
            }
            if self.tally.lines.len() < self.most {
                let line = self.line(&finding).await?;
                self.tally.lines.push(line);
            }
        }
        Ok(())
    }

    async fn line(&mut self, finding: &Finding) -> Result<String, Failure> {
        let mut parts = None;
        if finding.whats.contains(&What::Value) {
            let source = self.source.parts(&finding.key).await?;
            let target = self.target.parts(&finding.key).await?;
            parts = source.zip(target);
        }
        let detail = Detail {
            key: &finding.key,
            source: finding.source.as_ref(),
            target: finding.target.as_ref(),
            parts,
            now_ms: self.rules().now_ms,
        };
        Ok(detail.line(&finding.whats))
    }

    /// Tells how far it is, and stops if the run is to stop.
    async fn breathe(&self, passed: u64, total: u64, done: &str) -> Result<(), Failure> {
        let state = format!("{} of {} keys", grouped(passed), grouped(total.max(passed)));
        self.cx.progress(&self.subject, &state, Some(done.to_owned()), self.started);
        self.cx.sleep(Duration::ZERO).await
    }
}
