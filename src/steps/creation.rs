//! Calls that make something under a name: which name, how far the call got, and when its effect can be seen.
//!
//! Describes are eventually consistent: what a call has just made may not be found for a minute or two. An undo that
//! took the first "not found" at its word would leave an orphan, so the step's note says whether something may still
//! appear.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::{Class, Cx, Failure};
use crate::plan::Fault;

/// How long after a call its effect may stay unseen.
const VISIBLE_WITHIN: Duration = Duration::from_secs(120);

/// How far the call got that makes the step's resource. Kept as the step's note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Call {
    /// It was never made.
    Never,
    /// It was, and its effect has not been seen yet.
    Asked,
    /// It was, and the service said or shows that it was taken.
    Taken,
    /// It was refused: it made nothing, and whatever has the wanted name is somebody else's.
    Refused,
    /// What it began has ended, or everything it made is gone: nothing more of it can appear.
    Over,
}

/// How far it got.
pub(crate) fn call_state(cx: &Cx) -> Call {
    cx.noted()
        .and_then(|note| serde_json::from_value(note.get("call")?.clone()).ok())
        .unwrap_or(Call::Never)
}

/// Writes down how far it got, unless that is written already.
///
/// # Errors
/// `Journal`.
pub(crate) async fn note_call(cx: &Cx, state: Call) -> Result<(), Failure> {
    if call_state(cx) == state { Ok(()) } else { cx.note(json!({ "call": state })).await }
}

/// Makes a call that creates something. That it is made is durable first; so is a refusal.
///
/// # Errors
/// Those of the call; `Journal`.
pub(crate) async fn ask<T>(
    cx: &Cx,
    request: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // A refusal speaks of its own call alone: one made earlier, whose answer was lost, may still show its effect, and one
    // that was taken has made what a false "not found" kept from being seen.
    let asked_before = matches!(call_state(cx), Call::Asked | Call::Taken);
    note_call(cx, Call::Asked).await?;
    let answer = request.await;
    // After a conflict the name is taken: perhaps by an earlier call of this step whose answer was lost.
    if let Err(failure) = &answer
        && !asked_before
        && !matches!(failure.class, Class::Ambiguous | Class::Conflict)
    {
        note_call(cx, Call::Refused).await?;
    }
    answer
}

/// Looks until there is something to see, for two minutes at most.
///
/// # Errors
/// Those of the look, and of sleeping.
pub(crate) async fn until_visible<T, L>(
    cx: &Cx,
    mut look: impl FnMut() -> L,
) -> Result<Option<T>, Failure>
where
    L: Future<Output = Result<Option<T>, Failure>>,
{
    // Its own pauses are counted, not the clock: that may be set.
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_secs(2));
    loop {
        let seen = look().await?;
        if seen.is_some() || waited >= VISIBLE_WITHIN {
            return Ok(seen);
        }
        cx.sleep(pause).await?;
        waited += pause;
        pause = (pause * 2).min(Duration::from_secs(20));
    }
}

/// As `until_visible` if the call may have made something, else a single look. Also where its effect was seen before: one
/// "not found" proves nothing, since the services answer it now and then for what they are working on.
///
/// # Errors
/// As `until_visible`.
pub(crate) async fn look_for_made<T, L>(
    cx: &Cx,
    mut look: impl FnMut() -> L,
) -> Result<Option<T>, Failure>
where
    L: Future<Output = Result<Option<T>, Failure>>,
{
    match call_state(cx) {
        Call::Asked | Call::Taken => until_visible(cx, look).await,
        Call::Never | Call::Refused | Call::Over => look().await,
    }
}

/// A look that must find nothing three times, seconds apart, before it says so: for waits that end with the thing gone.
///
/// # Errors
/// Those of the look, and of sleeping.
pub(crate) async fn unless_gone<T, L>(
    cx: &Cx,
    mut look: impl FnMut() -> L,
) -> Result<Option<T>, Failure>
where
    L: Future<Output = Result<Option<T>, Failure>>,
{
    for pause in [5, 10] {
        if let Some(seen) = look().await? {
            return Ok(Some(seen));
        }
        cx.sleep(Duration::from_secs(pause)).await?;
    }
    look().await
}

