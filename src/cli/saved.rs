//! A plan that was made, looked at and kept: `plan --out plan.json`, carried out by `migrate plan.json`.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::CommandError;
use super::exit::Exit;
use crate::aws::Identity;
use crate::engine::{Finding, Verdict};
use crate::plan::{FORMAT, Guard, Plan};

/// The version of this file's own shape.
const SAVED: u32 = 1;

/// What each step's checks found.
pub(crate) type Findings = Vec<(String, Vec<Finding>)>;

/// A plan with what the account looked like when it was made.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Saved {
    /// [`SAVED`] of the program that wrote it.
    orchestrate_plan: u32,
    /// The program's version.
    tool: String,
    /// When it was made.
    made_at: Timestamp,
    /// The account it was made for.
    account: String,
    /// The region.
    region: String,
    /// The plan.
    pub(crate) plan: Plan,
    /// What was found.
    checks: Findings,
}

impl Saved {
    pub(crate) fn new(
        plan: Plan,
        identity: &Identity,
        made_at: Timestamp,
        checks: Findings,
    ) -> Self {
        Self {
            orchestrate_plan: SAVED,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            account: identity.account.clone(),
            region: identity.region.clone(),
            plan,
            checks,
        }
    }

    /// The saved plan that a file's text is, if it is one at all.
    ///
    /// # Errors
    /// `Locked` if it is one and cannot be used: written by another version, or edited.
    pub(crate) fn read(name: &str, text: &str) -> Result<Option<Self>, CommandError> {
        if !text.trim_start().starts_with('{') {
            return Ok(None);
        }
        let refused = |why: String| {
            CommandError::new(
                Exit::Locked,
                format!("{name}: this saved plan cannot be carried out"),
            )
            .because(why)
            .because("nothing was called or changed")
            .hint("make a new one with `orchestrate plan <playbook> --out <file>`")
        };
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) if value.get("orchestrate_plan").is_none() => return Ok(None),
            Ok(value) => value,
            // The first key of one that was cut off, or edited by hand.
            Err(error)
                if text
                    .trim_start_matches(['{', ' ', '\t', '\r', '\n'])
                    .starts_with("\"orchestrate_plan\"") =>
            {
                return Err(refused(format!("it is not whole: {error}")));
            }
            Err(_) => return Ok(None),
        };
        let (saved, plan) = (&value["orchestrate_plan"], &value["plan"]["format"]);
        if *saved != SAVED || *plan != FORMAT {
            return Err(refused(format!(
                "it was written by orchestrate {} in a form that this version does not read",
                value["tool"].as_str().unwrap_or("of another version")
            )));
        }
        let saved: Self =
            serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
        if saved.plan.compute_digest() != saved.plan.digest {
            return Err(refused(
                "its plan is not the one that was made: the digest differs".to_owned(),
            ));
        }
        Ok(Some(saved))
    }

    /// Writes it, readable by its owner alone; a file that is there is replaced whole or not at all.
    ///
    /// # Errors
    /// `State` if it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CommandError> {
        replaceable(path)?;
        let failed = |error: std::io::Error| {
            CommandError::new(
                Exit::State,
                format!("{}: the plan cannot be written", path.display()),
            )
            .because(error.to_string())
        };
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| failed(std::io::Error::other(error)))?;
        text.push('\n');
        super::private_file::write(path, text.as_bytes(), true).map_err(failed)
    }

    /// Whether this is another account or region than the one it was made for, a sentence each: asked before anything is
    /// looked at, since nothing seen elsewhere says anything.
    pub(crate) fn elsewhere(&self, identity: &Identity) -> Vec<String> {
        let mut changes = Vec::new();
        for (what, then, now) in [
            ("account", &self.account, &identity.account),
            ("region", &self.region, &identity.region),
        ] {
            if then != now {
                changes.push(format!("{what} was {then}, is {now}"));
            }
        }
        changes
    }

    /// What is different now from what the plan was made on, a sentence each.
    pub(crate) fn changes(&self, now: &Findings) -> Vec<String> {
        let mut changes = Vec::new();
        for (step, then) in &self.checks {
            let now = now.iter().find(|(id, _)| id == step).map_or(&[][..], |(_, found)| found);
            for (index, finding) in then.iter().enumerate() {
                let nth = then[..index].iter().filter(|other| other.check == finding.check).count();
                let same = now.iter().filter(|other| other.check == finding.check).nth(nth);
                compare(step, finding, same, &mut changes);
            }
        }
        changes
    }

    /// Where alone it can be carried out.
    pub(crate) fn place(&self) -> Guard {
        Guard { account: Some(self.account.clone()), region: Some(self.region.clone()) }
    }

    /// How the plan came about.
    pub(crate) fn origin(&self) -> String {
        format!("a plan of {}", crate::report::instant(self.made_at))
    }
}

/// Refuses a path at which something other than an earlier plan lies: a device, a link, a playbook.
///
/// # Errors
/// `Usage` if it is to stay.
pub(crate) fn replaceable(path: &Path) -> Result<(), CommandError> {
    let refused = |what: &str| {
        CommandError::new(Exit::Usage, format!("{}: {what}; it was left alone", path.display()))
            .hint("name another file for the plan")
    };
    if path.as_os_str() == "-" {
        return Err(refused("a plan is kept in a file, not on standard output"));
    }
    let Ok(there) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !there.is_file() {
        return Err(refused("this is no plain file"));
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
    match value.get("orchestrate_plan") {
        Some(_) => Ok(()),
        None => Err(refused("something other than a plan lies there")),
    }
}

fn compare(step: &str, then: &Finding, now: Option<&Finding>, changes: &mut Vec<String>) {
    let none = Map::new();
    let seen = now.map_or(&none, |finding| &finding.seen);
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let place = format!("{step}, {}", then.check);
    for (fact, was) in &then.seen {
        match seen.get(fact) {
            Some(is) if is == was => {}
            Some(is) => {
                changes.push(format!("{place}: {fact} was {}, is {}", shown(was), shown(is)))
            }
            None => {
                let why = now.filter(|finding| finding.verdict == Verdict::CannotKnow);
                let why = why.map_or(String::new(), |finding| format!(" ({})", finding.what));
                changes
                    .push(format!("{place}: {fact} was {}, and is not seen now{why}", shown(was)));
            }
        }
    }
    for (fact, is) in seen {
        if !then.seen.contains_key(fact) {
            changes.push(format!("{place}: {fact} was not seen, is {}", shown(is)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(state: &str) -> Finding {
        Finding::ok("source.state", "it is there").seen("state", state).seen("shards", 2)
    }

    #[test]
    fn every_fact_that_differs_is_named() {
        let mut changes = Vec::new();
        compare("snapshot", &finding("available"), Some(&finding("available")), &mut changes);
        assert!(changes.is_empty());
        let mut other = finding("modifying").seen("engine", "valkey");
        other.seen.remove("shards");
        compare("snapshot", &finding("available"), Some(&other), &mut changes);
        changes.sort();
        assert_eq!(
            changes,
            [
                "snapshot, source.state: engine was not seen, is valkey",
                "snapshot, source.state: shards was 2, and is not seen now",
                "snapshot, source.state: state was available, is modifying",
            ]
        );
    }
}
