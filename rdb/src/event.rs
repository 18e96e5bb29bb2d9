//! What a scan tells.

use crate::head::Head;
use crate::kind::ValueType;
use crate::module::Module;
use crate::text::Text;

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'c> {
    /// The first nine bytes.
    Head(Head),
    /// A note of the engine's, such as "redis-ver" and "8.2.3".
    Aux {
        /// Its name.
        name: Text,
        /// What it says.
        value: Text,
    },
    /// What follows is in this database.
    Database(u64),
    /// How many keys the database has, and how many of them expire. A hint: engines do not rely on it.
    Sizes {
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expiring: u64,
    },
    /// How many keys a slot has (Redis 7.4 and later, cluster mode). A hint, too.
    Slot {
        /// The slot.
        slot: u64,
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        expiring: u64,
    },
    /// A move of slots to this shard was under way (Valkey 9, cluster mode).
    SlotImport,
    /// A library of functions.
    Function(Function),
    /// What a module keeps beside the keys.
    ModuleAux(Module),
    /// A key. Its value follows.
    Entry(Entry),
    /// Some of the value's bytes, if `Options::raw` asks for them.
    Bytes(&'c [u8]),
    /// The value has ended.
    EntryEnd(Value),
    /// The file has ended.
    End(End),
}

/// A key, before its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The database it is in.
    pub database: u64,
    /// Its name.
    pub key: Text,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// For how many seconds nobody had used it (`maxmemory-policy` of the LRU family).
    pub idle: Option<u64>,
    /// How often it was used, as the engine counts (the LFU family).
    pub frequency: Option<u8>,
    /// Type and encoding of the value.
    pub value_type: ValueType,
    /// Where the byte of the type stands in the file.
    pub offset: u64,
}

/// A value, after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Bytes it has in the file.
    pub bytes: u64,
    /// How many elements, where the file says so without the value being unpacked: plain lists, sets, sorted sets and
    /// hashes, and entries of a stream.
    pub elements: Option<u64>,
    /// Whether it is a hash with fields that expire by themselves.
    pub field_expiry: bool,
    /// The module it belongs to.
    pub module: Option<Module>,
}

/// A library of functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, where its code begins as it must: `#!lua name=mylib`.
    pub name: Option<String>,
    /// How long its code is.
    pub length: u64,
    /// Whether it is in the format of the release candidates of Redis 7.0, which no released engine loads.
    pub before_release: bool,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether its bytes are the ones that were written.
    pub checksum: Checksum,
    /// Bytes from its first to the last of the checksum.
    pub bytes: u64,
}

/// What the checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It fits.
    Fits,
    /// There is none: it was switched off (`rdbchecksum no`).
    Absent,
    /// It does not: bytes were changed, lost or added.
    Differs {
        /// The one in the file.
        stored: u64,
        /// The one of the bytes that were read.
        computed: u64,
    },
}
