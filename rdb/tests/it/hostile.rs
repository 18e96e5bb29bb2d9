//! Broken and malicious files: each ends in an error that says where, or is read as what it claims; none panics, and none
//! makes the scanner take memory that the bytes themselves do not have.

use std::time::{Duration, Instant};

use orchestrate_rdb::{Entries, Error, Event, Options, Problem, Scanner, escaped};
use proptest::prelude::*;

use crate::write::{File, length, many, module, repeated, string};

/// A file with something of everything.
fn sample(head: &str) -> Vec<u8> {
    let id = [7; 16];
    let stream = many(&[
        &many(&[&length(1), &string(&id), &string(b"listpack"), &length(1)]),
        &[3, 4, 5, 6, 7, 8, 9],
        &many(&[&length(1), &string(b"group"), &[1, 2, 3], &length(1), &id, &[1; 8], &[5]]),
        &many(&[&length(1), &string(b"worker"), &[1; 16], &length(1), &id]),
    ]);
    let file = File::new(head)
        .aux("redis-ver", "8.2.3")
        .aux("lua", "return 1")
        .put(&many(&[&[247], &module("graphmeta", 1), &length(2), &length(2), &length(0)]))
        .put(&many(&[&[245], &string(b"#!lua name=lib\nredis.register_function('f', f)")]))
        .database(0)
        .put(&[251, 20, 3, 244, 9, 2, 1])
        .expiring(1_900_000_000_123)
        .put(&[248, 0x41, 0x00])
        .key(0, b"string", &string(&[b's'; 300]))
        .put(&[249, 200])
        .key(0, b"packed", &repeated(b'p', 3000))
        .put(&many(&[&[0], &repeated(b'k', 400), &[0xc0, 1]]))
        .key(1, b"list", &many(&[&length(2), &string(b"a"), &[0xc1, 1, 2]]))
        .key(3, b"zset", &many(&[&length(2), &string(b"a"), &[3], b"1.5", &string(b"b"), &[254]]))
        .key(5, b"zset2", &many(&[&length(1), &string(b"a"), &1.5_f64.to_le_bytes()]))
        .key(4, b"hash", &many(&[&length(1), &string(b"f"), &[0xc2, 1, 2, 3, 4]]))
        .key(11, b"intset", &string(b"intset"))
        .key(14, b"quicklist", &many(&[&length(1), &string(b"ziplist")]))
        .key(18, b"quicklist2", &many(&[&length(1), &length(2), &string(b"listpack")]))
        .key(21, b"stream", &stream)
        .key(
            7,
            b"module",
            &many(&[&module("ReJSON-RL", 3), &[2, 9, 3, 1, 2, 3, 4, 5], &string(b"t"), &[0]]),
        );
    let file = if head.starts_with("VALKEY") {
        file.key(
            22,
            b"fields",
            &many(&[&length(1), &string(b"f"), &string(b"v"), &[1, 0, 0, 0, 0, 0, 0, 0]]),
        )
    } else {
        file.key(24, b"fields", &many(&[&[1; 8], &length(1), &[5], &string(b"f"), &string(b"v")]))
            .key(25, b"small", &many(&[&[1; 8], &string(b"listpack")]))
    };
    file.database(7).key(2, b"set", &many(&[&length(1), &string(b"m")])).end()
}

fn samples() -> [Vec<u8>; 2] {
    [sample("REDIS0012"), sample("VALKEY080")]
}

/// What a scan told, with the value's bytes joined, however the file was cut into chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    events: Vec<String>,
    error: Option<Error>,
}

fn told<'a>(chunks: impl Iterator<Item = &'a [u8]>, options: Options) -> Told {
    let mut scanner = Scanner::new(options);
    let mut told = Told::default();
    let mut raw: Vec<u8> = Vec::new();
    for chunk in chunks {
        for event in scanner.feed(chunk) {
            match event {
                Ok(Event::Bytes(bytes)) => raw.extend_from_slice(bytes),
                Ok(event) => {
                    if let Event::EntryEnd(value) = event {
                        assert_eq!(value.bytes, raw.len() as u64);
                        told.events.push(escaped(&std::mem::take(&mut raw), usize::MAX));
                    }
                    told.events.push(format!("{event:?}"));
                }
                Err(error) => told.error = told.error.or(Some(error)),
            }
        }
    }
    told.error = told.error.or(scanner.finish().err());
    told
}

fn whole(file: &[u8]) -> Told {
    told(std::iter::once(file), Options::with_values())
}

#[test]
fn a_whole_file_is_read_to_its_end() {
    for file in samples() {
        let told = whole(&file);
        assert_eq!(told.error, None);
        assert!(told.events.last().unwrap().contains("checksum: Fits"), "{told:?}");
    }
}

#[test]
fn every_truncation_is_noticed_at_the_byte_where_the_file_ends() {
    for file in samples() {
        for end in 0..file.len() {
            let error = whole(&file[..end]).error.unwrap_or_else(|| panic!("cut at {end}"));
            assert_eq!(error.offset, end as u64, "{error}");
            assert!(matches!(error.problem, Problem::Truncated { .. }), "{error}");
        }
    }
}

