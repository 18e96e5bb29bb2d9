//! MemoryDB: clusters made from exported files, from snapshots, or empty.

mod cluster;
mod create_cluster;
mod delete_cluster;
mod restore;

pub(crate) use create_cluster::CreateCluster;
pub(crate) use delete_cluster::DeleteCluster;
pub(crate) use restore::{Readable, readable};
