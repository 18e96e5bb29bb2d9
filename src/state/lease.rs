//! The right to be the one process that works on a run, for a while.
//!
//! A lease is one object. Whoever takes it raises the epoch in it and writes it under the condition that nobody else has
//! meanwhile. It ends if it is not written anew for as long as it says. How long ago it was written is told by the clock
//! of the place alone; how long ago this process sent its last renewal, by its own clocks alone. So it does not matter
//! how far the clocks of two machines are apart. A process counts from before it sent a renewal, and stops making changes
//! a quarter of the lease before its end: what is left is for requests on their way and for clocks that run unevenly.
//!
//! A lease is given up by writing into it that it is, not by deleting it: the epoch must never start again from one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::objects::{Expect, Found, Objects, Put};
use crate::engine::journal::JournalError;
use crate::engine::{Clock, Failure, Stopwatch};

/// An age is the difference of two instants that the place gives in whole seconds: this much is added before a lease is
/// taken for ended.
const ROUNDING: Duration = Duration::from_secs(2);
/// How often a write is tried again when others write at the same time.
const RACES: u32 = 20;
/// Between two tries after a passing fault.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a passing fault is borne while taking a lease or giving it up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who takes leases: one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// User and host, for people.
    pub name: String,
    /// Random: tells this process from every other, also of the same user on the same host.
    pub token: String,
}

/// For how long leases are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// From a renewal to the end.
    pub length: Duration,
}

impl Default for LeaseTerms {
    fn default() -> Self {
        Self { length: Duration::from_secs(60) }
    }
}

impl LeaseTerms {
    /// From one renewal to the next.
    fn rhythm(self) -> Duration {
        self.length / 4
    }

    /// How old the last renewal may be for a change to be made.
    fn usable(self) -> Duration {
        self.length * 3 / 4
    }
}

/// The right to work on a run.
#[async_trait(?Send)]
pub trait Lease {
    /// The fencing epoch: higher with each process that takes the run up.
    fn epoch(&self) -> u64;

    /// Whether a change may be made now.
    ///
    /// # Errors
    /// `Lost` once another process has the run; `Lapsed` while the lease may have ended.
    fn check(&self) -> Result<(), JournalError>;

    /// How often to renew it; none if it lasts as long as the process.
    fn rhythm(&self) -> Option<Duration>;

    /// Renews it.
    ///
    /// # Errors
    /// `Lost` for good; `Store` if it could not be done now.
    async fn renew(&self) -> Result<(), JournalError>;

    /// Gives it up. Does nothing if it is lost.
    ///
    /// # Errors
    /// `Store` if it could not be done: then it ends by itself.
    async fn release(&self) -> Result<(), JournalError>;
}

/// Renews a lease for as long as it is polled. Returns only when another process has the run.
pub async fn keep(lease: &dyn Lease, clock: &Clock) -> JournalError {
    let Some(rhythm) = lease.rhythm() else { return std::future::pending().await };
    let mut pause = rhythm;
    loop {
        clock.sleep(pause).await;
        pause = match lease.renew().await {
            Ok(()) => rhythm,
            Err(lost @ JournalError::Lost { .. }) => return lost,
            // Sooner again: each try that succeeds makes it whole.
            Err(_) => (rhythm / 4).max(PAUSE),
        };
    }
}

/// What stands in a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Body {
    /// The fencing epoch.
    pub(super) epoch: u64,
    /// User and host.
    pub(super) holder: String,
    token: String,
    /// From the last writing to the end.
    length_ms: u64,
    /// Counts the writings, so that no two are the same.
    count: u64,
    /// Whether it was given up.
    pub(super) released: bool,
}

impl Body {
    fn read(objects: &dyn Objects, key: &str, found: &Found) -> Result<Self, JournalError> {
        serde_json::from_slice(&found.bytes).map_err(|error| {
            JournalError::Store(
                Failure::fatal(format!("{} does not read back as a lease", objects.place(key)))
                    .because(error.to_string())
                    .mend("nobody but orchestrate may write there; see in the versions of the object who did"),
            )
        })
    }

