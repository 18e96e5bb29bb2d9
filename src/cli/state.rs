//! Where runs are kept, as the command line and the environment say.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use etcetera::BaseStrategy;

use super::account;
use super::drive::myself;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use crate::engine::journal::{Entry, JournalError, Record};
use crate::engine::{Clock, RunId, RunState};
use crate::report::{Place, duration};
use crate::state::{
    Bucket, BucketObjects, Directory, Holder, LeaseTerms, Opened, Remote, Store, Who,
};

/// How often somebody who waits for a lease to end looks at it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// All runs in one place.
pub(crate) struct Runs {
    store: Box<dyn Store>,
    /// The flag that named the place, as it has to be typed again.
    flags: String,
    /// The clock of leases and commands: the machine's, also when a run is hurried in a sandbox.
    pub(crate) clock: Clock,
    /// How often a process looks at what is asked of its run.
    pub(crate) rhythm: Duration,
}

/// A run as its journal tells it.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its state.
    pub(crate) state: RunState,
    /// Its journal.
    pub(crate) place: String,
    /// The process that works on it right now.
    pub(crate) holder: Option<Holder>,
}

impl Known {
    /// Whether a process works on it right now.
    pub(crate) fn alive(&self) -> bool {
        self.holder.is_some()
    }
}

/// Where runs are kept, as somebody said it.
enum Said {
    Directory(PathBuf),
    Bucket(Bucket),
}

impl Runs {
    /// `--state`, else `--state-dir`, else `ORCHESTRATE_STATE`, else `ORCHESTRATE_STATE_DIR`, else the XDG state directory.
    ///
    /// # Errors
    /// `State` if there is no home directory either; `Usage` if the place cannot be understood; `Refused` without a region.
    pub(crate) async fn at(
        state: Option<String>,
        state_dir: Option<PathBuf>,
    ) -> Result<Self, CommandError> {
        let quoted = |flag: &str, value: &str| format!(" {flag} '{value}'");
        if let Some(given) = state {
            let flags = quoted("--state", &given);
            return Self::new(understood("--state", &given)?, flags).await;
        }
        if let Some(dir) = state_dir.filter(|dir| !dir.as_os_str().is_empty()) {
            let flags = quoted("--state-dir", &dir.display().to_string());
            return Self::new(Said::Directory(dir), flags).await;
        }
        let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(given) = env("ORCHESTRATE_STATE") {
            let said = understood("ORCHESTRATE_STATE", &given.to_string_lossy())?;
            return Self::new(said, String::new()).await;
        }
        if let Some(dir) = env("ORCHESTRATE_STATE_DIR") {
            return Self::new(Said::Directory(dir.into()), String::new()).await;
        }
        let strategy = etcetera::choose_base_strategy().map_err(|error| {
            CommandError::new(Exit::State, "there is no place for journals")
                .because(error.to_string())
                .hint("set ORCHESTRATE_STATE, or pass --state")
        })?;
        let base = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        Self::new(Said::Directory(base.join("orchestrate")), String::new()).await
    }

    /// The bucket that `at` would use, if it is one, without connecting to it.
    ///
    /// # Errors
    /// `Usage` if the place cannot be understood.
    pub(crate) fn bucket(
        state: Option<&str>,
        state_dir: Option<&PathBuf>,
    ) -> Result<Option<Bucket>, CommandError> {
        let said = match (state, state_dir) {
            (Some(given), _) => understood("--state", given)?,
            (None, Some(_)) => return Ok(None),
            (None, None) => {
                let env = std::env::var("ORCHESTRATE_STATE").ok().filter(|v| !v.is_empty());
                let Some(given) = env else { return Ok(None) };
                understood("ORCHESTRATE_STATE", &given)?
            }
        };
        Ok(match said {
            Said::Bucket(bucket) => Some(bucket),
            Said::Directory(_) => None,
        })
    }

    async fn new(said: Said, flags: String) -> Result<Self, CommandError> {
        let clock = account::clock();
        let (store, rhythm): (Box<dyn Store>, _) = match said {
            Said::Directory(root) => (Box::new(Directory::new(root)), Duration::from_millis(500)),
            Said::Bucket(bucket) => {
                let terms = terms()?;
                let (clients, _) = account::reading(bucket.region.clone()).await?;
                let objects = Rc::new(BucketObjects::new(clients, bucket));
                let store = Remote::new(objects, clock.clone(), who(), terms);
                (Box::new(store), (terms.length / 6).min(Duration::from_secs(5)))
            }
        };
        Ok(Self { store, flags, clock, rhythm })
    }

    /// Runs in a place that somebody else has made.
    #[cfg(test)]
    pub(crate) fn over(store: Box<dyn Store>, clock: Clock) -> Self {
        Self { store, flags: String::new(), clock, rhythm: Duration::from_secs(5) }
    }

    /// The place itself.
    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Where a run is kept, and how commands find it again.
    #[must_use]
    pub(crate) fn place(&self, run: &RunId) -> Place {
        Place { journal: self.store.journal(run), flags: self.flags.clone() }
    }

    /// A command about a run, as it has to be typed.
    pub(crate) fn typed(&self, command: &str, run: &RunId) -> String {
        format!("orchestrate {command} {run}{}", self.flags)
    }

