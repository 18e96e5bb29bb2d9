//! Reading keys of one primary: small values many at a time in pipelines, big ones in chunks.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use redis::{Cmd, Pipeline, Value};

use super::chunk::{self, Folded};
use super::error::Fault;
use super::link::Link;
use super::reply::{bytes, cmd, list, number, odd, strings};
use super::stream as streams;
use crate::engine::Failure;
use crate::steps::redis::canon::{Bytes, Fold, score};
use crate::steps::redis::plane::{Entry, Part};

/// Values that take more memory than this on the server are read in chunks, and no more than this is asked for at once:
/// it bounds this program's memory and how long one command holds the server up.
pub(super) const AT_ONCE: u64 = 512 * 1024;
/// Streams take several commands each; so many are read side by side.
const STREAMS_AT_ONCE: usize = 16;

/// What a server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    /// PEXPIRETIME: exact times of expiry (7.0).
    pub(super) expiry_times: bool,
    /// Function libraries (7.0).
    pub(super) functions: bool,
    /// Streams count what was added and read (7.0).
    pub(super) stream_counters: bool,
    /// Fields of hashes expire (Redis 7.4, Valkey 9).
    pub(super) field_expiry: bool,
}

impl Abilities {
    /// From INFO. Valkey calls itself Redis 7.2 as well, for old clients.
    pub(super) fn of(info: &BTreeMap<String, String>) -> Self {
        let version = |name: &str| {
            let mut numbers = info.get(name)?.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
            Some((numbers.next()?, numbers.next().unwrap_or(0)))
        };
        let redis = version("redis_version").unwrap_or((0, 0));
        let since_7 = redis >= (7, 0);
        let field_expiry = match version("valkey_version") {
            Some(valkey) => valkey >= (9, 0),
            None => redis >= (7, 4),
        };
        Self { expiry_times: since_7, functions: since_7, stream_counters: since_7, field_expiry }
    }
}

/// What came of reading one key.
pub(super) enum Got {
    There(Entry),
    Absent,
    /// Not readable just now: ask again, on the right node.
    Again,
}

/// What is known of a key before its value is read.
struct Head {
    kind: String,
    expires_at_ms: Option<u64>,
    /// Memory the server says it takes; an estimate for large ones.
    memory: u64,
}

/// Reads `keys`, all of which should be on this server.
pub(super) async fn keys(
    link: &Link,
    abilities: Abilities,
    keys: &[&[u8]],
) -> Result<Vec<Got>, Failure> {
    let heads = heads(link, abilities, keys).await?;
    let mut folded: Vec<Option<Folded>> = keys.iter().map(|_| None).collect();
    let mut got: Vec<Option<Got>> = keys.iter().map(|_| None).collect();
    let (mut batch, mut weight) = (Vec::new(), 0);
    let mut one_by_one = Vec::new();
    for (index, head) in heads.iter().enumerate() {
        match head {
            Ok(None) => got[index] = Some(Got::Absent),
            Ok(Some(head)) if head.kind == "stream" || is_big(head) => one_by_one.push(index),
            Ok(Some(head)) => {
                if weight + head.memory > AT_ONCE {
                    settle(link, abilities, keys, &heads, &batch, &mut folded, &mut got).await?;
                    batch.clear();
                    weight = 0;
                }
                batch.push(index);
                weight += head.memory;
            }
            Err(Fault::Elsewhere | Fault::Changed) => got[index] = Some(Got::Again),
            Err(Fault::Failed(failure)) => return Err(failure.clone()),
        }
    }
    settle(link, abilities, keys, &heads, &batch, &mut folded, &mut got).await?;

    let (small, big): (Vec<usize>, Vec<usize>) = one_by_one
        .into_iter()
        .partition(|index| !matches!(&heads[*index], Ok(Some(h)) if is_big(h)));
    for (at_once, indexes) in [(STREAMS_AT_ONCE, small), (1, big)] {
        let kind = |index: usize| match &heads[index] {
            Ok(Some(head)) => head.kind.as_str(),
            _ => "",
        };
        let memory = |index: usize| match &heads[index] {
            Ok(Some(head)) => head.memory,
            _ => 0,
        };
        let mut reads = stream::iter(indexes)
            .map(async |index| {
                (index, fold(link, abilities, kind(index), keys[index], memory(index), false).await)
            })
            .buffer_unordered(at_once);
        while let Some((index, result)) = reads.next().await {
            note(result, index, &mut folded, &mut got)?;
        }
    }
    Ok(heads
        .into_iter()
        .zip(folded)
        .zip(got)
        .map(|((head, folded), got)| match (got, folded, head) {
            (Some(got), _, _) => got,
            (None, Some(folded), Ok(Some(head))) => Got::There(Entry {
                kind: head.kind,
                value: folded.value,
                expires_at_ms: head.expires_at_ms,
            }),
            _ => Got::Absent,
        })
        .collect())
}

