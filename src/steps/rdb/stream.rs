//! An object's bytes, streamed through the scanner. Neither the object nor any value of it is held in memory.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use orchestrate_rdb::{Error, Event, Options, Scanner, Summary, Tally};

use super::check::File;
use crate::aws::{Op, call};
use crate::engine::{Class, Cx, Failure};
use crate::steps::Env;

/// Connections that may break in a row without a byte in between.
const PATIENCE: u32 = 5;
/// For how long no byte may come before a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(60);

/// What has been read since the last time.
#[derive(Clone, Copy, Debug)]
pub(in crate::steps) struct Part {
    pub(in crate::steps) bytes: u64,
    pub(in crate::steps) keys: u64,
}

/// Reads a file to its end.
///
/// A connection that breaks is no reason to read gigabytes again: the next request begins at the byte that comes next, and
/// names the version of the object (S3 API reference, GetObject: `Range` with `If-Match`). That is why this loops, and does
/// not leave a passing fault to the engine, which can only begin anew.
///
/// # Errors
/// `Fatal` if it is no whole RDB file, `Conflict` if it was replaced meanwhile, or as `aws::call`.
pub(in crate::steps) async fn read(
    env: &Env,
    cx: &Cx,
    file: &File,
    biggest: usize,
    mut tell: impl FnMut(Part),
) -> Result<Summary, Failure> {
    let options = Options { size: Some(file.bytes), ..Options::default() };
    let mut scanner = Scanner::new(options);
    let mut tally = Tally::new(biggest, Some(cx.clock.now().as_millisecond()));
    let mut at = 0;
    let mut broken = 0;
    while at < file.bytes {
        cx.hold("S3").await?;
        let fault = match open(env, file, at).await {
            Err(failure) => failure,
            Ok(mut body) => loop {
                let chunk = tokio::select! {
                    biased;
                    chunk = body.next() => chunk,
                    slept = cx.sleep(SILENCE) => {
                        slept?;
                        let silent = format!("no byte came for {} seconds", SILENCE.as_secs());
                        break passing(file, silent);
                    }
                };
                let chunk = match chunk {
                    Some(Ok(chunk)) => chunk,
                    Some(Err(error)) => break passing(file, innermost(&error)),
                    None => break passing(file, "the connection was closed too early".to_owned()),
                };
                broken = 0;
                at += chunk.len() as u64;
                let mut keys = 0;
                for event in scanner.feed(&chunk) {
                    let event = event.map_err(|error| unreadable(file, &error))?;
                    keys += u64::from(matches!(event, Event::Entry(_)));
                    tally.see(&event);
                }
                tell(Part { bytes: chunk.len() as u64, keys });
                if at >= file.bytes {
                    break passing(file, String::new());
                }
                // Lets the other files, and whoever wants to stop the run, have a turn.
                cx.sleep(Duration::ZERO).await?;
            },
        };
        if at >= file.bytes {
            break;
        }
        if !fault.class.may_pass() {
            return Err(fault);
        }
        broken += 1;
        if broken > PATIENCE {
            return Err(fault);
        }
        cx.warn(format!("{fault}; going on at byte {at} of {}", file.bytes));
        cx.sleep(Duration::from_secs(1 << broken)).await?;
    }
    scanner.finish().map_err(|error| unreadable(file, &error))?;
    Ok(tally.done())
}

async fn open(env: &Env, file: &File, at: u64) -> Result<ByteStream, Failure> {
    let request = env.aws.s3.get_object().bucket(&file.bucket).key(&file.key);
    let request = request.set_if_match(file.etag.clone());
    let request = request.set_range((at > 0).then(|| format!("bytes={at}-")));
    let answer = call(Op::read("S3", "GetObject"), request.send()).await.map_err(|failure| {
        let code = failure.code().map(str::to_owned);
        let failure = failure.context(format!("failed to read {}", file.name()));
        match code.as_deref() {
            Some("PreconditionFailed") => Failure { class: Class::Conflict, ..failure }.mend(
                "it was replaced while it was read: find out by whom, export again, and run again",
            ),
            _ => failure,
        }
    })?;
    let begins = format!("bytes {at}-");
    if at > 0 && !answer.content_range().is_some_and(|range| range.starts_with(&begins)) {
        let begins = answer.content_range().unwrap_or("nothing").to_owned();
        return Err(Failure::fatal(format!("failed to go on reading {}", file.name()))
            .because(format!("asked for the bytes from {at} on, S3 gave {begins}")));
    }
    Ok(answer.body)
}

fn passing(file: &File, cause: String) -> Failure {
    Failure::new(Class::Transient, format!("failed to read {}", file.name())).because(cause)
}

/// The layers around it say no more than that something streamed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn unreadable(file: &File, error: &Error) -> Failure {
    Failure::fatal(format!("MemoryDB could not restore {}", file.name()))
        .because(error.to_string())
        .mend("export again; if the new file has the same fault, ask AWS support: the snapshot itself is damaged")
}
