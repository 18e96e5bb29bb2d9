use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::Ctx;
use crate::data::Cluster;
use crate::wire::ApiError;

/// The members that hold times.
pub(crate) const TIMES: &[&str] = &["Timestamps"];
/// Queries and data points of one request (CloudWatch API reference, GetMetricData).
const QUERIES: usize = 500;
const POINTS: u64 = 100_800;

/// Answers one operation of this service.
pub(crate) async fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetMetricData" => metric_data(ctx, input).await,
        "PutMetricData" => super::put::metric_data(ctx, input),
        other => Err(ApiError::unknown_operation(other)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationError", message)
}

async fn metric_data(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let time = |name: &str| {
        let seconds = input[name].as_f64();
        seconds.ok_or_else(|| invalid(format!("The parameter {name} is required.")))
    };
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let queries = input["MetricDataQueries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if queries.is_empty() || queries.len() > QUERIES {
        return Err(invalid(format!("There must be between 1 and {QUERIES} MetricDataQueries.")));
    }
    let ascending = input["ScanBy"] == "TimestampAscending";
    let mut results = Vec::new();
    for query in queries {
        let id = query["Id"].as_str().unwrap_or_default();
        let stat = &query["MetricStat"];
        if id.is_empty() || !stat.is_object() {
            return Err(invalid("Each query needs an Id, and the sandbox knows MetricStat only."));
        }
        let period = stat["Period"].as_u64().filter(|period| *period > 0 && period % 60 == 0);
        let Some(period) = period else {
            return Err(invalid("Period must be a multiple of 60."));
        };
        let shown = shown(ctx, &stat["Metric"]).await;
        let mut times: Vec<u64> = Vec::new();
        if let Some((_, since)) = shown {
            let first = (start.max(since) / period as f64).ceil() as u64 * period;
            let end = end.min(ctx.now.as_second() as f64);
            times.extend((first..).step_by(period as usize).take_while(|at| (*at as f64) < end));
            times.truncate(POINTS as usize);
        }
        if !ascending {
            times.reverse();
        }
        let value = shown.map_or(0.0, |(value, _)| value as f64);
        results.push(json!({
            "Id": id,
            "Label": stat["Metric"]["MetricName"],
            "Values": vec![value; times.len()],
            "Timestamps": times,
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": []}))
}

/// What a metric shows, the same at each moment, and since when; nothing for what CloudWatch does not know.
async fn shown(ctx: &Ctx, metric: &Value) -> Option<(u64, f64)> {
    if metric["Namespace"] != "AWS/ElastiCache" || metric["MetricName"] != "BytesUsedForCache" {
        return None;
    }
    let dimension = |name: &str| {
        let all = metric["Dimensions"].as_array()?;
        all.iter().find(|d| d["Name"] == name)?["Value"].as_str().map(str::to_owned)
    };
    if let Some(cache) = dimension("clusterId") {
        // A serverless cache is one to its user (ElastiCache user guide, serverless metrics). What there is was seeded,
        // and is taken to have been there for long.
        let cluster = ctx.world().elasticache.caches.get(&cache)?.cluster.clone()?;
        return Some((cluster.used_memory().await.ok()?.into_iter().sum(), 0.0));
    }
    let node = dimension("CacheClusterId")?;
    if dimension("CacheNodeId").is_some_and(|id| id != "0001") {
        return None;
    }
    let (cluster, shard, since): (Cluster, usize, Timestamp) = {
        let world = ctx.world();
        let group = world.elasticache.groups.values().find(|g| g.all_members().contains(&node))?;
        let shard = group.shards.iter().position(|shard| group.members(shard).contains(&node))?;
        (group.cluster.clone()?, shard, group.metrics_since?)
    };
    let used = cluster.used_memory().await.ok()?;
    Some((*used.get(shard)?, since.as_second() as f64))
}
