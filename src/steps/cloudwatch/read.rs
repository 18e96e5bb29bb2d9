//! Reading metrics: many in one request.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, Dimension, Metric as Named, MetricAlarm, MetricDataQuery, MetricStat, ScanBy,
    StateValue,
};
use jiff::Timestamp;

use super::metric::{Metric, period};
use crate::aws::{Clients, Op, call};
use crate::engine::{Class, Failure};

pub(super) const SERVICE: &str = "CloudWatch";
/// Queries of one request (CloudWatch API reference, GetMetricData).
const QUERIES: usize = 500;
/// Names of one request (CloudWatch API reference, DescribeAlarms).
const ALARMS: usize = 100;

/// The data points of each metric in the window that ends now, in the order of `metrics`, newest first.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn points(
    aws: &Clients,
    metrics: &[&Metric],
    window: Duration,
    now: Timestamp,
) -> Result<Vec<Vec<f64>>, Failure> {
    let period = period(window).as_secs();
    // Whole periods: one that has just begun shows less than it will.
    let end = now.as_second() - now.as_second().rem_euclid(i64::try_from(period).unwrap_or(60));
    let start = end - i64::try_from(window.as_secs()).unwrap_or(i64::MAX / 2);
    let queries: Vec<MetricDataQuery> =
        metrics.iter().enumerate().map(|(index, metric)| query(index, metric, period)).collect();
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for some in queries.chunks(QUERIES) {
        let mut token: Option<String> = None;
        loop {
            let request = aws
                .cloudwatch
                .get_metric_data()
                .set_metric_data_queries(Some(some.to_vec()))
                .start_time(DateTime::from_secs(start))
                .end_time(DateTime::from_secs(end))
                .scan_by(ScanBy::TimestampDescending)
                .set_next_token(token);
            let answer = call(Op::read(SERVICE, "GetMetricData"), request.send()).await?;
            for result in answer.metric_data_results() {
                let id = result.id().unwrap_or_default().to_owned();
                found.entry(id).or_default().extend(result.values());
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
    }
    Ok((0..metrics.len()).map(|index| found.remove(&id(index)).unwrap_or_default()).collect())
}

fn id(index: usize) -> String {
    format!("m{index}")
}

fn query(index: usize, metric: &Metric, period: u64) -> MetricDataQuery {
    let dimension =
        |(name, value): (&String, &String)| Dimension::builder().name(name).value(value).build();
    let named = Named::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .build();
    let period = i32::try_from(period).unwrap_or(i32::MAX);
    let stat = MetricStat::builder().metric(named).period(period).stat(&metric.statistic).build();
    MetricDataQuery::builder().id(id(index)).metric_stat(stat).build()
}

/// The nodes of a replication group: what its metrics are published by.
///
/// # Errors
/// As `aws::call`; `NotFound` if there is no such group.
pub(super) async fn nodes(aws: &Clients, group: &str) -> Result<Vec<String>, Failure> {
    let request = aws.elasticache.describe_replication_groups().replication_group_id(group);
    let answer = call(Op::read("ElastiCache", "DescribeReplicationGroups"), request.send()).await?;
    let found = answer.replication_groups.unwrap_or_default().into_iter().next();
    let nodes = found.and_then(|group| group.member_clusters).unwrap_or_default();
    if nodes.is_empty() {
        let message = format!("replication group \"{group}\" shows no nodes");
        return Err(Failure::new(Class::NotFound, message));
    }
    Ok(nodes)
}

/// Those of the alarms on metrics that are there.
///
/// # Errors
/// As `aws::call`.
pub(crate) async fn alarms(aws: &Clients, names: &[String]) -> Result<Vec<MetricAlarm>, Failure> {
    let pages = described(aws, names, &[AlarmType::MetricAlarm]).await?;
    Ok(pages.into_iter().flat_map(|page| page.metric_alarms.unwrap_or_default()).collect())
}

/// An alarm, on a metric or composite: its state, and the reason of that.
pub(super) struct AlarmState {
    pub(super) name: String,
    pub(super) state: Option<StateValue>,
    pub(super) reason: String,
}

/// The states of those of the alarms that are there, composite ones too.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn states(aws: &Clients, names: &[String]) -> Result<Vec<AlarmState>, Failure> {
    let mut all = Vec::new();
    // Without types, alarms on metrics alone are told (CloudWatch API reference, DescribeAlarms).
    let types = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
    for page in described(aws, names, &types).await? {
        all.extend(page.metric_alarms.unwrap_or_default().into_iter().map(|alarm| AlarmState {
            name: alarm.alarm_name.unwrap_or_default(),
            state: alarm.state_value,
            reason: alarm.state_reason.unwrap_or_default(),
        }));
        all.extend(page.composite_alarms.unwrap_or_default().into_iter().map(|alarm| AlarmState {
            name: alarm.alarm_name.unwrap_or_default(),
            state: alarm.state_value,
            reason: alarm.state_reason.unwrap_or_default(),
        }));
    }
    Ok(all)
}

async fn described(
    aws: &Clients,
    names: &[String],
    types: &[AlarmType],
) -> Result<Vec<DescribeAlarmsOutput>, Failure> {
    let mut pages = Vec::new();
    for some in names.chunks(ALARMS) {
        let request = aws.cloudwatch.describe_alarms().set_alarm_names(Some(some.to_vec()));
        let request = request.set_alarm_types(Some(types.to_vec()));
        let request = request.max_records(i32::try_from(ALARMS).unwrap_or(100));
        pages.push(call(Op::read(SERVICE, "DescribeAlarms"), request.send()).await?);
    }
    Ok(pages)
}
