//! The run's one pen: a record is durable, then it counts, then it is told.

use std::cell::RefCell;

use super::clock::Clock;
use super::event::{Event, EventKind, Sink};
use super::failure::{Class, Failure};
use super::journal::{Entry, Journal, Record};
use super::machine::{Illegal, RunState};

/// Journal, state and audience of one run.
pub struct Ledger {
    clock: Clock,
    sink: Sink,
    open: Option<RefCell<Open>>,
}

struct Open {
    journal: Box<dyn Journal>,
    state: RunState,
    broken: Option<Failure>,
}

impl Ledger {
    /// Begins a run: writes its header.
    ///
    /// # Errors
    /// `Class::Journal` if the header could not be made durable.
    pub fn begin(
        mut journal: Box<dyn Journal>,
        header: Record,
        clock: Clock,
        sink: Sink,
    ) -> Result<Self, Failure> {
        let entry = Entry { seq: 1, at: clock.now(), record: header };
        let state = RunState::begin(&entry).map_err(bug)?;
        journal.append(&entry).map_err(|error| lost(&error))?;
        sink(&Event { at: entry.at, kind: EventKind::Recorded(entry.record) });
        let open = Some(RefCell::new(Open { journal, state, broken: None }));
        Ok(Self { clock, sink, open })
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
        Ok(Self { clock, sink, open: Some(RefCell::new(Open { journal, state, broken: None })) })
    }

    /// A ledger that records nothing, for reading before a run.
    #[must_use]
    pub fn none(clock: Clock, sink: Sink) -> Self {
        Self { clock, sink, open: None }
    }

    /// Makes a record durable, takes it into the state, and tells it.
    ///
    /// # Errors
    /// `Class::Journal` if it is not certain that the record is durable; every later call then fails alike, so that
    /// nothing is changed after that point.
    pub fn record(&self, record: Record) -> Result<(), Failure> {
        let Some(open) = &self.open else { return Ok(()) };
        let at = self.clock.now();
        {
            let mut open = open.borrow_mut();
            if let Some(failure) = &open.broken {
                return Err(failure.clone());
            }
            let entry = Entry { seq: open.state.seq + 1, at, record: record.clone() };
            open.state.check(&entry).map_err(bug)?;
            if let Err(error) = open.journal.append(&entry) {
                let failure = lost(&error);
                open.broken = Some(failure.clone());
                return Err(failure);
            }
            open.state.apply(&entry).map_err(bug)?;
        }
        self.tell(EventKind::Recorded(record));
        Ok(())
    }

    /// Tells something that is not worth a record.
    pub fn tell(&self, kind: EventKind) {
        (self.sink)(&Event { at: self.clock.now(), kind });
    }

    /// The latest note of a step; none if this ledger records nothing.
    pub(super) fn note(&self, step: &str) -> Option<serde_json::Value> {
        let open = self.open.as_ref()?;
        open.borrow().state.step(step).note.clone()
    }

    /// Reads the state.
    ///
    /// # Panics
    /// If the ledger records nothing.
    pub fn state<T>(&self, read: impl FnOnce(&RunState) -> T) -> T {
        let open = self.open.as_ref().expect("only a run's own ledger is asked for its state");
        read(&open.borrow().state)
    }
}

fn lost(error: &super::journal::JournalError) -> Failure {
    Failure::new(Class::Journal, "the journal could not be written; nothing more was changed")
        .because(error.to_string())
        .mend("free space or mend the state directory, then go on with `orchestrate resume`")
}

fn bug(illegal: Illegal) -> Failure {
    Failure::fatal("this is a bug in orchestrate: it wrote a record out of order")
        .because(illegal.to_string())
}
