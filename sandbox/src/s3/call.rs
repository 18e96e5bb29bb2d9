use bytes::Bytes;
use http::Request;
use http::request::Parts;

use crate::context::Ctx;
use crate::wire::{ApiError, Reply, error};

/// The operation (`GetObject`, `ListObjectsV2`, …) and the resource (`bucket` or `bucket/key`) of this request.
pub(crate) fn operation(parts: &Parts) -> (String, String) {
    let path = parts.uri.path().trim_start_matches('/').to_owned();
    (format!("{}Object", parts.method), path)
}

/// Answers one request, errors included.
pub(crate) async fn call(ctx: &Ctx, request: Request<Bytes>) -> Reply {
    let error = ApiError::unknown_operation(request.uri().path());
    error::s3(&error, &ctx.request_id, request.method() == http::Method::HEAD)
}
