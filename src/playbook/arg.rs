//! Values of a playbook, with the `${{ … }}` inside scalars.

use serde_json::Value as Json;

use super::almost::almost;
use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::expr::Expr;
use super::grammar::parse;
use super::source::{Source, Span};
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
        self.known_but(&|_| false)
    }

    /// The same, with null also for what stands at one of these spans, or at a key that does.
    pub(crate) fn known_but(&self, faulty: &dyn Fn(Span) -> bool) -> Json {
        if faulty(self.span) {
            return Json::Null;
        }
        match &self.value {
            ArgValue::Null | ArgValue::Expr(_) | ArgValue::Text(_) => Json::Null,
            ArgValue::Bool(flag) => Json::from(*flag),
            ArgValue::Int(number) => Json::from(*number),
            ArgValue::Float(number) => Json::from(*number),
            ArgValue::Str(text) => Json::from(text.as_str()),
            ArgValue::Seq(items) => items.iter().map(|item| item.known_but(faulty)).collect(),
            ArgValue::Map(entries) => entries
                .iter()
                .map(|(key, arg)| {
                    let value = if faulty(key.span) { Json::Null } else { arg.known_but(faulty) };
                    (key.name.clone(), value)
                })
                .collect(),
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

/// Recognises the expressions in a tree. Those that cannot be read are reported, and nothing is known of them.
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
                let message = "a key cannot hold an expression";
                let problem = Diagnostic::error(Code::BadExpression, key.span, message);
                problems.push(problem.help("write the key out; its value may be an expression"));
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
    let places = Places::of(text, source.slice(span), span);
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
        let inner = match end_of(after) {
            Some(end) => &after[..end],
            None => {
                let start = places.start(nth);
                let problem = Diagnostic::error(
                    Code::BadExpression,
                    Span::new(start, start + OPEN.len()),
                    "this expression is not closed",
                );
                problems.push(problem.help("end it with `}}`, or write `$${{` for the text `${{`"));
                return ArgValue::Expr(Expr::unread(span));
            }
        };
        let expr = places.read(nth, inner).unwrap_or_else(|problem| {
            problems.push(*problem);
            Expr::unread(span)
        });
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Expr(expr));
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
    /// Where each `${{` of the scalar stands in `raw`; nothing if the file has another number of them.
    opens: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(text: &str, raw: &'a str, span: Span) -> Self {
        let opens: Vec<usize> = raw.match_indices(OPEN).map(|(at, _)| at).collect();
        let same = opens.len() == text.matches(OPEN).count();
        Self { raw, span, opens: if same { opens } else { Vec::new() } }
    }

    /// Where the nth `${{` of the scalar stands in the file; else the scalar's start.
    fn start(&self, nth: usize) -> usize {
        self.span.start + self.opens.get(nth).copied().unwrap_or_default()
    }

    /// The byte after the nth `${{`, if the file goes on with exactly `inner`.
    fn inner(&self, nth: usize, inner: &str) -> Option<usize> {
        let start = self.start(nth) + OPEN.len();
        let raw = self.raw.get(start - self.span.start..)?;
        raw.starts_with(inner).then_some(start)
    }

    fn read(&self, nth: usize, inner: &str) -> Result<Expr, Box<Diagnostic>> {
        let Some(base) = self.inner(nth, inner) else {
            return parse(inner, self.span, &|_, _| self.span);
        };
        let whole = Span::new(base - OPEN.len(), base + inner.len() + CLOSE.len());
        parse(inner, whole, &|start, end| Span::new(base + start, base + end))
    }
}

/// Where the `}}` stands that ends an expression: not one inside a text in quotes. An expression never spans another
/// one's start: that one was left open.
fn end_of(after: &str) -> Option<usize> {
    let plain = after.find(CLOSE)?;
    let mut quote = None;
    let mut found = None;
    for (at, c) in after.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if after[at..].starts_with(CLOSE) => {
                found = Some(at);
                break;
            }
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None => {}
        }
    }
    // Quotes that do not match are reported for what the braces hold.
    [found, Some(plain)].into_iter().flatten().find(|end| !after[..*end].contains(OPEN))
}
