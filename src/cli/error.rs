//! What a command tells when it cannot do what was asked.

use super::exit::Exit;
use crate::engine::journal::JournalError;
use crate::engine::{Class, Failure};
use crate::report::{Style, escape};

/// One clear message, its causes, what to do, and the exit code.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// The code the process ends with.
    pub(crate) exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    /// Already rendered (diagnostics with positions); printed as it stands.
    rendered: bool,
}

impl CommandError {
    /// A message with the exit code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            rendered: false,
        }
    }

    /// Text that is already laid out.
    pub(crate) fn rendered(exit: Exit, text: String) -> Self {
        Self { rendered: true, ..Self::new(exit, text) }
    }

    /// Adds a cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// A failure met before anything was changed.
    pub(crate) fn refused(failure: Failure) -> Self {
        let exit = if failure.class == Class::Journal { Exit::State } else { Exit::Refused };
        let mut error = Self::new(exit, failure.message);
        error.causes = failure.causes;
        error.hints.extend(failure.mend);
        error
    }

    /// A state directory or journal that cannot be used; `what` was attempted.
    pub(crate) fn state(what: &str, error: &JournalError) -> Self {
        let held = matches!(
            error,
            JournalError::Locked | JournalError::Held { .. } | JournalError::Lost { .. }
        );
        let exit = if held { Exit::Locked } else { Exit::State };
        let command = Self::new(exit, what).because(error.to_string());
        match error {
            JournalError::Locked => command.hint("`orchestrate status` shows what it is doing"),
            JournalError::Damaged { .. } => command.hint(
                "the journal is not used any further; the lines before the damage tell what was done: read them with any JSON tool, and look at the named resources in AWS",
            ),
            JournalError::Foreign { .. } => command.hint(
                "nothing was changed; go on with the version that wrote it, or look at the named resources in AWS and change them by hand",
            ),
            JournalError::Empty(_) => command.hint(
                "nothing was changed in AWS by it; `orchestrate runs` lists the others, and its folder can be removed",
            ),
            JournalError::Held { .. } => command.hint(
                "`orchestrate status` shows what it is doing; if that process is dead for certain, wait until its lease ends, or `orchestrate unlock`",
            ),
            JournalError::Lost { .. } => command.hint("`orchestrate status` shows what it is doing"),
            JournalError::Store(Failure { mend: Some(mend), .. }) => command.hint(mend.clone()),
            JournalError::Lapsed(_)
            | JournalError::Store(_)
            | JournalError::Io(_)
            | JournalError::Dead => command,
        }
    }

    /// The text to print.
    #[must_use]
    pub(crate) fn render(&self, style: Style) -> String {
        if self.rendered {
            return self.message.clone();
        }
        let mut out = format!("{} {}\n", style.bad("error:"), escape(&self.message));
        for cause in &self.causes {
            out += &format!("  because: {}\n", escape(cause));
        }
        for hint in &self.hints {
            out += &format!("  {} {}\n", style.bold("to mend:"), escape(hint));
        }
        out
    }

    /// Message and causes in one line, for a command that goes on without what failed.
    pub(crate) fn in_a_line(&self) -> String {
        std::iter::once(&self.message).chain(&self.causes).cloned().collect::<Vec<_>>().join(": ")
    }

    /// The same for machines.
    #[must_use]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "event": "error", "data": {
            "exit_code": self.exit as u8, "message": self.message, "causes": self.causes, "hints": self.hints,
        }})
    }
}
