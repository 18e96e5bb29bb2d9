//! What is kept of a schedule: its head, and an object for each occurrence that came to an end.
//!
//! An occurrence is written down first and taken out of the head after that, so that it is always in one of the two.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Failure;
use crate::schedule::{Head, Open, Paused, Reason, Verified, key};
use crate::state::{Expect, Objects, Put};

/// How often a change is tried again when others make one at the same time.
const RACES: u32 = 40;

/// How the run of an occurrence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step was done.
    Succeeded,
    /// A step failed, and what it had changed was put back.
    RolledBack,
    /// Somebody cancelled it, or took it back.
    Cancelled,
    /// It could not begin; nothing was changed.
    Refused,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::RolledBack, Self::Cancelled, Self::Refused];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// Whether it is one that a schedule pauses at, if declared.
    #[must_use]
    pub fn failed(self) -> bool {
        matches!(self, Self::RolledBack | Self::Refused)
    }
}

/// An export that a run verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Of which cluster.
    pub cluster: String,
    /// When it was verified.
    pub verified_at: Timestamp,
    /// Where its manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

impl Export {
    /// Every export that outputs of steps tell of: whatever has `cluster` and `verified_at`, also in lists.
    #[must_use]
    pub fn all_in(output: &Value) -> Vec<Self> {
        match output {
            Value::Array(items) => items.iter().flat_map(Self::all_in).collect(),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                let verified = text("verified_at").and_then(|at| at.parse().ok());
                let own = text("cluster").zip(verified).map(|(cluster, verified_at)| Self {
                    cluster: cluster.to_owned(),
                    verified_at,
                    manifest: text("manifest").map(str::to_owned),
                });
                let inner = fields.values().flat_map(Self::all_in);
                own.into_iter().chain(inner).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// One run of an occurrence, at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The run.
    pub run: String,
    /// Why it was carried out.
    pub why: Reason,
    /// Who submitted it.
    pub by: String,
    /// When.
    pub submitted: Timestamp,
    /// When its end was written down.
    pub ended: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// What there is to say of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What it verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Export>,
}

/// An occurrence that came to an end: once, unless somebody had it filled in after a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// `playbook@time`.
    pub key: String,
    /// Its time.
    pub at: Timestamp,
    /// Its runs, the newest last.
    pub runs: Vec<Ended>,
}

impl Occurrence {
    /// Whether one of its runs succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.runs.iter().any(|run| run.outcome == Outcome::Succeeded)
    }
}

/// What is kept of one playbook's schedule.
pub struct Book<'a> {
    objects: &'a dyn Objects,
    playbook: String,
}

impl<'a> Book<'a> {
    /// The book of a playbook.
    #[must_use]
    pub fn new(objects: &'a dyn Objects, playbook: &str) -> Self {
        Self { objects, playbook: playbook.to_owned() }
    }

    /// The playbook's name.
    #[must_use]
    pub fn playbook(&self) -> &str {
        &self.playbook
    }