#[test]
fn with_the_size_known_a_length_over_the_end_is_found_where_it_stands() {
    let file = File::new("REDIS0011").key(0, b"key", &string(&[b'v'; 5000])).bytes;
    let options = Options { size: Some(file.len() as u64 - 100), ..Options::default() };
    let error = told(std::iter::once(&file[..]), options).error.unwrap();
    assert_eq!(error.problem, Problem::BeyondEnd { length: 5000, left: 4900 });
    assert_eq!(error.within, Some((0, "key".to_owned())));
}

#[test]
fn every_chunking_tells_the_same() {
    for file in samples() {
        let wanted = whole(&file);
        for size in 1..40 {
            assert_eq!(told(file.chunks(size), Options::with_values()), wanted, "chunks of {size}");
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error_or_a_checksum_that_differs() {
    for file in samples() {
        // The checksum itself aside: a zero there means that there is none.
        for at in 0..file.len() - 8 {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let told = whole(&flipped);
                let last = told.events.last().map_or("", String::as_str);
                assert!(
                    told.error.is_some() || last.contains("Differs"),
                    "bit {bit} of byte {at}: {told:?}"
                );
            }
        }
    }
}

#[test]
fn absurd_lengths_take_neither_memory_nor_time() {
    let huge = many(&[&[0x81], &u64::MAX.to_be_bytes()]);
    let file = || File::new("REDIS0012");
    let key = |code: u8, value: &[u8]| file().key(code, b"k", value).bytes;
    let packed = many(&[&[0xc3], &huge, &huge]);
    let files = [
        file().put(&[0]).put(&huge).bytes,
        file().put(&[0]).put(&packed).bytes,
        file().put(&[250]).put(&huge).bytes,
        file().put(&[245]).put(&huge).bytes,
        file().put(&[254]).put(&huge).bytes,
        key(0, &huge),
        key(0, &packed),
        key(1, &huge),
        key(4, &huge),
        key(5, &huge),
        key(14, &huge),
        key(18, &huge),
        key(18, &many(&[&huge, &length(1), &huge])),
        key(21, &huge),
        key(24, &many(&[&[0; 8], &huge])),
        key(7, &many(&[&huge, &length(5), &huge])),
    ];
    let began = Instant::now();
    for file in &files {
        let told = whole(file);
        assert!(matches!(told.error.unwrap().problem, Problem::Truncated { .. }));
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_bomb_of_a_key_does_not_go_off() {
    // 2 MB of references that claim 180 MB.
    let file =
        File::new("REDIS0012").put(&[0]).put(&repeated(b'b', 180_000_000)).put(&string(b"v"));
    let file = file.end();
    let mut scanner = Scanner::new(Options::default());
    for event in scanner.feed(&file) {
        if let Event::Entry(entry) = event.unwrap() {
            assert_eq!(
                (entry.key.bytes.capacity() < 10_000, entry.key.length),
                (true, 180_000_000)
            );
        }
    }
    scanner.finish().unwrap();
    let claims =
        File::new("REDIS0012").put(&[0, 0xc3, 2]).put(&length(10_000)).put(&[0, b'x']).bytes;
    assert_eq!(whole(&claims).error.unwrap().problem, Problem::Lzf { plain: 10_000 });
}

#[test]
fn errors_name_the_key_and_escape_it() {
    let file = File::new("REDIS0012").database(3).key(18, b"bad\x1b[2J\n\"key\"", &[1, 9]).bytes;
    let error = whole(&file).error.unwrap();
    assert_eq!(
        error.to_string(),
        "byte 27, in key \"bad\\x1b[2J\\n\\\"key\\\"\" of database 3: a list's node is of the unknown kind 9: the file is \
         damaged, or from a newer engine"
    );
}

#[test]
fn a_fault_is_told_after_the_keys_before_it() {
    let file = File::new("REDIS0011").key(0, b"fine", &string(b"v")).put(&[99]).bytes;
    let mut entries = Entries::new(file.as_slice());
    assert_eq!(entries.next().unwrap().unwrap().entry.key.bytes, b"fine");
    entries.next().unwrap().unwrap_err();
    assert!(entries.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = whole(&bytes);
    }

    #[test]
    fn arbitrary_bytes_after_a_head_end(bytes in proptest::collection::vec(any::<u8>(), 0..400), valkey: bool) {
        let head: &[u8] = if valkey { b"VALKEY080" } else { b"REDIS0012" };
        let _ = whole(&[head, &bytes].concat());
    }

    #[test]
    fn mutated_files_tell_the_same_in_any_chunks(
        which in 0_usize..2,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        drop in any::<prop::sample::Index>(),
        dropped in 0_usize..20,
    ) {
        let mut file = samples()[which].clone();
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        let from = drop.index(file.len());
        file.drain(from..(from + dropped).min(file.len()));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.extend([0, file.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &file[pair[0]..pair[1]]);
        let size = Some(file.len() as u64);
        for options in [Options::with_values(), Options { size, ..Options::with_values() }] {
            prop_assert_eq!(
                told(chunks.clone(), options),
                told(std::iter::once(&file[..]), options)
            );
        }
    }
}
