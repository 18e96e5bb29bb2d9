//! S3: the objects through which snapshots pass, and the buckets they lie in.

mod bucket;
mod delete_objects;
mod name;
mod newest_export;
mod object;
mod prune_exports;
mod version;

pub(crate) use bucket::{
    Guest, findings as bucket_findings, lets_in as bucket_lets_in, notes as bucket_notes,
    out_of_reach, statement_wanted,
};
pub(crate) use delete_objects::DeleteObjects;
pub(crate) use name::bucket_fault;
pub(crate) use newest_export::NewestExport;
pub(crate) use object::{Magic, Object, Removed, delete, head, list, list_with_tags, sniff};
pub(crate) use prune_exports::PruneExports;
pub(crate) use version::version_of;
