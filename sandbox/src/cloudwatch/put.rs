//! PutMetricData: points of one's own.

use serde_json::{Value, json};

use super::call::invalid;
use crate::context::Ctx;
use crate::wire::ApiError;

/// Data of one request (CloudWatch API reference, PutMetricData).
const MOST: usize = 1000;

/// PutMetricData. Namespaces that begin with "AWS/" are AWS's own.
pub(super) fn metric_data(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let namespace = input["Namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        return Err(invalid("The parameter Namespace is required."));
    }
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    let data = input["MetricData"].as_array().map(Vec::as_slice).unwrap_or_default();
    if data.is_empty() || data.len() > MOST {
        return Err(invalid(format!("There must be between 1 and {MOST} MetricData.")));
    }
    let mut points = Vec::new();
    for datum in data {
        let (Some(name), Some(value)) = (datum["MetricName"].as_str(), datum["Value"].as_f64())
        else {
            return Err(invalid("The sandbox takes data with a MetricName and a Value."));
        };
        let dimensions: Value = datum["Dimensions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|d| Some((d["Name"].as_str()?.to_owned(), d["Value"].clone())))
            .collect();
        points.push(json!({
            "namespace": namespace, "metric": name, "value": value, "dimensions": dimensions,
            "unit": datum["Unit"], "at": datum["Timestamp"],
        }));
    }
    ctx.world().cloudwatch.points.extend(points);
    Ok(Value::Null)
}

/// Which series have points, by `namespace/name`. Neither their values nor how many they are:
/// a call whose answer was lost is made again, and values are times.
pub(super) fn describe(points: &[Value]) -> Value {
    let mut all = json!({});
    for point in points {
        let (Some(namespace), Some(metric)) =
            (point["namespace"].as_str(), point["metric"].as_str())
        else {
            continue;
        };
        let series = &mut all[format!("{namespace}/{metric}")];
        if !series.is_array() {
            *series = json!([]);
        }
        if let Some(series) = series.as_array_mut()
            && !series.contains(&point["dimensions"])
        {
            series.push(point["dimensions"].clone());
        }
    }
    all
}
