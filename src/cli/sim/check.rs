//! The reference that judges a simulation. It reads the worlds, the requests and the bytes of the journal, and knows nothing
//! of the engine: what both got wrong alike would go unseen. The numbers are those of docs/guarantees.md.

mod journal;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use self::journal::{Line, lines};
use self::worlds::{Difference, differences, shown, unserved};
use super::tape::{READ_FROM, Sent};

/// How one process ended, as whoever started it saw it.
#[derive(Clone, Debug)]
pub(super) struct Lived {
    pub(super) process: u32,
    /// What was asked of it.
    pub(super) order: String,
    /// It said that the run is at rest.
    pub(super) rested: bool,
    /// It refused to do anything.
    pub(super) refused: bool,
    /// It did not end.
    pub(super) hung: bool,
    /// Its last words, if it said that a person is needed.
    pub(super) said: Option<String>,
    /// How many bytes of the journal were durable when it ended.
    pub(super) durable: usize,
}

/// Everything that the reference judges by.
pub(super) struct Evidence<'a> {
    pub(super) run: &'a str,
    /// What the playbook is there to do to a replication group.
    pub(super) meant: &'a [&'a str],
    /// The world before the run.
    pub(super) before: &'a Value,
    /// The world after a run that nothing disturbed.
    pub(super) undisturbed: &'a Value,
    /// The world at the end.
    pub(super) end: &'a Value,
    pub(super) sent: &'a [Sent],
    pub(super) journal: &'a [u8],
    pub(super) lived: &'a [Lived],
}

/// A guarantee that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    guarantee: &'static str,
    what: String,
}

impl Violation {
    pub(super) fn new(guarantee: &'static str, what: impl Into<String>) -> Self {
        Self { guarantee, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.guarantee, self.what)
    }
}

/// The operations that make something of a given name.
const CREATES: [&str; 6] = [
    "CreateReplicationGroup",
    "CreateSnapshot",
    "CopySnapshot",
    "CreateServerlessCacheSnapshot",
    "ExportServerlessCacheSnapshot",
    "CreateCluster",
];
/// The operations that would take a source away.
const TAKES_SOURCE: [&str; 4] = [
    "DeleteReplicationGroup",
    "DeleteCacheCluster",
    "DeleteServerlessCache",
    "ModifyReplicationGroup",
];

/// Gives what does not hold, and how the run rests by its journal.
pub(super) fn check(evidence: &Evidence<'_>) -> (Vec<Violation>, String) {
    let mut found = Vec::new();
    let lines = match lines(evidence.journal) {
        Ok(lines) => lines,
        Err(why) => return (vec![Violation::new("G15", why)], String::new()),
    };
    let rest = lines.iter().rev().find_map(Line::rest).unwrap_or("none").to_owned();
    intents(evidence, &lines, &mut found);
    made_once(evidence, &mut found);
    one_at_a_time(evidence, &mut found);
    ends(evidence, &lines, &mut found);
    endpoints(evidence, &mut found);
    last_world(evidence, &lines, &rest, &mut found);
    (found, rest)
}

/// G1: whatever was changed, an intent that names it was durable before the request left.
fn intents(evidence: &Evidence<'_>, lines: &[Line], found: &mut Vec<Violation>) {
    for sent in evidence.sent.iter().filter(|sent| sent.call.effect) {
        let named = lines
            .iter()
            .filter(|line| line.end <= sent.durable && line.kind() == "intended")
            .any(|line| line.names(&sent.call.resource));
        if !named {
            let (operation, resource) = (&sent.call.operation, &sent.call.resource);
            let said = format!(
                "p{} made {operation} of {resource:?} take effect, and no intent that was durable then names it",
                sent.process
            );
            found.push(Violation::new("G1", said));
        }
    }
}

/// G2: nothing is made a second time unless it was taken away, or ended badly, in between.
fn made_once(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let mut there: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for sent in evidence.sent.iter().filter(|sent| sent.call.effect) {
        let (operation, resource) = (sent.call.operation.as_str(), sent.call.resource.as_str());
        if operation.starts_with("Delete") {
            // Exported files carry the export's name, and a request to delete files names their bucket alone.
            let files = operation.starts_with("DeleteObject");
            there
                .retain(|(made, name), _| *name != resource && !(files && *made == "CopySnapshot"));
        }
        let spoilt = matches!(sent.call.fault, Some("terminal_state" | "missing_objects"));
        if CREATES.contains(&operation) && !spoilt {
            let times = there.entry((operation, resource)).or_default();
            *times += 1;
            if *times > 1 {
                let said = format!("p{} made {resource:?} again by {operation}", sent.process);
                found.push(Violation::new("G2", said));
            }
        }
        if TAKES_SOURCE.contains(&operation) && !evidence.meant.contains(&operation) {
            found.push(Violation::new("G8", format!("{operation} of {resource:?}")));
        }
    }
}

