//! A YAML document as values that know where they stand.

use super::source::Span;

/// What a node weighs beside its text.
pub(super) const NODE_WEIGHT: usize = 64;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

/// A value by the YAML 1.2 core schema.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping; a number or a boolean there is its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub name: String,
    pub span: Span,
}

impl Node {
    /// What stands at a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// "text", "a list", … for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) => "text",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Weight and height of the tree under this node, this node included.
    pub(super) fn measure(&self) -> (usize, usize) {
        let (children, own) = match &self.value {
            Value::Str(text) => (Vec::new(), text.len()),
            Value::Seq(items) => (items.iter().map(Self::measure).collect(), 0),
            Value::Map(entries) => (
                entries.iter().map(|(_, node)| node.measure()).collect(),
                entries.iter().map(|(key, _)| key.name.len() + NODE_WEIGHT).sum(),
            ),
            _ => (Vec::new(), 0),
        };
        let weight = children.iter().map(|(weight, _)| weight).sum::<usize>();
        let height = children.iter().map(|(_, height)| *height).max().unwrap_or(0);
        (weight + own + NODE_WEIGHT, height + 1)
    }
}
