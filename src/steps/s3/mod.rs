//! S3: the objects through which snapshots pass, and the buckets they lie in.

mod bucket;
mod delete_objects;
mod name;
mod object;

pub(crate) use bucket::{
    Guest, findings as bucket_findings, lets_in as bucket_lets_in, notes as bucket_notes,
    out_of_reach, statement_wanted,
};
pub(crate) use delete_objects::DeleteObjects;
pub(crate) use name::bucket_fault;
pub(crate) use object::{Magic, Object, Removed, delete, head, list, sniff};
