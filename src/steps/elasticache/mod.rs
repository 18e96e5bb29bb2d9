//! ElastiCache: snapshots, their export to S3, and who may write.

mod access;
mod create_snapshot;
mod delete_snapshot;
mod export;
mod export_snapshot;
mod freeze_writes;
mod landing;
mod look;
mod thaw_writes;

pub(crate) use create_snapshot::CreateSnapshot;
pub(crate) use delete_snapshot::DeleteSnapshot;
pub(crate) use export_snapshot::ExportSnapshot;
pub(crate) use freeze_writes::FreezeWrites;
pub(crate) use thaw_writes::ThawWrites;
