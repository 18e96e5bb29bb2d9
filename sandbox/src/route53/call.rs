use bytes::Bytes;
use http::request::Parts;

use crate::context::Ctx;
use crate::wire::{ApiError, Reply};

/// The operation and the resource (a hosted zone, a change) that this request names.
pub(crate) fn operation(parts: &Parts) -> (String, String) {
    (format!("{} {}", parts.method, parts.uri.path()), String::new())
}

/// Answers one operation. The error is written as Route 53's XML by the dispatcher.
pub(crate) async fn call(_ctx: &Ctx, parts: &Parts, _body: &Bytes) -> Result<Reply, ApiError> {
    Err(ApiError::unknown_operation(parts.uri.path()))
}