    /// Where it is.
    #[must_use]
    pub fn objects(&self) -> &'a dyn Objects {
        self.objects
    }

    fn head_key(&self) -> String {
        format!("schedules/{}/head.json", self.playbook)
    }

    /// No colons: a directory may be on any file system.
    fn occurrence_key(&self, at: Timestamp) -> String {
        format!("schedules/{}/occurrences/{}.json", self.playbook, at.to_string().replace(':', "-"))
    }

    fn unreadable(&self, key: &str, error: &serde_json::Error) -> Failure {
        Failure::fatal(format!("{} does not read back", self.objects.place(key)))
            .because(error.to_string())
            .mend(
                "nobody but orchestrate may write there; put an earlier version of the object back",
            )
    }

    /// The head, and what a write has to expect.
    ///
    /// # Errors
    /// Of the place; a head that does not read back.
    pub async fn head(&self) -> Result<(Option<Head>, Expect), Failure> {
        let key = self.head_key();
        let Some(found) = self.objects.get(&key).await? else { return Ok((None, Expect::Absent)) };
        let head = serde_json::from_slice(&found.bytes).map_err(|e| self.unreadable(&key, &e))?;
        Ok((Some(head), Expect::Tag(found.tag)))
    }

    /// Writes the head under a condition; says whether that held. This write is the submission of what is open in it.
    ///
    /// # Errors
    /// Of the place. After a fault that leaves it open whether it was written, only reading tells.
    pub async fn write(&self, head: &Head, expect: Expect) -> Result<bool, Failure> {
        let bytes = serde_json::to_vec(head).expect("a head has only string keys");
        let put = self.objects.put(&self.head_key(), bytes, expect).await?;
        Ok(matches!(put, Put::Stored(_)))
    }

    /// Changes the head, however often others do meanwhile. `change` says whether there is anything to change.
    ///
    /// # Errors
    /// Of the place.
    pub async fn change(
        &self,
        mut change: impl FnMut(&mut Head) -> bool,
    ) -> Result<Option<Head>, Failure> {
        for _ in 0..RACES {
            let (Some(mut head), expect) = self.head().await? else { return Ok(None) };
            if !change(&mut head) || self.write(&head, expect).await? {
                return Ok(Some(head));
            }
        }
        let what = format!("{} is written by others all the time", self.place());
        Err(Failure::fatal(what).mend("give the command again"))
    }

    /// How a person finds it.
    #[must_use]
    pub fn place(&self) -> String {
        self.objects.place(&self.head_key())
    }

    /// An occurrence that came to an end.
    ///
    /// # Errors
    /// Of the place.
    pub async fn occurrence(&self, at: Timestamp) -> Result<Option<Occurrence>, Failure> {
        Ok(self.look(at).await?.0)
    }

    async fn look(&self, at: Timestamp) -> Result<(Option<Occurrence>, Expect), Failure> {
        let key = self.occurrence_key(at);
        let Some(found) = self.objects.get(&key).await? else { return Ok((None, Expect::Absent)) };
        let read = serde_json::from_slice(&found.bytes).map_err(|e| self.unreadable(&key, &e))?;
        Ok((Some(read), Expect::Tag(found.tag)))
    }

    /// The occurrences that came to an end, oldest first.
    ///
    /// # Errors
    /// Of the place.
    pub async fn times(&self) -> Result<Vec<Timestamp>, Failure> {
        let folder = format!("schedules/{}/occurrences/", self.playbook);
        let keys = self.objects.list(&folder, None).await?;
        let time = |key: &String| {
            let name = key.strip_prefix(&folder)?.strip_suffix(".json")?;
            let (date, time) = name.split_once('T')?;
            format!("{date}T{}", time.replace('-', ":")).parse().ok()
        };
        let mut times: Vec<Timestamp> = keys.iter().filter_map(time).collect();
        times.sort_unstable();
        Ok(times)
    }

    /// Writes down how an occurrence ended, and takes it out of the head. Doing it twice is doing it once.
    ///
    /// # Errors
    /// Of the place; it is to be done again then.
    pub async fn settle(&self, open: &Open, end: &Ended, pauses: bool) -> Result<(), Failure> {
        self.keep(open, end).await?;
        let taken_out = |head: &mut Head| {
            let Some(index) = head.open.iter().position(|known| known.run == open.run) else {
                return false;
            };
            let known = head.open.remove(index);
            *head.tally.ended.entry(end.outcome.name().to_owned()).or_default() += 1;
            for export in &end.exports {
                let newer = head.verified.get(&export.cluster);
                if newer.is_none_or(|newer| newer.at < export.verified_at) {
                    let at = export.verified_at;
                    let manifest = export.manifest.clone();
                    head.verified.insert(export.cluster.clone(), Verified { at, manifest });
                }
            }
            // A run that was stuck has paused it already, if anything did; since then somebody has been here.
            if pauses && end.outcome.failed() && !known.stuck && head.paused.is_none() {
                head.paused = Some(paused_by_failure(open, end.ended, end.words.as_deref()));
            }
            true
        };
        self.change(taken_out).await.map(drop)
    }

    async fn keep(&self, open: &Open, end: &Ended) -> Result<(), Failure> {
        for _ in 0..RACES {
            let (kept, expect) = self.look(open.at).await?;
            let key = key(&self.playbook, open.at);
            let mut kept = kept.unwrap_or(Occurrence { key, at: open.at, runs: Vec::new() });
            if kept.runs.iter().any(|run| run.run == end.run) {
                return Ok(());
            }
            kept.runs.push(end.clone());
            let bytes = serde_json::to_vec(&kept).expect("an occurrence has only string keys");
            let put = self.objects.put(&self.occurrence_key(open.at), bytes, expect).await?;
            if matches!(put, Put::Stored(_)) {
                return Ok(());
            }
        }
        let place = self.objects.place(&self.occurrence_key(open.at));
        Err(Failure::fatal(format!("{place} is written by others all the time")))
    }

    /// Writes down that a run has failed in a way that needs a person.
    ///
    /// # Errors
    /// Of the place.
    pub async fn stuck(
        &self,
        open: &Open,
        now: Timestamp,
        words: &str,
        pauses: bool,
    ) -> Result<(), Failure> {
        let marked = |head: &mut Head| {
            let Some(known) = head.open.iter_mut().find(|known| known.run == open.run) else {
                return false;
            };
            if std::mem::replace(&mut known.stuck, true) {
                return false;
            }
            *head.tally.ended.entry("stuck".to_owned()).or_default() += 1;
            if pauses && head.paused.is_none() {
                head.paused = Some(paused_by_failure(open, now, Some(words)));
            }
            true
        };
        self.change(marked).await.map(drop)
    }
}

fn paused_by_failure(open: &Open, at: Timestamp, words: Option<&str>) -> Paused {
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    Paused {
        by: "pause_on_failure".to_owned(),
        at,
        comment: Some(format!("run {} of {} failed{words}", open.run, open.at)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exports_are_found_wherever_outputs_have_them() {
        let output = json!({ "all": [
            { "cluster": "a", "verified_at": "2026-11-23T02:15:00Z", "manifest": "s3://b/m.json" },
            { "cluster": "b", "verified_at": "never" },
            { "cluster": "c", "verified_at": "2026-11-23T02:16:00Z" },
        ]});
        let found = Export::all_in(&output);
        let names: Vec<&str> = found.iter().map(|export| export.cluster.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(found[0].manifest.as_deref(), Some("s3://b/m.json"));
    }
}
