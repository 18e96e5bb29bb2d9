//! The AWS JSON 1.1 protocol.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::error::ApiError;
use super::reply::Reply;

/// Reads a request body; an empty one is an object without members.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad("SerializationException", error.to_string()))
}

/// A successful answer. Null is that of an operation without output: a structure without members.
pub(crate) fn respond(output: &Value, request_id: &str) -> Reply {
    let body = if output.is_null() { "{}".to_owned() } else { output.to_string() };
    Reply::new(200, "application/x-amz-json-1.1", body).header("x-amzn-requestid", request_id)
}

/// A time as JSON 1.1 carries it: seconds since the epoch, with a fraction.
pub(crate) fn epoch(at: Timestamp) -> Value {
    let millis = at.as_millisecond();
    if millis % 1000 == 0 { json!(millis / 1000) } else { json!(millis as f64 / 1000.0) }
}