/// How long a read may go on showing what was before a change.
const LAGS_FOR: Duration = Duration::from_secs(60);

/// How long a step has waited, in sum, for reads to catch up. Its own pauses are counted, not the clock: that may be set.
pub(crate) type Waited = std::cell::Cell<Duration>;

/// A look at what this run has perhaps changed, where seeing `wanted` would mean that nothing is to be done. One look
/// proves nothing: it may come from before the change. So it looks until it sees something else, for a minute at most.
/// `waited`: of the whole step; one that looks at several things waits once.
///
/// # Errors
/// Those of the look, and of sleeping.
pub(crate) async fn unless_lagging<T, L>(
    cx: &Cx,
    waited: &Waited,
    mut look: impl FnMut() -> L,
    wanted: impl Fn(&T) -> bool,
) -> Result<T, Failure>
where
    L: Future<Output = Result<T, Failure>>,
{
    let mut pause = Duration::from_secs(2);
    loop {
        let over = waited.get() > LAGS_FOR;
        let seen = look().await?;
        if over || !wanted(&seen) {
            return Ok(seen);
        }
        cx.sleep(pause).await?;
        waited.set(waited.get() + pause);
        pause = (pause * 2).min(Duration::from_secs(20));
    }
}

/// The failure of a deletion, where one that finds nothing has to be looked into: the thing was seen a moment ago, and
/// nobody would delete it after a "not found" that was not true.
pub(crate) fn not_deleted(mut failure: Failure) -> Failure {
    if failure.class == Class::NotFound {
        failure.class = Class::Busy;
    }
    failure
}

/// The default name of what this step makes: `orc-<run>-<word>`, and the step's id after it where that is not the word
/// itself, since two steps of one run must not want the same name. At most `longest` characters.
pub(crate) fn default_name(cx: &Cx, word: &str, longest: usize) -> String {
    let mut slug = String::new();
    let step = match &cx.item {
        Some(item) => format!("{}-{item}", cx.step),
        None => cx.step.clone(),
    };
    for c in step.to_ascii_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug == word || slug.is_empty() {
        return cx.resource_name(word);
    }
    let full = cx.resource_name(&format!("{word}-{slug}"));
    if full.len() <= longest {
        return full;
    }
    let tail = format!("-{:08x}", crc32fast::hash(step.as_bytes()));
    let head: String = full.chars().take(longest.saturating_sub(tail.len())).collect();
    format!("{}{tail}", head.trim_end_matches('-'))
}

/// Checks a name that a playbook gives: 1 to `longest` letters, digits and hyphens, a letter first, no two hyphens in a
/// row, none at the end. Gives it in lower case, as both services store it (ElastiCache and MemoryDB API references).
///
/// # Errors
/// `Fatal`, saying which rule it breaks.
pub(crate) fn checked_name(what: &str, name: &str, longest: usize) -> Result<String, Failure> {
    let wrong = if name.is_empty() || name.len() > longest {
        Some(format!("must have 1 to {longest} characters"))
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        Some("may hold letters, digits and hyphens only".to_owned())
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Some("must begin with a letter".to_owned())
    } else if name.contains("--") || name.ends_with('-') {
        Some("may not end with a hyphen or hold two in a row".to_owned())
    } else {
        None
    };
    match wrong {
        None => Ok(name.to_ascii_lowercase()),
        Some(rule) => Err(Failure::fatal(format!("{what} \"{name}\" cannot be used: it {rule}"))
            .mend("choose another name in the playbook")),
    }
}

/// That the argument `key` is known and empty: a service may take no name for any name.
pub(crate) fn empty_fault(args: &Value, key: &'static str) -> Option<Fault> {
    let empty = args[key].as_str().is_some_and(str::is_empty);
    let fault =
        || Fault::new(format!("`{key}` is empty")).key(key).mend("name the one that is meant");
    empty.then(fault)
}

/// What `checked_name` says against the argument `key`, if it is known.
pub(crate) fn name_faults(args: &Value, key: &str, what: &str, longest: usize) -> Vec<Fault> {
    let name = args.get(key).and_then(Value::as_str);
    let failure = name.and_then(|name| checked_name(what, name, longest).err());
    failure.map(|failure| Fault::from(failure).key(key)).into_iter().collect()
}

#[cfg(test)]
mod tests;
