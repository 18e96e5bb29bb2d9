//! ElastiCache: snapshots, their export to S3, and who may write; of replication groups and of serverless caches.

mod access;
mod arrivals;
mod create_serverless_snapshot;
mod create_snapshot;
mod delete_serverless_snapshot;
mod delete_snapshot;
mod export_fleet;
mod export_latest;
mod export_serverless_snapshot;
mod export_snapshot;
mod freeze_writes;
pub(in crate::steps) mod look;
mod serverless;
mod snapshot_quota;
mod source;
mod source_checks;
mod thaw_writes;

pub(crate) use create_serverless_snapshot::CreateServerlessSnapshot;
pub(crate) use create_snapshot::{
    CreateSnapshot, Prepared as SnapshotIntent, Spec as SnapshotSpec,
};
pub(crate) use delete_serverless_snapshot::DeleteServerlessSnapshot;
pub(crate) use delete_snapshot::DeleteSnapshot;
pub(crate) use export_fleet::ExportFleet;
pub(crate) use export_latest::ExportLatest;
pub(crate) use export_serverless_snapshot::ExportServerlessSnapshot;
pub(crate) use export_snapshot::ExportSnapshot;
pub(crate) use freeze_writes::FreezeWrites;
pub(crate) use thaw_writes::ThawWrites;
