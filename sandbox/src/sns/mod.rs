//! SNS, as far as somebody is told something through it: topics that a seed names, and what was published to them.

mod call;
pub(crate) mod state;

pub(crate) use call::{arn, call};
