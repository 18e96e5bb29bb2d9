//! Values too big to hold: read in windows and folded as they come.

use redis::{Cmd, Value};

use super::error::Fault;
use super::link::Link;
use super::read::{AT_ONCE, Abilities, scored};
use super::reply::{bytes, cmd, list as values, number, page, strings};
use crate::steps::redis::canon::{Bytes, Fold};
use crate::steps::redis::plane::Part;

/// Attempts at a value whose size changes while it is read.
const ATTEMPTS: u32 = 3;

/// A value in its canonical form.
pub(super) struct Folded {
    pub(super) value: Vec<u8>,
    pub(super) parts: Option<Vec<Part>>,
}

impl From<Fold> for Folded {
    fn from(fold: Fold) -> Self {
        let (value, parts) = fold.finish();
        Self { value, parts }
    }
}

/// How many items of a value of `length` items and `memory` bytes make about `AT_ONCE` bytes.
pub(super) fn window(length: u64, memory: u64) -> u64 {
    let each = (memory / length.max(1)).max(1);
    (AT_ONCE / each).clamp(1, 1000)
}

pub(super) async fn string(link: &Link, key: &[u8]) -> Result<Option<Folded>, Fault> {
    let mut folded = Bytes::default();
    let mut from = 0;
    loop {
        let (first, last) = (from.to_string(), (from + AT_ONCE - 1).to_string());
        let answer = link.ask(&cmd(&[b"GETRANGE", key, first.as_bytes(), last.as_bytes()])).await?;
        let piece = bytes(answer, &link.at)?.unwrap_or_default();
        folded.piece(&piece);
        if (piece.len() as u64) < AT_ONCE {
            break;
        }
        from += AT_ONCE;
    }
    // GETRANGE has the same answer for an empty string and for none.
    let there = number(link.ask(&cmd(&[b"EXISTS", key])).await?, &link.at)? == Some(1);
    Ok(there.then(|| Folded { value: folded.finish(), parts: None }))
}

pub(super) async fn list(
    link: &Link,
    key: &[u8],
    memory: u64,
    parts: bool,
) -> Result<Option<Folded>, Fault> {
    let length = length(link, b"LLEN", key).await?;
    let window = window(length, memory);
    let mut fold = Fold::ordered(parts);
    loop {
        let first = fold.count();
        let (from, to) = (first.to_string(), (first + window - 1).to_string());
        let answer = link.ask(&cmd(&[b"LRANGE", key, from.as_bytes(), to.as_bytes()])).await?;
        elements(&mut fold, &strings(answer, &link.at)?);
        if fold.count() < first + window {
            break;
        }
    }
    Ok((fold.count() > 0).then(|| fold.into()))
}

/// Elements of a list, each named by its index.
pub(super) fn elements(fold: &mut Fold, elements: &[Vec<u8>]) {
    for element in elements {
        let index = fold.count().to_string();
        fold.item(index.as_bytes(), &[element]);
    }
}

/// Hashes, sets and sorted sets.
///
/// Items may come twice if the table is resized during the scan; then the count is not the length, and the scan is made
/// again. A value that never holds still keeps a count that no value has, and so equals nothing.
pub(super) async fn scanned(
    link: &Link,
    abilities: Abilities,
    kind: &str,
    key: &[u8],
    memory: u64,
    parts: bool,
) -> Result<Option<Folded>, Fault> {
    let (scan, measure): (&[u8], &[u8]) = match kind {
        "hash" => (b"HSCAN", b"HLEN"),
        "set" => (b"SSCAN", b"SCARD"),
        _ => (b"ZSCAN", b"ZCARD"),
    };
    let mut before = length(link, measure, key).await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let count = window(before, memory).to_string();
        let mut fold = Fold::unordered(parts);
        let mut cursor = 0;
        loop {
            let at = cursor.to_string();
            let scan = cmd(&[scan, key, at.as_bytes(), b"COUNT", count.as_bytes()]);
            let (next, items) = page(link.ask(&scan).await?, &link.at)?;
            match kind {
                "hash" => {
                    let expiry = if abilities.field_expiry && !items.is_empty() {
                        values(link.ask(&field_expiry(key, &items)).await?, &link.at)?
                    } else {
                        Vec::new()
                    };
                    fields(&mut fold, &items, expiry, &link.at)?;
                }
                "set" => items.iter().for_each(|member| fold.item(member, &[])),
                _ => scored(&mut fold, &items, &link.at)?,
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let after = length(link, measure, key).await?;
        if fold.count() == after || attempt == ATTEMPTS {
            return Ok((after > 0).then(|| fold.into()));
        }
        before = after;
    }
}

/// Fields and values in turn, with their times of expiry, if the server knows of such.
pub(super) fn fields(
    fold: &mut Fold,
    pairs: &[Vec<u8>],
    expiry: Vec<Value>,
    at: &str,
) -> Result<(), Fault> {
    let mut expiry = expiry.into_iter();
    for [field, value] in pairs.as_chunks::<2>().0 {
        let expires = expiry.next().map(|value| number(value, at)).transpose()?.flatten();
        match expires.filter(|ms| *ms > 0) {
            Some(ms) => fold.item(field, &[value, b"expires", &ms.to_be_bytes()]),
            None => fold.item(field, &[value]),
        }
    }
    Ok(())
}

/// Asks when the fields among `pairs` expire.
pub(super) fn field_expiry(key: &[u8], pairs: &[Vec<u8>]) -> Cmd {
    let fields = pairs.as_chunks::<2>().0;
    let mut cmd = cmd(&[b"HPEXPIRETIME", key, b"FIELDS"]);
    cmd.arg(fields.len());
    for [field, _] in fields {
        cmd.arg(field.as_slice());
    }
    cmd
}

pub(super) async fn length(link: &Link, measure: &[u8], key: &[u8]) -> Result<u64, Fault> {
    let length = number(link.ask(&cmd(&[measure, key])).await?, &link.at)?.unwrap_or(0);
    Ok(u64::try_from(length).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_bounded_number_of_bytes() {
        assert_eq!(window(1_000_000, 60_000_000), 1000);
        assert_eq!(window(100, 100 * AT_ONCE), 1);
        assert_eq!(window(1000, 10 * AT_ONCE), 100);
        assert_eq!(window(0, 0), 1000);
    }
}
