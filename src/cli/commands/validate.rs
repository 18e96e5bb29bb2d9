//! `orchestrate validate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::args::ValidateFormat;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file::{Unread, load, load_stdin, refusal, tell, unreadable};
use crate::cli::saved::Saved;
use crate::plan::{Catalog, check};
use crate::playbook::{Diagnostics, Source};
use crate::report::SarifLog;
use crate::steps::catalog;

/// Checks every file; all problems of all files are shown.
pub(super) fn run(
    playbooks: &[PathBuf],
    format: Option<ValidateFormat>,
    output: Output,
) -> Result<Exit, CommandError> {
    let checked = each(playbooks, &catalog());
    let wrong =
        checked.iter().any(|file| file.outcome.as_ref().map_or(true, Diagnostics::has_errors));
    let exit = if wrong { Exit::InvalidPlaybook } else { Exit::Done };
    match format {
        Some(ValidateFormat::Sarif) => {
            let mut log = SarifLog::new();
            for Checked { name, outcome } in &checked {
                match outcome {
                    Ok(problems) => log.file(name, problems),
                    Err(error) => log.unread(name, &error.in_a_line()),
                }
            }
            log.exit(exit as u8);
            let text = serde_json::to_string_pretty(&log).map_err(|error| {
                CommandError::new(Exit::Bug, "the SARIF log cannot be written")
                    .because(error.to_string())
            })?;
            output.say(&text);
        }
        None => checked.iter().for_each(|file| file.show(output)),
    }
    Ok(exit)
}

/// A file as it was named, and what is wrong with it; or why it could not be read.
struct Checked {
    name: String,
    outcome: Result<Diagnostics, CommandError>,
}

impl Checked {
    fn show(&self, output: Output) {
        match &self.outcome {
            Ok(problems) => {
                tell(problems, output);
                if problems.has_errors() {
                    output.complain(&refusal(problems, output));
                    return;
                }
                if !problems.is_empty() {
                    output.complain(&format!("{}\n", problems.render(output.err_style.color)));
                }
                output.say(&format!("{}: ok", self.name));
            }
            Err(error) => {
                let mut told = error.json();
                told["data"]["file"] = self.name.as_str().into();
                output.json(&told);
                output.complain(&error.render(output.err_style));
            }
        }
    }
}

/// Each file once, however often and by whatever path it is named.
fn each(playbooks: &[PathBuf], catalog: &Catalog) -> Vec<Checked> {
    let mut seen = BTreeSet::new();
    let mut checked = Vec::new();
    for path in playbooks {
        let files = match files(path) {
            Ok(files) => files,
            Err(why) => {
                let name = path.display().to_string();
                checked.push(Checked { outcome: Err(unreadable(&name, &why)), name });
                continue;
            }
        };
        for file in files {
            if seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                checked.push(one(&file, catalog));
            }
        }
    }
    checked
}

/// A directory stands for the YAML files in it; not for those further down, which may be anybody's.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unread = |error: std::io::Error| format!("the directory cannot be read: {error}");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unread)? {
        let file = entry.map_err(unread)?.path();
        let yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err("this directory holds no file that ends in .yaml or .yml".to_owned());
    }
    files.sort();
    Ok(files)
}

fn one(path: &Path, catalog: &Catalog) -> Checked {
    let read = if path == Path::new("-") { load_stdin() } else { load(path) };
    match read {
        // A kept plan is no playbook, and may be handed to `migrate` all the same.
        Ok(source) => match Saved::read(source.name(), source.text()) {
            Ok(Some(_)) => {
                Checked { name: source.name().to_owned(), outcome: Ok(Diagnostics::new(source)) }
            }
            Err(refusal) => Checked { name: source.name().to_owned(), outcome: Err(refusal) },
            Ok(None) => playbook(source, catalog),
        },
        Err(Unread::Text(problems)) => {
            Checked { name: problems.source().name().to_owned(), outcome: Ok(problems) }
        }
        Err(Unread::File { name, why }) => Checked { outcome: Err(unreadable(&name, &why)), name },
    }
}

fn playbook(source: Source, catalog: &Catalog) -> Checked {
    let (_, problems) = check(&source, catalog);
    Checked { name: source.name().to_owned(), outcome: Ok(problems) }
}
