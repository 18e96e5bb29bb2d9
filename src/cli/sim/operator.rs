//! The people: they begin the run, see it end or die, read its status, and give one of the commands that the status names.

use std::sync::Arc;
use std::time::Duration;

use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, RandomFaults, Sandbox};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::check::{Lived, Violation};
use super::disk::{Disk, Trouble};
use super::library::Known;
use super::life::{Death, Fate, Life, Reach, Write};
use super::living::{Fared, live};
use super::network::LONGEST;
use super::process::{Ending, Order, Process};
use super::tape::Tape;
use super::{Counts, Script};
use crate::engine::journal::Rest;
use crate::engine::{Clock, End, RunState};
use crate::report::{Place, next_commands};

/// Commands given while nothing is in the way any more, before a run that does not rest counts as one that never will.
const MOST_COMMANDS: u32 = 6;

/// One person's view of a simulation.
pub(super) struct Operator<'a> {
    pub(super) known: &'a Known,
    pub(super) sandbox: &'a Sandbox,
    pub(super) disk: &'a Disk,
    pub(super) tape: &'a Tape,
    pub(super) clock: &'a Clock,
    pub(super) rng: StdRng,
    pub(super) counts: Counts,
    pub(super) lived: Vec<Lived>,
    pub(super) broken: Vec<Violation>,
}

