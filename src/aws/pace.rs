//! One adaptive bucket of calls for each control plane, which every request of the process passes.
//!
//! AWS publishes no rates for ElastiCache and MemoryDB; what there is counts for the account and region, and is shared with
//! the console and every other tool. So a process begins modestly, halves its rate with each throttled answer, and adds a
//! little with each good one until it is back where it began. S3 and the services that only help are not held.
//!
//! A change waits for its turn before it passes the gates, and leaves at once after them: a lease may end while one waits.
//! Reads wait where they leave. The time that a call may take begins with its turn, not before.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures::future::{Either, select};
use jiff::{SignedDuration, Timestamp};

use crate::engine::Clock;

/// Calls a second at most, and at first.
const RATE: f64 = 4.0;
/// The least that throttled answers bring it down to.
const SLOWEST: f64 = 0.25;
/// What a good answer adds.
const ADDED: f64 = 0.05;
/// Calls at once after a quiet time: the looks before a run are not held.
const BURST: f64 = 15.0;
/// How long a call of these services may take once it has left: as those of all others (`clients::timeouts`).
const TIMEOUT: Duration = Duration::from_secs(60);
/// By their names in signatures.
const PACED: [&str; 2] = ["elasticache", "memorydb"];

#[derive(Debug)]
struct Bucket {
    rate: f64,
    /// Below nothing, where calls wait for their turn.
    left: f64,
    at: Option<Timestamp>,
}

impl Bucket {
    /// Takes a call's place, and says how long it has to wait for it.
    fn take(&mut self, now: Timestamp) -> Duration {
        let passed = self.at.map_or(SignedDuration::ZERO, |at| now.duration_since(at));
        self.at = Some(now);
        let passed = passed.as_secs_f64().max(0.0);
        self.left = (self.left + passed * self.rate).min(BURST) - 1.0;
        Duration::from_secs_f64((-self.left).max(0.0) / self.rate)
    }

    fn answered(&mut self) {
        self.rate = (self.rate + ADDED).min(RATE);
    }

    fn throttled(&mut self) {
        self.rate = (self.rate / 2.0).max(SLOWEST);
        self.left = self.left.min(0.0);
    }
}

/// The buckets of one connection, shared by its clones.
#[derive(Clone, Debug)]
pub struct Pace {
    buckets: Arc<[Mutex<Bucket>; 2]>,
    clock: Clock,
}

impl Pace {
    /// Full buckets.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        let full = || Mutex::new(Bucket { rate: RATE, left: BURST, at: None });
        Self { buckets: Arc::new([full(), full()]), clock: clock.clone() }
    }

    /// Waits for the turn of a call to this service, as its documentation or its signatures call it.
    pub async fn turn(&self, service: &str) {
        let known = PACED.iter().position(|paced| paced.eq_ignore_ascii_case(service));
        if let Some(index) = known {
            self.wait(index).await;
        }
    }

    async fn wait(&self, index: usize) {
        let wait = self.bucket(index).take(self.clock.now());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }

    fn bucket(&self, index: usize) -> MutexGuard<'_, Bucket> {
        self.buckets[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same client, whose reads keep the pace and whose answers change it.
    #[must_use]
    pub(super) fn http(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Paced { inner, pace: self.clone() })
    }
}

#[derive(Clone, Debug)]
struct Paced {
    inner: SharedHttpClient,
    pace: Pace,
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector { inner, pace: self.pace.clone() })
    }
}

#[derive(Clone, Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pace: Pace,
}

/// Which bucket a request passes, by the scope of its signature: `AKIA…/20261123/us-east-1/elasticache/aws4_request`.
fn bucket_of(request: &HttpRequest) -> Option<usize> {
    let signature = request.headers().get("authorization")?;
    let scope = signature.split_once("Credential=")?.1.split(',').next()?;
    let service = scope.split('/').nth(3)?;
    PACED.iter().position(|paced| *paced == service)
}

