use serde_json::Value;

use crate::context::Ctx;
use crate::wire::ApiError;

/// Carries out what time has brought since the last request.
pub(crate) async fn settle(_ctx: &Ctx) {}

/// Answers one operation: JSON members in, JSON members out.
pub(crate) async fn call(_ctx: &Ctx, operation: &str, _input: &Value) -> Result<Value, ApiError> {
    Err(ApiError::unknown_operation(operation))
}
