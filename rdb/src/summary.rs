//! What a file holds, in numbers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::event::{Checksum, Entry, Event};
use crate::head::Head;
use crate::kind::{Kind, ValueType};
use crate::module::Module;

/// A file can claim any number of databases, libraries and modules; so many are told apart.
const MOST: usize = 1024;
/// How much of a big key's name is kept.
const NAME: usize = 256;

/// Keys and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expiring: u64,
    /// Keys whose expiry had passed at the time the tally was given.
    pub expired: u64,
    /// Bytes of their values in the file.
    pub bytes: u64,
}

/// A key and the size of its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Big {
    /// Bytes of the value in the file. Compressed strings count as they are stored.
    pub bytes: u64,
    /// The database it is in.
    pub database: u64,
    /// Its name, or the beginning of it.
    pub key: Vec<u8>,
    /// Its type.
    pub kind: Kind,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Magic and version.
    pub head: Option<Head>,
    /// The engine that wrote it and its version, by its own account, such as "redis 8.2.3".
    pub engine: Option<String>,
    /// When it was written, in seconds since 1970, by the same.
    pub written_at: Option<i64>,
    /// All keys.
    pub all: Count,
    /// Keys by database; also databases that are named and hold nothing.
    pub databases: BTreeMap<u64, Count>,
    /// Keys by type.
    pub kinds: BTreeMap<Kind, Count>,
    /// Hashes with fields that expire by themselves.
    pub field_expiry: u64,
    /// Libraries of functions, by name where they have one.
    pub functions: BTreeSet<String>,
    /// Modules that own keys.
    pub modules: BTreeSet<Module>,
    /// Modules that keep something beside the keys.
    pub modules_aside: BTreeSet<Module>,
    /// Whether there are more databases, libraries or modules than are told apart.
    pub more: bool,
    /// Whether a move of slots was under way.
    pub slot_import: bool,
    /// The biggest keys, the biggest first.
    pub biggest: Vec<Big>,
    /// Bytes of the file.
    pub bytes: u64,
    /// What the checksum says, once the end is reached.
    pub checksum: Option<Checksum>,
}

/// A summary in the making.
#[derive(Debug)]
pub struct Tally {
    now_ms: Option<i64>,
    biggest: usize,
    summary: Summary,
    heap: BinaryHeap<Reverse<Big>>,
    current: Current,
}

/// The key whose value is being passed. Its name is copied only if it turns out to be big.
#[derive(Debug)]
struct Current {
    database: u64,
    key: Vec<u8>,
    expires_at_ms: Option<i64>,
    kind: Kind,
}

impl Tally {
    /// A tally that keeps the names of so many of the biggest keys, and calls a key expired if its time has passed at
    /// `now_ms`.
    #[must_use]
    pub fn new(biggest: usize, now_ms: Option<i64>) -> Self {
        Self {
            now_ms,
            biggest,
            summary: Summary::default(),
            heap: BinaryHeap::new(),
            current: Current {
                database: 0,
                key: Vec::new(),
                expires_at_ms: None,
                kind: Kind::String,
            },
        }
    }

    /// Counts an event.
    pub fn see(&mut self, event: &Event<'_>) {
        match event {
            Event::Head(head) => self.summary.head = Some(*head),
            Event::Aux { name, value } => self.aux(&name.bytes, &value.bytes),
            Event::Database(number) => {
                self.database(*number);
            }
            Event::Function(function) => {
                let name = function.name.clone().unwrap_or_else(|| "(without a name)".to_owned());
                limited(&mut self.summary.functions, name, &mut self.summary.more);
            }
            Event::ModuleAux(module) => {
                limited(&mut self.summary.modules_aside, *module, &mut self.summary.more);
            }
            Event::SlotImport => self.summary.slot_import = true,
            Event::Entry(entry) => self.entry(entry),
            Event::EntryEnd(value) => {
                if value.field_expiry {
                    self.summary.field_expiry += 1;
                }
                if let Some(module) = value.module {
                    limited(&mut self.summary.modules, module, &mut self.summary.more);
                }
                self.count(value.bytes);
            }
            Event::End(end) => {
                self.summary.bytes = end.bytes;
                self.summary.checksum = Some(end.checksum);
            }
            Event::Sizes { .. } | Event::Slot { .. } | Event::Bytes(_) => {}
        }
    }

    fn aux(&mut self, name: &[u8], value: &[u8]) {
        let value = || crate::error::escaped(value, 64);
        match name {
            b"redis-ver" => self.summary.engine = Some(format!("redis {}", value())),
            b"valkey-ver" => self.summary.engine = Some(format!("valkey {}", value())),
            b"ctime" => self.summary.written_at = value().parse().ok(),
            _ => {}
        }
    }

    /// The count of a database, if it is one of those that are told apart.
    fn database(&mut self, number: u64) -> Option<&mut Count> {
        let databases = &mut self.summary.databases;
        if databases.len() >= MOST && !databases.contains_key(&number) {
            self.summary.more = true;
            return None;
        }
        Some(databases.entry(number).or_default())
    }

    fn entry(&mut self, entry: &Entry) {
        let Entry { database, key, expires_at_ms, value_type: ValueType { kind, .. }, .. } = entry;
        let kept = &key.bytes[..key.bytes.len().min(NAME)];
        self.current.key.clear();
        self.current.key.extend_from_slice(kept);
        self.current.database = *database;
        self.current.expires_at_ms = *expires_at_ms;
        self.current.kind = *kind;
    }

    fn count(&mut self, bytes: u64) {
        let Current { database, expires_at_ms, kind, .. } = self.current;
        let expired = expires_at_ms.zip(self.now_ms).is_some_and(|(at, now)| at < now);
        let one = Count {
            keys: 1,
            expiring: u64::from(expires_at_ms.is_some()),
            expired: u64::from(expired),
            bytes,
        };
        self.summary.all.add(one);
        self.summary.kinds.entry(kind).or_default().add(one);
        if let Some(count) = self.database(database) {
            count.add(one);
        }
        if self.biggest == 0 {
            return;
        }
        let full = self.heap.len() >= self.biggest;
        if full && self.heap.peek().is_some_and(|Reverse(least)| least.bytes >= bytes) {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push(Reverse(Big { bytes, database, key: self.current.key.clone(), kind }));
    }

    /// What was counted.
    #[must_use]
    pub fn done(self) -> Summary {
        let biggest = self.heap.into_sorted_vec().into_iter().map(|Reverse(big)| big).collect();
        Summary { biggest, ..self.summary }
    }
}

impl Count {
    fn add(&mut self, one: Self) {
        self.keys += one.keys;
        self.expiring += one.expiring;
        self.expired += one.expired;
        self.bytes += one.bytes;
    }
}

fn limited<T: Ord>(set: &mut BTreeSet<T>, one: T, more: &mut bool) {
    if set.len() < MOST || set.contains(&one) {
        set.insert(one);
    } else {
        *more = true;
    }
}