    /// Until it ends, if it is held now.
    fn ends_in(&self, age: Duration) -> Option<Duration> {
        let length = Duration::from_millis(self.length_ms);
        let end = length.saturating_add(ROUNDING);
        (!self.released && age < end).then(|| end.saturating_sub(age))
    }
}

/// Who has the lease under `key` now, and until its end.
pub(super) async fn holder(
    objects: &dyn Objects,
    key: &str,
) -> Result<Option<(String, Duration)>, JournalError> {
    let Some(found) = objects.get(key).await.map_err(JournalError::Store)? else {
        return Ok(None);
    };
    let body = Body::read(objects, key, &found)?;
    let left = body.ends_in(found.age.unwrap_or(Duration::ZERO));
    Ok(left.map(|left| (body.holder, left)))
}

/// A lease that is an object.
pub(super) struct ObjectLease {
    objects: Rc<dyn Objects>,
    key: String,
    clock: Clock,
    who: Who,
    terms: LeaseTerms,
    epoch: Cell<u64>,
    /// Started before the last renewal that is known to have succeeded was sent.
    since: RefCell<Stopwatch>,
    /// Set once another process has the run.
    lost: RefCell<Option<(String, u64)>>,
    /// The tag and count of the last writing. Held while writing: one at a time.
    written: Mutex<(String, u64)>,
}

/// Takes the lease under `key`, by force if `force`. Gives also who had it and had not given it up.
///
/// # Errors
/// `Held` by another process; `Store`.
pub(super) async fn acquire(
    objects: &Rc<dyn Objects>,
    key: &str,
    clock: &Clock,
    who: &Who,
    terms: LeaseTerms,
    force: bool,
) -> Result<(ObjectLease, Option<String>), JournalError> {
    let began = clock.stopwatch();
    // Where the place tells no age, a lease counts as old as this process has seen it unchanged.
    let mut seen: Option<(String, Stopwatch)> = None;
    let mut mine = false;
    let mut races = 0;
    loop {
        let found = match objects.get(key).await {
            Ok(found) => found,
            Err(failure) => {
                bear(failure, &began, clock).await?;
                continue;
            }
        };
        let (expect, epoch, count, before) = match &found {
            None => (Expect::Absent, 1, 0, None),
            Some(found) => {
                let body = Body::read(objects.as_ref(), key, found)?;
                // A writing of this very call whose answer was lost: written once more, to know when it was sent.
                let own = mine && body.token == who.token;
                let watch = match &seen {
                    Some((tag, watch)) if *tag == found.tag => watch.clone(),
                    _ => seen.insert((found.tag.clone(), clock.stopwatch())).1.clone(),
                };
                let age = found.age.unwrap_or_default().max(watch.elapsed());
                if let Some(ends_in) = body.ends_in(age).filter(|_| !own && !force) {
                    return Err(JournalError::Held { holder: body.holder, ends_in });
                }
                let epoch = if own { body.epoch } else { body.epoch + 1 };
                let before = (!body.released && !own).then_some(body.holder);
                (Expect::Tag(found.tag.clone()), epoch, body.count + 1, before)
            }
        };
        let body = body(who, terms, epoch, count, false);
        let since = clock.stopwatch();
        match objects.put(key, body, expect).await {
            Ok(Put::Stored(tag)) => {
                let lease = ObjectLease {
                    objects: Rc::clone(objects),
                    key: key.to_owned(),
                    clock: clock.clone(),
                    who: who.clone(),
                    terms,
                    epoch: Cell::new(epoch),
                    since: RefCell::new(since),
                    lost: RefCell::default(),
                    written: Mutex::new((tag, count)),
                };
                return Ok((lease, before));
            }
            Ok(Put::Refused) if races < RACES => races += 1,
            Ok(Put::Refused) => {
                let holder = "somebody who is taking it at the same time".to_owned();
                return Err(JournalError::Held { holder, ends_in: terms.length });
            }
            Err(failure) => {
                mine = true;
                bear(failure, &began, clock).await?;
            }
        }
    }
}

