//! The places, each as several processes see it; and faults of the places that are reached over a network.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrate::aws::{self, Settings};
use orchestrate::engine::journal::{Entry, Record};
use orchestrate::engine::{Class, Clock, Failure, RunId};
use orchestrate::plan::Plan;
use orchestrate::state::{
    Bucket, BucketObjects, Directory, Expect, Found, LeaseTerms, MemoryObjects, Objects, Put,
    Remote, Store, Who,
};
use orchestrate_sandbox::{Clock as SandboxClock, Sandbox, Seed, SeedBucket, ServerPolicy};

use crate::world::RUN;

pub(super) const LENGTH: Duration = Duration::from_secs(60);
const BUCKET: &str = "acme-orchestrate";

/// What happens to a call instead of what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It does not arrive.
    Unanswered,
    /// A write happens, and its answer is lost.
    AnswerLost,
    /// The service asks for fewer calls.
    Throttled,
}

/// Objects that are reached over a bad line.
#[derive(Clone)]
pub(super) struct Line {
    inner: Rc<dyn Objects>,
    /// For the next writes, one each.
    pub(super) writes: Rc<RefCell<VecDeque<Trouble>>>,
    /// Set while nothing arrives at all.
    pub(super) dead: Rc<Cell<bool>>,
    /// Writes that arrived.
    pub(super) arrived: Rc<Cell<u32>>,
}

impl Line {
    pub(super) fn to(inner: Rc<dyn Objects>) -> Self {
        Self { inner, writes: Rc::default(), dead: Rc::default(), arrived: Rc::default() }
    }

    fn failure(class: Class) -> Failure {
        Failure::new(class, "no answer over this line")
    }
}

#[async_trait(?Send)]
impl Objects for Line {
    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        if self.dead.get() {
            return Err(Self::failure(Class::Transient));
        }
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        if self.dead.get() {
            return Err(Self::failure(Class::Ambiguous));
        }
        let trouble = self.writes.borrow_mut().pop_front();
        match trouble {
            Some(Trouble::Unanswered) => Err(Self::failure(Class::Ambiguous)),
            Some(Trouble::Throttled) => Err(Self::failure(Class::Throttled)),
            Some(Trouble::AnswerLost) => {
                self.arrived.set(self.arrived.get() + 1);
                self.inner.put(key, bytes, expect).await?;
                Err(Self::failure(Class::Ambiguous))
            }
            None => {
                self.arrived.set(self.arrived.get() + 1);
                self.inner.put(key, bytes, expect).await
            }
        }
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        if self.dead.get() {
            return Err(Self::failure(Class::Transient));
        }
        self.inner.list(prefix, delimiter).await
    }
}

/// A place, and what a test needs to reach into it.
pub(super) struct Place {
    pub(super) clock: Clock,
    kind: Kind,
    processes: Cell<u32>,
}

enum Kind {
    Directory(tempfile::TempDir),
    Objects(Rc<dyn Objects>),
}

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

fn clock() -> Clock {
    Clock::tokio("2026-11-23T03:00:00Z".parse().expect("a timestamp"), 1.0)
}

