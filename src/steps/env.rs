//! What steps act with: AWS clients, the caller's identity, and the way to Redis itself.

use std::rc::Rc;

use super::page::Page;
use super::redis::DataPlane;
use crate::aws::{Clients, Identity};
use crate::engine::Clock;
use crate::survey::Survey;

/// What steps act with.
pub struct Env {
    /// The SDK clients.
    pub aws: Clients,
    /// Who we are and where.
    pub identity: Identity,
    /// The way to Redis and Valkey servers.
    pub data: Rc<dyn DataPlane>,
    /// What is there already; for checks before a run, never during one: it remembers what it read.
    pub survey: Survey,
    /// Manual ElastiCache snapshots, for those who wait for one.
    pub(crate) snapshots: Page<aws_sdk_elasticache::types::Snapshot>,
    /// Automatic ElastiCache snapshots, likewise.
    pub(crate) automatic_snapshots: Page<aws_sdk_elasticache::types::Snapshot>,
    /// MemoryDB snapshots, likewise.
    pub(crate) memorydb_snapshots: Page<aws_sdk_memorydb::types::Snapshot>,
    /// Snapshots of serverless caches, likewise.
    pub(crate) serverless_snapshots: Page<aws_sdk_elasticache::types::ServerlessCacheSnapshot>,
    /// MemoryDB clusters, likewise.
    pub(crate) clusters: Page<aws_sdk_memorydb::types::Cluster>,
}

impl Env {
    /// What steps of one process act with.
    #[must_use]
    pub fn new(aws: Clients, identity: Identity, data: Rc<dyn DataPlane>, clock: &Clock) -> Self {
        Self {
            survey: Survey::new(aws.clone(), clock.clone()),
            aws,
            identity,
            data,
            snapshots: Page::default(),
            automatic_snapshots: Page::default(),
            memorydb_snapshots: Page::default(),
            serverless_snapshots: Page::default(),
            clusters: Page::default(),
        }
    }
}