/// Whether it only reads: by the operation, which MemoryDB has in a header and ElastiCache in the form.
fn reads(request: &HttpRequest) -> bool {
    let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
    let form = request.body().bytes().unwrap_or_default();
    let action = form.split(|byte| *byte == b'&').find_map(|pair| pair.strip_prefix(b"Action="));
    let operation = target.map(str::as_bytes).or(action).unwrap_or_default();
    [&b"Describe"[..], b"List", b"Get"].iter().any(|verb| operation.starts_with(verb))
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(index) = bucket_of(&request) else { return self.inner.call(request) };
        let (inner, pace) = (self.inner.clone(), self.pace.clone());
        HttpConnectorFuture::new(async move {
            if reads(&request) {
                pace.wait(index).await;
            }
            let answer = async { whole(inner.call(request).await?).await };
            let late = pace.clock.sleep(TIMEOUT);
            let answer = match select(pin!(answer), pin!(late)).await {
                Either::Left((answer, _)) => answer?,
                Either::Right(_) => {
                    let why = format!("nothing was answered within {} seconds", TIMEOUT.as_secs());
                    return Err(ConnectorError::timeout(why.into()));
                }
            };
            match throttled(&answer) {
                true => pace.bucket(index).throttled(),
                false => pace.bucket(index).answered(),
            }
            Ok(answer)
        })
    }
}

/// An answer with all of its body: those of the control planes are small.
async fn whole(mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let body = ByteStream::new(body).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?;
    *answer.body_mut() = SdkBody::from(body.into_bytes());
    Ok(answer)
}

/// Whether an answer asks for fewer calls. Both services say so with status 400 and a code in the body.
fn throttled(answer: &HttpResponse) -> bool {
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    match answer.status().as_u16() {
        429 | 503 => true,
        400 => ["Throttling", "ThrottledException", "RequestLimitExceeded", "TooManyRequests"]
            .iter()
            .any(|code| body.contains(code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_halves_the_rate_and_successes_bring_it_back() {
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        let mut bucket = Bucket { rate: RATE, left: BURST, at: None };
        assert!((0..15).all(|_| bucket.take(at(0)).is_zero()), "a burst is not held");
        assert_eq!(bucket.take(at(0)), Duration::from_millis(250));
        assert_eq!(bucket.take(at(0)), Duration::from_millis(500));
        bucket.throttled();
        assert!((bucket.rate - 2.0).abs() < 1e-9);
        (0..100).for_each(|_| bucket.throttled());
        assert!((bucket.rate - SLOWEST).abs() < 1e-9);
        (0..100).for_each(|_| bucket.answered());
        assert!((bucket.rate - RATE).abs() < 1e-9);
        assert!(bucket.take(at(1000)).is_zero());
    }

    fn request(headers: &[(&'static str, &'static str)], body: &'static str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        for (name, value) in headers {
            request.headers_mut().insert(*name, *value);
        }
        request
    }

    #[test]
    fn a_request_is_known_by_its_signature_and_its_operation() {
        const SIGNED: (&str, &str) = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/memorydb/aws4_request, SignedHeaders=host",
        );
        let target = |name| request(&[SIGNED, ("x-amz-target", name)], "{}");
        assert_eq!(bucket_of(&target("AmazonMemoryDB.DescribeClusters")), Some(1));
        assert!(reads(&target("AmazonMemoryDB.DescribeClusters")));
        assert!(reads(&target("AmazonMemoryDB.ListTags")));
        assert!(!reads(&target("AmazonMemoryDB.CreateCluster")));
        assert!(reads(&request(&[], "Action=DescribeSnapshots&Version=2015-02-02")));
        assert!(reads(&request(&[], "Version=2015-02-02&Action=ListTagsForResource")));
        assert!(!reads(&request(&[], "Action=CopySnapshot&SourceSnapshotName=Describe")));
        assert_eq!(bucket_of(&request(&[], "Action=DescribeSnapshots")), None, "not signed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_and_services_that_only_help_have_none() {
        let clock = Clock::tokio(Timestamp::UNIX_EPOCH, 1.0);
        let pace = Pace::new(&clock);
        for _ in 0..BURST as usize + 4 {
            pace.turn("ElastiCache").await;
        }
        assert_eq!(clock.since(Timestamp::UNIX_EPOCH), Duration::from_secs(1), "four a second");
        for service in ["S3", "MemoryDB", "SSM"] {
            pace.turn(service).await;
        }
        assert_eq!(clock.since(Timestamp::UNIX_EPOCH), Duration::from_secs(1), "each by itself");
    }
}