impl Place {
    pub(super) fn directory() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { clock: clock(), kind: Kind::Directory(folder), processes: Cell::new(0) }
    }

    pub(super) fn memory() -> Self {
        let clock = clock();
        let objects = Rc::new(MemoryObjects::new(clock.clone()));
        Self { clock, kind: Kind::Objects(objects), processes: Cell::new(0) }
    }

    /// S3, as the sandbox has it, called through the SDK.
    pub(super) async fn s3() -> Self {
        let clock = clock();
        let objects = Rc::new(bucket(&clock, BUCKET, "us-east-1").await);
        Self { clock, kind: Kind::Objects(objects), processes: Cell::new(0) }
    }

    /// The place as one more process sees it.
    pub(super) fn process(&self) -> Box<dyn Store> {
        match &self.kind {
            Kind::Directory(folder) => Box::new(Directory::new(folder.path().to_owned())),
            Kind::Objects(objects) => self.over(Rc::clone(objects)),
        }
    }

    /// One more process, that reaches the place over a line of its own.
    pub(super) fn process_over_a_line(&self) -> (Box<dyn Store>, Line) {
        let Kind::Objects(objects) = &self.kind else { panic!("a directory has no line") };
        let line = Line::to(Rc::clone(objects));
        (self.over(Rc::new(line.clone())), line)
    }

    fn over(&self, objects: Rc<dyn Objects>) -> Box<dyn Store> {
        let number = self.processes.get();
        self.processes.set(number + 1);
        let who = Who { name: format!("ops@host{number}"), token: format!("token{number}") };
        let terms = LeaseTerms { length: LENGTH };
        Box::new(Remote::new(objects, self.clock.clone(), who, terms))
    }

    pub(super) fn objects(&self) -> Rc<dyn Objects> {
        let Kind::Objects(objects) = &self.kind else { panic!("a directory has files") };
        Rc::clone(objects)
    }

    /// Puts other bytes where entry `seq` of the run is: what `change` makes of its line, or nothing.
    pub(super) async fn damage(&self, seq: usize, change: impl Fn(&str) -> Option<String>) {
        match &self.kind {
            Kind::Directory(folder) => {
                let path = folder.path().join(format!("runs/{RUN}/journal.jsonl"));
                let text = std::fs::read_to_string(&path).expect("a journal");
                let lines: Vec<&str> = text.split_inclusive('\n').collect();
                let changed: String = lines
                    .iter()
                    .enumerate()
                    .filter_map(|(index, line)| {
                        if index + 1 == seq { change(line) } else { Some((*line).to_owned()) }
                    })
                    .collect();
                std::fs::write(&path, changed).expect("written");
            }
            Kind::Objects(objects) => {
                let key = format!("runs/{RUN}/journal/{seq:08}.json");
                let there = objects.get(&key).await.expect("reads").expect("an entry");
                let line = String::from_utf8(there.bytes).expect("text");
                // An object cannot be taken away through `Objects`: one in the middle is emptied instead.
                let changed = change(&line).unwrap_or_else(|| "\n".to_owned());
                let put = objects.put(&key, changed.into_bytes(), Expect::Tag(there.tag)).await;
                assert!(matches!(put, Ok(Put::Stored(_))));
            }
        }
    }
}

/// A bucket of the sandbox in `region`, through clients of us-east-1.
pub(super) async fn bucket(clock: &Clock, name: &str, region: &str) -> BucketObjects {
    let sandbox = Sandbox::builder()
        .clock(Arc::new(Shared(clock.clone())))
        .servers(ServerPolicy::Off)
        .build()
        .expect("the model needs nothing");
    let bucket = SeedBucket {
        name: BUCKET.to_owned(),
        region: Some(region.to_owned()),
        ..SeedBucket::default()
    };
    let seed = Seed { buckets: vec![bucket], ..Seed::default() };
    sandbox.seed(seed).await.expect("the seed fits");
    let settings = Settings {
        clock: clock.clone(),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        in_process: Some(sandbox.http_client()),
        paced: false,
    };
    let clients = aws::connect(&settings).await.expect("an in-process connection");
    let bucket = Bucket::parse(&format!("s3://{name}/team/a")).expect("a URL");
    BucketObjects::new(clients, bucket)
}

pub(super) fn run() -> RunId {
    RUN.parse().expect("a run id")
}

/// A header, and then as many small records as are wanted.
pub(super) fn entry(seq: u64, epoch: u64, plan: &Plan) -> Entry {
    let at = "2026-11-23T03:00:00Z".parse().expect("a timestamp");
    let record = if seq == 1 {
        Record::Started {
            run: run(),
            tool: "test".to_owned(),
            by: "ops@host".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            embedded: false,
            plan: Box::new(plan.clone()),
        }
    } else {
        Record::Resumed { by: format!("number {seq}") }
    };
    Entry { seq, epoch, at, record }
}
