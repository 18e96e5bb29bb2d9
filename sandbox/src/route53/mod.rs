mod call;
pub(crate) mod state;

pub(crate) use call::{call, operation};
