//! What each type of value is made of, so far as finding its end needs.
//!
//! Read off `rdbSaveObject` and `rdbLoadObject` in `src/rdb.c` of Redis 8.0 and Valkey 9.1. Packed encodings (ziplist,
//! listpack, intset, zipmap) are one string each.

/// A part of a value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// A string of any encoding.
    Str,
    /// A number in the encoding of lengths.
    Len,
    /// That many bytes.
    Fixed(u64),
    /// A score as text: its length in one byte, of which 253 to 255 stand for what has no digits.
    TextScore,
    /// How many times the parts follow, and they.
    Many(&'static [Self]),
    /// The same; the number is that of the value's elements.
    Elements(&'static [Self]),
    /// The number of the value's elements, alone.
    Count,
    /// A list node's kind: 1 plain, 2 packed.
    NodeKind,
    /// A stream id as a string.
    StreamId,
    /// A field's time to live as a number; 0 for none.
    FieldTtl,
    /// A field's expiry in milliseconds; -1 for none.
    FieldExpiry,
    /// The module's number.
    ModuleId,
    /// Parts of a module's value up to the one that ends it.
    ModuleParts,
}

use Item::{
    Count, Elements, FieldExpiry, FieldTtl, Fixed, Len, Many, ModuleId, ModuleParts, NodeKind, Str,
    StreamId, TextScore,
};

pub(crate) const STRING: &[Item] = &[Str];
pub(crate) const STRINGS: &[Item] = &[Elements(&[Str])];
pub(crate) const ZSET: &[Item] = &[Elements(&[Str, TextScore])];
pub(crate) const ZSET_2: &[Item] = &[Elements(&[Str, Fixed(8)])];
pub(crate) const HASH: &[Item] = &[Elements(&[Str, Str])];
pub(crate) const QUICKLIST: &[Item] = &[Many(&[Str])];
pub(crate) const QUICKLIST_2: &[Item] = &[Many(&[NodeKind, Str])];

/// Redis 7.4 to 8.2: the earliest expiry, then each field with its time to live counted from there.
pub(crate) const HASH_METADATA: &[Item] = &[Fixed(8), Elements(&[FieldTtl, Str, Str])];
/// Redis 7.4's release candidates: without the earliest.
pub(crate) const HASH_METADATA_PRE_GA: &[Item] = &[Elements(&[FieldTtl, Str, Str])];
/// The earliest expiry, and a listpack.
pub(crate) const HASH_LISTPACK_EX: &[Item] = &[Fixed(8), Str];
/// Valkey 9: the expiry behind each value.
pub(crate) const HASH_2: &[Item] = &[Elements(&[Str, Str, FieldExpiry])];

const NODES: Item = Many(&[StreamId, Str]);
/// Entries that are pending: id, when they were delivered, how often.
const PENDING: Item = Many(&[Fixed(16 + 8), Len]);
/// Consumers: name, when they were seen last, and the ids of their entries.
const CONSUMERS: Item = Many(&[Str, Fixed(8), Many(&[Fixed(16)])]);
/// From version 3 also when they were active last.
const CONSUMERS_3: Item = Many(&[Str, Fixed(8 + 8), Many(&[Fixed(16)])]);

/// Nodes, entries, last id; groups of name, last id, pending entries and consumers.
pub(crate) const STREAM: &[Item] =
    &[NODES, Count, Len, Len, Many(&[Str, Len, Len, PENDING, CONSUMERS])];
/// Also first id, greatest deleted id, entries ever added; and how many a group has read.
pub(crate) const STREAM_2: &[Item] = &[
    NODES,
    Count,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Many(&[Str, Len, Len, Len, PENDING, CONSUMERS]),
];
pub(crate) const STREAM_3: &[Item] = &[
    NODES,
    Count,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Many(&[Str, Len, Len, Len, PENDING, CONSUMERS_3]),
];

pub(crate) const MODULE_2: &[Item] = &[ModuleId, ModuleParts];
/// After the number comes when it is to be loaded, as a part like any other (`rdbSaveSingleModuleAux`).
pub(crate) const MODULE_AUX: &[Item] = &[ModuleId, ModuleParts];
/// A name and ranges of slots (Valkey, `clusterRDBLoadSlotImport`).
pub(crate) const SLOT_IMPORT: &[Item] = &[Str, Many(&[Len, Len])];

/// How deep the parts nest at most: a value, its groups, their consumers, their entries.
pub(crate) const DEPTH: usize = 4;
