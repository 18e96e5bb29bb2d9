use std::borrow::Cow;
use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::{Serialize, Serializer};
use strsim::damerau_levenshtein;

pub use super::code::Code;
use super::source::{Source, Span};

/// How many problems are shown to a person; nobody reads more, and programs get all of them.
const MAX_SHOWN: usize = 100;

/// Whether a playbook can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably says something else than was meant.
    Warning,
}

/// One problem in a playbook or in its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of the problem.
    pub code: Code,
    pub severity: Severity,
    /// What is wrong, as a clause.
    pub message: String,
    /// The text that is marked.
    pub span: Span,
    /// Shown under the marked text.
    pub label: Option<String>,
    /// Other places in the same text that belong to the problem.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// A word that is wrong, and the one it was probably meant to be.
    pub instead: Option<(String, String)>,
    /// Where the spans point, if not into the playbook: an inputs file, an `--input` argument.
    pub source: Option<Source>,
    /// The marked text may be a secret, so stars are shown in its place.
    pub masked: bool,
}

/// All problems found, and the text they were found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    source: Source,
    items: Vec<Diagnostic>,
}

/// A diagnostic as other programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The name of the file; `--input` for an argument.
    pub file: String,
    /// From 1; so are all of these, and columns count characters.
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub help: Option<String>,
    /// What to put in place of the text from the start to the end, where that is known.
    pub suggestion: Option<String>,
    /// Other places in the same file that belong to it.
    pub related: Vec<Related>,
}

/// Another place that belongs to a diagnostic, counted like it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    /// What is there.
    pub message: String,
}

/// What to do about a problem; if it is one word for another, that word too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    help: Option<String>,
    instead: Option<(String, String)>,
}

impl Hint {
    /// One word for another.
    pub(crate) fn word(wrong: &str, right: &str) -> Self {
        Self {
            help: Some(format!("did you mean `{right}`?")),
            instead: Some((wrong.to_owned(), right.to_owned())),
        }
    }

    /// This hint, or else another one.
    pub(crate) fn or(self, other: impl Into<Self>) -> Self {
        if self.help.is_some() { self } else { other.into() }
    }
}

impl From<&str> for Hint {
    fn from(help: &str) -> Self {
        Self { help: Some(help.to_owned()), instead: None }
    }
}

impl From<String> for Hint {
    fn from(help: String) -> Self {
        Self { help: Some(help), instead: None }
    }
}

impl From<Option<String>> for Hint {
    fn from(help: Option<String>) -> Self {
        Self { help, instead: None }
    }
}

impl Diagnostic {
    /// A problem that must be mended.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            span,
            label: None,
            related: Vec::new(),
            help: None,
            instead: None,
            source: None,
            masked: false,
        }
    }

    /// A problem that can be lived with.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Adds what is shown under the marked text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do, if there is something; what was said before stays otherwise.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<Hint>) -> Self {
        let Hint { help, instead } = hint.into();
        if help.is_some() {
            (self.help, self.instead) = (help, instead);
        }
        self
    }

    /// Marks another place of the same text, with words of its own.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Shows stars for the marked text, here and wherever else its line is shown.
    #[must_use]
    pub(crate) fn masked(mut self) -> Self {
        self.masked = true;
        self
    }

    #[must_use]
    pub(crate) fn within(mut self, source: &Source) -> Self {
        self.source = Some(source.clone());
        self
    }
}

impl Diagnostics {
    /// No problems yet, in `source`.
    pub fn new(source: Source) -> Self {
        Self { source, items: Vec::new() }
    }

    /// The only problem of a `source`.
    pub fn one(source: Source, problem: Diagnostic) -> Self {
        Self { source, items: vec![problem] }
    }

    /// Adds a problem; not that a value has the wrong type where it could not be read as what it is.
    pub fn push(&mut self, problem: Diagnostic) {
        let unread = |known: &Diagnostic| {
            known.span.start == problem.span.start
                && matches!(known.code, Code::ScalarTooLong | Code::NumberTooLarge)
        };
        if problem.code != Code::WrongType || !self.items.iter().any(unread) {
            self.items.push(problem);
        }
    }

    /// All problems; in the order of the text once a check is done.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// Whether there is neither an error nor a warning.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether anything must be mended.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many problems must be mended.
    pub fn errors(&self) -> usize {
        self.items.iter().filter(|item| item.severity == Severity::Error).count()
    }

