//! Streams: entries, groups, consumers, and what is pending with them.
//!
//! Read with commands that Redis 5 has too, in windows; XINFO STREAM FULL would give all of it at once, however much it is.
//! Times of delivery are left out: every claim and every read renews them, and servers tell them in different ways.

use redis::Value;

use super::chunk::{Folded, length, window};
use super::error::Fault;
use super::link::Link;
use super::read::Abilities;
use super::reply::{Named, bytes, cmd, list, odd, strings};
use crate::steps::redis::canon::Fold;

const PENDING_WINDOW: u64 = 1000;

pub(super) async fn fold(
    link: &Link,
    abilities: Abilities,
    key: &[u8],
    memory: u64,
    parts: bool,
) -> Result<Option<Folded>, Fault> {
    let at = link.at.as_str();
    let mut fold = Fold::unordered(parts);
    entries(link, key, memory, &mut fold).await?;

    // Fails with "no such key" if the stream is gone, which reads as a change.
    let answer = whole(link, &[b"XINFO", b"STREAM", key]).await?;
    let mut info = Named::read(answer, at)?;
    fold.item(b"last id", &[&info.text("last-generated-id", at)?]);
    if abilities.stream_counters {
        let added = info.text("entries-added", at)?;
        fold.item(b"counters", &[&added, &info.text("max-deleted-entry-id", at)?]);
    }
    for group in list(whole(link, &[b"XINFO", b"GROUPS", key]).await?, at)? {
        let mut group = Named::read(group, at)?;
        let name = group.text("name", at)?;
        let last = group.text("last-delivered-id", at)?;
        let label = [b"group ".as_slice(), &name].concat();
        if abilities.stream_counters {
            fold.item(&label, &[&last, &group.text("entries-read", at)?]);
        } else {
            fold.item(&label, &[&last]);
        }
        for consumer in list(whole(link, &[b"XINFO", b"CONSUMERS", key, &name]).await?, at)? {
            let consumer = Named::read(consumer, at)?.text("name", at)?;
            let label = [b"consumer of group ".as_slice(), &name].concat();
            fold.item(&label, &[&consumer]);
        }
        pending(link, key, &name, &mut fold).await?;
    }
    Ok(Some(fold.into()))
}

async fn entries(link: &Link, key: &[u8], memory: u64, fold: &mut Fold) -> Result<(), Fault> {
    let window = window(length(link, b"XLEN", key).await?, memory);
    let count = window.to_string();
    let mut from = b"-".to_vec();
    loop {
        let answer =
            whole(link, &[b"XRANGE", key, &from, b"+", b"COUNT", count.as_bytes()]).await?;
        let (mut got, mut last) = (0, Vec::new());
        for entry in list(answer, &link.at)? {
            let (id, rest) = headed(entry, link)?;
            let fields = rest.into_iter().next().unwrap_or_default();
            let fields = strings(fields, &link.at)?;
            let content: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            fold.item(&[b"entry ".as_slice(), &id].concat(), &content);
            got += 1;
            last = id;
        }
        if got < window {
            return Ok(());
        }
        from = after(&last).ok_or_else(|| odd("an entry id", &link.at))?;
    }
}

async fn pending(link: &Link, key: &[u8], group: &[u8], fold: &mut Fold) -> Result<(), Fault> {
    let count = PENDING_WINDOW.to_string();
    let mut from = b"-".to_vec();
    loop {
        let answer = whole(link, &[b"XPENDING", key, group, &from, b"+", count.as_bytes()]).await?;
        let (mut got, mut last) = (0, Vec::new());
        for entry in list(answer, &link.at)? {
            let (id, rest) = headed(entry, link)?;
            // The consumer, milliseconds since delivery, and how often it was delivered.
            let mut rest = rest.into_iter();
            let consumer = bytes(rest.next().unwrap_or_default(), &link.at)?.unwrap_or_default();
            let deliveries = bytes(rest.nth(1).unwrap_or_default(), &link.at)?.unwrap_or_default();
            let label = [b"pending ".as_slice(), &id, b" of group ", group].concat();
            fold.item(&label, &[&consumer, &deliveries]);
            got += 1;
            last = id;
        }
        if got < PENDING_WINDOW {
            return Ok(());
        }
        from = after(&last).ok_or_else(|| odd("an entry id", &link.at))?;
    }
}

/// A list that begins with an id.
fn headed(value: Value, link: &Link) -> Result<(Vec<u8>, Vec<Value>), Fault> {
    let mut values = list(value, &link.at)?;
    if values.is_empty() {
        return Err(odd("an entry", &link.at));
    }
    let rest = values.split_off(1);
    let id = values.pop().unwrap_or_default();
    Ok((bytes(id, &link.at)?.unwrap_or_default(), rest))
}

/// The least id greater than `id`; ranges that exclude their start came only with 6.2.
fn after(id: &[u8]) -> Option<Vec<u8>> {
    let (ms, sequence) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let (ms, sequence): (u64, u64) = (ms.parse().ok()?, sequence.parse().ok()?);
    Some(match sequence.checked_add(1) {
        Some(sequence) => format!("{ms}-{sequence}").into_bytes(),
        None => format!("{}-0", ms.checked_add(1)?).into_bytes(),
    })
}

/// One command whose error answer may be about the key.
async fn whole(link: &Link, words: &[&[u8]]) -> Result<Value, Fault> {
    link.ask(&cmd(words)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_id_carries_into_the_milliseconds() {
        assert_eq!(after(b"5-1").unwrap(), b"5-2");
        assert_eq!(after(b"5-18446744073709551615").unwrap(), b"6-0");
        assert_eq!(after(b"18446744073709551615-18446744073709551615"), None);
        assert_eq!(after(b"x"), None);
    }
}