impl Operator<'_> {
    /// Takes the run to its last rest, through whatever befalls it.
    pub(super) async fn work(&mut self) {
        let troubles = self.rng.random_range(1..=4_u32);
        let plan = self.faults();
        self.counts.faults_planned += u64::from(plan != FaultPlan::default());
        self.sandbox.set_faults(plan);
        let mut turn = 0;
        let mut well = 0;
        let mut order = Order::Begin;
        loop {
            turn += 1;
            let healthy = turn > troubles;
            if healthy {
                if well == 0 {
                    self.tape.say(format_args!("from here on nothing is in the way"));
                    self.sandbox.set_faults(FaultPlan::default());
                }
                well += 1;
                self.disk.trouble(None);
            } else if self.disk.troubled() && self.rng.random_bool(0.7) {
                self.disk.trouble(None);
            }
            if well > MOST_COMMANDS {
                self.never_rests();
                return;
            }
            let fate = if healthy { Fate::default() } else { self.fate() };
            self.command(order, fate, healthy).await;
            if self.rng.random_ratio(1, 12) && !healthy {
                let plan = self.faults();
                self.sandbox.set_faults(plan);
            }
            let pause =
                LONGEST.as_secs() + 1 + (self.rng.random_range(0.0..12.0_f64)).exp() as u64 / 8;
            tokio::time::sleep(Duration::from_secs(pause)).await;
            match self.next(healthy) {
                Some(next) => order = next,
                None => return,
            }
        }
    }

    /// Follows a script: its faults and deaths, one a command, and from then on nothing is in the way.
    pub(super) async fn follow(&mut self, script: &Script<'_>) {
        self.sandbox.set_faults(script.faults.clone());
        let mut deaths = script.deaths.iter();
        let (mut order, mut well, mut back) = (Order::Begin, 0, script.back);
        loop {
            // An answer to a question is no process worth killing.
            let answers = matches!(order, Order::Approve(_));
            let death = if answers { Some(&None) } else { deaths.next() };
            let healthy = death.is_none();
            if healthy {
                self.sandbox.set_faults(FaultPlan::default());
                well += 1;
            }
            if well > MOST_COMMANDS {
                self.never_rests();
                return;
            }
            let fate = Fate { death: death.copied().flatten(), ..Fate::default() };
            self.command(order, fate, healthy).await;
            tokio::time::sleep(LONGEST + Duration::from_secs(1)).await;
            order = match self.next(true) {
                Some(next) => next,
                None if back && self.rests_well() => Order::Rollback(true),
                None => return,
            };
            back &= order != Order::Rollback(true);
        }
    }

    fn rests_well(&self) -> bool {
        let state = self.disk.read().ok().and_then(|entries| RunState::replay(&entries).ok());
        state.is_some_and(|state| state.rest == Some(Rest::Succeeded))
    }

    fn never_rests(&mut self) {
        let said = format!("not at rest after {MOST_COMMANDS} commands with nothing in the way");
        self.broken.push(Violation::new("G18", said));
    }

    /// Gives one command, and perhaps a second one to the same run meanwhile.
    async fn command(&mut self, order: Order, fate: Fate, healthy: bool) {
        let process = Process {
            sandbox: self.sandbox,
            disk: self.disk,
            tape: self.tape,
            plan: &self.known.plan,
            run: super::library::RUN,
            delays: Some(self.rng.random()),
        };
        // Another machine's clock, which goes a little wrong.
        let skew = if healthy { 0 } else { self.rng.random_range(-90_000..90_000) };
        let clock = Clock::tokio(self.clock.now(), 1.0);
        clock.step(skew);
        let id = u32::try_from(self.lived.len() + 1).unwrap_or(u32::MAX);
        let life = Arc::new(Life::new(id, fate));
        let second = fate.second.map(|_| Arc::new(Life::new(id + 1, Fate::default())));
        self.tape.say(format_args!("p{id} {order:?} begins, {}", in_words(fate)));
        let (fared, others) = live(&process, &life, &clock, order, second.as_ref()).await;
        self.tape.say(format_args!("p{id} ended: {fared:?}"));
        self.count(&fared, fate);
        if healthy && let Some(Ending::Refused { locked: false, why }) = fared.ending() {
            let said = format!("{order:?}, as the status names it, was refused: {why}");
            self.broken.push(Violation::new("G7", said));
        }
        self.keep(&life, order, fared);
        if let Some(second) = second {
            let fared = others.unwrap_or(Fared::Killed);
            self.counts.seconds += 1;
            self.keep(&second, Order::Resume, fared);
        }
    }

    fn keep(&mut self, life: &Life, order: Order, fared: Fared) {
        let durable = self.disk.durable();
        let rested = matches!(fared.ending(), Some(Ending::Engine(End::Rest(_))));
        let refused = matches!(fared.ending(), Some(Ending::Refused { .. }));
        let hung = fared == Fared::Hung;
        let (process, said) = (life.id, life.said());
        let order = format!("{order:?}");
        self.lived.push(Lived { process, order, rested, refused, hung, said, durable });
    }

    fn count(&mut self, fared: &Fared, fate: Fate) {
        self.counts.processes += 1;
        if *fared == Fared::Killed {
            match fate.death {
                Some(Death::AtPoll(_)) | None => self.counts.deaths_at_awaits += 1,
                Some(Death::AtWrite(..)) => self.counts.deaths_at_writes += 1,
                Some(Death::AtSend(..)) => self.counts.deaths_at_sends += 1,
            }
        }
    }

    /// The next command, by what `orchestrate status` says; none once the run is at its last rest.
    fn next(&mut self, healthy: bool) -> Option<Order> {
        let Ok(entries) = self.disk.read() else { return Some(Order::Begin) };
        let Ok(state) = RunState::replay(&entries) else {
            self.broken.push(Violation::new("G15", "the journal does not make sense any more"));
            return None;
        };
        let place = Place { journal: String::new(), flags: String::new() };
        let named = next_commands(&state, false, &place);
        let orders: Vec<Order> = named.iter().filter_map(|next| order_of(&next.command)).collect();
        let over = matches!(state.rest, Some(Rest::Succeeded | Rest::RolledBack | Rest::Cancelled));
        if over {
            let regrets =
                state.rest == Some(Rest::Succeeded) && !healthy && self.rng.random_bool(0.5);
            return orders.first().copied().filter(|_| regrets);
        }
        let (first, rest) = orders.split_first()?;
        if healthy || rest.is_empty() || self.rng.random_bool(0.65) {
            return Some(*first);
        }
        Some(rest[self.rng.random_range(0..rest.len())])
    }

    /// What befalls the next process.
    fn fate(&mut self) -> Fate {
        let (rng, reach) = (&mut self.rng, self.known.reach);
        let mut fate = Fate::default();
        if rng.random_bool(0.6) {
            fate.death = Some(death(rng, reach));
        }
        let poll = |rng: &mut StdRng| up_to(rng, reach.polls);
        if rng.random_bool(0.1) {
            fate.signal = Some(poll(rng));
        }
        if rng.random_bool(0.08) {
            let nap = Duration::from_secs(rng.random_range(60..20 * 3600));
            fate.nap = Some((poll(rng), nap));
        }
        if rng.random_bool(0.08) {
            fate.step = Some((poll(rng), rng.random_range(-7_200_000..7_200_000)));
        }
        if rng.random_bool(0.12) {
            fate.second = Some(poll(rng));
        }
        if self.disk.is_bucket() && rng.random_bool(0.35) {
            // Somebody takes the run up elsewhere meanwhile; and then it wakes.
            let at = poll(rng);
            fate.stall = Some((at, Duration::from_secs(rng.random_range(20..600))));
            fate.second = Some(at);
        }
        if rng.random_bool(0.12) {
            let all = [Trouble::Full, Trouble::Torn, Trouble::Unsynced, Trouble::ReadOnly];
            let trouble = all[rng.random_range(0..all.len())];
            fate.trouble = Some((up_to(rng, reach.writes), trouble));
        }
        fate
    }

    /// What goes wrong at AWS.
    fn faults(&mut self) -> FaultPlan {
        let rng = &mut self.rng;
        let passing = [
            FaultKind::Throttle,
            FaultKind::ServerErrorBefore,
            FaultKind::ServerErrorAfter,
            FaultKind::LostResponse,
            FaultKind::Timeout,
            FaultKind::StaleRead,
            FaultKind::SlowTransition(3.0),
        ];
        let lasting = [
            FaultKind::NotFound,
            FaultKind::Denied,
            FaultKind::ExpiredCredentials,
            FaultKind::MissingObjects,
        ];
        let mut plan = FaultPlan::default();
        let rate = [0.0, 0.03, 0.1, 0.3][rng.random_range(0..4)];
        if rate > 0.0 {
            let mut kinds: Vec<FaultKind> =
                passing.iter().filter(|_| rng.random_bool(0.6)).cloned().collect();
            if rng.random_bool(0.3) {
                kinds.push(lasting[rng.random_range(0..lasting.len())].clone());
            }
            plan.random = Some(RandomFaults { seed: rng.random(), rate, kinds });
        }
        for _ in 0..rng.random_range(0..3) {
            let all = passing.len() + lasting.len();
            let kind = match rng.random_range(0..all + 2) {
                index if index < passing.len() => passing[index].clone(),
                index if index < all => lasting[index - passing.len()].clone(),
                _ => {
                    plan.faults.push(ends_badly(rng));
                    continue;
                }
            };
            let nth = u32::try_from(up_to(rng, self.known.reach.sends)).unwrap_or(1);
            let times = if rng.random_bool(0.3) { rng.random_range(2..9) } else { 1 };
            plan.faults.push(Fault::new("*", "*", kind).nth(nth).times(times));
        }
        plan
    }
}

