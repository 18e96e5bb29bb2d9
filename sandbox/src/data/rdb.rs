//! RDB files, version 10, in the plain encodings: what the model writes and reads back, and real servers load.

use super::model::{Entries, Entry};
use super::spec::Pretence;
use super::value::Value;
use crc::{CRC_64_REDIS, Crc};
use std::collections::BTreeMap;

const CRC64: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);
/// The newest version the model takes, that of Redis 7.2.
const NEWEST: u32 = 11;
/// A file made without a clock says when all the same; fixed, so that equal content gives equal files.
const CTIME: &str = "1700000000";

mod op {
    pub(super) const FUNCTION2: u8 = 245;
    pub(super) const MODULE_AUX: u8 = 247;
    pub(super) const FREQ: u8 = 249;
    pub(super) const IDLE: u8 = 248;
    pub(super) const AUX: u8 = 250;
    pub(super) const RESIZEDB: u8 = 251;
    pub(super) const EXPIRETIME_MS: u8 = 252;
    pub(super) const EXPIRETIME: u8 = 253;
    pub(super) const SELECTDB: u8 = 254;
    pub(super) const EOF: u8 = 255;
}

mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const HASH: u8 = 4;
    pub(super) const ZSET_2: u8 = 5;
    pub(super) const MODULE_2: u8 = 7;
}

/// A whole file with these entries in database 0.
pub(crate) fn write(entries: &Entries, pretence: Pretence) -> Vec<u8> {
    let mut out = b"REDIS0010".to_vec();
    let used = pretence.used_memory.map(|bytes| bytes.to_string());
    let used = used.as_deref().map(|bytes| ("used-mem", bytes));
    let aux = [("redis-ver", "7.0.15"), ("redis-bits", "64"), ("ctime", CTIME)];
    for (name, value) in aux.into_iter().chain(used) {
        out.push(op::AUX);
        put_string(&mut out, name.as_bytes());
        put_string(&mut out, value.as_bytes());
    }
    if !entries.is_empty() {
        out.push(op::SELECTDB);
        put_length(&mut out, 0);
        out.push(op::RESIZEDB);
        put_length(&mut out, entries.len());
        let expiring = entries.values().filter(|entry| entry.expires_at_ms.is_some()).count();
        put_length(&mut out, expiring);
    }
    for (key, entry) in entries {
        if let Some(at) = entry.expires_at_ms {
            out.push(op::EXPIRETIME_MS);
            out.extend_from_slice(&at.to_le_bytes());
        }
        put_entry(&mut out, key, &entry.value);
    }
    out.push(op::EOF);
    let sum = CRC64.checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// A file without keys.
pub(crate) fn empty() -> Vec<u8> {
    write(&Entries::new(), Pretence::default())
}

/// The head of an engine's files (`RDB_VERSION` and the magic in the sources of Redis and Valkey; AWS's Redis 7.1 is
/// compatible with 7.0). An engine that is not known writes as the model does.
fn head(engine: &str, version: &str) -> &'static [u8; 9] {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match (engine, major) {
        ("redis", Some(5 | 6)) => b"REDIS0009",
        ("valkey", Some(7 | 8)) => b"REDIS0011",
        ("valkey", Some(9..)) => b"VALKEY080",
        _ => b"REDIS0010",
    }
}

