//! The only file that names the YAML crate: text to a located tree, whatever the text is.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::scalar::plain;
use super::source::{Source, Span};
use super::syntax;
use super::tree::{Key, NODE_WEIGHT, Node, Value};

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 64;
/// A scalar longer than this, in bytes, is refused.
const MAX_SCALAR: usize = 64 * 1024;
/// What a tree may weigh after aliases were resolved: each node its text plus [`NODE_WEIGHT`].
const MAX_WEIGHT: usize = 8 * 1024 * 1024;

/// Reads the one document of `source`. `None` if the text cannot be read to its end; problems that leave
/// a usable tree are reported and the reading goes on.
pub(crate) fn parse(source: &Source, problems: &mut Diagnostics) -> Option<Node> {
    let offsets = Offsets::of(source.text());
    let mut builder = Builder::new(problems);
    for event in Parser::new_from_str(source.text()) {
        let (event, span) = match event {
            Ok((event, span)) => (event, offsets.span(span)),
            Err(error) => {
                let problem = scan_problem(source, &offsets, &error);
                builder.problems.push(problem);
                return None;
            }
        };
        if builder.accept(source, event, span).is_err() {
            return None;
        }
    }
    let root = builder.root.take();
    if root.is_none() {
        problems.push(
            Diagnostic::error(Code::Empty, Span::default(), "there is no playbook in this file")
                .help("it holds comments only; a playbook starts with `playbook: v1`"),
        );
    }
    root
}

/// Character positions, as the parser counts them, to byte offsets.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        Self(Some(text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()))
    }

    fn byte(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(table) => table[character.min(table.len() - 1)],
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(self.byte(span.start.index()), self.byte(span.end.index()))
    }
}

/// The text cannot be read further; the problem was reported.
struct Stop;

/// A collection whose end has not been reached.
struct Frame {
    start: Span,
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    Seq(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashMap<String, Span>, pending: Option<PendingKey> },
}

/// A key whose value comes next; `None` if the key was refused and its value goes nowhere.
type PendingKey = Option<Key>;

