//! MemoryDB: clusters made from exported files, from snapshots, or empty; their snapshots, and the way of these to S3; and
//! what clusters need: users, ACLs, groups.

mod cluster;
mod copy_snapshot;
mod create_acl;
mod create_cluster;
mod create_parameter_group;
mod create_snapshot;
mod create_subnet_group;
mod create_user;
mod delete_cluster;
mod delete_snapshot;
mod export_snapshot;
mod failover_shard;
mod made;
mod restore;
pub(in crate::steps) mod snapshots;
mod update_acl;
mod update_cluster;

pub(in crate::steps) use cluster::reason;
pub(crate) use copy_snapshot::CopySnapshot;
pub(crate) use create_acl::CreateAcl;
pub(crate) use create_cluster::CreateCluster;
pub(crate) use create_parameter_group::CreateParameterGroup;
pub(in crate::steps) use create_snapshot::at_rest;
pub(crate) use create_snapshot::{
    CreateSnapshot, Prepared as SnapshotIntent, Spec as SnapshotSpec,
};
pub(crate) use create_subnet_group::CreateSubnetGroup;
pub(crate) use create_user::CreateUser;
pub(crate) use delete_cluster::DeleteCluster;
pub(crate) use delete_snapshot::DeleteSnapshot;
pub(crate) use export_snapshot::ExportSnapshot;
pub(crate) use failover_shard::FailoverShard;
pub(crate) use made::NAME;
pub(crate) use restore::{Readable, readable};
pub(crate) use update_acl::UpdateAcl;
pub(crate) use update_cluster::UpdateCluster;
