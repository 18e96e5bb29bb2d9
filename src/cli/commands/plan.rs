//! `orchestrate plan`, and the reading that every run begins with.

use std::path::PathBuf;
use std::rc::Rc;

use crate::cli::account::Account;
use crate::cli::args::{PlaybookArgs, RunArgsOfPlan};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file;
use crate::cli::state::Runs;
use crate::cli::view::{around, plan_view, timeline};
use crate::engine::journal::Rest;
use crate::engine::{Cx, Finding, Kinds, Ledger, RunId, Verdict};
use crate::plan::{Catalog, Plan};
use crate::report::{render_findings, render_plan};
use crate::steps::{About, all};

pub(super) async fn run(
    args: RunArgsOfPlan,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let plan = compile(&args.playbook, embedded(&args), &runs, output)?;
    let account = connect(&plan, embedded(&args), ca, output).await?;
    let findings = preflight(&plan, &account, output).await;
    account.close().await;
    let fails = findings.iter().any(|(_, f)| f.iter().any(|f| f.verdict == Verdict::WillFail));
    Ok(if fails { Exit::Refused } else { Exit::Done })
}

#[cfg(feature = "sandbox")]
fn embedded(args: &RunArgsOfPlan) -> bool {
    args.sandbox
}

#[cfg(not(feature = "sandbox"))]
fn embedded(_: &RunArgsOfPlan) -> bool {
    false
}

/// Compiles the playbook and shows the plan, before anything is called.
pub(super) fn compile(
    args: &PlaybookArgs,
    embedded: bool,
    runs: &Runs,
    output: Output,
) -> Result<Plan, CommandError> {
    let kinds = all();
    let catalog = Catalog::new(kinds.iter().map(|kind| kind.info.clone()));
    let earlier =
        args.inputs_from.as_deref().map(|run| outputs_of(run, embedded, runs)).transpose()?;
    let plan = playbook_file::plan(args, &catalog, earlier, output)?;
    show(&plan, &kinds, output);
    Ok(plan)
}

fn show(plan: &Plan, kinds: &[About], output: Output) {
    let view = plan_view(plan, kinds);
    output.say(&render_plan(&view, output.style));
    output.json(&serde_json::json!({ "event": "plan", "data": view }));
}

fn outputs_of(
    run: &str,
    embedded: bool,
    runs: &Runs,
) -> Result<serde_json::Map<String, serde_json::Value>, CommandError> {
    let id = runs.find(Some(run))?;
    let known = runs.load(&id)?;
    let state = &known.state;
    let why = match &state.rest {
        _ if state.header.embedded && !embedded => {
            "it ran in a sandbox inside its own process, and what it left ended with that"
        }
        Some(Rest::Succeeded) => return Ok(state.playbook_outputs()),
        Some(Rest::RolledBack | Rest::Cancelled) => "it was rolled back: what it names is undone",
        _ => "it has not succeeded: what it names may not be there, or still be needed by it",
    };
    Err(CommandError::new(Exit::Locked, format!("no inputs can be taken from run {id}"))
        .because(why)
        .hint(format!("`orchestrate status {id}` shows where it is; name another run, or give each input with --input")))
}

/// Connects, and says to what.
pub(super) async fn connect(
    plan: &Plan,
    embedded: bool,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Account, CommandError> {
    #[cfg(feature = "sandbox")]
    let account =
        if embedded { Account::embedded(plan).await? } else { Account::connect(plan, ca).await? };
    #[cfg(not(feature = "sandbox"))]
    let account = {
        let _ = embedded;
        Account::connect(plan, ca).await?
    };
    let who = &account.identity;
    output.say(&format!("  account {}, region {}, as {}", who.account, who.region, who.arn));
    #[cfg(feature = "sandbox")]
    if let Some(embedded) = &account.embedded {
        output.say(&format!("  {}", embedded.describe()));
    }
    Ok(account)
}

/// Every step's read-only checks, all at once, shown.
pub(super) async fn preflight(
    plan: &Plan,
    account: &Account,
    output: Output,
) -> Vec<(String, Vec<Finding>)> {
    account.env.survey.begin();
    let ledger = Rc::new(Ledger::none(account.clock.clone(), Rc::new(|_| {})));
    let run = RunId::new(account.clock.now(), &mut rand::rng());
    let timeline = timeline(plan, &all());
    let checks = plan.steps().filter_map(|step| {
        let kind = account.registry.kind(&step.kind)?;
        let mut cx = Cx::reading(run.clone(), &step.id, Rc::clone(&ledger), account.clock.clone());
        cx.around = around(plan, step, &timeline);
        let args = step.args.partial();
        Some(async move { (step.id.clone(), kind.preflight(&args, &cx).await) })
    });
    let findings = futures::future::join_all(checks).await;
    output.say(&render_findings(&findings, output.style));
    output.json(&serde_json::json!({ "event": "checked", "data": findings }));
    findings
}
