//! The `Condition` of a statement, as far as it can be weighed without the request (IAM user guide, condition operators
//! and global condition keys).

use serde_json::Value;

use super::policy::{many, matches};

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holds {
    No,
    /// It depends on what only the request tells.
    Perhaps,
    Yes,
}

/// What is known of a condition key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The request carries it, with this value.
    Is(String),
    /// The request does not carry it.
    Absent,
    /// Nobody can tell beforehand.
    No,
}

/// Who makes the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who<'a> {
    /// A service of AWS by itself, as this principal, for this account.
    Service { principal: &'a str, account: &'a str },
    /// The caller of this program.
    Caller { arn: &'a str, account: &'a str },
}

impl Who<'_> {
    fn known(self, key: &str) -> Known {
        let is = |value: &str| Known::Is(value.to_owned());
        match (self, key) {
            (_, "aws:securetransport") => is("true"),
            (Self::Service { .. }, "aws:principalisawsservice") => is("true"),
            (Self::Caller { .. }, "aws:principalisawsservice") => is("false"),
            (Self::Service { principal, .. }, "aws:principalservicename") => is(principal),
            (Self::Service { account, .. }, "aws:sourceaccount") => is(account),
            (_, "aws:viaawsservice") => is("false"),
            // A service comes by no VPC endpoint, is in no organization, and has no second factor.
            (
                Self::Service { .. },
                "aws:sourcevpc"
                | "aws:sourcevpce"
                | "aws:vpcsourceip"
                | "aws:principalorgid"
                | "aws:principalorgpaths"
                | "aws:multifactorauthpresent"
                | "aws:multifactorauthage",
            ) => Known::Absent,
            (Self::Caller { account, .. }, "aws:principalaccount") => is(account),
            (Self::Caller { arn, .. }, "aws:principalarn") => match role_of(arn) {
                // The path of a role is not in the ARN of its session.
                None => is(arn),
                Some(_) => Known::No,
            },
            (Self::Caller { .. }, "aws:sourceaccount" | "aws:principalservicename") => {
                Known::Absent
            }
            _ => Known::No,
        }
    }

    /// The values an upload may carry: ElastiCache asks for no KMS key (ElastiCache user guide, encryption at rest), and
    /// whether it asks for SSE-S3 by name no page says.
    fn encryptions(self, key: &str) -> Option<[Known; 2]> {
        match (self, key) {
            (Self::Service { .. }, "s3:x-amz-server-side-encryption") => {
                Some([Known::Absent, Known::Is("AES256".to_owned())])
            }
            (Self::Service { .. }, "s3:x-amz-server-side-encryption-aws-kms-key-id") => {
                Some([Known::Absent, Known::Absent])
            }
            _ => None,
        }
    }
}

/// The role of an assumed-role session's ARN.
pub(super) fn role_of(arn: &str) -> Option<&str> {
    arn.split_once(":assumed-role/")?.1.split('/').next()
}

/// Whether every condition of a statement holds.
pub(super) fn holds(statement: &Value, who: Who<'_>) -> Holds {
    let Some(operators) = statement["Condition"].as_object() else { return Holds::Yes };
    let keys = operators.iter().flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| (operator, key, values))
    });
    keys.map(|(operator, key, values)| one(operator, key, values, who)).min().unwrap_or(Holds::Yes)
}

fn one(operator: &str, key: &str, values: &Value, who: Who<'_>) -> Holds {
    let key = key.to_ascii_lowercase();
    let values: Vec<String> = many(values)
        .into_iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    if values.iter().any(|value| value.contains("${")) {
        return Holds::Perhaps;
    }
    match who.encryptions(&key) {
        Some(either) => {
            let [a, b] = either.map(|known| weigh(operator, &known, &values));
            if a == b { a } else { Holds::Perhaps }
        }
        None => weigh(operator, &who.known(&key), &values),
    }
}

