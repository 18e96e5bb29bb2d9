//! `orchestrate iam`.

use serde_json::{Value, json};

use super::plan::outputs_of;
use crate::cli::args::{IamArgs, PolicyFormat};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file;
use crate::cli::private_file::{self, there_already};
use crate::cli::saved::Saved;
use crate::cli::state::Runs;
use crate::permissions::{
    LIMIT, Place, Policy, bucket_policies, format, grants, key_statement, lever_statement,
    policies, simulator_statement, state_statements,
};
use crate::plan::{Guard, Plan};
use crate::state::{Bucket, LEVER};
use crate::steps::{catalog, declared};

/// A policy as it is printed, as JSON for machines, and what to mind.
struct Written {
    text: String,
    data: Value,
    warnings: Vec<String>,
}

/// Prints a policy. Calls nothing: what it says follows from the playbook alone.
pub(super) async fn run(
    args: &IamArgs,
    state: Option<&Bucket>,
    runs: impl AsyncFnOnce() -> Result<Runs, CommandError>,
    output: Output,
) -> Result<Exit, CommandError> {
    if let Some(path) = args.output.as_deref().filter(|path| !args.force && path.exists()) {
        return Err(there_already(path));
    }
    let (plan, guard) = plan(args, runs, output).await?;
    let region = args.region.clone().or(guard.region);
    let account = args.account.clone().or(guard.account);
    let place = Place::new(region.as_deref(), account.as_deref());
    let written = if args.bucket_policy {
        bucket(args, &plan, &place)?
    } else {
        caller(args, &plan, &place, state)
    };
    for warning in &written.warnings {
        output.complain(&format!("warning: {warning}\n"));
    }
    let mut event = json!({ "event": "policy", "data": written.data });
    event["data"]["warnings"] = json!(written.warnings);
    output.json(&event);
    match &args.output {
        None => output.say(&written.text),
        Some(path) => private_file::keep(path, written.text.as_bytes(), args.force, "policy")?,
    }
    Ok(Exit::Done)
}

/// The plan, and where it may run: a kept plan was made for one account and region.
async fn plan(
    args: &IamArgs,
    runs: impl AsyncFnOnce() -> Result<Runs, CommandError>,
    output: Output,
) -> Result<(Plan, Guard), CommandError> {
    let given = &args.playbook;
    let source = playbook_file::read(&given.playbook, output)?;
    if let Some(saved) = Saved::read(source.name(), source.text())? {
        let place = saved.place();
        return Ok((saved.plan, place));
    }
    let earlier = match given.inputs_from.as_deref() {
        Some(run) => Some(outputs_of(run, false, &runs().await?).await?),
        None => None,
    };
    let plan = playbook_file::plan(given, &source, &catalog(), earlier, output)?;
    let guard = plan.guard.clone().unwrap_or_default();
    Ok((plan, guard))
}

fn caller(args: &IamArgs, plan: &Plan, place: &Place, state: Option<&Bucket>) -> Written {
    let mut warnings = Vec::new();
    let unknown: Vec<&str> = [("account", place.account()), ("region", place.region())]
        .into_iter()
        .filter(|(_, known)| known.is_none())
        .map(|(what, _)| what)
        .collect();
    if !unknown.is_empty() {
        let flags: Vec<String> = unknown.iter().map(|what| format!("--{what}")).collect();
        warnings.push(format!(
            "the policy is for any {}: give {}, or a `guard` in the playbook, to confine it",
            unknown.join(" and "),
            flags.join(" and ")
        ));
    }
    let needed = grants(plan, &|kind| declared(kind), place);
    let principal = args.principal.as_deref();
    let more = [simulator_statement(principal, place), lever_statement(LEVER, place)].into_iter();
    let bucket = state.map(|b| state_statements(&b.name, &b.prefix, place));
    let more = more.chain(key_statement(&args.kms_keys, place));
    let more = more.chain(bucket.into_iter().flatten()).collect();
    let policies = policies(&needed, more);
    if policies.len() > 1 {
        warnings.push(format!(
            "one managed policy holds {LIMIT} characters, so there are {}: attach all of them",
            policies.len()
        ));
    }
    let text = match args.format {
        PolicyFormat::Json => format::json(&policies),
        PolicyFormat::Terraform => format::terraform(&plan.playbook, &policies),
        PolicyFormat::Cloudformation => format::cloudformation(&plan.playbook, &policies),
    };
    let documents: Vec<Value> = policies.iter().map(Policy::json).collect();
    Written { text, data: json!({ "policies": documents, "grants": needed }), warnings }
}

fn bucket(args: &IamArgs, plan: &Plan, place: &Place) -> Result<Written, CommandError> {
    let buckets = bucket_policies(plan, &|kind| declared(kind), place).ok_or_else(|| {
        CommandError::new(Exit::Usage, "the region is not known")
            .because("the services' names in a bucket policy carry it, and take no wildcard")
            .hint("give --region, or a `guard` in the playbook")
    })?;
    if buckets.is_empty() {
        return Err(CommandError::new(
            Exit::Usage,
            format!("the playbook {} lets no service into a bucket", plan.playbook),
        ));
    }
    let mut warnings = vec![
        "this replaces the bucket's policy: if it has one, add the statements to that".to_owned(),
    ];
    if buckets.len() > 1 {
        let names: Vec<&str> = buckets.iter().map(|b| b.bucket.as_str()).collect();
        warnings
            .push(format!("there are several buckets, each with its own: {}", names.join(", ")));
    }
    let text = match args.format {
        PolicyFormat::Json => format::json_bucket(&buckets),
        PolicyFormat::Terraform => format::terraform_bucket(&buckets),
        PolicyFormat::Cloudformation => format::cloudformation_bucket(&buckets),
    };
    let documents: serde_json::Map<String, Value> =
        buckets.iter().map(|b| (b.bucket.clone(), b.policy.json())).collect();
    Ok(Written { text, data: json!({ "buckets": documents }), warnings })
}
