use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{labels, random, secrets, values};
use crate::context::Ctx;
use crate::wire::ApiError;

/// Answers one operation of this service: JSON members in, JSON members out.
pub(crate) async fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    let state = &mut ctx.world().secretsmanager;
    match operation {
        "CreateSecret" => secrets::create(state, ctx, parse(input)?),
        "DescribeSecret" => secrets::describe(state, parse(input)?),
        "GetRandomPassword" => random::password(state, ctx, parse(input)?),
        "ListSecrets" => secrets::list(state, parse(input)?),
        "DeleteSecret" => secrets::delete(state, ctx, parse(input)?),
        "RestoreSecret" => secrets::restore(state, parse(input)?),
        "RotateSecret" => secrets::rotate(state, parse(input)?),
        "CancelRotateSecret" => secrets::cancel_rotation(state, parse(input)?),
        "TagResource" => secrets::tag(state, parse(input)?),
        "UntagResource" => secrets::untag(state, parse(input)?),
        "GetSecretValue" => values::get(state, parse(input)?),
        "PutSecretValue" => values::put(state, ctx, parse(input)?),
        "ListSecretVersionIds" => values::list(state, parse(input)?),
        "UpdateSecretVersionStage" => labels::update(state, ctx, parse(input)?),
        _ => Err(ApiError::unknown_operation(operation)),
    }
}

fn parse<T: DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(|error| ApiError::bad("ValidationException", error.to_string()))
}
