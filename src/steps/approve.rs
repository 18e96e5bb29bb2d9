//! `approve`: the run rests until a person has answered.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding};
use crate::plan::Effect;
use crate::playbook::parse_duration;
use crate::steps::{Action, Done, Env, Sketch, Step};

/// Asks a person and goes on when they say yes.
///
/// ```yaml
/// - id: go
///   approve:
///     message: Switch the applications to the new cluster?
///     show: ["${{ steps.compare.compared }} keys are equal"]
///     within: 2h
/// ```
///
/// The run rests and the program ends; nothing is lost, and it may rest for days. `orchestrate approve <run>` answers,
/// `orchestrate resume <run>` goes on. A no rolls the run back. This step changes nothing, so there is nothing to undo.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The question.
    message: String,
    /// What the person should see with it: outputs of earlier steps.
    #[serde(default)]
    show: Vec<Value>,
    /// How long a yes counts after the question was asked: `2h`. With a later one the step fails. No limit unless given.
    #[schemars(extend("x-format" = "duration"))]
    within: Option<String>,
}

/// Who said yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Who approved.
    approved_by: String,
    /// When, as RFC 3339.
    at: String,
    /// Their words, if they left any.
    comment: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    asked_at: Timestamp,
}

pub(crate) struct Approve;

impl Step for Approve {
    const KIND: &'static str = "approve";
    const SUMMARY: &'static str = "ask a person, and go on when they say yes";
    const ACTIONS: &'static [Action] = &[];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(60);
    const EXPECTED: Duration = Duration::ZERO;

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn sketch(args: &Value) -> Sketch {
        let message = args.get("message").and_then(Value::as_str);
        Sketch {
            does: match message {
                Some(message) => format!("ask a person: {message}"),
                None => "ask a person".to_owned(),
            },
            ..Sketch::default()
        }
    }

    async fn preflight(_env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let within = args.get("within").and_then(Value::as_str).map(parse_duration);
        match within {
            Some(Err(error)) => {
                vec![Finding::will_fail("arguments", "`within` is not a duration", error)]
            }
            _ => Vec::new(),
        }
    }

    async fn prepare(_env: &Env, _spec: &Spec, _cx: &Cx) -> Result<((), Vec<Resource>), Failure> {
        Ok(((), Vec::new()))
    }

    async fn execute(
        _env: &Env,
        spec: &Spec,
        _prepared: &(),
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let within = spec
            .within
            .as_deref()
            .map(parse_duration)
            .transpose()
            .map_err(|error| Failure::fatal("`within` is not a duration").because(error))?;
        let Some(decision) = &cx.decision else {
            let asked_at = cx.clock.now();
            if within.is_some() {
                cx.note(json!(Asked { asked_at })).await?;
            }
            return Ok(Done::Ask(question(spec, limit(within, asked_at))));
        };
        if !decision.approved {
            return Err(Failure::new(Class::Conflict, format!("{} said no", decision.by)));
        }
        let asked = cx.note.clone().and_then(|note| serde_json::from_value::<Asked>(note).ok());
        if let Some(limit) = asked.and_then(|asked| limit(within, asked.asked_at))
            && decision.at > limit
        {
            return Err(Failure::new(
                Class::TimedOut,
                format!(
                    "{} said yes at {:.0}, after the answer's time was up",
                    decision.by, decision.at
                ),
            )
            .because(format!("a yes counted until {limit:.0}"))
            .mend("run the playbook again, or give the step a longer `within`"));
        }
        Ok(Done::Unchanged(Output {
            approved_by: decision.by.clone(),
            at: decision.at.to_string(),
            comment: decision.comment.clone(),
        }))
    }
}

fn limit(within: Option<Duration>, asked_at: Timestamp) -> Option<Timestamp> {
    asked_at.checked_add(SignedDuration::try_from(within?).ok()?).ok()
}

fn question(spec: &Spec, limit: Option<Timestamp>) -> String {
    let mut text = spec.message.trim_end().to_owned();
    for value in &spec.show {
        text.push_str("\n- ");
        text.push_str(&shown(value));
    }
    if let Some(limit) = limit {
        text.push_str(&format!("\nA yes counts until {limit:.0}."));
    }
    text
}

/// A value as a person reads it: text as it is, everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end().replace('\n', "\n  "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Decision;
    use crate::steps::testing::{self, Rules};

    fn spec(within: Option<&str>) -> Spec {
        serde_json::from_value(json!({
            "message": "Switch?",
            "show": ["10 keys\nequal", 3, {"a": [1]}],
            "within": within,
        }))
        .unwrap()
    }

    fn yes(cx: &Cx, after_secs: i64) -> Option<Decision> {
        let at = cx.clock.now() + SignedDuration::from_secs(after_secs);
        Some(Decision { approved: true, by: "ann".into(), comment: Some("go".into()), at })
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_first_and_shows_the_values() {
        let env = testing::env(Rules::default());
        let done = Approve::execute(&env, &spec(None), &(), &testing::cx("step")).await.unwrap();
        let Done::Ask(question) = done else { panic!("{done:?}") };
        assert_eq!(question, "Switch?\n- 10 keys\n  equal\n- 3\n- {\"a\":[1]}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_yes_lets_it_go_on_and_says_whose() {
        let env = testing::env(Rules::default());
        let mut cx = testing::cx("step");
        cx.decision = yes(&cx, 0);
        let done = Approve::execute(&env, &spec(None), &(), &cx).await.unwrap();
        let Done::Unchanged(output) = done else { panic!("{done:?}") };
        assert_eq!((output.approved_by.as_str(), output.comment.as_deref()), ("ann", Some("go")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_yes_after_its_time_does_not_count() {
        let env = testing::env(Rules::default());
        let (mut early, mut late) = (testing::cx("step"), testing::cx("step"));
        let spec = spec(Some("1h"));
        for (cx, after) in [(&mut early, 3599), (&mut late, 3601)] {
            cx.note = Some(json!(Asked { asked_at: cx.clock.now() }));
            cx.decision = yes(cx, after);
        }
        assert!(Approve::execute(&env, &spec, &(), &early).await.is_ok());
        let failure = Approve::execute(&env, &spec, &(), &late).await.unwrap_err();
        assert_eq!(failure.class, Class::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_duration_is_told_before_the_run() {
        let env = testing::env(Rules::default());
        let found = Approve::preflight(&env, &json!({"within": "5"}), &testing::cx("step")).await;
        assert_eq!(found.len(), 1);
        assert!(
            Approve::preflight(&env, &json!({"within": null}), &testing::cx("step"))
                .await
                .is_empty()
        );
        assert_eq!(Approve::sketch(&json!({})).does, "ask a person");
    }
}
