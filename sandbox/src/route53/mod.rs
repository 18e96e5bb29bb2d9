//! Route 53: hosted zones, records and changes.

mod batch;
mod call;
mod changes;
mod name;
mod records;
mod request;
pub(crate) mod state;
mod zones;

pub(crate) use batch::changes_in;
pub(crate) use call::{call, operation};
