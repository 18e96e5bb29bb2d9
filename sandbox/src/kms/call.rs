use serde_json::{Value, json};

use crate::context::Ctx;
use crate::wire::ApiError;

/// Answers one operation of this service: JSON members in, JSON members out.
pub(crate) fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    match operation {
        "DescribeKey" => describe(ctx, input),
        other => Err(ApiError::unknown_operation(other)),
    }
}

/// DescribeKey.
fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let Some(named) = input["KeyId"].as_str().filter(|id| !id.is_empty()) else {
        return Err(ApiError::bad("ValidationException", "KeyId must not be empty"));
    };
    let world = ctx.world();
    let Some(key) = world.kms.find(named) else {
        let message = match named.rfind("alias/") {
            Some(at) => format!("Alias {} is not found.", arn(ctx, &named[at..])),
            None if named.starts_with("arn:") => format!("Key '{named}' does not exist"),
            None => format!("Key '{}' does not exist", arn(ctx, &format!("key/{named}"))),
        };
        return Err(ApiError::bad("NotFoundException", message));
    };
    Ok(json!({"KeyMetadata": {
        "AWSAccountId": ctx.account(),
        "KeyId": key.id,
        "Arn": key.arn,
        "Enabled": key.state == "Enabled",
        "Description": "",
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": false,
    }}))
}

pub(crate) fn arn(ctx: &Ctx, rest: &str) -> String {
    format!("arn:aws:kms:{}:{}:{rest}", ctx.region(), ctx.account())
}