/// G14: the requests to change something are those of one process after the other.
fn one_at_a_time(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let mut order: Vec<(u64, u32)> = evidence
        .sent
        .iter()
        .filter(|sent| sent.call.mutating)
        .map(|sent| (sent.order, sent.process))
        .collect();
    order.sort_unstable();
    let mut over: BTreeSet<u32> = BTreeSet::new();
    let mut last: Option<u32> = None;
    for (_, process) in order.iter().copied() {
        if last != Some(process) {
            if over.contains(&process) {
                let said = format!("p{process} changed something after p{last:?} had begun to");
                found.push(Violation::new("G14", said));
                break;
            }
            over.extend(last);
            last = Some(process);
        }
    }
    for lived in evidence.lived.iter().filter(|lived| lived.refused) {
        if order.iter().any(|(_, process)| *process == lived.process) {
            let said = format!("p{} refused, and had asked for a change", lived.process);
            found.push(Violation::new("G14", said));
        }
    }
}

/// G7: a process ends at a rest that the journal knows, and "stuck" says what a person needs.
fn ends(evidence: &Evidence<'_>, lines: &[Line], found: &mut Vec<Violation>) {
    for lived in evidence.lived {
        let at = format!("p{} ({})", lived.process, lived.order);
        if lived.hung {
            found.push(Violation::new("G7", format!("{at} neither ended nor rested")));
        }
        let last = lines.iter().rev().find(|line| line.end <= lived.durable);
        let last_rest = last.and_then(Line::rest);
        if lived.rested && last_rest.is_none() {
            let said = format!("{at} said that it rests, and its journal does not");
            found.push(Violation::new("G7", said));
        }
        if last_rest != Some("stuck") || !lived.rested {
            continue;
        }
        let (Some(said), Some(line)) = (&lived.said, last) else {
            found.push(Violation::new("G7", format!("{at} is stuck and says nothing")));
            continue;
        };
        let step = line.record["step"].as_str().unwrap_or_default();
        let command = ["resume", "rollback"]
            .map(|command| format!("orchestrate {command} {}", evidence.run))
            .iter()
            .any(|command| said.contains(command.as_str()));
        let touched = || lines.iter().filter(|l| l.end <= lived.durable && l.step() == Some(step));
        let resources: Vec<&str> = touched().flat_map(Line::resources).collect();
        let named = resources.is_empty() || resources.iter().any(|name| said.contains(name));
        let message = line.record["failure"]["message"].as_str().unwrap_or_default();
        let why = !message.is_empty() && said.contains(message);
        if step.is_empty() || !said.contains(step) || !command || !named || !why {
            let said = format!("{at} is stuck at {step:?} and says not enough:\n{said}");
            found.push(Violation::new("G7", said));
        }
    }
}

/// G9: whoever reads an endpoint sees the old value or the new one, and what it names is there.
fn endpoints(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    for sent in evidence.sent {
        let Some(sight) = &sent.sight else { continue };
        let by = || format!("after {} of p{}", sent.call.operation, sent.process);
        let mut switched = false;
        for service in READ_FROM {
            let old = shown(service, &evidence.before[service]);
            let new = shown(service, &evidence.undisturbed[service]);
            let now = shown(service, &sight[service]);
            for (name, old) in &old {
                let (value, new) = (now.get(name), new.get(name));
                if value != Some(old) && value != new {
                    let said = format!("{name} shows {value:?} {}, not {old} or {new:?}", by());
                    found.push(Violation::new("G9", said));
                }
                switched |= value != Some(old);
            }
        }
        if switched && let Some(cluster) = unserved(evidence.before, evidence.undisturbed, sight) {
            let said = format!("{} applications are sent to {cluster}, which does not serve", by());
            found.push(Violation::new("G9", said));
        }
    }
}

/// G4 and G6: the world at the end is that of an undisturbed run, or that before the run. G5: what is there besides is
/// named in the journal.
fn last_world(evidence: &Evidence<'_>, lines: &[Line], rest: &str, found: &mut Vec<Violation>) {
    let against = |wanted: &Value| differences(wanted, evidence.end);
    let all = |guarantee, differences: Vec<Difference>| {
        differences.into_iter().take(6).map(move |d| Violation::new(guarantee, d.to_string()))
    };
    // A label on a secret's version that could not be taken off, or was not seen, does no harm.
    let label = format!("/values/orchestrate-{}", evidence.run);
    let harmless = |d: &Difference| d.is_extra() && d.path.ends_with(&label);
    match rest {
        "succeeded" => {
            let rest = against(evidence.undisturbed).into_iter().filter(|d| !harmless(d)).collect();
            found.extend(all("G4", rest));
        }
        "rolled_back" | "cancelled" => {
            // What a kind declares that nothing brings back, a rollback says so and leaves.
            let left: Vec<&str> = lines
                .iter()
                .filter(|line| line.kind() == "left" || line.kept())
                .filter_map(Line::step)
                .flat_map(|step| lines.iter().filter(move |l| l.step() == Some(step)))
                .flat_map(Line::resources)
                .collect();
            let stays = |d: &Difference| harmless(d) || left.iter().any(|name| d.is_of(name));
            let rest = against(evidence.before).into_iter().filter(|d| !stays(d)).collect();
            found.extend(all("G6", rest));
        }
        _ => {}
    }
    for extra in against(evidence.before).into_iter().filter(|d| d.is_extra()) {
        let named = lines
            .iter()
            .filter(|line| line.kind() == "intended")
            .any(|line| line.resources().any(|name| extra.is_of(name)));
        if !named {
            found.push(Violation::new("G5", format!("{extra}, and no intent names it")));
        }
    }
}

#[cfg(test)]
mod tests;
