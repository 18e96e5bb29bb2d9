//! `pause`: waits for a while, or for a person.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::journal::Resource;
use crate::engine::{Class, Cx, Failure, Finding};
use crate::plan::{Effect, Fault};
use crate::playbook::parse_duration;
use crate::steps::{Action, Done, Env, Sketch, Step};

const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// A machine that slept through the end of the pause notices after one nap.
const NAP: Duration = Duration::from_secs(60);

/// Waits for a time, or until a person says go on.
///
/// ```yaml
/// - id: rest
///   pause: { for: 10m }
/// - id: restart
///   pause: { message: "Restart the applications, then go on" }
/// ```
///
/// The end of a timed pause is written down when it begins: a run that was stopped and is resumed does not start it
/// over. With a message the run rests until `orchestrate approve <run>`. Nothing is changed, so nothing is undone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// How long: `90s`, `10m`, `2h`, at most `30d`. Not together with `message`.
    #[serde(rename = "for")]
    #[schemars(extend("x-format" = "duration"))]
    length: Option<String>,
    /// What a person has to do or to see before the run goes on. Not together with `for`.
    message: Option<String>,
}

/// When it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// When the pause was over, as RFC 3339.
    ended_at: String,
    /// Who said go on, if a person was asked.
    ended_by: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    until: Timestamp,
}

enum How<'a> {
    For(Duration),
    Message(&'a str),
}

pub(crate) struct Pause;

