use jiff::Timestamp;
use serde_json::{Value, json};

/// What exists in this service.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretsManagerState {}

impl SecretsManagerState {
    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        json!({})
    }

    /// Puts a secret whose current version holds `value`. `arn_prefix` is everything before the name in its ARN.
    pub(crate) fn seed(&mut self, _name: &str, _value: &str, _arn_prefix: &str, _now: Timestamp) {}
}
