//! `orchestrate serve`: the schedules of a directory.
//!
//! - `library`: the playbooks of the directory, each in its last version that is right
//! - `house`: what is attended to, and what is seen of it
//! - `http`, `metrics`: what is told of it

mod house;
mod http;
mod library;
mod metrics;
#[cfg(all(test, feature = "sandbox"))]
mod tests;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::house::House;
use super::account::Aws;
use super::args::ServeArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::Output;
use super::signals::Signals;
use super::state::Runs;

/// How often the directory is looked at.
const RELOAD: Duration = Duration::from_secs(2);

/// Serves until a signal comes, and then until every run is at a point from which it can be gone on with.
pub(super) async fn run(
    args: &ServeArgs,
    runs: Runs,
    ca: Option<PathBuf>,
    output: Output,
) -> Result<Exit, CommandError> {
    let mut signals = Signals::watch();
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        CommandError::new(Exit::Refused, format!("cannot listen on {}", args.listen))
            .because(error.to_string())
            .hint("choose another address with --listen; port 0 takes a free one")
    })?;
    let address = listener.local_addr().unwrap_or(args.listen);
    let stop = CancellationToken::new();
    let house = Rc::new(House::new(runs, Box::new(Aws { ca }), output, stop.clone()));
    let mut library = library::Library::new(&args.dir)?;
    output.say(&format!("serving {} on http://{address} (/healthz, /metrics)", args.dir.display()));
    output.json(&serde_json::json!({ "event": "serving", "data": {
        "dir": args.dir, "address": address.to_string(),
    }}));
    let attending = house.attend(&mut library, RELOAD);
    let answering = http::answer(&listener, &house);
    let stopping = async {
        signals.next().await;
        output.say("stopping: runs stop at their next safe point, and the next start goes on with them. Once more stops at once.");
        stop.cancel();
        signals.next().await;
    };
    tokio::select! {
        () = attending => Ok(Exit::Done),
        never = answering => match never {},
        () = stopping => Ok(Exit::Interrupted),
    }
}
