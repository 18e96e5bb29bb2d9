//! The scanner: fed chunks, it says what they hold.

use crc_fast::{CrcAlgorithm, Digest};

use crate::cursor::{Cursor, Window};
use crate::error::{Error, Problem, escaped};
use crate::event::{Checksum, End, Entry, Event, Function, Value};
use crate::function::{OldFunction, library_name};
use crate::head::{Dialect, Head};
use crate::kind::{ValueType, value_type};
use crate::module::Module;
use crate::parts::Parts;
use crate::shape;
use crate::text::{Reading, Text};

/// The longest key an engine holds: 512 MiB (`proto-max-bulk-len`).
const LONGEST_KEY: usize = 512 * 1024 * 1024;
/// How much of a key is shown in an error.
const SHOWN: usize = 60;

/// `RDB_OPCODE_*` in `src/rdb.h`.
mod opcode {
    pub(super) const SLOT_IMPORT: u8 = 243;
    pub(super) const SLOT_INFO: u8 = 244;
    pub(super) const FUNCTION2: u8 = 245;
    pub(super) const FUNCTION_PRE_GA: u8 = 246;
    pub(super) const MODULE_AUX: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQ: u8 = 249;
    pub(super) const AUX: u8 = 250;
    pub(super) const RESIZEDB: u8 = 251;
    pub(super) const EXPIRETIME_MS: u8 = 252;
    pub(super) const EXPIRETIME: u8 = 253;
    pub(super) const SELECTDB: u8 = 254;
    pub(super) const EOF: u8 = 255;
}

/// What a scan keeps and gives.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many bytes of a key are kept. More are counted only.
    pub key_limit: usize,
    /// How many bytes of aux fields and functions are kept.
    pub text_limit: usize,
    /// Whether the bytes of values are given (`Event::Bytes`).
    pub raw: bool,
    /// How many bytes the file has, if that is known: a length that reaches over its end is then found where it stands.
    pub size: Option<u64>,
}

impl Default for Options {
    /// For looking only: keys up to 1 KiB, no values.
    fn default() -> Self {
        Self { key_limit: 1024, text_limit: 1024, raw: false, size: None }
    }
}

impl Options {
    /// For taking the data elsewhere: whole keys, and the bytes of values.
    #[must_use]
    pub fn with_values() -> Self {
        Self { key_limit: LONGEST_KEY, raw: true, ..Self::default() }
    }
}

/// Scans one file.
#[derive(Debug)]
pub struct Scanner {
    options: Options,
    cursor: Cursor,
    sum: Digest,
    head: Option<Head>,
    state: State,
    database: u64,
    /// What is said of the key that comes next.
    expires_at_ms: Option<i64>,
    idle: Option<u64>,
    frequency: Option<u8>,
    /// The key whose value is being read, for errors.
    key: Option<(u64, Vec<u8>)>,
    value: Parts,
    error: Option<Error>,
}

#[derive(Debug)]
enum State {
    Head,
    Opcode,
    AuxName(Reading),
    AuxValue(Text, Reading),
    Numbers(Numbers, [u64; 3], usize),
    Idle,
    Frequency,
    ExpiryMs,
    ExpirySeconds,
    Function(Reading),
    OldFunction(OldFunction),
    Key(ValueType, u64, Reading),
    Parts(Whole),
    /// The value's last bytes are given; now its end.
    ValueEnd(Value),
    Checksum,
    Over(End),
}

/// What one, two or three numbers mean.
#[derive(Clone, Copy, Debug)]
enum Numbers {
    Database,
    Sizes,
    Slot,
}

/// What the parts make up.
#[derive(Clone, Copy, Debug)]
enum Whole {
    Value,
    ModuleAux,
    SlotImport,
}

