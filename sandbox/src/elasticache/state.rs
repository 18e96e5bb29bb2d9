use serde_json::{Value, json};

/// What exists in ElastiCache.
#[derive(Debug, Clone, Default)]
pub(crate) struct ElastiCacheState {}

impl ElastiCacheState {
    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        json!({})
    }
}
