//! Made-up data: the same items for the same [`Fill`], whatever they are written to.

use super::spec::Fill;
use super::value::Value;

/// One key to write.
pub(crate) struct Item {
    pub(crate) key: Vec<u8>,
    pub(crate) content: Content,
    /// Milliseconds to live: hours, so that nothing expires while someone looks.
    pub(crate) ttl_ms: Option<u64>,
}

pub(crate) enum Content {
    Plain(Value),
    /// So many entries, `1-0` the first; a consumer group that has read two of them and acknowledged the first.
    Stream {
        entries: u64,
    },
}

/// A library for every primary.
pub(crate) const FUNCTIONS: &str = "#!lua name=sandbox\n\
    redis.register_function('sandbox_echo', function(keys, args) return args[1] end)\n";

#[derive(Clone, Copy)]
enum Kind {
    String,
    Binary,
    Hash,
    List,
    Set,
    Zset,
    Stream,
    Session,
}

const EVERY: [Kind; 8] = [
    Kind::String,
    Kind::Binary,
    Kind::Hash,
    Kind::List,
    Kind::Set,
    Kind::Zset,
    Kind::Stream,
    Kind::Session,
];

const HOUR_MS: u64 = 3_600_000;
const BIG_VALUE: usize = 5 * 256 * 1024;
/// Above every threshold at which a server changes how it stores a collection.
const BIG_COLLECTION: u64 = 1_500;

/// The items of a fill, one at a time.
pub(crate) fn items(fill: Fill) -> impl Iterator<Item = Item> {
    let kinds: &[Kind] = if fill.every_type { &EVERY } else { &[Kind::String] };
    let odd = if fill.every_type && fill.keys > 0 { oddities(fill.seed) } else { Vec::new() };
    let keys = fill.keys;
    kinds
        .iter()
        .flat_map(move |&kind| (0..keys).map(move |index| item(kind, index, fill.seed)))
        .chain(odd)
}

fn item(kind: Kind, index: u64, seed: u64) -> Item {
    let mut random = Random::new(seed, kind as u64, index);
    let name = match kind {
        Kind::String => "string",
        Kind::Binary => "binary",
        Kind::Hash => "hash",
        Kind::List => "list",
        Kind::Set => "set",
        Kind::Zset => "zset",
        Kind::Stream => "stream",
        Kind::Session => "session",
    };
    // Every fourth key shares its slot with the others of an account.
    let mut key = match index % 4 {
        3 => format!("{{account:{}}}:{name}:{index}", index / 16),
        _ => format!("{name}:{index}"),
    }
    .into_bytes();
    let few = 1 + random.below(6);
    let content = match kind {
        Kind::String => Content::Plain(Value::String(random.text(8, 40))),
        Kind::Session => Content::Plain(Value::String(random.text(32, 33))),
        Kind::Binary => {
            key.push(0xFF);
            key.extend(random.bytes(8));
            Content::Plain(Value::String(random.bytes(64)))
        }
        Kind::Hash => Content::Plain(Value::Hash(
            (0..few).map(|n| (numbered("field", n), random.text(0, 24))).collect(),
        )),
        Kind::List => Content::Plain(Value::List((0..few).map(|_| random.text(0, 16)).collect())),
        // Half of them all integers, which servers store in another way.
        Kind::Set if index.is_multiple_of(2) => Content::Plain(Value::Set(
            (0..few).map(|n| (random.below(90) + n * 100).to_string().into_bytes()).collect(),
        )),
        Kind::Set => Content::Plain(Value::Set((0..few).map(|n| numbered("member", n)).collect())),
        Kind::Zset => Content::Plain(Value::Zset(
            (0..few).map(|n| (numbered("member", n), random.score())).collect(),
        )),
        Kind::Stream => Content::Stream { entries: 2 + few },
    };
    let ttl_ms = matches!(kind, Kind::Session).then(|| 6 * HOUR_MS + random.below(24 * HOUR_MS));
    Item { key, content, ttl_ms }
}

