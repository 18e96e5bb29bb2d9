//! Exports of either service: the way out to S3, what makes a file set an export that counts, and what is kept of them.
//!
//! An export counts once its manifest lies beside its files. That is written last, after every file was read to its end,
//! and under the condition that none is there: so an export without a manifest is no export, and one with it is whole.

pub(in crate::steps) mod call;
pub(in crate::steps) mod fleet;
mod keep;
pub(in crate::steps) mod landing;
pub(in crate::steps) mod latest;
pub(in crate::steps) mod manifest;
mod of;
pub(in crate::steps) mod out;
mod verify;

pub(in crate::steps) use call::Files;
pub(crate) use keep::{Fate, Keep, Moment};
pub(in crate::steps) use landing::{LANDED, MISSING, Progress, View};
pub(crate) use of::Of;
pub(in crate::steps) use of::{Shown, is_automatic};
pub(crate) use out::Exported;
pub(in crate::steps) use verify::Tolerance;
