//! Scans of what can be read: a file, a socket, bytes in memory.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::error::Error;
use crate::event::{End, Entry, Event, Value};
use crate::payload::dump_payload;
use crate::scanner::{Options, Scanner};

/// What is read at a time.
const CHUNK: usize = 256 * 1024;

/// Why a file could not be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It could not be read.
    #[error("it could not be read")]
    Io(#[from] io::Error),
    /// It is not what it should be.
    #[error(transparent)]
    Rdb(#[from] Error),
}

/// Scans from the first byte to the end of the file, and tells `see` every event. Bytes after the end are left alone.
///
/// # Errors
/// If reading fails, or the file is damaged or cut off. A checksum that differs is no error: `End` says it.
pub fn scan(
    mut reader: impl Read,
    options: Options,
    mut see: impl FnMut(&Event<'_>),
) -> Result<End, ReadError> {
    let mut scanner = Scanner::new(options);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = read(&mut reader, &mut buffer)?;
        if count == 0 {
            return Ok(scanner.finish()?);
        }
        for event in scanner.feed(&buffer[..count]) {
            let event = event?;
            see(&event);
            if let Event::End(end) = event {
                return Ok(end);
            }
        }
    }
}

fn read(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A key with its value, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The key.
    pub entry: Entry,
    /// Size and other properties of the value.
    pub value: Value,
    /// The value's bytes.
    pub raw: Vec<u8>,
    version: u16,
}

impl Loaded {
    /// What RESTORE takes, on a server that reads the file's version.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        dump_payload(self.entry.value_type.code, &self.raw, self.version)
    }
}

/// The keys of a file one by one, each with its value. One value at a time is held in memory, and the rest of the chunk
/// that it ends in.
#[derive(Debug)]
pub struct Entries<R> {
    reader: R,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// Whole ones that the last chunk held.
    ready: VecDeque<Loaded>,
    current: Option<(Entry, Vec<u8>)>,
    end: Option<End>,
    error: Option<ReadError>,
    over: bool,
}

impl<R: Read> Entries<R> {
    /// The keys of what `reader` gives.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            scanner: Scanner::new(Options::with_values()),
            buffer: vec![0; CHUNK],
            ready: VecDeque::new(),
            current: None,
            end: None,
            error: None,
            over: false,
        }
    }

    /// How the file ended, after the last key.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    fn more(&mut self) -> Result<(), ReadError> {
        let count = read(&mut self.reader, &mut self.buffer)?;
        if count == 0 {
            self.end = Some(self.scanner.finish()?);
            return Ok(());
        }
        let mut version = self.scanner.head().map_or(0, |head| head.version);
        for event in self.scanner.feed(&self.buffer[..count]) {
            match event? {
                Event::Head(head) => version = head.version,
                Event::Entry(entry) => self.current = Some((entry, Vec::new())),
                Event::Bytes(bytes) => {
                    if let Some((_, raw)) = &mut self.current {
                        raw.extend_from_slice(bytes);
                    }
                }
                Event::EntryEnd(value) => {
                    let version = u16::try_from(version).unwrap_or(u16::MAX);
                    self.ready.extend(self.current.take().map(|(entry, raw)| Loaded {
                        entry,
                        value,
                        raw,
                        version,
                    }));
                }
                Event::End(end) => self.end = Some(end),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<R: Read> Iterator for Entries<R> {
    type Item = Result<Loaded, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // What was read before a fault comes before it.
            if let Some(loaded) = self.ready.pop_front() {
                return Some(Ok(loaded));
            }
            if let Some(error) = self.error.take() {
                self.over = true;
                return Some(Err(error));
            }
            if self.over || self.end.is_some() {
                return None;
            }
            self.error = self.more().err();
        }
    }
}
