//! `orchestrate migrate` and `orchestrate run`.

use std::path::PathBuf;
use std::rc::Rc;

use super::plan::{Intended, at_home, connect, intended, preflight, unchanged};
use crate::cli::account::Account;
use crate::cli::args::RunArgs;
use crate::cli::ask;
use crate::cli::claims::Clusters;
use crate::cli::drive::{Beginning, drive, myself};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::cli::view::plan_writes;
use crate::cost::Prices;
use crate::engine::journal::Record;
use crate::engine::{RunId, Verdict};
use crate::plan::Plan;
use crate::report::counted;

pub(super) async fn run(
    args: RunArgs,
    migrate: bool,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let Intended { plan, saved } = intended(&args.playbook, embedded(&args), &runs, output).await?;
    if migrate && !plan.has_pivot() {
        return Err(CommandError::new(
            Exit::Usage,
            "this playbook moves no application: no step of it is a pivot",
        )
        .hint("use `orchestrate run` for it"));
    }
    let account = connect(&plan, embedded(&args), ca, output).await?;
    at_home(saved.as_ref(), &account.identity)?;
    // Before much is read: what another run does there would only look like faults.
    let free = async {
        account.not_halted(&plan).await?;
        Clusters::of(&plan, &account).free(&runs).await
    };
    if let Err(refused) = free.await {
        account.close().await;
        return Err(refused);
    }
    let findings = preflight(&plan, &account, &Prices::built_in(), output).await;
    // What has changed since is the reason of whatever fails now.
    if let Some(saved) = &saved
        && let Err(changed) = unchanged(saved, &findings)
    {
        account.close().await;
        return Err(changed);
    }
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
    // `run` is for runbooks, which are asked about too when they change anything.
    if plan.steps().any(|step| step.effect.mutates()) && !account.is_embedded() {
        let writes = plan_writes(&plan).map(|writes| format!("Writes: {writes}.\n"));
        ask::yes(&format!("{}Carry this plan out?", writes.unwrap_or_default()), args.yes)?;
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
    let clusters = Clusters::of(plan, account);
    let run = RunId::new(account.clock.now(), &mut rand::rng());
    let opened = runs.create(&run).await?;
    let lease = Rc::clone(&opened.lease);
    let done = match clusters.claim(&run, runs).await {
        Ok(()) => {
            let header = Record::Started {
                run,
                tool: env!("CARGO_PKG_VERSION").to_owned(),
                by: myself(),
                account: account.identity.account.clone(),
                region: account.identity.region.clone(),
                embedded: account.is_embedded(),
                plan: Box::new(plan.clone()),
            };
            drive(account, opened, runs, Beginning::New(Box::new(header)), output).await
        }
        Err(refused) => Err(refused),
    };
    // If this fails it ends by itself.
    let _ = lease.release().await;
    done
}

#[cfg(feature = "sandbox")]
fn embedded(args: &RunArgs) -> bool {
    args.sandbox
}

#[cfg(not(feature = "sandbox"))]
fn embedded(_: &RunArgs) -> bool {
    false
}
