//! Secrets Manager.

mod call;
mod labels;
mod random;
mod secrets;
pub(crate) mod state;
mod values;

pub(crate) use call::call;
