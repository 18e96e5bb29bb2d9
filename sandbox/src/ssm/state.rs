use jiff::Timestamp;
use serde_json::{Value, json};

/// What exists in this service.
#[derive(Debug, Clone, Default)]
pub(crate) struct SsmState {}

impl SsmState {
    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        json!({})
    }

    /// Puts a parameter as if it had always been there. `kind` is `String`, `StringList` or `SecureString`.
    pub(crate) fn seed(&mut self, _name: &str, _value: &str, _kind: &str, _now: Timestamp) {}
}
