//! The life of one simulated process: how far it has come, and what is to befall it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::disk::Trouble;

/// What is left of the write at which a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Nothing.
    Before,
    /// So many 256ths of its line.
    Torn(u8),
    /// All of it.
    After,
}

/// The instant at which a process dies. Counts are from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// When it is polled for the nth time: at any place where its code awaits something.
    AtPoll(u64),
    /// At its nth write to the journal.
    AtWrite(u64, Write),
    /// When it sends its nth request: before it has left, or just after.
    AtSend(u64, bool),
}

/// What befalls a process. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// When it dies.
    pub(super) death: Option<Death>,
    /// The poll at which somebody presses Ctrl-C.
    pub(super) signal: Option<u64>,
    /// The poll at which the machine sleeps, and for how long: time passes and the process stands still.
    pub(super) nap: Option<(u64, Duration)>,
    /// The poll from which this process alone stands still, and for how long: its machine is asleep, and others are not.
    pub(super) stall: Option<(u64, Duration)>,
    /// The poll at which the machine's clock is set, by so many milliseconds.
    pub(super) step: Option<(u64, i64)>,
    /// The poll at which a second person gives a command for the same run.
    pub(super) second: Option<u64>,
    /// The write from which on the disk is in trouble.
    pub(super) trouble: Option<(u64, Trouble)>,
}

/// One process.
#[derive(Debug)]
pub(super) struct Life {
    /// Counts from 1.
    pub(super) id: u32,
    /// What befalls it.
    pub(super) fate: Fate,
    dead: AtomicBool,
    polls: AtomicU64,
    writes: AtomicU64,
    sends: AtomicU64,
    ended: Mutex<Option<String>>,
}

/// How far a process came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// How often it was polled.
    pub polls: u64,
    /// Its writes to the journal.
    pub writes: u64,
    /// Its requests.
    pub sends: u64,
}

impl Life {
    pub(super) fn new(id: u32, fate: Fate) -> Self {
        Self {
            id,
            fate,
            dead: AtomicBool::default(),
            polls: AtomicU64::default(),
            writes: AtomicU64::default(),
            sends: AtomicU64::default(),
            ended: Mutex::default(),
        }
    }

    /// From here on nothing it does reaches the disk or the network.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Counts a poll and gives its number.
    pub(super) fn polled(&self) -> u64 {
        self.polls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The trouble that begins with the write that is about to be made.
    pub(super) fn trouble_of_next_write(&self) -> Option<Trouble> {
        let next = self.writes.load(Ordering::Relaxed) + 1;
        self.fate.trouble.filter(|(at, _)| *at == next).map(|(_, trouble)| trouble)
    }

    /// Counts a write; says whether the process dies at it.
    pub(super) fn writing(&self) -> Option<Write> {
        let nth = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fate.death {
            Some(Death::AtWrite(at, write)) if at == nth => Some(write),
            _ => None,
        }
    }

    /// Counts a request; says whether the process dies at it, and if so whether the request has left.
    pub(super) fn sending(&self) -> Option<bool> {
        let nth = self.sends.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fate.death {
            Some(Death::AtSend(at, left)) if at == nth => Some(left),
            _ => None,
        }
    }

    pub(super) fn reach(&self) -> Reach {
        Reach {
            polls: self.polls.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            sends: self.sends.load(Ordering::Relaxed),
        }
    }

    /// Keeps the words a process ended with.
    pub(super) fn say(&self, words: String) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
    }

    pub(super) fn said(&self) -> Option<String> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
