use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::call::apply;
use crate::playbook::{Function, Segment};

/// The arguments of a step with the holes that only the run can fill.
///
/// Inputs and `item` are gone by then; what stays are outputs of earlier steps, the run's id and its begin. Plans of
/// older versions read back: variants are added, and none changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// A known value.
    Literal(Value),
    /// A hole: the value of what is named, with its type.
    Ref(Reference),
    /// Parts joined as text; each must resolve to a string, an integer or a boolean.
    Concat(Vec<Self>),
    /// A list with holes in it.
    Seq(Vec<Self>),
    /// A mapping with holes in it.
    Map(BTreeMap<String, Self>),
    /// A function of values with holes in them.
    Call { function: Function, args: Vec<Self> },
}

/// What a run knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// When it began, by RFC 3339 in UTC. It stays the same however often the run is taken up.
    pub started: &'a str,
}

/// Something a run knows and a plan does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// `run.id`.
    RunId,
    /// `run.started`.
    RunStarted,
    /// `step` is the id of a planned step: `copy`, or `copy[2]` for one item of a `for_each`.
    Output { step: String, path: Vec<Segment> },
}

/// Why a template could not be filled during a run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The step named has not run, or gave nothing.
    #[error("step {step} has no recorded output, and `{reference}` needs one")]
    NoOutput { step: String, reference: Reference },
    /// The step's output has no such field or item.
    #[error("the output of step {step} has no `{missing}`, and `{reference}` needs it")]
    Missing { step: String, missing: String, reference: Reference },
    /// A list, mapping, fraction or null would be joined to text.
    #[error(
        "`{reference}` is {found}, and only text, whole numbers and booleans can be joined to text"
    )]
    NotText { reference: String, found: &'static str },
    /// A function cannot take what it was given. `lacking` says that what was looked for is not there.
    #[error("`{call}`: {problem}")]
    Call { call: String, problem: String, lacking: bool },
}

impl ResolveError {
    /// Whether a value is not there, rather than wrong.
    fn lacking(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Call { lacking: true, .. })
    }
}

impl Template {
    /// Fills the holes. `outputs` maps a planned step's id to the value it gave.
    pub fn resolve(
        &self,
        run: &RunFacts<'_>,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<Value, ResolveError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Ref(reference) => reference.resolve(run, outputs),
            Self::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    part.push_text(&mut text, run, outputs)?;
                }
                Ok(Value::String(text))
            }
            Self::Seq(items) => items
                .iter()
                .map(|item| item.resolve(run, outputs))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, entry)| Ok((key.clone(), entry.resolve(run, outputs)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
            Self::Call { function, args } => self.call(*function, args, run, outputs),
        }
    }

    fn call(
        &self,
        function: Function,
        args: &[Self],
        run: &RunFacts<'_>,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<Value, ResolveError> {
        if let (Function::Default, [value, other]) = (function, args) {
            return match value.resolve(run, outputs) {
                Ok(Value::Null) => other.resolve(run, outputs),
                Err(error) if error.lacking() => other.resolve(run, outputs),
                found => found,
            };
        }
        let values: Vec<Value> =
            args.iter().map(|arg| arg.resolve(run, outputs)).collect::<Result<_, _>>()?;
        apply(function, &values).map_err(|refusal| ResolveError::Call {
            call: Inner(self).to_string(),
            problem: format!("{}; {}", refusal.message, refusal.mend),
            lacking: refusal.lacking,
        })
    }

    /// Every hole, each once, in order.
    pub fn references(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found.sort();
        found.dedup();
        found
    }

    /// The value, if there is no hole anywhere in it.
    pub fn known(&self) -> Option<Value> {
        let nothing = RunFacts { id: "", started: "" };
        if self.references().is_empty() {
            self.resolve(&nothing, &BTreeMap::new()).ok()
        } else {
            None
        }
    }

    /// The value with `null` for every scalar that has a hole in it: what can be shown and checked before a run. A member
    /// that the playbook sets to null is one that it leaves out, and no hole.
    pub fn partial(&self) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Ref(_) => Value::Null,
            Self::Concat(_) | Self::Call { .. } => self.known().unwrap_or(Value::Null),
            Self::Seq(items) => Value::Array(items.iter().map(Self::partial).collect()),
            Self::Map(entries) => {
                let given =
                    entries.iter().filter(|(_, entry)| **entry != Self::Literal(Value::Null));
                Value::Object(given.map(|(key, entry)| (key.clone(), entry.partial())).collect())
            }
        }
    }

    /// The value with what `fill` says for each hole: for what can be told of a run before it. Texts are joined as in a
    /// run; what cannot be joined is left out.
    pub fn filled(&self, fill: &dyn Fn(&Reference) -> Value) -> Value {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Ref(reference) => fill(reference),
            Self::Concat(parts) => {
                let parts = parts.iter().map(|part| joinable(&part.filled(fill)));
                Value::String(parts.filter_map(Result::ok).collect())
            }
            Self::Seq(items) => Value::Array(items.iter().map(|item| item.filled(fill)).collect()),
            Self::Map(entries) => Value::Object(
                entries.iter().map(|(key, entry)| (key.clone(), entry.filled(fill))).collect(),
            ),
            Self::Call { function, args } => {
                let mut values: Vec<Value> = args.iter().map(|arg| arg.filled(fill)).collect();
                if *function == Function::Default {
                    let first = values.iter().position(|value| !value.is_null());
                    return first.map_or(Value::Null, |at| values.swap_remove(at));
                }
                // What a function makes of a value that only the run knows may be anything.
                apply(*function, &values).unwrap_or_else(|_| Value::from("*"))
            }
        }
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        match self {
            Self::Literal(_) => {}
            Self::Ref(reference) => found.push(reference),
            Self::Concat(parts) | Self::Seq(parts) | Self::Call { args: parts, .. } => {
                parts.iter().for_each(|part| part.collect(found));
            }
            Self::Map(entries) => entries.values().for_each(|entry| entry.collect(found)),
        }
    }

    fn push_text(
        &self,
        text: &mut String,
        run: &RunFacts<'_>,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<(), ResolveError> {
        let value = self.resolve(run, outputs)?;
        match joinable(&value) {
            Ok(part) => text.push_str(&part),
            Err(found) => {
                return Err(ResolveError::NotText { reference: self.to_string(), found });
            }
        }
        Ok(())
    }
}

