//! `orchestrate resume`, and what it shares with `rollback`.

use std::path::PathBuf;
use std::rc::Rc;

use super::steer::{self, lift};
use crate::cli::account::{Aws, Connect};
use crate::cli::claims::Clusters;
use crate::cli::drive::{Beginning, Manner, drive, myself};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::{Runs, last_of_others, replayed};
use crate::engine::journal::{Record, Rest};
use crate::engine::{Header, RunId, RunState};
use crate::report::render_status;
use crate::state::Opened;

pub(super) async fn run(
    given: Option<&str>,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let id = runs.find(given).await?;
    let known = runs.load(&id).await?;
    if known.alive() && steer::go_on(&id, &known, &runs, output).await? {
        return Ok(Exit::Done);
    }
    if let Err(error) = permit(&known.state) {
        output.say(&render_status(&known.state, &runs.place(&id), known.alive(), output.style));
        return Err(error);
    }
    take_up(&id, |state, _| permit(state), &runs, ca, output).await
}

/// What to add to the journal to go on with the run, or why there is nothing to go on with.
pub(in crate::cli) fn permit(state: &RunState) -> Result<Vec<Record>, CommandError> {
    let done = match &state.rest {
        Some(Rest::Succeeded) => "it has succeeded already",
        Some(Rest::RolledBack | Rest::Cancelled) => "it has been rolled back already",
        _ => return Ok(vec![Record::Resumed { by: myself() }]),
    };
    let run = &state.header.run;
    Err(CommandError::new(Exit::Locked, format!("there is nothing to resume in run {run}: {done}")))
}

/// Locks the run, connects to the account it began in, adds what `permit` says, and goes on. `permit` sees the run as it
/// is under the lock, and the number of the last record that another process wrote: what was read before may be out of
/// date.
pub(super) async fn take_up(
    id: &RunId,
    permit: impl FnOnce(&RunState, u64) -> Result<Vec<Record>, CommandError>,
    runs: &Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let opened = runs.open(id, output).await?;
    let lease = Rc::clone(&opened.lease);
    let way = Way { connect: &Aws { ca }, manner: &Manner::Alone, lifts: true };
    let done = go_on(id, permit, runs, opened, &way, output).await;
    // If this fails it ends by itself.
    let _ = lease.release().await;
    done
}

/// How a run is gone on with.
pub(in crate::cli) struct Way<'a> {
    /// What connects to its account.
    pub(in crate::cli) connect: &'a dyn Connect,
    /// Who watches.
    pub(in crate::cli) manner: &'a Manner,
    /// Whether pauses and holds are lifted, as a person does who takes it up.
    pub(in crate::cli) lifts: bool,
}

/// Goes on with a run that this process has taken.
pub(in crate::cli) async fn go_on(
    id: &RunId,
    permit: impl FnOnce(&RunState, u64) -> Result<Vec<Record>, CommandError>,
    runs: &Runs,
    mut opened: Opened,
    way: &Way<'_>,
    output: Output,
) -> Result<Exit, CommandError> {
    let entries = std::mem::take(&mut opened.entries);
    let state = replayed(id, &entries)?;
    still_there(&state)?;
    let more = permit(&state, last_of_others(&entries))?;
    let account = way.connect.connect(&state.plan).await.map_err(|error| {
        let Header { account, region, .. } = &state.header;
        error.hint(format!("run {id} works in account {account}, region {region}"))
    })?;
    let (here, there) = (&account.identity, &state.header);
    if here.account != there.account || here.region != there.region {
        return Err(CommandError::new(
            Exit::Refused,
            format!("run {id} began in account {}, region {}", there.account, there.region),
        )
        .because(format!(
            "these credentials are for account {}, region {}",
            here.account, here.region
        ))
        .hint("use credentials and region of the account the run began in; nothing was changed"));
    }
    account.not_halted(&state.plan).await?;
    // Also that of a run which had finished, and is undone now.
    Clusters::of(&state.plan, &account).claim(id, runs).await?;
    if way.lifts {
        lift(id, runs, false).await?;
    }
    let beginning = Beginning::Known(entries, more);
    drive(&account, opened, runs, beginning, way.manner, output).await
}

/// Refuses a run whose sandbox ended with its process.
pub(super) fn still_there(state: &RunState) -> Result<(), CommandError> {
    if !state.header.embedded {
        return Ok(());
    }
    let run = &state.header.run;
    Err(CommandError::new(
        Exit::Locked,
        format!("run {run} ran in a sandbox inside its own process"),
    )
    .because("that sandbox ended with the process; nothing of it is left to go on with or to undo")
    .hint("to stop and resume runs, serve one with `orchestrate sandbox`"))
}
