//! `${{ … }}` inside scalars.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::almost::almost;
use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::source::{Located, Source, Span};
use super::tree::{Key, Node, Value};

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A value of a playbook in which expressions were recognised.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub span: Span,
    pub value: ArgValue,
}

/// What a value is: as in YAML, and beyond that an expression or text with expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    /// A scalar that is exactly one expression: it keeps the type of what it names.
    Expr(Expr),
    /// Text with expressions in it.
    Text(Vec<Part>),
    Seq(Vec<Arg>),
    Map(Vec<(Key, Arg)>),
}

/// One part of a text with expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As it is written.
    Text(String),
    /// The text of what it names goes here.
    Expr(Expr),
}

/// `steps.cluster.endpoint.host`, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// From `${{` to `}}`.
    pub span: Span,
    pub root: Root,
    /// The hops after the root: for a step, its output first.
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
    /// `item`: one of a `for_each`.
    Item,
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
            Root::RunId => f.write_str("run.id")?,
            Root::Item => f.write_str("item")?,
        }
        self.path.iter().try_for_each(|hop| match &hop.value {
            Segment::Field(name) => write!(f, ".{name}"),
            Segment::Index(index) => write!(f, "[{index}]"),
        })
    }
}

impl Arg {
    /// Every expression under this value, in the order of the text.
    pub fn expressions(&self) -> Vec<&Expr> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Expr>) {
        match &self.value {
            ArgValue::Expr(expr) => found.push(expr),
            ArgValue::Text(parts) => found.extend(parts.iter().filter_map(|part| match part {
                Part::Expr(expr) => Some(expr),
                Part::Text(_) => None,
            })),
            ArgValue::Seq(items) => items.iter().for_each(|item| item.collect(found)),
            ArgValue::Map(entries) => entries.iter().for_each(|(_, arg)| arg.collect(found)),
            _ => {}
        }
    }

    /// What stands at a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            ArgValue::Map(entries) => {
                entries.iter().find(|(name, _)| name.name == key).map(|(_, arg)| arg)
            }
            _ => None,
        }
    }

    /// The value, with null for every scalar that holds an expression.
    pub(crate) fn known(&self) -> Json {
        match &self.value {
            ArgValue::Null | ArgValue::Expr(_) | ArgValue::Text(_) => Json::Null,
            ArgValue::Bool(flag) => Json::from(*flag),
            ArgValue::Int(number) => Json::from(*number),
            ArgValue::Float(number) => Json::from(*number),
            ArgValue::Str(text) => Json::from(text.as_str()),
            ArgValue::Seq(items) => items.iter().map(Self::known).collect(),
            ArgValue::Map(entries) => {
                entries.iter().map(|(key, arg)| (key.name.clone(), arg.known())).collect()
            }
        }
    }

    /// "text", "a list", … for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            ArgValue::Null => "nothing".to_owned(),
            ArgValue::Bool(flag) => format!("the boolean {flag}"),
            ArgValue::Int(number) => format!("the whole number {number}"),
            ArgValue::Float(number) => format!("the number {number}"),
            ArgValue::Str(_) | ArgValue::Text(_) => "text".to_owned(),
            ArgValue::Expr(expr) => format!("`{expr}`"),
            ArgValue::Seq(_) => "a list".to_owned(),
            ArgValue::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Recognises the expressions in a tree. Those that cannot be read are reported, and stay as text.
pub(crate) fn interpolate(node: &Node, source: &Source, problems: &mut Diagnostics) -> Arg {
    let value = match &node.value {
        Value::Null => ArgValue::Null,
        Value::Bool(flag) => ArgValue::Bool(*flag),
        Value::Int(number) => ArgValue::Int(*number),
        Value::Float(number) => ArgValue::Float(*number),
        Value::Str(text) => scalar(text, node.span, source, problems),
        Value::Seq(items) => {
            ArgValue::Seq(items.iter().map(|item| interpolate(item, source, problems)).collect())
        }
        Value::Map(entries) => {
            for (key, _) in entries.iter().filter(|(key, _)| key.name.contains(OPEN)) {
                problems.push(Diagnostic::error(
                    Code::BadExpression,
                    key.span,
                    "a key cannot hold an expression",
                ));
            }
            let lower =
                |(key, node): &(Key, Node)| (key.clone(), interpolate(node, source, problems));
            ArgValue::Map(entries.iter().map(lower).collect())
        }
    };
    Arg { span: node.span, value }
}

fn scalar(text: &str, span: Span, source: &Source, problems: &mut Diagnostics) -> ArgValue {
    almost(text, source.slice(span), span, problems);
    if !text.contains(OPEN) {
        return ArgValue::Str(text.to_owned());
    }
    let places = Places { raw: source.slice(span), span, count: text.matches(OPEN).count() };
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    let mut nth = 0;
    while let Some(at) = rest.find(OPEN) {
        let after = &rest[at + OPEN.len()..];
        if rest[..at].ends_with('$') {
            literal.push_str(&rest[..at - 1]);
            literal.push_str(OPEN);
            rest = after;
            nth += 1;
            continue;
        }
        literal.push_str(&rest[..at]);
        let inner = match after.find(CLOSE) {
            // An expression never spans another one's start: that one was left open.
            Some(end) if !after[..end].contains(OPEN) => &after[..end],
            _ => {
                let start = places.start(nth);
                let problem = Diagnostic::error(
                    Code::BadExpression,
                    Span::new(start, start + OPEN.len()),
                    "this expression is not closed",
                );
                problems.push(problem.help("end it with `}}`, or write `$${{` for the text `${{`"));
                return ArgValue::Str(text.to_owned());
            }
        };
        match read(inner, &places, nth) {
            Ok(expr) => {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Expr(expr));
            }
            Err(problem) => problems.push(*problem),
        }
        rest = &after[inner.len() + CLOSE.len()..];
        nth += 1;
    }
    literal.push_str(rest);
    if parts.is_empty() {
        return ArgValue::Str(literal);
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    if let [Part::Expr(expr)] = parts.as_slice() {
        return ArgValue::Expr(expr.clone());
    }
    ArgValue::Text(parts)
}

