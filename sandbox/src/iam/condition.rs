//! The `Condition` of a statement.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pattern;

/// What is known of a request: condition keys in lower case, each with its values.
pub(super) type Context = BTreeMap<String, Vec<String>>;

/// One operator with one key, such as `StringEquals` of `aws:RequestedRegion`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    /// As it stands in the document.
    pub(super) operator: String,
    /// In lower case.
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// How a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    No,
    /// The operator is not one that is weighed here, or a value holds a policy variable.
    Unknown,
}

#[derive(Clone, Copy)]
enum Set {
    One,
    All,
    Any,
}

type Test = fn(&str, &str) -> bool;

impl Condition {
    /// Every condition of a statement.
    pub(super) fn read(block: Option<&Value>) -> Vec<Self> {
        let operators = block.and_then(Value::as_object).into_iter().flatten();
        operators
            .flat_map(|(operator, keys)| {
                keys.as_object().into_iter().flatten().map(|(key, values)| Self {
                    operator: operator.clone(),
                    key: key.to_ascii_lowercase(),
                    values: texts(values),
                })
            })
            .collect()
    }

    /// Whether the request meets it (IAM user guide, condition operators).
    pub(super) fn met(&self, context: &Context) -> Met {
        if self.values.iter().any(|value| value.contains("${")) {
            return Met::Unknown;
        }
        let found = context.get(&self.key).filter(|values| !values.is_empty());
        let (set, operator) = match self.operator.split_once(':') {
            Some(("ForAllValues", operator)) => (Set::All, operator),
            Some(("ForAnyValue", operator)) => (Set::Any, operator),
            Some(_) => return Met::Unknown,
            None => (Set::One, self.operator.as_str()),
        };
        if operator == "Null" {
            let wants_absent = self.values.iter().any(|value| value == "true");
            return yes(wants_absent == found.is_none());
        }
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let Some((test, negated)) = test_of(operator) else { return Met::Unknown };
        let Some(found) = found else {
            // A key that is not there fails every operator but the negated ones and `ForAllValues`.
            return yes(if_exists || negated || matches!(set, Set::All));
        };
        let one = |value: &String| {
            self.values.iter().any(|wanted| test(wanted.as_str(), value)) != negated
        };
        yes(match set {
            Set::All => found.iter().all(one),
            Set::Any | Set::One => found.iter().any(one),
        })
    }

    /// Whether it can be weighed at all.
    pub(super) fn is_known(&self) -> bool {
        self.met(&Context::new()) != Met::Unknown
    }
}

fn yes(met: bool) -> Met {
    if met { Met::Yes } else { Met::No }
}

/// The comparison of an operator and whether it is negated.
fn test_of(operator: &str) -> Option<(Test, bool)> {
    let equal: Test = |wanted, value| wanted == value;
    let same: Test = |wanted, value| wanted.eq_ignore_ascii_case(value);
    let like: Test = |wanted, value| pattern::wildcard(wanted, value, false);
    let arn: Test = pattern::arn;
    Some(match operator {
        "StringEquals" => (equal, false),
        "StringNotEquals" => (equal, true),
        "StringEqualsIgnoreCase" | "Bool" => (same, false),
        "StringNotEqualsIgnoreCase" => (same, true),
        "StringLike" => (like, false),
        "StringNotLike" => (like, true),
        "ArnEquals" | "ArnLike" => (arn, false),
        "ArnNotEquals" | "ArnNotLike" => (arn, true),
        _ => return None,
    })
}

/// Policy documents write a list of one as the thing itself, and a flag with or without quotes.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn weigh(block: Value, expected: Met) {
        let context = Context::from([
            ("aws:requestedregion".to_owned(), vec!["eu-west-1".to_owned()]),
            ("names".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
        ]);
        let conditions = Condition::read(Some(&block));
        assert_eq!(conditions[0].met(&context), expected, "{block}");
    }

    #[test]
    fn operators_are_weighed_as_the_guide_says() {
        let region = "aws:RequestedRegion";
        weigh(json!({"StringEquals": {region: ["us-east-1", "eu-west-1"]}}), Met::Yes);
        weigh(json!({"StringEquals": {region: "us-east-1"}}), Met::No);
        weigh(json!({"StringNotEquals": {region: "us-east-1"}}), Met::Yes);
        weigh(json!({"StringLike": {region: "eu-*"}}), Met::Yes);
        weigh(json!({"StringEqualsIgnoreCase": {region: "EU-WEST-1"}}), Met::Yes);
        weigh(json!({"StringEquals": {"absent": "x"}}), Met::No);
        weigh(json!({"StringNotEquals": {"absent": "x"}}), Met::Yes);
        weigh(json!({"StringEqualsIfExists": {"absent": "x"}}), Met::Yes);
        weigh(json!({"Null": {"absent": "true"}}), Met::Yes);
        weigh(json!({"Null": {region: true}}), Met::No);
        weigh(json!({"ForAllValues:StringEquals": {"names": ["a", "b", "c"]}}), Met::Yes);
        weigh(json!({"ForAllValues:StringEquals": {"names": ["a"]}}), Met::No);
        weigh(json!({"ForAnyValue:StringLike": {"names": ["b*"]}}), Met::Yes);
        weigh(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), Met::Unknown);
        weigh(json!({"StringEquals": {region: "${aws:PrincipalTag/r}"}}), Met::Unknown);
    }
}
