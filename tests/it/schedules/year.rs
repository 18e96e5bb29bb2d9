//! A year of schedules in five time zones, and deaths at every await.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use orchestrate::engine::Clock;
use orchestrate::playbook::{Source, read};
use orchestrate::schedule::Schedule;
use orchestrate::scheduler::{Attendant, Book, Offer, Seen, lift};
use rand::RngExt;
use tokio_util::sync::CancellationToken;

use super::judge::{Found, Judge};
use super::model::{Catch, Declared};
use super::stage::{Hands, Kept, Way, World, names, plus, until_poll};
use crate::world::virtually;

const DAY: u64 = 86_400;

fn all() -> Vec<i8> {
    (0..7).collect()
}

/// Clocks go forward and back in three of the zones; one has half hours of it; one has neither.
fn declared() -> Vec<Declared> {
    let plain = Declared {
        name: "utc",
        zone: "UTC",
        minutes: vec![0],
        hours: (0..24).step_by(4).collect(),
        weekdays: all(),
        moves: false,
        jitter: 600,
        grace: 300,
        catch_up: Catch::All(None, Some(3)),
        overlap: "buffer_one",
        pauses: false,
        dark: None,
    };
    vec![
        Declared {
            name: "paris",
            zone: "Europe/Paris",
            minutes: vec![15, 45],
            hours: vec![1, 2, 3, 14],
            moves: true,
            jitter: 0,
            catch_up: Catch::All(None, None),
            overlap: "skip",
            ..plain.clone()
        },
        Declared {
            name: "new-york",
            zone: "America/New_York",
            hours: vec![0, 1, 2, 3, 9, 15, 21],
            jitter: 0,
            catch_up: Catch::Latest(None),
            ..plain.clone()
        },
        Declared {
            name: "lord-howe",
            zone: "Australia/Lord_Howe",
            minutes: vec![0, 20, 40],
            hours: vec![0, 1, 2, 3],
            moves: true,
            jitter: 0,
            grace: 60,
            catch_up: Catch::All(Some(6 * 3600), None),
            overlap: "cancel_other",
            ..plain.clone()
        },
        Declared {
            name: "kolkata",
            zone: "Asia/Kolkata",
            minutes: vec![30],
            hours: vec![5, 11, 23],
            weekdays: (1..6).collect(),
            jitter: 1800,
            catch_up: Catch::None,
            overlap: "skip",
            pauses: true,
            dark: Some((22, 6, vec![3, 5])),
            ..plain.clone()
        },
        Declared {
            name: "chatham",
            zone: "Pacific/Chatham",
            minutes: vec![50],
            hours: vec![2, 3],
            catch_up: Catch::Latest(Some(12 * 3600)),
            jitter: 0,
            dark: Some((2, 4, vec![0])),
            ..plain.clone()
        },
        plain,
    ]
}

fn schedule(declared: &Declared) -> Schedule {
    let source = Source::new("test.yaml".to_owned(), declared.written());
    let (playbook, problems) = read(&source, &BTreeSet::from(["pause"]));
    assert!(problems.is_empty(), "{}\n{}", problems.render(false), declared.written());
    playbook.and_then(|playbook| playbook.schedule).expect("a schedule").value
}

/// What befalls the schedulers.
struct Trouble {
    days: u64,
    schedulers: u64,
    /// Polls that a process lives through, at most; none for one that lives on.
    polls: Option<u64>,
    /// Hours that a slot is empty after a death, at most.
    down: u64,
    /// Whether clocks are set, and the place goes out of order.
    rough: bool,
    fails: u32,
    longest: u64,
    rhythm: Duration,
}

