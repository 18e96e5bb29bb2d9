//! What the crate `rdb` makes of the same file: the same keys with the same expiries, in the same order.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use orchestrate_rdb::{Entries, Kind};
use rdb::filter::Simple;
use rdb::{RdbDecoder, RdbValue};

use crate::server::Program;

/// Database, key and expiry.
type Key = (u64, Vec<u8>, Option<u64>);

/// Checks a file that it understands: it does not know `VALKEY`, and leaves out streams and modules.
pub(crate) fn agrees(program: &Program, file: &Path) {
    let reader = BufReader::new(File::open(file).unwrap());
    let decoder = match RdbDecoder::new(reader, Simple::new()) {
        Ok(decoder) => decoder,
        Err(error) => {
            assert!(program.valkey && program.major() >= 9, "{error}");
            return;
        }
    };
    let mut database = 0;
    let mut theirs: Vec<Key> = Vec::new();
    for item in decoder {
        let (key, expiry) = match item.unwrap() {
            RdbValue::SelectDb(number) => {
                database = u64::from(number);
                continue;
            }
            RdbValue::String { key, expiry, .. }
            | RdbValue::Hash { key, expiry, .. }
            | RdbValue::Set { key, expiry, .. }
            | RdbValue::List { key, expiry, .. }
            | RdbValue::SortedSet { key, expiry, .. } => (key, expiry),
            _ => continue,
        };
        theirs.push((database, key, expiry));
    }
    let ours: Vec<Key> = Entries::new(File::open(file).unwrap())
        .map(|loaded| loaded.unwrap().entry)
        .filter(|entry| !matches!(entry.value_type.kind, Kind::Stream | Kind::Module))
        .map(|entry| {
            let expiry = entry.expires_at_ms.map(|at| u64::try_from(at).unwrap());
            (entry.database, entry.key.bytes, expiry)
        })
        .collect();
    assert!(theirs.len() > 50, "{}", theirs.len());
    assert_eq!(ours, theirs);
}
