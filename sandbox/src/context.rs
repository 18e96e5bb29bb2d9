//! What one request sees: the time, the state, the durations, and what its fault asks of the handler.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::clock::Clock;
use crate::data::DataPlane;
use crate::elsewhere::{Elsewhere, Landing};
use crate::faults::FaultState;
use crate::iam::Caller;
use crate::limits::Buckets;
use crate::log::Call;
use crate::record::Recorder;
use crate::timings::Timings;
use crate::world::World;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timings: Timings,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) data: DataPlane,
    pub(crate) world: Arc<Mutex<World>>,
    /// The state before the last change, and when that was, for stale reads.
    pub(crate) before: Mutex<Option<(Timestamp, World)>>,
    pub(crate) faults: Mutex<FaultState>,
    pub(crate) limits: Mutex<Buckets>,
    pub(crate) calls: Mutex<Vec<Call>>,
    /// The S3 of another server, in place of the sandbox's own.
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) recorder: Option<Recorder>,
    /// Who is held to policies.
    pub(crate) callers: Mutex<Vec<Caller>>,
    pub(crate) random: Mutex<StdRng>,
}

/// Takes a lock that a panicking request may have poisoned: each request leaves the state whole between statements,
/// and a test that panicked on purpose should still be able to look.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of a fault that only the handler can carry out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effects {
    /// The state and the reason in which what the call creates ends.
    pub(crate) terminal: Option<(String, String)>,
    /// How many times as long the transition takes; `None` is once.
    pub(crate) slow: Option<f64>,
    /// Whether the export loses its last object.
    pub(crate) missing_objects: bool,
}

/// One request's view. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Ctx {
    /// The time of the request.
    pub(crate) now: Timestamp,
    /// The id that the answer carries.
    pub(crate) request_id: String,
    pub(crate) effects: Effects,
    core: Arc<Core>,
    state: Arc<Mutex<World>>,
}

impl Ctx {
    pub(crate) fn new(core: &Arc<Core>, effects: Effects) -> Self {
        let state = Arc::clone(&core.world);
        let request_id = request_id(core);
        Self { now: core.clock.now(), request_id, effects, core: Arc::clone(core), state }
    }

    /// The same request against another state: what it changes there is lost.
    pub(crate) fn with_state(mut self, world: World) -> Self {
        self.state = Arc::new(Mutex::new(world));
        self
    }

    /// The state. Never hold the guard across an await: the data plane is asynchronous.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.state)
    }

    pub(crate) fn account(&self) -> &str {
        &self.core.account
    }

    pub(crate) fn region(&self) -> &str {
        &self.core.region
    }

    pub(crate) fn timings(&self) -> &Timings {
        &self.core.timings
    }

    pub(crate) fn callers(&self) -> &Mutex<Vec<Caller>> {
        &self.core.callers
    }

    pub(crate) fn elsewhere(&self) -> Option<&Elsewhere> {
        self.core.elsewhere.as_ref()
    }

    /// Whether an export that begins now has to be sent to another server.
    pub(crate) fn landing(&self) -> Landing {
        self.core.elsewhere.as_ref().map_or(Landing::Done, |_| Landing::Waiting)
    }

    pub(crate) fn data(&self) -> &DataPlane {
        &self.core.data
    }

    /// The moment at which a transition started now is through, stretched if the fault plan says so.
    pub(crate) fn due(&self, duration: std::time::Duration) -> Timestamp {
        let duration = duration.mul_f64(self.effects.slow.unwrap_or(1.0).clamp(0.0, 1e6));
        let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        self.now.checked_add(duration).unwrap_or(Timestamp::MAX)
    }

    /// A moment in the past, `duration` before now.
    pub(crate) fn ago(&self, duration: std::time::Duration) -> Timestamp {
        let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        self.now.checked_sub(duration).unwrap_or(Timestamp::MIN)
    }

    /// `len` random hex digits, the same for the same seed and order of calls.
    pub(crate) fn hex(&self, len: usize) -> String {
        hex(&self.core, len)
    }

    /// A random identifier in the form of a version-4 UUID.
    pub(crate) fn uuid(&self) -> String {
        request_id(&self.core)
    }
}

fn hex(core: &Core, len: usize) -> String {
    let mut random = lock(&core.random);
    (0..len).map(|_| char::from_digit(random.random_range(0..16), 16).unwrap_or('0')).collect()
}

fn request_id(core: &Core) -> String {
    let h = hex(core, 32);
    format!("{}-{}-4{}-a{}-{}", &h[..8], &h[8..12], &h[13..16], &h[17..20], &h[20..])
}
