//! The first nine bytes of a file.

use std::fmt;

use crate::error::Problem;

/// Whose numbers for types and opcodes a file uses: from 22 up the engines have given them different meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `REDIS`: Redis of any version, and Valkey before 9.
    Redis,
    /// `VALKEY`: Valkey 9 and later.
    Valkey,
}

/// Magic and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Head {
    /// By the magic.
    pub dialect: Dialect,
    /// The version of the format.
    pub version: u32,
}

impl Head {
    /// Bytes that a head has.
    pub const LENGTH: usize = 9;

    /// The newest version that is wholly known here, by dialect: Redis 8.2 writes 12, Valkey 9.1 writes 80
    /// (`RDB_VERSION` in their `src/rdb.h`).
    #[must_use]
    pub fn newest(dialect: Dialect) -> u32 {
        match dialect {
            Dialect::Redis => 12,
            Dialect::Valkey => 80,
        }
    }

    /// Whether every type and opcode of the version is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.version <= Self::newest(self.dialect)
    }

    /// Reads a head. `VALKEY` goes with versions from 80, `REDIS` with those below (Valkey, `rdbIsVersionAccepted`).
    /// Versions before 5, of Redis 2.4, had no checksum: they are not taken.
    ///
    /// # Errors
    /// If these are not the first bytes of an RDB file.
    pub fn read(bytes: &[u8; Self::LENGTH]) -> Result<Self, Problem> {
        let digits = |from: usize| {
            bytes[from..].iter().try_fold(0_u32, |number, byte| {
                byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
            })
        };
        let (dialect, version) = if bytes.starts_with(b"VALKEY") {
            (Dialect::Valkey, digits(6))
        } else if bytes.starts_with(b"REDIS") {
            (Dialect::Redis, digits(5))
        } else {
            return Err(Problem::NotRdb { found: *bytes });
        };
        let fits = |version: &u32| match dialect {
            Dialect::Redis => (5..80).contains(version),
            Dialect::Valkey => *version >= 80,
        };
        match version.filter(fits) {
            Some(version) => Ok(Self { dialect, version }),
            None => Err(Problem::NotRdb { found: *bytes }),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            Dialect::Redis => write!(f, "REDIS{:04}", self.version),
            Dialect::Valkey => write!(f, "VALKEY{:03}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_shown_as_it_was_read() {
        for text in ["REDIS0005", "REDIS0009", "REDIS0012", "REDIS0079", "VALKEY080", "VALKEY999"] {
            let head = Head::read(text.as_bytes().try_into().unwrap()).unwrap();
            assert_eq!(head.to_string(), text);
        }
    }

    #[test]
    fn what_no_engine_would_take_is_no_head() {
        for text in [
            "REDIS0000",
            "REDIS0004",
            "REDIS0080",
            "REDIS00x1",
            "VALKEY079",
            "VALKEY000",
            "GARBAGE01",
            "redis0011",
        ] {
            Head::read(text.as_bytes().try_into().unwrap()).unwrap_err();
        }
    }
}
