//! What can be tried exhaustively: every call with every fault, every place to die, every two places to die.
//!
//! In quick sandboxes, where a wait takes few looks. Each try is judged as a simulated seed is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use orchestrate::cli::sim::{Death, Library, Script, Write, follow, reach};
use orchestrate::engine::RunState;
use orchestrate::engine::journal::{Record, Unreadable, decode, parse};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan};

use crate::world::{RUNBOOKS, SHIPPED};

const THREADS: usize = 2;
/// What the main thread of a process has, which is where runs are carried out otherwise.
const STACK: usize = 8 << 20;

/// Tries every script; fails with the first few that break a guarantee. Gives how many processes died.
fn try_all(library: &Library, scripts: &[Script<'_>]) -> u64 {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new((0, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let thread = std::thread::Builder::new().stack_size(STACK);
            let work = || {
                while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let story = follow(library, script);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.0 += story.counts.deaths();
                    if !story.violations.is_empty() {
                        sum.1.push(format!("{script:?}\n  {}", story.violations.join("\n  ")));
                    }
                }
            };
            thread.spawn_scoped(scope, work).expect("a thread starts");
        }
    });
    let (deaths, mut broken) = sum.into_inner().expect("no thread panicked");
    let many = broken.len();
    broken.truncate(4);
    assert!(broken.is_empty(), "{many} of {}:\n{}", scripts.len(), broken.join("\n"));
    deaths
}

/// Every fault that can act on a call: a read has no effect that could come before or after, and starts nothing.
fn kinds(operation: &str) -> Vec<FaultKind> {
    let mut kinds = vec![
        FaultKind::Throttle,
        FaultKind::ServerErrorBefore,
        FaultKind::Timeout,
        FaultKind::NotFound,
        FaultKind::Denied,
        FaultKind::ExpiredCredentials,
    ];
    if ["Describe", "Get", "List", "Head"].iter().any(|read| operation.starts_with(read)) {
        kinds.push(FaultKind::StaleRead);
        return kinds;
    }
    kinds.extend([
        FaultKind::ServerErrorAfter,
        FaultKind::LostResponse,
        FaultKind::SlowTransition(3.0),
    ]);
    let state = match operation {
        "CreateCluster" => "restore-failed",
        "CreateReplicationGroup" => "create-failed",
        _ => "failed",
    };
    if operation.starts_with("Create") || operation.ends_with("Snapshot") {
        let (state, reason) = (state.to_owned(), "as the test wants it".to_owned());
        kinds.push(FaultKind::TerminalState { state, reason });
        kinds.push(FaultKind::MissingObjects);
    }
    kinds
}

/// The calls of an undisturbed run, in order.
fn calls(library: &Library, playbook: &str) -> Vec<String> {
    let script = Script { playbook, trace: true, ..Script::default() };
    let story = std::thread::scope(|scope| {
        let follow = || follow(library, &script);
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, follow);
        thread.expect("a thread starts").join().expect("an undisturbed run ends")
    });
    let call = |line: &String| {
        let (_, call) = line.split_once(" call ")?;
        let mut words = call.split(' ').skip(1);
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    let calls: Vec<String> = story.trace.iter().filter_map(call).collect();
    assert!(calls.len() > 5, "{:?}", story.trace);
    calls
}

/// Which calls are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All, but of looks that repeat one another the first and the last.
    Every,
    /// The first of each operation.
    EveryOperation,
}

fn chosen(calls: &[String], which: Which) -> Vec<usize> {
    let operation = |call: &String| call.split(' ').next().map(str::to_owned);
    (0..calls.len())
        .filter(|at| match which {
            Which::Every => {
                let before = at.checked_sub(1).and_then(|before| calls.get(before));
                let (this, after) = (Some(&calls[*at]), calls.get(at + 1));
                before != this || after != this
            }
            Which::EveryOperation => {
                !calls[..*at].iter().any(|call| operation(call) == operation(&calls[*at]))
            }
        })
        .collect()
}

