//! `orchestrate migrate` and `orchestrate run`.

use std::path::PathBuf;

use super::plan::{compile, connect, preflight};
use crate::cli::account::Account;
use crate::cli::args::RunArgs;
use crate::cli::ask;
use crate::cli::drive::{Beginning, drive, myself};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::engine::journal::Record;
use crate::engine::{RunId, Verdict};
use crate::plan::Plan;

pub(super) async fn run(
    args: RunArgs,
    migrate: bool,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let plan = compile(&args.playbook, embedded(&args), &runs, output)?;
    if migrate && !plan.has_pivot() {
        return Err(CommandError::new(
            Exit::Usage,
            "this playbook moves no application: no step of it is a pivot",
        )
        .hint("use `orchestrate run` for it"));
    }
    let account = connect(&plan, embedded(&args), ca, output).await?;
    let findings = preflight(&plan, &account, output).await;
    let fails = findings
        .iter()
        .flat_map(|(_, found)| found)
        .filter(|finding| finding.verdict == Verdict::WillFail)
        .count();
    if fails > 0 {
        account.close().await;
        return Err(CommandError::new(
            Exit::Refused,
            format!("{fails} checks would fail; nothing was changed"),
        )
        .hint("mend what is listed above, then run the same command again"));
    }
    // `run` is for runbooks, which are asked about too when they change anything.
    if plan.steps().any(|step| step.effect.mutates()) && !account.is_embedded() {
        ask::yes("Carry this plan out?", args.yes)?;
    }
    let exit = begin(&plan, &account, &runs, output).await;
    account.close().await;
    exit
}

async fn begin(
    plan: &Plan,
    account: &Account,
    runs: &Runs,
    output: Output,
) -> Result<Exit, CommandError> {
    let run = RunId::new(account.clock.now(), &mut rand::rng());
    let journal = runs.create(&run)?;
    let path = runs.journal(&run);
    let header = Record::Started {
        run,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        by: myself(),
        account: account.identity.account.clone(),
        region: account.identity.region.clone(),
        embedded: account.is_embedded(),
        plan: Box::new(plan.clone()),
    };
    drive(account, Box::new(journal), &path, Beginning::New(Box::new(header)), output).await
}

#[cfg(feature = "sandbox")]
fn embedded(args: &RunArgs) -> bool {
    args.sandbox
}

#[cfg(not(feature = "sandbox"))]
fn embedded(_: &RunArgs) -> bool {
    false
}
