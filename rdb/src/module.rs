//! Modules' names, out of the numbers that stand for them.

use std::fmt;

/// A module's data type: a name of nine characters, and the version of its encoding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Module {
    id: u64,
}

impl Module {
    pub(crate) fn new(id: u64) -> Self {
        Self { id }
    }

    /// The number in the file: nine characters of six bits, then ten bits of version (`moduleTypeEncodeId`).
    #[must_use]
    pub fn id(self) -> u64 {
        self.id
    }

    /// The name, such as "ReJSON-RL" or "MBbloom--".
    #[must_use]
    pub fn name(self) -> String {
        const SYMBOLS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let symbol = |place: u32| char::from(SYMBOLS[(self.id >> (10 + 6 * place) & 63) as usize]);
        (0..9).rev().map(symbol).collect()
    }

    /// The version of the encoding.
    #[must_use]
    pub fn version(self) -> u16 {
        (self.id & 0x3ff) as u16
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.name(), self.version())
    }
}