fn every_call_with_every_fault(playbooks: &[&str], which: Which) {
    let library = Library::default();
    let mut scripts = Vec::new();
    let mut counted = Vec::new();
    for playbook in playbooks.iter().copied() {
        let calls = calls(&library, playbook);
        let chosen = chosen(&calls, which);
        counted.push(format!("{} of {} calls of {playbook}", chosen.len(), calls.len()));
        for at in chosen {
            let operation = calls[at].split(' ').next().unwrap_or_default();
            for kind in kinds(operation) {
                let nth = u32::try_from(at + 1).expect("a run makes few calls");
                let faults = FaultPlan::of([Fault::new("*", "*", kind).nth(nth)]);
                scripts.push(Script { playbook, faults, deaths: vec![None], ..Script::default() });
            }
        }
    }
    try_all(&library, &scripts);
    println!("{} faults: {}", scripts.len(), counted.join(", "));
}

#[test]
fn every_call_of_the_quickstart_meets_every_fault() {
    every_call_with_every_fault(&["quickstart"], Which::Every);
}

#[test]
fn every_operation_of_the_other_migrations_meets_every_fault() {
    let others =
        ["elasticache-to-memorydb", "elasticache-to-memorydb-approved", "serverless-to-memorydb"];
    every_call_with_every_fault(&others, Which::EveryOperation);
}

#[test]
fn every_operation_of_the_memorydb_runbooks_meets_every_fault() {
    every_call_with_every_fault(&["provision-memorydb", "scale-memorydb"], Which::EveryOperation);
}

#[test]
fn every_call_of_the_clean_ups_meets_every_fault() {
    let clean_ups = ["cleanup-migration", "cleanup-serverless-migration"];
    every_call_with_every_fault(&clean_ups, Which::Every);
}

#[test]
fn every_operation_of_the_exports_meets_every_fault() {
    let exports =
        ["scheduled-export", "scheduled-export-memorydb", "export-fleet", "restore-drill"];
    every_call_with_every_fault(&exports, Which::EveryOperation);
}

#[test]
fn every_operation_of_the_runbooks_meets_every_fault() {
    every_call_with_every_fault(&RUNBOOKS, Which::EveryOperation);
}

#[test]
fn every_shipped_playbook_meets_every_fault() {
    let tried = [
        "quickstart",
        "elasticache-to-memorydb",
        "elasticache-to-memorydb-approved",
        "serverless-to-memorydb",
        "provision-memorydb",
        "scale-memorydb",
        "cleanup-migration",
        "cleanup-serverless-migration",
        "failover-drill",
        "scale",
        "engine-upgrade",
        "park",
        "unpark",
        "decommission-source",
        "scheduled-export",
        "scheduled-export-memorydb",
        "export-fleet",
        "restore-drill",
    ];
    assert_eq!(tried, SHIPPED, "put the new playbook into one of the tests above");
}

/// Every way to die once: at each await, at each write in three ways, at each request before and after it left.
fn deaths(library: &Library, playbook: &str) -> Vec<Death> {
    let reach = reach(library, playbook);
    let awaits = (1..=reach.polls).map(Death::AtPoll);
    let writes = (1..=reach.writes).flat_map(|at| {
        [Write::Before, Write::Torn(128), Write::After].map(|write| Death::AtWrite(at, write))
    });
    let sends = (1..=reach.sends).flat_map(|at| [false, true].map(|left| Death::AtSend(at, left)));
    awaits.chain(writes).chain(sends).collect()
}

#[test]
fn the_migration_may_die_anywhere_forward_and_while_rolling_back() {
    let (library, playbook) = (Library::default(), "quickstart");
    let all = deaths(&library, playbook);
    let forward = all.iter().map(|death| vec![Some(*death)]);
    let back = all.iter().map(|death| vec![None, Some(*death)]);
    let script = |deaths: Vec<Option<Death>>| {
        let back = deaths.len() == 2;
        Script { playbook, deaths, back, ..Script::default() }
    };
    let scripts: Vec<Script<'_>> = forward.chain(back).map(script).collect();
    let died = try_all(&library, &scripts);
    println!("{died} deaths of {playbook} in {} tries, forward and back", scripts.len());
    assert!(died as usize > all.len());
}

/// Writes are where what is known changes: between two of them all deaths but those around a request are alike.
fn at_writes(most: u64, step: usize) -> Vec<Death> {
    let all = (1..=most)
        .flat_map(|at| [Write::Before, Write::After].map(|write| Death::AtWrite(at, write)));
    all.step_by(step).collect()
}

