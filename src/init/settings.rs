//! Parameters: what is carried over, and what cannot be.

use serde::Serialize;

use super::choose::Choice;
use super::found::{Found, Source};
use crate::facts::{EVICTION, carried, family_of};

/// Parameters of the new cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The family of its parameter group.
    pub family: &'static str,
    /// What is to be set in a parameter group of its own: names and values.
    pub set: Vec<(String, String)>,
    /// What was set in ElastiCache, and what becomes of each.
    pub fates: Vec<Fate>,
}

/// What becomes of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// Its name in ElastiCache.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What becomes of it, as a clause.
    pub fate: String,
}

impl Settings {
    /// Whether a parameter group has to be made.
    pub(super) fn own_group(&self) -> bool {
        !self.set.is_empty()
    }
}

pub(super) fn settle(found: &Found, choice: &Choice) -> Settings {
    let family = family_of(&choice.engine.value, Some(&choice.version.value));
    let mut settings = Settings { family, set: Vec::new(), fates: Vec::new() };
    // Of a serverless cache nothing can be set, and what is not known is not guessed.
    let (Source::Group(_), Ok(parameters)) = (&found.source, &found.parameters) else {
        return settings;
    };
    let fate = |name: &str, value: &str, fate: String| Fate {
        name: name.to_owned(),
        value: value.to_owned(),
        fate,
    };
    let carried = carried(parameters, family);
    for (name, value) in parameters {
        let other = match family {
            "memorydb_redis6" => name.replace("listpack", "ziplist"),
            _ => name.replace("ziplist", "listpack"),
        };
        let said = if let Some(dropped) = carried.dropped.iter().find(|d| d.name == *name) {
            let why = dropped.why.unwrap_or("MemoryDB's pages do not list it");
            format!("left out: {why}")
        } else if !carried.set.contains_key(&other) {
            "MemoryDB's default too".to_owned()
        } else if other == *name {
            "carried over".to_owned()
        } else {
            format!("carried over as {other}")
        };
        settings.fates.push(fate(name, value, said));
    }
    if !parameters.iter().any(|(name, _)| name == EVICTION)
        && let Some(policy) = carried.set.get(EVICTION)
    {
        let said = "ElastiCache's default; MemoryDB's is noeviction, with which writes fail when memory is full: set, to stay as it is";
        settings.fates.push(fate(EVICTION, policy, said.to_owned()));
    }
    settings.set = carried.set.into_iter().collect();
    settings
}
