mod access;
mod answer;
mod call;
mod catalog;
mod changes;
mod clusters;
mod create;
mod events;
mod groups;
mod parameters;
mod settle;
mod snapshots;
pub(crate) mod state;
mod tags;
mod update;

pub(crate) use call::call;
pub(crate) use catalog::{default_group_of, node_memory};
pub(crate) use settle::settle;
