mod access;
mod answer;
mod call;
mod catalog;
mod clusters;
mod create;
mod events;
mod groups;
mod parameters;
mod settle;
mod snapshots;
pub(crate) mod state;
mod tags;

pub(crate) use call::call;
pub(crate) use catalog::default_group_of;
pub(crate) use settle::settle;
pub(crate) use snapshots::seed_automatic;
