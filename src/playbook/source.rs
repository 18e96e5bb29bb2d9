use std::fmt;
use std::sync::Arc;

use super::diagnostic::{Code, Diagnostic, Diagnostics};

/// A range of bytes in a [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A value and where it stands in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    pub value: T,
    pub span: Span,
}

/// A text and the name people know it by. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    name: String,
    text: String,
    /// Where each line starts.
    lines: Vec<usize>,
}

/// Where something stands, as people and editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Span {
    /// From byte `start` up to `end`, which is not part of it.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest span over both.
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }
}

impl<T> Located<T> {
    /// Puts a value at its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl Source {
    /// No playbook and no inputs file may be larger than this, in bytes.
    pub const MAX_BYTES: u64 = 1024 * 1024;

    /// Takes text as it is; for text from a file use [`Source::from_bytes`], which refuses what no
    /// playbook can be.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let (name, text) = (name.into(), text.into());
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self(Arc::new(Inner { name, text, lines }))
    }

    /// Takes the bytes of a file. Refuses too many bytes, UTF-16, bytes that are not UTF-8, NUL
    /// characters, and a file with nothing in it. A UTF-8 byte order mark is dropped.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Diagnostics> {
        let name = name.into();
        if bytes.len() as u64 > Self::MAX_BYTES {
            return Err(Self::too_large(name, bytes.len() as u64));
        }
        if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] = bytes.as_slice() {
            let problem = Diagnostic::error(
                Code::NotText,
                Span::default(),
                "the file is UTF-16, and a playbook must be UTF-8",
            )
            .help("save it as UTF-8, or run `iconv -f UTF-16 -t UTF-8` over it");
            return Err(Diagnostics::one(Self::new(name, ""), problem));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(Self::not_utf8(name, &error)),
        };
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        if let Some(at) = text.find('\0') {
            let problem = Diagnostic::error(
                Code::NotText,
                Span::new(at, at + 1),
                "there is a NUL character here, so this is not a text file",
            )
            .help("check that this is the file you meant");
            return Err(Diagnostics::one(Self::new(name, text), problem));
        }
        if text.trim().is_empty() {
            let problem =
                Diagnostic::error(Code::Empty, Span::default(), "there is nothing in this file")
                    .help("`orchestrate steps` lists what a playbook can do");
            return Err(Diagnostics::one(Self::new(name, text), problem));
        }
        Ok(Self::new(name, text))
    }

    /// The refusal of a file of `size` bytes, for callers that know the size before they read.
    pub fn too_large(name: impl Into<String>, size: u64) -> Diagnostics {
        let problem = Diagnostic::error(
            Code::FileTooLarge,
            Span::default(),
            format!("the file has {size} bytes, and at most {} are read", Self::MAX_BYTES),
        )
        .help("check that this is the file you meant");
        Diagnostics::one(Self::new(name, ""), problem)
    }

    /// The file's path, or `--input`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text under a span; empty if the span is not within the text.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text().get(span.start..span.end).unwrap_or_default()
    }

    /// Line and column of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let text = self.text();
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.0.lines.partition_point(|start| *start <= end);
        let line_start = self.0.lines[line - 1];
        Position { line, column: text[line_start..end].chars().count() + 1 }
    }

    fn not_utf8(name: String, error: &std::string::FromUtf8Error) -> Diagnostics {
        let valid = error.utf8_error().valid_up_to();
        let bad = error.as_bytes().get(valid).copied().unwrap_or_default();
        // What was readable is kept, so that the place can be shown.
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned() + "\u{fffd}";
        let problem = Diagnostic::error(
            Code::NotUtf8,
            Span::new(valid, text.len()),
            format!("the byte 0x{bad:02x} here is not UTF-8"),
        )
        .help("save the file as UTF-8; if it is not text at all, check the path");
        Diagnostics::one(Self::new(name, text), problem)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.0.name).finish_non_exhaustive()
    }
}
