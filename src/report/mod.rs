//! Events → terminal, plain lines, JSON. Functions of events and of the state they make, so that any run can be shown
//! again from its journal.

mod advice;
mod cost;
mod guards;
mod json;
mod lines;
mod next;
mod plan;
mod sarif;
mod status;
mod style;
mod summary;
mod terminal;
mod undoing;
mod words;

use jiff::Timestamp;

use crate::engine::Event;

pub use advice::{AdviceView, render_advice};
pub use cost::{render_comparison, render_plan_cost};
pub use guards::guard_words;
pub use json::Json;
pub use lines::Lines;
pub use next::{NextCommand, Place, next_commands};
pub use plan::{PlanView, StepView, TouchView, render_findings, render_longer, render_plan};
pub use sarif::Log as SarifLog;
pub use status::{render_run_line, render_status};
pub use style::Style;
pub use summary::{render_summary, writes};
pub use terminal::Terminal;
pub use undoing::undoing;
pub use words::{counted, duration, escape, instant};

/// Shows a run while it happens.
pub trait Report {
    /// Takes the next event.
    fn event(&mut self, event: &Event);

    /// Time has passed and nothing happened: counters may move.
    fn tick(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Something the program itself has to say while the run goes on.
    fn say(&mut self, line: &str);

    /// Nothing more will come: leaves the screen in order.
    fn close(&mut self) {}
}
