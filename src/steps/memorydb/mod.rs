//! MemoryDB: clusters made from exported files, from snapshots, or empty, and what they need: users, ACLs, groups.

mod cluster;
mod create_acl;
mod create_cluster;
mod create_parameter_group;
mod create_subnet_group;
mod create_user;
mod delete_cluster;
mod failover_shard;
mod made;
mod restore;
mod update_acl;
mod update_cluster;

pub(crate) use create_acl::CreateAcl;
pub(crate) use create_cluster::CreateCluster;
pub(crate) use create_parameter_group::CreateParameterGroup;
pub(crate) use create_subnet_group::CreateSubnetGroup;
pub(crate) use create_user::CreateUser;
pub(crate) use delete_cluster::DeleteCluster;
pub(crate) use failover_shard::FailoverShard;
pub(crate) use made::NAME;
pub(crate) use restore::{Readable, readable};
pub(crate) use update_acl::UpdateAcl;
pub(crate) use update_cluster::UpdateCluster;
