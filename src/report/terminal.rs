//! For a person who watches: one live line for each running step, a line for each that ended.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::style::Style;
use super::{Report, words};
use crate::engine::journal::Record;
use crate::engine::{Event, EventKind, Look};

struct Live {
    bar: ProgressBar,
    started: Timestamp,
    look: Option<(Timestamp, Look)>,
    undoing: bool,
}

/// Draws on the terminal (standard error).
pub struct Terminal {
    bars: MultiProgress,
    style: Style,
    live: HashMap<String, Live>,
}

impl Terminal {
    /// Draws with or without colour.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { bars: MultiProgress::new(), style, live: HashMap::new() }
    }

    fn begin(&mut self, step: &str, at: Timestamp, undoing: bool) {
        let bars = &self.bars;
        let live = self.live.entry(step.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            // The template is a constant; a terminal that cannot show it gets indicatif's default.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
            }
            Live { bar, started: at, look: None, undoing }
        });
        live.undoing = undoing;
        Self::draw(step, live, at, self.style);
    }

    fn draw(step: &str, live: &Live, now: Timestamp, style: Style) {
        let since =
            |then: Timestamp| Duration::try_from(now.duration_since(then)).unwrap_or_default();
        let verb = if live.undoing { style.warn("undo ") } else { String::new() };
        let text = match &live.look {
            None => words::duration(since(live.started)),
            Some((at, look)) => {
                let mut now_look = look.clone();
                now_look.elapsed += since(*at);
                let next = look.next.map(|next| next.saturating_sub(since(*at)));
                let next = next
                    .map(|n| style.dim(&format!("; next look in {}", words::duration(n))))
                    .unwrap_or_default();
                words::look(&now_look) + &next
            }
        };
        live.bar.set_message(format!("{verb}{}  {text}", style.bold(step)));
        live.bar.tick();
    }

    fn end(&mut self, step: &str, at: Timestamp, mark: &str, text: &str) {
        let mut line = format!("{mark} {}", self.style.bold(step));
        if let Some(live) = self.live.remove(step) {
            live.bar.finish_and_clear();
            self.bars.remove(&live.bar);
            let took = Duration::try_from(at.duration_since(live.started)).unwrap_or_default();
            line += &self.style.dim(&format!("  {}", words::duration(took)));
        }
        if !text.is_empty() {
            line += &format!("  {text}");
        }
        self.print(&line);
    }

    fn print(&self, line: &str) {
        // A terminal that went away must not stop a migration.
        let _ = self.bars.println(line);
    }

    fn recorded(&mut self, at: Timestamp, record: &Record) {
        let style = self.style;
        let text = words::record(record);
        match record {
            Record::StepStarted { step, .. } => self.begin(step, at, false),
            Record::UndoStarted { step, .. } => self.begin(step, at, true),
            Record::Succeeded { step, .. } => {
                let text = text.filter(|text| text != "done").unwrap_or_default();
                let text = text.strip_prefix("done: ").unwrap_or(&text);
                self.end(step, at, &style.good("✔"), text);
            }
            Record::Failed { step, .. } | Record::UndoFailed { step, .. } => {
                self.end(step, at, &style.bad("✘"), &style.bad(&text.unwrap_or_default()));
            }
            Record::ApprovalAsked { step, .. } => {
                self.end(step, at, &style.warn("?"), &text.unwrap_or_default());
            }
            Record::Undone { step, .. } | Record::Left { step, .. } => {
                self.end(step, at, &style.warn("↩"), &text.unwrap_or_default());
            }
            Record::Observed { .. } => {}
            _ => {
                if let Some(text) = text {
                    let step = record.step().map(|s| style.bold(s) + "  ").unwrap_or_default();
                    self.print(&format!("{} {step}{text}", style.dim("·")));
                }
            }
        }
    }
}

impl Report for Terminal {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Recorded(record) => self.recorded(event.at, record),
            EventKind::Looked(look) => {
                let style = self.style;
                if let Some(live) = self.live.get_mut(&look.step) {
                    live.look = Some((event.at, look.clone()));
                    Self::draw(&look.step, live, event.at, style);
                }
            }
            EventKind::Warned { step, warning } => {
                let step = step.as_ref().map(|s| self.style.bold(s) + "  ").unwrap_or_default();
                let mark = self.style.warn("!");
                self.print(&format!("{mark} {step}{}", words::escape(warning)));
            }
        }
    }

    fn tick(&mut self, now: Timestamp) {
        for (step, live) in &self.live {
            Self::draw(step, live, now, self.style);
        }
    }

    fn say(&mut self, line: &str) {
        self.print(line);
    }

    fn close(&mut self) {
        for (_, live) in self.live.drain() {
            live.bar.finish_and_clear();
        }
    }
}
