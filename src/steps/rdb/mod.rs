//! RDB files: whether what was exported can be restored.

mod check;
mod judge;
mod stream;

pub(crate) use check::Check;
pub(in crate::steps) use check::File;
pub(in crate::steps) use stream::read;
