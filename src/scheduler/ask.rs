//! What people ask of a schedule: one occurrence, a pause, its end.

use jiff::Timestamp;

use super::book::{Book, Occurrence};
use crate::engine::Failure;
use crate::schedule::{Head, Open, Paused, Reason, Schedule, decide};

/// How often a change is tried again when others make one at the same time.
const RACES: u32 = 40;
/// The cadence of a playbook that has no schedule.
const ON_DEMAND: &str = "on demand";

/// What became of the wish for one occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is submitted now.
    Submitted(Open),
    /// It was submitted before, and its end is not written down.
    Open(Open),
    /// It has come to its end.
    Done(Occurrence),
    /// Another one is not finished.
    Other(Open),
    /// The schedule is paused.
    Paused(Paused),
}

/// Submits exactly one occurrence, if it never was. For `Backfilled` also one that never succeeded.
///
/// # Errors
/// Of the place. After a fault that leaves it open whether it was written, asking again tells.
pub async fn ask_for(
    book: &Book<'_>,
    schedule: Option<&Schedule>,
    open: &Open,
    now: Timestamp,
) -> Result<Answer, Failure> {
    for _ in 0..RACES {
        let (found, expect) = book.head().await?;
        let cadence = schedule.map_or(ON_DEMAND.to_owned(), |s| s.cadence.to_string());
        let mut head = found.unwrap_or_else(|| Head::new(book.playbook(), &cadence, now));
        if head.cadence != cadence && head.open.is_empty() {
            head.cadence = cadence;
            head.decided = head.decided.max(now);
        }
        if let Some(known) = head.open.iter().find(|known| known.at == open.at) {
            return Ok(Answer::Open(known.clone()));
        }
        // After the head: what was taken out of it by now is written down.
        if let Some(done) = book.occurrence(open.at).await? {
            let again = open.why == Reason::Backfilled && !done.succeeded();
            if !again {
                return Ok(Answer::Done(done));
            }
        }
        if let Some(other) = head.open.first() {
            return Ok(Answer::Other(other.clone()));
        }
        if let Some(paused) = &head.paused
            && open.why != Reason::Backfilled
        {
            return Ok(Answer::Paused(paused.clone()));
        }
        let next = schedule.and_then(|schedule| schedule.cadence.after(head.decided));
        head.submit_asked(open.clone(), next);
        if book.write(&head, expect).await? {
            return Ok(Answer::Submitted(open.clone()));
        }
    }
    let what = format!("{} is written by others all the time", book.place());
    Err(Failure::fatal(what).mend("give the command again"))
}

/// Pauses a schedule. One that was never seen is, too.
///
/// # Errors
/// Of the place.
pub async fn pause(book: &Book<'_>, schedule: &Schedule, paused: &Paused) -> Result<Head, Failure> {
    turn(book, schedule, paused.at, |head| {
        head.paused.get_or_insert_with(|| paused.clone());
    })
    .await
}

/// Lets a schedule go on. What came due while it was paused is left out.
///
/// # Errors
/// Of the place.
pub async fn lift(book: &Book<'_>, schedule: &Schedule, now: Timestamp) -> Result<Head, Failure> {
    turn(book, schedule, now, |head| head.paused = None).await
}

/// Decides what is due by the state as it is, so that the change concerns only what comes after it.
async fn turn(
    book: &Book<'_>,
    schedule: &Schedule,
    now: Timestamp,
    change: impl Fn(&mut Head),
) -> Result<Head, Failure> {
    for _ in 0..RACES {
        let (found, expect) = book.head().await?;
        let fresh = || Head::new(book.playbook(), &schedule.cadence.to_string(), now);
        let mut head = found.unwrap_or_else(fresh);
        if head.paused.is_some() {
            // While paused nothing is submitted: only left out.
            head = decide(schedule, &head, now, "", &mut String::new).head;
        }
        change(&mut head);
        if book.write(&head, expect).await? {
            return Ok(head);
        }
    }
    let what = format!("{} is written by others all the time", book.place());
    Err(Failure::fatal(what).mend("give the command again"))
}