fn body(who: &Who, terms: LeaseTerms, epoch: u64, count: u64, released: bool) -> Vec<u8> {
    let body = Body {
        epoch,
        holder: who.name.clone(),
        token: who.token.clone(),
        length_ms: u64::try_from(terms.length.as_millis()).unwrap_or(u64::MAX),
        count,
        released,
    };
    serde_json::to_vec(&body).expect("a lease has only string keys")
}

/// Waits a moment after a passing fault; gives the fault back if it does not pass.
async fn bear(failure: Failure, began: &Stopwatch, clock: &Clock) -> Result<(), JournalError> {
    if !failure.class.may_pass() || began.elapsed() > PATIENCE {
        return Err(JournalError::Store(failure));
    }
    clock.sleep(PAUSE).await;
    Ok(())
}

impl ObjectLease {
    /// Raises the epoch to `least`: a journal may hold a higher one than a lease that somebody has deleted.
    pub(super) async fn raise(&self, least: u64) -> Result<(), JournalError> {
        if self.epoch.get() >= least {
            return Ok(());
        }
        self.epoch.set(least);
        self.write(false).await
    }

    async fn write(&self, released: bool) -> Result<(), JournalError> {
        let mut written = self.written.lock().await;
        for _ in 0..RACES {
            self.superseded()?;
            let (tag, count) = &*written;
            let count = count + 1;
            let body = body(&self.who, self.terms, self.epoch.get(), count, released);
            let since = self.clock.stopwatch();
            let put = self.objects.put(&self.key, body, Expect::Tag(tag.clone())).await;
            match put.map_err(JournalError::Store)? {
                Put::Stored(tag) => {
                    *written = (tag, count);
                    self.since.replace(since);
                    return Ok(());
                }
                Put::Refused => {}
            }
            // Another process has it; or an earlier writing of this one was stored, and its answer was lost.
            let found = self.objects.get(&self.key).await.map_err(JournalError::Store)?;
            let Some(found) = found else {
                self.lost.replace(Some(("somebody who deleted its lease".to_owned(), 0)));
                continue;
            };
            let there = Body::read(self.objects.as_ref(), &self.key, &found)?;
            if there.token != self.who.token || there.released {
                self.lost.replace(Some((there.holder, there.epoch)));
                continue;
            }
            *written = (found.tag, there.count);
        }
        self.superseded()?;
        Err(JournalError::Lapsed("its object was written by others all the time".to_owned()))
    }

    fn superseded(&self) -> Result<(), JournalError> {
        match &*self.lost.borrow() {
            Some((by, epoch)) => Err(JournalError::Lost { by: by.clone(), epoch: *epoch }),
            None => Ok(()),
        }
    }

    /// What was written under the lease before this one does not take this one away.
    pub(super) fn found_again(&self) {
        self.lost.replace(None);
    }

    /// Another process has written into the run's journal.
    pub(super) fn lose(&self, by: String, epoch: u64) {
        self.lost.borrow_mut().get_or_insert((by, epoch));
    }
}

#[async_trait(?Send)]
impl Lease for ObjectLease {
    fn epoch(&self) -> u64 {
        self.epoch.get()
    }

    fn check(&self) -> Result<(), JournalError> {
        self.superseded()?;
        let age = self.since.borrow().elapsed();
        if age < self.terms.usable() {
            return Ok(());
        }
        Err(JournalError::Lapsed(format!(
            "its last renewal was {} s ago, and it lasts {} s",
            age.as_secs(),
            self.terms.length.as_secs()
        )))
    }

    fn rhythm(&self) -> Option<Duration> {
        Some(self.terms.rhythm())
    }

    async fn renew(&self) -> Result<(), JournalError> {
        self.write(false).await
    }

    async fn release(&self) -> Result<(), JournalError> {
        let began = self.clock.stopwatch();
        loop {
            match self.write(true).await {
                Ok(()) => {
                    self.lose("this process, which has given it up".to_owned(), self.epoch.get());
                    return Ok(());
                }
                Err(JournalError::Lost { .. }) => return Ok(()),
                Err(JournalError::Store(failure)) => bear(failure, &began, &self.clock).await?,
                Err(other) => return Err(other),
            }
        }
    }
}
