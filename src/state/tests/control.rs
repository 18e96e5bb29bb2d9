//! What people ask of runs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::line::{Happens, Line};
use super::{at, clock, header, memory, other_run, run};
use crate::engine::journal::{JournalError, MemoryJournal, Record, Steer};
use crate::engine::{Asked, Class, Event, EventKind, Helm, Ledger, Wanted};
use crate::state::{MemoryObjects, Objects, ask, follow, wanted};

fn key() -> String {
    format!("runs/{}/control.json", run())
}

fn asked() -> Asked {
    Asked { by: "ops@host".to_owned(), at: at(), comment: Some("it is slow".to_owned()) }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_run_is_kept_beside_its_journal_and_is_of_no_other_run() {
    let objects = memory(&clock());
    assert_eq!(wanted(objects.as_ref(), &run()).await.unwrap(), Wanted::default());
    ask(objects.as_ref(), &run(), |wanted| wanted.pause = Some(asked())).await.unwrap();
    let pause = Wanted { pause: Some(asked()), ..Wanted::default() };
    assert_eq!(wanted(objects.as_ref(), &run()).await.unwrap(), pause);
    assert_eq!(wanted(objects.as_ref(), &other_run()).await.unwrap(), Wanted::default());
    let before = objects.get(&key()).await.unwrap().expect("it lies there");
    ask(objects.as_ref(), &run(), |_| {}).await.unwrap();
    let after = objects.get(&key()).await.unwrap().unwrap();
    assert_eq!(after.tag, before.tag, "what changes nothing writes nothing");
    objects.overwrite(&key(), b"who are you");
    let error = wanted(objects.as_ref(), &run()).await.unwrap_err();
    assert_eq!(
        error.to_string().split(": ").next(),
        Some(format!("memory:{} does not read back", key()).as_str())
    );
    ask(objects.as_ref(), &run(), |wanted| wanted.pause = None).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_comes_second_is_made_of_what_the_first_left() {
    let clock = clock();
    let line = Line::to(memory(&clock), &clock);
    let held = Wanted { holds: [("switch".to_owned(), asked())].into(), ..Wanted::default() };
    let bytes = serde_json::to_vec(&held).unwrap();
    let first = move |objects: &MemoryObjects| objects.overwrite(&key(), &bytes);
    line.next(Happens::After(Box::new(first)));
    ask(line.as_ref(), &run(), |wanted| wanted.pause = Some(asked())).await.unwrap();
    let both = Wanted { pause: Some(asked()), ..held };
    assert_eq!(wanted(line.as_ref(), &run()).await.unwrap(), both);
    line.refuses.set(true);
    let error = ask(line.as_ref(), &run(), |wanted| wanted.pause = None).await.unwrap_err();
    assert!(error.to_string().contains("is written by others all the time"), "{error}");
    line.refuses.set(false);
    line.dead.set(Some(Class::Transient));
    let error = ask(line.as_ref(), &run(), |wanted| wanted.pause = None).await.unwrap_err();
    assert!(matches!(error, JournalError::Store(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_counts_at_the_next_look_and_an_outage_is_told_once() {
    let clock = clock();
    let line = Line::to(memory(&clock), &clock);
    let warnings: Rc<RefCell<Vec<String>>> = Rc::default();
    let heard = Rc::clone(&warnings);
    let sink = Rc::new(move |event: &Event| {
        if let EventKind::Warned { warning, .. } = &event.kind {
            heard.borrow_mut().push(warning.clone());
        }
    });
    let journal = MemoryJournal::default();
    let begun = Ledger::begin(Box::new(journal.clone()), header(&run()), clock.clone(), sink).await;
    let (ledger, helm, rhythm) = (begun.unwrap(), Helm::default(), Duration::from_secs(3));
    let run = run();
    let following = follow(line.as_ref(), &run, &helm, &ledger, &clock, rhythm);
    let story = async {
        clock.sleep(Duration::from_secs(1)).await;
        ask(line.inner.as_ref(), &run, |wanted| wanted.pause = Some(asked())).await.unwrap();
        clock.sleep(Duration::from_secs(1)).await;
        assert!(ledger.state(|state| state.paused.is_none()), "not looked at yet");
        clock.sleep(Duration::from_secs(2)).await;
        assert!(ledger.state(|state| state.paused.is_some()), "looked at after three seconds");
        line.dead.set(Some(Class::Transient));
        clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(warnings.borrow().len(), 1, "{warnings:?}");
        line.dead.set(None);
        clock.sleep(Duration::from_secs(4)).await;
        line.dead.set(Some(Class::Transient));
        clock.sleep(Duration::from_secs(30)).await;
        assert_eq!(warnings.borrow().len(), 2, "another one: {warnings:?}");
    };
    tokio::select! {
        never = following => match never {},
        () = story => {}
    }
    let last = journal.entries().pop().unwrap().record;
    assert!(matches!(last, Record::Steered { steer: Steer::Pause, .. }), "{last:?}");
    assert!(warnings.borrow()[0].starts_with("what is asked of this run cannot be read"));
}
