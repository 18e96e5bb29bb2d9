//! CloudWatch, as far as it tells how much memory a node uses, and takes points of one's own.

mod call;
mod put;

pub(crate) use call::{TIMES, call};
pub(crate) use put::describe;
