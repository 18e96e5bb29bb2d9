use serde_json::{Value, json};

/// What exists in MemoryDb.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryDbState {}

impl MemoryDbState {
    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        json!({})
    }
}
