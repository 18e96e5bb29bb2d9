//! The one clock: every wait, deadline and timestamp of a run goes through it, and the AWS SDK is fed from it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Where time comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// The machine's wall clock, so that a laptop that slept through a deadline notices.
    System,
    /// Tokio's clock times `speed`, counted from `base`: virtual under a paused runtime, hurried in the sandbox.
    Tokio { base: Timestamp, start: Instant, speed: f64, stepped: AtomicI64 },
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// Tokio's clock, starting at `base` and running `speed` times as fast as tokio's. Must be called inside a tokio
    /// runtime. Under a paused runtime time passes only when nothing else can run.
    #[must_use]
    pub fn tokio(base: Timestamp, speed: f64) -> Self {
        let stepped = AtomicI64::new(0);
        Self(Arc::new(Source::Tokio { base, start: Instant::now(), speed, stepped }))
    }

    /// Puts the clock forward or back by so many milliseconds, as whoever sets a machine's clock does; sleeps go on as
    /// they were. For simulations: the machine's own clock is not touched.
    pub fn step(&self, millis: i64) {
        if let Source::Tokio { stepped, .. } = &*self.0 {
            stepped.fetch_add(millis, Ordering::Relaxed);
        }
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => Timestamp::now(),
            Source::Tokio { base, start, speed, stepped } => {
                let passed = start.elapsed().mul_f64(*speed);
                let stepped = SignedDuration::from_millis(stepped.load(Ordering::Relaxed));
                SignedDuration::try_from(passed)
                    .ok()
                    .and_then(|d| base.checked_add(d.checked_add(stepped)?).ok())
                    .unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Sleeps for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        let real = match &*self.0 {
            Source::System => duration,
            Source::Tokio { speed, .. } => duration.div_f64(*speed),
        };
        tokio::time::sleep(real).await;
    }

    /// Time passed since `earlier`; zero if it lies in the future.
    #[must_use]
    pub fn since(&self, earlier: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(earlier)).unwrap_or(Duration::ZERO)
    }

    /// Starts measuring a span of which it matters that it is not taken for shorter than it was.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch { clock: self.clone(), wall: self.now(), steady: Instant::now() }
    }

    /// How many times faster than a wall clock this clock runs; 1 for a real one.
    #[must_use]
    pub fn speed(&self) -> f64 {
        match &*self.0 {
            Source::System => 1.0,
            Source::Tokio { speed, .. } => *speed,
        }
    }
}

/// Measures a span by the wall clock and by the machine's steady clock, and takes the longer one: the first can be set
/// back, and the second stands still while a laptop sleeps (clock_gettime(2), CLOCK_MONOTONIC).
#[derive(Clone, Debug)]
pub struct Stopwatch {
    clock: Clock,
    wall: Timestamp,
    steady: Instant,
}

impl Stopwatch {
    /// Time passed since it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let steady = self.steady.elapsed().mul_f64(self.clock.speed());
        self.clock.since(self.wall).max(steady)
    }
}
