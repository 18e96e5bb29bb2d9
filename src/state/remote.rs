//! Runs kept as objects: in S3, or in memory for tests.

use std::rc::Rc;

use async_trait::async_trait;

use super::lease::{LeaseTerms, ObjectLease, Who, acquire, holder};
use super::object_journal::{ObjectJournal, read};
use super::objects::Objects;
use super::store::{Holder, Loaded, Opened, Store};
use crate::engine::journal::{Entry, Journal, JournalError, Record};
use crate::engine::{Clock, RunId};

/// How often a journal is read anew because a late entry of the process before was written meanwhile.
const REREADS: u32 = 3;

/// Runs kept as objects.
pub struct Remote {
    objects: Rc<dyn Objects>,
    clock: Clock,
    who: Who,
    terms: LeaseTerms,
}

impl Remote {
    /// Runs kept in `objects`, worked on by `who`.
    #[must_use]
    pub fn new(objects: Rc<dyn Objects>, clock: Clock, who: Who, terms: LeaseTerms) -> Self {
        Self { objects, clock, who, terms }
    }

    fn lease_key(run: &RunId) -> String {
        format!("runs/{run}/lease.json")
    }

    fn folder(run: &RunId) -> String {
        format!("runs/{run}/journal/")
    }

    async fn take(
        &self,
        run: &RunId,
        force: bool,
    ) -> Result<(Rc<ObjectLease>, Option<String>), JournalError> {
        let key = Self::lease_key(run);
        let taken = acquire(&self.objects, &key, &self.clock, &self.who, self.terms, force).await;
        let (lease, before) = taken?;
        Ok((Rc::new(lease), before))
    }

    fn writer(&self, run: &RunId, lease: &Rc<ObjectLease>) -> ObjectJournal {
        ObjectJournal {
            objects: Rc::clone(&self.objects),
            folder: Self::folder(run),
            lease: Rc::clone(lease),
            clock: self.clock.clone(),
        }
    }

    /// Reads the journal under the lease; shuts the process out that had it before, if that had not given it up.
    async fn enter(
        &self,
        run: &RunId,
        lease: &Rc<ObjectLease>,
        before: Option<String>,
        comment: Option<&str>,
    ) -> Result<Opened, JournalError> {
        use super::lease::Lease;
        for last in (0..=REREADS).rev() {
            let mut entries = read(self.objects.as_ref(), &Self::folder(run)).await?;
            let (seq, epoch) = entries.last().map_or((0, 0), |e| (e.seq, e.epoch));
            lease.raise(epoch + u64::from(epoch >= lease.epoch())).await?;
            let mut journal = self.writer(run, lease);
            if let Some(held_by) = &before {
                let record = Record::TakenOver {
                    by: self.who.name.clone(),
                    held_by: held_by.clone(),
                    comment: comment.map(str::to_owned),
                };
                let entry =
                    Entry { seq: seq + 1, epoch: lease.epoch(), at: self.clock.now(), record };
                match journal.append(&entry).await {
                    Ok(()) => entries.push(entry),
                    // The one before wrote an entry after all, while this one was reading. It counts.
                    Err(JournalError::Lost { epoch, .. }) if epoch < lease.epoch() && last > 0 => {
                        lease.found_again();
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            return Ok(Opened { journal: Box::new(journal), lease: lease.clone(), entries });
        }
        Err(JournalError::Lapsed("the process before goes on writing".to_owned()))
    }

    /// As `enter`; gives the lease up if that fails.
    async fn enter_or_leave(
        &self,
        run: &RunId,
        lease: Rc<ObjectLease>,
        before: Option<String>,
        comment: Option<&str>,
    ) -> Result<Opened, JournalError> {
        use super::lease::Lease;
        let entered = self.enter(run, &lease, before, comment).await;
        if entered.is_err() {
            // It ends by itself if this fails.
            let _ = lease.release().await;
        }
        entered
    }
}

#[async_trait(?Send)]
impl Store for Remote {
    fn root(&self) -> String {
        self.objects.place("")
    }

    fn journal(&self, run: &RunId) -> String {
        self.objects.place(&Self::folder(run))
    }

    fn objects(&self) -> &dyn Objects {
        self.objects.as_ref()
    }

    async fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        let folders = self.objects.list("runs/", Some('/')).await.map_err(JournalError::Store)?;
        let name = |folder: &String| {
            folder.strip_prefix("runs/")?.strip_suffix('/')?.parse::<RunId>().ok()
        };
        let mut runs: Vec<RunId> = folders.iter().filter_map(name).collect();
        runs.sort();
        Ok(runs)
    }

    async fn load(&self, run: &RunId) -> Result<Loaded, JournalError> {
        let folder = Self::folder(run);
        let entries = read(self.objects.as_ref(), &folder);
        let (entries, holder) = futures::join!(entries, self.holder(run));
        Ok(Loaded { entries: entries?, holder: holder? })
    }

    async fn holder(&self, run: &RunId) -> Result<Option<Holder>, JournalError> {
        let held = holder(self.objects.as_ref(), &Self::lease_key(run)).await?;
        Ok(held.map(|(who, ends_in)| Holder { who, ends_in: Some(ends_in) }))
    }

    async fn create(&self, run: &RunId) -> Result<Opened, JournalError> {
        let (lease, _) = self.take(run, false).await?;
        match read(self.objects.as_ref(), &Self::folder(run)).await {
            Err(JournalError::Empty(_)) => {}
            Ok(_) => {
                use super::lease::Lease;
                let _ = lease.release().await;
                let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
                return Err(JournalError::Io(there));
            }
            Err(error) => return Err(error),
        }
        let journal = Box::new(self.writer(run, &lease));
        Ok(Opened { journal, lease, entries: Vec::new() })
    }

    async fn open(&self, run: &RunId) -> Result<Opened, JournalError> {
        let (lease, before) = self.take(run, false).await?;
        self.enter_or_leave(run, lease, before, None).await
    }

    async fn unlock(&self, run: &RunId, comment: &str) -> Result<Option<Opened>, JournalError> {
        if self.holder(run).await?.is_none() {
            return Ok(None);
        }
        let (lease, before) = self.take(run, true).await?;
        self.enter_or_leave(run, lease, before, Some(comment)).await.map(Some)
    }
}
