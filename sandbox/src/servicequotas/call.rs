use serde_json::{Value, json};

use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

/// Answers one operation of this service: JSON members in, JSON members out.
pub(crate) fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    let quotas = quotas(ctx, input["ServiceCode"].as_str().unwrap_or_default())?;
    match operation {
        "ListServiceQuotas" => {
            let size = input["MaxResults"].as_u64().unwrap_or(100).clamp(1, 100) as usize;
            let Some((items, next)) = names::page(quotas, input["NextToken"].as_str(), size) else {
                return Err(ApiError::bad("InvalidPaginationTokenException", "Invalid NextToken"));
            };
            let mut answer = json!({ "Quotas": items });
            if let Some(next) = next {
                answer["NextToken"] = json!(next);
            }
            Ok(answer)
        }
        "GetServiceQuota" => {
            let code = input["QuotaCode"].as_str().unwrap_or_default();
            let found = quotas.into_iter().find(|quota| quota["QuotaCode"] == code);
            let found = found.ok_or_else(|| {
                no_such("The request failed because the specified quota does not exist.")
            })?;
            Ok(json!({"Quota": found}))
        }
        other => Err(ApiError::unknown_operation(other)),
    }
}

fn no_such(message: &str) -> ApiError {
    ApiError::bad("NoSuchResourceException", message)
}

/// The names are those of the developer guide, quotas. No page lists their codes: these are made up.
fn quotas(ctx: &Ctx, service: &str) -> Result<Vec<Value>, ApiError> {
    if service != "memorydb" {
        return Err(no_such("The request failed because the specified service does not exist."));
    }
    let quotas = ctx.world().memorydb.quotas;
    let quota = |(name, code, value): (&str, &str, u64)| {
        json!({
            "ServiceCode": service,
            "ServiceName": "Amazon MemoryDB",
            "QuotaArn": format!(
                "arn:aws:servicequotas:{}:{}:{service}/{code}", ctx.region(), ctx.account()
            ),
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value as f64,
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
            "QuotaAppliedAtLevel": "ACCOUNT",
        })
    };
    Ok([
        ("Nodes per Region", "L-5A4DB001", quotas.nodes_per_region),
        (
            "Nodes per cluster (Redis OSS cluster mode enabled)",
            "L-5A4DB002",
            quotas.nodes_per_cluster,
        ),
        ("Parameter groups per Region", "L-5A4DB003", 300),
        ("Subnet groups per Region", "L-5A4DB004", 300),
    ]
    .map(quota)
    .to_vec())
}
