//! The simulation: seeds by the thousand, the same each time, and a judge that sees what is broken.

use std::collections::BTreeSet;

use orchestrate::cli::sim::{Flaw, Library, Options, simulate, simulate_many};

use crate::program::Place;

/// As many as CI affords. More is `orchestrate sim --seeds 1000000 --from 10000`.
const SEEDS: u64 = 10_000;
/// CI's processors.
const THREADS: usize = 2;

#[test]
fn ten_thousand_simulated_runs_keep_every_guarantee() {
    let began = std::time::Instant::now();
    let library = Library::default();
    let (counts, broken) = simulate_many(&library, 0..SEEDS, THREADS, Options::default(), |_| {});
    let said: Vec<String> = broken
        .iter()
        .map(|story| {
            let (seed, playbook) = (story.seed, story.playbook);
            let what = story.violations.join("\n  ");
            format!("seed {seed} ({playbook}): orchestrate sim --seed {seed}\n  {what}")
        })
        .collect();
    println!("{counts}; {:.0} s", began.elapsed().as_secs_f64());
    assert!(said.is_empty(), "{}", said.join("\n"));
    assert_eq!(counts.seeds, SEEDS);
    // A simulation in which nothing happens proves nothing.
    assert!(counts.deaths() > SEEDS / 2, "{counts}");
    assert!(counts.faults > SEEDS, "{counts}");
    assert!(counts.takeovers > SEEDS / 100, "{counts}");
    assert!(counts.succeeded > SEEDS / 5 && counts.rolled_back > SEEDS / 5, "{counts}");
    assert_eq!(counts.succeeded + counts.rolled_back, SEEDS, "{counts}");
}

#[test]
fn a_seed_gives_the_same_trace_and_the_same_journal_to_the_byte() {
    let libraries = [Library::default(), Library::default()];
    for (seed, playbook) in (0..).zip(Library::names().chain(Library::names())) {
        let options = Options { playbook: Some(playbook), trace: true, flaw: None };
        let [one, other] = [&libraries[0], &libraries[1]].map(|l| simulate(l, seed, options));
        assert_eq!(one.trace, other.trace, "seed {seed} of {playbook}");
        assert_eq!(one.journal, other.journal, "seed {seed} of {playbook}");
        assert!(one.trace.len() > 5, "{:?}", one.trace);
        let untraced = simulate(&libraries[0], seed, Options { trace: false, ..options });
        assert_eq!(untraced.journal, one.journal, "seed {seed} of {playbook}, untraced");
    }
}

#[test]
fn the_command_tells_a_seed_the_same_way_each_time() {
    let place = Place::new();
    let [one, other] = [(); 2].map(|()| place.run(&["sim", "--seed", "3"]));
    one.ends_with(0).says("seed 3: ").says("every guarantee holds");
    assert_eq!(one.out, other.out);
    place.run(&["sim", "--seeds", "20", "--playbook", "parameter"]).ends_with(0).says("20 seeds");
    place.run(&["sim", "--seeds", "0"]).ends_with(2).says("nothing would be simulated");
    place.run(&["sim", "--from", &u64::MAX.to_string()]).ends_with(2).says("not so many seeds");
    place.run(&["sim", "--playbook", "nonsense"]).ends_with(2).says("there is no playbook");
}

/// Which guarantees a flaw breaks, over some seeds of one playbook.
fn broken_by(flaw: Flaw, playbook: &str) -> BTreeSet<String> {
    let library = Library::default();
    let options = Options { playbook: Some(playbook), trace: false, flaw: Some(flaw) };
    let (_, stories) = simulate_many(&library, 0..150, THREADS, options, |_| {});
    let number = |violation: &String| violation.split(':').next().map(str::to_owned);
    stories.iter().flat_map(|story| story.violations.iter().filter_map(number)).collect()
}

#[test]
fn writes_that_are_not_synced_are_seen() {
    let broken = broken_by(Flaw::NoSync, "parameter");
    assert!(broken.contains("G1"), "{broken:?}");
}

#[test]
fn a_lock_that_does_not_hold_is_seen() {
    let broken = broken_by(Flaw::NoLock, "swap");
    assert!(broken.contains("G14") || broken.contains("G15"), "{broken:?}");
}

#[test]
fn a_lease_that_no_change_asks_for_is_seen() {
    let broken = broken_by(Flaw::NoGate, "swap");
    assert!(broken.contains("G14"), "{broken:?}");
}