/// One slot in which a scheduler runs, dies and is started again, until `end`.
#[allow(clippy::too_many_arguments, reason = "what a slot shares with the others, as it is")]
async fn slot(
    declared: &Declared,
    schedule: &Schedule,
    kept: &Rc<Kept>,
    world: &Rc<World>,
    slot: u64,
    trouble: &Trouble,
    end: Timestamp,
    deaths: &RefCell<u64>,
    named: &dyn Fn(Timestamp) -> orchestrate::engine::RunId,
) {
    let mut process = slot * 1_000_000;
    while world.clock.now() < end {
        process += 1;
        let clock = Clock::tokio(world.clock.now(), 1.0);
        if trouble.rough && world.rng.borrow_mut().random_bool(0.3) {
            // Another machine's clock, which goes a little wrong.
            let skew = world.rng.borrow_mut().random_range(-120_000..120_000);
            clock.step(skew);
        }
        let way = Way { kept: Rc::clone(kept), clock: clock.clone() };
        let hands = Hands { world: Rc::clone(world), way: &way, process };
        let (offer, seen) = (Offer::new(schedule.clone()), RefCell::new(Seen::default()));
        let attendant = Attendant {
            book: Book::new(&way, declared.name),
            clock: clock.clone(),
            by: format!("process {process}"),
            name: named,
            worker: &hands,
            offer: &offer,
            seen: &seen,
            rhythm: trouble.rhythm,
        };
        let stop = CancellationToken::new();
        let polls = match trouble.polls {
            Some(most) => world.rng.borrow_mut().random_range(1..=most),
            None => u64::MAX,
        };
        let life = until_poll(attendant.attend(&stop), polls);
        let jumps = async {
            loop {
                let wait = world.rng.borrow_mut().random_range(1..40) * DAY / 4;
                tokio::time::sleep(Duration::from_secs(wait)).await;
                if trouble.rough {
                    let jump = world.rng.borrow_mut().random_range(-5_400_000..5_400_000);
                    clock.step(jump);
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    clock.step(-jump);
                }
            }
        };
        let left = Duration::try_from(end.duration_since(world.clock.now())).unwrap_or_default();
        tokio::select! {
            biased;
            _ = life => *deaths.borrow_mut() += 1,
            () = jumps => {}
            () = tokio::time::sleep(left) => return,
        }
        let most = if world.rng.borrow_mut().random_bool(0.05) { 60 * trouble.down } else { 2 };
        let down = world.rng.borrow_mut().random_range(0..=most * 60);
        tokio::time::sleep(Duration::from_secs(down)).await;
    }
}

/// People who let a paused schedule go on after a while, and a place that is out of order now and then.
async fn around(
    declared: &Declared,
    schedule: &Schedule,
    kept: &Rc<Kept>,
    world: &Rc<World>,
    rough: bool,
) {
    let way = Way { kept: Rc::clone(kept), clock: world.clock.clone() };
    let book = Book::new(&way, declared.name);
    loop {
        let wait = world.rng.borrow_mut().random_range(3600..2 * DAY);
        tokio::time::sleep(Duration::from_secs(wait)).await;
        // In a place out of order they come back later.
        if let Ok((Some(head), _)) = book.head().await
            && head.paused.is_some()
        {
            let _ = lift(&book, schedule, world.clock.now()).await;
        }
        if rough {
            let minutes = world.rng.borrow_mut().random_range(1..90);
            kept.out.set(Some(plus(world.clock.now(), minutes * 60)));
        }
    }
}

struct Lived {
    found: Found,
    deaths: u64,
    decided: Timestamp,
    end: Timestamp,
    times: BTreeSet<Timestamp>,
}