    /// The text they were found in.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// In the order of the text; problems of other texts come last. Each stays once: an aliased value is
    /// read at every use, and its problem is one.
    pub(crate) fn sort(&mut self) {
        self.items.sort_by(|a, b| {
            let place = |item: &Diagnostic| (item.source.is_some(), item.span, item.code);
            place(a).cmp(&place(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.items.dedup();
    }

    /// For a person: each problem with its code, `file:line:column`, the text itself and the mend.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
        let mut out = String::new();
        for item in self.items.iter().take(MAX_SHOWN) {
            out.push_str(&self.render_one(&renderer, item));
            out.push_str("\n\n");
        }
        if let Some(more @ 1..) = self.items.len().checked_sub(MAX_SHOWN) {
            out.push_str(&format!("{more} more problems are not shown"));
        }
        out.truncate(out.trim_end().len());
        out
    }

    /// For programs: the same, flat.
    pub fn entries(&self) -> Vec<Entry> {
        self.items.iter().map(|item| self.entry(item)).collect()
    }

    /// What must not be shown of the text that `item` is in.
    fn masks(&self, item: &Diagnostic) -> Vec<Span> {
        let masked = self.items.iter().filter(|other| other.masked);
        masked.filter(|other| other.source == item.source).map(|other| other.span).collect()
    }

    fn entry(&self, item: &Diagnostic) -> Entry {
        let source = item.source.as_ref().unwrap_or(&self.source);
        let (start, end) = (source.position(item.span.start), source.position(item.span.end));
        Entry {
            file: source.name().to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            code: item.code,
            severity: item.severity,
            message: item.message.clone(),
            help: item.help.clone(),
            suggestion: replacement(item, source.slice(item.span)),
            related: item
                .related
                .iter()
                .map(|(span, label)| related(source, *span, label))
                .collect(),
        }
    }

    fn render_one(&self, renderer: &Renderer, item: &Diagnostic) -> String {
        let source = item.source.as_ref().unwrap_or(&self.source);
        let level = match item.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(item.message.as_str()).id(item.code.as_str());
        let mut group: Group<'_> = if source.text().is_empty() {
            // Refused before it was read: there is a place to name and nothing to show.
            title.element(Origin::path(source.name()).line(1).char_column(1))
        } else {
            title.element(snippet(source, item, &self.masks(item)))
        };
        if let Some(help) = &item.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn snippet<'a>(
    source: &'a Source,
    item: &'a Diagnostic,
    masks: &[Span],
) -> Snippet<'a, Annotation<'a>> {
    let window = Window::around(source, item);
    let primary = AnnotationKind::Primary.span(window.clip(item.span));
    let mut snippet = Snippet::source(window.masked(masks))
        .line_start(window.first_line)
        .path(source.name())
        .annotation(primary.label(item.label.as_deref()));
    for (span, label) in &item.related {
        let context = AnnotationKind::Context.span(window.clip(*span));
        snippet = snippet.annotation(context.label(label.as_str()));
    }
    snippet
}

/// The lines of a source that one diagnostic speaks of: the renderer then never walks a whole file.
struct Window<'a> {
    text: &'a str,
    start: usize,
    first_line: usize,
}

impl<'a> Window<'a> {
    fn around(source: &'a Source, item: &Diagnostic) -> Self {
        let text = source.text();
        let spans = item.related.iter().map(|(span, _)| *span).chain([item.span]);
        let whole = spans.fold(item.span, Span::to);
        let start = text[..floor(text, whole.start)].rfind('\n').map_or(0, |at| at + 1);
        let end = floor(text, whole.end);
        let end = text[end..].find('\n').map_or(text.len(), |at| end + at);
        Self { text: &text[start..end], start, first_line: source.position(start).line }
    }

    /// The text with stars for the bytes under `masks`: every place in it stays where it is.
    fn masked(&self, masks: &[Span]) -> Cow<'a, str> {
        let end = self.start + self.text.len();
        let inside = |at: usize, mask: &Span| (mask.start..mask.end).contains(&at);
        if !masks.iter().any(|mask| mask.start < end && mask.end > self.start) {
            return Cow::Borrowed(self.text);
        }
        let star = |(at, c): (usize, char)| match masks.iter().any(|m| inside(self.start + at, m)) {
            true if c != '\n' => "*".repeat(c.len_utf8()),
            _ => c.to_string(),
        };
        Cow::Owned(self.text.char_indices().map(star).collect())
    }

    /// A span within the window; a span over several lines is shown by its first line.
    fn clip(&self, span: Span) -> std::ops::Range<usize> {
        let limit = self.text.len();
        let start = floor(self.text, span.start.saturating_sub(self.start));
        let end = floor(self.text, span.end.saturating_sub(self.start).clamp(start, limit));
        let end = self.text[start..end].find('\n').map_or(end, |at| start + at);
        start..end
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl Serialize for Diagnostics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

fn related(source: &Source, span: Span, label: &str) -> Related {
    let (start, end) = (source.position(span.start), source.position(span.end));
    Related {
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
        message: label.to_owned(),
    }
}

/// The text that should stand in place of the marked one, which is `written`: only if that is the wrong word itself,
/// with or without quotes.
fn replacement(item: &Diagnostic, written: &str) -> Option<String> {
    let (wrong, right) = item.instead.as_ref()?;
    let quoted = |quote: char| written == format!("{quote}{wrong}{quote}");
    match written {
        _ if written == wrong => Some(right.clone()),
        _ if quoted('"') || quoted('\'') => {
            let quote = &written[..1];
            Some(format!("{quote}{right}{quote}"))
        }
        _ => None,
    }
}

/// Longer words are nobody's slip of the finger, and comparing them takes long.
const MAX_WORD: usize = 100;

/// The known word a wrong one was probably meant to be.
pub(crate) fn closest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = wrong.chars().count();
    if length > MAX_WORD {
        return None;
    }
    let limit = (length / 3).max(1);
    known
        .into_iter()
        // The distance is at least what one is longer than the other.
        .filter(|word| word.chars().count().abs_diff(length) <= limit)
        .map(|word| (damerau_levenshtein(wrong, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

/// "did you mean …?", or else what there is to choose from, after `what`.
pub(crate) fn suggestion<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
    what: &str,
) -> Hint {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(word) = closest(wrong, known.iter().copied()) {
        return Hint::word(wrong, word);
    }
    let choice = (1..=12).contains(&known.len()) && !what.is_empty();
    choice.then(|| format!("{what}: {}", quoted_list(known))).into()
}

/// `a`, `b`, `c`.
pub(crate) fn quoted_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
