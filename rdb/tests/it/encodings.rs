//! Every type and opcode, written by hand.

use orchestrate_rdb::{
    Checksum, Entries, Event, Function, Head, Kind, Options, Problem, Scanner, Value, scan,
};

use crate::write::{File, length, many, module, repeated, string};

/// What a value is found to be, and that what follows it is found too, whole and byte by byte.
fn value(head: &str, code: u8, value: &[u8]) -> (Kind, Value) {
    let file = File::new(head)
        .database(0)
        .key(code, b"the key", value)
        .key(0, b"after", &string(b"x"))
        .end();
    let loaded: Vec<_> = Entries::new(file.as_slice())
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("type {code}: {error}"));
    let [found, after] = &loaded[..] else { panic!("type {code}: {loaded:?}") };
    assert_eq!(found.entry.key.bytes, b"the key");
    assert_eq!(found.raw, value, "type {code}");
    assert_eq!(found.value.bytes, value.len() as u64);
    assert_eq!((after.entry.key.bytes.as_slice(), after.raw.len()), (&b"after"[..], 2));
    assert_eq!(found.entry.value_type.code, code);
    (found.entry.value_type.kind, found.value)
}

fn redis(code: u8, bytes: &[u8]) -> (Kind, Value) {
    value("REDIS0012", code, bytes)
}

#[test]
fn strings_of_every_encoding() {
    let long = vec![b'z'; 70_000];
    for bytes in [
        string(b""),
        string(b"hello"),
        string(&[b'a'; 63]),
        string(&[b'a'; 64]),
        string(&[b'a'; 16_383]),
        string(&long),
        vec![0xc0, 0x85],
        vec![0xc1, 0x85, 0x01],
        vec![0xc2, 1, 2, 3, 4],
        repeated(b'a', 100_000),
        many(&[&[0x81], &5_u64.to_be_bytes(), b"hello"]),
    ] {
        assert_eq!(redis(0, &bytes).0, Kind::String);
    }
}

#[test]
fn plain_collections_tell_their_elements() {
    let strings = many(&[&length(3), &string(b"a"), &[0xc0, 7], &repeated(b'b', 300)]);
    for (code, kind) in [(1, Kind::List), (2, Kind::Set)] {
        let (found, value) = redis(code, &strings);
        assert_eq!((found, value.elements), (kind, Some(3)));
    }
    let hash = many(&[&length(2), &string(b"f"), &string(b"v"), &string(b"g"), &[0xc1, 1, 2]]);
    assert_eq!(redis(4, &hash).1.elements, Some(2));
    // Scores as text: digits, and the three that have none.
    let zset = many(&[
        &length(4),
        &string(b"a"),
        &[3],
        b"1.5",
        &string(b"b"),
        &[253],
        &string(b"c"),
        &[254],
        &string(b"d"),
        &[255],
    ]);
    assert_eq!(redis(3, &zset).1.elements, Some(4));
    let zset = many(&[&length(1), &string(b"a"), &1.5_f64.to_le_bytes()]);
    assert_eq!(redis(5, &zset).1.elements, Some(1));
    assert_eq!(redis(2, &length(0)).1.elements, Some(0));
}

#[test]
fn packed_collections_are_one_string() {
    use Kind::{Hash, List, Set, Zset};
    for (code, kind) in [
        (9, Hash),
        (10, List),
        (11, Set),
        (12, Zset),
        (13, Hash),
        (16, Hash),
        (17, Zset),
        (20, Set),
    ] {
        let (found, value) = redis(code, &string(b"packed bytes"));
        assert_eq!((found, value.elements), (kind, None), "type {code}");
        assert_eq!(redis(code, &repeated(b'p', 5000)).0, kind);
    }
}

#[test]
fn quicklists_are_nodes() {
    redis(14, &many(&[&length(2), &string(b"ziplist"), &repeated(b'n', 400)]));
    redis(18, &many(&[&length(2), &length(1), &string(b"plain"), &length(2), &string(b"packed")]));
}