/// Finds in the file what was found in a scalar: quotes, escapes and folded lines make them differ.
struct Places<'a> {
    raw: &'a str,
    span: Span,
    count: usize,
}

impl Places<'_> {
    /// Where the nth `${{` of the scalar stands in the file; else the scalar's start.
    fn start(&self, nth: usize) -> usize {
        let mut found = self.raw.match_indices(OPEN);
        let same = self.raw.matches(OPEN).count() == self.count;
        match found.nth(nth) {
            Some((at, _)) if same => self.span.start + at,
            _ => self.span.start,
        }
    }

    /// The byte after the nth `${{`, if the file goes on with exactly `inner`.
    fn inner(&self, nth: usize, inner: &str) -> Option<usize> {
        let start = self.start(nth) + OPEN.len();
        let raw = self.raw.get(start - self.span.start..)?;
        raw.starts_with(inner).then_some(start)
    }
}

fn read(inner: &str, places: &Places<'_>, nth: usize) -> Result<Expr, Box<Diagnostic>> {
    let base = places.inner(nth, inner);
    let whole = match base {
        Some(start) => Span::new(start - OPEN.len(), start + inner.len() + CLOSE.len()),
        None => places.span,
    };
    let place = |start: usize, end: usize| match base {
        Some(base) => Span::new(base + start, base + end),
        None => places.span,
    };
    let fail = |start: usize, end: usize, message: String| {
        let help = "expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id` and `item`";
        Box::new(Diagnostic::error(Code::BadExpression, place(start, end), message).help(help))
    };
    let words = words(inner).map_err(|(at, message)| {
        let width = inner[at..].chars().next().map_or(0, char::len_utf8);
        fail(at, at + width, message)
    })?;
    let mut hops = words.into_iter().map(|(hop, start, end)| Located::new(hop, place(start, end)));
    let Some(Located { value: Segment::Field(first), span }) = hops.next() else {
        return Err(fail(0, inner.len(), "this expression is empty".to_owned()));
    };
    let root = match first.as_str() {
        "item" => Root::Item,
        "inputs" | "steps" | "run" => match hops.next() {
            Some(Located { value: Segment::Field(name), span }) => match first.as_str() {
                "inputs" => Root::Input(Located::new(name, span)),
                "steps" => Root::Step(Located::new(name, span)),
                _ if name == "id" => Root::RunId,
                _ => {
                    return Err(fail(
                        0,
                        inner.len(),
                        format!("a run has no `{name}`, only an `id`"),
                    ));
                }
            },
            _ => return Err(fail(0, inner.len(), format!("`{first}` needs a name after it"))),
        },
        other => {
            let mut problem =
                *fail(0, inner.len(), format!("`{other}` is nothing an expression can name"));
            problem.span = span;
            return Err(Box::new(problem));
        }
    };
    Ok(Expr { span: whole, root, path: hops.collect() })
}

pub(super) type Word = (Segment, usize, usize);

/// Splits `steps.a.b[2]` into its hops with their places; an error is a place and a message.
pub(super) fn words(inner: &str) -> Result<Vec<Word>, (usize, String)> {
    let bytes = inner.as_bytes();
    let mut at = inner.len() - inner.trim_start().len();
    let end = inner.trim_end().len();
    let mut words = Vec::new();
    while at < end {
        let hop = if words.is_empty() { at } else { at + 1 };
        if bytes[at] == b'[' && !words.is_empty() {
            let close = inner[at..end]
                .find(']')
                .map(|len| at + len)
                .ok_or_else(|| (at, "this `[` is not closed".to_owned()))?;
            let index = inner[hop..close].trim();
            let index = index.parse().map_err(|_| {
                (hop, "between `[` and `]` there must be a number, from 0".to_owned())
            })?;
            words.push((Segment::Index(index), at, close + 1));
            at = close + 1;
            continue;
        }
        if !words.is_empty() && bytes[at] != b'.' {
            at += inner[at..].len() - inner[at..].trim_start().len();
            return Err((
                at,
                match next_char(inner, at) {
                    '|' => "an expression names a value, and there are no filters".to_owned(),
                    other => format!("`{other}` is not expected here"),
                },
            ));
        }
        let len = inner[hop..end]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(end - hop);
        if len == 0 {
            let place = hop.min(inner.len());
            return Err((place.min(at), "a name is missing here".to_owned()));
        }
        words.push((Segment::Field(inner[hop..hop + len].to_owned()), hop, hop + len));
        at = hop + len;
    }
    Ok(words)
}

fn next_char(text: &str, at: usize) -> char {
    text[at..].chars().next().unwrap_or(' ')
}
