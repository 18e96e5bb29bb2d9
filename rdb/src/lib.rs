//! Scans the RDB files of Redis and Valkey as they stream by.
//!
//! The [`Scanner`] is fed chunks of bytes, from a file, a socket or an object store, and says what they hold: head, aux
//! fields, functions, and of each key its database, name, expiry, type, and how many bytes its value has. It finds where
//! a value ends without building it, so memory stays the same whatever the size of the file or of any value. On request
//! it hands out the value's bytes too, as slices of what it was fed; with [`dump_payload`] around them they are what
//! RESTORE takes.
//!
//! ```
//! use orchestrate_rdb::{Event, Options, Scanner};
//!
//! let file = b"REDIS0011\xfe\x00\x00\x05hello\x05world\xff\0\0\0\0\0\0\0\0";
//! let mut scanner = Scanner::new(Options::default());
//! for chunk in file.chunks(4) {
//!     for event in scanner.feed(chunk) {
//!         if let Event::Entry(entry) = event? {
//!             assert_eq!((entry.database, entry.key.bytes.as_slice()), (0, b"hello".as_slice()));
//!         }
//!     }
//! }
//! scanner.finish()?;
//! # Ok::<(), orchestrate_rdb::Error>(())
//! ```
//!
//! Formats: REDIS0005 to REDIS0012 (Redis up to 8.2, Valkey up to 8) and VALKEY080 (Valkey 9). They are taken from the
//! engines' own sources (`src/rdb.h`, `src/rdb.c`). What is not known is an error that says at which byte: a value whose
//! type is unknown has no end that could be found.

#![forbid(unsafe_code)]

mod cursor;
mod error;
mod event;
mod function;
mod head;
mod kind;
mod lzf;
mod module;
mod parts;
mod payload;
mod read;
mod scanner;
mod shape;
mod summary;
mod text;

pub use error::{Error, Problem, escaped};
pub use event::{Checksum, End, Entry, Event, Function, Value};
pub use head::{Dialect, Head};
pub use kind::{Kind, ValueType};
pub use module::Module;
pub use payload::dump_payload;
pub use read::{Entries, Loaded, ReadError, scan};
pub use scanner::{Feed, Options, Scanner};
pub use summary::{Big, Count, Summary, Tally};
pub use text::Text;
