//! When a playbook runs by itself, and what becomes of the times at which it cannot.
//!
//! Pure: a schedule, what is known of its occurrences, and an instant give what is to be done. Who keeps it and carries
//! it out is `scheduler`.

mod blackout;
mod cadence;
mod decide;
mod head;
mod model;

pub use blackout::Window;
pub use cadence::{Cadence, Faulty, Nonexistent};
pub use decide::{Decided, decide};
pub use head::{Head, Open, Paused, Reason, Skip, Skipped, Tally, Verified};
pub use model::{CatchUp, Overlap, Schedule, key};
