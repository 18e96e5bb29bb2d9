//! Worlds beside one another, and what applications read in one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A place where two worlds differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: String,
    wanted: Option<Value>,
    found: Option<Value>,
}

impl Difference {
    /// Whether it is about the resource of that name; a file's name is a path.
    pub(super) fn is_of(&self, name: &str) -> bool {
        let last = name.rsplit(['/', ':']).next().unwrap_or(name);
        self.path.split('/').any(|part| match last.strip_suffix('*') {
            // Names that AWS chooses are recorded by how they begin.
            Some(begins) => part.starts_with(begins),
            None => part == last,
        })
    }

    /// Whether something is there that was not.
    pub(super) fn is_extra(&self) -> bool {
        self.wanted.is_none()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.wanted, &self.found) {
            (Some(wanted), Some(found)) => {
                write!(f, "{} is {found} instead of {wanted}", self.path)
            }
            (Some(_), None) => write!(f, "{} is gone", self.path),
            (None, _) => write!(f, "{} is left over", self.path),
        }
    }
}

pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    differ("", Some(wanted), Some(found), &mut all);
    all
}

fn differ(path: &str, wanted: Option<&Value>, found: Option<&Value>, all: &mut Vec<Difference>) {
    match (wanted, found) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for (key, value) in a {
                differ(&format!("{path}/{key}"), Some(value), b.get(key), all);
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                differ(&format!("{path}/{key}"), None, Some(value), all);
            }
        }
        // Which process made a thing is no difference; that it is tagged is.
        (Some(Value::String(_)), Some(Value::String(_)))
            if path.ends_with("/tags/orchestrate:epoch") => {}
        _ if wanted == found => {}
        _ => all.push(Difference {
            path: path.to_owned(),
            wanted: wanted.cloned(),
            found: found.cloned(),
        }),
    }
}

/// What applications read from a service, by name.
pub(super) fn shown(service: &str, part: &Value) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (name, thing) in part.as_object().into_iter().flatten() {
        match service {
            "ssm" => {
                all.insert(name.clone(), thing["value"].clone());
            }
            "secretsmanager" => {
                all.insert(name.clone(), thing["values"]["AWSCURRENT"].clone());
            }
            _ => {
                for record in thing["records"].as_array().into_iter().flatten() {
                    all.insert(format!("{name} {}", record["name"]), record["values"].clone());
                }
            }
        }
    }
    all
}

/// A cluster that an undisturbed run makes and that does not serve now.
pub(super) fn unserved(before: &Value, undisturbed: &Value, now: &Value) -> Option<String> {
    let clusters =
        |world: &Value| world["memorydb"]["clusters"].as_object().cloned().unwrap_or_default();
    let (before, now) = (clusters(before), clusters(now));
    let made = clusters(undisturbed).into_iter().filter(|(name, _)| !before.contains_key(name));
    made.map(|(name, _)| name).find(|name| {
        let status = now.get(name).and_then(|cluster| cluster["status"].as_str());
        !matches!(status, Some("available" | "snapshotting" | "updating"))
    })
}