impl Scanner {
    /// A scan of a file from its first byte.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            cursor: Cursor::new(options.size),
            sum: Digest::new(CrcAlgorithm::Crc64Redis),
            head: None,
            state: State::Head,
            database: 0,
            expires_at_ms: None,
            idle: None,
            frequency: None,
            key: None,
            value: Parts::default(),
            error: None,
        }
    }

    /// Reads the next bytes of the file. What it gives must be taken to its end: bytes left in it count as not read. Of a
    /// value that turns out broken, the bytes from earlier chunks have been given before the error.
    pub fn feed<'s, 'c>(&'s mut self, chunk: &'c [u8]) -> Feed<'s, 'c> {
        Feed { scanner: self, window: Window { chunk, at: 0, raw_from: 0 }, summed: 0 }
    }

    /// The file's first bytes, once they are read.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Bytes read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.read()
    }

    /// Says that no more bytes come.
    ///
    /// # Errors
    /// If the file was not at its end, or had an error before.
    pub fn finish(&self) -> Result<End, Error> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let what = match &self.state {
            State::Over(end) => return Ok(*end),
            State::Head => "its first nine bytes",
            State::Opcode => "the keys, without the byte that ends them",
            State::AuxName(_) | State::AuxValue(..) => "an aux field",
            State::Numbers(Numbers::Database, ..) => "the number of a database",
            State::Numbers(..) => "the sizes of a database",
            State::Idle | State::Frequency | State::ExpiryMs | State::ExpirySeconds => {
                "what is said of a key"
            }
            State::Function(_) | State::OldFunction(_) => "a library of functions",
            State::Key(..) => "a key",
            State::Parts(Whole::Value) | State::ValueEnd(_) => "a value",
            State::Parts(Whole::ModuleAux) => "a module's own data",
            State::Parts(Whole::SlotImport) => "a move of slots",
            State::Checksum => "the checksum",
        };
        let problem = Problem::Truncated { what };
        Err(self.located(Error { offset: self.cursor.read(), problem, within: None }))
    }

    fn located(&self, error: Error) -> Error {
        let within = self.key.as_ref().map(|(database, key)| (*database, escaped(key, SHOWN)));
        Error { within, ..error }
    }

    fn dialect(&self) -> Dialect {
        self.head.map_or(Dialect::Redis, |head| head.dialect)
    }

    /// The next event, or `None` until there are more bytes.
    fn step<'c>(
        &mut self,
        window: &mut Window<'c>,
        summed: &mut usize,
    ) -> Result<Option<Event<'c>>, Error> {
        loop {
            // Each arm returns an event, or `None` for want of bytes, or goes on with the next state.
            match &mut self.state {
                State::Head => {
                    let Some(bytes) = self.cursor.take::<{ Head::LENGTH }>(window) else {
                        return Ok(None);
                    };
                    let head = Head::read(&bytes).map_err(|problem| Error {
                        offset: 0,
                        problem,
                        within: None,
                    })?;
                    self.head = Some(head);
                    self.state = State::Opcode;
                    return Ok(Some(Event::Head(head)));
                }
                State::Opcode => {
                    let offset = self.cursor.offset;
                    let Some(code) = self.cursor.byte(window) else { return Ok(None) };
                    self.begin(code, offset, window, summed)?;
                }
                State::AuxName(reading) => {
                    let Some(name) = reading.step(&mut self.cursor, window)? else {
                        return Ok(None);
                    };
                    self.state = State::AuxValue(name, Reading::new(self.options.text_limit));
                }
                State::AuxValue(name, reading) => {
                    let Some(value) = reading.step(&mut self.cursor, window)? else {
                        return Ok(None);
                    };
                    let name = std::mem::take(name);
                    self.state = State::Opcode;
                    return Ok(Some(Event::Aux { name, value }));
                }
                State::Numbers(meaning, got, count) => {
                    let Some(number) = self.cursor.length(window)? else { return Ok(None) };
                    got[*count] = number;
                    *count += 1;
                    let event = match (*meaning, *count) {
                        (Numbers::Database, 1) => {
                            self.database = number;
                            Event::Database(number)
                        }
                        (Numbers::Sizes, 2) => Event::Sizes { keys: got[0], expiring: got[1] },
                        (Numbers::Slot, 3) => {
                            Event::Slot { slot: got[0], keys: got[1], expiring: got[2] }
                        }
                        _ => continue,
                    };
                    self.state = State::Opcode;
                    return Ok(Some(event));
                }
                State::Idle => {
                    let Some(seconds) = self.cursor.length(window)? else { return Ok(None) };
                    self.idle = Some(seconds);
                    self.state = State::Opcode;
                }
                State::Frequency => {
                    let Some(frequency) = self.cursor.byte(window) else { return Ok(None) };
                    self.frequency = Some(frequency);
                    self.state = State::Opcode;
                }
                State::ExpiryMs => {
                    let Some(bytes) = self.cursor.take(window) else { return Ok(None) };
                    self.expires_at_ms = Some(i64::from_le_bytes(bytes));
                    self.state = State::Opcode;
                }
                State::ExpirySeconds => {
                    let Some(bytes) = self.cursor.take(window) else { return Ok(None) };
                    self.expires_at_ms = Some(i64::from(i32::from_le_bytes(bytes)) * 1000);
                    self.state = State::Opcode;
                }
                State::Function(reading) => {
                    let Some(code) = reading.step(&mut self.cursor, window)? else {
                        return Ok(None);
                    };
                    self.state = State::Opcode;
                    return Ok(Some(Event::Function(Function {
                        name: library_name(&code.bytes),
                        length: code.length,
                        before_release: false,
                    })));
                }
                State::OldFunction(old) => {
                    let limit = self.options.text_limit;
                    let Some(function) = old.step(&mut self.cursor, window, limit)? else {
                        return Ok(None);
                    };
                    self.state = State::Opcode;
                    return Ok(Some(Event::Function(function)));
                }
                State::Key(value_type, offset, reading) => {
                    let Some(key) = reading.step(&mut self.cursor, window)? else {
                        return Ok(None);
                    };
                    let (value_type, offset) = (*value_type, *offset);
                    let shown = &key.bytes[..key.bytes.len().min(SHOWN + 1)];
                    let (database, kept) = self.key.get_or_insert_default();
                    *database = self.database;
                    kept.clear();
                    kept.extend_from_slice(shown);
                    self.value.begin(value_type.shape, self.cursor.offset);
                    self.value.seen.field_expiry = value_type.field_expiry;
                    self.state = State::Parts(Whole::Value);
                    window.raw_from = window.at;
                    return Ok(Some(Event::Entry(Entry {
                        database: self.database,
                        key,
                        expires_at_ms: self.expires_at_ms.take(),
                        idle: self.idle.take(),
                        frequency: self.frequency.take(),
                        value_type,
                        offset,
                    })));
                }
                State::Parts(whole) => {
                    let whole = *whole;
                    let done = self.value.step(&mut self.cursor, window)?;
                    match whole {
                        Whole::Value => {
                            let raw = &window.chunk[window.raw_from..window.at];
                            window.raw_from = window.at;
                            let value = done.then(|| self.value.end(self.cursor.offset));
                            if let Some(value) = value {
                                self.state = State::ValueEnd(value);
                            }
                            if self.options.raw && !raw.is_empty() {
                                return Ok(Some(Event::Bytes(raw)));
                            }
                            if value.is_none() {
                                return Ok(None);
                            }
                        }
                        _ if !done => return Ok(None),
                        Whole::ModuleAux => {
                            self.state = State::Opcode;
                            let module = self.value.seen.module.unwrap_or(Module::new(0));
                            return Ok(Some(Event::ModuleAux(module)));
                        }
                        Whole::SlotImport => {
                            self.state = State::Opcode;
                            return Ok(Some(Event::SlotImport));
                        }
                    }
                }
                State::ValueEnd(value) => {
                    let value = *value;
                    self.key = None;
                    self.state = State::Opcode;
                    return Ok(Some(Event::EntryEnd(value)));
                }
                State::Checksum => {
                    let Some(stored) = self.cursor.take(window) else { return Ok(None) };
                    let stored = u64::from_le_bytes(stored);
                    let computed = self.sum.finalize();
                    let checksum = match stored {
                        // The engines take zero for "switched off".
                        0 => Checksum::Absent,
                        stored if stored == computed => Checksum::Fits,
                        stored => Checksum::Differs { stored, computed },
                    };
                    let end = End { checksum, bytes: self.cursor.offset };
                    self.state = State::Over(end);
                    return Ok(Some(Event::End(end)));
                }
                State::Over(_) => return Ok(None),
            }
        }
    }

    /// What an opcode or a type of value begins.
    fn begin(
        &mut self,
        code: u8,
        offset: u64,
        window: &Window<'_>,
        summed: &mut usize,
    ) -> Result<(), Error> {
        let text = || Reading::new(self.options.text_limit);
        self.state = match (code, self.dialect()) {
            (opcode::AUX, _) => State::AuxName(text()),
            (opcode::SELECTDB, _) => State::Numbers(Numbers::Database, [0; 3], 0),
            (opcode::RESIZEDB, _) => State::Numbers(Numbers::Sizes, [0; 3], 0),
            (opcode::SLOT_INFO, _) => State::Numbers(Numbers::Slot, [0; 3], 0),
            (opcode::EXPIRETIME_MS, _) => State::ExpiryMs,
            (opcode::EXPIRETIME, _) => State::ExpirySeconds,
            (opcode::IDLE, _) => State::Idle,
            (opcode::FREQ, _) => State::Frequency,
            (opcode::FUNCTION2, _) => State::Function(text()),
            (opcode::FUNCTION_PRE_GA, _) => State::OldFunction(OldFunction::new(text())),
            (opcode::MODULE_AUX, _) => {
                self.value.begin(shape::MODULE_AUX, self.cursor.offset);
                State::Parts(Whole::ModuleAux)
            }
            (opcode::SLOT_IMPORT, Dialect::Valkey) => {
                self.value.begin(shape::SLOT_IMPORT, self.cursor.offset);
                State::Parts(Whole::SlotImport)
            }
            (opcode::EOF, _) => {
                // The checksum is of everything up to here.
                self.sum.update(&window.chunk[*summed..window.at]);
                *summed = window.chunk.len();
                State::Checksum
            }
            (6, _) => {
                return Err(Error { offset, problem: Problem::ModuleBeforeRelease, within: None });
            }
            (code, dialect) => match value_type(dialect, code) {
                Some(value_type) => {
                    State::Key(value_type, offset, Reading::new(self.options.key_limit))
                }
                None => {
                    let problem = Problem::UnknownType { code };
                    return Err(Error { offset, problem, within: None });
                }
            },
        };
        Ok(())
    }
}

