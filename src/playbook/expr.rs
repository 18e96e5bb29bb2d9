//! What stands between `${{` and `}}`, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::arg::{Arg, ArgValue};
use super::function::Function;
use super::source::{Located, Span};

/// `steps.cluster.endpoint.host` or `lower(inputs.name)`, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// From `${{` to `}}`; of an argument, its own text.
    pub span: Span,
    pub root: Root,
    /// The hops after the root: for a step, its output first. A call and a literal have none.
    pub path: Vec<Located<Segment>>,
}

/// What an expression starts from.
#[derive(Clone, Debug, PartialEq)]
pub enum Root {
    /// `inputs.<name>`.
    Input(Located<String>),
    /// `steps.<id>`.
    Step(Located<String>),
    /// `run.id`.
    RunId,
    /// `run.started`: when the run began, in UTC.
    RunStarted,
    /// `item`: one of a `for_each`.
    Item,
    /// A function and its arguments.
    Call(Located<Function>, Vec<Expr>),
    /// A literal; or what is known by now of an argument.
    Value(Box<Arg>),
    /// One that could not be read, and was reported: nothing is known of it.
    Unread,
}

/// One hop into a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// `.name`.
    Field(String),
    /// `[2]`, from 0.
    Index(usize),
}

impl Expr {
    /// A value that is known, at its place.
    pub(crate) fn value(value: ArgValue, span: Span) -> Self {
        let root = Root::Value(Box::new(Arg { span, value }));
        Self { span, root, path: Vec::new() }
    }

    /// One that was reported.
    pub(crate) fn unread(span: Span) -> Self {
        Self { span, root: Root::Unread, path: Vec::new() }
    }

    /// What this expression reads: itself, or what the arguments of a call read.
    pub fn leaves(&self) -> Vec<&Self> {
        match &self.root {
            Root::Call(_, args) => args.iter().flat_map(Self::leaves).collect(),
            Root::Value(arg) => arg.expressions().into_iter().flat_map(Self::leaves).collect(),
            _ => vec![self],
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Input(name) => write!(f, "inputs.{}", name.value)?,
            Root::Step(id) => write!(f, "steps.{}", id.value)?,
            Root::Unread => f.write_str("an expression")?,
            Root::RunId => f.write_str("run.id")?,
            Root::RunStarted => f.write_str("run.started")?,
            Root::Item => f.write_str("item")?,
            Root::Call(function, args) => {
                write!(f, "{}(", function.value)?;
                for (index, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")?;
            }
            Root::Value(arg) => match &arg.value {
                ArgValue::Str(text) => write!(f, "'{}'", text.replace('\'', "''"))?,
                ArgValue::Bool(flag) => write!(f, "{flag}")?,
                ArgValue::Int(number) => write!(f, "{number}")?,
                ArgValue::Float(number) => write!(f, "{number}")?,
                ArgValue::Null => f.write_str("null")?,
                _ => f.write_str(&arg.describe())?,
            },
        }
        self.path.iter().try_for_each(|hop| match &hop.value {
            Segment::Field(name) => write!(f, ".{name}"),
            Segment::Index(index) => write!(f, "[{index}]"),
        })
    }
}