/// The parts of one value, for saying in what it differs.
pub(super) async fn parts(
    link: &Link,
    abilities: Abilities,
    key: &[u8],
) -> Result<Option<Vec<Part>>, Fault> {
    let Some(head) = heads(link, abilities, &[key]).await?.pop() else { return Ok(None) };
    let Some(head) = head? else { return Ok(None) };
    let folded = fold(link, abilities, &head.kind, key, head.memory, true).await?;
    Ok(folded.and_then(|folded| folded.parts))
}

/// Milliseconds since the epoch, from TIME.
pub(super) fn clock(time: Value, at: &str) -> Result<u64, Fault> {
    let mut numbers = strings(time, at)?
        .into_iter()
        .map(|text| String::from_utf8(text).ok().and_then(|t| t.parse::<u64>().ok()));
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(seconds), Some(micros)) => Ok(seconds * 1000 + micros / 1000),
        _ => Err(odd("a time", at)),
    }
}

fn is_big(head: &Head) -> bool {
    head.memory > AT_ONCE && is_core(&head.kind)
}

/// Whether the value can be taken apart; anything else belongs to a module.
fn is_core(kind: &str) -> bool {
    matches!(kind, "string" | "hash" | "list" | "set" | "zset" | "stream")
}

async fn heads(
    link: &Link,
    abilities: Abilities,
    keys: &[&[u8]],
) -> Result<Vec<Result<Option<Head>, Fault>>, Failure> {
    let mut pipe = Pipeline::with_capacity(keys.len() * 3 + 1);
    // Before 7.0 only the time left is told; with the server's clock in the same batch that is an instant again.
    let expiry: &[u8] = if abilities.expiry_times { b"PEXPIRETIME" } else { b"PTTL" };
    pipe.add_command(if abilities.expiry_times { cmd(&[b"PING"]) } else { cmd(&[b"TIME"]) });
    for key in keys {
        pipe.add_command(cmd(&[b"TYPE", key]));
        pipe.add_command(cmd(&[expiry, key]));
        pipe.add_command(cmd(&[b"MEMORY", b"USAGE", key]));
    }
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut answers = link.all(&pipe, keys.len() * 3 + 1).await?.into_iter();
    let first = answers.next().unwrap_or_default();
    let now = match abilities.expiry_times {
        true => 0,
        false => match clock(first, &link.at) {
            Ok(now) => now,
            Err(Fault::Failed(failure)) => return Err(failure),
            Err(Fault::Elsewhere | Fault::Changed) => 0,
        },
    };
    let mut heads = Vec::with_capacity(keys.len());
    while let (Some(kind), Some(expiry), Some(memory)) =
        (answers.next(), answers.next(), answers.next())
    {
        heads.push(head(kind, expiry, memory, now, &link.at));
    }
    Ok(heads)
}

fn head(
    kind: Value,
    expiry: Value,
    memory: Value,
    now: u64,
    at: &str,
) -> Result<Option<Head>, Fault> {
    let kind = String::from_utf8_lossy(&bytes(kind, at)?.unwrap_or_default()).into_owned();
    let expiry = number(expiry, at)?.unwrap_or(-2);
    let memory = number(memory, at)?;
    if kind == "none" || expiry == -2 {
        return Ok(None);
    }
    let Some(memory) = memory else { return Ok(None) };
    Ok(Some(Head {
        kind,
        expires_at_ms: u64::try_from(expiry).ok().map(|ms| now + ms),
        memory: u64::try_from(memory).unwrap_or(0),
    }))
}

/// Reads the values of `batch` whole and files them.
async fn settle(
    link: &Link,
    abilities: Abilities,
    keys: &[&[u8]],
    heads: &[Result<Option<Head>, Fault>],
    batch: &[usize],
    folded: &mut [Option<Folded>],
    got: &mut [Option<Got>],
) -> Result<(), Failure> {
    let kinds: Vec<(&str, &[u8])> = batch
        .iter()
        .filter_map(|index| match &heads[*index] {
            Ok(Some(head)) => Some((head.kind.as_str(), keys[*index])),
            _ => None,
        })
        .collect();
    for (result, index) in whole(link, abilities, &kinds).await?.into_iter().zip(batch) {
        note(result, *index, folded, got)?;
    }
    Ok(())
}

fn note(
    result: Result<Option<Folded>, Fault>,
    index: usize,
    folded: &mut [Option<Folded>],
    got: &mut [Option<Got>],
) -> Result<(), Failure> {
    match result {
        Ok(Some(value)) => folded[index] = Some(value),
        Ok(None) => got[index] = Some(Got::Absent),
        Err(Fault::Elsewhere | Fault::Changed) => got[index] = Some(Got::Again),
        Err(Fault::Failed(failure)) => return Err(failure),
    }
    Ok(())
}

