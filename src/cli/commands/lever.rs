//! `orchestrate lever`.

use crate::aws::{Clients, identify};
use crate::cli::account::{reading, unreachable};
use crate::cli::args::LeverCommand;
use crate::cli::drive::myself;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::report::escape;
use crate::state::{LEVER, Lever, lever, pull};

/// Engages or releases the stop lever, or shows where it stands, in each of `regions`; without any, in that of the AWS
/// configuration. Goes on with the other regions if one fails: in an emergency each counts.
pub(super) async fn run(
    command: LeverCommand,
    regions: Vec<String>,
    output: Output,
) -> Result<Exit, CommandError> {
    let regions: Vec<Option<String>> =
        if regions.is_empty() { vec![None] } else { regions.into_iter().map(Some).collect() };
    let mut failed = None;
    for region in regions {
        if let Err(error) = one(&command, region, output).await
            && let Some(before) = failed.replace(error)
        {
            output.complain(&before.render(output.err_style));
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

async fn one(
    command: &LeverCommand,
    region: Option<String>,
    output: Output,
) -> Result<(), CommandError> {
    let (clients, clock) = reading(region).await?;
    let identity = identify(&clients).await.map_err(unreachable)?;
    let place = format!("account {}, region {}", identity.account, clients.region);
    let (engage, comment) = match command {
        LeverCommand::Status => return show(&clients, &place, output).await,
        LeverCommand::Engage { comment } => (true, comment),
        LeverCommand::Release { comment } => (false, comment),
    };
    let words = format!("by {} at {:.0}: {comment}", myself(), clock.now());
    pull(&clients, engage, &words).await.map_err(|failure| {
        CommandError::refused(failure.context(format!("the stop lever of {place} was not moved")))
            .hint(format!("it is the SSM parameter {LEVER}: any value that does not begin with \"released\" engages it"))
    })?;
    show(&clients, &place, output).await
}

async fn show(clients: &Clients, place: &str, output: Output) -> Result<(), CommandError> {
    let stands = lever(clients).await.map_err(|failure| {
        CommandError::refused(failure.context(format!("the stop lever of {place} cannot be read")))
    })?;
    let (engaged, words) = match &stands {
        Lever::Absent => (false, String::new()),
        Lever::Released(words) => (false, words.clone()),
        Lever::Engaged(words) => (true, words.clone()),
    };
    output.say(&match &stands {
        Lever::Absent => {
            format!("{place}: released; it was never engaged ({LEVER} does not exist)")
        }
        Lever::Released(words) => format!("{place}: released ({})", escape(words)),
        Lever::Engaged(words) => {
            format!("{place}: ENGAGED, no change leaves any orchestrate there ({})", escape(words))
        }
    });
    output.json(&serde_json::json!({ "event": "lever", "data": {
        "place": place, "region": clients.region, "engaged": engaged, "words": words,
    }}));
    Ok(())
}
