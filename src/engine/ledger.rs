//! The run's one pen: a record is durable, then it counts, then it is told.

use std::cell::RefCell;

use tokio::sync::Mutex;

use super::clock::Clock;
use super::event::{Event, EventKind, Sink};
use super::failure::{Class, Failure};
use super::journal::{Entry, Journal, JournalError, Record};
use super::machine::{Illegal, RunState};

/// Journal, state and audience of one run.
pub struct Ledger {
    clock: Clock,
    sink: Sink,
    open: Option<Open>,
}

struct Open {
    /// One record at a time: lanes that run side by side write one after the other.
    pen: Mutex<Pen>,
    state: RefCell<RunState>,
    epoch: u64,
}

struct Pen {
    journal: Box<dyn Journal>,
    broken: Option<Failure>,
    /// An entry whose writer was dropped in the middle of the write: it may be durable or not, so that it is written
    /// again, which changes nothing if it is, before anything else.
    unsure: Option<Entry>,
}

impl Ledger {
    /// Begins a run: writes its header.
    ///
    /// # Errors
    /// `Class::Journal` if the header could not be made durable.
    pub async fn begin(
        mut journal: Box<dyn Journal>,
        header: Record,
        clock: Clock,
        sink: Sink,
    ) -> Result<Self, Failure> {
        let entry = Entry { seq: 1, epoch: journal.epoch(), at: clock.now(), record: header };
        let state = RunState::begin(&entry).map_err(bug)?;
        journal.append(&entry).await.map_err(lost)?;
        sink(&Event { at: entry.at, kind: EventKind::Recorded(entry.record) });
        Ok(Self { clock, sink, open: Some(Open::new(journal, state)) })
    }

    /// Goes on with a run whose entries were read from `journal`.
    ///
    /// # Errors
    /// If the entries cannot follow one another.
    pub fn resume(
        journal: Box<dyn Journal>,
        entries: &[Entry],
        clock: Clock,
        sink: Sink,
    ) -> Result<Self, Illegal> {
        let state = RunState::replay(entries)?;
        Ok(Self { clock, sink, open: Some(Open::new(journal, state)) })
    }

    /// A ledger that records nothing, for reading before a run.
    #[must_use]
    pub fn none(clock: Clock, sink: Sink) -> Self {
        Self { clock, sink, open: None }
    }

    /// Makes a record durable, takes it into the state, and tells it.
    ///
    /// # Errors
    /// `Class::Journal` if it is not certain that the record is durable, or if it cannot follow the others; every later
    /// call then fails alike, so that nothing is changed after that point.
    pub async fn record(&self, record: Record) -> Result<(), Failure> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut pen = open.pen.lock().await;
        if let Some(failure) = &pen.broken {
            return Err(failure.clone());
        }
        if let Some(unsure) = pen.unsure.clone() {
            self.write(open, &mut pen, unsure).await?;
        }
        let seq = open.state.borrow().seq + 1;
        let entry = Entry { seq, epoch: open.epoch, at: self.clock.now(), record };
        self.write(open, &mut pen, entry).await
    }

    async fn write(&self, open: &Open, pen: &mut Pen, entry: Entry) -> Result<(), Failure> {
        let checked = open.state.borrow().check(&entry).map_err(bug);
        if let Err(failure) = checked {
            return Err(pen.broken.insert(failure).clone());
        }
        pen.unsure = Some(entry.clone());
        if let Err(error) = pen.journal.append(&entry).await {
            return Err(pen.broken.insert(lost(error)).clone());
        }
        pen.unsure = None;
        open.state.borrow_mut().apply(&entry).map_err(bug)?;
        self.tell(EventKind::Recorded(entry.record));
        Ok(())
    }

    /// Tells something that is not worth a record.
    pub fn tell(&self, kind: EventKind) {
        (self.sink)(&Event { at: self.clock.now(), kind });
    }

    /// Reads the latest note of a step; none if there is none, or this ledger records nothing.
    pub(super) fn noted<T>(
        &self,
        step: &str,
        read: impl FnOnce(&serde_json::Value) -> T,
    ) -> Option<T> {
        self.peek(|state| state.step(step).note.as_ref().map(read)).flatten()
    }

    /// The fencing epoch of its records; 0 if it records nothing.
    pub(super) fn epoch(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.epoch)
    }

    /// Reads the state; none if this ledger records nothing.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&RunState) -> T) -> Option<T> {
        self.open.as_ref().map(|open| read(&open.state.borrow()))
    }

    /// Reads the state.
    ///
    /// # Panics
    /// If the ledger records nothing.
    pub fn state<T>(&self, read: impl FnOnce(&RunState) -> T) -> T {
        self.peek(read).expect("only a run's own ledger is asked for its state")
    }
}

impl Open {
    fn new(journal: Box<dyn Journal>, state: RunState) -> Self {
        let epoch = journal.epoch();
        let pen = Pen { journal, broken: None, unsure: None };
        Self { pen: Mutex::new(pen), state: RefCell::new(state), epoch }
    }
}

fn lost(error: JournalError) -> Failure {
    let (message, mend) = match &error {
        JournalError::Lost { .. } => (
            "another process works on this run now; this one changed nothing more",
            "`orchestrate status` shows what the other one does",
        ),
        JournalError::Lapsed(_) => (
            "the lease on this run ended; nothing more was changed",
            "go on with `orchestrate resume` once the place of the state answers again",
        ),
        JournalError::Store(_) => (
            "the journal could not be written; nothing more was changed",
            "see that the place of the state answers and may be written, then go on with `orchestrate resume`",
        ),
        _ => (
            "the journal could not be written; nothing more was changed",
            "free space or mend the state directory, then go on with `orchestrate resume`",
        ),
    };
    Failure::new(Class::Journal, message).because(error.to_string()).mend(mend)
}

fn bug(illegal: Illegal) -> Failure {
    Failure::new(
        Class::Journal,
        "this is a bug in orchestrate: it was about to write a record out of order; nothing more was changed",
    )
    .because(illegal.to_string())
}
