//! CloudWatch: gates on metrics, alarms, dashboards, and the guards of a run.

pub mod guard;
mod metric;
mod metric_gate;
mod put_alarms;
mod put_dashboard;
mod read;
mod settings;

pub(crate) use metric_gate::MetricGate;
pub(crate) use put_alarms::PutAlarms;
pub(crate) use put_dashboard::PutDashboard;