/// A file of the model as this engine would write it, with a key in each of so many databases. Version 9 is the same in
/// the plain encodings used here, and so are 11 and 80.
pub(crate) fn as_written_by(file: &[u8], engine: &str, version: &str, databases: u16) -> Vec<u8> {
    // Behind the last entry come the end mark and the checksum.
    let entries = file.get(9..file.len().saturating_sub(9)).unwrap_or_default();
    let mut out = head(engine, version).to_vec();
    out.extend_from_slice(entries);
    for number in 1..databases {
        out.push(op::SELECTDB);
        put_length(&mut out, usize::from(number));
        out.extend_from_slice(&[op::RESIZEDB, 1, 0]);
        put_entry(&mut out, b"elsewhere", &Value::String(b"value".to_vec()));
    }
    out.push(op::EOF);
    let sum = CRC64.checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn put_entry(out: &mut Vec<u8>, key: &[u8], value: &Value) {
    let kind = match value {
        Value::String(_) => kind::STRING,
        Value::List(_) => kind::LIST,
        Value::Set(_) => kind::SET,
        Value::Hash(_) => kind::HASH,
        Value::Zset(_) => kind::ZSET_2,
    };
    out.push(kind);
    put_string(out, key);
    match value {
        Value::String(value) => put_string(out, value),
        Value::List(items) | Value::Set(items) => {
            put_length(out, items.len());
            items.iter().for_each(|item| put_string(out, item));
        }
        Value::Hash(fields) => {
            put_length(out, fields.len());
            for (field, value) in fields {
                put_string(out, field);
                put_string(out, value);
            }
        }
        Value::Zset(members) => {
            put_length(out, members.len());
            for (member, score) in members {
                put_string(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            }
        }
    }
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Six bits, fourteen, thirty-two or sixty-four, the shortest that fits.
fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(0x4000 | length as u16).to_be_bytes()),
        _ => match u32::try_from(length) {
            Ok(length) => {
                out.push(0x80);
                out.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                out.push(0x81);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        },
    }
}

/// The entries of each database, or why the file cannot be loaded, in a server's words where it has some.
pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<u32, Entries>, String> {
    check_header(bytes)?;
    let mut cursor = Cursor { bytes, at: 9 };
    let mut databases: BTreeMap<u32, Entries> = BTreeMap::new();
    let mut database = 0;
    let mut expires_at_ms = None;
    loop {
        match cursor.byte()? {
            op::AUX => {
                cursor.string()?;
                cursor.string()?;
            }
            op::FUNCTION2 => {
                cursor.string()?;
            }
            op::MODULE_AUX => {
                let name = module_name(cursor.length()?);
                return Err(format!(
                    "The RDB file contains AUX module data I can't load: no matching module '{name}'"
                ));
            }
            op::SELECTDB => database = u32::try_from(cursor.length()?).map_err(|_| short())?,
            op::RESIZEDB => {
                cursor.length()?;
                cursor.length()?;
            }
            op::EXPIRETIME_MS => expires_at_ms = Some(u64::from_le_bytes(cursor.array()?)),
            op::EXPIRETIME => {
                expires_at_ms = Some(u64::from(u32::from_le_bytes(cursor.array()?)) * 1000);
            }
            op::FREQ => {
                cursor.byte()?;
            }
            op::IDLE => {
                cursor.length()?;
            }
            op::EOF => break,
            kind => {
                let key = cursor.string()?;
                let value = cursor.value(kind)?;
                let entry = Entry { value, expires_at_ms: expires_at_ms.take() };
                databases.entry(database).or_default().insert(key, entry);
            }
        }
    }
    let computed = CRC64.checksum(&bytes[..cursor.at]);
    let written = u64::from_le_bytes(cursor.array()?);
    // Zero says that checksums were switched off.
    if written != 0 && written != computed {
        return Err(format!(
            "Wrong RDB checksum expected: ({computed:x}) but got ({written:x}). Aborting now."
        ));
    }
    Ok(databases)
}

fn check_header(bytes: &[u8]) -> Result<(), String> {
    let Some(header) = bytes.get(..9) else { return Err(short()) };
    let version = header
        .strip_prefix(b"REDIS")
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok())
        .ok_or("Wrong signature trying to load DB from file")?;
    if version == 0 || version > NEWEST {
        return Err(format!("Can't handle RDB format version {version}"));
    }
    Ok(())
}

/// Bytes of memory that the server used when it wrote the file, where it says so.
pub(crate) fn stated_memory(bytes: &[u8]) -> Option<u64> {
    let mut cursor = Cursor { bytes, at: 9 };
    loop {
        if cursor.byte().ok()? != op::AUX {
            return None;
        }
        let (name, value) = (cursor.string().ok()?, cursor.string().ok()?);
        if name == b"used-mem" {
            return std::str::from_utf8(&value).ok()?.parse().ok();
        }
    }
}

