//! S3: buckets, objects, and what a bucket policy lets the snapshot services do.

mod body;
mod buckets;
mod listing;
mod multipart;
mod objects;
mod operation;
mod policy;
mod service;
pub(crate) mod state;
mod unsign;

pub(crate) use operation::operation;
#[expect(unused_imports, reason = "for the export and seeding checks of the cluster services")]
pub(crate) use policy::{Verdict, policy_allows};
pub(crate) use service::call;
