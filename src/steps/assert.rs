//! `assert`: ends the run if something is not as it must be.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::plan::Effect;
use crate::steps::{Action, Done, Env, Sketch, Step};

/// Fails unless every value is as it must be. All that fail are listed, with what was expected and found.
///
/// ```yaml
/// - id: complete
///   assert:
///     that:
///       - { value: "${{ steps.compare.equal }}", equals: true }
///       - { value: "${{ steps.compare.compared }}", at_least: 10000 }
///     message: The copy is not complete
/// ```
///
/// Numbers are compared by their value, text by every character; the number `2` and the text `"2"` are different. This
/// step changes nothing, so there is nothing to undo.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// What must hold.
    #[schemars(length(min = 1))]
    that: Vec<Check>,
    /// What it means if it does not hold.
    message: Option<String>,
}

/// A value and exactly one condition.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// The value, usually an output of an earlier step.
    #[serde(default)]
    value: Value,
    /// It is this.
    equals: Option<Value>,
    /// It is anything but this.
    not_equals: Option<Value>,
    /// It is a number, this or greater.
    at_least: Option<f64>,
    /// It is a number, this or less.
    at_most: Option<f64>,
    /// It is one of these.
    one_of: Option<Vec<Value>>,
    /// It is text that begins so.
    matches_prefix: Option<String>,
}

/// How much was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// How many assertions held.
    checked: usize,
}

enum Condition<'a> {
    Equals(&'a Value),
    NotEquals(&'a Value),
    AtLeast(f64),
    AtMost(f64),
    OneOf(&'a [Value]),
    Prefix(&'a str),
}

pub(crate) struct Assert;

impl Step for Assert {
    const KIND: &'static str = "assert";
    const SUMMARY: &'static str = "stop unless values are as they must be";
    const ACTIONS: &'static [Action] = &[];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(60);
    const EXPECTED: Duration = Duration::ZERO;

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn sketch(args: &Value) -> Sketch {
        let count = args.get("that").and_then(Value::as_array).map_or(0, Vec::len);
        let things = if count == 1 { "assertion holds" } else { "assertions hold" };
        Sketch { does: format!("stop unless {count} {things}"), ..Sketch::default() }
    }

    async fn preflight(_env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Ok(spec) = serde_json::from_value::<Spec>(args.clone()) else { return Vec::new() };
        let raw = args.get("that").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let unknown = |check: &Value| {
            // A condition that refers to a later value is null for now.
            check.as_object().is_some_and(|c| c.iter().any(|(k, v)| k != "value" && v.is_null()))
        };
        spec.that
            .iter()
            .zip(raw)
            .enumerate()
            .filter(|(_, (_, raw))| !unknown(raw))
            .filter_map(|(index, (check, _))| check.condition(index).err())
            .map(|failure| {
                Finding::will_fail("arguments", failure.to_string(), "correct it in the playbook")
            })
            .collect()
    }

    async fn prepare(_env: &Env, _spec: &Spec, _cx: &Cx) -> Result<((), Vec<Resource>), Failure> {
        Ok(((), Vec::new()))
    }

    async fn execute(
        _env: &Env,
        spec: &Spec,
        _prepared: &(),
        _cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let mut wrong = Vec::new();
        for (index, check) in spec.that.iter().enumerate() {
            let condition = check.condition(index)?;
            if !condition.holds(&check.value) {
                wrong.push(format!(
                    "assertion {}: expected {condition}, found {}",
                    index + 1,
                    check.value
                ));
            }
        }
        if wrong.is_empty() {
            return Ok(Done::Unchanged(Output { checked: spec.that.len() }));
        }
        let count = format!("{} of {} assertions do not hold", wrong.len(), spec.that.len());
        let failure = match &spec.message {
            Some(message) => Failure::fatal(message.clone()).because(count),
            None => Failure::fatal(count),
        };
        Err(wrong.into_iter().fold(failure, Failure::because))
    }
}

impl Check {
    fn condition(&self, index: usize) -> Result<Condition<'_>, Failure> {
        let given = [
            self.equals.as_ref().map(Condition::Equals),
            self.not_equals.as_ref().map(Condition::NotEquals),
            self.at_least.map(Condition::AtLeast),
            self.at_most.map(Condition::AtMost),
            self.one_of.as_deref().map(Condition::OneOf),
            self.matches_prefix.as_deref().map(Condition::Prefix),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(condition), None) => Ok(condition),
            _ => Err(Failure::fatal(format!(
                "assertion {} needs exactly one of `equals`, `not_equals`, `at_least`, `at_most`, `one_of` and \
                 `matches_prefix`",
                index + 1
            ))),
        }
    }
}

impl Condition<'_> {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Equals(other) => equal(value, other),
            Self::NotEquals(other) => !equal(value, other),
            Self::AtLeast(least) => value.as_f64().is_some_and(|number| number >= *least),
            Self::AtMost(most) => value.as_f64().is_some_and(|number| number <= *most),
            Self::OneOf(others) => others.iter().any(|other| equal(value, other)),
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
        }
    }
}

