//! Playbooks spoilt by chance, and every bad input there is: nothing panics, nothing takes long, and every diagnostic
//! points into its file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use orchestrate::plan::{Catalog, GivenInputs, check, compile};
use orchestrate::playbook::{Diagnostics, Source};
use orchestrate::report::SarifLog;
use orchestrate::steps::catalog;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::bad_input::playbooks as bad_playbooks;
use crate::program::Place;
use crate::world::{SHIPPED, playbook_path};

const MUTANTS: u64 = 200;
const LONGEST: Duration = Duration::from_secs(1);

/// What is put into a scalar: expressions that are almost right, and worse.
const GARBAGE: &[&str] = &[
    "${{",
    "}}",
    "${{ }}",
    "${{ inputs. }}",
    "${{ steps.snapshot.name.x[99999999999999999999] }}",
    "${{ join(steps.export.objects, ', ') }}",
    "${{ lower(lower(lower(lower(lower(lower(lower(lower(lower(run.id))))))))) }}",
    "${{ date(run.started, '%') }}",
    "${{ tag(inputs.source, 'x', default(item, \"it's\")) }}",
    "${{ default(default(, ) }}",
    "${{ join(((((((((((((((((((((((((((( }}",
    "${{ 'never closed }}",
    "${{ inputs.source | lower }}",
    "$${{ ${{ run.id }}",
    "{{ run.id }}",
    "&a [*a]",
    "*nobody",
    "!!binary x",
    "\u{feff}é日本\u{202e}",
    "? [",
    "<<: *x",
    "- - - - -",
    "99999999999999999999",
    "\t",
    "\u{0}",
    "---",
    "| ",
];

/// The playbooks that mutants are made of.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = SHIPPED
        .iter()
        .map(|name| std::fs::read(playbook_path(name)).expect("a playbook"))
        .collect();
    seeds.extend(
        bad_playbooks().into_iter().map(|(_, content)| content).filter(|c| c.len() < 100_000),
    );
    seeds
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// One to four changes, as hands and broken tools make them.
fn mutate(seed: u64, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        let mut all = lines(&bytes);
        if all.is_empty() {
            all.push(b"playbook: v1\n".to_vec());
        }
        let (one, other) = (rng.random_range(0..all.len()), rng.random_range(0..all.len()));
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..12) {
            0 => drop(all.remove(one)),
            1 => all.insert(other, all[one].clone()),
            2 => all.swap(one, other),
            3 => {
                for _ in 0..rng.random_range(1..8) {
                    let line = rng.random_range(0..all.len());
                    if !all[line].is_empty() {
                        let place = rng.random_range(0..all[line].len());
                        all[line][place] ^= 1 << rng.random_range(0..8);
                    }
                }
            }
            4 => {
                // The rest of another playbook.
                let tail = &seeds[rng.random_range(0..seeds.len())];
                let from = rng.random_range(0..=tail.len());
                all = lines(&[&bytes[..at], &tail[from..]].concat());
            }
            5 => {
                let depth = rng.random_range(1..400);
                let open = ["[", "{a: ", "- "][rng.random_range(0..3)].repeat(depth);
                all[one].splice(0..0, open.into_bytes());
            }
            6 => {
                let long = "x".repeat(rng.random_range(1..300_000));
                all.insert(
                    one,
                    format!(
                        "{}: {long}\n",
                        ["name", "k", "    description"][rng.random_range(0..3)]
                    )
                    .into_bytes(),
                );
            }
            7 => {
                let many =
                    GARBAGE[rng.random_range(0..GARBAGE.len())].repeat(rng.random_range(1..2_000));
                all.insert(one, format!("      message: \"{many}\"\n").into_bytes());
            }
            8 => {
                // Indentation.
                let blanks = vec![b' '; rng.random_range(1..9)];
                all[one].splice(0..0, blanks);
            }
            9 => all.truncate(one),
            10 => {
                let keys = rng.random_range(1..3_000);
                let text: String = (0..keys).map(|n| format!("key{n}: {n}\n")).collect();
                all.insert(one, text.into_bytes());
            }
            _ => {
                let garbage = GARBAGE[rng.random_range(0..GARBAGE.len())].as_bytes();
                let line = &mut all[one];
                let place = rng.random_range(0..=line.len());
                line.splice(place..place, garbage.iter().copied());
            }
        }
        bytes = all.concat();
    }
    bytes
}

