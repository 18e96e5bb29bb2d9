//! Files a person names: playbooks and inputs.

use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::args::PlaybookArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use crate::plan::{Catalog, GivenInputs, Plan, compile};
use crate::playbook::{Diagnostics, Source};

/// Files above this are refused before they are read; the reader's own limit is lower and words it.
const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// Why a file is no source text.
pub(crate) enum Unread {
    /// It cannot be read: what it is called, and why.
    File { name: String, why: String },
    /// It was read, and no playbook can look like that.
    Text(Diagnostics),
}

/// Reads a file as source text.
///
/// # Errors
/// `InvalidPlaybook` if it cannot be read or is not text.
pub(crate) fn read(path: &Path, output: Output) -> Result<Source, CommandError> {
    load(path).map_err(|unread| match unread {
        Unread::File { name, why } => unreadable(&name, &why),
        Unread::Text(problems) => invalid(&problems, output),
    })
}

/// The same, for who tells it in another way.
pub(crate) fn load(path: &Path) -> Result<Source, Unread> {
    let name = path.display().to_string();
    let unread = |error: std::io::Error| Unread::File {
        name: path.display().to_string(),
        why: format!("the file cannot be read: {error}"),
    };
    let file = std::fs::File::open(path).map_err(unread)?;
    let meta = file.metadata().map_err(unread)?;
    if meta.is_dir() {
        return Err(Unread::File { name, why: "is a directory".to_owned() });
    }
    if meta.len() > MOST_BYTES {
        return Err(Unread::Text(Source::too_large(&name, meta.len())));
    }
    from(name, file)
}

/// Reads what comes from standard input.
pub(crate) fn load_stdin() -> Result<Source, Unread> {
    from("<stdin>".to_owned(), std::io::stdin().lock())
}

fn from(name: String, from: impl Read) -> Result<Source, Unread> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(MOST_BYTES + 1).read_to_end(&mut bytes) {
        return Err(Unread::File { name, why: format!("it cannot be read: {error}") });
    }
    Source::from_bytes(name, bytes).map_err(Unread::Text)
}

/// The refusal of a file that cannot be read.
pub(crate) fn unreadable(name: &str, why: &str) -> CommandError {
    CommandError::new(Exit::InvalidPlaybook, format!("{name}: {why}"))
}

/// All problems of a file, rendered.
pub(crate) fn invalid(problems: &Diagnostics, output: Output) -> CommandError {
    tell(problems, output);
    CommandError::rendered(Exit::InvalidPlaybook, refusal(problems, output))
}

/// For people: every problem, and how many must be mended.
pub(crate) fn refusal(problems: &Diagnostics, output: Output) -> String {
    let text = problems.render(output.err_style.color);
    let errors = problems.errors();
    let plural = if errors == 1 { "problem" } else { "problems" };
    format!("{text}\n{errors} {plural}; nothing was called or changed\n")
}

/// For machines: each problem, and then what becomes of the file.
pub(crate) fn tell(problems: &Diagnostics, output: Output) {
    for entry in problems.entries() {
        output.json(&json!({ "event": "diagnostic", "data": entry }));
    }
    let errors = problems.errors();
    let event = if errors == 0 { "valid" } else { "invalid" };
    output.json(&json!({ "event": event, "data": {
        "file": problems.source().name(), "errors": errors, "warnings": problems.items().len() - errors,
    }}));
}

/// Compiles a playbook. `outputs` of an earlier run fill inputs that are not given.
///
/// # Errors
/// `InvalidPlaybook` with every problem.
pub(crate) fn plan(
    args: &PlaybookArgs,
    source: &Source,
    catalog: &Catalog,
    outputs: Option<serde_json::Map<String, serde_json::Value>>,
    output: Output,
) -> Result<Plan, CommandError> {
    let file = args.inputs.as_deref().map(|path| read(path, output)).transpose()?;
    let given =
        GivenInputs { arguments: args.input.clone(), file, earlier: outputs.unwrap_or_default() };
    compile(source, catalog, &given).map_err(|problems| invalid(&problems, output))
}
