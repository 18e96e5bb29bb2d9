//! MemoryDB: clusters made from exported files, from snapshots, or empty.

mod cluster;
mod create_cluster;
mod delete_cluster;
mod restore;

pub use create_cluster::CreateCluster;
pub use delete_cluster::DeleteCluster;
