//! What a bucket policy says about an AWS service that reads or writes the bucket.

use serde_json::Value;

use super::condition;
use crate::iam::wildcard;

/// The answer of a bucket policy to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement says anything that applies.
    NotGranted,
    /// A statement denies it; nothing can allow it any more.
    Denied,
}

/// Asks `policy_json` whether the service `principal_service`
/// (`us-east-1.elasticache-snapshot.amazonaws.com`) may do `action` (`s3:GetBucketAcl`) on
/// `resource_arn`.
///
/// `account` is the one that the service calls for. A text that is no policy grants nothing.
pub(crate) fn policy_allows(
    policy_json: &str,
    principal_service: &str,
    account: &str,
    action: &str,
    resource_arn: &str,
) -> Verdict {
    let Ok(policy) = serde_json::from_str::<Value>(policy_json) else {
        return Verdict::NotGranted;
    };
    let mut verdict = Verdict::NotGranted;
    for statement in one_or_many(policy.get("Statement")) {
        if !statement_applies(statement, principal_service, action, resource_arn) {
            continue;
        }
        if !condition::hold(statement, principal_service, account) {
            continue;
        }
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") => return Verdict::Denied,
            Some("Allow") => verdict = Verdict::Allowed,
            _ => {}
        }
    }
    verdict
}

fn statement_applies(statement: &Value, service: &str, action: &str, resource: &str) -> bool {
    let principal = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(principal), _) => principal_matches(principal, service),
        (None, Some(principal)) => !principal_matches(principal, service),
        (None, None) => false,
    };
    let listed = |name: &str, negated: &str, value: &str, fold_case: bool| {
        let any = |key| strings(statement.get(key)).any(|p| wildcard(p, value, fold_case));
        if statement.get(name).is_some() {
            any(name)
        } else {
            statement.get(negated).is_some() && !any(negated)
        }
    };
    principal
        && listed("Action", "NotAction", action, true)
        && listed("Resource", "NotResource", resource, false)
}

fn principal_matches(principal: &Value, service: &str) -> bool {
    match principal {
        Value::String(all) => all == "*",
        Value::Object(kinds) => {
            strings(kinds.get("Service")).any(|p| p == "*" || p == service)
                || strings(kinds.get("AWS")).any(|p| p == "*")
        }
        _ => false,
    }
}

/// Policy documents write a list of one as the thing itself.
pub(super) fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(items)) => items.iter(),
        Some(single) => std::slice::from_ref(single).iter(),
        None => [].iter(),
    }
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    one_or_many(value).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "us-east-1.elasticache-snapshot.amazonaws.com";

    #[track_caller]
    fn ask(statements: &Value, expected: Verdict) {
        let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statements });
        let found = policy_allows(
            &policy.to_string(),
            SERVICE,
            "123456789012",
            "s3:PutObject",
            "arn:aws:s3:::b/k-0001.rdb",
        );
        assert_eq!(found, expected, "{policy}");
    }

    fn with(extra: &Value) -> Value {
        let mut statement = serde_json::json!({
            "Effect": "Allow",
            "Principal": { "Service": SERVICE },
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            statement[key] = value.clone();
        }
        statement
    }

    #[test]
    fn an_allow_for_the_service_the_action_and_the_object_grants() {
        ask(&with(&serde_json::json!({})), Verdict::Allowed);
        ask(&serde_json::json!([with(&serde_json::json!({}))]), Verdict::Allowed);
        ask(
            &with(&serde_json::json!({ "Principal": { "Service": ["x", SERVICE] } })),
            Verdict::Allowed,
        );
        ask(&with(&serde_json::json!({ "Principal": "*" })), Verdict::Allowed);
        ask(&with(&serde_json::json!({ "Action": "s3:put*" })), Verdict::Allowed);
        ask(&with(&serde_json::json!({ "Resource": "arn:aws:s3:::b/?-0*.rdb" })), Verdict::Allowed);
    }

    #[test]
    fn another_service_action_or_resource_is_not_granted() {
        let other = "eu-west-1.elasticache-snapshot.amazonaws.com";
        ask(&with(&serde_json::json!({ "Principal": { "Service": other } })), Verdict::NotGranted);
        ask(&with(&serde_json::json!({ "Action": "s3:GetObject" })), Verdict::NotGranted);
        ask(&with(&serde_json::json!({ "Resource": "arn:aws:s3:::b" })), Verdict::NotGranted);
        ask(
            &with(&serde_json::json!({ "NotAction": "s3:PutObject", "Action": [] })),
            Verdict::NotGranted,
        );
        assert_eq!(policy_allows("{", SERVICE, "1", "s3:PutObject", "x"), Verdict::NotGranted);
    }

    #[test]
    fn a_deny_wins_over_any_allow() {
        let deny = with(&serde_json::json!({ "Effect": "Deny", "Principal": "*" }));
        ask(&serde_json::json!([deny, with(&serde_json::json!({}))]), Verdict::Denied);
        ask(&serde_json::json!([with(&serde_json::json!({})), deny]), Verdict::Denied);
    }

    #[test]
    fn a_deny_of_plain_http_does_not_touch_a_service() {
        let condition = serde_json::json!({ "Bool": { "aws:SecureTransport": "false" } });
        let deny = with(
            &serde_json::json!({ "Effect": "Deny", "Principal": "*", "Condition": condition }),
        );
        ask(&serde_json::json!([deny, with(&serde_json::json!({}))]), Verdict::Allowed);
    }

    #[test]
    fn any_other_conditional_deny_blocks_a_service() {
        let condition = serde_json::json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } });
        let deny = with(
            &serde_json::json!({ "Effect": "Deny", "Principal": "*", "Condition": condition }),
        );
        ask(&serde_json::json!([deny, with(&serde_json::json!({}))]), Verdict::Denied);
    }

    #[test]
    fn a_deny_that_exempts_services_does_not_touch_one() {
        let condition = serde_json::json!({
            "StringNotEquals": { "aws:PrincipalOrgID": "o-1" },
            "Bool": { "aws:PrincipalIsAWSService": "false" },
        });
        let deny = with(
            &serde_json::json!({ "Effect": "Deny", "Principal": "*", "Condition": condition }),
        );
        ask(&serde_json::json!([deny, with(&serde_json::json!({}))]), Verdict::Allowed);
        let kms = serde_json::json!({ "StringNotEquals": { "s3:x-amz-server-side-encryption": "aws:kms" } });
        let deny =
            with(&serde_json::json!({ "Effect": "Deny", "Principal": "*", "Condition": kms }));
        ask(&serde_json::json!([deny, with(&serde_json::json!({}))]), Verdict::Denied);
    }

    #[test]
    fn an_allow_under_a_condition_counts_only_where_the_service_meets_it() {
        let account =
            serde_json::json!({ "StringEquals": { "aws:SourceAccount": "123456789012" } });
        ask(&with(&serde_json::json!({ "Condition": account })), Verdict::Allowed);
        let vpce = serde_json::json!({ "StringEquals": { "aws:SourceVpce": "vpce-1" } });
        ask(&with(&serde_json::json!({ "Condition": vpce })), Verdict::NotGranted);
    }
}
