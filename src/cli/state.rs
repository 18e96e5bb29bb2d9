//! The state directory: one folder a run, its journal inside.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::error::CommandError;
use super::exit::Exit;
use crate::engine::journal::{FileJournal, JournalError, read};
use crate::engine::{RunId, RunState};
use crate::report::Place;

/// All runs of this user.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    root: PathBuf,
    /// The folder as `--state-dir` gave it: a command typed later needs the flag again.
    flag: Option<PathBuf>,
}

/// A run as its journal tells it.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its state.
    pub(crate) state: RunState,
    /// Its journal.
    pub(crate) path: PathBuf,
    /// Whether a process works on it right now.
    pub(crate) alive: bool,
}

impl Runs {
    /// `--state-dir`, else `ORCHESTRATE_STATE_DIR`, else the XDG state directory.
    ///
    /// # Errors
    /// `State` if there is no home directory either.
    pub(crate) fn at(given: Option<PathBuf>) -> Result<Self, CommandError> {
        let from_env = || std::env::var_os("ORCHESTRATE_STATE_DIR").map(PathBuf::from);
        let flag = given.clone();
        if let Some(root) = given.or_else(from_env).filter(|p| !p.as_os_str().is_empty()) {
            return Ok(Self { root, flag });
        }
        let strategy = etcetera::choose_base_strategy().map_err(|error| {
            CommandError::new(Exit::State, "there is no place for journals")
                .because(error.to_string())
                .hint("set ORCHESTRATE_STATE_DIR, or pass --state-dir")
        })?;
        let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Ok(Self { root: base.join("orchestrate"), flag })
    }

    /// Where a run is kept, and how commands find it again.
    #[must_use]
    pub(crate) fn place(&self, run: &RunId) -> Place {
        let quoted = |dir: &PathBuf| format!(" --state-dir '{}'", dir.display());
        Place {
            journal: self.journal(run).display().to_string(),
            flags: self.flag.as_ref().map(quoted).unwrap_or_default(),
        }
    }

    /// Where a run's journal lies.
    #[must_use]
    pub(crate) fn journal(&self, run: &RunId) -> PathBuf {
        self.root.join("runs").join(run.as_str()).join("journal.jsonl")
    }

    /// Creates the journal of a new run.
    ///
    /// # Errors
    /// `State` if it cannot be made; nothing has been changed then.
    pub(crate) fn create(&self, run: &RunId) -> Result<FileJournal, CommandError> {
        FileJournal::create(&self.journal(run)).map_err(|error| {
            CommandError::state("the run was not begun: its journal cannot be written", &error)
                .hint("nothing was changed in AWS; choose another place with --state-dir or ORCHESTRATE_STATE_DIR")
        })
    }

    /// The ids of all runs, oldest first.
    ///
    /// # Errors
    /// `State` if the folder cannot be listed.
    pub(crate) fn ids(&self) -> Result<Vec<RunId>, CommandError> {
        let folder = self.root.join("runs");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(CommandError::new(Exit::State, "the runs cannot be listed")
                    .because(format!("{}: {error}", folder.display())));
            }
        };
        let mut ids: Vec<RunId> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        ids.sort();
        Ok(ids)
    }

    /// The run a person means: an id, the beginning of one, or the latest run if they named none.
    ///
    /// # Errors
    /// `Usage` if nothing or more than one run fits.
    pub(crate) fn find(&self, given: Option<&str>) -> Result<RunId, CommandError> {
        let ids = self.ids()?;
        let Some(given) = given else {
            return ids.last().cloned().ok_or_else(|| {
                CommandError::new(Exit::Usage, "there are no runs yet")
                    .because(format!("nothing under {}", self.root.display()))
            });
        };
        let given = given.to_ascii_lowercase();
        let fits: Vec<&RunId> = ids.iter().filter(|id| id.as_str().starts_with(&given)).collect();
        match fits[..] {
            [id] => Ok(id.clone()),
            [] => Err(CommandError::new(Exit::Usage, format!("there is no run \"{given}\""))
                .hint("`orchestrate runs` lists them")),
            _ => {
                Err(CommandError::new(Exit::Usage, format!("\"{given}\" fits {} runs", fits.len()))
                    .hint("type more of the id; `orchestrate runs` lists them"))
            }
        }
    }

    /// Reads a run without locking it.
    ///
    /// # Errors
    /// `State` if its journal does not read back.
    pub(crate) fn load(&self, run: &RunId) -> Result<Known, CommandError> {
        let path = self.journal(run);
        let reading = read(&path).map_err(|e| {
            CommandError::state(&format!("run {run} cannot be read"), &never(e, &path))
        })?;
        let state = RunState::replay(&reading.entries).map_err(|error| {
            CommandError::new(Exit::State, format!("the journal of run {run} contradicts itself"))
                .because(error.to_string())
        })?;
        let alive = is_locked(&path);
        Ok(Known { state, path, alive })
    }

    /// Takes a run up: locks its journal.
    ///
    /// # Errors
    /// `Locked` if another process has it; `State` if it does not read back.
    pub(crate) fn open(
        &self,
        run: &RunId,
    ) -> Result<(FileJournal, Vec<crate::engine::journal::Entry>), CommandError> {
        let path = self.journal(run);
        FileJournal::open(&path).map_err(|error| {
            CommandError::state(&format!("run {run} cannot be taken up"), &never(error, &path))
        })
    }
}

/// A run's folder without a journal is what a process leaves that died between making the two.
fn never(error: JournalError, path: &Path) -> JournalError {
    match error {
        JournalError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            JournalError::Empty(path.to_owned())
        }
        other => other,
    }
}

fn is_locked(path: &Path) -> bool {
    matches!(FileJournal::probe(path), Err(JournalError::Locked))
}
