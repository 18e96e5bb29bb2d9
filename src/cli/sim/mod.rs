//! Deterministic simulation: engine, sandbox, processes, their disk, their network and the people who give commands, on
//! one thread and virtual time, all of it drawn from one seed.
//!
//! - `library`: what is simulated. `process`: one `orchestrate` process. `living`: what befalls it, and `life` counts
//! - `disk`, `bucket`, `network`: what it reaches the world by, and where it can be cut off. `operator`: the people
//! - `tape`: what is kept. `check`: the reference that judges it, which knows nothing of the engine
//!
//! A seed is a bug report: `orchestrate sim --seed N` shows what happened, the same each time.

mod bucket;
mod check;
mod disk;
mod library;
mod life;
mod living;
mod network;
mod operator;
mod process;
mod tape;

use std::ops::{AddAssign, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrate_sandbox::FaultPlan;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::check::{Evidence, Violation};
use self::disk::Disk;
pub use self::library::Library;
use self::library::{Known, RUN, settled};
use self::life::Life;
pub use self::life::{Death, Reach, Write};
use self::operator::Operator;
use self::process::{Order, Process};
use self::tape::Tape;
use crate::engine::Clock;
use crate::engine::journal::{Entry, Record};

/// The share of runs that are kept in a bucket, where machines take them from one another.
const IN_BUCKET: (u32, u32) = (1, 30);

/// Something that is deliberately broken, to show that the check sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A second process gets the journal while another has it.
    NoLock,
    /// Three writes out of four are not synced, and lost with the process.
    NoSync,
    /// A change leaves without asking whether the lease still holds.
    NoGate,
}

/// What to simulate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// The playbook; drawn from the seed if not given.
    pub playbook: Option<&'a str>,
    /// Whether to keep a trace.
    pub trace: bool,
    /// What is broken.
    pub flaw: Option<Flaw>,
}

/// A simulation of which nothing is left to chance but the network's delays.
#[derive(Clone, Debug, Default)]
pub struct Script<'a> {
    /// The playbook.
    pub playbook: &'a str,
    /// What goes wrong at AWS, until the last of `deaths`.
    pub faults: FaultPlan,
    /// How the first processes die, one after the other; `None` is one that nothing befalls. Those after them live.
    pub deaths: Vec<Option<Death>>,
    /// Whether a run that has succeeded is rolled back, past its pivot too.
    pub back: bool,
    /// Whether to keep a trace.
    pub trace: bool,
}

/// What a simulation, or many, went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Simulations.
    pub seeds: u64,
    /// Processes that were started.
    pub processes: u64,
    /// Processes that died where their code awaited something.
    pub deaths_at_awaits: u64,
    /// Processes that died at a write of their journal.
    pub deaths_at_writes: u64,
    /// Processes that died while they sent a request.
    pub deaths_at_sends: u64,
    /// Second commands to a run that a process works on.
    pub seconds: u64,
    /// Runs in a bucket that were taken from a process which had not given them up.
    pub takeovers: u64,
    /// Requests that left a process.
    pub calls: u64,
    /// Requests that met a fault.
    pub faults: u64,
    /// Simulations in which something was to go wrong at AWS.
    pub faults_planned: u64,
    /// Runs that succeeded at last.
    pub succeeded: u64,
    /// Runs that were rolled back at last.
    pub rolled_back: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.processes += other.processes;
        self.deaths_at_awaits += other.deaths_at_awaits;
        self.deaths_at_writes += other.deaths_at_writes;
        self.deaths_at_sends += other.deaths_at_sends;
        self.seconds += other.seconds;
        self.takeovers += other.takeovers;
        self.calls += other.calls;
        self.faults += other.faults;
        self.faults_planned += other.faults_planned;
        self.succeeded += other.succeeded;
        self.rolled_back += other.rolled_back;
    }
}

impl Counts {
    /// Processes that died.
    #[must_use]
    pub fn deaths(&self) -> u64 {
        self.deaths_at_awaits + self.deaths_at_writes + self.deaths_at_sends
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, processes, calls, faults, seconds, takeovers, .. } = self;
        let Self { succeeded, rolled_back, .. } = self;
        write!(
            f,
            "{seeds} seeds, {processes} processes, {} crash points ({} awaits, {} writes, {} requests), {faults} faults in {calls} calls, {seconds} second operators, {takeovers} takeovers; {succeeded} succeeded, {rolled_back} rolled back",
            self.deaths(),
            self.deaths_at_awaits,
            self.deaths_at_writes,
            self.deaths_at_sends,
        )
    }
}

/// What became of one seed.
#[derive(Clone, Debug)]
pub struct Story {
    /// The seed.
    pub seed: u64,
    /// The playbook.
    pub playbook: &'static str,
    /// What happened, if a trace was asked for.
    pub trace: Vec<String>,
    /// The journal at the end.
    pub journal: Vec<u8>,
    /// Which guarantees do not hold, and how; empty if all do.
    pub violations: Vec<String>,
    /// What it went through.
    pub counts: Counts,
}

