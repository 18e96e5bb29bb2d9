//! The network between a simulated process and the sandbox. A request that has left its process arrives, whatever becomes
//! of the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use orchestrate_sandbox::{Network, Reply, Sandbox, Whole};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::disk::Disk;
use super::life::Life;
use super::tape::Tape;

/// The longest that a request is under way. Whoever takes a run up comes later than that.
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// One process's way to AWS.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) sandbox: Sandbox,
    pub(super) disk: Disk,
    pub(super) tape: Tape,
    pub(super) life: Arc<Life>,
    delays: Delays,
}

/// How long what a process sends is under way, there and back.
#[derive(Debug, Default)]
pub(super) struct Delays(Option<Mutex<StdRng>>);

impl Delays {
    /// Drawn from `seed`; none, and nothing takes any time.
    pub(super) fn of(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// The time there and the time back.
    pub(super) fn draw(&self) -> (Duration, Duration) {
        let Some(delays) = &self.0 else { return Default::default() };
        let mut rng = delays.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draw = || {
            let most = if rng.random_ratio(1, 40) { LONGEST.as_millis() } else { 40 };
            Duration::from_millis(rng.random_range(1..=u64::try_from(most).unwrap_or(40)))
        };
        (draw(), draw())
    }
}

impl Way {
    /// A way whose delays are drawn from `seed`; none, and nothing takes any time.
    pub(super) fn new(
        sandbox: &Sandbox,
        disk: &Disk,
        tape: &Tape,
        life: &Arc<Life>,
        seed: Option<u64>,
    ) -> Self {
        Self {
            sandbox: sandbox.clone(),
            disk: disk.clone(),
            tape: tape.clone(),
            life: Arc::clone(life),
            delays: Delays::of(seed),
        }
    }
}

impl Network for Way {
    fn carry(&self, request: Whole) -> BoxFuture<'static, Reply> {
        let (there, back) = self.delays.draw();
        let (sandbox, disk, tape) = (self.sandbox.clone(), self.disk.clone(), self.tape.clone());
        let life = Arc::clone(&self.life);
        Box::pin(async move {
            // A place to die at: decided on, written down, and not sent.
            tokio::task::yield_now().await;
            let death = life.sending();
            if life.is_dead() || death == Some(false) {
                life.kill();
                return std::future::pending().await;
            }
            let (process, order, durable) = (life.id, tape.leaves(), disk.durable());
            let work = tokio::spawn(async move {
                if !there.is_zero() {
                    tokio::time::sleep(there).await;
                }
                let (reply, call) = sandbox.handle_logged(request).await;
                if let Some(call) = call {
                    tape.landed(&sandbox, process, order, durable, call);
                }
                reply
            });
            if death == Some(true) {
                life.kill();
                return std::future::pending().await;
            }
            let reply = work.await.unwrap_or(Reply::Lost);
            if !back.is_zero() {
                tokio::time::sleep(back).await;
            }
            reply
        })
    }
}
