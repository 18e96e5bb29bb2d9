//! Types of values, by the byte in front of a key.

use std::fmt;

use crate::head::Dialect;
use crate::shape::{self, Item};

/// A type as the command TYPE says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// "string".
    String,
    /// "list".
    List,
    /// "set".
    Set,
    /// "zset".
    Zset,
    /// "hash".
    Hash,
    /// "stream".
    Stream,
    /// A module's own; the command TYPE gives the module's name for it.
    Module,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Type and encoding of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// The byte in the file.
    pub code: u8,
    /// The type.
    pub kind: Kind,
    /// The encoding, in the words of the engines' `redis-check-rdb`.
    pub encoding: &'static str,
    pub(crate) shape: &'static [Item],
    /// Whether its fields expire, by the type alone.
    pub(crate) field_expiry: bool,
}

impl fmt::Debug for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.encoding, self.code)
    }
}

/// `RDB_TYPE_*` in `src/rdb.h` and `rdb_type_string` in `src/redis-check-rdb.c` of Redis 8.0 and Valkey 9.1. From 22 on
/// the two differ.
pub(crate) fn value_type(dialect: Dialect, code: u8) -> Option<ValueType> {
    use Dialect::{Redis, Valkey};
    use Kind::{Hash, List, Module, Set, Stream, String, Zset};
    let (kind, encoding, shape) = match (code, dialect) {
        (0, _) => (String, "string", shape::STRING),
        (1, _) => (List, "list-linked", shape::STRINGS),
        (2, _) => (Set, "set-hashtable", shape::STRINGS),
        (3, _) => (Zset, "zset-v1", shape::ZSET),
        (4, _) => (Hash, "hash-hashtable", shape::HASH),
        (5, _) => (Zset, "zset-v2", shape::ZSET_2),
        (7, _) => (Module, "module-value", shape::MODULE_2),
        (9, _) => (Hash, "hash-zipmap", shape::STRING),
        (10, _) => (List, "list-ziplist", shape::STRING),
        (11, _) => (Set, "set-intset", shape::STRING),
        (12, _) => (Zset, "zset-ziplist", shape::STRING),
        (13, _) => (Hash, "hash-ziplist", shape::STRING),
        (14, _) => (List, "quicklist", shape::QUICKLIST),
        (15, _) => (Stream, "stream", shape::STREAM),
        (16, _) => (Hash, "hash-listpack", shape::STRING),
        (17, _) => (Zset, "zset-listpack", shape::STRING),
        (18, _) => (List, "quicklist-v2", shape::QUICKLIST_2),
        (19, _) => (Stream, "stream-v2", shape::STREAM_2),
        (20, _) => (Set, "set-listpack", shape::STRING),
        (21, _) => (Stream, "stream-v3", shape::STREAM_3),
        (22, Redis) => (Hash, "hash-hashtable-md-pre-release", shape::HASH_METADATA_PRE_GA),
        (23, Redis) => (Hash, "hash-listpack-md-pre-release", shape::STRING),
        (24, Redis) => (Hash, "hash-hashtable-md", shape::HASH_METADATA),
        (25, Redis) => (Hash, "hash-listpack-md", shape::HASH_LISTPACK_EX),
        (22, Valkey) => (Hash, "hash-volatile-items", shape::HASH_2),
        _ => return None,
    };
    let field_expiry = dialect == Redis && matches!(code, 23 | 25);
    Some(ValueType { code, kind, encoding, shape, field_expiry })
}
