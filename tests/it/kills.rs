//! Real processes over loopback, killed at random instants again and again, forward and while rolling back. Every run must
//! end in the world of one that nobody disturbed, with each call made once, and a journal that reads back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orchestrate::cli::sandboxed::seed_for;
use orchestrate::engine::RunState;
use orchestrate::engine::journal::{Rest, read};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::program::{Place, Served};
use crate::world::written;

/// Runs, of which every second one is rolled back after it has succeeded.
const RUNS: u64 = 12;
/// Runs at a time: they wait more than they work.
const ABREAST: usize = 6;
/// Kills of one run, forward and back each, after which it is left alone.
const MOST_KILLS: u32 = 8;
/// As many at least, all runs together.
const LEAST: u32 = 100;
/// A process that neither writes nor ends.
const HUNG: Duration = Duration::from_secs(60);

/// Users changed, a snapshot, files, two clusters at the same time, three values switched.
const PLAYBOOK: &str = r#"playbook: v1
name: many
steps:
  - id: freeze
    elasticache.freeze_writes: { replication_group: demo }
  - id: snapshot
    elasticache.create_snapshot: { replication_group: demo }
  - id: export
    elasticache.export_snapshot: { snapshot: "${{ steps.snapshot.name }}", bucket: exports }
  - parallel:
      - id: cluster
        memorydb.create_cluster:
          name: demo-mdb
          node_type: db.r7g.large
          shards: 3
          acl: app
          restore_from: "${{ steps.export.objects }}"
      - id: spare
        memorydb.create_cluster: { name: spare, node_type: db.t4g.small, acl: app }
  - id: switch
    accept_no_way_back: true
    endpoint.swap:
      to: "${{ steps.cluster.endpoint }}"
      targets:
        - ssm_parameter: /demo/redis
        - ssm_parameter: /demo/jobs
        - secret: demo/redis
          format: json
          fields: { host: redis.host, port: redis.port }
"#;

/// A run in a sandbox of its own.
struct Arena {
    place: Place,
    playbook: String,
    served: Served,
}

impl Arena {
    fn new() -> Self {
        let place = Place::new();
        let text = |path: PathBuf| path.into_os_string().into_string().expect("UTF-8");
        let playbook = text(place.write("many.yaml", PLAYBOOK));
        let mut seed = seed_for(&written(PLAYBOOK));
        seed.replication_groups.iter_mut().for_each(|group| group.keys = 24);
        let seed = text(place.write("seed.json", serde_json::to_vec(&seed).expect("JSON")));
        let served = Served::start(&place, &["--no-servers", "--speed", "1500", "--seed", &seed]);
        Self { place, playbook, served }
    }

    /// A process in a hurry: an hour of waiting takes it two minutes.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.served.command(&self.place, arguments);
        command.env("ORCHESTRATE_TEST_CLOCK", "30");
        command
    }

    /// The run that was begun: the one with a record in its journal.
    fn run(&self) -> Option<String> {
        let begun = |run: &String| {
            let bytes = std::fs::read(self.place.journal(run)).unwrap_or_default();
            bytes.contains(&b'\n')
        };
        self.place.runs().into_iter().find(begun)
    }

    fn journal(&self) -> Option<PathBuf> {
        self.run().map(|run| self.place.journal(&run))
    }

    /// What goes the run on, or begins it.
    fn next(&self, back: bool, rng: &mut StdRng) -> Command {
        let Some(run) = self.run() else {
            return self.command(&["migrate", "--yes", &self.playbook]);
        };
        let going_back = self.journal().is_some_and(|journal| {
            std::fs::read_to_string(journal).is_ok_and(|text| text.contains("\"rollback_started\""))
        });
        if !back || (going_back && rng.random_bool(0.5)) {
            self.command(&["resume", &run])
        } else {
            self.command(&["rollback", "--yes", "--past-pivot", &run])
        }
    }

    /// What exists, whatever the run's id and whichever process made it.
    fn world(&self) -> Value {
        let text = self.served.ask("world").to_string();
        let text = self.run().map_or(text.clone(), |run| text.replace(&run, "RUN"));
        let mut world: Value = serde_json::from_str(&text).expect("JSON");
        forget_epochs(&mut world);
        world
    }

    /// How often each change of each thing took effect.
    fn changes(&self) -> BTreeMap<String, u32> {
        let calls = self.served.ask("calls");
        let mut tally = BTreeMap::new();
        for call in calls.as_array().expect("a list of calls") {
            if call["effect"] == true {
                let what = format!("{} {}", call["operation"], call["resource"]);
                let what = self.run().map_or(what.clone(), |run| what.replace(&run, "RUN"));
                *tally.entry(what).or_default() += 1;
            }
        }
        tally
    }

    /// Whether the journal says that the run has been rolled back.
    fn is_back(&self) -> bool {
        let reading = self.journal().and_then(|journal| read(&journal).ok());
        let state = reading.and_then(|reading| RunState::replay(&reading.entries).ok());
        state.is_some_and(|state| state.rest == Some(Rest::RolledBack))
    }

    fn rest(&self) -> Option<Rest> {
        let journal = self.journal().expect("a journal");
        let reading = read(&journal).expect("it reads back");
        assert!(!reading.torn, "a finished run has no torn line");
        RunState::replay(&reading.entries).expect("it makes sense").rest
    }
}

