mod answer;
mod call;
mod copy;
mod events;
mod exports;
mod groups;
pub(crate) mod serverless;
mod settle;
mod snapshots;
pub(crate) mod state;
mod tags;
mod users;

pub(crate) use call::call;
pub(crate) use groups::start as start_group;
pub(crate) use settle::settle;
