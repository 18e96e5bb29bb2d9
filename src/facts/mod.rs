//! What AWS's pages and the engines' sources say, as tables: pure, dated by their sources, and consulted where no API
//! tells.

mod engines;
mod node_types;

pub use engines::{RdbHead, newest_readable, written_by};
pub use node_types::{Fit, NodeType, memorydb_counterpart, memorydb_node_type, node_memory};
