//! Drives one run: signals, screen, questions, and the words at its end.

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::ask;
use super::claims::Clusters;
use super::error::CommandError;
use super::exit::Exit;
use super::guards::GuardEye;
use super::output::Output;
use super::signals::Signals;
use super::state::Runs;
use crate::engine::journal::{Entry, Record, Rest};
use crate::engine::{End, Engine, Event, EventKind, Failure, Helm, Ledger, RunId, Sink};
use crate::report::{Place, Report, next_commands, render_summary, writes};
use crate::state::{GuardGate, LeaseGate, Opened, Watch, follow, keep, wanted};

/// Redraw the counters this often.
const TICK: Duration = Duration::from_millis(200);

/// A call has to be heard out, since only its answer tells whether it took effect; the SDK gives up on one after a minute.
const STOPPING: &str = "stopping at the next safe point, which a call without an answer can put off by a minute or two; what AWS has begun goes on there. Once more stops at once.";

/// Who to name in the journal: user and host.
#[must_use]
pub(crate) fn myself() -> String {
    let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let user = var("USER").or_else(|| var("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|h| h.trim().to_owned()).or_else(|| var("HOSTNAME"));
    host.map_or(user.clone(), |host| format!("{user}@{host}"))
}

/// Where a run begins.
pub(crate) enum Beginning {
    /// A new run with this header.
    New(Box<Record>),
    /// A run that has entries already, and what to add before going on.
    Known(Vec<Entry>, Vec<Record>),
}

/// How a run is driven: who watches, and who stops it.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// It is what this process is for: signals stop it, and whoever sits at the terminal is asked.
    Alone,
    /// One of several: each of its lines begins with a label, nobody is asked, and the token stops it.
    Among { label: String, stop: CancellationToken },
}

/// Carries a run to its next rest and says how it ended.
///
/// # Errors
/// If the journal cannot be written at the very beginning; nothing was changed then.
pub(crate) async fn drive(
    account: &Account,
    opened: Opened,
    runs: &Runs,
    beginning: Beginning,
    manner: &Manner,
    output: Output,
) -> Result<Exit, CommandError> {
    let Opened { journal, lease, .. } = opened;
    let report = match manner {
        Manner::Alone => output.report(),
        Manner::Among { label, .. } => output.labelled(label),
    };
    let report: Rc<RefCell<Box<dyn Report>>> = Rc::new(RefCell::new(report));
    let sink: Sink = {
        let report = Rc::clone(&report);
        Rc::new(move |event: &Event| report.borrow_mut().event(event))
    };
    let clock = account.clock.clone();
    let ledger = match beginning {
        Beginning::New(header) => Ledger::begin(journal, *header, clock.clone(), sink)
            .await
            .map_err(|failure| lost(&failure))?,
        Beginning::Known(entries, more) => {
            // Written when this process took the run, before anybody watched.
            if let Some(entry) = entries.last()
                && matches!(entry.record, Record::TakenOver { .. })
            {
                sink(&Event { at: entry.at, kind: EventKind::Recorded(entry.record.clone()) });
            }
            let ledger = Ledger::resume(journal, &entries, clock.clone(), sink).map_err(|e| {
                CommandError::new(Exit::State, "the journal contradicts itself")
                    .because(e.to_string())
            })?;
            for record in more {
                ledger.record(record).await.map_err(|failure| lost(&failure))?;
            }
            ledger
        }
    };
    let ledger = Rc::new(ledger);
    let cancel = CancellationToken::new();
    let run = ledger.state(|s| s.header.run.clone());
    let place = &runs.place(&run);
    if !account.is_embedded() {
        account.env.aws.gates.add(Rc::new(account.lever(Rc::clone(&ledger))));
    }
    let eye = Rc::new(GuardEye { env: Rc::clone(&account.env), clock: clock.clone() });
    let watch = Rc::new(Watch::new(eye, clock.clone()));
    let gate = GuardGate::new(Rc::clone(&watch), Rc::clone(&ledger));
    account.env.aws.gates.add(Rc::new(gate));
    // The last gate: reading a lever takes time, in which a lease may end.
    account.env.aws.gates.add(Rc::new(LeaseGate::new(Rc::clone(&lease), runs.clock.clone())));
    let helm = Rc::new(Helm::default());
    // What was asked before counts from the first step on.
    let objects = runs.store().objects();
    if let Ok(wanted) = wanted(objects, &run).await {
        helm.heed(&ledger, &wanted).await.map_err(|failure| lost(&failure))?;
    }
    // And what a guard sees before it.
    watch.once(objects, &run, &helm, &ledger).await;
    let watching = watch.on(objects, &run, &helm, &ledger);
    let following = follow(objects, &run, &helm, &ledger, &runs.clock, runs.rhythm);
    let keeping = async {
        keep(lease.as_ref(), &runs.clock).await;
        // Another process has the run: this one comes to its end at its next record.
        cancel.cancel();
        std::future::pending::<()>().await;
    };
    let signals = async {
        match manner {
            Manner::Alone => watch_signals(run.clone(), cancel.clone(), Rc::clone(&report)).await,
            Manner::Among { stop, .. } => {
                stop.cancelled().await;
                cancel.cancel();
                std::future::pending().await
            }
        }
    };
    let ticking = async {
        loop {
            tokio::time::sleep(TICK).await;
            report.borrow_mut().tick(clock.now());
        }
    };
    let running = async {
        loop {
            let engine =
                Engine::new(&account.registry, Rc::clone(&ledger), clock.clone(), cancel.clone());
            let end = engine.steered(Rc::clone(&helm)).run().await;
            let End::Rest(Rest::Waiting { step }) = &end else { return end };
            let alone = matches!(manner, Manner::Alone);
            if output.json || !alone || !ask::somebody_is_there() {
                return end;
            }
            report.borrow_mut().close();
            let decision = tokio::select! {
                decision = decide(&ledger, step) => decision,
                () = cancel.cancelled() => None,
            };
            let Some(decision) = decision else { return end };
            if let Err(failure) = ledger.record(decision).await {
                return End::Broken(failure);
            }
        }
    };
    let end = tokio::select! {
        end = running => end,
        () = ticking => End::Interrupted,
        () = signals => End::Interrupted,
        () = keeping => End::Interrupted,
        never = following => match never {},
        never = watching => match never {},
    };
    report.borrow_mut().close();
    let done = matches!(end, End::Rest(Rest::Succeeded | Rest::RolledBack | Rest::Cancelled));
    if done {
        let clusters = ledger.state(|state| Clusters::of(&state.plan, account));
        clusters.disclaim(&run, runs).await;
    }
    Ok(conclude(&end, &ledger, place, manner, output))
}

/// Asks the person at the terminal what an `approve` step wants to know. `None`: decide later.
async fn decide(ledger: &Ledger, step: &str) -> Option<Record> {
    let mut question = ledger.state(|s| s.step(step).question.clone()).unwrap_or_default();
    if let Some(writes) = ledger.state(writes) {
        question += &format!("\nwrites: {writes}");
    }
    let words = format!(
        "\n{question}\n\"yes\" approves, \"no\" rejects and rolls back, anything else leaves the run waiting:"
    );
    let approved = match ask::line_meanwhile(words).await?.as_str() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some(Record::Decided { step: step.to_owned(), approved, by: myself(), comment: None })
}

fn conclude(end: &End, ledger: &Ledger, place: &Place, manner: &Manner, output: Output) -> Exit {
    let exit = match end {
        End::Rest(Rest::Succeeded) => Exit::Done,
        End::Rest(Rest::RolledBack | Rest::Cancelled) => {
            let asked = ledger.state(|s| {
                matches!(
                    &s.phase,
                    crate::engine::Phase::Back(
                        crate::engine::journal::RollbackReason::Asked { .. }
                    )
                )
            });
            if asked { Exit::Done } else { Exit::RolledBack }
        }
        End::Rest(Rest::Waiting { .. }) => Exit::Waiting,
        End::Rest(Rest::Stuck { .. }) => Exit::Stuck,
        End::Interrupted => Exit::Interrupted,
        End::Broken(_) => Exit::State,
    };
    let summary = ledger.state(|s| render_summary(s, place, false, output.style));
    match manner {
        Manner::Alone => output.say(&summary),
        Manner::Among { label, .. } => output.say_labelled(label, &summary),
    }
    if let End::Broken(failure) = end {
        let error = lost(failure);
        output.complain(&error.render(output.err_style));
    }
    let next = ledger.state(|s| next_commands(s, false, place));
    let (run, rest) = ledger.state(|s| (s.header.run.clone(), s.rest.clone()));
    output.json(&serde_json::json!({ "event": "ended", "data": {
        "run": run, "rest": rest, "exit_code": exit as u8, "journal": place.journal, "next": next,
    }}));
    exit
}

/// The journal could not be written, with what to do about it.
fn lost(failure: &Failure) -> CommandError {
    let error =
        CommandError::new(Exit::State, failure.message.clone()).because(failure.causes.join(": "));
    match &failure.mend {
        Some(mend) => error.hint(mend.clone()),
        None => error,
    }
}

/// The first signal drains the run to a point from which it can go on; the second ends the process at once. Both are
/// safe: what is promised is in the journal already.
async fn watch_signals(
    run: RunId,
    cancel: CancellationToken,
    report: Rc<RefCell<Box<dyn Report>>>,
) {
    let mut signals = Signals::watch();
    let mut seen = 0;
    loop {
        signals.next().await;
        seen += 1;
        if seen > 1 {
            let mut report = report.borrow_mut();
            report.close();
            report.say(&format!(
                "stopped at once; `orchestrate status {run}` says how to go on or back"
            ));
            let _ = std::io::stdout().flush();
            std::process::exit(Exit::Interrupted as i32);
        }
        report.borrow_mut().say(STOPPING);
        cancel.cancel();
    }
}