impl std::fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(other) => write!(f, "{other}"),
            Self::NotEquals(other) => write!(f, "anything but {other}"),
            Self::AtLeast(least) => write!(f, "a number of at least {least}"),
            Self::AtMost(most) => write!(f, "a number of at most {most}"),
            Self::OneOf(others) => {
                let others: Vec<String> = others.iter().map(Value::to_string).collect();
                write!(f, "one of {}", others.join(", "))
            }
            Self::Prefix(prefix) => write!(f, "text that begins with {prefix:?}"),
        }
    }
}

/// Numbers by value, so that 2 is 2.0; whole numbers exactly. Lists and mappings member by member.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    async fn run(args: Value) -> Result<Done<Output>, Failure> {
        let env = testing::env(Rules::default());
        let spec = serde_json::from_value(args).unwrap();
        Assert::execute(&env, &spec, &(), &testing::cx("step")).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_holds_lets_the_run_go_on() {
        let done = run(json!({"that": [
            {"value": 2, "equals": 2.0},
            {"value": {"b": 1, "a": [1]}, "equals": {"a": [1], "b": 1}},
            {"value": null, "not_equals": 1},
            {"value": 18_446_744_073_709_551_615_u64, "not_equals": 18_446_744_073_709_551_614_u64},
            {"value": 10, "at_least": 10},
            {"value": -0.5, "at_most": 0},
            {"value": "b", "one_of": ["a", "b"]},
            {"value": "arn:aws:s3", "matches_prefix": "arn:"},
        ]}))
        .await
        .unwrap();
        assert!(matches!(done, Done::Unchanged(Output { checked: 8 })));
    }

    #[tokio::test(start_paused = true)]
    async fn every_failing_assertion_is_listed_with_expected_and_found() {
        let failure = run(json!({"message": "the copy is not complete", "that": [
            {"value": "2", "equals": 2},
            {"value": 1, "not_equals": 1.0},
            {"value": 9, "at_least": 10},
            {"value": "11", "at_most": 12},
            {"value": 3, "one_of": [1, "x"]},
            {"value": null, "matches_prefix": "a\""},
            {"value": 5, "equals": 5},
        ]}))
        .await
        .unwrap_err();
        assert_eq!(failure.message, "the copy is not complete");
        assert_eq!(
            failure.causes,
            [
                "6 of 7 assertions do not hold",
                "assertion 1: expected 2, found \"2\"",
                "assertion 2: expected anything but 1.0, found 1",
                "assertion 3: expected a number of at least 10, found 9",
                "assertion 4: expected a number of at most 12, found \"11\"",
                "assertion 5: expected one of 1, \"x\", found 3",
                "assertion 6: expected text that begins with \"a\\\"\", found null",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_assertion_has_exactly_one_condition() {
        let (env, cx) = (testing::env(Rules::default()), testing::cx("step"));
        for (check, wrong) in [
            (json!({"value": 1}), true),
            (json!({"value": 1, "equals": 1, "at_most": 2}), true),
            (json!({"value": null, "equals": 1}), false),
            (json!({"value": null, "equals": null}), false),
        ] {
            let args = json!({"that": [check]});
            let found = Assert::preflight(&env, &args, &cx).await;
            assert_eq!(!found.is_empty(), wrong, "{args}");
        }
        assert!(run(json!({"that": [{"value": 1}]})).await.is_err());
    }
}