    /// The flag that named the place, as it has to be typed again.
    pub(crate) fn flags(&self) -> &str {
        &self.flags
    }

    /// Takes a new run.
    ///
    /// # Errors
    /// `State` if its journal cannot be made; nothing has been changed then.
    pub(crate) async fn create(&self, run: &RunId) -> Result<Opened, CommandError> {
        self.store.create(run).await.map_err(|error| {
            CommandError::state("the run was not begun: its journal cannot be written", &error)
                .hint(
                    "nothing was changed in AWS; --state or ORCHESTRATE_STATE names another place",
                )
        })
    }

    /// The ids of all runs, oldest first.
    ///
    /// # Errors
    /// `State` if they cannot be listed.
    pub(crate) async fn ids(&self) -> Result<Vec<RunId>, CommandError> {
        let ids = self.store.runs().await;
        ids.map_err(|error| CommandError::state("the runs cannot be listed", &error))
    }

    /// The run a person means: an id, the beginning of one, or the latest run if they named none.
    ///
    /// # Errors
    /// `Usage` if nothing or more than one run fits.
    pub(crate) async fn find(&self, given: Option<&str>) -> Result<RunId, CommandError> {
        let ids = self.ids().await?;
        let Some(given) = given else {
            return ids.last().cloned().ok_or_else(|| {
                CommandError::new(Exit::Usage, "there are no runs yet")
                    .because(format!("nothing under {}", self.store.root()))
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
    pub(crate) async fn load(&self, run: &RunId) -> Result<Known, CommandError> {
        let loaded =
            self.store.load(run).await.map_err(|error| {
                CommandError::state(&format!("run {run} cannot be read"), &error)
            })?;
        let state = replayed(run, &loaded.entries)?;
        Ok(Known { state, place: self.store.journal(run), holder: loaded.holder })
    }

    /// Takes a run up. Waits for the lease of a process that does not renew it any more.
    ///
    /// # Errors
    /// `Locked` if another process has it; `State` if it does not read back.
    pub(crate) async fn open(&self, run: &RunId, output: Output) -> Result<Opened, CommandError> {
        let mut before: Option<Duration> = None;
        let mut limit = Duration::ZERO;
        let watch = self.clock.stopwatch();
        loop {
            let error = match self.store.open(run).await {
                Ok(opened) => return Ok(opened),
                Err(error) => error,
            };
            let cannot = || CommandError::state(&format!("run {run} cannot be taken up"), &error);
            let JournalError::Held { holder, ends_in } = &error else { return Err(cannot()) };
            if before.is_none() {
                limit = *ends_in;
            }
            match before {
                None => output.complain(&format!(
                    "{holder} has run {run}, and may be at work or dead: waiting up to {} to see whether its lease is renewed\n",
                    duration(*ends_in)
                )),
                // What is left grows only by a renewal.
                Some(left) if *ends_in > left || watch.elapsed() > limit => return Err(cannot()),
                Some(_) => {}
            }
            before = Some(*ends_in);
            self.clock.sleep(LOOK_AGAIN).await;
        }
    }
}

/// The state that entries make.
///
/// # Errors
/// `State` if they contradict themselves.
pub(crate) fn replayed(run: &RunId, entries: &[Entry]) -> Result<RunState, CommandError> {
    RunState::replay(entries).map_err(|error| {
        CommandError::new(Exit::State, format!("the journal of run {run} contradicts itself"))
            .because(error.to_string())
    })
}

/// The number of the last entry that was written before this process took the run over.
pub(crate) fn last_of_others(entries: &[Entry]) -> u64 {
    let own = |entry: &&Entry| matches!(entry.record, Record::TakenOver { .. });
    entries.len() as u64 - entries.iter().rev().take_while(own).count() as u64
}

fn understood(name: &str, given: &str) -> Result<Said, CommandError> {
    let wrong = |why: String| {
        CommandError::new(Exit::Usage, format!("{name} \"{given}\" names no place for runs"))
            .because(why)
            .hint("write a directory, or s3://<bucket>/<prefix>; docs/state.md has more")
    };
    if given.starts_with("s3://") {
        return Bucket::parse(given).map(Said::Bucket).map_err(wrong);
    }
    if given.contains("://") {
        return Err(wrong("only s3:// is understood".to_owned()));
    }
    Ok(Said::Directory(given.into()))
}

/// This process, among all that may take a run.
fn who() -> Who {
    use rand::RngExt;
    let token: u64 = rand::rng().random();
    Who {
        name: format!("{} (process {})", myself(), std::process::id()),
        token: format!("{token:016x}"),
    }
}

/// A minute, or what `ORCHESTRATE_LEASE_SECONDS` says.
fn terms() -> Result<LeaseTerms, CommandError> {
    let Some(given) = std::env::var("ORCHESTRATE_LEASE_SECONDS").ok().filter(|v| !v.is_empty())
    else {
        return Ok(LeaseTerms::default());
    };
    match given.parse::<u64>() {
        Ok(seconds @ 4..=3600) => Ok(LeaseTerms { length: Duration::from_secs(seconds) }),
        _ => Err(CommandError::new(
            Exit::Usage,
            format!("ORCHESTRATE_LEASE_SECONDS \"{given}\" is not a number from 4 to 3600"),
        )),
    }
}
