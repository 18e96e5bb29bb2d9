//! The journal file: cut anywhere, damaged anywhere, locked, full.

use std::path::{Path, PathBuf};

use super::world::{Fixture, plan};
use crate::engine::journal::{
    Durable, Entry, FileJournal, Journal, JournalError, Record, encode, folders_to_sync, read,
};
use crate::engine::{Class, Clock, Ledger, RunState};

/// The entries of a real run, few and short enough to cut at every byte.
async fn entries() -> Vec<Entry> {
    let fixture = Fixture::new(plan("a"));
    fixture.begin().await;
    fixture.journal.entries()
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runs").join("0123456789").join("journal.jsonl");
    Place { _folder: folder, path }
}

fn written(bytes: &[u8]) -> Place {
    let place = place();
    fs_err::create_dir_all(place.path.parent().expect("a parent")).expect("a folder");
    fs_err::write(&place.path, bytes).expect("a file");
    place
}

fn text(entries: &[Entry]) -> Vec<u8> {
    entries.iter().map(encode).collect::<String>().into_bytes()
}

fn interrupted(seq: u64) -> Entry {
    let at = "2026-03-01T13:00:00Z".parse().expect("a timestamp");
    Entry { seq, epoch: 2, at, record: Record::Interrupted { by: "SIGINT".to_owned() } }
}

fn refusal(path: &Path) -> String {
    let error = FileJournal::open(path).expect_err("it must be refused").to_string();
    assert!(!error.contains('\n') && error.len() < 300, "{error}");
    error.replace(&path.display().to_string(), "journal")
}

#[tokio::test(start_paused = true)]
async fn what_was_written_reads_back() {
    let entries = entries().await;
    let place = place();
    let mut journal = FileJournal::create(&place.path).expect("a new journal");
    for entry in &entries {
        journal.append(entry).await.expect("written");
    }
    drop(journal);
    let (_journal, back) = FileJournal::open(&place.path).expect("opens");
    assert_eq!(back, entries);
    assert!(FileJournal::create(&place.path).is_err(), "a journal is never begun twice");
}