/// The key count in front of the first database, from a file of any kind of server: `Some(0)` without databases,
/// `None` if it is not there to be found.
pub(crate) fn first_key_count(bytes: &[u8]) -> Option<u64> {
    let mut cursor = Cursor { bytes, at: 9 };
    loop {
        match cursor.byte().ok()? {
            op::AUX => {
                cursor.skip_string().ok()?;
                cursor.skip_string().ok()?;
            }
            op::FUNCTION2 => cursor.skip_string().ok()?,
            op::SELECTDB => {
                cursor.length().ok()?;
            }
            op::RESIZEDB => return cursor.length().ok(),
            op::EOF => return Some(0),
            _ => return None,
        }
    }
}

/// Nine characters of six bits, then ten bits of version (`moduleTypeNameByID` in the engines' `src/module.c`).
fn module_name(id: u64) -> String {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let symbol = |place: u32| char::from(SYMBOLS[(id >> (10 + 6 * place) & 63) as usize]);
    (0..9).rev().map(symbol).collect()
}

fn short() -> String {
    "Short read or OOM loading DB. Unrecoverable error, aborting now.".to_owned()
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

enum Length {
    Plain(u64),
    /// The string that follows is stored in a special way.
    Special(u8),
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(short)?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N as u64)?.try_into().map_err(|_| short())
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn any_length(&mut self) -> Result<Length, String> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Plain(u64::from(first)),
            1 => Length::Plain(u64::from(first & 0x3F) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            2 if first == 0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            3 => Length::Special(first & 0x3F),
            _ => return Err(format!("Unknown length encoding {first} in rdbLoadLen()")),
        })
    }

    fn length(&mut self) -> Result<u64, String> {
        match self.any_length()? {
            Length::Plain(length) => Ok(length),
            Length::Special(encoding) => {
                Err(format!("Unknown RDB string encoding type {encoding}"))
            }
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, String> {
        let number = match self.any_length()? {
            Length::Plain(length) => return self.take(length).map(<[u8]>::to_vec),
            Length::Special(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Special(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Special(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => {
                return Err("it has compressed strings, which only a real server reads; install \
                            redis-server for the sandbox to use"
                    .to_owned());
            }
            Length::Special(encoding) => {
                return Err(format!("Unknown RDB string encoding type {encoding}"));
            }
        };
        Ok(number.to_string().into_bytes())
    }

    fn skip_string(&mut self) -> Result<(), String> {
        let length = match self.any_length()? {
            Length::Plain(length) => length,
            Length::Special(width @ 0..=2) => 1 << width,
            Length::Special(_) => {
                let compressed = self.length()?;
                self.length()?;
                compressed
            }
        };
        self.take(length).map(|_| ())
    }

    fn value(&mut self, kind: u8) -> Result<Value, String> {
        Ok(match kind {
            kind::STRING => Value::String(self.string()?),
            kind::LIST => Value::List(self.many(Self::string)?),
            kind::SET => Value::Set(self.many(Self::string)?),
            kind::HASH => Value::Hash(self.many(|c| Ok((c.string()?, c.string()?)))?),
            kind::ZSET_2 => {
                Value::Zset(self.many(|c| Ok((c.string()?, f64::from_le_bytes(c.array()?))))?)
            }
            kind::MODULE_2 => {
                let name = module_name(self.length()?);
                return Err(format!(
                    "The RDB file contains module data I can't load: no matching module type '{name}'"
                ));
            }
            6..=25 => {
                return Err(format!(
                    "it has values of type {kind}, which only a real server reads; install \
                     redis-server for the sandbox to use"
                ));
            }
            _ => return Err(format!("Unknown RDB encoding type {kind}")),
        })
    }

    fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let count = self.length()?;
        // A count from a broken file is not an allocation.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(one(self)?);
        }
        Ok(items)
    }
}
