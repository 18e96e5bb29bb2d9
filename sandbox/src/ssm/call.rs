use serde_json::Value;

use crate::context::Ctx;
use crate::wire::ApiError;

/// Answers one operation of this service: JSON members in, JSON members out.
pub(crate) async fn call(_ctx: &Ctx, operation: &str, _input: &Value) -> Result<Value, ApiError> {
    Err(ApiError::unknown_operation(operation))
}
