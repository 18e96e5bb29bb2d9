//! Where words go: colour or not, live or lines, JSON or text. A reader that went away stops nothing.

use std::io::{IsTerminal, Write};

use crate::report::{Json, Lines, Report, Style, Terminal};

/// How this process speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// One JSON object a line on standard output, and nothing else there.
    pub(crate) json: bool,
    /// Colour on standard output.
    pub(crate) style: Style,
    /// Colour on standard error.
    pub(crate) err_style: Style,
    /// Whether a person watches.
    pub(crate) live: bool,
}

/// The width of a terminal, within what can be read: sentences below forty columns and above 120 cannot.
fn columns(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0).clamp(40, 120))
}

impl Output {
    /// Reads `NO_COLOR`, `TERM` and what the streams are.
    #[must_use]
    pub(crate) fn from_env(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        // Without TERM nothing is known of the terminal either, and live lines would not be drawn at all.
        let dumb = std::env::var_os("TERM").is_none_or(|t| t.is_empty() || t == "dumb");
        Self {
            json,
            style: Style {
                color: out && !plain && !json,
                columns: out
                    .then(|| columns(terminal_size::terminal_size_of(std::io::stdout())))
                    .flatten(),
            },
            err_style: Style { color: err && !plain, columns: None },
            live: out && err && !json && !dumb,
        }
    }

    /// Text on standard output, for people; nothing with `--json`.
    pub(crate) fn say(&self, text: &str) {
        if !self.json {
            let _ = std::io::stdout().write_all(text.as_bytes());
            if !text.ends_with('\n') {
                let _ = std::io::stdout().write_all(b"\n");
            }
            let _ = std::io::stdout().flush();
        }
    }

    /// A JSON value on standard output, with `--json` only.
    pub(crate) fn json(&self, value: &impl serde::Serialize) {
        if self.json
            && let Ok(text) = serde_json::to_string(value)
        {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// Text on standard error.
    pub(crate) fn complain(&self, text: &str) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Text on standard output, each line of it labelled; nothing with `--json`.
    pub(crate) fn say_labelled(&self, label: &str, text: &str) {
        if !self.json {
            let mut out = Labelled::new(label);
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
        }
    }

    /// The report of a run among several.
    #[must_use]
    pub(crate) fn labelled(&self, label: &str) -> Box<dyn Report> {
        if self.json {
            Box::new(Json::new(std::io::stdout()))
        } else {
            Box::new(Lines::new(Labelled::new(label)))
        }
    }

    /// The report of a run.
    #[must_use]
    pub(crate) fn report(&self) -> Box<dyn Report> {
        if self.json {
            Box::new(Json::new(std::io::stdout()))
        } else if self.live {
            Box::new(Terminal::new(self.err_style))
        } else {
            Box::new(Lines::new(std::io::stdout()))
        }
    }
}

/// Standard output, whole lines at a time, each with a label before it.
struct Labelled {
    label: String,
    line: Vec<u8>,
}

impl Labelled {
    fn new(label: &str) -> Self {
        Self { label: label.to_owned(), line: Vec::new() }
    }
}

impl Write for Labelled {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            self.line.push(*byte);
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                    let labelled = [self.label.as_bytes(), b"  ", &line].concat();
                    std::io::stdout().write_all(&labelled)?;
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}
