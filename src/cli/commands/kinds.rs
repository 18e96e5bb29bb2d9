//! `orchestrate steps`.

use crate::cli::document::document;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::steps::all;

/// Lists the kinds, or documents one.
pub(super) fn run(kind: Option<&str>, output: Output) -> Result<Exit, CommandError> {
    let kinds = all();
    let Some(name) = kind else {
        let longest = kinds.iter().map(|kind| kind.info.name.len()).max().unwrap_or_default();
        for kind in &kinds {
            output.say(&format!("{:<longest$}  {}", kind.info.name, kind.info.summary));
            output.json(&serde_json::json!({ "event": "kind", "data": {
                "name": kind.info.name, "summary": kind.info.summary, "actions": kind.permissions.actions,
            }}));
        }
        return Ok(Exit::Done);
    };
    let Some(kind) = kinds.iter().find(|kind| kind.info.name == name) else {
        let near = kinds
            .iter()
            .map(|kind| (strsim::jaro_winkler(kind.info.name, name), kind.info.name))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let error = CommandError::new(Exit::Usage, format!("there is no step kind \"{name}\""));
        return Err(match near {
            Some((likeness, near)) if likeness > 0.7 => error.hint(format!("did you mean {near}?")),
            _ => error.hint("`orchestrate steps` lists them"),
        });
    };
    output.say(&document(kind));
    output.json(&serde_json::json!({ "event": "kind", "data": {
        "name": kind.info.name, "summary": kind.info.summary, "docs": kind.info.docs, "actions": kind.permissions.actions,
        "spec": kind.info.spec_schema, "output": kind.info.output_schema,
    }}));
    Ok(Exit::Done)
}
