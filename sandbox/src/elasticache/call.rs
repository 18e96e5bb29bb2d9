use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Carries out what time has brought since the last request.
pub(crate) fn settle(_ctx: &Ctx) {}

/// Answers one action; the dispatcher puts the result into its envelope.
pub(crate) async fn call(_ctx: &Ctx, action: &str, _params: &Params) -> Result<Xml, ApiError> {
    Err(ApiError::unknown_operation(action))
}
