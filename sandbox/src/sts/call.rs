use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Answers one STS operation. Only `GetCallerIdentity` exists here.
pub(crate) fn call(ctx: &Ctx, action: &str, _params: &Params) -> Result<Xml, ApiError> {
    match action {
        "GetCallerIdentity" => Ok(Xml::new("GetCallerIdentityResult")
            .text("UserId", "AIDASANDBOXOPERATOR00")
            .text("Account", ctx.account())
            .text("Arn", format!("arn:aws:iam::{}:user/sandbox", ctx.account()))),
        other => Err(ApiError::unknown_operation(other)),
    }
}
