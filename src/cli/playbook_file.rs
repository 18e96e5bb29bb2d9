//! Files a person names: playbooks and inputs.

use std::io::Read;
use std::path::Path;

use super::args::PlaybookArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use crate::plan::{Catalog, GivenInputs, Plan, compile};
use crate::playbook::{Diagnostics, Source};

/// Files above this are refused before they are read; the reader's own limit is lower and words it.
const MOST_BYTES: u64 = 2 * 1024 * 1024;

/// Reads a file as source text.
///
/// # Errors
/// `InvalidPlaybook` if it cannot be read or is not text.
pub(crate) fn read(path: &Path, output: Output) -> Result<Source, CommandError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        CommandError::new(Exit::InvalidPlaybook, format!("{name}: the file cannot be read"))
            .because(error.to_string())
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_dir() {
        return Err(CommandError::new(Exit::InvalidPlaybook, format!("{name}: is a directory")));
    }
    if meta.len() > MOST_BYTES {
        return Err(invalid(&Source::too_large(&name, meta.len()), output));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Source::from_bytes(name, bytes).map_err(|problems| invalid(&problems, output))
}

/// All problems of a file, rendered.
pub(crate) fn invalid(problems: &Diagnostics, output: Output) -> CommandError {
    if output.json {
        output.json(&serde_json::json!({ "event": "invalid", "data": problems.entries() }));
    }
    let mut text = problems.render(output.err_style.color);
    let errors = problems.errors();
    let plural = if errors == 1 { "problem" } else { "problems" };
    text += &format!("\n{errors} {plural}; nothing was called or changed\n");
    CommandError::rendered(Exit::InvalidPlaybook, text)
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
