//! What is told of the schedules, in Prometheus's text format.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::house::House;
use crate::aws::calls;
use crate::schedule::Skipped;
use crate::scheduler::{Outcome, Seen};

/// Not having been able to look for so long is no health.
const STALE: Duration = Duration::from_secs(300);

/// Whether every schedule has been looked at lately, and words about it.
pub(super) fn health(house: &House) -> (bool, String) {
    let now = house.runs.clock.now();
    let mut text = String::new();
    let mut well = true;
    for (name, room) in house.rooms.borrow().iter() {
        let seen = room.seen.borrow();
        let fresh = seen.looked.is_some_and(|at| since(now, at) < STALE.as_secs_f64());
        match &seen.trouble {
            Some(trouble) => {
                well &= fresh;
                let _ = writeln!(text, "{name}: {trouble}");
            }
            // Not looked at yet is a start.
            None if fresh || seen.looked.is_none() => {}
            None => {
                well = false;
                let _ = writeln!(text, "{name}: not looked at for five minutes");
            }
        }
    }
    for file in house.invalid.borrow().keys() {
        let _ = writeln!(text, "{}: cannot be used", file.display());
    }
    let word = if well { "ok" } else { "not ok" };
    (well, format!("{word}\n{text}"))
}

struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

fn family<'a>(text: &'a mut String, name: &'static str, kind: &str, help: &str) -> Family<'a> {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    Family { text, name }
}

impl Family<'_> {
    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| {
                let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                format!("{name}=\"{value}\"")
            })
            .collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{labels} {value}", self.name);
    }
}

fn since(now: Timestamp, at: Timestamp) -> f64 {
    now.duration_since(at).as_secs_f64()
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

/// All metrics.
pub(super) fn metrics(house: &House) -> String {
    let now = house.runs.clock.now();
    let rooms: Vec<(String, Seen)> = house
        .rooms
        .borrow()
        .iter()
        .map(|(name, room)| (name.clone(), room.seen.borrow().clone()))
        .collect();
    let mut text = String::new();
    of_occurrences(&mut text, &rooms);
    of_moments(&mut text, &rooms, now);
    let mut out = family(
        &mut text,
        "orchestrate_api_calls_total",
        "counter",
        "Calls of this process, by service.",
    );
    let calls = calls();
    for (service, calls) in &calls {
        out.sample(&[("service", service)], calls.made);
    }
    let mut out = family(
        &mut text,
        "orchestrate_api_throttled_total",
        "counter",
        "Calls of this process that the service throttled.",
    );
    for (service, calls) in &calls {
        out.sample(&[("service", service)], calls.throttled);
    }
    let (good, bad) = house.reloads.get();
    let mut out = family(
        &mut text,
        "orchestrate_reloads_total",
        "counter",
        "Playbooks read because they were new or changed.",
    );
    out.sample(&[("result", "used")], good);
    out.sample(&[("result", "unusable")], bad);
    let mut out = family(
        &mut text,
        "orchestrate_invalid_playbook",
        "gauge",
        "1 for a file that cannot be used; a last good version of it goes on.",
    );
    for file in house.invalid.borrow().keys() {
        out.sample(&[("file", &file.display().to_string())], 1);
    }
    text
}

fn of_occurrences(text: &mut String, rooms: &[(String, Seen)]) {
    let heads =
        || rooms.iter().filter_map(|(name, seen)| Some((name.as_str(), seen.head.as_ref()?)));
    let mut out = family(
        text,
        "orchestrate_occurrences_submitted_total",
        "counter",
        "Occurrences submitted, by any scheduler, since the schedule was first seen.",
    );
    for (name, head) in heads() {
        out.sample(&[("playbook", name)], head.tally.submitted);
    }
    let mut out =
        family(text, "orchestrate_runs_total", "counter", "Runs of occurrences by how they ended.");
    for (name, head) in heads() {
        for outcome in Outcome::ALL.map(Outcome::name).into_iter().chain(["stuck"]) {
            let count = head.tally.ended.get(outcome).copied().unwrap_or(0);
            out.sample(&[("playbook", name), ("outcome", outcome)], count);
        }
    }
    let mut out = family(
        text,
        "orchestrate_run_failures_total",
        "counter",
        "Runs of occurrences that were rolled back, refused or got stuck.",
    );
    for (name, head) in heads() {
        let of = |outcome: &str| head.tally.ended.get(outcome).copied().unwrap_or(0);
        out.sample(&[("playbook", name)], of("rolled_back") + of("refused") + of("stuck"));
    }
    let mut out = family(
        text,
        "orchestrate_occurrences_skipped_total",
        "counter",
        "Occurrences left out, by reason.",
    );
    for (name, head) in heads() {
        for why in Skipped::ALL.map(Skipped::name) {
            let count = head.tally.skipped.get(why).copied().unwrap_or(0);
            out.sample(&[("playbook", name), ("reason", why)], count);
        }
    }
    let mut out = family(
        text,
        "orchestrate_occurrences_open",
        "gauge",
        "Occurrences that are submitted and not finished.",
    );
    for (name, head) in heads() {
        out.sample(&[("playbook", name)], head.open.len());
    }
    let mut out = family(
        text,
        "orchestrate_schedule_stuck",
        "gauge",
        "1 while a run of the schedule needs a person.",
    );
    for (name, head) in heads() {
        out.sample(&[("playbook", name)], u8::from(head.open.iter().any(|open| open.stuck)));
    }
    let mut out =
        family(text, "orchestrate_schedule_paused", "gauge", "1 while the schedule is paused.");
    for (name, head) in heads() {
        out.sample(&[("playbook", name)], u8::from(head.paused.is_some()));
    }
}

fn of_moments(text: &mut String, rooms: &[(String, Seen)], now: Timestamp) {
    let mut out = family(
        text,
        "orchestrate_newest_verified_export_age_seconds",
        "gauge",
        "Since the newest export of a cluster was verified.",
    );
    for (name, seen) in rooms {
        for (cluster, verified) in seen.head.iter().flat_map(|head| &head.verified) {
            // Another machine's clock may be ahead.
            let age = since(now, verified.at).max(0.0);
            out.sample(&[("playbook", name), ("cluster", cluster)], age);
        }
    }
    let mut out = family(
        text,
        "orchestrate_schedule_lag_seconds",
        "gauge",
        "How long after it was due the last occurrence was submitted that began in time.",
    );
    for (name, seen) in rooms {
        if let Some(lag) = seen.lag {
            out.sample(&[("playbook", name)], lag.as_secs_f64());
        }
    }
    let mut out = family(
        text,
        "orchestrate_schedule_next_timestamp_seconds",
        "gauge",
        "When the next occurrence is due.",
    );
    for (name, seen) in rooms {
        if let Some(next) = seen.next {
            out.sample(&[("playbook", name)], seconds(next));
        }
    }
    let mut out = family(
        text,
        "orchestrate_schedule_last_look_timestamp_seconds",
        "gauge",
        "When the schedule was last looked at with success.",
    );
    for (name, seen) in rooms {
        if let Some(looked) = seen.looked {
            out.sample(&[("playbook", name)], seconds(looked));
        }
    }
    let mut out = family(
        text,
        "orchestrate_state_trouble",
        "gauge",
        "1 while the place where runs are kept cannot be read or written.",
    );
    for (name, seen) in rooms {
        out.sample(&[("playbook", name)], u8::from(seen.trouble.is_some()));
    }
    let mut out =
        family(text, "orchestrate_runs_working", "gauge", "Runs that this process works on.");
    for (name, seen) in rooms {
        out.sample(&[("playbook", name)], seen.working);
    }
}
