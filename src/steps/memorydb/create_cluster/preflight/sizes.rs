//! How much memory the source uses, from the best that can be read.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat, ScanBy};
use jiff::Timestamp;

use super::super::{Env, Failure, Op};
use super::fit::Part;
use super::source::Source;
use crate::facts;
use crate::survey::Group;

/// A source's memory by shard, where the figures come from, and of when they are.
pub(super) struct Sizes {
    pub(super) parts: Vec<Part>,
    pub(super) from: String,
    /// Whether it is at most that, rather than about that.
    pub(super) bound: bool,
}

/// How far back the metrics are read: a daily peak of some hours ago counts, one of last week does not.
const HOURS: i64 = 6;
/// Metrics of a node come each minute, kept for five minutes in this resolution for 63 days (CloudWatch user guide).
const PERIOD: i32 = 300;
/// Queries of one request (CloudWatch API reference, GetMetricData).
const QUERIES: usize = 500;
/// ElastiCache's default of `reserved-memory-percent`.
const RESERVED: u64 = 25;

impl Sizes {
    /// The sizes, or why there are none; and what could not be read on the way.
    pub(super) async fn of(
        env: &Env,
        source: &Source,
        now: Timestamp,
    ) -> (Option<Self>, Vec<String>) {
        let mut missed = Vec::new();
        let group = match source {
            Source::Group(group) => group,
            Source::Serverless(name) => {
                return match serverless(env, name, now).await {
                    Ok(sizes @ Some(_)) => (sizes, missed),
                    Ok(None) => (None, vec!["CloudWatch has no data of it".to_owned()]),
                    Err(failure) => {
                        (None, vec![format!("CloudWatch could not be read: {failure}")])
                    }
                };
            }
            Source::Unread(why) => return (None, vec![why.clone()]),
            Source::None => return (None, missed),
        };
        match metrics(env, group, now).await {
            Ok(Some(sizes)) => return (Some(sizes), missed),
            Ok(None) => missed.push("CloudWatch has no data of it".to_owned()),
            Err(failure) => missed.push(format!("CloudWatch could not be read: {failure}")),
        }
        match snapshot(env, group).await {
            Ok(Some(sizes)) => return (Some(sizes), missed),
            Ok(None) => missed.push("no snapshot tells its size".to_owned()),
            Err(failure) => missed.push(format!("its snapshots could not be read: {failure}")),
        }
        let bound = bound(group);
        if bound.is_none() {
            missed.push(format!("no page tells how much memory {} has", group.node_type));
        }
        (bound, missed)
    }
}

fn parts(group: &Group, bytes: impl Iterator<Item = u64>) -> Vec<Part> {
    let shards = group.shards.iter().zip(bytes);
    shards.map(|(shard, bytes)| Part { slots: shard.slots.clone(), bytes }).collect()
}

async fn metrics(env: &Env, group: &Group, now: Timestamp) -> Result<Option<Sizes>, Failure> {
    let nodes = group.shards.iter().flat_map(|shard| &shard.nodes);
    let nodes: Vec<Vec<(&str, &str)>> = nodes
        .map(|node| vec![("CacheClusterId", node.as_str()), ("CacheNodeId", "0001")])
        .collect();
    let found = highest(env, &nodes, now).await?;
    let mut of_node = found.into_iter();
    let mut newest: Option<Timestamp> = None;
    let mut bytes = Vec::new();
    for shard in &group.shards {
        // A shard holds what the fullest of its nodes holds: replicas lag and are being built.
        let mut most: Option<u64> = None;
        for _ in &shard.nodes {
            if let Some((used, at)) = of_node.next().flatten() {
                most = most.max(Some(used));
                newest = newest.max(Some(at));
            }
        }
        match most {
            Some(most) => bytes.push(most),
            None => return Ok(None),
        }
    }
    Ok(newest.map(|newest| Sizes {
        parts: parts(group, bytes.into_iter()),
        from: from_cloudwatch(newest),
        bound: false,
    }))
}