/// The keys that break careless tools.
fn oddities(seed: u64) -> Vec<Item> {
    let mut random = Random::new(seed, 99, 0);
    let every_byte: Vec<u8> = (0..=255).collect();
    let many = |name: &'static str| (0..BIG_COLLECTION).map(move |n| numbered(name, n));
    let scores = [f64::INFINITY, f64::NEG_INFINITY, 0.1, -0.5, 1e-300, 1e300, 1.0 / 3.0, 0.0];
    let mut list: Vec<Vec<u8>> = many("item").collect();
    list.push(random.bytes(20_000));
    list.push(Vec::new());
    let plain: Vec<(Vec<u8>, Value)> = vec![
        (every_byte.clone(), Value::String(every_byte.repeat(4))),
        (b"line one\r\nline two\0 end".to_vec(), Value::String(b"\r\n$3\r\nfoo\r\n".to_vec())),
        (vec![0xC3, 0x28, 0xFF, 0xFE], Value::String(vec![0xFF, 0x00, 0xC0, 0xAF])),
        (b"odd:big".to_vec(), Value::String(random.bytes(BIG_VALUE))),
        (b"odd:compressible".to_vec(), Value::String(vec![b'x'; 100_000])),
        (b"odd:empty".to_vec(), Value::String(Vec::new())),
        (b"odd:integer".to_vec(), Value::String(b"-2147483648".to_vec())),
        (b"odd:nearly-integer".to_vec(), Value::String(b"007".to_vec())),
        (b"odd:emptyfield".to_vec(), Value::Hash(vec![(Vec::new(), Vec::new())])),
        (b"{odd:tag}:profile".to_vec(), Value::Hash(vec![(every_byte.clone(), every_byte)])),
        (b"{odd:tag}:orders".to_vec(), Value::List(vec![b"1".to_vec(), b"2".to_vec()])),
        (b"{}odd:emptytag".to_vec(), Value::String(b"whole key is hashed".to_vec())),
        (
            b"odd:bighash".to_vec(),
            Value::Hash(many("field").map(|field| (field, random.text(1, 20))).collect()),
        ),
        (b"odd:biglist".to_vec(), Value::List(list)),
        (b"odd:bigset".to_vec(), Value::Set(many("member").collect())),
        (
            b"odd:bigzset".to_vec(),
            Value::Zset(many("member").map(|member| (member, random.score())).collect()),
        ),
        (
            b"odd:scores".to_vec(),
            Value::Zset(
                scores.iter().zip(0..).map(|(&score, n)| (numbered("member", n), score)).collect(),
            ),
        ),
    ];
    let mut items: Vec<Item> = plain
        .into_iter()
        .map(|(key, value)| Item { key, content: Content::Plain(value), ttl_ms: None })
        .collect();
    items.push(Item {
        key: b"odd:hash-with-ttl".to_vec(),
        content: Content::Plain(Value::Hash(vec![(b"f".to_vec(), b"v".to_vec())])),
        ttl_ms: Some(48 * HOUR_MS),
    });
    items.push(Item {
        key: b"odd:bigstream".to_vec(),
        content: Content::Stream { entries: 500 },
        ttl_ms: None,
    });
    items
}

fn numbered(name: &str, n: u64) -> Vec<u8> {
    format!("{name}:{n}").into_bytes()
}

/// SplitMix64: small, and the same for ever, which generators of crates do not promise.
struct Random(u64);

impl Random {
    fn new(seed: u64, kind: u64, index: u64) -> Self {
        let mut random =
            Self(seed ^ kind.rotate_left(56) ^ index.wrapping_mul(0xA24B_AED4_963E_E407));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Letters and digits, at least `least` and fewer than `most` of them.
    fn text(&mut self, least: u64, most: u64) -> Vec<u8> {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
        let count = least + self.below(most - least);
        let bytes = self.bytes(usize::try_from(count).unwrap_or(0));
        bytes.into_iter().map(|byte| LETTERS[usize::from(byte & 31)]).collect()
    }

    /// Any finite score, most of them not exact in decimal.
    fn score(&mut self) -> f64 {
        let mantissa = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (mantissa - 0.5) * 10_f64.powi(i32::try_from(self.below(12)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_items_and_no_key_twice() {
        let fill = Fill { keys: 50, every_type: true, seed: 7 };
        let show = |fill| {
            items(fill)
                .map(|item| match item.content {
                    Content::Plain(value) => (item.key, value.canonical(), item.ttl_ms),
                    Content::Stream { entries } => {
                        (item.key, entries.to_be_bytes().to_vec(), item.ttl_ms)
                    }
                })
                .collect::<Vec<_>>()
        };
        let first = show(fill);
        assert_eq!(first, show(fill));
        assert_ne!(first, show(Fill { seed: 8, ..fill }));
        let keys: HashSet<_> = first.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), first.len());
        assert!(first.len() >= 8 * 50);
    }
}
