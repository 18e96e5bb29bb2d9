//! SSM Parameter Store.

mod call;
mod labels;
mod read;
pub(crate) mod state;
mod tags;
mod write;

pub(crate) use call::call;
pub(crate) use state::plain_name;
