//! One file a command.

mod advise;
mod approve;
mod completions;
mod cost;
mod iam;
mod init;
mod kinds;
mod lever;
mod occurrence;
mod plan;
pub(super) mod resume;
pub(super) mod rollback;
mod run;
mod runs;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schedule;
mod schema;
#[cfg(feature = "sandbox")]
mod sim;
mod status;
mod steer;
mod unlock;
mod validate;

use std::future::Future;
use std::process::ExitCode;

use clap::Parser;

use super::args::{Cli, Command, RunOnceArgs};
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::serve;
use super::state::Runs;

pub use init::kinds as init_kinds;

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are asked for; everything else is a wrong command line.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            return exit.into();
        }
    };
    let output = Output::from_env(cli.json);
    let _ = tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ORCHESTRATE_LOG")
                .unwrap_or_else(|_| "off".into()),
        )
        .with_writer(std::io::stderr)
        .try_init();
    // A panic is a bug, and has an exit code of its own; its message is on standard error already.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(cli, output)));
    match done {
        Err(_) => Exit::Bug.into(),
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            output.json(&error.json());
            output.complain(&error.render(output.err_style));
            error.exit.into()
        }
    }
}

fn dispatch(cli: Cli, output: Output) -> Result<Exit, CommandError> {
    let ca = cli.ca_file;
    let runs = async || Runs::at(cli.state.clone(), cli.state_dir.clone()).await;
    match cli.command {
        Command::Validate { playbooks, format } => validate::run(&playbooks, format, output),
        Command::Init(args) => block_on(init::run(args, output)),
        Command::Plan(args) => block_on(async { plan::run(args, runs().await?, ca, output).await }),
        Command::Iam(args) => block_on(async {
            let bucket = Runs::bucket(cli.state.as_deref(), cli.state_dir.as_ref())?;
            iam::run(&args, bucket.as_ref(), runs, output).await
        }),
        Command::Migrate(args) => {
            block_on(async { run::run(args, true, runs().await?, ca, output).await })
        }
        Command::Run(RunOnceArgs { run, occurrence: None }) => {
            block_on(async { run::run(run, false, runs().await?, ca, output).await })
        }
        Command::Run(RunOnceArgs { run, occurrence: Some(at) }) => {
            block_on(async { occurrence::run(run, &at, &runs().await?, ca, output).await })
        }
        Command::Schedule { command } => {
            block_on(async { schedule::run(command, &runs, ca, output).await })
        }
        Command::Serve(args) => {
            block_on(async { serve::run(&args, runs().await?, ca, output).await })
        }
        Command::Resume { run } => {
            block_on(async { resume::run(run.as_deref(), runs().await?, ca, output).await })
        }
        Command::Approve { run, reject, comment, resume } => block_on(async {
            let runs = runs().await?;
            let run = approve::run(run.as_deref(), !reject, comment, &runs, output).await?;
            if resume {
                return resume::run(Some(run.as_str()), runs, ca, output).await;
            }
            Ok(Exit::Done)
        }),
        Command::Rollback { run, past_pivot, yes } => block_on(async {
            rollback::run(run.as_deref(), past_pivot, yes, runs().await?, ca, output).await
        }),
        Command::Pause { run, comment } => {
            block_on(async { steer::pause(run.as_deref(), comment, &runs().await?, output).await })
        }
        Command::Hold { run, before, comment } => block_on(async {
            steer::hold(run.as_deref(), &before, comment, &runs().await?, output).await
        }),
        Command::Cancel { run, comment } => {
            block_on(async { steer::cancel(run.as_deref(), comment, &runs().await?, output).await })
        }
        Command::Unlock { run, comment, yes } => block_on(async {
            unlock::run(run.as_deref(), &comment, yes, &runs().await?, output).await
        }),
        Command::Lever { command, region } => block_on(lever::run(command, region, output)),
        Command::Status { run } => {
            block_on(async { status::run(run.as_deref(), &runs().await?, output).await })
        }
        Command::Runs => block_on(async { runs::run(&runs().await?, output).await }),
        Command::Cost(args) => block_on(cost::run(args, output)),
        Command::Advise(args) => block_on(advise::run(*args, output)),
        Command::Steps { kind } => kinds::run(kind.as_deref(), output),
        Command::Schema => schema::run(output),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => block_on(sandbox::run(args, output)),
        #[cfg(feature = "sandbox")]
        Command::Sim(args) => sim::run(&args, output),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// One thread is enough: a run waits more than it works, and one thread makes virtual time possible in tests.
fn block_on(
    future: impl Future<Output = Result<Exit, CommandError>>,
) -> Result<Exit, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CommandError::new(Exit::Bug, "the runtime could not start").because(error.to_string())
    })?;
    runtime.block_on(future)
}