fn stream(version: u8) -> Vec<u8> {
    let id = [7; 16];
    let numbers = |count: usize| {
        [0x81, 0xff].iter().chain(&[0xff; 7]).copied().collect::<Vec<_>>().repeat(count)
    };
    let pending = many(&[&length(1), &id, &[1; 8], &length(3)]);
    let active = if version >= 3 { vec![2; 8] } else { Vec::new() };
    let consumers = many(&[&length(1), &string(b"worker"), &[1; 8], &active, &length(2), &id, &id]);
    let group = many(&[
        &string(b"group"),
        &numbers(if version >= 2 { 3 } else { 2 }),
        &pending,
        &consumers,
    ]);
    many(&[
        &length(2),
        &many(&[&string(&id), &string(b"listpack"), &string(&id), &repeated(b'l', 900)]),
        &length(12),
        &numbers(if version >= 2 { 7 } else { 2 }),
        &length(2),
        &group,
        &group,
    ])
}

#[test]
fn streams_have_groups_with_consumers() {
    for (version, code) in [(1, 15), (2, 19), (3, 21)] {
        let (kind, value) = redis(code, &stream(version));
        assert_eq!((kind, value.elements), (Kind::Stream, Some(12)));
    }
}

#[test]
fn modules_values_end_where_they_say() {
    let bytes = many(&[
        &module("ReJSON-RL", 3),
        &many(&[&length(1), &length(5), &length(2), &length(1 << 40)]),
        &many(&[&length(3), &[1; 4], &length(4), &[2; 8], &length(5), &string(b"text")]),
        &many(&[&length(5), &[0xc0, 1], &length(5), &repeated(b'm', 99)]),
        &length(0),
    ]);
    let (kind, value) = redis(7, &bytes);
    assert_eq!(kind, Kind::Module);
    let found = value.module.unwrap();
    assert_eq!((found.name().as_str(), found.version()), ("ReJSON-RL", 3));
}

#[test]
fn hashes_with_field_expiry_are_told() {
    let pairs = |ttl: u64| {
        many(&[
            &length(2),
            &many(&[&length(0), &string(b"f"), &string(b"v")]),
            &many(&[&length(ttl), &string(b"g"), &[0xc0, 1]]),
        ])
    };
    let at = 1_900_000_000_000_i64.to_le_bytes();
    for (code, bytes, expiry) in [
        (22, pairs(1_900_000_000_000), true),
        (22, pairs(0), false),
        (23, string(b"listpack"), true),
        (24, many(&[&at, &pairs(1)]), true),
        (24, many(&[&at, &pairs(0)]), false),
        (25, many(&[&at, &string(b"listpack")]), true),
    ] {
        let (kind, value) = redis(code, &bytes);
        assert_eq!((kind, value.field_expiry), (Kind::Hash, expiry), "type {code}");
    }
    let valkey = |at: i64| many(&[&length(1), &string(b"f"), &string(b"v"), &at.to_le_bytes()]);
    assert!(value("VALKEY080", 22, &valkey(1_900_000_000_000)).1.field_expiry);
    assert!(!value("VALKEY080", 22, &valkey(-1)).1.field_expiry);
    assert_eq!(value("VALKEY080", 22, &valkey(-1)).1.elements, Some(1));
}

/// Everything a file holds, as text.
fn told(file: &[u8]) -> Vec<String> {
    let mut told = Vec::new();
    let end = scan(file, Options::default(), |event| told.push(format!("{event:?}"))).unwrap();
    assert_eq!(end.bytes, file.len() as u64);
    told
}

#[test]
fn what_stands_between_the_keys_is_told() {
    let file = File::new("REDIS0012")
        .aux("redis-ver", "7.4.0")
        .put(&many(&[&[247], &module("graphmeta", 1), &length(2), &length(2), &length(0)]))
        .put(&many(&[&[245], &string(b"#!lua name=lib\nredis.register_function('f', f)")]))
        .database(3)
        .put(&[251, 2, 1])
        .put(&[244, 9, 2, 1])
        .expiring(1_900_000_000_123)
        .put(&[248, 0x41, 0x00])
        .key(0, b"a", &string(b"1"))
        .put(&[253])
        .put(&1_700_000_000_i32.to_le_bytes())
        .put(&[249, 200])
        .key(0, b"b", &string(b"2"))
        .end();
    let told = told(&file).join("\n");
    for part in [
        "Aux",
        "ModuleAux(graphmeta version 1)",
        r#"Function(Function { name: Some("lib"), length: 46, before_release: false })"#,
        "Database(3)",
        "Sizes { keys: 2, expiring: 1 }",
        "Slot { slot: 9, keys: 2, expiring: 1 }",
        "expires_at_ms: Some(1900000000123), idle: Some(256), frequency: None",
        "expires_at_ms: Some(1700000000000), idle: None, frequency: Some(200)",
        "checksum: Fits",
    ] {
        assert!(told.contains(part), "no {part} in:\n{told}");
    }
    assert_eq!(told.matches("database: 3").count(), 2);
}

