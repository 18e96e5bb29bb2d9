mod answer;
mod call;
mod copy;
mod events;
mod exports;
mod groups;
mod parameters;
pub(crate) mod serverless;
mod settle;
mod snapshots;
pub(crate) mod state;
mod tags;
mod users;
mod windows;

pub(crate) use call::call;
pub(crate) use groups::start as start_group;
pub(crate) use settle::settle;
pub(crate) use snapshots::seed_history;
