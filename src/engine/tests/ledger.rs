//! What the ledger says of itself and of a journal that cannot be written; and what a writer does about a write that failed.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use super::world::{Fixture, plan};
use crate::engine::journal::{
    Crash, Durable, Entry, FileJournal, Journal, JournalError, MemoryJournal, Record, encode, read,
};
use crate::engine::{Class, Event, EventKind, Failure, Ledger};

/// Takes its header under epoch 7, and then nothing more.
struct Refuses(Option<JournalError>);

#[async_trait::async_trait(?Send)]
impl Journal for Refuses {
    fn epoch(&self) -> u64 {
        7
    }

    async fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        assert_eq!(entry.epoch, 7, "each entry has its writer's epoch");
        if entry.seq == 1 { Ok(()) } else { Err(self.0.take().unwrap_or(JournalError::Dead)) }
    }
}

fn started() -> Record {
    Record::StepStarted { step: "a".to_owned(), attempt: 1 }
}

#[tokio::test(start_paused = true)]
async fn why_a_journal_cannot_be_written_is_told_with_what_to_do() {
    let by = "ops@ci".to_owned();
    for (error, message, mend) in [
        (
            JournalError::Lost { by, epoch: 8 },
            "another process works on this run now; this one changed nothing more",
            "`orchestrate status` shows what the other one does",
        ),
        (
            JournalError::Lapsed("too long ago".to_owned()),
            "the lease on this run ended; nothing more was changed",
            "once the place of the state answers again",
        ),
        (
            JournalError::Store(Failure::fatal("access denied")),
            "the journal could not be written; nothing more was changed",
            "see that the place of the state answers and may be written",
        ),
        (
            JournalError::Io(io::Error::from(io::ErrorKind::StorageFull)),
            "the journal could not be written; nothing more was changed",
            "free space or mend the state directory",
        ),
    ] {
        let cause = error.to_string();
        let fixture = Fixture::new(plan("a"));
        let journal = Box::new(Refuses(Some(error)));
        let silent = Rc::new(|_: &Event| {});
        let ledger = Ledger::begin(journal, fixture.header(), fixture.clock.clone(), silent).await;
        let ledger = ledger.expect("the header is taken");
        let failure = ledger.record(started()).await.expect_err("refused");
        assert_eq!((failure.class, failure.message.as_str()), (Class::Journal, message));
        assert_eq!(failure.causes, [cause]);
        assert!(failure.mend.as_ref().is_some_and(|said| said.contains(mend)), "{failure:?}");
        // Not even asked any more: the next error would be another one.
        assert_eq!(ledger.record(started()).await.expect_err("refused"), failure);
    }
}

#[tokio::test(start_paused = true)]
async fn the_ledger_tells_the_latest_note_and_the_epoch_of_its_writer() {
    let fixture = Fixture::new(plan("a b"));
    let told: Rc<RefCell<Vec<EventKind>>> = Rc::default();
    let sink = {
        let told = Rc::clone(&told);
        Rc::new(move |event: &Event| told.borrow_mut().push(event.kind.clone()))
    };
    let journal = Box::new(fixture.journal.clone());
    let ledger = Ledger::begin(journal, fixture.header(), fixture.clock.clone(), sink).await;
    let ledger = ledger.expect("begins");
    assert_eq!((ledger.epoch(), ledger.noted("a", Clone::clone)), (1, None));
    let note = |note| Record::Noted { step: "a".to_owned(), note, part: Vec::new() };
    for record in [started(), note(json!({"call": "asked"})), note(json!({"call": "taken"}))] {
        ledger.record(record.clone()).await.expect("written");
        assert_eq!(fixture.records().last(), Some(&record), "durable");
        let last = told.borrow().last().cloned();
        assert!(matches!(last, Some(EventKind::Recorded(told)) if told == record), "and told");
    }
    assert_eq!(ledger.noted("a", Clone::clone), Some(json!({"call": "taken"})));
    assert_eq!(ledger.noted("b", Clone::clone), None);
    assert_eq!(ledger.state(|state| state.seq), 4);
    assert_eq!(told.borrow().len(), 4, "each once");
    let entries = fixture.journal.entries();
    let journal = Box::new(MemoryJournal::with(entries.clone()));
    let silent = Rc::new(|_: &Event| {});
    let again = Ledger::resume(journal, &entries, fixture.clock.clone(), silent.clone());
    let again = again.expect("its own entries");
    assert_eq!(
        (again.epoch(), again.noted("a", Clone::clone)),
        (2, Some(json!({"call": "taken"})))
    );
    let none = Ledger::none(fixture.clock.clone(), silent);
    assert_eq!((none.epoch(), none.noted("a", Clone::clone)), (0, None));
    none.record(started()).await.expect("it records nothing");
    assert!(none.peek(|state| state.seq).is_none());
}

/// A disk of which the nth sync fails.
#[derive(Clone, Default)]
struct Failing {
    bytes: Rc<RefCell<Vec<u8>>>,
    syncs: Rc<Cell<u32>>,
    fails_at: u32,
}