/// The metrics of a serverless cache have the dimension `clusterId` (ElastiCache user guide, serverless metrics).
async fn serverless(env: &Env, name: &str, now: Timestamp) -> Result<Option<Sizes>, Failure> {
    let found = highest(env, &[vec![("clusterId", name)]], now).await?;
    Ok(found.into_iter().next().flatten().map(|(bytes, newest)| Sizes {
        parts: vec![Part { slots: None, bytes }],
        from: from_cloudwatch(newest),
        bound: false,
    }))
}

fn from_cloudwatch(newest: Timestamp) -> String {
    format!(
        "CloudWatch, BytesUsedForCache, the highest of the {HOURS} hours before {}",
        minute(newest)
    )
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The highest value of `BytesUsedForCache` by dimensions, and the newest time at which there is one. No data is nothing,
/// never zero.
async fn highest(
    env: &Env,
    of: &[Vec<(&str, &str)>],
    now: Timestamp,
) -> Result<Vec<Option<(u64, Timestamp)>>, Failure> {
    let start = now - Duration::from_secs(HOURS.unsigned_abs() * 3600);
    let mut found: BTreeMap<String, (f64, i64)> = BTreeMap::new();
    let queries: Vec<MetricDataQuery> = of.iter().enumerate().map(|(i, d)| query(i, d)).collect();
    for some in queries.chunks(QUERIES) {
        let mut token: Option<String> = None;
        loop {
            let request = || {
                let request = env.aws.cloudwatch.get_metric_data();
                let request = request.set_metric_data_queries(Some(some.to_vec()));
                let request = request.start_time(DateTime::from_secs(start.as_second()));
                let request = request.end_time(DateTime::from_secs(now.as_second()));
                request.scan_by(ScanBy::TimestampDescending).set_next_token(token.clone()).send()
            };
            let answer = env.survey.ask(Op::read("CloudWatch", "GetMetricData"), request).await?;
            for result in answer.metric_data_results() {
                let points = result.values().iter().zip(result.timestamps());
                for (value, at) in points.filter(|(value, _)| value.is_finite() && **value >= 0.0) {
                    let id = result.id().unwrap_or_default().to_owned();
                    let seen = found.entry(id).or_insert((*value, at.secs()));
                    *seen = (seen.0.max(*value), seen.1.max(at.secs()));
                }
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above: finite and not negative"
    )]
    let value = |(value, at): (f64, i64)| Some((value as u64, Timestamp::from_second(at).ok()?));
    Ok((0..of.len()).map(|i| found.get(&format!("n{i}")).copied().and_then(value)).collect())
}

fn query(index: usize, dimensions: &[(&str, &str)]) -> MetricDataQuery {
    let dimension =
        |(name, value): &(&str, &str)| Dimension::builder().name(*name).value(*value).build();
    let metric = Metric::builder()
        .namespace("AWS/ElastiCache")
        .metric_name("BytesUsedForCache")
        .set_dimensions(Some(dimensions.iter().map(dimension).collect()));
    let stat = MetricStat::builder().metric(metric.build()).period(PERIOD).stat("Maximum");
    MetricDataQuery::builder().id(format!("n{index}")).metric_stat(stat.build()).build()
}

/// The newest snapshot that tells the size of each shard.
async fn snapshot(env: &Env, group: &Group) -> Result<Option<Sizes>, Failure> {
    let taken = env.survey.snapshots(&group.id).await?;
    let tells = |bytes: &[u64]| bytes.len() == group.shards.len() && bytes.iter().all(|b| *b > 0);
    Ok(taken.iter().find(|t| t.status == "available" && tells(&t.shard_bytes)).map(|taken| {
        let at = taken.at.map(|at| format!(" of {}", minute(at))).unwrap_or_default();
        Sizes {
            parts: parts(group, taken.shard_bytes.iter().copied()),
            from: format!("snapshot \"{}\"{at}", taken.name),
            bound: false,
        }
    }))
}

/// What the source's nodes can hold at most.
fn bound(group: &Group) -> Option<Sizes> {
    let memory = facts::node_memory(&group.node_type)? * (100 - RESERVED) / 100;
    Some(Sizes {
        parts: parts(group, std::iter::repeat(memory)),
        from: format!("what {} nodes hold with {RESERVED} % reserved", group.node_type),
        bound: true,
    })
}
