//! Moves, exports and operates Redis data on AWS by playbook.
//!
//! Data flows one way: `playbook` (text to tree), `plan` (tree to plan), then the parts that act.

pub mod plan;
pub mod playbook;