fn forget_epochs(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("orchestrate:epoch");
            fields.values_mut().for_each(forget_epochs);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_epochs),
        _ => {}
    }
}

/// Where a run that nobody disturbs leaves things: before, after, and rolled back; with the changes it makes.
struct Undisturbed {
    before: Value,
    after: Value,
    changes: [BTreeMap<String, u32>; 2],
}

fn undisturbed() -> Undisturbed {
    let arena = Arena::new();
    let before = arena.world();
    let mut rng = StdRng::seed_from_u64(0);
    let mut end = |back| {
        let ended = arena.next(back, &mut rng).output().expect("it starts");
        assert!(ended.status.success(), "{}", crate::program::Said::from(ended).all());
    };
    end(false);
    let after = arena.world();
    let forward = arena.changes();
    end(true);
    assert_eq!(arena.world(), before, "a rollback leaves nothing");
    Undisturbed { before, after, changes: [forward, arena.changes()] }
}

/// Starts a process and kills it after some records and a moment, unless it ends first. Whether it was killed.
fn killed(
    mut command: Command,
    journal: impl Fn() -> Option<PathBuf>,
    rng: &mut StdRng,
) -> Option<i32> {
    let length =
        |path: Option<PathBuf>| path.and_then(|p| std::fs::metadata(p).ok()).map_or(0, |m| m.len());
    let (mut grown, mut path) = (0, journal());
    let records = rng.random_range(0..6);
    let moment = Duration::from_micros(rng.random_range(0..60_000));
    let mut before = length(path.clone());
    let mut child: Child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let begun = Instant::now();
    while grown < records {
        if let Some(ended) = child.try_wait().expect("it can be asked") {
            return ended.code();
        }
        assert!(begun.elapsed() < HUNG, "it neither writes nor ends");
        path = path.or_else(&journal);
        let now = length(path.clone());
        grown += u32::from(now != before);
        before = now;
        std::thread::sleep(Duration::from_millis(1));
    }
    // Without a record to wait for, anywhere between its start and the first one.
    std::thread::sleep(if records == 0 { moment * 8 } else { moment });
    child.kill().expect("it can be killed");
    child.wait().expect("it ends").code()
}

/// One run with as many kills as are granted, forward and back. Gives how many there were.
fn attacked(seed: u64, wanted: &Undisturbed) -> u32 {
    let mut rng = StdRng::seed_from_u64(seed);
    let arena = Arena::new();
    let mut all = 0;
    for back in [false, true].into_iter().take(if seed.is_multiple_of(2) { 1 } else { 2 }) {
        let mut kills = 0;
        loop {
            let command = arena.next(back, &mut rng);
            let code = if kills < MOST_KILLS {
                killed(command, || arena.journal(), &mut rng)
            } else {
                let mut command = command;
                let ended = command.output().expect("it starts");
                assert!(
                    ended.status.success(),
                    "seed {seed}: {}",
                    crate::program::Said::from(ended).all()
                );
                Some(0)
            };
            match code {
                None => {
                    kills += 1;
                    // Killed after its last record: nobody has anything more to do.
                    if back && arena.is_back() {
                        break;
                    }
                }
                Some(0) => break,
                Some(code) => {
                    let status = arena.served.run(&arena.place, &["status"]);
                    panic!("seed {seed}: a process ended with {code}\n{}", status.all());
                }
            }
        }
        all += kills;
        let (world, rest, changes) = if back {
            (&wanted.before, Rest::RolledBack, &wanted.changes[1])
        } else {
            (&wanted.after, Rest::Succeeded, &wanted.changes[0])
        };
        assert_eq!(arena.rest(), Some(rest), "seed {seed}, after {all} kills");
        assert_eq!(arena.changes(), *changes, "seed {seed}: what was called, after {all} kills");
        assert_eq!(arena.world(), *world, "seed {seed}: what there is, after {all} kills");
    }
    all
}

