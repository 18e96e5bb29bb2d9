//! A journal on disk: JSON Lines, each line checksummed and synced, one writer by file lock.
//!
//! A line is `{"crc":"<8 hex>",` followed by the rest of one JSON object; the checksum (CRC-32, IEEE) covers the rest of
//! the line. `tail -f` and `jq` read it as it is. A torn last line is what a crash in the middle of a write leaves; it is
//! cut off by the next writer. Anything else that does not read back is damage, and refused.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};

use super::{Entry, Journal};

const HEAD: &str = "{\"crc\":\"";

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process writes it.
    #[error("another process is working on this run")]
    Locked,
    /// A line other than the last does not read back.
    #[error("{path}: line {line} is damaged ({why})", path = path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is no complete first line.
    #[error("{path}: the journal is empty: the run died before it began", path = .0.display())]
    Empty(PathBuf),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The process is dead (tests only).
    #[error("the process died here")]
    Dead,
}

/// What a journal file holds.
#[derive(Debug)]
pub struct Reading {
    /// The entries, complete and in order.
    pub entries: Vec<Entry>,
    /// Bytes of complete lines.
    pub sound_bytes: u64,
    /// Whether an incomplete line follows them.
    pub torn: bool,
}

/// One entry as a line, with its line feed.
#[must_use]
pub fn encode(entry: &Entry) -> String {
    let json = serde_json::to_string(entry).expect("an entry has only string keys");
    let rest = &json[1..];
    format!("{HEAD}{:08x}\",{rest}\n", crc32fast::hash(rest.as_bytes()))
}

/// The entry in a line without its line feed, or what is wrong with it.
///
/// # Errors
/// In words that fit "line 7 is damaged (…)".
pub fn decode(line: &str) -> Result<Entry, String> {
    let body = line.strip_prefix(HEAD).ok_or("it does not begin with a checksum")?;
    let (crc, rest) = body.split_once("\",").ok_or("its checksum is cut off")?;
    let crc = u32::from_str_radix(crc, 16).map_err(|_| "its checksum is not a number")?;
    if crc != crc32fast::hash(rest.as_bytes()) {
        return Err("its checksum does not match".to_owned());
    }
    serde_json::from_str(&format!("{{{rest}"))
        .map_err(|error| format!("this version cannot read it: {error}"))
}

/// Reads a journal without locking it, also while another process writes.
///
/// # Errors
/// `Damaged` for any complete line that does not read back or is out of sequence; `Empty`; `Io`.
pub fn read(path: &Path) -> Result<Reading, JournalError> {
    let bytes = fs_err::read(path)?;
    let damaged =
        |line: usize, why: String| JournalError::Damaged { path: path.to_owned(), line, why };
    let sound = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    let mut entries = Vec::new();
    let complete = bytes[..sound].strip_suffix(b"\n").unwrap_or_default();
    if sound == 0 {
        return Err(JournalError::Empty(path.to_owned()));
    }
    for (index, line) in complete.split(|b| *b == b'\n').enumerate() {
        let number = index + 1;
        let text =
            std::str::from_utf8(line).map_err(|_| damaged(number, "it is not UTF-8".to_owned()))?;
        let entry = decode(text).map_err(|why| damaged(number, why))?;
        if entry.seq != number as u64 {
            return Err(damaged(number, format!("it is numbered {}", entry.seq)));
        }
        entries.push(entry);
    }
    Ok(Reading { entries, sound_bytes: sound as u64, torn: sound < bytes.len() })
}

/// The one writer of a journal file.
#[derive(Debug)]
pub struct FileJournal {
    file: File,
}

impl FileJournal {
    /// Creates the journal; the file and its folder are private to the user.
    ///
    /// # Errors
    /// If the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        lock(&file)?;
        if let Some(folder) = path.parent() {
            // The name itself must survive a power cut, not only the bytes.
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file })
    }

    /// Whether another process writes the journal: `Locked` if so.
    ///
    /// # Errors
    /// `Locked`; `Io` if it cannot be opened.
    pub fn probe(path: &Path) -> Result<(), JournalError> {
        // A shared lock, given up at once: two readers that probe do not take each other for a writer.
        match File::open(path)?.file().try_lock_shared() {
            Ok(()) => Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Locked),
            Err(std::fs::TryLockError::Error(error)) => Err(JournalError::Io(error)),
        }
    }

    /// Opens a journal to go on with it: takes the lock, cuts a torn tail off.
    ///
    /// # Errors
    /// `Locked` if another process has it; as `read` otherwise.
    pub fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        let reading = read(path)?;
        if reading.torn {
            file.set_len(reading.sound_bytes)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(reading.sound_bytes))?;
        Ok((Self { file }, reading.entries))
    }
}

impl Journal for FileJournal {
    fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.file.write_all(encode(entry).as_bytes())?;
        self.file.sync_data()?;
        Ok(())
    }
}

fn lock(file: &File) -> Result<(), JournalError> {
    match file.file().try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Locked),
        Err(std::fs::TryLockError::Error(error)) => Err(JournalError::Io(error)),
    }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}
