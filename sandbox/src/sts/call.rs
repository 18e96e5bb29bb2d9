use http::request::Parts;

use crate::context::Ctx;
use crate::iam;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Answers one STS operation. Only `GetCallerIdentity` exists here.
pub(crate) fn call(
    ctx: &Ctx,
    action: &str,
    _params: &Params,
    parts: &Parts,
) -> Result<Xml, ApiError> {
    match action {
        "GetCallerIdentity" => {
            let nobody = || format!("arn:aws:iam::{}:user/sandbox", ctx.account());
            let arn = iam::caller_of(ctx, parts).map_or_else(nobody, |caller| caller.arn);
            Ok(Xml::new("GetCallerIdentityResult")
                .text("UserId", "AIDASANDBOXOPERATOR00")
                .text("Account", ctx.account())
                .text("Arn", arn))
        }
        other => Err(ApiError::unknown_operation(other)),
    }
}
