//! No bytes make the scanner panic, and however they are cut into chunks it tells the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orchestrate_rdb::{Error, Event, Options, Scanner, Tally};

/// The first two bytes choose how the rest is cut.
const LONGEST: usize = 61;

#[derive(Debug, Default, PartialEq)]
struct Told {
    events: Vec<String>,
    raw: Vec<u8>,
    error: Option<Error>,
}

fn told<'a>(chunks: impl Iterator<Item = &'a [u8]>, options: Options) -> Told {
    let mut scanner = Scanner::new(options);
    let mut tally = Tally::new(3, Some(0));
    let mut told = Told::default();
    for chunk in chunks {
        for event in scanner.feed(chunk) {
            match event {
                Ok(Event::Bytes(bytes)) => told.raw.extend_from_slice(bytes),
                Ok(event) => {
                    tally.see(&event);
                    told.events.push(format!("{event:?}"));
                }
                Err(error) => told.error = told.error.or(Some(error)),
            }
        }
    }
    told.error = told.error.or(scanner.finish().err());
    told.events.push(format!("{:?}", tally.done()));
    told
}

fuzz_target!(|input: &[u8]| {
    let Some(([first, second], file)) = input.split_first_chunk() else { return };
    let options = Options { size: (first % 2 == 0).then_some(file.len() as u64), ..Options::with_values() };
    let whole = told(std::iter::once(file), options);
    assert!(whole.raw.len() <= file.len());
    let size = 1 + usize::from(*second) % LONGEST;
    let mut cut = told(file.chunks(size), options);
    // Of a value that turns out broken, what came in earlier chunks has been given.
    assert!(cut.raw.starts_with(&whole.raw));
    if whole.error.is_some() {
        cut.raw.truncate(whole.raw.len());
    }
    assert_eq!(cut, whole);
});