/// A resource that ends in a state from which it does not come back.
fn ends_badly(rng: &mut impl Rng) -> Fault {
    let (service, operation, state) = [
        ("elasticache", "CreateSnapshot", "failed"),
        ("elasticache", "CopySnapshot", "failed"),
        ("elasticache", "CreateServerlessCacheSnapshot", "failed"),
        ("memorydb", "CreateCluster", "create-failed"),
        ("memorydb", "CreateCluster", "restore-failed"),
    ][rng.random_range(0..5)];
    let (state, reason) = (state.to_owned(), "by chance".to_owned());
    Fault::new(service, operation, FaultKind::TerminalState { state, reason })
}

/// From 1 to a little more than `most`, small numbers as likely as large ones of a run that does little.
fn up_to(rng: &mut impl Rng, most: u64) -> u64 {
    rng.random_range(1..=most.max(1) + most / 4 + 1)
}

fn death(rng: &mut impl Rng, reach: Reach) -> Death {
    match rng.random_range(0..10) {
        0..6 => Death::AtPoll(up_to(rng, reach.polls)),
        6..8 => {
            let write = match rng.random_range(0..3) {
                0 => Write::Before,
                1 => Write::Torn(rng.random()),
                _ => Write::After,
            };
            Death::AtWrite(up_to(rng, reach.writes), write)
        }
        _ => Death::AtSend(up_to(rng, reach.sends), rng.random_bool(0.6)),
    }
}

/// The order that a command line stands for.
fn order_of(command: &str) -> Option<Order> {
    let mut words = command.split(' ').skip(1);
    let flag = command.rsplit(' ').next().unwrap_or_default();
    match words.next()? {
        "resume" => Some(Order::Resume),
        "rollback" => Some(Order::Rollback(flag == "--past-pivot")),
        "approve" => Some(Order::Approve(flag != "--reject")),
        _ => None,
    }
}

fn in_words(fate: Fate) -> String {
    if fate == Fate::default() { "undisturbed".to_owned() } else { format!("{fate:?}") }
}
