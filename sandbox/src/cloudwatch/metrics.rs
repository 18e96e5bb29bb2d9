//! GetMetricData: each period is told from the value at each of its minutes.

use serde_json::{Value, json};

use super::call::invalid;
use super::vended;
use crate::context::Ctx;
use crate::wire::ApiError;

/// Queries and data points of one request (CloudWatch API reference, GetMetricData).
const QUERIES: usize = 500;
const POINTS: usize = 100_800;
/// The finest resolution of what AWS services publish, in seconds.
const MINUTE: u64 = 60;

/// What a metric shows over time.
pub(super) enum Shown {
    /// The same at each moment since then, in seconds.
    Always(f64, f64),
    /// From each moment on this; nothing where there is none.
    Steps(Vec<(f64, Option<f64>)>),
}

impl Shown {
    fn at(&self, second: f64) -> Option<f64> {
        match self {
            Self::Always(value, since) => (second >= *since).then_some(*value),
            Self::Steps(steps) => steps.iter().rev().find(|(from, _)| *from <= second)?.1,
        }
    }

    /// What one period shows of it, whose minutes begin at `from` and end before `until`.
    fn period(&self, from: u64, until: u64, statistic: &str) -> Option<f64> {
        let minutes = (from..until).step_by(MINUTE as usize);
        let mut samples: Vec<f64> = minutes.filter_map(|at| self.at(at as f64)).collect();
        samples.sort_by(f64::total_cmp);
        let (first, last) = (*samples.first()?, *samples.last()?);
        let sum = samples.iter().sum::<f64>();
        Some(match statistic {
            "Minimum" => first,
            "Sum" => sum,
            "SampleCount" => samples.len() as f64,
            "Average" => sum / samples.len() as f64,
            percentile if percentile.starts_with('p') => {
                let of = percentile[1..].parse::<f64>().unwrap_or(100.0) / 100.0;
                let index = (of * samples.len() as f64).ceil() as usize;
                samples[index.clamp(1, samples.len()) - 1]
            }
            _ => last,
        })
    }
}

pub(super) async fn data(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
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
        let period = stat["Period"].as_u64().filter(|period| *period > 0 && period % MINUTE == 0);
        let Some(period) = period else {
            return Err(invalid("Period must be a multiple of 60."));
        };
        let statistic = stat["Stat"].as_str().unwrap_or_default();
        if !known(statistic) {
            return Err(invalid(format!("The value {statistic} for parameter Stat is invalid.")));
        }
        let shown = shown(ctx, &stat["Metric"]).await;
        let mut points: Vec<(u64, f64)> = Vec::new();
        if let Some(shown) = shown {
            let now = ctx.now.as_second() as f64;
            let first = (start / period as f64).ceil() as u64 * period;
            let end = end.min(now);
            let begins = (first..).step_by(period as usize).take_while(|at| (*at as f64) < end);
            // A period that has not ended shows the minutes that have.
            let until = |at: u64| (at + period).min(now as u64 + 1);
            points.extend(
                begins
                    .take(POINTS)
                    .filter_map(|at| Some((at, shown.period(at, until(at), statistic)?))),
            );
        }
        if !ascending {
            points.reverse();
        }
        let (times, values): (Vec<u64>, Vec<f64>) = points.into_iter().unzip();
        results.push(json!({
            "Id": id,
            "Label": stat["Metric"]["MetricName"],
            "Values": values,
            "Timestamps": times,
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": []}))
}

/// The statistics of the user guide, as far as they are used: the simple ones and percentiles.
pub(super) fn known(statistic: &str) -> bool {
    let percentile = statistic.strip_prefix('p').and_then(|of| of.parse::<f64>().ok());
    ["Average", "Minimum", "Maximum", "Sum", "SampleCount"].contains(&statistic)
        || percentile.is_some_and(|of| (0.0..=100.0).contains(&of))
}

/// What a metric shows: what a seed says of exactly these dimensions, else what a cluster publishes; nothing for what
/// CloudWatch does not know.
async fn shown(ctx: &Ctx, metric: &Value) -> Option<Shown> {
    let namespace = metric["Namespace"].as_str()?;
    let name = metric["MetricName"].as_str()?;
    let dimensions = metric["Dimensions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut dimensions: Vec<(String, String)> = dimensions
        .iter()
        .filter_map(|d| Some((d["Name"].as_str()?.to_owned(), d["Value"].as_str()?.to_owned())))
        .collect();
    dimensions.sort();
    if let Some(series) = ctx.world().cloudwatch.series(namespace, name, &dimensions) {
        return Some(Shown::Steps(series.to_vec()));
    }
    let (value, since) = vended::value(ctx, namespace, name, &dimensions).await?;
    Some(Shown::Always(value, since))
}
