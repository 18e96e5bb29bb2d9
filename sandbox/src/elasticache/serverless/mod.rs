//! ElastiCache Serverless: caches that are there from the seed, their snapshots, and the exports of these.

mod answer;
mod caches;
mod settle;
mod snapshots;
pub(crate) mod state;

pub(crate) use caches::start;
pub(super) use caches::{describe as describe_caches, not_found as no_cache};
pub(super) use settle::{export_over, settle};
pub(super) use snapshots::{
    create, delete, describe as describe_snapshots, export, not_found as no_snapshot,
};
pub(super) use state::describe;
