//! Runs in a local directory: what is where, who may read it, and what is no run.

use std::io;
use std::path::Path;

use super::{entry, other_run, run};
use crate::engine::journal::JournalError;
use crate::state::{Directory, Expect, Found, Put, Store};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn kind<T>(answer: Result<T, JournalError>) -> io::ErrorKind {
    match answer {
        Err(JournalError::Io(error)) => error.kind(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it worked"),
    }
}

fn stored(put: Put) -> String {
    match put {
        Put::Stored(tag) => tag,
        Put::Refused => panic!("it was refused"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_lies_in_a_folder_of_its_own_and_its_lock_dies_with_its_process() {
    let folder = folder();
    let root = folder.path().join("state");
    let store = Directory::new(root.clone());
    let file = root.join(format!("runs/{}/journal.jsonl", run()));
    assert_eq!(store.root(), root.display().to_string());
    assert_eq!(store.journal(&run()), file.display().to_string());
    assert_eq!(store.path(&run()), file);
    assert_eq!(store.runs().await.unwrap(), [], "there is no directory yet");
    let mut first = store.create(&run()).await.unwrap();
    first.journal.append(&entry(1, 1)).await.unwrap();
    assert!(file.exists());
    drop(store.create(&other_run()).await.unwrap());
    fs_err::write(root.join("runs/readme"), "no run").unwrap();
    assert_eq!(store.runs().await.unwrap(), [run(), other_run()]);
    assert_eq!((first.journal.epoch(), first.lease.epoch(), first.entries.len()), (1, 1, 0));
    first.lease.check().unwrap();
    assert_eq!(first.lease.rhythm(), None, "there is nothing to renew");
    let holder = store.holder(&run()).await.unwrap().expect("somebody works on it");
    assert_eq!((holder.who.as_str(), holder.ends_in), ("a process on this machine", None));
    let loaded = store.load(&run()).await.unwrap();
    assert_eq!((loaded.entries, loaded.holder.is_some()), (vec![entry(1, 1)], true));
    assert!(matches!(store.open(&run()).await, Err(JournalError::Locked)));
    assert!(matches!(store.unlock(&run(), "why").await, Err(JournalError::Locked)));
    drop(first);
    assert!(store.unlock(&run(), "why").await.unwrap().is_none(), "nobody has it");
    assert_eq!(store.holder(&run()).await.unwrap(), None);
    assert_eq!(kind(store.create(&run()).await), io::ErrorKind::AlreadyExists);
    let second = store.open(&run()).await.unwrap();
    assert_eq!((second.journal.epoch(), second.lease.epoch()), (2, 2));
    assert_eq!(second.entries, [entry(1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_began_is_empty_and_what_cannot_be_read_is_not() {
    let folder = folder();
    let store = Directory::new(folder.path().to_owned());
    for answer in [store.load(&run()).await.map(drop), store.open(&run()).await.map(drop)] {
        assert!(matches!(answer, Err(JournalError::Empty(path)) if path == store.path(&run())));
    }
    // A file where a folder should be, and a folder where a file should be.
    fs_err::create_dir_all(store.path(&run())).unwrap();
    assert_eq!(kind(store.load(&run()).await), io::ErrorKind::IsADirectory);
    fs_err::remove_dir_all(folder.path().join("runs")).unwrap();
    fs_err::write(folder.path().join("runs"), "no folder").unwrap();
    assert_eq!(kind(store.runs().await), io::ErrorKind::NotADirectory);
}

#[tokio::test(start_paused = true)]
async fn a_journal_without_a_record_is_begun_again_and_a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let store = Directory::new(folder.path().to_owned());
    drop(store.create(&run()).await.unwrap());
    let mut again = store.create(&run()).await.expect("its process died before the header");
    again.journal.append(&entry(1, 1)).await.unwrap();
    assert_eq!(store.load(&run()).await.unwrap().entries, [entry(1, 1)]);
    drop(again);
    fs_err::remove_dir_all(folder.path().join("runs")).unwrap();
    fs_err::write(folder.path().join("runs"), "no folder").unwrap();
    let error = store.create(&run()).await.err().expect("there is a file in its place");
    let named = folder.path().join("runs").join(run().as_str());
    assert!(error.to_string().starts_with(&named.display().to_string()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_small_file_is_written_under_its_condition_and_only_its_owner_reads_it() {
    let folder = folder();
    let root = folder.path().join("state");
    let store = Directory::new(root.clone());
    let files = store.objects();
    let key = "runs/x/control.json";
    assert_eq!(files.place(key), root.join(key).display().to_string());
    assert_eq!(files.get(key).await.unwrap(), None);
    let put = async |bytes: &str, expect| files.put(key, bytes.into(), expect).await.unwrap();
    assert_eq!(put("a", Expect::Tag("tag".to_owned())).await, Put::Refused, "nothing is there");
    let first = stored(put("a", Expect::Absent).await);
    let found = Found { bytes: b"a".to_vec(), tag: first.clone(), age: None };
    assert_eq!(files.get(key).await.unwrap(), Some(found));
    assert_eq!(put("b", Expect::Absent).await, Put::Refused, "something is there");
    assert_eq!(put("b", Expect::Tag("tag".to_owned())).await, Put::Refused, "something else");
    let second = stored(put("b", Expect::Tag(first.clone())).await);
    assert_ne!(first, second);
    assert_eq!(files.get(key).await.unwrap().unwrap().bytes, b"b");
    assert_eq!(put("c", Expect::Tag(first)).await, Put::Refused, "it was written over");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root.join(key)), 0o600);
        assert_eq!(mode(&root.join("objects.lock")), 0o600);
        for folder in ["", "runs", "runs/x"] {
            assert_eq!(mode(&root.join(folder)), 0o700, "{folder}");
        }
    }
    // A folder of that name, and a file where its folder should be.
    for wrong in ["runs/x", "runs/x/control.json/more"] {
        let failure = files.get(wrong).await.unwrap_err();
        assert_eq!(failure.message, "the state directory cannot be used", "{wrong}");
        files.put(wrong, b"x".to_vec(), Expect::Absent).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn small_files_are_listed_in_order_and_cut_at_the_delimiter() {
    let folder = folder();
    let store = Directory::new(folder.path().join("state"));
    let files = store.objects();
    let list = async |prefix: &str, delimiter| files.list(prefix, delimiter).await.unwrap();
    assert_eq!(list("", None).await, Vec::<String>::new(), "there is no directory yet");
    for key in ["claims/one/b", "claims/one/a", "claims/two/a", "claim"] {
        stored(files.put(key, b"x".to_vec(), Expect::Absent).await.unwrap());
    }
    assert_eq!(list("claims/", Some('/')).await, ["claims/one/", "claims/two/"]);
    assert_eq!(list("claims/", None).await, ["claims/one/a", "claims/one/b", "claims/two/a"]);
    assert_eq!(list("claims/one/", Some('/')).await, ["claims/one/a", "claims/one/b"]);
    let file = Directory::new(folder.path().join("state/claim"));
    let failure = file.objects().list("", None).await.unwrap_err();
    assert_eq!(failure.message, "the state directory cannot be used");
}
