//! What is attended to, and what is seen of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::library::{Library, News, Served};
use crate::cli::account::Connect;
use crate::cli::drive::{Manner, myself};
use crate::cli::output::Output;
use crate::cli::state::Runs;
use crate::cli::worker::PlaybookWorker;
use crate::engine::RunId;
use crate::plan::Plan;
use crate::schedule::{Open, key};
use crate::scheduler::{Attendant, Book, Offer, Seen};

/// For how long a run that cannot begin is tried again before its occurrence counts as refused.
const PATIENCE: Duration = Duration::from_secs(900);
/// The longest time between two looks at a schedule.
const LOOK: Duration = Duration::from_secs(30);

/// One playbook that is attended to.
pub(super) struct Room {
    /// What is declared.
    pub(super) offer: Offer,
    /// The plan of runs that begin now.
    plan: RefCell<Plan>,
    /// What is seen.
    pub(super) seen: RefCell<Seen>,
    /// Whether somebody attends to it.
    attended: Cell<bool>,
}

/// Everything that is attended to.
pub(super) struct House {
    pub(super) runs: Runs,
    connect: Box<dyn Connect>,
    output: Output,
    stop: CancellationToken,
    /// By name.
    pub(super) rooms: RefCell<BTreeMap<String, Rc<Room>>>,
    /// Files that cannot be used, and why.
    pub(super) invalid: RefCell<BTreeMap<PathBuf, String>>,
    /// Reloads that brought something, and those that brought something unusable.
    pub(super) reloads: Cell<(u64, u64)>,
    names: Box<dyn Fn(Timestamp) -> RunId>,
}

impl House {
    pub(super) fn new(
        runs: Runs,
        connect: Box<dyn Connect>,
        output: Output,
        stop: CancellationToken,
    ) -> Self {
        Self {
            runs,
            connect,
            output,
            stop,
            rooms: RefCell::default(),
            invalid: RefCell::default(),
            reloads: Cell::default(),
            names: Box::new(|now| RunId::new(now, &mut rand::rng())),
        }
    }

    /// Attends to whatever the library has, until it is stopped and every run is at a point from which it can be gone
    /// on with.
    pub(super) async fn attend(self: &Rc<Self>, library: &mut Library, rhythm: Duration) {
        let mut attending: FuturesUnordered<LocalBoxFuture<'static, ()>> = FuturesUnordered::new();
        loop {
            if !self.stop.is_cancelled() {
                self.take_in(library.look());
                let rooms: Vec<_> =
                    self.rooms.borrow().iter().map(|(n, r)| (n.clone(), Rc::clone(r))).collect();
                for (name, room) in rooms {
                    // Also one that was gone, drained, and is back.
                    let declared = room.offer.get().is_some();
                    if declared && !room.attended.replace(true) {
                        attending.push(Box::pin(Rc::clone(self).attend_to(name, room)));
                    }
                }
            } else if attending.is_empty() {
                return;
            }
            tokio::select! {
                Some(()) = attending.next(), if !attending.is_empty() => {}
                () = self.runs.clock.sleep(rhythm) => {}
                () = self.stop.cancelled(), if !self.stop.is_cancelled() => {}
            }
        }
    }

    /// Puts what the library has read in the place of what was served.
    pub(super) fn take_in(&self, news: Vec<News>) {
        for news in news {
            let (good, bad) = self.reloads.get();
            match news {
                News::Changed(served) => {
                    self.reloads.set((good + 1, bad));
                    let Served { name, schedule, plan } = *served;
                    let line = format!("{name}: {}", schedule.cadence);
                    self.say(&line, "serving_playbook", &name);
                    let mut rooms = self.rooms.borrow_mut();
                    match rooms.get(&name) {
                        Some(room) => {
                            room.plan.replace(plan);
                            room.offer.replace(Some(schedule));
                        }
                        None => {
                            let room = Room {
                                offer: Offer::new(schedule),
                                plan: RefCell::new(plan),
                                seen: RefCell::default(),
                                attended: Cell::default(),
                            };
                            rooms.insert(name, Rc::new(room));
                        }
                    }
                }
                News::Gone(name) => {
                    self.reloads.set((good + 1, bad));
                    if let Some(room) = self.rooms.borrow().get(&name) {
                        room.offer.replace(None);
                    }
                    self.say(
                        &format!("{name}: served no more; what runs goes on to its end"),
                        "playbook_gone",
                        &name,
                    );
                }
                News::Invalid { file, name, why } => {
                    self.reloads.set((good, bad + 1));
                    let goes_on = match &name {
                        Some(name) => format!("the last good version of {name} goes on"),
                        None => "it is not served".to_owned(),
                    };
                    let what = format!("{} cannot be used: {goes_on}", file.display());
                    self.output.complain(&format!("error: {what}\n{why}\n"));
                    self.output.json(&serde_json::json!({ "event": "invalid_playbook", "data": {
                        "file": file, "playbook": name, "why": why,
                    }}));
                    self.invalid.borrow_mut().insert(file, why);
                }
                News::Mended { file } => {
                    self.invalid.borrow_mut().remove(&file);
                }
                News::Unreadable(why) => {
                    self.reloads.set((good, bad + 1));
                    self.output.complain(&format!("error: the directory cannot be read, and what was read before goes on: {why}\n"));
                }
            }
        }
        // A file that is gone is not invalid any more.
        self.invalid.borrow_mut().retain(|file, _| file.exists());
    }

    fn say(&self, line: &str, event: &str, playbook: &str) {
        self.output.say(line);
        self.output.json(&serde_json::json!({ "event": event, "data": { "playbook": playbook } }));
    }

    async fn attend_to(self: Rc<Self>, name: String, room: Rc<Room>) {
        let plan = || Ok(room.plan.borrow().clone());
        let pauses = || room.offer.get().is_some_and(|schedule| schedule.pause_on_failure);
        let manner =
            |open: &Open| Manner::Among { label: key(&name, open.at), stop: self.stop.clone() };
        let worker = PlaybookWorker {
            playbook: &name,
            runs: &self.runs,
            plan: &plan,
            connect: self.connect.as_ref(),
            pauses: &pauses,
            manner: &manner,
            patience: PATIENCE,
            output: self.output,
        };
        let attendant = Attendant {
            book: Book::new(self.runs.store().objects(), &name),
            clock: self.runs.clock.clone(),
            by: format!("{} (process {})", myself(), std::process::id()),
            name: self.names.as_ref(),
            worker: &worker,
            offer: &room.offer,
            seen: &room.seen,
            rhythm: LOOK,
        };
        attendant.attend(&self.stop).await;
        room.attended.set(false);
        if room.offer.get().is_none() {
            self.rooms.borrow_mut().remove(&name);
        }
    }
}
