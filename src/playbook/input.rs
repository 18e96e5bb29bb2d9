use std::fmt;

use serde_json::Value as Json;

use super::duration::parse_duration;
use super::source::Located;
use super::tree::{Node, Value};

/// An input a playbook declares.
#[derive(Clone, Debug, PartialEq)]
pub struct InputDecl {
    /// What `inputs.<name>` calls it.
    pub name: Located<String>,
    /// What its values must be.
    pub kind: InputType,
    /// What it is, for who has to give it.
    pub description: String,
    /// What it is if not given; without a default it must be given. Null is allowed: not given, not needed.
    pub default: Option<Json>,
    /// The only values allowed; for a list, each of its items. Empty if anything goes.
    pub allowed: Vec<Json>,
    /// A value that could be given.
    pub example: Option<Json>,
}

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    /// Any text.
    String,
    /// A whole number of 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A time such as `90m`, kept as text.
    Duration,
    /// A list of strings.
    List,
}

impl InputType {
    /// Every type.
    pub const ALL: [Self; 5] =
        [Self::String, Self::Integer, Self::Boolean, Self::Duration, Self::List];

    /// As a playbook writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::List => "list",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Takes a YAML value if it has this type; else says what is wrong.
    pub(crate) fn take(self, node: &Node) -> Result<Json, String> {
        match (self, &node.value) {
            (Self::String, Value::Str(text)) => Ok(Json::from(text.as_str())),
            (Self::String, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
                Err(format!("expected text, found {}; quote it", node.describe()))
            }
            (Self::Integer, Value::Int(number)) => Ok(Json::from(*number)),
            (Self::Boolean, Value::Bool(flag)) => Ok(Json::from(*flag)),
            (Self::Duration, Value::Str(text)) => duration(text),
            (Self::Duration, Value::Int(number)) => duration(&number.to_string()),
            (Self::List, Value::Seq(items)) => items
                .iter()
                .map(|item| Self::String.take(item))
                .collect::<Result<_, _>>()
                .map(Json::Array),
            _ => Err(format!("expected {self}, found {}", node.describe())),
        }
    }

    /// Takes the text of a command-line argument. A list is separated by commas.
    pub(crate) fn read(self, text: &str) -> Result<Json, String> {
        match self {
            Self::String => Ok(Json::from(text)),
            Self::Integer => text
                .trim()
                .parse::<i64>()
                .map(Json::from)
                .map_err(|_| format!("expected a whole number, found `{text}`")),
            Self::Boolean => match text.trim() {
                "true" => Ok(Json::from(true)),
                "false" => Ok(Json::from(false)),
                _ => Err(format!("expected `true` or `false`, found `{text}`")),
            },
            Self::Duration => duration(text),
            Self::List => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Json::Array(items.map(Json::from).collect()))
            }
        }
    }
}

impl InputDecl {
    /// Whether a value is among the allowed ones; else says which are.
    pub(crate) fn permits(&self, value: &Json) -> Result<(), String> {
        let candidates = match value {
            Json::Array(items) => items.as_slice(),
            Json::Null => return Ok(()),
            single => std::slice::from_ref(single),
        };
        let wrong = candidates.iter().find(|item| !self.allowed.contains(item));
        match wrong {
            Some(wrong) if !self.allowed.is_empty() => {
                let allowed = self.allowed.iter().map(plain_text).collect::<Vec<_>>().join("`, `");
                Err(format!("`{}` is not one of `{allowed}`", plain_text(wrong)))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for InputType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::Duration => "a duration such as `90m`",
            Self::List => "a list of texts",
        })
    }
}

fn duration(text: &str) -> Result<Json, String> {
    match parse_duration(text) {
        Ok(_) => Ok(Json::from(text.trim())),
        Err(problem) => Err(format!("`{text}` is not a duration: {problem}")),
    }
}

fn plain_text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
