//! Holds every write of a head against what was declared. It reads the bytes, and the times of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::model::{Catch, Declared};
use super::stage::{Kept, World, Written, plus};

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn open(head: &Value) -> BTreeMap<Timestamp, Value> {
    let all = head["open"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|open| (time(&open["at"]).expect("a time"), open)).collect()
}

fn skipped(head: &Value) -> u64 {
    let sums = head["tally"]["skipped"].as_object().cloned().unwrap_or_default();
    sums.values().map(|count| count.as_u64().expect("a sum")).sum()
}

/// What was found to have become of the occurrences.
#[derive(Default)]
pub(super) struct Found {
    pub(super) submitted: BTreeMap<Timestamp, String>,
    pub(super) reasons: BTreeMap<String, usize>,
    pub(super) skipped: BTreeMap<Timestamp, String>,
    pub(super) broken: Vec<String>,
}

pub(super) struct Judge<'a> {
    pub(super) declared: &'a Declared,
    pub(super) times: BTreeSet<Timestamp>,
}

impl Judge<'_> {
    /// Goes through all writes in their order.
    pub(super) fn judge(&self, kept: &Kept, world: &World) -> Found {
        let mut found = Found::default();
        let heads = kept.heads.borrow();
        for pair in heads.windows(2) {
            self.step(&pair[0].head, &pair[1], &mut found);
        }
        found.broken.extend(world.broken.borrow().iter().cloned());
        let runs = world.runs.borrow();
        for (run, ran) in runs.iter() {
            if found.submitted.get(&ran.at) != Some(run) {
                found.broken.push(format!("{run} ran for {}, which was not submitted so", ran.at));
            }
        }
        let begun: BTreeSet<Timestamp> = runs.values().map(|ran| ran.at).collect();
        for at in found.submitted.keys().filter(|at| !begun.contains(at)) {
            found.broken.push(format!("{at} was submitted and never ran"));
        }
        found
    }

    /// Occurrences after one that are due by `now` and not in a blackout.
    fn newer(&self, at: Timestamp, now: Timestamp) -> usize {
        let after = self.times.range(plus(at, 1)..);
        let due = after.map(|at| self.declared.due(*at)).take_while(|due| *due <= now);
        due.filter(|due| !self.declared.is_dark(*due)).take(50).count()
    }

    fn step(&self, before: &Value, written: &Written, found: &mut Found) {
        let (after, now) = (&written.head, written.at);
        let (from, to) = (time(&before["decided"]), time(&after["decided"]));
        let (from, to) = (from.expect("decided"), to.expect("decided"));
        if to < from {
            found.broken.push(format!("decided goes back from {from} to {to}"));
            return;
        }
        let (was, is) = (open(before), open(after));
        let (held, holds) = (time(&before["buffered"]), time(&after["buffered"]));
        let mut out = 0;
        if let Some(held) = held
            && holds != Some(held)
            && !is.contains_key(&held)
        {
            out += 1;
            self.left_out(held, now, before, after, found);
        }
        for (at, open) in is.iter().filter(|(at, _)| !was.contains_key(at)) {
            self.submitted(*at, open, now, before, held, found);
        }
        for at in self.times.range((Excluded(from), Included(to))) {
            if !is.contains_key(at) && holds != Some(*at) {
                out += 1;
                self.left_out(*at, now, before, after, found);
            }
        }
        if let Some(holds) = holds
            && Some(holds) != held
        {
            let busy = !was.is_empty() || !is.is_empty() || held.is_some();
            let age = now.duration_since(self.declared.due(holds)).as_secs();
            let right =
                busy && self.declared.overlap != "skip" && (0..=self.grace()).contains(&age);
            if !right {
                found.broken.push(format!("{holds} waits at {now} for no reason"));
            }
        }
        let counted = skipped(after) - skipped(before);
        if counted != out {
            found.broken.push(format!("at {now} {counted} are counted as left out, and {out} are"));
        }
    }

    fn grace(&self) -> i64 {
        self.declared.grace as i64
    }

    fn submitted(
        &self,
        at: Timestamp,
        open: &Value,
        now: Timestamp,
        before: &Value,
        held: Option<Timestamp>,
        found: &mut Found,
    ) {
        let run = open["run"].as_str().expect("a run").to_owned();
        let why = open["why"].as_str().expect("a reason").to_owned();
        let mut wrong = |what: &str| {
            found.broken.push(format!("{at} is submitted ({why}) at {now}: {what}"));
        };
        let age = now.duration_since(self.declared.due(at));
        let secs = age.as_secs();
        let late = age > SignedDuration::from_secs(self.grace());
        if !self.times.contains(&at) {
            wrong("it is no time of the schedule");
        }
        if age.is_negative() {
            wrong("it is not due");
        }
        if !before["open"].as_array().is_some_and(Vec::is_empty) {
            wrong("another is not finished");
        }
        if !before["paused"].is_null() {
            wrong("the schedule is paused");
        }
        if self.declared.is_dark(now) || self.declared.is_dark(self.declared.due(at)) {
            wrong("in a blackout");
        }
        match why.as_str() {
            "due" if late => wrong("it is late"),
            "caught_up" if !late => wrong("it is in time"),
            "caught_up" => match &self.declared.catch_up {
                Catch::None => wrong("nothing is caught up"),
                Catch::Latest(window) | Catch::All(window, _)
                    if window.is_some_and(|window| secs > window as i64) =>
                {
                    wrong("too long ago");
                }
                Catch::Latest(_) if self.newer(at, now) > 0 => wrong("there is a newer one"),
                Catch::All(_, Some(most)) if self.newer(at, now) >= *most => {
                    wrong("there are enough newer ones");
                }
                _ => {}
            },
            "buffered" if held != Some(at) => wrong("it did not wait"),
            "buffered" if self.declared.overlap == "skip" => wrong("nothing waits here"),
            "due" | "buffered" => {}
            _ => wrong("nobody asked for it"),
        }
        if found.submitted.insert(at, run).is_some() {
            found.broken.push(format!("{at} is submitted twice"));
        }
        *found.reasons.entry(why).or_default() += 1;
    }

    fn left_out(
        &self,
        at: Timestamp,
        now: Timestamp,
        before: &Value,
        after: &Value,
        found: &mut Found,
    ) {
        let spans = after["skips"].as_array().expect("spans");
        let span = spans
            .iter()
            .rev()
            .find(|span| time(&span["first"]) <= Some(at) && Some(at) <= time(&span["last"]));
        let Some(span) = span else {
            found.broken.push(format!("{at} is lost at {now}"));
            return;
        };
        let why = span["why"].as_str().expect("a reason");
        let age = now.duration_since(self.declared.due(at)).as_secs();
        let late = age > self.grace();
        let busy =
            !open(before).is_empty() || !before["buffered"].is_null() || !open(after).is_empty();
        let right = match why {
            "paused" => !before["paused"].is_null(),
            "blackout" => self.declared.is_dark(self.declared.due(at)),
            "overlap" => !late && busy && self.declared.overlap != "cancel_other",
            "superseded" => match &self.declared.catch_up {
                _ if time(&before["buffered"]) == Some(at) => {
                    self.declared.overlap == "cancel_other"
                }
                // Waited and replaced within one look.
                _ if !late && self.declared.overlap == "cancel_other" => busy,
                Catch::Latest(_) => late && self.newer(at, now) > 0,
                Catch::All(_, Some(most)) => late && self.newer(at, now) >= *most,
                _ => false,
            },
            "missed" => match &self.declared.catch_up {
                Catch::None => late,
                Catch::Latest(window) | Catch::All(window, _) => {
                    late && window.is_some_and(|window| age >= window as i64)
                }
            },
            _ => false,
        };
        if !right {
            found
                .broken
                .push(format!("{at} is left out ({why}) at {now}, {age} s after it was due"));
        }
        if found.submitted.contains_key(&at) || found.skipped.insert(at, why.to_owned()).is_some() {
            found.broken.push(format!("{at} is left out, and was decided before"));
        }
    }
}
