//! What is inside the clusters: real servers on the loopback address, or a model of them in memory.

mod acl;
mod cluster;
mod config;
mod error;
mod fill;
mod model;
mod node;
mod plane;
mod ports;
mod process;
mod program;
pub(crate) mod rdb;
mod real;
mod reshard;
mod restore;
mod slots;
mod snapshot;
mod spec;
mod stand_in;
mod takeover;
mod tls;
mod value;
mod write;

pub use cluster::Cluster;
pub use error::DataError;
pub use model::{Model, ModelEntry, ModelShard};
pub use plane::{DataPlane, PlaneKind, ServerPolicy};
pub(crate) use rdb::stated_memory;
pub(crate) use slots::ids as slot_ids;
pub use slots::slot_of;
pub use spec::{AclUser, ClusterSpec, Fill, Pretence, ShardInfo, ShardSnapshot};
pub use stand_in::EngineVersion;
