//! One event a line, for machines.

use std::io::Write;

use serde_json::json;

use super::Report;
use crate::engine::Event;

/// Writes JSON Lines.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, value: &impl serde::Serialize) {
        // A reader that went away must not stop a migration.
        if let Ok(text) = serde_json::to_string(value) {
            let _ = writeln!(self.out, "{text}").and_then(|()| self.out.flush());
        }
    }
}

impl<W: Write> Report for Json<W> {
    fn event(&mut self, event: &Event) {
        self.line(event);
    }

    fn say(&mut self, line: &str) {
        self.line(&json!({ "event": "said", "data": { "text": line } }));
    }
}
