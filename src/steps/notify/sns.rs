//! `notify.sns`: tells everybody who subscribes to an SNS topic.

use std::borrow::Cow;
use std::time::Duration;

use aws_sdk_sns::types::MessageAttributeValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::stops;
use crate::aws::Op;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

const SERVICE: &str = "SNS";
const CHECK: &str = "notify.topic";
/// Characters of a subject, of ASCII, without line breaks or control characters (SNS API reference, Publish).
const LONGEST_SUBJECT: usize = 100;
/// Bytes of a message (SNS API reference, Publish).
const MOST_BYTES: usize = 256 * 1024;
/// How topics that keep an order end (SNS developer guide, FIFO topics).
const FIFO: &str = ".fifo";

/// Publishes a message to an SNS topic, in the run's region.
///
/// **At least once**: SNS does not tell whether a message was published before, so that one whose answer was lost is
/// published again, and the run warns that it may arrive twice. Each carries the attributes `orchestrate.run` and
/// `orchestrate.step`, by which a receiver knows it again. A FIFO topic drops the second one itself, within five minutes.
///
/// ```yaml
/// - id: tell
///   notify.sns:
///     topic: arn:aws:sns:us-east-1:123456789012:on-call
///     subject: prod-mdb is scaled
///     text: "prod-mdb has 4 shards now"
/// ```
///
/// A topic that is encrypted with your own KMS key asks `kms:GenerateDataKey` and `kms:Decrypt` on that key of whoever
/// publishes; `orchestrate plan` says so, `orchestrate iam` does not know the key.
///
/// Not undone: what was read cannot be unread.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The topic's ARN.
    topic: String,
    /// The subject of mails: up to 100 characters of ASCII.
    #[serde(default)]
    subject: Option<String>,
    /// The message.
    text: String,
    /// Whether a message that cannot be published fails the step; `true` if left out. With `false` it is warned of.
    #[serde(default = "yes")]
    required: bool,
}

fn yes() -> bool {
    true
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    topic: String,
}

/// What was published.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether SNS took it.
    sent: bool,
    /// The message's id in SNS; empty if it was not taken.
    message_id: String,
}

/// `notify.sns`.
pub(crate) struct Sns;

