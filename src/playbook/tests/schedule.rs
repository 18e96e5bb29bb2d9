//! The `schedule` block: what it means, and that all its faults are told at once.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Weekday, date, time};

use crate::playbook::{Diagnostics, Playbook, Source, read};
use crate::schedule::{CatchUp, Overlap, Schedule, Window};

fn reading(block: &str) -> (Option<Playbook>, Diagnostics) {
    let text = format!(
        "playbook: v1\nname: nightly\nschedule:\n{block}\nsteps:\n  - id: wait\n    pause: {{ for: 10s }}\n"
    );
    read(&Source::new("test.yaml", text), &BTreeSet::from(["pause"]))
}

fn schedule(block: &str) -> Schedule {
    let (playbook, problems) = reading(block);
    assert!(problems.is_empty(), "{}", problems.render(false));
    playbook.and_then(|playbook| playbook.schedule).expect("a schedule").value
}

fn told(block: &str) -> Vec<String> {
    let (playbook, problems) = reading(block);
    assert!(playbook.expect("the rest is read").schedule.is_none());
    let line = |entry: crate::playbook::Entry| {
        assert!(entry.help.is_some(), "nothing is said of what to do: {}", entry.message);
        format!("{} {}:{}", entry.code, entry.line, entry.column)
    };
    problems.entries().into_iter().map(line).collect()
}

#[test]
fn what_is_not_written_has_a_meaning() {
    let plain = schedule("  cron: \"15 2 * * *\"");
    assert_eq!(plain.cadence.to_string(), "cron 15 2 * * * in UTC");
    assert_eq!(plain.grace, Duration::from_secs(300));
    assert_eq!((plain.catch_up, plain.overlap), (CatchUp::None, Overlap::Skip));
    assert!(plain.jitter.is_zero() && plain.blackout.is_empty() && !plain.pause_on_failure);
}

#[test]
fn everything_that_can_be_written_is_read() {
    let all = schedule(
        "  every: 6h\n  time_zone: Asia/Kolkata\n  jitter: 10m\n  grace: 1m\n  catch_up: { policy: latest, window: 12h }\n  overlap: cancel_other\n  pause_on_failure: true\n  blackout:\n    - { from: \"22:00\", to: 06:30, days: [fri, sat] }\n    - { from: 2026-12-24, to: 2026-12-26 }\n    - { from: 2026-12-31T18:00, to: 2027-01-01T06:00 }",
    );
    assert_eq!(all.cadence.to_string(), "every 21600 s");
    assert_eq!(all.catch_up, CatchUp::Latest { window: Some(Duration::from_secs(12 * 3600)) });
    assert_eq!(all.overlap, Overlap::CancelOther);
    let (from, to) = (time(22, 0, 0, 0), time(6, 30, 0, 0));
    let days = vec![Weekday::Friday, Weekday::Saturday];
    assert_eq!(all.blackout[0], Window::Daily { from, to, days });
    let (from, to) = (date(2026, 12, 24).at(0, 0, 0, 0), date(2026, 12, 27).at(0, 0, 0, 0));
    assert_eq!(all.blackout[1], Window::Dated { from, to }, "the last day is part of it");
    assert!(all.blackout[2].covers(date(2027, 1, 1).at(5, 59, 0, 0)));
    assert_eq!(
        schedule("  cron: \"0 * * * *\"\n  catch_up: { max: 3 }").catch_up,
        CatchUp::All { window: None, most: Some(3) }
    );
}

#[test]
fn all_faults_are_told_at_once_each_at_its_place() {
    let faults = told(
        "  cron: \"99 2 * * *\"\n  time_zone: Europe/Pariss\n  jitter: soon\n  overlap: skipp\n  catch_up: { policy: latest, max: 3 }\n  pause_on_failure: yes please\n  nonexistant: skip\n  blackout:\n    - { from: \"25:00\", to: \"06:00\" }",
    );
    assert_eq!(
        faults,
        [
            "P0070 4:9",
            "P0071 5:14",
            "P0026 6:11",
            "P0023 7:12",
            "P0073 8:31",
            "P0022 9:21",
            "P0020 10:3",
            "P0072 12:15"
        ]
    );
}

#[test]
fn keys_that_do_not_go_together_are_told() {
    assert_eq!(told("  time_zone: UTC"), ["P0021 4:3"]);
    assert_eq!(told("  cron: \"0 2 * * *\"\n  every: 1h"), ["P0073 5:3"]);
    assert_eq!(told("  every: 1h\n  jitter: 1h"), ["P0073 5:3"]);
    assert_eq!(told("  every: 1h\n  nonexistent: move"), ["P0073 5:3"]);
    assert_eq!(
        told("  every: 1h\n  blackout:\n    - { from: \"06:00\", to: \"06:00\" }"),
        ["P0072 6:7"]
    );
}
