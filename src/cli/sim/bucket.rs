//! The bucket in which a simulated run is kept that several machines share: objects written under conditions, over a network
//! that takes its time. What has left a process arrives, whatever becomes of the process.
//!
//! Leases, epochs and the journal of objects on top of it are the program's own (`state::Remote`).

use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::disk::{Disk, Trouble};
use super::life::{Life, Write};
use super::network::Delays;
use crate::engine::journal::JournalError;
use crate::engine::{Class, Clock, Failure, RunId};
use crate::state::{Expect, Found, LeaseTerms, Objects, Opened, Put, Remote, Store, Who};

/// As `orchestrate` does while it waits to see whether a lease is renewed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An object: its bytes, the number of its writing, and when that was.
pub(super) type Object = (Vec<u8>, u64, Timestamp);

/// The bucket as one process reaches it.
struct Reached {
    disk: Disk,
    life: Arc<Life>,
    delays: Delays,
}

fn unanswered(class: Class) -> Failure {
    Failure::new(class, "the bucket does not answer")
}

#[async_trait(?Send)]
impl Objects for Reached {
    fn place(&self, key: &str) -> String {
        format!("bucket:{key}")
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        let (there, back) = self.delays.draw();
        tokio::time::sleep(there).await;
        let found = self.disk.object(key);
        tokio::time::sleep(back).await;
        match self.disk.troubles() {
            Some(Trouble::Full | Trouble::ReadOnly) => Err(unanswered(Class::Transient)),
            _ => Ok(found),
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        let (there, back) = self.delays.draw();
        tokio::task::yield_now().await;
        let mut death = None;
        if key.contains("/journal/") {
            if let Some(trouble) = self.life.trouble_of_next_write() {
                self.disk.trouble(Some(trouble));
            }
            death = self.life.writing();
        }
        // An object is written whole or not at all.
        if self.life.is_dead() || matches!(death, Some(Write::Before | Write::Torn(_))) {
            self.life.kill();
            return pending().await;
        }
        let (disk, key) = (self.disk.clone(), key.to_owned());
        let work = tokio::spawn(async move {
            tokio::time::sleep(there).await;
            match disk.troubles() {
                Some(Trouble::Full | Trouble::ReadOnly) => Err(unanswered(Class::Ambiguous)),
                Some(Trouble::Torn | Trouble::Unsynced) => {
                    disk.write_object(&key, bytes, &expect);
                    Err(unanswered(Class::Ambiguous))
                }
                None => Ok(disk.write_object(&key, bytes, &expect)),
            }
        });
        if death == Some(Write::After) {
            self.life.kill();
            return pending().await;
        }
        let answer = work.await.unwrap_or_else(|_| Err(unanswered(Class::Ambiguous)));
        tokio::time::sleep(back).await;
        answer
    }

    async fn list(&self, prefix: &str, _delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        let (there, back) = self.delays.draw();
        tokio::time::sleep(there).await;
        let keys = self.disk.objects(prefix);
        tokio::time::sleep(back).await;
        Ok(keys)
    }
}

/// Takes a run in the bucket, a new one or one that is there. Waits for the lease of a process that does not renew it.
pub(super) async fn take(
    disk: &Disk,
    life: &Arc<Life>,
    clock: &Clock,
    delays: Delays,
    run: &RunId,
    new: bool,
) -> Result<Opened, JournalError> {
    let who = Who { name: format!("p{}", life.id), token: format!("p{}", life.id) };
    let reached = Reached { disk: disk.clone(), life: Arc::clone(life), delays };
    let store = Remote::new(Rc::new(reached), clock.clone(), who, LeaseTerms::default());
    let watch = clock.stopwatch();
    let (mut before, mut limit): (Option<Duration>, _) = (None, Duration::ZERO);
    loop {
        let taken = if new { store.create(run).await } else { store.open(run).await };
        let Err(JournalError::Held { ends_in, .. }) = &taken else { return taken };
        match before {
            None => limit = *ends_in,
            // What is left grows only by a renewal.
            Some(left) if *ends_in > left || watch.elapsed() > limit => return taken,
            Some(_) => {}
        }
        before = Some(*ends_in);
        clock.sleep(LOOK_AGAIN).await;
    }
}