impl Step for Sns {
    const KIND: &'static str = "notify.sns";
    const SUMMARY: &'static str = "publish a message to an SNS topic";
    const ACTIONS: &'static [Action] = &[
        action("sns:GetTopicAttributes", "{topic}", Phases::PLAN),
        action("sns:Publish", "{topic}", Phases::RUN),
    ];
    const EFFECT: Effect =
        Effect::Mutates(UndoPolicy::None(Cow::Borrowed("what was read cannot be unread")));
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(1);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(topic) = args["topic"].as_str()
            && region_of(topic).is_none()
        {
            let fault = Fault::new(format!("`{topic}` is no ARN of a topic")).key("topic");
            faults.push(fault.mend("write it like arn:aws:sns:us-east-1:123456789012:on-call"));
        }
        if let Some(subject) = args["subject"].as_str()
            && !is_subject(subject)
        {
            let what =
                format!("a subject has 1 to {LONGEST_SUBJECT} characters of ASCII in one line");
            faults.push(Fault::new(what).key("subject").mend("put the rest into `text`"));
        }
        if let Some(text) = args["text"].as_str() {
            if text.is_empty() {
                let fault = Fault::new("SNS takes no empty message").key("text");
                faults.push(fault.mend("say something"));
            } else if text.len() > MOST_BYTES {
                let fault = Fault::new("SNS takes messages of 256 KiB at most").key("text");
                faults.push(fault.mend("say less"));
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let topic = args["topic"].as_str().map_or("…", name_of);
        Sketch {
            does: format!("tell SNS topic \"{topic}\": {}", args["text"].as_str().unwrap_or("…")),
            undo: None,
            loses: None,
        }
    }

    fn touches(_args: &Value) -> Vec<Touch> {
        Vec::new()
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["topic"].as_str().map(|topic| Need::Topic(topic.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(topic) = args["topic"].as_str() else { return Vec::new() };
        let (name, region) = (name_of(topic), &env.identity.region);
        if let Some(place) = region_of(topic)
            && place != region
        {
            let what = format!("SNS topic {name} is in {place}, and the run in {region}");
            let mend = format!("name a topic of {region}: aws sns list-topics --region {region}");
            return vec![Finding::will_fail(CHECK, what, mend)];
        }
        let look = || env.aws.sns.get_topic_attributes().topic_arn(topic).send();
        let finding = match env.survey.ask(Op::read(SERVICE, "GetTopicAttributes"), look).await {
            Err(failure) if failure.class == Class::NotFound => Finding::will_fail(
                CHECK,
                format!("there is no SNS topic {topic}"),
                format!("aws sns create-topic --name {name} --region {region}, or name another"),
            ),
            Err(failure) => Finding::of(CHECK, &failure)
                .mend("without an answer nobody can say whether the message would arrive"),
            Ok(answer) => {
                let told = |key: &str| answer.attributes().and_then(|all| all.get(key));
                let key = told("KmsMasterKeyId").filter(|key| !key.ends_with("alias/aws/sns"));
                let nobody = told("SubscriptionsConfirmed").is_some_and(|count| count == "0");
                let found = Finding::ok(CHECK, format!("SNS topic {name} is there"));
                match key {
                    _ if nobody => found.mend(format!(
                        "nobody has confirmed a subscription to it: aws sns list-subscriptions-by-topic \
                         --topic-arn {topic} --region {region}"
                    )),
                    Some(key) => found.mend(format!(
                        "it is encrypted with {key}: allow kms:GenerateDataKey and kms:Decrypt on that key to whoever runs this"
                    )),
                    None => found,
                }
            }
        };
        vec![finding]
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        if spec.subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            let what = format!(
                "the subject is not 1 to {LONGEST_SUBJECT} characters of ASCII in one line"
            );
            return Err(Failure::fatal(what).mend("put what is long or foreign into `text`"));
        }
        let resource = Resource {
            what: "message".to_owned(),
            name: format!("to SNS topic {}", name_of(&spec.topic)),
            arn: None,
            role: Role::Creates,
        };
        Ok((Prepared { topic: spec.topic.clone() }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        if let Some(id) = cx.noted().and_then(|note| note["published"].as_str().map(str::to_owned))
        {
            return Ok(Done::Adopted(Output { sent: true, message_id: id }));
        }
        match publish(env, spec, prepared, cx).await {
            Ok(message_id) => Ok(Done::Changed(Output { sent: true, message_id })),
            Err(failure) if !spec.required && !stops(failure.class) => {
                cx.warn(format!("the message was not published: {failure}"));
                Ok(Done::Unchanged(Output { sent: false, message_id: String::new() }))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Publishes, and gives the message's id.
async fn publish(env: &Env, spec: &Spec, prepared: &Prepared, cx: &Cx) -> Result<String, Failure> {
    let topic = &prepared.topic;
    let name = name_of(topic);
    if cx.noted().is_some_and(|note| note["tried"] == json!(true)) {
        let twice = match topic.ends_with(FIFO) {
            true => "the topic drops it if it was, for five minutes",
            false => "it may arrive twice",
        };
        cx.warn(format!("whether SNS topic {name} was told before is not known: {twice}"));
    }
    cx.note(json!({ "tried": true })).await?;
    let text = |value: &str| {
        MessageAttributeValue::builder().data_type("String").string_value(value).build()
    };
    let run = text(&cx.run.to_string());
    let step = text(&cx.step);
    let (run, step) = match (run, step) {
        (Ok(run), Ok(step)) => (run, step),
        (Err(error), _) | (_, Err(error)) => {
            return Err(Failure::fatal("the message cannot be built").because(error.to_string()));
        }
    };
    let mut request = env
        .aws
        .sns
        .publish()
        .topic_arn(topic)
        .set_subject(spec.subject.clone())
        .message(&spec.text)
        .message_attributes("orchestrate.run", run)
        .message_attributes("orchestrate.step", step);
    if topic.ends_with(FIFO) {
        request = request
            .message_group_id("orchestrate")
            .message_deduplication_id(format!("{}.{}", cx.run, cx.step));
    }
    match env.aws.change(SERVICE, "Publish", request.send()).await {
        Ok(answer) => {
            let id = answer.message_id.unwrap_or_default();
            cx.note(json!({ "published": id })).await?;
            Ok(id)
        }
        Err(failure) => {
            // Refused for sure: the next attempt repeats nothing.
            if failure.class != Class::Ambiguous {
                cx.note(json!({ "tried": false })).await?;
            }
            Err(failure)
        }
    }
}

/// The region of a topic: `arn:aws:sns:<region>:<account>:<name>`.
fn region_of(topic: &str) -> Option<&str> {
    match topic.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "sns", region, account, name]
            if !region.is_empty() && !account.is_empty() && !name.is_empty() =>
        {
            Some(region)
        }
        _ => None,
    }
}

fn name_of(topic: &str) -> &str {
    topic.rsplit(':').next().unwrap_or(topic)
}

fn is_subject(text: &str) -> bool {
    (1..=LONGEST_SUBJECT).contains(&text.len())
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sns::Client;
    use aws_sdk_sns::operation::get_topic_attributes::{
        GetTopicAttributesError, GetTopicAttributesOutput,
    };
    use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
    use aws_sdk_sns::types::error::{InternalErrorException, NotFoundException};
    use aws_smithy_mocks::{Rule, mock};
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;
    use crate::engine::Verdict;
    use crate::steps::testing::{self, Rules};

    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:on-call";

    fn args(topic: &str) -> Value {
        json!({"topic": topic, "subject": "scaled", "text": "4 shards"})
    }

    async fn tell(rule: &Rule, args: Value, cx: &Cx) -> Result<Done<Output>, Failure> {
        let env = testing::env(Rules { sns: vec![rule], ..Rules::default() });
        let spec: Spec = testing::spec(args);
        let (prepared, _) = Sns::prepare(&env, &spec, cx).await?;
        Sns::execute(&env, &spec, &prepared, cx).await
    }

    fn taken(fifo: bool) -> Rule {
        mock!(Client::publish)
            .match_requests(move |r| {
                let attribute = |name: &str| {
                    let all = r.message_attributes()?;
                    all.get(name)?.string_value().map(str::to_owned)
                };
                r.message() == Some("4 shards")
                    && r.subject() == Some("scaled")
                    && attribute("orchestrate.run").as_deref() == Some("0test0test")
                    && attribute("orchestrate.step").as_deref() == Some("tell")
                    && r.message_deduplication_id() == fifo.then_some("0test0test.tell")
                    && r.message_group_id().is_some() == fifo
            })
            .then_output(|| PublishOutput::builder().message_id("m-1").build())
    }

    fn lost() -> Rule {
        mock!(Client::publish).then_error(|| {
            let meta = ErrorMetadata::builder().code("InternalError").build();
            PublishError::InternalErrorException(
                InternalErrorException::builder().meta(meta).build(),
            )
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_says_of_which_run_and_step_it_is() {
        for (topic, fifo) in [(TOPIC.to_owned(), false), (format!("{TOPIC}.fifo"), true)] {
            let rule = taken(fifo);
            let done = tell(&rule, args(&topic), &testing::cx("tell")).await.unwrap();
            assert!(matches!(&done, Done::Changed(out) if out.message_id == "m-1"), "{done:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_known_to_be_published_is_not_published_again() {
        let rule = taken(false);
        let mut cx = testing::cx("tell");
        cx.note = Some(json!({"published": "m-0"}));
        let done = tell(&rule, args(TOPIC), &cx).await.unwrap();
        assert!(matches!(&done, Done::Adopted(out) if out.message_id == "m-0"), "{done:?}");
        assert_eq!(rule.num_calls(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_ambiguous_and_only_warned_of_where_it_may_be() {
        let failure = tell(&lost(), args(TOPIC), &testing::cx("tell")).await.unwrap_err();
        assert_eq!(failure.class, Class::Ambiguous, "{failure}");
        let mut optional = args(TOPIC);
        optional["required"] = json!(false);
        let done = tell(&lost(), optional, &testing::cx("tell")).await.unwrap();
        assert!(matches!(done, Done::Unchanged(Output { sent: false, .. })), "{done:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_is_looked_at_before_the_run() {
        let shown = |attributes: &'static [(&'static str, &'static str)]| {
            mock!(Client::get_topic_attributes).then_output(move || {
                let mut answer = GetTopicAttributesOutput::builder();
                for (name, value) in attributes {
                    answer = answer.attributes(*name, *value);
                }
                answer.build()
            })
        };
        let none = mock!(Client::get_topic_attributes).then_error(|| {
            let meta = ErrorMetadata::builder().code("NotFound").build();
            GetTopicAttributesError::NotFoundException(
                NotFoundException::builder().meta(meta).build(),
            )
        });
        for (rule, topic, verdict, mend) in [
            (shown(&[("SubscriptionsConfirmed", "2")]), TOPIC, Verdict::Ok, None),
            (
                shown(&[("SubscriptionsConfirmed", "0")]),
                TOPIC,
                Verdict::Ok,
                Some("nobody has confirmed"),
            ),
            (
                shown(&[("SubscriptionsConfirmed", "2"), ("KmsMasterKeyId", "alias/mine")]),
                TOPIC,
                Verdict::Ok,
                Some("kms:GenerateDataKey"),
            ),
            (none, TOPIC, Verdict::WillFail, Some("aws sns create-topic --name on-call")),
            (
                shown(&[]),
                "arn:aws:sns:eu-west-1:123456789012:on-call",
                Verdict::WillFail,
                Some("name a topic of us-east-1"),
            ),
        ] {
            let env = testing::env(Rules { sns: vec![&rule], ..Rules::default() });
            let found = Sns::preflight(&env, &args(topic), &testing::cx("tell")).await;
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].verdict, verdict, "{found:?}");
            match mend {
                Some(words) => assert!(
                    found[0].mend.as_deref().unwrap_or_default().contains(words),
                    "{found:?}"
                ),
                None => assert_eq!(found[0].mend, None),
            }
        }
    }

    #[test]
    fn what_sns_would_refuse_is_refused() {
        let words = |args: Value| {
            let faults = Sns::check(&args);
            faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(words(args(TOPIC)), "");
        assert_eq!(words(json!({"topic": null, "subject": null, "text": null})), "");
        assert!(words(args("on-call")).contains("no ARN"));
        assert!(
            words(json!({"topic": TOPIC, "subject": "zwei\nZeilen", "text": "x"})).contains("100")
        );
        assert!(words(json!({"topic": TOPIC, "subject": "ü", "text": "x"})).contains("ASCII"));
        assert!(words(json!({"topic": TOPIC, "text": ""})).contains("empty"));
        assert!(words(json!({"topic": TOPIC, "text": "x".repeat(256 * 1024 + 1)})).contains("256"));
    }
}