fn live(declared: &Declared, seed: u64, trouble: &Trouble) -> Lived {
    virtually(async {
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let clock = Clock::tokio(from, 1.0);
        let kept = Kept::new(&clock, seed);
        let world = World::new(&clock, seed, trouble.longest, trouble.fails);
        let schedule = schedule(declared);
        let end = plus(from, (trouble.days * DAY) as i64);
        let deaths = RefCell::new(0);
        let named = names();
        if trouble.rough {
            kept.lossy.set(40);
        }
        let slots = (1..=trouble.schedulers).map(|number| {
            slot(declared, &schedule, &kept, &world, number, trouble, end, &deaths, &named)
        });
        tokio::select! {
            biased;
            _ = futures::future::join_all(slots) => {}
            () = around(declared, &schedule, &kept, &world, trouble.rough) => {}
        }
        // A day in which nothing is in the way.
        kept.lossy.set(0);
        kept.out.set(None);
        let calm = Trouble { polls: None, rough: false, schedulers: 1, ..*trouble };
        let end = plus(clock.now(), DAY as i64);
        slot(declared, &schedule, &kept, &world, 99, &calm, end, &deaths, &named).await;
        let times = declared.times(from - SignedDuration::from_hours(48), plus(end, 0));
        let judge = Judge { declared, times: times.clone() };
        let mut found = judge.judge(&kept, &world);
        let last = kept.heads.borrow().last().expect("a head").head.clone();
        let decided = last["decided"].as_str().and_then(|at| at.parse().ok()).expect("decided");
        // Everything that is due by now is decided, but for what waits for one that is not finished.
        if last["open"].as_array().is_some_and(Vec::is_empty) && last["buffered"].is_null() {
            let overdue =
                times.iter().find(|at| **at > decided && plus(declared.due(**at), 60) < end);
            if let Some(at) = overdue.filter(|_| !declared.is_dark(end)) {
                found.broken.push(format!("{at} was forgotten"));
            }
        }
        // What ended is written down, each once.
        let book = Book::new(&kept.objects, declared.name);
        let written: BTreeSet<Timestamp> =
            book.times().await.expect("they can be listed").into_iter().collect();
        let ended: BTreeSet<Timestamp> = {
            let runs = world.runs.borrow();
            runs.values()
                .filter(|ran| ran.ended.is_some_and(|at| plus(at, 120) < end))
                .map(|ran| ran.at)
                .collect()
        };
        for at in ended.difference(&written) {
            found.broken.push(format!("{at} ended, and that is not written down"));
        }
        for at in &written {
            let kept = book.occurrence(*at).await.expect("it reads").expect("it is there");
            if kept.runs.len() != 1 || found.submitted.get(at) != Some(&kept.runs[0].run) {
                found.broken.push(format!("{at} is written down as {:?}", kept.runs));
            }
        }
        let deaths = *deaths.borrow();
        Lived { found, deaths, decided, end, times }
    })
}

