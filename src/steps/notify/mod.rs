//! Telling somebody.

pub(crate) mod sns;
pub(crate) mod webhook;

use crate::engine::Class;

/// Whether a failure is the run's, not the message's.
fn stops(class: Class) -> bool {
    matches!(
        class,
        Class::Busy | Class::Journal | Class::Halted | Class::Interrupted | Class::Expired
    )
}
