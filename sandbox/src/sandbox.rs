//! The object a user of the sandbox holds.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use http::Request;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::clock::{Clock, SystemClock};
use crate::context::{Core, Ctx, Effects, lock};
use crate::data::{Cluster, DataError, DataPlane, EngineVersion, Model, PlaneKind, ServerPolicy};
use crate::elsewhere::Elsewhere;
use crate::faults::{FaultPlan, FaultState};
use crate::iam::Caller;
use crate::limits::{Buckets, Limits};
use crate::log::Call;
use crate::record::Recorder;
use crate::seed::Seed;
use crate::seeding;
use crate::timings::Timings;
use crate::wire::{self, Reply, Server};
use crate::world::World;

/// Why the sandbox cannot start or be seeded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A server process does not start or refuses its data.
    #[error("data plane of the sandbox: {0}")]
    Data(#[from] DataError),
    /// The address of another server's S3 is none of this machine's.
    #[error("S3 of the sandbox: {0}")]
    S3(String),
    /// The seed contradicts itself.
    #[error("seed of the sandbox: {0}")]
    Seed(String),
}

/// What a new sandbox is to be like.
#[derive(Debug)]
pub struct Builder {
    clock: Arc<dyn Clock>,
    timings: Timings,
    speed: f64,
    account: String,
    region: String,
    servers: ServerPolicy,
    stand_ins: Vec<(EngineVersion, PathBuf)>,
    s3_endpoint: Option<String>,
    recorder: Option<Recorder>,
    faults: FaultPlan,
    limits: Option<Limits>,
    random_seed: u64,
    latency: Duration,
    callers: Vec<Caller>,
}

impl Builder {
    /// Where the time comes from; the machine's clock unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How long things take before the speed is applied.
    #[must_use]
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// How many times as fast as AWS.
    #[must_use]
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// The account id; `123456789012` unless set.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = account.into();
        self
    }

    /// The region; `us-east-1` unless set.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Where the servers inside the clusters come from.
    #[must_use]
    pub fn servers(mut self, servers: ServerPolicy) -> Self {
        self.servers = servers;
        self
    }

    /// The program behind the clusters of one engine and version, where there are real servers. The first that fits is
    /// taken; clusters that none fits get the program of [`servers`](Self::servers).
    #[must_use]
    pub fn stand_in(mut self, engine: EngineVersion, program: PathBuf) -> Self {
        self.stand_ins.push((engine, program));
        self
    }

    /// An S3 that another server has, such as `http://127.0.0.1:4566`: exports go there, and restores read from there.
    /// Never for a sandbox on a paused clock: the clock would jump while the socket has the bytes.
    #[must_use]
    pub fn s3_endpoint(mut self, url: impl Into<String>) -> Self {
        self.s3_endpoint = Some(url.into());
        self
    }

    /// Writes down every request and its answer, a line of JSON each: `service`, `operation`, `request` and `response`,
    /// bodies in base64. What is in them is written as it is, passwords of the sandbox among it.
    #[must_use]
    pub fn record(mut self, to: impl io::Write + Send + 'static) -> Self {
        self.recorder = Some(Recorder::new(Box::new(to)));
        self
    }

    /// What is to go wrong.
    #[must_use]
    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.faults = faults;
        self
    }

    /// The seed of request ids, random names and data.
    #[must_use]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random_seed = seed;
        self
    }

    /// How long every call takes on loopback; no time unless set. In process there is no network to be slow.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Throttles the control planes of ElastiCache and MemoryDB beyond this.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// A caller that is held to policies. Nobody is unless it is said here.
    #[must_use]
    pub fn caller(mut self, caller: Caller) -> Self {
        self.callers.push(caller);
        self
    }

    /// The sandbox.
    ///
    /// # Errors
    /// The data plane cannot start, or the S3 endpoint is none of this machine's.
    pub fn build(self) -> Result<Sandbox, SandboxError> {
        let elsewhere = self.s3_endpoint.as_deref();
        let elsewhere = elsewhere.map(|url| Elsewhere::new(url, &self.account, &self.region));
        let core = Core {
            data: DataPlane::with_stand_ins(self.servers, self.stand_ins, self.random_seed)?,
            elsewhere: elsewhere.transpose().map_err(SandboxError::S3)?,
            recorder: self.recorder,
            clock: self.clock,
            timings: self.timings.scaled(self.speed),
            account: self.account,
            region: self.region,
            world: Arc::new(Mutex::new(World::default())),
            before: Mutex::new(None),
            faults: Mutex::new(FaultState::new(self.faults)),
            limits: Mutex::new(Buckets::new(self.limits)),
            calls: Mutex::default(),
            callers: Mutex::new(self.callers),
            random: Mutex::new(StdRng::seed_from_u64(self.random_seed)),
        };
        let (core, random_seed, latency) = (Arc::new(core), self.random_seed, self.latency);
        Ok(Sandbox { core, random_seed, latency })
    }
}

/// A local AWS. A clone is another handle on the same one.
#[derive(Debug, Clone)]
pub struct Sandbox {
    core: Arc<Core>,
    random_seed: u64,
    latency: Duration,
}

impl Sandbox {
    /// A sandbox of the real speed, on the machine's clock, in `us-east-1` of account `123456789012`.
    pub fn builder() -> Builder {
        Builder {
            clock: Arc::new(SystemClock),
            timings: Timings::default(),
            speed: 1.0,
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            servers: ServerPolicy::default(),
            stand_ins: Vec::new(),
            s3_endpoint: None,
            recorder: None,
            faults: FaultPlan::default(),
            limits: None,
            random_seed: 0,
            latency: Duration::ZERO,
            callers: Vec::new(),
        }
    }