fn pairs(playbook: &str, first: usize, second: usize) {
    let library = Library::default();
    let most = reach(&library, playbook).writes;
    let mut scripts = Vec::new();
    for one in at_writes(most, first) {
        for two in at_writes(most, second) {
            for back in [false, true] {
                let mut deaths = vec![Some(one), Some(two)];
                if back {
                    deaths.insert(0, None);
                }
                scripts.push(Script { playbook, deaths, back, ..Script::default() });
            }
        }
    }
    let died = try_all(&library, &scripts);
    println!("{playbook}: {died} deaths in {} pairs, forward and back", scripts.len());
    // Second places beyond the end of what was left to do kill nobody.
    assert!(died as usize > scripts.len() / 2);
}

#[test]
fn every_two_writes_may_be_the_last_forward_and_while_rolling_back() {
    pairs("parameter", 1, 1);
    pairs("swap", 1, 1);
    pairs("cluster", 1, 3);
}

/// The whole square is some 20,000 runs of a whole migration: a stride through it, coprime to the two ways to die.
#[test]
fn the_migration_may_die_twice_forward_and_while_rolling_back() {
    pairs("quickstart", 9, 7);
}

#[test]
fn every_prefix_of_the_migration_s_journal_tells_what_to_do_next() {
    let library = Library::default();
    let script = Script { playbook: "quickstart", ..Script::default() };
    let journal = follow(&library, &script).journal;
    let path = std::path::Path::new("journal");
    let whole = parse(path, &journal).expect("it reads back").entries;
    let ends: Vec<usize> =
        (0..journal.len()).filter(|at| journal[*at] == b'\n').map(|at| at + 1).collect();
    assert_eq!(ends.len(), whole.len());
    let place = orchestrate::report::Place { journal: String::new(), flags: String::new() };
    let mut cuts = 0;
    for (index, end) in ends.iter().enumerate() {
        let begin = if index == 0 { 0 } else { ends[index - 1] };
        // Every torn tail of a line: its bytes do not matter, so the long lines are cut at every eighth.
        for cut in (begin + 1..*end).step_by(8).chain([end - 1]) {
            cuts += 1;
            match parse(path, &journal[..cut]) {
                Ok(reading) => {
                    assert_eq!(reading.entries.len(), index, "cut at {cut}");
                    assert!(reading.torn && reading.sound_bytes == begin as u64, "cut at {cut}");
                }
                Err(error) => assert!(index == 0, "cut at {cut}: {error}"),
            }
        }
        let reading = parse(path, &journal[..*end]).expect("whole lines read back");
        assert_eq!(reading.entries, whole[..=index]);
        let state = RunState::replay(&reading.entries).expect("every prefix makes sense");
        let next = orchestrate::report::next_commands(&state, false, &place);
        assert!(!next.is_empty(), "nothing is named after record {}", index + 1);
    }
    println!("{} prefixes, {cuts} torn tails", ends.len());
}

#[test]
fn every_damaged_byte_of_the_migration_s_journal_is_refused() {
    let library = Library::default();
    let script = Script { playbook: "quickstart", ..Script::default() };
    let journal = String::from_utf8(follow(&library, &script).journal).expect("JSON");
    let mut tried = 0;
    for line in journal.lines() {
        let entry = decode(line).expect("it reads back");
        // The plan in the header is long, and its bytes are alike.
        let step = if matches!(entry.record, Record::Started { .. }) { 17 } else { 1 };
        for at in (0..line.len()).step_by(step) {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1 << (at % 7);
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let refused = matches!(decode(&text), Err(Unreadable::Damaged(_)));
            assert!(refused, "byte {at} of {line}");
            tried += 1;
        }
    }
    // A line that is missing or twice is damage too.
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    let path = std::path::Path::new("journal");
    for at in 0..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(at);
        assert!(parse(path, fewer.concat().as_bytes()).is_err(), "without line {}", at + 1);
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        assert!(parse(path, more.concat().as_bytes()).is_err(), "line {} twice", at + 1);
    }
    println!("{tried} damaged bytes, {} lines missing or twice", 2 * (lines.len() - 1));
}
