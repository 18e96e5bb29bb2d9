//! What people ask of a run, kept beside its journal.
//!
//! One small object a run says all that is wanted of it. Commands change it under the condition that nobody else has
//! meanwhile; the process that works on the run reads it every few seconds.

use std::time::Duration;

use super::objects::{Expect, Objects, Put};
use crate::engine::journal::JournalError;
use crate::engine::{Clock, EventKind, Failure, Helm, Ledger, RunId, Wanted};

/// How often a change is tried again when others make one at the same time.
const RACES: u32 = 20;

fn key(run: &RunId) -> String {
    format!("runs/{run}/control.json")
}

async fn look(objects: &dyn Objects, run: &RunId) -> Result<(Wanted, Expect), JournalError> {
    let key = key(run);
    let Some(found) = objects.get(&key).await.map_err(JournalError::Store)? else {
        return Ok((Wanted::default(), Expect::Absent));
    };
    let wanted = serde_json::from_slice(&found.bytes).map_err(|error| {
        let what = format!("{} does not read back", objects.place(&key));
        let mend =
            "remove it: what was asked of the run is then forgotten, and what counts already stays";
        JournalError::Store(Failure::fatal(what).because(error.to_string()).mend(mend))
    })?;
    Ok((wanted, Expect::Tag(found.tag)))
}

/// What is wanted of a run.
///
/// # Errors
/// `Store`.
pub async fn wanted(objects: &dyn Objects, run: &RunId) -> Result<Wanted, JournalError> {
    Ok(look(objects, run).await?.0)
}

/// Changes what is wanted of a run. Writes nothing if `change` changes nothing.
///
/// # Errors
/// `Store`. After a fault that leaves it open whether it was written, asking again does no harm.
pub async fn ask(
    objects: &dyn Objects,
    run: &RunId,
    mut change: impl FnMut(&mut Wanted),
) -> Result<(), JournalError> {
    for _ in 0..RACES {
        let (before, expect) = look(objects, run).await?;
        let mut wanted = before.clone();
        change(&mut wanted);
        if wanted == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&wanted).expect("what is wanted has only string keys");
        match objects.put(&key(run), bytes, expect).await.map_err(JournalError::Store)? {
            Put::Stored(_) => return Ok(()),
            Put::Refused => {}
        }
    }
    let busy =
        Failure::fatal(format!("{} is written by others all the time", objects.place(&key(run))));
    Err(JournalError::Store(busy.mend("give the command again")))
}

/// Makes what is wanted of a run count, now and at each look, for as long as it is polled.
pub async fn follow(
    objects: &dyn Objects,
    run: &RunId,
    helm: &Helm,
    ledger: &Ledger,
    clock: &Clock,
    rhythm: Duration,
) -> std::convert::Infallible {
    let mut well = true;
    loop {
        match wanted(objects, run).await {
            Ok(wanted) => {
                well = true;
                // A ledger that cannot be written ends the run by itself.
                let _ = helm.heed(ledger, &wanted).await;
            }
            Err(error) => {
                if std::mem::take(&mut well) {
                    let warning =
                        format!("what is asked of this run cannot be read: {error}; looking again");
                    ledger.tell(EventKind::Warned { step: None, warning });
                }
            }
        }
        clock.sleep(rhythm).await;
    }
}
