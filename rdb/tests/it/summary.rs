//! What a file holds, counted.

use orchestrate_rdb::{Checksum, Count, Kind, Options, Summary, Tally, scan};

use crate::write::{File, length, many, module, string};

fn summed(file: &[u8], biggest: usize, now: Option<i64>) -> Summary {
    let mut tally = Tally::new(biggest, now);
    scan(file, Options::default(), |event| tally.see(event)).unwrap();
    tally.done()
}

#[test]
fn keys_are_counted_by_database_and_type() {
    let file = File::new("REDIS0012")
        .aux("redis-ver", "8.2.3")
        .aux("ctime", "1700000000")
        .put(&many(&[&[245], &string(b"#!lua name=lib\n")]))
        .put(&many(&[&[247], &module("graphmeta", 1), &length(0)]))
        .database(0)
        .expiring(1000)
        .key(0, b"gone", &string(b"12345678"))
        .expiring(3000)
        .key(0, b"still there", &string(b"1"))
        .database(5)
        .key(2, b"set", &many(&[&length(1), &string(b"m")]))
        .key(7, b"doc", &many(&[&module("ReJSON-RL", 3), &length(0)]))
        .key(25, b"hash", &many(&[&[1; 8], &string(b"listpack")]))
        .database(9)
        .end();
    let found = summed(&file, 2, Some(2000));
    assert_eq!(found.engine.as_deref(), Some("redis 8.2.3"));
    assert_eq!(found.written_at, Some(1_700_000_000));
    let bytes = 9 + 2 + 3 + 10 + 17;
    assert_eq!(found.all, Count { keys: 5, expiring: 2, expired: 1, bytes });
    let keys: Vec<_> = found.databases.iter().map(|(n, count)| (*n, count.keys)).collect();
    assert_eq!(keys, [(0, 2), (5, 3), (9, 0)]);
    let kinds: Vec<_> = found.kinds.iter().map(|(kind, count)| (*kind, count.keys)).collect();
    let wanted = [(Kind::String, 2), (Kind::Set, 1), (Kind::Hash, 1), (Kind::Module, 1)];
    assert_eq!(kinds, wanted);
    assert_eq!(found.field_expiry, 1);
    assert_eq!(found.functions.iter().collect::<Vec<_>>(), ["lib"]);
    let names = |modules: &std::collections::BTreeSet<orchestrate_rdb::Module>| {
        modules.iter().map(|m| m.name()).collect::<Vec<_>>()
    };
    assert_eq!(names(&found.modules), ["ReJSON-RL"]);
    assert_eq!(names(&found.modules_aside), ["graphmeta"]);
    assert_eq!(found.checksum, Some(Checksum::Fits));
    assert_eq!(found.bytes, file.len() as u64);
    let biggest: Vec<_> = found.biggest.iter().map(|b| (b.key.as_slice(), b.bytes)).collect();
    assert_eq!(biggest, [(&b"hash"[..], 17), (&b"doc"[..], 10)]);
}

#[test]
fn a_file_that_names_a_million_databases_takes_no_more_memory() {
    let mut file = File::new("REDIS0011");
    for number in 0..200_000 {
        file = file.database(number);
    }
    let found = summed(&file.key(0, b"k", &string(b"v")).end(), 0, None);
    assert!(found.more && found.databases.len() <= 1024, "{}", found.databases.len());
    assert_eq!(found.all.keys, 1);
}