fn weigh(operator: &str, known: &Known, values: &[String]) -> Holds {
    // Of one value, "for any" and "for all" are the same, but for a key that is not there.
    let (plain, of_all) = match operator.split_once(':') {
        Some(("ForAllValues", plain)) => (plain, true),
        Some((_, plain)) => (plain, false),
        None => (operator, false),
    };
    let yes = |holds: bool| if holds { Holds::Yes } else { Holds::No };
    if *known == Known::No {
        return Holds::Perhaps;
    }
    if plain == "Null" {
        let absent = *known == Known::Absent;
        return yes(values.iter().any(|value| value.eq_ignore_ascii_case("true") == absent));
    }
    let (plain, if_exists) = match plain.strip_suffix("IfExists") {
        Some(plain) => (plain, true),
        None => (plain, false),
    };
    let negated = plain.contains("Not");
    let Known::Is(value) = known else {
        // A key that is not there meets the negated operators, and no other.
        return yes(negated || if_exists || of_all);
    };
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|wanted| test(wanted));
    let met = match plain {
        "StringEquals" | "StringNotEquals" => any(&|wanted| wanted == value),
        "Bool" | "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => {
            any(&|wanted| wanted.eq_ignore_ascii_case(value))
        }
        "StringLike" | "StringNotLike" | "ArnLike" | "ArnNotLike" | "ArnEquals"
        | "ArnNotEquals" => any(&|wanted| matches(wanted, value)),
        _ => return Holds::Perhaps,
    };
    yes(met != negated)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERVICE: Who<'_> = Who::Service {
        principal: "us-east-1.elasticache-snapshot.amazonaws.com",
        account: "123456789012",
    };
    const CALLER: Who<'_> = Who::Caller {
        arn: "arn:aws:sts::123456789012:assumed-role/ops/anna",
        account: "123456789012",
    };

    #[test]
    fn what_is_known_of_a_service_decides_and_what_is_not_stays_open() {
        for (condition, service, caller) in [
            (json!({"Bool": {"aws:SecureTransport": "false"}}), Holds::No, Holds::No),
            (json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), Holds::Yes, Holds::Perhaps),
            (
                json!({"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}),
                Holds::Yes,
                Holds::Perhaps,
            ),
            (json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}}), Holds::No, Holds::Perhaps),
            (json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}), Holds::Yes, Holds::Perhaps),
            (
                json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}, "Bool": {"aws:PrincipalIsAWSService": "false"}}),
                Holds::No,
                Holds::Perhaps,
            ),
            (
                json!({"StringNotEquals": {"aws:SourceAccount": "999999999999"}}),
                Holds::Yes,
                Holds::Yes,
            ),
            (
                json!({"StringNotEquals": {"aws:SourceAccount": ["123456789012"]}}),
                Holds::No,
                Holds::Yes,
            ),
            (
                json!({"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}),
                Holds::Yes,
                Holds::Perhaps,
            ),
            (
                json!({"Null": {"s3:x-amz-server-side-encryption": "true"}}),
                Holds::Perhaps,
                Holds::Perhaps,
            ),
            (json!({"Null": {"aws:MultiFactorAuthAge": "true"}}), Holds::Yes, Holds::Perhaps),
            (
                json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
                Holds::Yes,
                Holds::Perhaps,
            ),
            (
                json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
                Holds::Perhaps,
                Holds::Perhaps,
            ),
            (
                json!({"StringEquals": {"aws:PrincipalAccount": "123456789012"}}),
                Holds::Perhaps,
                Holds::Yes,
            ),
            (
                json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
                Holds::Perhaps,
                Holds::Perhaps,
            ),
            (
                json!({"StringLike": {"aws:PrincipalServiceName": "*.elasticache-snapshot.*"}}),
                Holds::Yes,
                Holds::No,
            ),
        ] {
            let statement = json!({"Condition": condition});
            assert_eq!(holds(&statement, SERVICE), service, "service: {condition}");
            assert_eq!(holds(&statement, CALLER), caller, "caller: {condition}");
        }
        assert_eq!(holds(&json!({}), SERVICE), Holds::Yes);
    }
}
