//! S3: buckets, objects, and what a bucket policy lets the snapshot services do.

mod body;
mod buckets;
mod condition;
mod listing;
mod multipart;
mod objects;
mod operation;
mod policy;
mod service;
pub(crate) mod state;
mod unsign;

pub(crate) use operation::operation;
pub(crate) use policy::Verdict;
pub(crate) use service::call;