/// The events of a chunk. Take them all.
#[derive(Debug)]
#[must_use = "bytes are read as events are taken"]
pub struct Feed<'s, 'c> {
    scanner: &'s mut Scanner,
    window: Window<'c>,
    /// How much of the chunk is in the checksum.
    summed: usize,
}

impl<'c> Feed<'_, 'c> {
    /// How much of the chunk has been read. Less than all of it at the end only if the file has ended before.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.window.at
    }

    fn sum_up(&mut self) {
        if let Some(bytes) = self.window.chunk.get(self.summed..self.window.at)
            && !matches!(self.scanner.state, State::Checksum | State::Over(_))
        {
            self.scanner.sum.update(bytes);
            self.summed = self.window.at;
        }
    }
}

impl<'c> Iterator for Feed<'_, 'c> {
    type Item = Result<Event<'c>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = &self.scanner.error {
            // Whoever goes on feeding hears it once for each chunk, not for ever.
            if self.window.at >= self.window.chunk.len() {
                return None;
            }
            self.window.at = self.window.chunk.len();
            return Some(Err(error.clone()));
        }
        match self.scanner.step(&mut self.window, &mut self.summed) {
            Ok(Some(event)) => Some(Ok(event)),
            Ok(None) => {
                self.sum_up();
                None
            }
            Err(error) => {
                let error = self.scanner.located(error);
                self.scanner.error = Some(error.clone());
                self.window.at = self.window.chunk.len();
                Some(Err(error))
            }
        }
    }
}

impl Drop for Feed<'_, '_> {
    fn drop(&mut self) {
        self.sum_up();
    }
}
