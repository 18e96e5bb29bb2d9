//! Plain lines with a time stamp, for logs and pipes.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::{Report, words};
use crate::engine::journal::Record;
use crate::engine::{Event, EventKind};

/// A wait that shows nothing new is mentioned again after this long.
const REMIND: Duration = Duration::from_secs(60);

/// Writes plain lines.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    mentioned: HashMap<String, Timestamp>,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, mentioned: HashMap::new() }
    }

    fn line(&mut self, at: Timestamp, step: Option<&str>, text: &str) {
        let at = words::instant(at);
        let step = step.unwrap_or("-");
        // A reader that went away must not stop a migration.
        let _ = writeln!(self.out, "{at}  {step:<12} {text}");
    }
}

impl<W: Write> Report for Lines<W> {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            // The first look at a state follows its record and says more.
            EventKind::Recorded(Record::Observed { step, .. }) => {
                self.mentioned.remove(step);
            }
            EventKind::Recorded(record) => {
                if let Some(text) = words::record(record) {
                    self.line(event.at, record.step(), &text);
                }
            }
            EventKind::Looked(look) => {
                let due = self.mentioned.get(&look.step).is_none_or(|last| {
                    let since = event.at.duration_since(*last);
                    Duration::try_from(since).unwrap_or_default() >= REMIND
                });
                if due {
                    self.mentioned.insert(look.step.clone(), event.at);
                    let next = look.next.map(|n| format!("; next look in {}", words::duration(n)));
                    let text = words::look(look) + &next.unwrap_or_default();
                    self.line(event.at, Some(&look.step), &text);
                }
            }
            EventKind::Warned { step, warning } => {
                let text = format!("warning: {}", words::escape(warning));
                self.line(event.at, step.as_deref(), &text);
            }
        }
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}