/// Values read with one command each, all in one pipeline.
async fn whole(
    link: &Link,
    abilities: Abilities,
    keys: &[(&str, &[u8])],
) -> Result<Vec<Result<Option<Folded>, Fault>>, Failure> {
    let mut pipe = Pipeline::with_capacity(keys.len());
    for (kind, key) in keys {
        pipe.add_command(reader(kind, key));
    }
    let answers = link.all(&pipe, keys.len()).await?;
    let mut results = Vec::with_capacity(keys.len());
    let mut hashes = Vec::new();
    for ((kind, key), answer) in keys.iter().zip(answers) {
        if *kind == "hash" && abilities.field_expiry {
            match strings(answer, &link.at) {
                Ok(pairs) => {
                    hashes.push((results.len(), *key, pairs));
                    results.push(Ok(None));
                }
                Err(fault) => results.push(Err(fault)),
            }
        } else {
            results.push(value(kind, answer, &link.at));
        }
    }
    // Expiry of fields needs the fields' names first.
    let mut pipe = Pipeline::with_capacity(hashes.len());
    hashes.retain(|(_, _, pairs)| !pairs.is_empty());
    for (_, key, pairs) in &hashes {
        pipe.add_command(chunk::field_expiry(key, pairs));
    }
    let answers = link.all(&pipe, hashes.len()).await?;
    for ((index, _, pairs), answer) in hashes.into_iter().zip(answers) {
        let mut fold = Fold::unordered(false);
        results[index] = list(answer, &link.at)
            .and_then(|expiry| chunk::fields(&mut fold, &pairs, expiry, &link.at))
            .map(|()| Some(Folded::from(fold)));
    }
    Ok(results)
}

fn reader(kind: &str, key: &[u8]) -> Cmd {
    match kind {
        "string" => cmd(&[b"GET", key]),
        "hash" => cmd(&[b"HGETALL", key]),
        "list" => cmd(&[b"LRANGE", key, b"0", b"-1"]),
        "set" => cmd(&[b"SMEMBERS", key]),
        "zset" => cmd(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]),
        _ => cmd(&[b"DUMP", key]),
    }
}

/// The canonical form of one answer to `reader`. `None` if the key is gone.
fn value(kind: &str, answer: Value, at: &str) -> Result<Option<Folded>, Fault> {
    let mut fold = if kind == "list" { Fold::ordered(false) } else { Fold::unordered(false) };
    match kind {
        "hash" => chunk::fields(&mut fold, &strings(answer, at)?, Vec::new(), at)?,
        "zset" => scored(&mut fold, &strings(answer, at)?, at)?,
        "set" => strings(answer, at)?.iter().for_each(|member| fold.item(member, &[])),
        "list" => chunk::elements(&mut fold, &strings(answer, at)?),
        _ => {
            let Some(mut value) = bytes(answer, at)? else { return Ok(None) };
            if kind != "string" {
                // What DUMP appends: two bytes of version and eight of checksum, which differ between servers.
                value.truncate(value.len().saturating_sub(10));
            }
            let mut bytes = Bytes::default();
            bytes.piece(&value);
            return Ok(Some(Folded { value: bytes.finish(), parts: None }));
        }
    }
    Ok((fold.count() > 0).then(|| fold.into()))
}

/// Members and scores in turn.
pub(super) fn scored(fold: &mut Fold, pairs: &[Vec<u8>], at: &str) -> Result<(), Fault> {
    for [member, text] in pairs.as_chunks::<2>().0 {
        let score = score(text).ok_or_else(|| odd("a score", at))?;
        fold.item(member, &[&score]);
    }
    Ok(())
}

/// One value, read in chunks of about `AT_ONCE` bytes. `None` if the key is gone.
async fn fold(
    link: &Link,
    abilities: Abilities,
    kind: &str,
    key: &[u8],
    memory: u64,
    parts: bool,
) -> Result<Option<Folded>, Fault> {
    match kind {
        "string" => chunk::string(link, key).await,
        "list" => chunk::list(link, key, memory, parts).await,
        "hash" | "set" | "zset" => chunk::scanned(link, abilities, kind, key, memory, parts).await,
        "stream" => streams::fold(link, abilities, key, memory, parts).await,
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities(pairs: &[(&str, &str)]) -> Abilities {
        let info = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Abilities::of(&info)
    }

    #[test]
    fn abilities_follow_from_the_version_and_valkey_counts_for_itself() {
        let old = abilities(&[("redis_version", "6.2.14")]);
        assert!(!old.expiry_times && !old.functions && !old.stream_counters && !old.field_expiry);
        let seven = abilities(&[("redis_version", "7.0.15")]);
        assert!(seven.expiry_times && seven.functions && !seven.field_expiry);
        assert!(abilities(&[("redis_version", "7.4.0")]).field_expiry);
        let valkey = |v| abilities(&[("redis_version", "7.2.4"), ("valkey_version", v)]);
        assert!(!valkey("8.1.8").field_expiry);
        assert!(valkey("9.0.0").field_expiry);
    }
}
