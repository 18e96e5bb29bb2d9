//! Taking server answers apart.

use redis::{Cmd, Value};

use super::error::{Fault, fault};
use crate::engine::Failure;

/// A command from its words.
pub(super) fn cmd(words: &[&[u8]]) -> Cmd {
    let mut cmd = Cmd::new();
    for word in words {
        cmd.arg(*word);
    }
    cmd
}

/// An answer that is not an error.
pub(super) fn ok(value: Value, at: &str) -> Result<Value, Fault> {
    match value {
        Value::ServerError(error) => Err(fault(&error, at)),
        value => Ok(value),
    }
}

/// A string of bytes; `None` for nil.
pub(super) fn bytes(value: Value, at: &str) -> Result<Option<Vec<u8>>, Fault> {
    match ok(value, at)? {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        Value::Int(number) => Ok(Some(number.to_string().into_bytes())),
        _ => Err(odd("a string", at)),
    }
}

/// A number; `None` for nil.
pub(super) fn number(value: Value, at: &str) -> Result<Option<i64>, Fault> {
    match ok(value, at)? {
        Value::Nil => Ok(None),
        Value::Int(number) => Ok(Some(number)),
        Value::BulkString(bytes) => {
            let text = std::str::from_utf8(&bytes).ok();
            text.and_then(|t| t.parse().ok()).map(Some).ok_or_else(|| odd("a number", at))
        }
        _ => Err(odd("a number", at)),
    }
}

/// A list; empty for nil.
pub(super) fn list(value: Value, at: &str) -> Result<Vec<Value>, Fault> {
    match ok(value, at)? {
        Value::Nil => Ok(Vec::new()),
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(odd("a list", at)),
    }
}

/// A list of strings.
pub(super) fn strings(value: Value, at: &str) -> Result<Vec<Vec<u8>>, Fault> {
    list(value, at)?
        .into_iter()
        .map(|value| bytes(value, at)?.ok_or_else(|| odd("a string", at)))
        .collect()
}

/// The answer to SCAN, HSCAN, SSCAN or ZSCAN: the next cursor, and the items.
pub(super) fn page(value: Value, at: &str) -> Result<(u64, Vec<Vec<u8>>), Fault> {
    let mut halves = list(value, at)?.into_iter();
    let (Some(cursor), Some(items)) = (halves.next(), halves.next()) else {
        return Err(odd("a page", at));
    };
    let cursor = bytes(cursor, at)?
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| odd("a cursor", at))?;
    Ok((cursor, strings(items, at)?))
}

/// A flat list of names and values, as XINFO and FUNCTION LIST give.
pub(super) struct Named(Vec<(Vec<u8>, Value)>);

impl Named {
    pub(super) fn read(value: Value, at: &str) -> Result<Self, Fault> {
        let mut pairs = Vec::new();
        let mut values = list(value, at)?.into_iter();
        while let (Some(name), Some(value)) = (values.next(), values.next()) {
            pairs.push((bytes(name, at)?.unwrap_or_default(), value));
        }
        Ok(Self(pairs))
    }

    /// The value called `name` as text, the way it came; empty for nil or if it is not there.
    pub(super) fn text(&mut self, name: &str, at: &str) -> Result<Vec<u8>, Fault> {
        match self.0.iter().position(|(known, _)| known == name.as_bytes()) {
            Some(index) => Ok(bytes(self.0.swap_remove(index).1, at)?.unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }
}

/// The failure for an answer of the wrong form.
pub(super) fn odd(wanted: &str, at: &str) -> Fault {
    Fault::Failed(Failure::fatal(format!("{at} answered in an unexpected form, not with {wanted}")))
}
