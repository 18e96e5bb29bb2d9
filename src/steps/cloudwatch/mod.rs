//! CloudWatch: gates on metrics, points that a run leaves there, alarms, dashboards, and the guards of a run.

pub mod guard;
mod metric;
mod metric_gate;
mod put_alarms;
mod put_dashboard;
mod put_metric;
mod put_metric_if_undone;
mod read;
mod settings;

pub(crate) use metric_gate::MetricGate;
pub(crate) use put_alarms::PutAlarms;
pub(crate) use put_dashboard::PutDashboard;
pub(crate) use put_metric::PutMetric;
pub(crate) use put_metric_if_undone::PutMetricIfUndone;