impl Reference {
    fn resolve(
        &self,
        run: &RunFacts<'_>,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<Value, ResolveError> {
        let (step, path) = match self {
            Self::RunId => return Ok(Value::from(run.id)),
            Self::RunStarted => return Ok(Value::from(run.started)),
            Self::Output { step, path } => (step, path),
        };
        let Some(mut value) = outputs.get(step) else {
            return Err(ResolveError::NoOutput { step: step.clone(), reference: self.clone() });
        };
        for segment in path {
            let next = match segment {
                Segment::Field(name) => value.get(name),
                Segment::Index(index) => value.get(index),
            };
            value = next.ok_or_else(|| ResolveError::Missing {
                step: step.clone(),
                missing: segment.to_string(),
                reference: self.clone(),
            })?;
        }
        Ok(value.clone())
    }
}

/// The text a value has when it is joined to other text, or what kind of value it is.
pub(crate) fn joinable(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        Value::Number(_) => Err("a number with a fraction"),
        Value::Null => Err("null"),
        Value::Array(_) => Err("a list"),
        Value::Object(_) => Err("a mapping"),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunId => f.write_str("run.id"),
            Self::RunStarted => f.write_str("run.started"),
            Self::Output { step, path } => {
                write!(f, "steps.{step}")?;
                for segment in path {
                    match segment {
                        Segment::Field(name) => write!(f, ".{name}")?,
                        Segment::Index(index) => write!(f, "[{index}]")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// As a playbook would write it; for people, not for parsing.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(Value::String(text)) => f.write_str(text),
            Self::Literal(value) => write!(f, "{value}"),
            Self::Ref(_) | Self::Call { .. } => write!(f, "${{{{ {} }}}}", Inner(self)),
            Self::Concat(parts) => parts.iter().try_for_each(|part| write!(f, "{part}")),
            Self::Seq(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, entry)) in entries.iter().enumerate() {
                    let comma = if index == 0 { " " } else { ", " };
                    write!(f, "{comma}{key}: {entry}")?;
                }
                f.write_str(if entries.is_empty() { "}" } else { " }" })
            }
        }
    }
}

/// As it would stand between `${{` and `}}`.
struct Inner<'a>(&'a Template);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Template::Literal(Value::String(text)) => write!(f, "'{}'", text.replace('\'', "''")),
            Template::Ref(reference) => write!(f, "{reference}"),
            Template::Call { function, args } => {
                write!(f, "{function}(")?;
                for (index, arg) in args.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, Inner(arg))?;
                }
                f.write_str(")")
            }
            other => write!(f, "{other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_to_null_is_left_out_and_what_only_the_run_knows_is_null() {
        let literal = |value| Template::Literal(value);
        let hole = Template::Ref(Reference::RunId);
        let map = Template::Map(
            [
                ("group".to_owned(), literal(Value::Null)),
                ("name".to_owned(), hole),
                ("shards".to_owned(), literal(json!(2))),
            ]
            .into(),
        );
        assert_eq!(map.partial(), json!({"name": null, "shards": 2}));
    }
}