/// Simulates one seed. Must not be called inside a runtime.
#[must_use]
pub fn simulate(library: &Library, seed: u64, options: Options<'_>) -> Story {
    let mut rng = StdRng::seed_from_u64(seed);
    let draw = rng.random::<u32>();
    let known = library.find(options.playbook, |sum| draw % sum);
    play(known, seed, rng, options, None)
}

/// Simulates a script. Must not be called inside a runtime.
///
/// # Panics
/// If there is no playbook of that name.
#[must_use]
pub fn follow(library: &Library, script: &Script<'_>) -> Story {
    let known = library.quick(script.playbook);
    let options = Options { trace: script.trace, ..Options::default() };
    play(known, 0, StdRng::seed_from_u64(0), options, Some(script))
}

/// How far one process comes that runs a playbook undisturbed, in a sandbox as quick as `follow` takes it.
///
/// # Panics
/// As `follow`.
#[must_use]
pub fn reach(library: &Library, playbook: &str) -> Reach {
    library.quick(playbook).reach
}

fn play(
    known: &Known,
    seed: u64,
    mut rng: StdRng,
    options: Options<'_>,
    script: Option<&Script<'_>>,
) -> Story {
    virtually(async {
        let (sandbox, clock) = known.begin().await;
        let in_bucket = match options.flaw {
            Some(flaw) => flaw == Flaw::NoGate,
            None => script.is_none() && rng.random_ratio(IN_BUCKET.0, IN_BUCKET.1),
        };
        let disk = if in_bucket {
            Disk::bucket(clock.clone(), options.flaw)
        } else {
            Disk::new(options.flaw)
        };
        let tape = Tape::new(clock.clone(), options.trace);
        let kept = if in_bucket { ", kept in a bucket" } else { "" };
        tape.say(format_args!("seed {seed}: {}{kept}", known.name));
        let mut operator = Operator {
            known,
            sandbox: &sandbox,
            disk: &disk,
            tape: &tape,
            clock: &clock,
            rng,
            counts: Counts::default(),
            lived: Vec::new(),
            broken: Vec::new(),
        };
        match script {
            None => operator.work().await,
            Some(script) => operator.follow(script).await,
        }
        let (lived, broken, mut counts) = (operator.lived, operator.broken, operator.counts);
        let end = settled(&sandbox).await;
        let journal = disk.bytes();
        let (sent, mut trace) = tape.take();
        let evidence = Evidence {
            run: RUN,
            meant: known.meant,
            before: &known.before,
            undisturbed: &known.after_undisturbed,
            end: &end,
            sent: &sent,
            journal: &journal,
            lived: &lived,
        };
        let (mut violations, rest) = check::check(&evidence);
        violations.extend(broken);
        let violations: Vec<String> = violations.iter().map(Violation::to_string).collect();
        counts.seeds = 1;
        let taken_over = |entry: &&Entry| matches!(entry.record, Record::TakenOver { .. });
        let entries = disk.read().unwrap_or_default();
        counts.takeovers = entries.iter().filter(taken_over).count() as u64;
        counts.calls = sent.len() as u64;
        counts.faults = sent.iter().filter(|sent| sent.call.fault.is_some()).count() as u64;
        counts.succeeded = u64::from(rest == "succeeded");
        counts.rolled_back = u64::from(rest == "rolled_back" || rest == "cancelled");
        if options.trace {
            trace.push(format!("at rest: {rest}"));
            match violations.as_slice() {
                [] => trace.push("every guarantee holds".to_owned()),
                some => trace.extend(some.iter().map(|v| format!("VIOLATED {v}"))),
            }
        }
        Story { seed, playbook: known.name, trace, journal, violations, counts }
    })
}

/// Simulates every seed of a range on `threads` threads. Gives what they went through, and the stories, at most 20, in
/// which a guarantee does not hold. `each` is told how many are done.
#[must_use]
pub fn simulate_many(
    library: &Library,
    seeds: Range<u64>,
    threads: usize,
    options: Options<'_>,
    each: impl Fn(u64) + Sync,
) -> (Counts, Vec<Story>) {
    const MOST_STORIES: usize = 20;
    let next = AtomicU64::new(seeds.start);
    let done = AtomicU64::new(0);
    let sum = Mutex::new((Counts::default(), Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let story = simulate(library, seed, options);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.0 += story.counts;
            if !story.violations.is_empty() && sum.1.len() < MOST_STORIES {
                sum.1.push(story);
            }
            drop(sum);
            each(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, work).expect("a thread starts");
        }
    });
    let (counts, mut stories) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    stories.sort_by_key(|story| story.seed);
    (counts, stories)
}

/// What the main thread of a process has on Linux, which is where runs are carried out otherwise. A step that does what
/// others do is deep in builds that nobody optimised.
pub(super) const STACK: usize = 8 << 20;

/// A runtime of its own, on virtual time from the beginning.
fn virtually<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output needs nothing")
        .block_on(work)
}

/// One process that nothing befalls.
async fn life_of(process: &Process<'_>, life: &Arc<Life>, clock: &Clock, order: Order) {
    living::live(process, life, clock, order, None).await;
}
