//! What is inside the clusters: real servers, or a model when there are none.

mod plane;

pub use plane::{
    AclUser, Cluster, ClusterSpec, DataError, DataPlane, Fill, Model, PlaneKind, ServerPolicy,
    ShardInfo, ShardSnapshot,
};
