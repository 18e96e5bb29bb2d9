use std::collections::BTreeMap;

use super::state::Message;
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Bytes of one message with its attributes (SNS API reference, Publish).
const MOST_BYTES: usize = 256 * 1024;
/// Characters of a subject (SNS API reference, Publish: up to 100 of ASCII, without line breaks or control characters).
const LONGEST_SUBJECT: usize = 100;

/// Answers one operation of this service: a form in, XML out.
pub(crate) fn call(ctx: &Ctx, operation: &str, params: &Params) -> Result<Xml, ApiError> {
    match operation {
        "GetTopicAttributes" => attributes(ctx, params),
        "Publish" => publish(ctx, params),
        other => Err(ApiError::unknown_operation(other)),
    }
}

/// GetTopicAttributes.
fn attributes(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let arn = topic_arn(ctx, params)?;
    let world = ctx.world();
    let topic = world.sns.topics.get(arn).ok_or_else(no_topic)?;
    let entry =
        |(name, value): (&str, String)| Xml::new("entry").text("key", name).text("value", value);
    let told = [
        ("TopicArn", arn.to_owned()),
        ("Owner", ctx.account().to_owned()),
        ("DisplayName", String::new()),
        ("SubscriptionsConfirmed", topic.subscriptions.to_string()),
        ("SubscriptionsPending", "0".to_owned()),
        ("SubscriptionsDeleted", "0".to_owned()),
        ("FifoTopic", fifo(arn).to_string()),
    ];
    // Only FIFO topics have the last one (SNS API reference, GetTopicAttributes).
    let told = told.into_iter().filter(|(name, _)| *name != "FifoTopic" || fifo(arn));
    Ok(Xml::new("GetTopicAttributesResult").list("Attributes", told.map(entry)))
}

/// Publish, to a topic. Neither phones nor endpoints of devices are here.
fn publish(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let arn = topic_arn(ctx, params)?.to_owned();
    let Some(text) = params.get("Message") else {
        return Err(invalid("Empty message"));
    };
    let subject = params.get("Subject").map(str::to_owned);
    if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
        return Err(invalid("Subject"));
    }
    let attributes = message_attributes(params);
    let size: usize =
        text.len() + attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if size > MOST_BYTES {
        return Err(invalid("Message too long"));
    }
    let deduplication = params.get("MessageDeduplicationId").map(str::to_owned);
    if fifo(&arn) && params.get("MessageGroupId").is_none() {
        return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
    }
    if fifo(&arn) && deduplication.is_none() {
        let why = "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";
        return Err(invalid(why));
    }
    let mut world = ctx.world();
    let topic = world.sns.topics.get_mut(&arn).ok_or_else(no_topic)?;
    let id = format!("00000000-0000-5000-a000-{:012}", topic.messages.len());
    let again = |message: &Message| message.deduplication == deduplication;
    // A FIFO topic takes the second of two and delivers it not (SNS developer guide, message deduplication for FIFO topics:
    // for five minutes; here for good).
    if !fifo(&arn) || !topic.messages.iter().any(again) {
        let text = text.to_owned();
        topic.messages.push(Message { subject, text, attributes, deduplication });
    }
    Ok(Xml::new("PublishResult").text("MessageId", id))
}

/// The text attributes: `MessageAttributes.entry.1.Name` and `….Value.StringValue`.
fn message_attributes(params: &Params) -> BTreeMap<String, String> {
    let of = |number: usize| {
        let prefix = format!("MessageAttributes.entry.{number}");
        let name = params.get(&format!("{prefix}.Name"))?;
        let value = params.get(&format!("{prefix}.Value.StringValue")).unwrap_or_default();
        Some((name.to_owned(), value.to_owned()))
    };
    (1..).map_while(of).collect()
}

fn topic_arn<'a>(ctx: &Ctx, params: &'a Params) -> Result<&'a str, ApiError> {
    let arn = params
        .get("TopicArn")
        .ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
    // Topics of other regions are reached at those regions' endpoints alone.
    match arn.strip_prefix(&format!("arn:aws:sns:{}:", ctx.region())) {
        Some(rest) if rest.split(':').count() == 2 => Ok(arn),
        _ => Err(invalid("TopicArn")),
    }
}

fn is_subject(text: &str) -> bool {
    text.len() <= LONGEST_SUBJECT && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn fifo(arn: &str) -> bool {
    arn.ends_with(".fifo")
}

fn invalid(what: &str) -> ApiError {
    ApiError::bad("InvalidParameter", format!("Invalid parameter: {what}"))
}

fn no_topic() -> ApiError {
    ApiError::missing("NotFound", "Topic does not exist")
}

/// A topic by its name, or by its ARN.
pub(crate) fn arn(ctx: &Ctx, named: &str) -> String {
    match named.starts_with("arn:") {
        true => named.to_owned(),
        false => format!("arn:aws:sns:{}:{}:{named}", ctx.region(), ctx.account()),
    }
}
