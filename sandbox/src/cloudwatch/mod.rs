//! CloudWatch: metrics that the clusters publish or a seed names, alarms, dashboards.

mod alarms;
mod call;
mod dashboards;
mod metrics;
pub(crate) mod state;
mod vended;

pub(crate) use call::{TIMES, call};