#[test]
fn functions_of_release_candidates_are_told() {
    for described in [false, true] {
        let mut bytes = many(&[&[246], &string(b"oldlib"), &string(b"LUA")]);
        bytes.extend(length(u64::from(described)));
        if described {
            bytes.extend(string(b"what it does"));
        }
        bytes.extend(string(b"return 1"));
        let file = File::new("REDIS0010").put(&bytes).key(0, b"k", &string(b"v")).end();
        let mut found = None;
        scan(file.as_slice(), Options::default(), |event| {
            if let Event::Function(function) = event {
                found = Some(function.clone());
            }
        })
        .unwrap();
        let name = Some("oldlib".to_owned());
        assert_eq!(found, Some(Function { name, length: 8, before_release: true }));
    }
}

#[test]
fn a_number_means_what_the_magic_says() {
    let import = many(&[&[243], &string(&[b'j'; 40]), &length(1), &length(0), &length(99)]);
    let valkey = File::new("VALKEY080").put(&import).end();
    assert!(told(&valkey).contains(&"SlotImport".to_owned()));
    let redis = File::new("REDIS0012").put(&import).end();
    let error = scan(redis.as_slice(), Options::default(), |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("byte 9: 243 is no value type"), "{error}");
}

#[test]
fn keys_are_unpacked_and_cut_at_the_limit() {
    let text = |key: Vec<u8>, limit| {
        let file = File::new("REDIS0011").put(&[0]).put(&key).put(&string(b"v")).end();
        let mut found = None;
        let options = Options { key_limit: limit, ..Options::default() };
        scan(file.as_slice(), options, |event| {
            if let Event::Entry(entry) = event {
                found = Some(entry.key.clone());
            }
        })
        .unwrap();
        found.unwrap()
    };
    let key = text(vec![0xc1, 0x39, 0x30], 99);
    assert_eq!((key.bytes.as_slice(), key.length), (&b"12345"[..], 5));
    let key = text(repeated(b'k', 5000), 10_000);
    assert_eq!((key.bytes, key.length), (vec![b'k'; 5000], 5000));
    let key = text(repeated(b'k', 5000), 1000);
    assert!(!key.is_whole());
    assert_eq!((key.bytes, key.length), (vec![b'k'; 1000], 5000));
    let key = text(string(&[b'k'; 5000]), 1000);
    assert_eq!((key.bytes.len(), key.length), (1000, 5000));
}

#[test]
fn the_checksum_is_judged() {
    let file = || File::new("REDIS0011").key(0, b"k", &string(b"value"));
    let judged = |file: &[u8]| scan(file, Options::default(), |_| {}).unwrap().checksum;
    assert_eq!(judged(&file().end()), Checksum::Fits);
    assert_eq!(judged(&file().end_without_checksum()), Checksum::Absent);
    let mut flipped = file().end();
    flipped[15] ^= 0x20;
    assert!(matches!(judged(&flipped), Checksum::Differs { .. }));
}

#[test]
fn what_no_release_loads_is_refused_by_name() {
    let file = File::new("REDIS0008").key(6, b"k", b"whatever").end();
    let mut scanner = Scanner::new(Options::default());
    let error = scanner.feed(&file).find_map(Result::err).unwrap();
    assert_eq!((error.offset, &error.problem), (9, &Problem::ModuleBeforeRelease));
    assert_eq!(scanner.finish().unwrap_err(), error);
    assert_eq!(scanner.head().map(Head::is_known), Some(true));
}

#[test]
fn a_version_to_come_is_scanned_as_far_as_it_is_known() {
    let file = File::new("REDIS0014").key(0, b"k", &string(b"v")).key(28, b"new", &length(0)).end();
    let error = scan(file.as_slice(), Options::default(), |_| {}).unwrap_err();
    assert!(error.to_string().contains("28 is no value type"), "{error}");
}
