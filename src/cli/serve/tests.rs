//! Serving for a day on virtual time, over a place that goes out of order, an AWS that makes mistakes, and deaths.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use orchestrate_sandbox::{
    Clock as SandboxClock, FaultKind, FaultPlan, RandomFaults, Sandbox, ServerPolicy,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::library::Library;
use super::metrics;
use crate::aws::{self, Settings};
use crate::cli::account::{Account, Connect};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::sandboxed::{model_plane, seed_for};
use crate::cli::state::Runs;
use crate::engine::{Class, Clock, Failure};
use crate::plan::{GivenInputs, Plan, compile};
use crate::playbook::Source;
use crate::report::Style;
use crate::scheduler::{Book, Outcome};
use crate::state::{Expect, Found, LeaseTerms, MemoryObjects, Objects, Put, Remote, Who};
use crate::steps::catalog;

const PLAYBOOK: &str = "\
playbook: v1
name: daily
schedule:
  every: 90m
  catch_up: all
  overlap: buffer_one
steps:
  - id: snapshot
    elasticache.create_snapshot: { replication_group: demo }
  - id: remove
    elasticache.delete_snapshot: { snapshot: \"${{ steps.snapshot.name }}\" }
";

const PERIOD: i64 = 90 * 60;

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

/// A place that keeps runs, and goes out of order.
struct Unsteady {
    objects: MemoryObjects,
    clock: Clock,
    out: Cell<Option<Timestamp>>,
    /// Of how many writes one loses its answer; 0 for none.
    lossy: Cell<u32>,
    rng: RefCell<StdRng>,
}

impl Unsteady {
    async fn there(&self) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        match self.out.get() {
            Some(until) if self.clock.now() < until => {
                Err(Failure::new(Class::Transient, "the place does not answer"))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait(?Send)]
impl Objects for Unsteady {
    fn place(&self, key: &str) -> String {
        self.objects.place(key)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        self.there().await?;
        self.objects.get(key).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        self.there().await?;
        let put = self.objects.put(key, bytes, expect).await;
        tokio::task::yield_now().await;
        let lossy = self.lossy.get();
        if lossy > 0 && self.rng.borrow_mut().random_ratio(1, lossy) {
            return Err(Failure::new(Class::Ambiguous, "the answer was lost"));
        }
        put
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        self.there().await?;
        self.objects.list(prefix, delimiter).await
    }
}

struct InProcess {
    sandbox: Sandbox,
    clock: Clock,
}

#[async_trait(?Send)]
impl Connect for InProcess {
    async fn connect(&self, plan: &Plan) -> Result<Account, CommandError> {
        let settings = Settings {
            clock: self.clock.clone(),
            region: Some("us-east-1".to_owned()),
            path_style: true,
            in_process: Some(self.sandbox.http_client()),
            paced: false,
        };
        let clients = aws::connect(&settings).await.map_err(CommandError::refused)?;
        let data = Rc::new(model_plane(self.sandbox.clone(), self.clock.clone()));
        Account::with(self.clock.clone(), clients, data, plan).await
    }
}

async fn until_poll(work: impl Future<Output = ()>, most: u64) {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(|cx| {
        if polls == most {
            return Poll::Ready(());
        }
        polls += 1;
        work.as_mut().poll(cx)
    })
    .await;
}

fn quiet() -> Output {
    let style = Style { color: false, columns: None };
    // Lines of runs would hide what a failure says.
    Output { json: false, style, err_style: style, live: false }
}

fn plan() -> Plan {
    let source = Source::new("daily.yaml".to_owned(), PLAYBOOK.to_owned());
    compile(&source, &catalog(), &GivenInputs::default())
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

/// Everything that outlives a process.
struct Around {
    clock: Clock,
    kept: Rc<Unsteady>,
    sandbox: Sandbox,
    dir: tempfile::TempDir,
}

impl Around {
    async fn new(seed: u64) -> Self {
        let clock = Clock::tokio("2026-11-23T00:10:00Z".parse().expect("an instant"), 1.0);
        let sandbox = Sandbox::builder()
            .clock(Arc::new(Shared(clock.clone())))
            .servers(ServerPolicy::Off)
            .build()
            .expect("the model needs nothing");
        let mut needed = seed_for(&plan());
        needed.replication_groups.iter_mut().for_each(|group| group.keys = 8);
        sandbox.seed(needed).await.expect("the seed fits");
        let kept = Rc::new(Unsteady {
            objects: MemoryObjects::new(clock.clone()),
            clock: clock.clone(),
            out: Cell::default(),
            lossy: Cell::new(0),
            rng: RefCell::new(StdRng::seed_from_u64(seed)),
        });
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("daily.yaml"), PLAYBOOK).expect("written");
        Self { clock, kept, sandbox, dir }
    }

    fn house(&self, process: u64, stop: &CancellationToken) -> Rc<House> {
        let who = Who { name: format!("process {process}"), token: format!("{process}") };
        let objects = Rc::clone(&self.kept) as Rc<dyn Objects>;
        let store = Remote::new(objects, self.clock.clone(), who, LeaseTerms::default());
        let runs = Runs::over(Box::new(store), self.clock.clone());
        let connect = InProcess { sandbox: self.sandbox.clone(), clock: self.clock.clone() };
        Rc::new(House::new(runs, Box::new(connect), quiet(), stop.clone()))
    }

    /// One process after the other until an instant, each dying at some poll.
    async fn processes(&self, rng: &RefCell<StdRng>, until: Timestamp) -> u64 {
        let mut process = 0;
        while self.clock.now() < until {
            process += 1;
            let stop = CancellationToken::new();
            let house = self.house(process, &stop);
            let mut library = Library::new(self.dir.path()).expect("a directory");
            let polls = rng.borrow_mut().random_range(1..9_000);
            until_poll(house.attend(&mut library, Duration::from_secs(10)), polls).await;
            let down = rng.borrow_mut().random_range(1..120);
            tokio::time::sleep(Duration::from_secs(down)).await;
        }
        process
    }

    /// Outages and faults, each for a while, with as long between them in which nothing is wrong.
    async fn weather(&self, rng: &RefCell<StdRng>) {
        let kinds = vec![
            FaultKind::Throttle,
            FaultKind::ServerErrorBefore,
            FaultKind::ServerErrorAfter,
            FaultKind::LostResponse,
            FaultKind::StaleRead,
            FaultKind::SlowTransition(3.0),
        ];
        loop {
            let (seed, rate, minutes, which) = {
                let mut rng = rng.borrow_mut();
                let rate = [0.02, 0.1, 0.2][rng.random_range(0..3)];
                (rng.random(), rate, rng.random_range(5..40_i64), rng.random_range(0..4))
            };
            let length = Duration::from_secs(minutes.unsigned_abs() * 60);
            match which {
                0 => {
                    let until = self.clock.now() + SignedDuration::from_mins(minutes);
                    self.kept.out.set(Some(until));
                }
                1 => self.kept.lossy.set(6),
                _ => {
                    let random = RandomFaults { seed, rate, kinds: kinds.clone() };
                    let plan = FaultPlan { random: Some(random), ..FaultPlan::default() };
                    self.sandbox.set_faults(plan);
                }
            }
            tokio::time::sleep(length).await;
            self.kept.lossy.set(0);
            self.sandbox.set_faults(FaultPlan::default());
            tokio::time::sleep(length / 2).await;
        }
    }
}

#[test]
fn serve_survives_a_day_of_faults_outages_and_deaths_and_every_occurrence_has_one_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (mut deaths, mut ends) = (0, BTreeMap::new());
    for seed in 1..=3 {
        runtime.block_on(async {
            let around = Around::new(seed).await;
            let rng = RefCell::new(StdRng::seed_from_u64(seed));
            let begun = around.clock.now();
            let night = begun + SignedDuration::from_hours(24);
            tokio::select! {
                biased;
                died = around.processes(&rng, night) => deaths += died,
                () = around.weather(&rng) => {}
            }
            // Three hours in which nothing is wrong, and an end in order.
            around.kept.out.set(None);
            around.kept.lossy.set(0);
            around.sandbox.set_faults(FaultPlan::default());
            let stop = CancellationToken::new();
            let house = around.house(99_999, &stop);
            let mut library = Library::new(around.dir.path()).expect("a directory");
            let calm =
                async {
                    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
                    let (well, words) = metrics::health(&house);
                    assert!(well, "{words}");
                    let told = metrics::metrics(&house);
                    assert!(told.contains(
                        "orchestrate_runs_total{playbook=\"daily\",outcome=\"succeeded\"}"
                    ));
                    stop.cancel();
                };
            futures::join!(house.attend(&mut library, Duration::from_secs(10)), calm);
            for (outcome, count) in judge(&around, begun).await {
                *ends.entry(outcome).or_insert(0) += count;
            }
        });
    }
    println!("{deaths} deaths, ends: {ends:?}");
    assert!(deaths > 60, "{deaths} deaths");
    assert!(ends.get("succeeded") > Some(&20), "{ends:?}");
}

/// What is written down, held against the times, the runs there are, and what AWS was asked.
async fn judge(around: &Around, begun: Timestamp) -> BTreeMap<String, usize> {
    let objects = &around.kept.objects;
    let book = Book::new(objects, "daily");
    let (head, _) = book.head().await.expect("it reads");
    let head = head.expect("a head");
    let mut wanted = Vec::new();
    let mut second = (begun.as_second() / PERIOD + 1) * PERIOD;
    while second <= head.decided.as_second() {
        wanted.push(Timestamp::from_second(second).expect("an instant"));
        second += PERIOD;
    }
    assert!(wanted.len() >= 17, "decided up to {} only", head.decided);
    let open: BTreeSet<Timestamp> =
        head.open.iter().map(|open| open.at).chain(head.buffered).collect();
    let left_out: u64 = head.tally.skipped.values().sum();
    let times: BTreeSet<Timestamp> = book.times().await.expect("listed").into_iter().collect();
    let lost = wanted.iter().filter(|at| !times.contains(at) && !open.contains(at)).count();
    assert_eq!(lost as u64, left_out, "lost without a reason; left out: {:?}", head.skips);
    let (mut ends, mut of_occurrences) = (BTreeMap::new(), BTreeSet::new());
    let mut changed = 0;
    for at in &times {
        let kept = book.occurrence(*at).await.expect("it reads").expect("it is there");
        assert_eq!(kept.runs.len(), 1, "{kept:?}");
        let end = &kept.runs[0];
        *ends.entry(end.outcome.name().to_owned()).or_insert(0) += 1;
        of_occurrences.insert(end.run.clone());
        changed += usize::from(end.outcome != Outcome::Refused);
    }
    of_occurrences.extend(head.open.iter().map(|open| open.run.clone()));
    let keys = objects.list("runs/", Some('/')).await.expect("listed");
    for key in keys {
        let run = key.trim_start_matches("runs/").trim_end_matches('/').to_owned();
        assert!(of_occurrences.contains(&run), "run {run} is no occurrence's");
    }
    let made = around.sandbox.calls();
    let made = made.iter().filter(|call| call.operation == "CreateSnapshot" && call.effect).count();
    let succeeded = ends.get("succeeded").copied().unwrap_or(0);
    assert!(
        (succeeded..=changed + head.open.len()).contains(&made),
        "{made} snapshots were made by {changed} runs, {succeeded} of which succeeded"
    );
    ends
}
