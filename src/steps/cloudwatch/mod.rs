//! CloudWatch: gates on metrics.

mod metric;
mod metric_gate;
mod read;

pub(crate) use metric_gate::MetricGate;