#[test]
fn a_hundred_processes_killed_at_random_instants_lose_nothing_and_make_nothing_twice() {
    let began = Instant::now();
    let wanted = undisturbed();
    // Another hundred each time; a seed that fails is named, though instants of real processes do not come back exactly.
    let first: u64 = std::env::var("KILLS_SEED").ok().map_or_else(
        || rand::rng().random_range(0..1_000_000),
        |seed| seed.parse().expect("a number"),
    );
    let (next, kills) = (AtomicUsize::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..ABREAST {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed) as u64;
                    // More runs, should the first ones have been too quick to be killed.
                    if nth >= RUNS && kills.load(Ordering::Relaxed) >= LEAST {
                        return;
                    }
                    kills.fetch_add(attacked(first + nth, &wanted), Ordering::Relaxed);
                }
            });
        }
    });
    let kills = kills.load(Ordering::Relaxed);
    let runs = next.load(Ordering::Relaxed) - ABREAST;
    println!(
        "{kills} kills of real processes in {runs} runs from seed {first}; {:.0} s",
        began.elapsed().as_secs_f64()
    );
    assert!(kills >= LEAST);
}

/// Whether this is root, whom permission bits do not bind.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("its owner or root");
}

const TWO: &str = "playbook: v1\nname: two\nsteps:\n  \
    - id: first\n    elasticache.create_snapshot: { replication_group: demo }\n  \
    - id: second\n    elasticache.create_snapshot: { replication_group: demo }\n";

/// A file system turns read-only under an open file by an error of its device, which no test can bring about everywhere.
/// What the process meets is the same here: from one instant on each write to an open file fails (the limit of the living
/// process is lowered), and nothing can be made or opened for writing (permission bits; as root, the process belongs to
/// nobody, whom they bind).
#[test]
fn a_state_directory_that_turns_read_only_stops_the_run_before_its_next_change() {
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    let served =
        Served::start(&place, &["--no-servers", "--speed", "30", "playbooks/quickstart.yaml"]);
    let playbook = place.write("two.yaml", TWO);
    let program = place.path("orchestrate");
    std::fs::copy(crate::program::BINARY, &program).expect("a program that anybody may start");
    std::fs::create_dir(place.state()).expect("a folder");
    if is_root() {
        for path in [place.folder.path(), &place.state()] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
        }
    }
    let as_anybody = |script: &str| {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "bash"]);
            command
        } else {
            Command::new("bash")
        };
        let environment = served.command(&place, &[]);
        command
            .args(["-c", script])
            .env_clear()
            .envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(place.folder.path())
            .stdin(Stdio::null());
        command
    };
    let program = program.display();
    let run = format!("trap '' XFSZ; exec {program} run --yes {}", playbook.display());
    let child = as_anybody(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("setpriv and bash start");
    crate::program::eventually("the first snapshot is begun", || {
        served.effects("CreateSnapshot") == 1
    });
    // Its own user may lower it; root may lack the capability in a container.
    let limit = as_anybody(&format!("exec prlimit --pid={} --fsize=0:0", child.id())).status();
    assert!(limit.expect("prlimit is there").success());
    let id = place.runs().pop().expect("a run");
    let journal = place.journal(&id);
    let folders =
        [journal.parent().expect("a folder").to_owned(), place.state().join("runs"), place.state()];
    permit(&journal, 0o400);
    folders.iter().for_each(|folder| permit(folder, 0o500));
    let said = crate::program::Said::from(child.wait_with_output().expect("it ends"));
    said.ends_with(74).says("the journal could not be written; nothing more was changed");
    said.says("mend the state directory");
    assert_eq!(served.effects("CreateSnapshot"), 1, "{}", said.all());
    let tried = |command: &str| {
        let script = format!("exec {program} {command}");
        crate::program::Said::from(as_anybody(&script).output().expect("it starts"))
    };
    tried("status").ends_with(0).says(&format!("orchestrate resume {id}"));
    tried("resume").ends_with(74);
    tried("rollback --yes").ends_with(74);
    assert_eq!(
        served.effects("CreateSnapshot"),
        1,
        "nothing changed while it could not be written"
    );
    folders.iter().for_each(|folder| permit(folder, 0o700));
    permit(&journal, 0o600);
    tried("resume").ends_with(0).says("two succeeded");
    assert_eq!(served.effects("CreateSnapshot"), 2);
}
