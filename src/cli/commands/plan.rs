//! `orchestrate plan`, and the reading that every run begins with.

use std::path::PathBuf;

use crate::aws::{Identity, shell};
use crate::cli::account::Account;
use crate::cli::args::{PlaybookArgs, RunArgsOfPlan};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::reading::read;
use crate::cli::saved::{Findings, Saved, replaceable};
use crate::cli::state::Runs;
use crate::cli::view::{plan_view, timeline_after};
use crate::cli::{plan_cost, playbook_file, priced};
use crate::cost::Prices;
use crate::engine::journal::Rest;
use crate::engine::{RunId, Verdict};
use crate::plan::Plan;
use crate::playbook::Source;
use crate::report::{render_findings, render_longer, render_plan, render_plan_cost};
use crate::steps::{About, all, catalog, guard, permissions_findings};

pub(super) async fn run(
    args: RunArgsOfPlan,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    if args.out.is_some() && embedded(&args) {
        return Err(CommandError::new(Exit::Usage, "`--out` cannot be used with `--sandbox`")
            .because(
                "that sandbox ends with this process, and a plan of it could never be carried out",
            ));
    }
    if let Some(path) = &args.out {
        replaceable(path)?;
    }
    let Intended { plan, saved } = intended(&args.playbook, embedded(&args), &runs, output).await?;
    let prices = priced::prices(args.prices.as_deref(), output)?;
    let account = connect(&plan, embedded(&args), ca, output).await?;
    at_home(saved.as_ref(), &account.identity)?;
    let findings = preflight(&plan, &account, &prices, output).await;
    let (identity, now) = (account.identity.clone(), account.clock.now());
    account.close().await;
    if let Some(saved) = saved {
        unchanged(&saved, &findings)?;
    }
    let verdict = worst(&findings);
    if let Some(path) = &args.out {
        Saved::new(plan, &identity, now, findings).write(path)?;
        let path = path.display().to_string();
        output.say(&format!("\n  saved: `orchestrate migrate {}` carries out exactly this, unless something has changed by then", shell(&path)));
        output.json(&serde_json::json!({ "event": "saved", "data": { "file": path } }));
    }
    Ok(match verdict {
        Verdict::Ok => Exit::Done,
        Verdict::CannotKnow => Exit::CannotKnow,
        Verdict::WillFail => Exit::Refused,
    })
}

fn worst(findings: &Findings) -> Verdict {
    let verdicts = findings.iter().flat_map(|(_, found)| found).map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Verdict::Ok)
}

/// What a command was given: a playbook, compiled now, or a plan that was kept.
pub(super) struct Intended {
    pub(super) plan: Plan,
    pub(super) saved: Option<Saved>,
}

/// Compiles the playbook, or takes up the saved plan, and shows the plan, before anything is called.
pub(super) async fn intended(
    args: &PlaybookArgs,
    embedded: bool,
    runs: &Runs,
    output: Output,
) -> Result<Intended, CommandError> {
    let source = playbook_file::read(&args.playbook, output)?;
    let Some(saved) = Saved::read(source.name(), source.text())? else {
        let plan = compile(args, source, embedded, runs, output).await?;
        return Ok(Intended { plan, saved: None });
    };
    let inputs = !args.input.is_empty() || args.inputs.is_some() || args.inputs_from.is_some();
    if inputs || embedded {
        let what = if inputs { "inputs" } else { "`--sandbox`" };
        return Err(CommandError::new(Exit::Usage, format!("a saved plan takes no {what}"))
            .because("it holds what was given when it was made, and the account it was made for")
            .hint("make another plan from the playbook"));
    }
    output.say(&format!("  {}, from {}", saved.origin(), source.name()));
    show(&saved.plan, &all(), output);
    Ok(Intended { plan: saved.plan.clone(), saved: Some(saved) })
}

/// Refuses a saved plan when what it rests on has changed.
pub(super) fn unchanged(saved: &Saved, findings: &Findings) -> Result<(), CommandError> {
    same(saved, saved.changes(findings))
}

/// Refuses a saved plan in any account or region but its own.
pub(super) fn at_home(saved: Option<&Saved>, identity: &Identity) -> Result<(), CommandError> {
    saved.map_or(Ok(()), |saved| same(saved, saved.elsewhere(identity)))
}

fn same(saved: &Saved, changes: Vec<String>) -> Result<(), CommandError> {
    if changes.is_empty() {
        return Ok(());
    }
    let message =
        format!("the account is not as it was for {}; nothing was changed", saved.origin());
    let error = changes
        .into_iter()
        .fold(CommandError::new(Exit::Locked, message), |error, change| error.because(change));
    Err(error.hint(
        "make a new plan with `orchestrate plan <playbook> --out <file>`, and look at it again",
    ))
}

#[cfg(feature = "sandbox")]
fn embedded(args: &RunArgsOfPlan) -> bool {
    args.sandbox
}

#[cfg(not(feature = "sandbox"))]
fn embedded(_: &RunArgsOfPlan) -> bool {
    false
}

async fn compile(
    args: &PlaybookArgs,
    source: Source,
    embedded: bool,
    runs: &Runs,
    output: Output,
) -> Result<Plan, CommandError> {
    let kinds = all();
    let catalog = catalog();
    let earlier = match args.inputs_from.as_deref() {
        Some(run) => Some(outputs_of(run, embedded, runs).await?),
        None => None,
    };
    let plan = playbook_file::plan(args, &source, &catalog, earlier, output)?;
    show(&plan, &kinds, output);
    Ok(plan)
}

fn show(plan: &Plan, kinds: &[About], output: Output) {
    let view = plan_view(plan, kinds);
    output.say(&render_plan(&view, output.style));
    output.json(&serde_json::json!({ "event": "plan", "data": view }));
}

pub(super) async fn outputs_of(
    run: &str,
    embedded: bool,
    runs: &Runs,
) -> Result<serde_json::Map<String, serde_json::Value>, CommandError> {
    let id = runs.find(Some(run)).await?;
    let known = runs.load(&id).await?;
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

/// Where findings stand that are of whoever runs the plan, not of a step: no step has such an id.
const CALLER: &str = "(caller)";

/// Every step's read-only checks, all at once, shown.
pub(super) async fn preflight(
    plan: &Plan,
    account: &Account,
    prices: &Prices,
    output: Output,
) -> Findings {
    let run = RunId::new(account.clock.now(), &mut rand::rng());
    let (kinds, survey) = (&account.registry, &account.env.survey);
    let checks = read(plan, kinds, survey, &account.clock, &run);
    let caller = permissions_findings(&account.env, plan);
    let guards = guard::findings(&account.env, plan, account.clock.now());
    let (mut findings, caller, guards, source) =
        futures::join!(checks, caller, guards, plan_cost::source(plan, account));
    let cost = plan_cost::of(plan, &account.identity.region, prices, &source, &findings);
    if !guards.is_empty() {
        findings.insert(0, (guard::GUARD.to_owned(), guards));
    }
    if !caller.is_empty() {
        findings.insert(0, (CALLER.to_owned(), caller));
    }
    output.say(&render_plan_cost(&cost, output.style));
    output.json(&serde_json::json!({ "event": "plan_cost", "data": cost }));
    output.say(&render_findings(&findings, output.style));
    let total = timeline_after(plan, &all(), &findings).ends();
    let longer = render_longer(&findings, total, output.style);
    if !longer.is_empty() {
        output.say(&longer);
    }
    output.json(&serde_json::json!({ "event": "checked", "data": findings }));
    findings
}
