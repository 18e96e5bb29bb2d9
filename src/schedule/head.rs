//! What is known of a schedule's occurrences, as far as the next decision needs it. One object; whoever changes it does so
//! under the condition that nobody else has meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many spans of left-out occurrences are kept.
const MOST_SKIPS: usize = 50;
/// How many occurrences beyond `decided` are kept.
const MOST_ASKED: usize = 500;

/// Why an occurrence is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was due.
    Due,
    /// It had been missed.
    CaughtUp,
    /// It had waited for another to finish.
    Buffered,
    /// Somebody gave the command.
    Asked,
    /// Somebody gave the command for a span of them.
    Backfilled,
}

/// Why an occurrence is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// Nobody began it in time.
    Missed,
    /// Another one was not finished.
    Overlap,
    /// A newer one took its place.
    Superseded,
    /// It was due in a blackout.
    Blackout,
    /// The schedule was paused.
    Paused,
}

impl Skipped {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::Missed, Self::Overlap, Self::Superseded, Self::Blackout, Self::Paused];

    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overlap => "overlap",
            Self::Superseded => "superseded",
            Self::Blackout => "blackout",
            Self::Paused => "paused",
        }
    }
}

/// Occurrences one after the other that are left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// Why.
    pub why: Skipped,
}

/// An occurrence that is submitted, and whose end is not written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its time.
    pub at: Timestamp,
    /// The run that carries it out; also when that has not begun yet.
    pub run: String,
    /// Why it is carried out.
    pub why: Reason,
    /// When it was submitted.
    pub submitted: Timestamp,
    /// Who submitted it.
    pub by: String,
    /// Whether it is to be cancelled, for another one.
    #[serde(default)]
    pub cancel: bool,
    /// Whether it has failed, and a person is needed.
    #[serde(default)]
    pub stuck: bool,
}

/// Nothing is begun until somebody resumes the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who paused it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Sums since the schedule was first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Occurrences submitted.
    pub submitted: u64,
    /// Runs by how they ended.
    pub ended: BTreeMap<String, u64>,
    /// Occurrences left out, by reason.
    pub skipped: BTreeMap<String, u64>,
}

/// The newest export of a cluster that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// Where its manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// What is known of a schedule's occurrences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The playbook's name.
    pub playbook: String,
    /// The cadence by which `decided` was reached; a changed one begins anew.
    pub cadence: String,
    /// What is due by this instant has been decided. It only grows: no occurrence is decided twice.
    pub decided: Timestamp,
    /// Set while the schedule is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// What is submitted and not finished.
    pub open: Vec<Open>,
    /// The occurrence that waits for another to finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffered: Option<Timestamp>,
    /// What was submitted by command beyond `decided`, so that it is not submitted again when its turn comes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Timestamp>,
    /// What was left out lately, newest last.
    pub skips: Vec<Skip>,
    /// Sums.
    pub tally: Tally,
    /// The newest verified export of each cluster.
    #[serde(default)]
    pub verified: BTreeMap<String, Verified>,
}

impl Head {
    /// A schedule that was never seen before: what lies before `now` is nobody's concern.
    #[must_use]
    pub fn new(playbook: &str, cadence: &str, now: Timestamp) -> Self {
        Self {
            playbook: playbook.to_owned(),
            cadence: cadence.to_owned(),
            decided: now,
            paused: None,
            open: Vec::new(),
            buffered: None,
            asked: Vec::new(),
            skips: Vec::new(),
            tally: Tally::default(),
            verified: BTreeMap::new(),
        }
    }

    /// Submits an occurrence; the write of this head is what counts.
    pub fn submit(&mut self, open: Open) {
        self.tally.submitted += 1;
        self.open.push(open);
    }

    /// Submits an occurrence that somebody gave the command for. `next` is the first one that is not decided.
    pub fn submit_asked(&mut self, open: Open, next: Option<Timestamp>) {
        let at = open.at;
        if self.buffered == Some(at) {
            self.buffered = None;
        }
        if next == Some(at) {
            self.decided = at;
        } else if at > self.decided {
            self.asked.push(at);
            self.asked.sort_unstable();
            if self.asked.len() > MOST_ASKED {
                self.decided = self.decided.max(self.asked.remove(0));
            }
        }
        self.asked.retain(|asked| *asked > self.decided);
        self.submit(open);
    }

    /// Leaves an occurrence out.
    pub fn skip(&mut self, at: Timestamp, why: Skipped) {
        *self.tally.skipped.entry(why.name().to_owned()).or_default() += 1;
        match self.skips.last_mut() {
            Some(last) if last.why == why && last.last < at => {
                last.last = at;
                last.count += 1;
            }
            _ => self.skips.push(Skip { first: at, last: at, count: 1, why }),
        }
        if self.skips.len() > MOST_SKIPS {
            self.skips.remove(0);
        }
    }
}