impl io::Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Durable for Failing {
    fn sync(&mut self) -> io::Result<()> {
        self.syncs.set(self.syncs.get() + 1);
        if self.syncs.get() == self.fails_at { Err(io::Error::other("no")) } else { Ok(()) }
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.bytes.borrow_mut().truncate(usize::try_from(bytes).expect("it is small"));
        Ok(())
    }
}

async fn entries() -> Vec<Entry> {
    let fixture = Fixture::new(plan("a"));
    fixture.begin().await;
    fixture.journal.entries()
}

#[tokio::test(start_paused = true)]
async fn a_write_that_failed_is_taken_back_and_nothing_follows_it() {
    let entries = entries().await;
    let disk = Failing { fails_at: 3, ..Failing::default() };
    let mut journal = FileJournal::over(Box::new(disk.clone()));
    for entry in &entries[..2] {
        journal.append(entry).await.expect("written");
    }
    let text: String = entries[..2].iter().map(encode).collect();
    assert_eq!(*disk.bytes.borrow(), text.as_bytes());
    assert!(format!("{journal:?}").contains(&format!("sound: {}", text.len())), "{journal:?}");
    let failed = journal.append(&entries[2]).await.expect_err("its sync fails");
    assert_eq!(failed.to_string(), "no");
    assert_eq!(*disk.bytes.borrow(), text.as_bytes(), "taken back");
    let later = journal.append(&entries[2]).await.expect_err("nothing follows");
    assert_eq!(later.to_string(), "an earlier write failed");
    assert_eq!((disk.bytes.borrow().len(), disk.syncs.get()), (text.len(), 3));
}

#[tokio::test(start_paused = true)]
async fn the_same_entry_again_is_no_second_line_and_another_one_is() {
    let entries = entries().await;
    let disk = Failing::default();
    let mut journal = FileJournal::over(Box::new(disk.clone()));
    for entry in [&entries[0], &entries[0], &entries[1], &entries[1]] {
        journal.append(entry).await.expect("written");
    }
    let text: String = entries[..2].iter().map(encode).collect();
    assert_eq!(*disk.bytes.borrow(), text.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_journal_in_memory_dies_where_it_is_told_to() {
    let entries = entries().await;
    for written in [true, false] {
        let whole = MemoryJournal::default();
        let mut journal = whole.clone().crashing(Crash { at: 2, written });
        journal.append(&entries[0]).await.expect("before");
        for entry in &entries[1..3] {
            let dead = journal.append(entry).await.expect_err("dead");
            assert!(matches!(dead, JournalError::Dead), "{dead}");
        }
        assert_eq!(whole.entries().len(), if written { 2 } else { 1 });
        let mut next = MemoryJournal::with(whole.entries());
        assert_eq!(next.epoch(), 2);
        let last = whole.entries().pop().expect("entries");
        next.append(&last).await.expect("the same again");
        assert_eq!(next.entries().len(), whole.entries().len(), "and no second one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_taken_up_where_it_ends_under_the_next_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let entries = entries().await;
    let mut journal = FileJournal::create(&path).expect("a new journal");
    assert_eq!(journal.epoch(), 1);
    journal.append(&entries[0]).await.expect("written");
    assert!(FileJournal::create(&path).is_err(), "there is one");
    drop(journal);
    let (mut journal, back) = FileJournal::open(&path).expect("opens");
    assert_eq!((journal.epoch(), back.len()), (2, 1));
    let next = Entry { epoch: 2, ..entries[1].clone() };
    journal.append(&next).await.expect("written");
    drop(journal);
    let reading = read(&path).expect("reads");
    assert_eq!(reading.entries, [entries[0].clone(), next]);
    assert!(!reading.torn);
    let whole = fs_err::metadata(&path).expect("there").len();
    assert_eq!(reading.sound_bytes, whole);
    // A line that is torn off is seen, and what is sound ends before it.
    let text = fs_err::read_to_string(&path).expect("reads");
    fs_err::write(&path, format!("{text}{{\"crc\"")).expect("written");
    let reading = read(&path).expect("reads");
    assert_eq!((reading.torn, reading.sound_bytes, reading.entries.len()), (true, whole, 2));
    let (journal, _) = FileJournal::open(&path).expect("opens");
    assert_eq!(journal.epoch(), 3);
    assert_eq!(fs_err::metadata(&path).expect("there").len(), whole, "it is cut off");
    // To there it would cut a write that fails.
    assert!(format!("{journal:?}").contains(&format!("sound: {whole},")), "{journal:?}");
    // Whoever finds it locked gives up within a second.
    let begun = std::time::Instant::now();
    assert!(matches!(FileJournal::open(&path), Err(JournalError::Locked)));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_file_is_cut_to_the_length_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    fs_err::write(&path, "one line\nhalf a li").expect("written");
    let mut file = fs_err::OpenOptions::new().write(true).open(&path).expect("opens");
    Durable::cut(&mut file, 9).expect("cut");
    Durable::sync(&mut file).expect("synced");
    assert_eq!(fs_err::read_to_string(&path).expect("reads"), "one line\n");
}
