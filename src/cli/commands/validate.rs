//! `orchestrate validate`.

use std::path::PathBuf;

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file::{invalid, read};
use crate::plan::check;
use crate::steps::catalog;

/// Checks every file; all problems of all files are shown.
pub(super) fn run(playbooks: &[PathBuf], output: Output) -> Result<Exit, CommandError> {
    let catalog = catalog();
    let mut exit = Exit::Done;
    for path in playbooks {
        let problems = read(path, output).and_then(|source| {
            let (_, problems) = check(&source, &catalog);
            if problems.has_errors() { Err(invalid(&problems, output)) } else { Ok(problems) }
        });
        match problems {
            Ok(problems) => {
                if !problems.is_empty() {
                    output.complain(&problems.render(output.err_style.color));
                }
                output.say(&format!("{}: ok", path.display()));
                output.json(&serde_json::json!({ "event": "valid", "data": { "file": path } }));
            }
            Err(error) => {
                if !error.is_rendered() {
                    output.json(&error.json());
                }
                output.complain(&error.render(output.err_style));
                exit = error.exit;
            }
        }
    }
    Ok(exit)
}
