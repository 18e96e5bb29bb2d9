//! CloudWatch: points that a run leaves there.

mod put_metric;

pub(crate) use put_metric::PutMetric;