#[track_caller]
fn right(name: &str, lived: &Lived) {
    let broken = &lived.found.broken;
    assert!(
        broken.is_empty(),
        "{name}: {} violations, decided up to {} of {}:\n{}",
        broken.len(),
        lived.decided,
        lived.end,
        broken.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// With one scheduler that nothing befalls and runs that are short, every time of the model runs but for blackouts.
#[test]
fn a_quiet_year_in_every_zone_runs_exactly_the_times_on_the_wall() {
    for declared in declared() {
        let trouble = Trouble {
            days: 365,
            schedulers: 1,
            polls: None,
            down: 0,
            rough: false,
            fails: 0,
            longest: 1,
            rhythm: Duration::from_secs(DAY),
        };
        let lived = live(&declared, 1, &trouble);
        right(declared.name, &lived);
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().expect("an instant");
        let wanted: BTreeSet<Timestamp> = lived
            .times
            .range(plus(from, 1)..)
            .copied()
            .filter(|at| !declared.is_dark(declared.due(*at)) && declared.due(*at) < lived.end)
            .collect();
        let ran: BTreeSet<Timestamp> = lived.found.submitted.keys().copied().collect();
        let lost: Vec<_> = wanted.difference(&ran).take(5).collect();
        let extra: Vec<_> = ran.difference(&wanted).take(5).collect();
        assert!(
            lost.is_empty() && extra.is_empty(),
            "{}: lost {lost:?}, extra {extra:?}",
            declared.name
        );
        assert!(ran.len() > 300, "{}: only {} ran", declared.name, ran.len());
    }
}

#[test]
fn a_year_of_crashes_clock_jumps_and_two_schedulers_runs_every_occurrence_as_its_policy_says() {
    let mut reasons = std::collections::BTreeMap::new();
    let mut deaths = 0;
    let trouble = Trouble {
        days: 365,
        schedulers: 2,
        polls: Some(6_000),
        down: 20,
        rough: true,
        fails: 30,
        longest: 75,
        rhythm: Duration::from_secs(3600),
    };
    let zones = declared();
    // Each year is a world of its own.
    let lives: Vec<Lived> = std::thread::scope(|scope| {
        let years = zones.iter().enumerate().map(|(index, declared)| {
            let trouble = &trouble;
            scope.spawn(move || live(declared, 40 + index as u64, trouble))
        });
        let years: Vec<_> = years.collect();
        years.into_iter().map(|year| year.join().expect("it is lived")).collect()
    });
    for (declared, lived) in zones.iter().zip(&lives) {
        right(declared.name, lived);
        deaths += lived.deaths;
        for (why, count) in &lived.found.reasons {
            *reasons.entry(why.clone()).or_insert(0) += count;
        }
        for why in lived.found.skipped.values() {
            *reasons.entry(why.clone()).or_insert(0) += 1;
        }
    }
    println!("{deaths} deaths; {reasons:?}");
    assert!(deaths > 100, "{deaths} deaths");
    for why in
        ["due", "caught_up", "buffered", "overlap", "missed", "superseded", "blackout", "paused"]
    {
        assert!(reasons.contains_key(why), "nothing was ever {why}: {reasons:?}");
    }
}

#[test]
fn a_scheduler_that_dies_at_any_await_loses_and_doubles_nothing() {
    let mut tried = 0;
    for declared in
        declared().into_iter().filter(|declared| ["lord-howe", "new-york"].contains(&declared.name))
    {
        // Until no process lives long enough to die there.
        for nth in 1.. {
            let lived = live_dying(&declared, nth);
            right(&format!("{} dying at poll {nth}", declared.name), &lived);
            tried += 1;
            if lived.deaths == 0 {
                break;
            }
        }
    }
    println!("died at {tried} polls");
    assert!(tried > 100, "only {tried}");
}

/// Six hours in which every process dies at its nth poll, the first of two at a time.
fn live_dying(declared: &Declared, nth: u64) -> Lived {
    let mut lived = None;
    // Every process lives for exactly so long: `random_range(1..=n)` would leave the longer ones out.
    let trouble = Trouble {
        days: 0,
        schedulers: 0,
        polls: None,
        down: 0,
        rough: false,
        fails: 0,
        longest: 30,
        rhythm: Duration::from_secs(1800),
    };
    virtually(async {
        let from: Timestamp = "2026-04-04T12:00:00Z".parse().expect("an instant");
        let clock = Clock::tokio(from, 1.0);
        let kept = Kept::new(&clock, nth);
        let world = World::new(&clock, nth, trouble.longest, 0);
        let schedule = schedule(declared);
        let named = names();
        let deaths = RefCell::new(0);
        for process in 1..=6_u64 {
            let way = Way { kept: Rc::clone(&kept), clock: clock.clone() };
            let hands = Hands { world: Rc::clone(&world), way: &way, process };
            let (offer, seen) = (Offer::new(schedule.clone()), RefCell::new(Seen::default()));
            let attendant = Attendant {
                book: Book::new(&way, declared.name),
                clock: clock.clone(),
                by: format!("process {process}"),
                name: &named,
                worker: &hands,
                offer: &offer,
                seen: &seen,
                rhythm: trouble.rhythm,
            };
            let stop = CancellationToken::new();
            let life = until_poll(attendant.attend(&stop), nth);
            if tokio::time::timeout(Duration::from_secs(3600), life).await.is_ok() {
                *deaths.borrow_mut() += 1;
            }
        }
        let end = plus(clock.now(), 3 * 3600);
        slot(declared, &schedule, &kept, &world, 99, &trouble, end, &deaths, &named).await;
        let times = declared.times(from - SignedDuration::from_hours(48), end);
        let found = Judge { declared, times: times.clone() }.judge(&kept, &world);
        let deaths = *deaths.borrow();
        // The calm end counts as none.
        lived = Some(Lived { found, deaths, decided: end, end, times });
    });
    lived.expect("it was lived")
}