    pub(crate) fn latency(&self) -> Duration {
        self.latency
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Answers one request. It is carried through even if the caller stops waiting, as on AWS.
    pub async fn handle(&self, request: Request<Bytes>) -> Reply {
        let sandbox = self.clone();
        let work = tokio::spawn(async move { wire::dispatch(&sandbox, request).await });
        // The work can only fail by a panic, and then there is no answer.
        work.await.map_or(Reply::Lost, |(reply, _)| reply)
    }

    /// As `handle`, and gives what the log says of the request. It ends where its caller drops it.
    pub async fn handle_logged(&self, request: Request<Bytes>) -> (Reply, Option<Call>) {
        wire::dispatch(self, request).await
    }

    /// The sandbox as the HTTP client of an AWS SDK, in process.
    pub fn http_client(&self) -> SharedHttpClient {
        wire::http_client(Arc::new(self.clone()))
    }

    /// The sandbox on a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is not loopback, or cannot be had.
    pub async fn serve(&self, addr: SocketAddr) -> io::Result<Server> {
        wire::serve(self.clone(), addr).await
    }

    /// Every request so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.core.calls).clone()
    }

    /// How many requests so far were of this sort.
    pub fn count(&self, which: impl Fn(&Call) -> bool) -> usize {
        lock(&self.core.calls).iter().filter(|call| which(call)).count()
    }

    /// Replaces what is to go wrong; counting starts anew.
    pub fn set_faults(&self, plan: FaultPlan) {
        *lock(&self.core.faults) = FaultState::new(plan);
    }

    /// Replaces who is held to policies from now on.
    pub fn set_callers(&self, callers: Vec<Caller>) {
        *lock(&self.core.callers) = callers;
    }

    /// Everything that exists, in order, without anything that differs between two runs of the same effect.
    pub fn world(&self) -> Value {
        lock(&self.core.world).describe()
    }

    /// Brings every lifecycle up to the clock, as the next request would.
    pub async fn settle(&self) {
        let ctx = Ctx::new(&self.core, Effects::default());
        crate::elasticache::settle(&ctx).await;
        crate::memorydb::settle(&ctx).await;
    }

    /// What exists of one service, by its signing name, as `world` tells it; null for a service that keeps nothing.
    pub fn part(&self, service: &str) -> Value {
        lock(&self.core.world).describe_part(service)
    }

    /// What was published to a topic, in order: subject, text and attributes.
    pub fn published(
        &self,
        topic: &str,
    ) -> Vec<(Option<String>, String, BTreeMap<String, String>)> {
        let world = lock(&self.core.world);
        let messages = world.sns.topics.get(topic).map(|topic| topic.messages.clone());
        let told = |message: crate::sns::state::Message| {
            (message.subject, message.text, message.attributes)
        };
        messages.unwrap_or_default().into_iter().map(told).collect()
    }

    /// The entries of the cluster at this endpoint, where the model stands behind it.
    pub fn model(&self, host: &str, port: u16) -> Option<Model> {
        self.cluster_at(host, port)?.model()
    }

    /// A client's write to the cluster at this endpoint, where the model stands behind it: sets a string, or removes the
    /// key. False if no model is there.
    pub fn write(&self, host: &str, port: u16, key: &[u8], value: Option<&[u8]>) -> bool {
        self.cluster_at(host, port).is_some_and(|cluster| cluster.set_in_model(key, value))
    }

    /// What stands behind the clusters, in one line.
    pub fn describe_data(&self) -> String {
        match self.core.data.kind() {
            PlaneKind::Real { program, version } => {
                format!("real servers: {} {version}", program.display())
            }
            PlaneKind::Model { why } => format!("a model without servers: {why}"),
        }
    }

    /// Ends every server process. Requests are still answered, as far as they need no server.
    pub async fn stop(&self) {
        for cluster in self.clusters() {
            cluster.stop().await;
        }
    }

    /// Puts what the seed names into the state, clusters running and filled. Meant for a sandbox that nobody uses yet.
    ///
    /// # Errors
    /// The seed contradicts itself, or a server process does not take its data.
    pub async fn seed(&self, seed: Seed) -> Result<(), SandboxError> {
        seeding::apply(&Ctx::new(&self.core, Effects::default()), &seed, self.random_seed).await
    }

    /// The certificate authority of clusters with TLS, in PEM, where there are real servers.
    pub fn ca_pem(&self) -> Option<String> {
        self.core.data.ca_pem().map(str::to_owned)
    }

    /// The number of keys of the cluster at this endpoint.
    pub(crate) async fn key_count(&self, host: &str, port: u16) -> Option<u64> {
        let counts = self.cluster_at(host, port)?.key_counts().await.ok()?;
        Some(counts.into_iter().sum())
    }

    fn clusters(&self) -> Vec<Cluster> {
        lock(&self.core.world).clusters()
    }

    fn cluster_at(&self, host: &str, port: u16) -> Option<Cluster> {
        let here = |cluster: &Cluster| {
            cluster.endpoint() == (host.to_owned(), port)
                || cluster.shards().iter().any(|shard| shard.host == host && shard.port == port)
        };
        self.clusters().into_iter().find(here)
    }
}
