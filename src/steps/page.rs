//! One describe page that answers every wait of its sort in this process.
//!
//! A wait that is alone asks for its resource by name. As soon as two wait, whoever looks first asks for everything, and
//! the others take its answer: the limits on calls are per account and region, and shared with every other tool there.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::engine::{Class, Cx, Failure};

/// For how long a page serves at least, for each call that it took: all waits together make less than one a second.
const A_PART: Duration = Duration::from_millis(1250);

/// Everything of one sort, as last described, and how many wait for some of it.
pub struct Page<T> {
    waiting: Cell<u32>,
    latest: RefCell<Option<(Timestamp, Vec<T>)>>,
    /// A policy that names what may be described lets nobody describe everything: then each asks by name.
    refused: Cell<bool>,
    /// Held while the page is fetched: who comes meanwhile takes the answer.
    fetching: Mutex<()>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            waiting: Cell::new(0),
            latest: RefCell::new(None),
            refused: Cell::new(false),
            fetching: Mutex::new(()),
        }
    }
}

/// One wait's place at a page.
pub(crate) struct Ticket<'a, T> {
    page: &'a Page<T>,
    last: Cell<Option<Timestamp>>,
}

impl<T> Page<T> {
    /// Takes part; ends with the ticket.
    pub(crate) fn join(&self) -> Ticket<'_, T> {
        self.waiting.set(self.waiting.get() + 1);
        Ticket { page: self, last: Cell::new(None) }
    }
}

/// How many calls a page takes: fifty are the most of one answer (ElastiCache API reference).
fn parts(items: usize) -> u32 {
    u32::try_from(items / 50 + 1).unwrap_or(u32::MAX)
}

impl<T: Clone> Ticket<'_, T> {
    /// What `is` accepts, by `named` while nobody else waits, else from a page that `all` fetches or has just fetched: it
    /// may be as old as a third of the time since this wait's last look, or as it took calls to fetch.
    ///
    /// # Errors
    /// As `named` and `all`.
    pub(crate) async fn look<N, A>(
        &self,
        cx: &Cx,
        named: impl FnOnce() -> N,
        all: impl FnOnce() -> A,
        is: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Failure>
    where
        N: Future<Output = Result<Option<T>, Failure>>,
        A: Future<Output = Result<Vec<T>, Failure>>,
    {
        let seen =
            if self.page.waiting.get() < 2 { None } else { self.on_page(cx, all, is).await? };
        // What is not on the page is asked for by name before it counts as gone.
        let answer = match seen {
            Some(seen) => Some(seen),
            None => named().await?,
        };
        self.last.set(Some(cx.clock.now()));
        Ok(answer)
    }

    async fn on_page<A>(
        &self,
        cx: &Cx,
        all: impl FnOnce() -> A,
        is: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Failure>
    where
        A: Future<Output = Result<Vec<T>, Failure>>,
    {
        let _only_one = self.page.fetching.lock().await;
        if self.page.refused.get() {
            return Ok(None);
        }
        let parts = self.page.latest.borrow().as_ref().map_or(1, |(_, page)| parts(page.len()));
        // A page in more parts than there are waits costs more than asking for each by name.
        if parts > self.page.waiting.get() {
            return Ok(None);
        }
        let third = self.last.get().map_or(Duration::ZERO, |last| cx.clock.since(last) / 3);
        let oldest = third.max(A_PART * parts);
        let fresh = |(at, _): &(Timestamp, Vec<T>)| cx.clock.since(*at) <= oldest;
        if !self.page.latest.borrow().as_ref().is_some_and(fresh) {
            let found = match all().await {
                Err(failure) if failure.class == Class::Denied => {
                    self.page.refused.set(true);
                    return Ok(None);
                }
                found => found?,
            };
            self.page.latest.replace(Some((cx.clock.now(), found)));
        }
        let latest = self.page.latest.borrow();
        Ok(latest.as_ref().and_then(|(_, page)| page.iter().find(|one| is(one)).cloned()))
    }
}

impl<T> Drop for Ticket<'_, T> {
    fn drop(&mut self) {
        self.page.waiting.set(self.page.waiting.get() - 1);
    }
}
