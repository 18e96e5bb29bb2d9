//! Which topics exist, and what was said.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Which topics exist.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnsState {
    /// By ARN.
    pub(crate) topics: BTreeMap<String, Topic>,
}

/// A topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topic {
    /// How many confirmed subscriptions it has.
    pub(crate) subscriptions: u32,
    /// What was published, in order.
    pub(crate) messages: Vec<Message>,
}

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) subject: Option<String>,
    pub(crate) text: String,
    /// Name and text of each attribute.
    pub(crate) attributes: BTreeMap<String, String>,
    /// What a FIFO topic knows a second one by.
    pub(crate) deduplication: Option<String>,
}

impl SnsState {
    /// See `World::describe`. Which topics there are: what they were told is no state of theirs, `Sandbox::published` has it.
    pub(crate) fn describe(&self) -> Value {
        let topics: BTreeMap<_, _> = self
            .topics
            .iter()
            .map(|(arn, topic)| (arn, json!({"subscriptions": topic.subscriptions})))
            .collect();
        json!({"topics": topics})
    }
}
