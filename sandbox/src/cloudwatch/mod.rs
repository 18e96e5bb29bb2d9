//! CloudWatch: metrics that the clusters publish or a seed names, points of one's own, alarms, dashboards.

mod alarms;
mod call;
mod dashboards;
mod metrics;
mod put;
pub(crate) mod state;
mod vended;

pub(crate) use call::{TIMES, call};
