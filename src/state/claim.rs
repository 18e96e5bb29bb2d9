//! Which run works on which cluster: one run at a time, whatever its playbook.
//!
//! A claim is made before a run's header is written and given back once the run is finished. A run that stopped, waits or
//! is stuck keeps its claims: it will go on or back. A claim of a run that is finished, or that died before it began,
//! holds nobody up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::objects::{Expect, Found, Objects, Put};
use super::store::Store;
use crate::engine::journal::{JournalError, Rest};
use crate::engine::{Failure, RunId, RunState};

/// How often a claim is tried again when others make one at the same time.
const RACES: u32 = 20;

/// A run's claim to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// Its playbook.
    pub playbook: String,
    /// Who began it: user and host.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was given back.
    #[serde(default)]
    pub free: bool,
}

fn read(objects: &dyn Objects, key: &str, found: &Found) -> Result<Claim, JournalError> {
    serde_json::from_slice(&found.bytes).map_err(|error| {
        let what = format!("{} does not read back as a claim", objects.place(key));
        let mend = "if no run works on that cluster, remove it";
        JournalError::Store(Failure::fatal(what).because(error.to_string()).mend(mend))
    })
}

fn bytes(claim: &Claim) -> Vec<u8> {
    serde_json::to_vec(claim).expect("a claim has only string keys")
}

/// Whether a run may still go on or back.
async fn unfinished(store: &dyn Store, run: &RunId) -> Result<bool, JournalError> {
    match store.load(run).await {
        Ok(loaded) => {
            // A journal that contradicts itself says nothing of being finished.
            let state = RunState::replay(&loaded.entries);
            let rest = state.ok().and_then(|state| state.rest);
            let done = matches!(rest, Some(Rest::Succeeded | Rest::RolledBack | Rest::Cancelled));
            Ok(!done)
        }
        // It has claimed and not begun: either it is about to, or it died.
        Err(JournalError::Empty(_)) => Ok(store.holder(run).await?.is_some()),
        Err(JournalError::Damaged { .. } | JournalError::Foreign { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Claims what is under `key`. Gives the claim of another unfinished run if there is one; nothing is claimed then.
///
/// # Errors
/// `Store`, `Io`.
pub async fn claim(
    store: &dyn Store,
    key: &str,
    wanted: &Claim,
) -> Result<Option<Claim>, JournalError> {
    let objects = store.objects();
    for _ in 0..RACES {
        let expect = match objects.get(key).await.map_err(JournalError::Store)? {
            None => Expect::Absent,
            Some(found) => {
                let there = read(objects, key, &found)?;
                if there.run == wanted.run && !there.free {
                    return Ok(None);
                }
                if !there.free && unfinished(store, &there.run).await? {
                    return Ok(Some(there));
                }
                Expect::Tag(found.tag)
            }
        };
        match objects.put(key, bytes(wanted), expect).await.map_err(JournalError::Store)? {
            Put::Stored(_) => return Ok(None),
            Put::Refused => {}
        }
    }
    let what = format!("{} is written by others all the time", objects.place(key));
    Err(JournalError::Store(Failure::fatal(what).mend("give the command again")))
}

/// The unfinished run that has claimed what is under `key`.
///
/// # Errors
/// `Store`, `Io`.
pub async fn claimed(store: &dyn Store, key: &str) -> Result<Option<Claim>, JournalError> {
    let objects = store.objects();
    let Some(found) = objects.get(key).await.map_err(JournalError::Store)? else {
        return Ok(None);
    };
    let there = read(objects, key, &found)?;
    Ok((!there.free && unfinished(store, &there.run).await?).then_some(there))
}

/// Gives a claim back, if it is that run's.
///
/// # Errors
/// `Store`. It then holds nobody up who finds that the run is finished.
pub async fn disclaim(store: &dyn Store, key: &str, run: &RunId) -> Result<(), JournalError> {
    let objects = store.objects();
    let Some(found) = objects.get(key).await.map_err(JournalError::Store)? else {
        return Ok(());
    };
    let mut there = read(objects, key, &found)?;
    if there.run != *run || there.free {
        return Ok(());
    }
    there.free = true;
    // If somebody else was faster, it is not this run's any more.
    let put = objects.put(key, bytes(&there), Expect::Tag(found.tag)).await;
    put.map(drop).map_err(JournalError::Store)
}