/// Reads, checks, compiles and tells a file in every way there is. Gives how many problems it has.
fn whole(name: &str, bytes: Vec<u8>, catalog: &Catalog) -> usize {
    let source = match Source::from_bytes(name, bytes) {
        Ok(source) => source,
        Err(problems) => return told(&problems),
    };
    let (_, problems) = check(&source, catalog);
    let arguments = [
        "source=prod",
        "bucket=acme",
        "target=new",
        "acl=app",
        "subnet_group=s",
        "endpoint_parameter=/p",
    ];
    let given =
        GivenInputs { arguments: arguments.map(str::to_owned).to_vec(), ..GivenInputs::default() };
    let compiled = compile(&source, catalog, &given).err();
    told(&problems) + compiled.map_or(0, |problems| told(&problems))
}

fn told(problems: &Diagnostics) -> usize {
    let entries = problems.entries();
    let lengths = |text: &str| text.split('\n').map(|row| row.chars().count()).collect();
    let playbook: Vec<usize> = lengths(problems.source().text());
    for (entry, item) in entries.iter().zip(problems.items()) {
        // `--input` arguments are texts of their own.
        let other: Option<Vec<usize>> = item.source.as_ref().map(|source| lengths(source.text()));
        let lengths = other.as_ref().unwrap_or(&playbook);
        let (rows, row) = (lengths.len(), |line: usize| lengths[line - 1]);
        for (line, column) in [(entry.line, entry.column), (entry.end_line, entry.end_column)] {
            assert!((1..=rows).contains(&line), "line {line} of {rows}: {entry:?}");
            assert!((1..=row(line) + 1).contains(&column), "column {column}: {entry:?}");
        }
        assert!((entry.line, entry.column) <= (entry.end_line, entry.end_column), "{entry:?}");
        assert!(entry.help.as_ref().is_some_and(|help| !help.is_empty()), "no help: {entry:?}");
    }
    assert_eq!(problems.render(true).is_empty(), problems.is_empty());
    serde_json::to_string(problems).expect("JSON");
    let mut log = SarifLog::new();
    log.file(problems.source().name(), problems);
    let sarif = serde_json::to_string(&log).expect("SARIF");
    assert!(sarif.len() > 1_000);
    entries.len()
}

#[test]
fn two_hundred_spoilt_playbooks_end_in_diagnostics_within_a_second_each() {
    let (seeds, catalog) = (seeds(), catalog());
    let mut with_problems = 0;
    let mut slowest = (Duration::ZERO, 0);
    for seed in 0..MUTANTS {
        let bytes = mutate(seed, &seeds);
        let begun = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| whole("mutant.yaml", bytes.clone(), &catalog)));
        let took = begun.elapsed();
        let Ok(problems) = done else { panic!("seed {seed} of {} bytes panicked", bytes.len()) };
        // A machine that does something else meanwhile is given a second chance, the program is not.
        let took = if took < LONGEST { took } else { time(&bytes, &catalog) };
        assert!(took < LONGEST, "seed {seed} of {} bytes took {took:?}", bytes.len());
        slowest = slowest.max((took, seed));
        with_problems += usize::from(problems > 0);
    }
    println!(
        "{with_problems} of {MUTANTS} are refused; the slowest took {:?}: seed {}",
        slowest.0, slowest.1
    );
    assert!(with_problems > MUTANTS as usize / 2, "only {with_problems} were spoilt");
}

fn time(bytes: &[u8], catalog: &Catalog) -> Duration {
    let begun = Instant::now();
    whole("mutant.yaml", bytes.to_vec(), catalog);
    begun.elapsed()
}

#[test]
fn every_bad_input_is_told_to_machines_too() {
    let place = Place::new();
    let bad = bad_playbooks();
    assert!(bad.len() > 10);
    for (name, content) in bad {
        let path = place.write(&name, content);
        let path = path.to_str().expect("UTF-8");
        let said = place.run(&["validate", "--json", path]);
        said.ends_with(3);
        let lines: Vec<serde_json::Value> =
            said.out.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
        let (last, diagnostics) = lines.split_last().expect("something is said");
        assert_eq!(last["event"], "invalid", "{name}: {}", said.all());
        assert!(!diagnostics.is_empty(), "{name}: {}", said.all());
        for line in diagnostics {
            assert_eq!(line["event"], "diagnostic", "{name}");
            assert_eq!(line["data"]["file"], path, "{name}");
        }
        let sarif = place.run(&["validate", "--format", "sarif", path]);
        sarif.ends_with(3);
        let log: serde_json::Value = serde_json::from_str(&sarif.out).expect("JSON");
        let results = log["runs"][0]["results"].as_array().expect("results").len();
        assert_eq!(results, diagnostics.len(), "{name}");
    }
}
