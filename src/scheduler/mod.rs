//! Occurrences, each submitted once and carried to its end.
//!
//! - `book`: what is kept of a schedule, in the place where runs are kept. Submitting an occurrence and recording that is
//!   one conditional write of one object, so that of two schedulers one is refused, and a crash leaves it done or not
//! - `attend`: looks after one playbook: decides when something is due, and carries out whatever is open, also what
//!   another process submitted before it died
//! - `ask`: the same for an occurrence that somebody gives the command for
//!
//! How a run is carried out is somebody else's concern: a `Worker`'s.

mod ask;
mod attend;
mod book;

pub use ask::{Answer, ask_for, lift, pause};
pub use attend::{Attendant, Offer, Seen, Worked, Worker};
pub use book::{Book, Ended, Export, Occurrence, Outcome};
