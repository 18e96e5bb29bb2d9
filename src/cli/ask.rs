//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use super::error::CommandError;
use super::exit::Exit;

/// Whether anybody can answer.
#[must_use]
pub(crate) fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks, and gives the line typed, trimmed. Asking goes to standard error, so that `--json` stays clean.
pub(crate) fn line(question: &str) -> Option<String> {
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} ").and_then(|()| err.flush());
    let mut answer = String::new();
    match std::io::stdin().lock().read_line(&mut answer) {
        Ok(n) if n > 0 => Some(answer.trim().to_owned()),
        _ => None,
    }
}

/// As `line`, but lets everything else in the process go on meanwhile, signals above all: a read in the one thread there
/// is would leave Ctrl-C unheard.
pub(crate) async fn line_meanwhile(question: String) -> Option<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    // Not a task of the runtime, which would wait for the line when it ends.
    std::thread::spawn(move || {
        // Nobody listens any more if the run was stopped instead.
        let _ = tell.send(line(&question));
    });
    told.await.ok().flatten()
}

/// Asks for the word "yes". `--yes` answers it; without a terminal the command is refused.
///
/// # Errors
/// `Usage` if nobody is there to ask; `Refused` if the answer is anything but "yes".
pub(crate) fn yes(question: &str, given: bool) -> Result<(), CommandError> {
    if given {
        return Ok(());
    }
    if !somebody_is_there() {
        return Err(CommandError::new(
            Exit::Usage,
            "this changes AWS, and there is no terminal to ask on",
        )
        .hint("read what would be done, then pass --yes"));
    }
    match line(&format!("{question} Only \"yes\" goes on:")) {
        Some(answer) if answer == "yes" => Ok(()),
        _ => Err(CommandError::new(Exit::Refused, "not confirmed; nothing was changed")),
    }
}
