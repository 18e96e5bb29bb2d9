//! What AWS's pages and the engines' sources say, as tables: pure, dated by their sources, and consulted where no API
//! tells.

mod access;
mod engines;
mod metrics;
mod node_types;
mod parameters;

pub use access::{Access, without_forbidden};
pub use engines::{RdbHead, newest_readable, written_by};
pub use metrics::{ELASTICACHE, MEMORYDB, Misfit, fits as metric_fits};
pub use node_types::{
    Fit, NodeType, memorydb_counterpart, memorydb_node_type, memorydb_node_types, node_memory,
};
pub use parameters::{
    Carried, Difference, Dropped, EVICTION, carried, default_parameter_group, differences,
    family_of,
};
