//! ElastiCache: snapshots, their export to S3, and who may write; of replication groups and of serverless caches. And what
//! is done to replication groups: made, changed, failed over, deleted.

mod access;
mod arrivals;
mod change;
mod create_replication_group;
mod create_serverless_snapshot;
mod create_snapshot;
mod delete_replication_group;
mod delete_serverless_snapshot;
mod delete_snapshot;
mod export_fleet;
mod export_latest;
mod export_serverless;
mod export_serverless_snapshot;
mod export_snapshot;
mod failover_events;
mod freeze_writes;
mod group;
pub(in crate::steps) mod look;
mod modify_replication_group;
mod recorded;
mod restored;
mod scale_replicas;
mod scale_shards;
mod serverless;
mod snapshot_quota;
mod source;
mod source_checks;
mod test_failover;
mod thaw_writes;
mod upgrade_engine;
mod values;

pub(crate) use create_replication_group::CreateReplicationGroup;
pub(crate) use create_serverless_snapshot::CreateServerlessSnapshot;
pub(crate) use create_snapshot::{
    CreateSnapshot, Prepared as SnapshotIntent, Spec as SnapshotSpec,
};
pub(crate) use delete_replication_group::DeleteReplicationGroup;
pub(crate) use delete_serverless_snapshot::DeleteServerlessSnapshot;
pub(crate) use delete_snapshot::DeleteSnapshot;
pub(crate) use export_fleet::ExportFleet;
pub(crate) use export_latest::ExportLatest;
pub(crate) use export_serverless::ExportServerless;
pub(crate) use export_serverless_snapshot::ExportServerlessSnapshot;
pub(crate) use export_snapshot::ExportSnapshot;
pub(crate) use freeze_writes::FreezeWrites;
pub(crate) use modify_replication_group::ModifyReplicationGroup;
pub(crate) use scale_replicas::ScaleReplicas;
pub(crate) use scale_shards::ScaleShards;
pub(crate) use test_failover::TestFailover;
pub(crate) use thaw_writes::ThawWrites;
pub(crate) use upgrade_engine::UpgradeEngine;