#[tokio::test(start_paused = true)]
async fn a_journal_torn_at_any_byte_opens_and_goes_on() {
    let entries = entries().await;
    let whole = text(&entries);
    let first = encode(&entries[0]).len();
    let last = whole.len() - encode(&entries[entries.len() - 1]).len();
    // Every byte of the last line and of the first line's end; the others by steps, since each cut is synced twice.
    let cuts = (0..last).step_by(23).chain(first - 3..first + 3).chain(last..=whole.len());
    for cut in cuts {
        let place = written(&whole[..cut]);
        if cut < first {
            assert!(matches!(FileJournal::open(&place.path), Err(JournalError::Empty(_))));
            continue;
        }
        let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
        let before = read(&place.path).expect("reads");
        assert_eq!(before.torn, whole[cut - 1] != b'\n');
        let (mut journal, back) = FileJournal::open(&place.path).expect("opens");
        assert_eq!(back, entries[..lines]);
        let next = interrupted(lines as u64 + 1);
        journal.append(&next).await.expect("goes on");
        drop(journal);
        let after = read(&place.path).expect("reads");
        assert!(!after.torn);
        assert_eq!(after.entries.last(), Some(&next), "cut at {cut}");
        assert_eq!(after.entries.len(), lines + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_is_refused_and_its_line_named() {
    let entries = entries().await;
    let whole = text(&entries);
    // The last byte is left out: without its line feed the last line is a torn one.
    for at in 0..whole.len() - 1 {
        let bit = at % 8;
        for mask in [1 << bit, 0x20] {
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            let line = whole[..at].iter().filter(|b| **b == b'\n').count() + 1;
            let place = written(&bytes);
            match read(&place.path) {
                Err(JournalError::Damaged { line: named, .. }) => {
                    assert_eq!(named, line, "byte {at}");
                }
                other => panic!("byte {at} with {mask:#x}: {other:?}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn damage_is_told_in_one_line() {
    let entries = entries().await;
    let skipped = [&entries[0], &entries[2]].map(encode).concat();
    let place = written(skipped.as_bytes());
    assert_eq!(refusal(&place.path), "journal: line 2 is damaged (it is numbered 3)");
    let twice = [&entries[0], &entries[0]].map(encode).concat();
    let place = written(twice.as_bytes());
    assert_eq!(refusal(&place.path), "journal: line 2 is damaged (it is numbered 1)");
    let mut bytes = text(&entries[..2]);
    bytes.extend(b"\xff\xfe\n");
    let place = written(&bytes);
    assert_eq!(refusal(&place.path), "journal: line 3 is damaged (it is not UTF-8)");
    for bytes in [&b""[..], b"{\"crc\":\"0"] {
        let place = written(bytes);
        assert_eq!(
            refusal(&place.path),
            "journal: the journal is empty: the run died before it began"
        );
    }
    let place = written(b"\n");
    assert_eq!(
        refusal(&place.path),
        "journal: line 1 is damaged (it does not begin with a checksum)"
    );
    let mut bytes = text(&entries[..2]);
    bytes.extend(b"\n");
    let place = written(&bytes);
    assert!(refusal(&place.path).starts_with("journal: line 3 is damaged"));
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_another_version_is_not_called_damage() {
    let entries = entries().await;
    let foreign = |from: &str, to: &str, entry: &Entry| {
        let line = encode(entry);
        let rest = line.trim_end().split_once("\",").expect("a checksum").1.replace(from, to);
        assert!(rest.contains(to), "{rest}");
        format!("{{\"crc\":\"{:08x}\",{rest}\n", crc32fast::hash(rest.as_bytes()))
    };
    let mut lines = encode(&entries[0]);
    lines += &foreign("step_started", "step_teleported", &entries[1]);
    let place = written(lines.as_bytes());
    assert_eq!(
        refusal(&place.path),
        "journal: line 2 was written by another version of orchestrate (unknown variant \
         `step_teleported`); go on with that version"
    );
    let header = foreign("\"format\":1", "\"format\":2", &entries[0]);
    let place = written(header.as_bytes());
    assert_eq!(
        refusal(&place.path),
        "journal: line 1 was written by another version of orchestrate (its plan has format 2); \
         go on with that version"
    );
}

#[tokio::test(start_paused = true)]
async fn a_journal_has_one_writer_and_any_number_of_readers() {
    let entries = entries().await;
    let place = place();
    let mut journal = FileJournal::create(&place.path).expect("a new journal");
    journal.append(&entries[0]).await.expect("written");
    assert!(matches!(FileJournal::probe(&place.path), Err(JournalError::Locked)));
    assert!(matches!(FileJournal::open(&place.path), Err(JournalError::Locked)));
    assert_eq!(read(&place.path).expect("reads").entries.len(), 1);
    journal.append(&entries[1]).await.expect("probing does not disturb the writer");
    drop(journal);
    FileJournal::probe(&place.path).expect("nobody writes");
    FileJournal::probe(&place.path).expect("probing leaves no lock");
    let (journal, back) = FileJournal::open(&place.path).expect("opens");
    assert_eq!(back, entries[..2]);
    drop(journal);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_probes_is_not_taken_for_a_writer() {
    let place = written(&text(&entries().await));
    let path = place.path.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let prober = std::thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let _ = FileJournal::probe(&path);
            // Most of the time nobody probes: as in life, only far more often.
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    });
    for _ in 0..200 {
        FileJournal::open(&place.path).expect("opens although it is probed");
    }
    stop.send(()).expect("the prober listens");
    prober.join().expect("the prober ends");
}

#[cfg(unix)]
#[test]
fn file_and_folders_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let journal = FileJournal::create(&place.path).expect("a new journal");
    let mode = |path: &Path| fs_err::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&place.path), 0o600);
    let run = place.path.parent().expect("a folder");
    assert_eq!(mode(run), 0o700);
    assert_eq!(mode(run.parent().expect("a folder")), 0o700);
    drop(journal);
}

/// A disk that is full after so many bytes: it writes what still fits of an entry, then fails.
struct FullDisk {
    path: PathBuf,
    room: usize,
    writes: std::rc::Rc<std::cell::Cell<u32>>,
}

#[async_trait::async_trait(?Send)]
impl Journal for FullDisk {
    fn epoch(&self) -> u64 {
        1
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.writes.set(self.writes.get() + 1);
        let line = encode(entry).into_bytes();
        let fits = line.len().min(self.room);
        self.room -= fits;
        let mut bytes = fs_err::read(&self.path).unwrap_or_default();
        bytes.extend(&line[..fits]);
        fs_err::write(&self.path, bytes)?;
        if fits < line.len() {
            return Err(JournalError::Io(std::io::Error::from(std::io::ErrorKind::StorageFull)));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_ends_the_ledger_and_the_journal_opens_again() {
    let fixture = Fixture::new(plan("a"));
    let header =
        encode(&Entry { seq: 1, epoch: 1, at: fixture.clock.now(), record: fixture.header() });
    let place = written(b"");
    let writes = std::rc::Rc::<std::cell::Cell<u32>>::default();
    let disk =
        FullDisk { path: place.path.clone(), room: header.len() + 40, writes: writes.clone() };
    let clock = Clock::tokio(fixture.clock.now(), 1.0);
    let told = std::rc::Rc::<std::cell::Cell<u32>>::default();
    let sink = {
        let told = told.clone();
        std::rc::Rc::new(move |_: &crate::engine::Event| told.set(told.get() + 1))
    };
    let ledger = Ledger::begin(Box::new(disk), fixture.header(), clock, sink).await;
    let ledger = ledger.expect("the header fits");
    let before = ledger.state(Clone::clone);
    for _ in 0..3 {
        let failure = ledger
            .record(Record::StepStarted { step: "a".to_owned(), attempt: 1 })
            .await
            .expect_err("it does not fit");
        assert_eq!(failure.class, Class::Journal);
        assert_eq!(ledger.state(Clone::clone), before);
    }
    assert_eq!(writes.get(), 2, "after the failed write nothing was written any more");
    assert_eq!(told.get(), 1, "what is not durable is not told");
    let (_journal, back) = FileJournal::open(&place.path).expect("the torn line is cut");
    assert_eq!(RunState::replay(&back).as_ref(), Ok(&before));
}

#[tokio::test(start_paused = true)]
async fn a_record_out_of_order_ends_the_ledger() {
    let fixture = Fixture::new(plan("a"));
    let journal = fixture.journal.clone();
    let ledger = Ledger::begin(
        Box::new(journal.clone()),
        fixture.header(),
        fixture.clock.clone(),
        std::rc::Rc::new(|_| {}),
    )
    .await
    .expect("begins");
    let wrong = ledger.record(Record::Undone { step: "a".to_owned(), did: Vec::new() }).await;
    assert_eq!(wrong.expect_err("refused").class, Class::Journal);
    let right = ledger.record(Record::StepStarted { step: "a".to_owned(), attempt: 1 }).await;
    assert_eq!(right.expect_err("refused as well").class, Class::Journal);
    assert_eq!(journal.entries().len(), 1);
}

/// Takes a second for each entry, which is written at its beginning or at its end.
struct Slow {
    inner: crate::engine::journal::MemoryJournal,
    clock: Clock,
    written_first: bool,
}

#[async_trait::async_trait(?Send)]
impl Journal for Slow {
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let second = std::time::Duration::from_secs(1);
        if self.written_first {
            self.inner.append(entry).await?;
            self.clock.sleep(second).await;
            return Ok(());
        }
        self.clock.sleep(second).await;
        self.inner.append(entry).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_writer_was_dropped_is_written_before_the_next_and_once() {
    for written_first in [true, false] {
        let fixture = Fixture::new(plan("a"));
        let (inner, clock) = (fixture.journal.clone(), fixture.clock.clone());
        let slow = Slow { inner, clock: clock.clone(), written_first };
        let silent = std::rc::Rc::new(|_: &crate::engine::Event| {});
        let ledger = Ledger::begin(Box::new(slow), fixture.header(), clock.clone(), silent).await;
        let ledger = ledger.expect("begins");
        let start = Record::StepStarted { step: "a".to_owned(), attempt: 1 };
        tokio::select! {
            _ = ledger.record(start.clone()) => panic!("it takes a second"),
            () = clock.sleep(std::time::Duration::from_millis(500)) => {}
        }
        assert_eq!(ledger.state(|state| state.seq), 1, "nobody knows yet");
        let next = Record::Resumed { by: "test".to_owned() };
        ledger.record(next.clone()).await.expect("written");
        assert_eq!(ledger.state(|state| state.seq), 3);
        let records = fixture.records();
        assert_eq!(records[1..], [start, next], "written first: {written_first}");
    }
}

/// A disk that forgets at a power cut what was not synced.
#[derive(Clone, Default)]
struct Volatile(std::rc::Rc<std::cell::RefCell<(Vec<u8>, usize)>>);

impl std::io::Write for Volatile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Durable for Volatile {
    fn sync(&mut self) -> std::io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.1 = disk.0.len();
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> std::io::Result<()> {
        self.0.borrow_mut().0.truncate(usize::try_from(bytes).expect("it is small"));
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_was_appended_survives_a_power_cut() {
    let disk = Volatile::default();
    let mut journal = FileJournal::over(Box::new(disk.clone()));
    let mut written = Vec::new();
    for entry in entries().await {
        journal.append(&entry).await.expect("written");
        written.push(entry);
        let (bytes, synced) = disk.0.borrow().clone();
        assert_eq!(bytes[..synced], text(&written), "entry {}", written.len());
    }
}

/// A process that made the file and died before its first record was whole has begun nothing.
#[tokio::test(start_paused = true)]
async fn a_journal_without_a_whole_record_is_begun_again_and_no_other() {
    let entries = entries().await;
    let line = encode(&entries[0]);
    for torn in [&b""[..], &line.as_bytes()[..line.len() / 2]] {
        let place = written(torn);
        let mut journal = FileJournal::begin_again(&place.path).expect("nothing was begun");
        assert!(FileJournal::begin_again(&place.path).is_err(), "it is taken");
        journal.append(&entries[0]).await.expect("written");
        drop(journal);
        assert_eq!(FileJournal::open(&place.path).expect("opens").1, entries[..1]);
        FileJournal::begin_again(&place.path).expect_err("it has a record");
        assert_eq!(FileJournal::open(&place.path).expect("opens").1, entries[..1], "and keeps it");
    }
}

/// A relative path that is not there at all is the one whose end is easily missed.
#[test]
fn every_folder_that_is_made_on_the_way_to_a_journal_is_synced_and_the_one_above() {
    let here = std::env::current_dir().expect("there is one");
    let there = tempfile::tempdir().expect("a folder");
    for (base, given) in [(here.as_path(), Path::new("")), (there.path(), there.path())] {
        let wanted = ["not-there/runs/one", "not-there/runs", "not-there"].map(|f| base.join(f));
        let mut wanted = wanted.to_vec();
        wanted.push(base.to_owned());
        let found = folders_to_sync(&given.join("not-there/runs/one")).expect("absolute");
        assert_eq!(found, wanted);
    }
    assert_eq!(folders_to_sync(there.path()).expect("absolute"), [there.path()]);
    assert_eq!(folders_to_sync(Path::new(".")).expect("absolute"), [here]);
}
