//! The least policy for whoever runs a plan: from what each step kind declares to a document.
//!
//! - `action`: what a kind declares
//! - `text`, `resolve`: its templates, and a plan's arguments put into them
//! - `grant`: what a plan needs, each action on each resource once
//! - `policy`, `bucket`: statements, for the caller and for the bucket between the services
//! - `json`, `terraform`, `cloudformation`: how they are written
//!
//! It calls nothing and reads nothing but the plan.

mod action;
mod bucket;
mod cloudformation;
mod grant;
mod json;
mod place;
mod policy;
mod resolve;
mod terraform;
#[cfg(test)]
mod tests;
mod text;

pub use action::{Action, Foreseen, Given, Guest, Phases, action};
pub use bucket::{BucketPolicy, bucket_policies};
pub use grant::{Declared, Grant, Kind, grants};
pub use place::Place;
pub use policy::{
    LIMIT, Policy, Principal, Statement, key_statement, lever_statement, policies,
    simulator_statement, state_statements,
};

/// How a policy is written down.
pub mod format {
    pub use super::cloudformation::{bucket as cloudformation_bucket, policy as cloudformation};
    pub use super::json::{bucket as json_bucket, policy as json};
    pub use super::terraform::{bucket as terraform_bucket, policy as terraform};
}
