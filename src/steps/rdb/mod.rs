//! RDB files: whether what was exported can be restored.

mod check;
mod judge;
mod stream;

pub(crate) use check::Check;
