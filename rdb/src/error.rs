//! Why a file could not be read on.

use std::fmt;

/// Where and why a scan ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The byte at which what does not fit begins, counted from the start of the file.
    pub offset: u64,
    /// What does not fit.
    pub problem: Problem,
    /// The database and key that were being read: the key escaped, and shortened if it is long.
    pub within: Option<(u64, String)>,
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not an RDB file.
    #[error(
        "this is not an RDB file: it begins with \"{}\", not with REDIS or VALKEY and a version that there is",
        escaped(found, 9)
    )]
    NotRdb {
        /// The first bytes.
        found: [u8; 9],
    },
    /// The file ends too early.
    #[error("the file ends here, in the middle of {what}: it was cut off")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },
    /// A length that reaches over the end of the file.
    #[error(
        "{length} bytes should follow, and the file has only {left} left: it was cut off, or the length is wrong"
    )]
    BeyondEnd {
        /// Bytes that should follow.
        length: u64,
        /// Bytes there are.
        left: u64,
    },
    /// A type of value, or an opcode, that is not known.
    #[error(
        "{code} is no value type or opcode that this program knows: the file is damaged, or from a newer engine"
    )]
    UnknownType {
        /// The byte.
        code: u8,
    },
    /// Values of a module in the format of Redis 4.0's release candidates: nobody but the module finds their end.
    #[error("value type 6, a module's value from before Redis 4.0, which no released engine loads")]
    ModuleBeforeRelease,
    /// A byte that begins no length.
    #[error("a length begins with {byte:#04x}, which is no length: the file is damaged")]
    NotALength {
        /// The byte.
        byte: u8,
    },
    /// A string stored in a way that is not known.
    #[error(
        "a string is stored in the unknown way {code}: the file is damaged, or from a newer engine"
    )]
    UnknownEncoding {
        /// The number of the way.
        code: u8,
    },
    /// Compressed bytes that cannot be what they claim.
    #[error(
        "a compressed string does not unpack to the {plain} bytes it claims: the file is damaged"
    )]
    Lzf {
        /// The length it claims.
        plain: u64,
    },
    /// A node of a list that is neither plain nor packed.
    #[error(
        "a list's node is of the unknown kind {kind}: the file is damaged, or from a newer engine"
    )]
    ListNode {
        /// Its kind.
        kind: u64,
    },
    /// A part of a stream that does not begin with an id.
    #[error("a part of a stream does not begin with an id of 16 bytes: the file is damaged")]
    StreamId,
    /// A field of a hash with an impossible expiry.
    #[error("a hash's field expires at the impossible time {at}: the file is damaged")]
    FieldExpiry {
        /// The time.
        at: i64,
    },
    /// A part of a module's value whose kind is not known.
    #[error(
        "a module's value has a part of the unknown kind {kind}: the file is damaged, or from a newer engine"
    )]
    ModulePart {
        /// Its kind.
        kind: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)?;
        if let Some((database, key)) = &self.within {
            write!(f, ", in key \"{key}\" of database {database}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for Error {}

/// Bytes as text that can be shown anywhere: no control characters, no quotes, at most `most` bytes of them.
#[must_use]
pub fn escaped(bytes: &[u8], most: usize) -> String {
    let shown = &bytes[..bytes.len().min(most)];
    let mut text = shown.escape_ascii().to_string();
    if shown.len() < bytes.len() {
        text.push('…');
    }
    text
}
