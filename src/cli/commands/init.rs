//! `orchestrate init`.

use serde_json::json;

use crate::aws::{self, shell};
use crate::cli::account;
use crate::cli::args::InitArgs;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::private_file::{self, there_already};
use crate::init::{self, Failed, Kinds, Options, Reader, Refusal, Wanted, Written};
use crate::plan::{Catalog, check};
use crate::playbook::Source;
use crate::report::escape;
use crate::steps::{bucket_fault, catalog};
use crate::survey::Survey;

/// Names that are told of those there are.
const NAMES: usize = 8;

pub(super) async fn run(args: InitArgs, output: Output) -> Result<Exit, CommandError> {
    let options = options(&args)?;
    let path = args.output.as_deref();
    if let Some(path) = path.filter(|path| !args.force && path.exists()) {
        return Err(there_already(path));
    }
    let (clients, clock) = account::reading(args.region.clone()).await?;
    let who = aws::identify(&clients).await.map_err(account::unreachable)?;
    let survey = Survey::new(clients, clock.clone());
    let wanted = match (&args.from, &args.from_serverless) {
        (Some(group), _) => Wanted::Group(group),
        (None, Some(cache)) => Wanted::Serverless(cache),
        (None, None) => {
            return Err(CommandError::new(Exit::Usage, "nothing to read is named")
                .hint("say --from <replication group> or --from-serverless <cache>"));
        }
    };
    let found = init::gather(&survey, &who, clock.now(), wanted, args.look_into_secrets).await;
    let found = found.map_err(failed)?;
    let catalog = catalog();
    let written = init::write(&found, &options, kinds(&catalog)).map_err(refused)?;
    prove(&written, &catalog)?;
    for unread in &written.unread {
        output.complain(&format!("not read: {}\n", escape(unread)));
    }
    match path {
        None => output.say(&written.playbook),
        Some(path) => {
            private_file::keep(path, written.playbook.as_bytes(), args.force, "playbook")?;
            let file = shell(&path.display().to_string());
            output.say(&format!(
                "{file}: written; `orchestrate plan {file}` says what is still missing"
            ));
        }
    }
    output.json(&json!({ "event": "init", "data": {
        "account": who.account, "region": who.region, "file": path, "written": written,
    }}));
    Ok(Exit::Done)
}

fn options(args: &InitArgs) -> Result<Options, CommandError> {
    for (flag, reference) in
        [("--source-password", &args.source_password), ("--target-password", &args.target_password)]
    {
        let kept = |text: &String| text.starts_with("secretsmanager:") || text.starts_with("ssm:");
        if reference.as_ref().is_some_and(|text| !kept(text)) {
            let message = format!("{flag} does not say where the password is kept");
            return Err(CommandError::new(Exit::Usage, message)
                .because("a password itself would end up in the playbook")
                .hint("write secretsmanager:<name>, secretsmanager:<name>#<field> or ssm:<name>"));
        }
    }
    if let Some(bucket) = &args.bucket
        && let Some(fault) = bucket_fault(&json!({ "bucket": bucket }))
    {
        let error = CommandError::new(Exit::Usage, fault.message);
        return Err(error.hint("give the bucket's name alone, as `aws s3 ls` lists it"));
    }
    let reader = match (&args.reader, &args.source_password, &args.target_password) {
        (Some(user), Some(source), Some(target)) => Some(Reader {
            user: user.clone(),
            source_password: source.clone(),
            target_password: target.clone(),
        }),
        _ => None,
    };
    Ok(Options {
        bucket: args.bucket.clone(),
        name: args.name.clone(),
        file: args.output.as_ref().map(|path| path.display().to_string()),
        reader,
    })
}

/// The kinds that need not be there, and whether they take what would be given.
#[must_use]
pub fn kinds(catalog: &Catalog) -> Kinds {
    let has = |kind: &str, argument: &str| {
        catalog.get(kind).is_some_and(|kind| kind.spec_schema["properties"].get(argument).is_some())
    };
    let needs_only = |kind: &str, argument: &str| {
        let required = catalog.get(kind).and_then(|kind| kind.spec_schema["required"].as_array());
        required.is_none_or(|names| names.iter().all(|name| name == argument))
    };
    Kinds {
        serverless: has("elasticache.freeze_writes", "serverless_cache")
            && has("elasticache.create_serverless_snapshot", "serverless_cache")
            && has("elasticache.export_serverless_snapshot", "snapshot"),
        rdb_check: has("rdb.check", "objects") && needs_only("rdb.check", "objects"),
    }
}

/// A playbook that does not pass its own check is not given to anybody.
fn prove(written: &Written, catalog: &Catalog) -> Result<(), CommandError> {
    let source = Source::new("the playbook", written.playbook.clone());
    let (_, problems) = check(&source, catalog);
    if problems.has_errors() {
        return Err(CommandError::new(Exit::Bug, "the playbook that was written is not valid")
            .because(problems.render(false)));
    }
    Ok(())
}

fn refused(refusal: Refusal) -> CommandError {
    CommandError::new(Exit::Refused, refusal.message).because(refusal.because).hint(refusal.mend)
}

fn failed(failed: Failed) -> CommandError {
    match failed {
        Failed::Unreadable(failure) => {
            CommandError::refused(failure.context("the source cannot be read"))
        }
        Failed::Missing { what, name, near, there, other_sort } => {
            let flag = if what == "replication group" { "--from-serverless" } else { "--from" };
            let error = CommandError::new(Exit::Refused, format!("there is no {what} \"{name}\""));
            if other_sort {
                let other = if what == "replication group" {
                    "a serverless cache"
                } else {
                    "a replication group"
                };
                return error.hint(format!("{other} has that name: say {flag} {name}"));
            }
            match (near, there.as_slice()) {
                (Some(near), _) => error.hint(format!("did you mean {near}?")),
                (None, []) => error.because(format!("this account has no {what} in this region"))
                    .hint("see whether account and region are the right ones: `aws sts get-caller-identity`"),
                (None, some) => {
                    let names: Vec<&str> = some.iter().take(NAMES).map(String::as_str).collect();
                    error.hint(format!("there are: {}", names.join(", ")))
                }
            }
        }
    }
}
