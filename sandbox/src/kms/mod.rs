//! KMS, as far as services and people ask what state a key is in.

mod call;
pub(crate) mod state;

pub(crate) use call::{arn, call};