impl Step for Pause {
    const KIND: &'static str = "pause";
    const SUMMARY: &'static str = "wait for a time, or until a person says go on";
    const ACTIONS: &'static [Action] = &[];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(31 * 24 * 3600);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let text = |name: &str| args.get(name).and_then(Value::as_str);
        let either = || {
            Fault::new("a pause has either `for` or `message`")
                .mend("write `pause: { for: 10m }` or `pause: { message: … }`")
        };
        let mut faults = Vec::new();
        if text("for").is_some() && text("message").is_some() {
            faults.push(either().key("message"));
        } else if args.get("for").is_none() && args.get("message").is_none() {
            faults.push(either());
        }
        if let Some(Err(failure)) = text("for").map(length) {
            faults.push(Fault::from(failure).key("for"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let text = |name: &str| args.get(name).and_then(Value::as_str);
        let does = match (text("for"), text("message")) {
            (Some(length), _) => format!("wait for {length}"),
            (None, Some(message)) => format!("wait until a person says go on: {message}"),
            (None, None) => "wait".to_owned(),
        };
        Sketch { does, ..Sketch::default() }
    }

    fn takes(args: &Value) -> Duration {
        args["for"].as_str().and_then(|text| length(text).ok()).unwrap_or(Self::EXPECTED)
    }

    async fn preflight(_env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        match serde_json::from_value::<Spec>(args.clone()) {
            // An argument may be a reference that is not known yet.
            Ok(spec) if spec.length.is_none() && spec.message.is_none() => Vec::new(),
            Ok(spec) => match how(&spec) {
                Ok(_) => Vec::new(),
                Err(failure) => vec![Finding::will_fail(
                    "arguments",
                    failure.to_string(),
                    "write `pause: { for: 10m }` or `pause: { message: … }`",
                )],
            },
            Err(_) => Vec::new(),
        }
    }

    async fn prepare(_env: &Env, spec: &Spec, _cx: &Cx) -> Result<((), Vec<Resource>), Failure> {
        how(spec).map(|_| ((), Vec::new()))
    }

    async fn execute(
        _env: &Env,
        spec: &Spec,
        _prepared: &(),
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let length = match how(spec)? {
            How::For(length) => length,
            How::Message(message) => return answered(message, cx),
        };
        let note = cx.note.clone().and_then(|note| serde_json::from_value::<Note>(note).ok());
        let until = match note {
            Some(note) => note.until,
            None => {
                let until = SignedDuration::try_from(length)
                    .ok()
                    .and_then(|length| cx.clock.now().checked_add(length).ok())
                    .ok_or_else(|| Failure::fatal("`for` is too long"))?;
                cx.note(json!(Note { until })).await?;
                until
            }
        };
        cx.progress("pause", "waiting", Some(format!("until {until:.0}")), cx.clock.now());
        loop {
            let left = Duration::try_from(until.duration_since(cx.clock.now())).unwrap_or_default();
            if left.is_zero() {
                break;
            }
            cx.sleep(left.min(NAP)).await?;
        }
        Ok(Done::Unchanged(Output { ended_at: cx.clock.now().to_string(), ended_by: None }))
    }
}

fn answered(message: &str, cx: &Cx) -> Result<Done<Output>, Failure> {
    match &cx.decision {
        None => Ok(Done::Ask(message.to_owned())),
        Some(decision) if decision.approved => Ok(Done::Unchanged(Output {
            ended_at: decision.at.to_string(),
            ended_by: Some(decision.by.clone()),
        })),
        Some(decision) => Err(Failure::new(Class::Conflict, format!("{} said no", decision.by))),
    }
}

fn how(spec: &Spec) -> Result<How<'_>, Failure> {
    match (&spec.length, &spec.message) {
        (Some(length), None) => Ok(How::For(self::length(length)?)),
        (None, Some(message)) => Ok(How::Message(message)),
        _ => Err(Failure::fatal("a pause has either `for` or `message`")),
    }
}

fn length(text: &str) -> Result<Duration, Failure> {
    let length = parse_duration(text)
        .map_err(|error| Failure::fatal("`for` is not a duration").because(error))?;
    if length > LONGEST {
        return Err(Failure::fatal("`for` is longer than 30 days"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Decision;
    use crate::steps::testing::{self, Rules};

    fn spec(args: Value) -> Spec {
        serde_json::from_value(args).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_lasts_as_long_as_it_says() {
        let (env, cx) = (testing::env(Rules::default()), testing::cx("step"));
        let began = cx.clock.now();
        let done = Pause::execute(&env, &spec(json!({"for": "10m 30s"})), &(), &cx).await.unwrap();
        assert!(matches!(done, Done::Unchanged(_)));
        let took = cx.clock.since(began).as_secs();
        assert!((630..632).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_resumed_pause_does_not_start_over() {
        let (env, mut cx) = (testing::env(Rules::default()), testing::cx("step"));
        let began = cx.clock.now();
        cx.note = Some(json!(Note { until: began + SignedDuration::from_secs(40) }));
        Pause::execute(&env, &spec(json!({"for": "10m"})), &(), &cx).await.unwrap();
        assert!(cx.clock.since(began).as_secs() < 42);
        Pause::execute(&env, &spec(json!({"for": "10m"})), &(), &cx).await.unwrap();
        assert!(cx.clock.since(began).as_secs() < 42, "a pause that is over is over at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_asks_a_person() {
        let (env, mut cx) = (testing::env(Rules::default()), testing::cx("step"));
        let spec = spec(json!({"message": "Restart them"}));
        let asked = Pause::execute(&env, &spec, &(), &cx).await.unwrap();
        assert!(matches!(asked, Done::Ask(question) if question == "Restart them"));
        let at = cx.clock.now();
        cx.decision = Some(Decision { approved: true, by: "bo".into(), comment: None, at });
        let Done::Unchanged(output) = Pause::execute(&env, &spec, &(), &cx).await.unwrap() else {
            panic!("the answer is there");
        };
        assert_eq!(output.ended_by.as_deref(), Some("bo"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_a_pause_is_told_before_the_run() {
        let (env, cx) = (testing::env(Rules::default()), testing::cx("step"));
        for (args, wrong) in [
            (json!({"for": "10m"}), false),
            (json!({"for": null}), false),
            (json!({"for": "10"}), true),
            (json!({"for": "31d"}), true),
            (json!({"for": "1m", "message": "x"}), true),
        ] {
            assert_eq!(!Pause::preflight(&env, &args, &cx).await.is_empty(), wrong, "{args}");
        }
    }
}
