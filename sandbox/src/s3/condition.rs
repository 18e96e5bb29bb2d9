//! The `Condition` of a statement, for a service of AWS that calls by itself (IAM user guide, condition operators and
//! global condition keys).

use serde_json::Value;

use super::policy::one_or_many;
use crate::iam::wildcard;

/// Whether all conditions of a statement hold for a call by the service `service` for `account`.
///
/// The service calls over TLS, by no VPC endpoint, from no organization, without a second factor; it asks for no
/// encryption when it writes.
pub(super) fn hold(statement: &Value, service: &str, account: &str) -> bool {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    let mut conditions = operators.flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
    });
    conditions.all(|(operator, key, values)| {
        let value = carried(&key.to_lowercase(), service, account);
        let wanted: Vec<String> = one_or_many(Some(values))
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        met(operator, value.as_deref(), &wanted)
    })
}

fn carried(key: &str, service: &str, account: &str) -> Option<String> {
    Some(match key {
        "aws:securetransport" | "aws:principalisawsservice" => "true".to_owned(),
        "aws:viaawsservice" => "false".to_owned(),
        "aws:principalservicename" => service.to_owned(),
        "aws:sourceaccount" => account.to_owned(),
        "aws:sourceip" => "198.51.100.7".to_owned(),
        "aws:sourcearn" => format!("arn:aws:elasticache:us-east-1:{account}:snapshot:any"),
        _ => return None,
    })
}

fn met(operator: &str, value: Option<&str>, wanted: &[String]) -> bool {
    let operator = operator.rsplit(':').next().unwrap_or(operator);
    if operator == "Null" {
        return wanted.iter().any(|w| (w == "true") == value.is_none());
    }
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let negated = operator.contains("Not");
    let Some(value) = value else { return negated || if_exists };
    let fits = |wanted: &String| match operator.replace("Not", "").as_str() {
        "StringLike" | "ArnLike" | "ArnEquals" => wildcard(wanted, value, false),
        "Bool" | "StringEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(value),
        // Nobody's own addresses are AWS's.
        "IpAddress" => wanted == "0.0.0.0/0",
        _ => wanted == value,
    };
    wanted.iter().any(fits) != negated
}
