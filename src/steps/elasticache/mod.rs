//! ElastiCache: snapshots, their export to S3, and who may write.

mod access;
mod create_snapshot;
mod delete_snapshot;
mod export_snapshot;
mod freeze_writes;
mod landing;
mod look;
mod thaw_writes;

pub use create_snapshot::CreateSnapshot;
pub use delete_snapshot::DeleteSnapshot;
pub use export_snapshot::ExportSnapshot;
pub use freeze_writes::FreezeWrites;
pub use thaw_writes::ThawWrites;
