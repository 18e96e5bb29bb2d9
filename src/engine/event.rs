//! What a run tells whoever watches. Reports are functions of these alone.

use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::journal::Record;

/// Something happened, or was seen.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Journaled facts, and the passing ones that only a person watching needs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "event", content = "data")]
pub enum EventKind {
    /// A fact that is in the journal now.
    Recorded(Record),
    /// AWS was looked at.
    Looked(Look),
    /// Something odd that does not stop the run.
    Warned {
        /// The step, if one is at work.
        step: Option<String>,
        /// What is odd.
        warning: String,
    },
}

/// One look at something that is waited for.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    /// The waiting step.
    pub step: String,
    /// What is watched: `snapshot "prod-1"`.
    pub subject: String,
    /// The state in AWS's word.
    pub state: String,
    /// More that AWS said, for example a percentage.
    pub detail: Option<String>,
    /// Time waited so far.
    #[serde(serialize_with = "secs")]
    pub elapsed: Duration,
    /// How long such a wait usually takes.
    #[serde(serialize_with = "secs")]
    pub expected: Duration,
    /// Time to the next look; none if this was the last.
    #[serde(serialize_with = "maybe_secs")]
    pub next: Option<Duration>,
}

fn secs<S: serde::Serializer>(d: &Duration, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_f64(d.as_secs_f64())
}

fn maybe_secs<S: serde::Serializer>(d: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    d.map(|d| d.as_secs_f64()).serialize(out)
}

/// Receives every event, in order.
pub type Sink = Rc<dyn Fn(&Event)>;
