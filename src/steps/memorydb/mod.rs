//! MemoryDB: clusters made from exported files, from snapshots, or empty; their snapshots, and the way of these to S3.

mod cluster;
mod copy_snapshot;
mod create_cluster;
mod create_snapshot;
mod delete_cluster;
mod delete_snapshot;
mod export_snapshot;
mod restore;
pub(in crate::steps) mod snapshots;

pub(in crate::steps) use cluster::reason;
pub(crate) use copy_snapshot::CopySnapshot;
pub(crate) use create_cluster::CreateCluster;
pub(in crate::steps) use create_snapshot::at_rest;
pub(crate) use create_snapshot::{
    CreateSnapshot, Prepared as SnapshotIntent, Spec as SnapshotSpec,
};
pub(crate) use delete_cluster::DeleteCluster;
pub(crate) use delete_snapshot::DeleteSnapshot;
pub(crate) use export_snapshot::ExportSnapshot;
pub(crate) use restore::{Readable, readable};
