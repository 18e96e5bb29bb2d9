//! CloudWatch, as far as it tells how much memory a node uses.

mod call;

pub(crate) use call::{TIMES, call};
