//! `orchestrate migrate` and `orchestrate run`.

use std::path::PathBuf;

use super::plan::{Intended, at_home, connect, intended, preflight, unchanged};
use crate::cli::account::Account;
use crate::cli::args::RunArgs;
use crate::cli::ask;
use crate::cli::drive::{Beginning, drive, myself};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::cli::view::{needs, plan_writes};
use crate::cost::Prices;
use crate::engine::journal::{Record, Rest};
use crate::engine::{RunId, Verdict};
use crate::plan::{Plan, Writes};
use crate::report::counted;
use crate::steps::{Need, all};

pub(super) async fn run(
    args: RunArgs,
    migrate: bool,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let Intended { plan, saved } = intended(&args.playbook, embedded(&args), &runs, output)?;
    if migrate && !plan.has_pivot() {
        return Err(CommandError::new(
            Exit::Usage,
            "this playbook moves no application: no step of it is a pivot",
        )
        .hint("use `orchestrate run` for it"));
    }
    let account = connect(&plan, embedded(&args), ca, output).await?;
    at_home(saved.as_ref(), &account.identity)?;
    let findings = preflight(&plan, &account, &Prices::built_in(), output).await;
    let fails = findings
        .iter()
        .flat_map(|(_, found)| found)
        .filter(|finding| finding.verdict == Verdict::WillFail)
        .count();
    if fails > 0 {
        account.close().await;
        return Err(CommandError::new(
            Exit::Refused,
            format!("{} would fail; nothing was changed", counted(fails, "check")),
        )
        .hint("mend what is listed above, then run the same command again"));
    }
    if let Some(saved) = &saved
        && let Err(changed) = unchanged(saved, &findings)
    {
        account.close().await;
        return Err(changed);
    }
    // `run` is for runbooks, which are asked about too when they change anything.
    if plan.steps().any(|step| step.effect.mutates()) && !account.is_embedded() {
        let writes = plan_writes(&plan).map(|writes| format!("Writes: {writes}.\n"));
        ask::yes(&format!("{}Carry this plan out?", writes.unwrap_or_default()), args.yes)?;
    }
    let exit = match alone(&plan, &account, &runs) {
        Ok(()) => begin(&plan, &account, &runs, output).await,
        Err(error) => Err(error),
    };
    account.close().await;
    exit
}

/// Refuses a run that relies on writes being stopped where another run of this user has stopped them and is not finished:
/// that one may give the right to write back at any moment, and this one would promise that no write is lost.
fn alone(plan: &Plan, account: &Account, runs: &Runs) -> Result<(), CommandError> {
    if account.is_embedded() || !matches!(plan.writes, Writes::StoppedBy { .. }) {
        return Ok(());
    }
    let kinds = all();
    let source = |need: &Need| matches!(need, Need::ReplicationGroup(_) | Need::ServerlessCache(_));
    let sources =
        |plan: &Plan| needs(plan, &kinds).into_iter().filter(source).collect::<Vec<Need>>();
    let wanted = sources(plan);
    // A journal that does not read back says nothing about other sources; `orchestrate runs` complains about it.
    for (id, known) in
        runs.ids()?.into_iter().filter_map(|id| Some((id.clone(), runs.load(&id).ok()?)))
    {
        let state = known.state;
        let done = matches!(state.rest, Some(Rest::Succeeded | Rest::RolledBack | Rest::Cancelled));
        let here = state.header.account == account.identity.account
            && state.header.region == account.identity.region
            && !state.header.embedded;
        if done || !here || !matches!(state.plan.writes, Writes::StoppedBy { .. }) {
            continue;
        }
        if let Some(Need::ReplicationGroup(group) | Need::ServerlessCache(group)) =
            sources(&state.plan).into_iter().find(|need| wanted.contains(need))
        {
            return Err(CommandError::new(
                Exit::Locked,
                format!("run {id} stops the writes to \"{group}\" too, and is not finished; nothing was changed"),
            )
            .because("its rollback would let the source take writes again in the middle of this run, and they would be lost")
            .hint(format!("`orchestrate status {id}` says how to finish it")));
        }
    }
    Ok(())
}

async fn begin(
    plan: &Plan,
    account: &Account,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let run = RunId::new(account.clock.now(), &mut rand::rng());
    let journal = runs.create(&run)?;
    let place = runs.place(&run);
    let header = Record::Started {
        run,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        by: myself(),
        account: account.identity.account.clone(),
        region: account.identity.region.clone(),
        embedded: account.is_embedded(),
        plan: Box::new(plan.clone()),
    };
    drive(account, Box::new(journal), &place, Beginning::New(Box::new(header)), output).await
}

#[cfg(feature = "sandbox")]
fn embedded(args: &RunArgs) -> bool {
    args.sandbox
}

#[cfg(not(feature = "sandbox"))]
fn embedded(_: &RunArgs) -> bool {
    false
}
