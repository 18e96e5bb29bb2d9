//! One adaptive bucket of calls for each control plane, which every request of the process passes.
//!
//! AWS publishes no rates for ElastiCache and MemoryDB; what there is counts for the account and region, and is shared with
//! the console and every other tool. So a process begins modestly, halves its rate with each throttled answer, and adds a
//! little with each good one until it is back where it began. S3 and the services that only help are not held.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
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

type Buckets = Arc<[Mutex<Bucket>; 2]>;

/// The same client, held to the pace.
#[must_use]
pub fn paced(inner: SharedHttpClient, clock: &Clock) -> SharedHttpClient {
    let full = || Mutex::new(Bucket { rate: RATE, left: BURST, at: None });
    let buckets = Arc::new([full(), full()]);
    SharedHttpClient::new(Paced { inner, buckets, clock: clock.clone() })
}

#[derive(Clone, Debug)]
struct Paced {
    inner: SharedHttpClient,
    buckets: Buckets,
    clock: Clock,
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        let (buckets, clock) = (Arc::clone(&self.buckets), self.clock.clone());
        SharedHttpConnector::new(PacedConnector { inner, buckets, clock })
    }
}

#[derive(Clone, Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    buckets: Buckets,
    clock: Clock,
}

/// Which bucket a request passes, by the scope of its signature: `AKIA…/20261123/us-east-1/elasticache/aws4_request`.
fn bucket_of(request: &HttpRequest) -> Option<usize> {
    let signature = request.headers().get("authorization")?;
    let scope = signature.split_once("Credential=")?.1.split(',').next()?;
    let service = scope.split('/').nth(3)?;
    PACED.iter().position(|paced| *paced == service)
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(index) = bucket_of(&request) else { return self.inner.call(request) };
        let (inner, buckets, clock) =
            (self.inner.clone(), Arc::clone(&self.buckets), self.clock.clone());
        HttpConnectorFuture::new(async move {
            let bucket = || buckets[index].lock().unwrap_or_else(PoisonError::into_inner);
            let wait = bucket().take(clock.now());
            if !wait.is_zero() {
                clock.sleep(wait).await;
            }
            let answer = inner.call(request).await?;
            let (answer, throttled) = look(answer).await;
            match throttled {
                true => bucket().throttled(),
                false => bucket().answered(),
            }
            Ok(answer)
        })
    }
}

/// Whether an answer asks for fewer calls. Both services say so with status 400 and a code in the body.
async fn look(mut answer: HttpResponse) -> (HttpResponse, bool) {
    let status = answer.status().as_u16();
    if matches!(status, 429 | 503) {
        return (answer, true);
    }
    if status != 400 {
        return (answer, false);
    }
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let Ok(body) = ByteStream::new(body).collect().await else { return (answer, false) };
    let body = body.into_bytes();
    let text = String::from_utf8_lossy(&body);
    let throttled = ["Throttling", "ThrottledException", "RequestLimitExceeded", "TooManyRequests"]
        .iter()
        .any(|code| text.contains(code));
    *answer.body_mut() = SdkBody::from(body);
    (answer, throttled)
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
}