struct Builder<'a> {
    problems: &'a mut Diagnostics,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    open: HashSet<usize>,
    weight: usize,
    documents: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn new(problems: &'a mut Diagnostics) -> Self {
        Self {
            problems,
            stack: Vec::new(),
            anchors: HashMap::new(),
            open: HashSet::new(),
            weight: 0,
            documents: 0,
            root: None,
        }
    }

    fn accept(&mut self, source: &Source, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => self.start_document(span),
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(source, &text, style, tag.as_deref(), span)?;
                self.finish(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &["seq"], span);
                self.open(span, anchor, FrameKind::Seq(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &["map"], span);
                let kind =
                    FrameKind::Map { entries: Vec::new(), seen: HashMap::new(), pending: None };
                self.open(span, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(source, span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => Ok(()),
        }
    }

    fn start_document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        self.stop(
            Diagnostic::error(
                Code::SeveralDocuments,
                span,
                "a second YAML document starts here, and a file holds one playbook",
            )
            .help("move it to a file of its own, or remove the `---`"),
        )
    }

    fn open(&mut self, start: Span, anchor: usize, kind: FrameKind) -> Result<(), Stop> {
        self.grow(NODE_WEIGHT, start)?;
        if self.stack.len() >= MAX_DEPTH {
            return self.too_deep(start);
        }
        if anchor > 0 {
            self.open.insert(anchor);
        }
        self.stack.push(Frame { start, anchor, kind });
        Ok(())
    }

    fn close(&mut self, source: &Source, end: Span) -> Result<(), Stop> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let (value, last) = match frame.kind {
            FrameKind::Seq(items) => {
                let last = items.last().map(|node| node.span.end);
                (Value::Seq(items), last)
            }
            FrameKind::Map { entries, .. } => {
                let last = entries.last().map(|(key, node)| node.span.end.max(key.span.end));
                (Value::Map(entries), last)
            }
        };
        // A block collection's end event stands where the next token is; its last child says better. That of
        // a flow collection reaches over what follows on the line.
        let bracket = source.text().as_bytes().get(end.start);
        let stop = match bracket {
            Some(b']' | b'}') if end.end > end.start => end.start + 1,
            _ => last.unwrap_or(frame.start.end),
        };
        self.open.remove(&frame.anchor);
        self.finish(Node { span: Span::new(frame.start.start, stop), value }, frame.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.open.contains(&anchor) {
            let message =
                "this alias stands inside the value it stands for, so the value would never end";
            return self.stop(
                Diagnostic::error(Code::Anchor, span, message)
                    .help("write the value out here, or name another anchor"),
            );
        }
        let Some(target) = self.anchors.get(&anchor) else {
            return self.stop(
                Diagnostic::error(Code::Anchor, span, "this alias names no anchor")
                    .help("an anchor is written `&name` before a value"),
            );
        };
        let (weight, height) = target.measure();
        if self.stack.len() + height > MAX_DEPTH {
            return self.too_deep(span);
        }
        if self.weight + weight > MAX_WEIGHT {
            return self.grow(weight, span);
        }
        let node = target.clone();
        self.weight += weight;
        self.finish(node, 0)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.grow(node.measure().0, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.kind {
            FrameKind::Seq(items) => items.push(node),
            FrameKind::Map { entries, seen, pending } => match pending.take() {
                Some(Some(key)) => entries.push((key, node)),
                Some(None) => {}
                None => *pending = Some(accept_key(&node, seen, self.problems)),
            },
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        source: &Source,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<Node, Stop> {
        self.grow(NODE_WEIGHT + text.len(), span)?;
        if text.len() > MAX_SCALAR {
            let message =
                format!("this value has {} bytes, and at most {MAX_SCALAR} are read", text.len());
            self.problems.push(
                Diagnostic::error(Code::ScalarTooLong, Span::new(span.start, span.start), message)
                    .help("shorten it; a quote that is not closed makes a value long, too"),
            );
            return Ok(Node { span, value: Value::Null });
        }
        let forced = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        self.refuse_tag(tag, &["str"], span);
        // The mark of a plain empty scalar is whatever token comes next.
        let empty = text.is_empty() && style == ScalarStyle::Plain;
        let span = if empty { Span::new(span.start, span.start) } else { trim(source, span) };
        if forced || style != ScalarStyle::Plain {
            return Ok(Node { span, value: Value::Str(text.to_owned()) });
        }
        let value = plain(text).unwrap_or_else(|| {
            self.problems.push(
                Diagnostic::error(
                    Code::NumberTooLarge,
                    span,
                    "this number does not fit into 64 bits",
                )
                .help("if it is meant as text, quote it"),
            );
            Value::Null
        });
        Ok(Node { span, value })
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &[&str], span: Span) {
        let Some(tag) = tag else { return };
        if tag.is_yaml_core_schema() && allowed.contains(&tag.suffix.as_str()) {
            return;
        }
        self.problems.push(
            Diagnostic::error(Code::Tag, span, "this value has a YAML tag, and none is supported")
                .help("remove the word that starts with `!`; if the value itself starts with `!`, quote it"),
        );
    }

    fn grow(&mut self, weight: usize, span: Span) -> Result<(), Stop> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight <= MAX_WEIGHT {
            return Ok(());
        }
        self.stop(
            Diagnostic::error(
                Code::Expansion,
                span,
                "here the file has grown beyond the size of any playbook",
            )
            .help("aliases of aliases multiply; write the values out, or use `for_each`"),
        )
    }

    fn too_deep(&mut self, span: Span) -> Result<(), Stop> {
        self.stop(too_deep(span))
    }

    fn stop(&mut self, problem: Diagnostic) -> Result<(), Stop> {
        self.problems.push(problem);
        Err(Stop)
    }
}

fn accept_key(
    node: &Node,
    seen: &mut HashMap<String, Span>,
    problems: &mut Diagnostics,
) -> PendingKey {
    let name = match &node.value {
        Value::Str(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null => "null".to_owned(),
        Value::Float(number) => number.to_string(),
        Value::Seq(_) | Value::Map(_) => {
            let problem = Diagnostic::error(Code::KeyNotText, node.span, "a key must be text");
            problems.push(problem.help("if this is an expression, quote it: \"${{ … }}\""));
            return None;
        }
    };
    if name == "<<" {
        problems.push(
            Diagnostic::error(Code::MergeKey, node.span, "the merge key `<<` is not supported")
                .help("write the keys out; a plain alias (`key: *anchor`) is supported"),
        );
        return None;
    }
    if let Some(first) = seen.get(&name) {
        problems.push(
            Diagnostic::error(Code::DuplicateKey, node.span, format!("`{name}` stands here twice"))
                .label("second time")
                .related(*first, "first time")
                .help("remove one of the two"),
        );
        return None;
    }
    seen.insert(name.clone(), node.span);
    Some(Key { name, span: node.span })
}

/// A scalar's mark may reach over trailing blanks to the next token.
fn trim(source: &Source, span: Span) -> Span {
    Span::new(span.start, span.start + source.slice(span).trim_end().len())
}

fn too_deep(span: Span) -> Diagnostic {
    let message = format!("values are nested more than {MAX_DEPTH} deep here");
    Diagnostic::error(Code::TooDeep, span, message)
        .help("close brackets that were left open; no step takes values as deep as that")
}

fn scan_problem(source: &Source, offsets: &Offsets, error: &ScanError) -> Diagnostic {
    let text = source.text();
    let at = offsets.byte(error.marker().index()).min(text.len());
    if let Some(tab) = tab_near(text, at) {
        return Diagnostic::error(
            Code::Tab,
            Span::new(tab, tab + 1),
            "there is a tab here, and YAML indents with spaces only",
        )
        .help("replace the tab by spaces");
    }
    if error.info().contains("unknown anchor") {
        let end = text[at..].find([' ', '\n', ',', ']', '}']).map_or(text.len(), |len| at + len);
        return Diagnostic::error(
            Code::Anchor,
            Span::new(at, end),
            "this alias names no anchor that stands before it",
        )
        .help(
            "an anchor is written `&name` before a value; text that starts with `*` must be quoted",
        );
    }
    // The parser has a limit of its own and looks ahead, so it may come to it before the tree does.
    if error.info().contains("recursion limit") {
        return too_deep(Span::new(at, at));
    }
    syntax::problem(text, at, error.info())
}

/// A tab among the blanks that start the line of `at`, or at `at` itself.
fn tab_near(text: &str, at: usize) -> Option<usize> {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let blanks = line.len() - line.trim_start().len();
    if let Some(tab) = line[..blanks].find('\t') {
        return Some(start + tab);
    }
    text[at..].starts_with('\t').then_some(at)
}
