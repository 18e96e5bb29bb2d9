//! A journal on disk: JSON Lines, each line checksummed and synced, one writer by file lock.
//!
//! A line is `{"crc":"<8 hex>",` followed by the rest of one JSON object; the checksum (CRC-32, IEEE) covers the rest of
//! the line. `tail -f` and `jq` read it as it is. A torn last line is what a crash in the middle of a write leaves; it is
//! cut off by the next writer. Anything else that does not read back is damage, and refused.

use std::fmt;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use fs_err::{File, OpenOptions};

use super::{Entry, Journal, JournalError, Record};
use crate::plan::FORMAT;

const HEAD: &str = "{\"crc\":\"";

/// How often and how far apart the lock is tried: long enough for another process that only probes.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

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

/// Why a complete line gives no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Its bytes are not what was written.
    Damaged(String),
    /// Its bytes are as written, and say something this version does not know.
    Foreign(String),
}

/// The entry in a line without its line feed, or what is wrong with it.
///
/// # Errors
/// In words that fit "line 7 is damaged (…)" or "line 7 was written by another version (…)".
pub fn decode(line: &str) -> Result<Entry, Unreadable> {
    let damaged = |why: &str| Unreadable::Damaged(why.to_owned());
    let body =
        line.strip_prefix(HEAD).ok_or_else(|| damaged("it does not begin with a checksum"))?;
    let (crc, rest) = body.split_once("\",").ok_or_else(|| damaged("its checksum is cut off"))?;
    // Compared as text: read as a number, "+" and capital letters would pass for what was written.
    if crc != format!("{:08x}", crc32fast::hash(rest.as_bytes())) {
        return Err(damaged("its checksum does not match"));
    }
    let foreign = |why: String| Unreadable::Foreign(why);
    let entry: Entry = serde_json::from_str(&format!("{{{rest}")).map_err(|error| {
        // The names it does know are no help to the reader.
        let error = error.to_string();
        foreign(error.split(", expected").next().unwrap_or_default().to_owned())
    })?;
    match &entry.record {
        Record::Started { plan, .. } if plan.format != FORMAT => {
            Err(foreign(format!("its plan has format {}", plan.format)))
        }
        _ => Ok(entry),
    }
}

/// Reads a journal without locking it, also while another process writes.
///
/// # Errors
/// `Damaged` for any complete line that does not read back or is out of sequence; `Foreign`; `Empty`; `Io`.
pub fn read(path: &Path) -> Result<Reading, JournalError> {
    parse(path, &fs_err::read(path)?)
}

/// Reads the bytes of a journal; `path` is where they are from, for messages.
///
/// # Errors
/// As `read`, but for `Io`.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Reading, JournalError> {
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
        let entry = decode(text).map_err(|why| match why {
            Unreadable::Damaged(why) => damaged(number, why),
            Unreadable::Foreign(why) => {
                JournalError::Foreign { path: path.to_owned(), line: number, why }
            }
        })?;
        if entry.seq != number as u64 {
            return Err(damaged(number, format!("it is numbered {}", entry.seq)));
        }
        entries.push(entry);
    }
    Ok(Reading { entries, sound_bytes: sound as u64, torn: sound < bytes.len() })
}

/// What a journal writes to: a file, or a disk of the tests whose power can be cut.
pub trait Durable: Write {
    /// Returns once everything written survives a power cut.
    ///
    /// # Errors
    /// As the file system.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts off what lies beyond so many bytes.
    ///
    /// # Errors
    /// As the file system.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Durable for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// The one writer of a journal file.
pub struct FileJournal {
    file: Box<dyn Durable>,
    epoch: u64,
    /// Bytes of complete, synced lines.
    sound: u64,
    /// The last line that this writer wrote.
    last: String,
    /// A write has failed: nothing may follow it.
    failed: bool,
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal").field("sound", &self.sound).finish_non_exhaustive()
    }
}

/// The folder, those above it that are not there yet, and the nearest one that is: those to be synced once all are made and
/// something lies in the folder, so that no name on the way to it is lost in a power cut. To be asked before they are made.
///
/// # Errors
/// If a relative path has no place to begin at.
pub fn folders_to_sync(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = std::path::absolute(folder)?;
    let mut folders = Vec::new();
    for above in folder.ancestors() {
        folders.push(above.to_owned());
        if above.exists() {
            break;
        }
    }
    Ok(folders)
}

impl FileJournal {
    /// Creates the journal; the file and its folder are private to the user.
    ///
    /// # Errors
    /// If the file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let to_sync = folders_to_sync(folder)?;
        private_folder(folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use fs_err::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        lock(&file)?;
        // The names must survive a power cut, not only the bytes: the file's, and those of folders made just now.
        for folder in to_sync {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self::over(Box::new(file)))
    }

    /// Takes up a journal that a process made and died before its first record was whole.
    ///
    /// # Errors
    /// `Locked` if that process lives; `AlreadyExists` if there is a record.
    pub fn begin_again(path: &Path) -> Result<Self, JournalError> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        // Read under the lock, by its own handle: the other may have written until just now.
        if fs_err::read(path)?.contains(&b'\n') {
            return Err(JournalError::Io(io::ErrorKind::AlreadyExists.into()));
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.sync_all()?;
        Ok(Self::over(Box::new(file)))
    }

    /// A journal over an empty file.
    #[must_use]
    pub fn over(file: Box<dyn Durable>) -> Self {
        Self { file, epoch: 1, sound: 0, last: String::new(), failed: false }
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
        }
        // Also when nothing was torn: the last writer may have died between writing a line and syncing it, and this
        // one is about to act on that line.
        file.sync_all()?;
        file.seek(SeekFrom::Start(reading.sound_bytes))?;
        let sound = reading.sound_bytes;
        let epoch = reading.entries.last().map_or(0, |entry| entry.epoch) + 1;
        let journal = Self { epoch, sound, ..Self::over(Box::new(file)) };
        Ok((journal, reading.entries))
    }
}

#[async_trait(?Send)]
impl Journal for FileJournal {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.failed {
            return Err(JournalError::Io(io::Error::other("an earlier write failed")));
        }
        let line = encode(entry);
        if line == self.last {
            return Ok(());
        }
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync());
        if let Err(error) = written {
            self.failed = true;
            // Take back what may be half there, or whole but not durable. If that fails too, the next writer cuts it.
            let _ = self.file.cut(self.sound);
            return Err(JournalError::Io(error));
        }
        self.sound += line.len() as u64;
        self.last = line;
        Ok(())
    }
}

fn lock(file: &File) -> Result<(), JournalError> {
    for _ in 0..LOCK_TRIES {
        match file.file().try_lock() {
            Ok(()) => return Ok(()),
            // It may be no writer but a `probe`, which lets go at once.
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(std::fs::TryLockError::Error(error)) => return Err(JournalError::Io(error)),
        }
    }
    Err(JournalError::Locked)
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
