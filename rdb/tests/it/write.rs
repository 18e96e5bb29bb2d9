//! Writes RDB files piece by piece, as the engines do (`rdbSave*` in `src/rdb.c`).

use crc_fast::{CrcAlgorithm, checksum};

/// A file in the making.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
}

impl File {
    pub(crate) fn new(head: &str) -> Self {
        assert_eq!(head.len(), 9);
        Self { bytes: head.as_bytes().to_vec() }
    }

    pub(crate) fn put(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn aux(self, name: &str, value: &str) -> Self {
        self.put(&[250]).put(&string(name.as_bytes())).put(&string(value.as_bytes()))
    }

    pub(crate) fn database(self, number: u64) -> Self {
        self.put(&[254]).put(&length(number))
    }

    pub(crate) fn key(self, code: u8, key: &[u8], value: &[u8]) -> Self {
        self.put(&[code]).put(&string(key)).put(value)
    }

    pub(crate) fn expiring(self, at: i64) -> Self {
        self.put(&[252]).put(&at.to_le_bytes())
    }

    pub(crate) fn end(self) -> Vec<u8> {
        let ended = self.put(&[255]);
        let sum = checksum(CrcAlgorithm::Crc64Redis, &ended.bytes);
        ended.put(&sum.to_le_bytes()).bytes
    }

    pub(crate) fn end_without_checksum(self) -> Vec<u8> {
        self.put(&[255]).put(&[0; 8]).bytes
    }
}

/// The shortest encoding of a length (`rdbSaveLen`).
pub(crate) fn length(length: u64) -> Vec<u8> {
    match length {
        0..0x40 => vec![length as u8],
        0x40..0x4000 => (0x4000 | length as u16).to_be_bytes().to_vec(),
        0x4000..=0xffff_ffff => [&[0x80][..], &(length as u32).to_be_bytes()].concat(),
        _ => [&[0x81][..], &length.to_be_bytes()].concat(),
    }
}

/// A string as it is.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [length(bytes.len() as u64), bytes.to_vec()].concat()
}

/// `byte` that many times, compressed: one literal, references of 264 bytes to the one before, and one for the rest.
pub(crate) fn repeated(byte: u8, count: u64) -> Vec<u8> {
    assert!(count > 10);
    let mut packed = vec![0, byte];
    let mut left = count - 1;
    while left > 0 {
        let now = match left {
            265..=266 => 200,
            _ => left.min(264),
        };
        assert!(now >= 3);
        match now - 2 {
            short @ 1..7 => packed.extend_from_slice(&[(short as u8) << 5, 0]),
            long => packed.extend_from_slice(&[7 << 5, (long - 7) as u8, 0]),
        }
        left -= now;
    }
    [vec![0xc3], length(packed.len() as u64), length(count), packed].concat()
}

/// A module's number out of its name and version (`moduleTypeEncodeId`).
pub(crate) fn module(name: &str, version: u64) -> Vec<u8> {
    const SYMBOLS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let number = name
        .chars()
        .fold(0, |id, c| id << 6 | SYMBOLS.find(c).expect("a letter of module names") as u64);
    length(number << 10 | version)
}

pub(crate) fn many(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
