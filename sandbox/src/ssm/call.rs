use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{labels, read, tags, write};
use crate::context::Ctx;
use crate::wire::ApiError;

/// Answers one operation of this service: JSON members in, JSON members out.
pub(crate) async fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    let state = &mut ctx.world().ssm;
    match operation {
        "GetParameter" => read::get(state, ctx, parse(input)?),
        "GetParameters" => read::get_many(state, ctx, parse(input)?),
        "GetParametersByPath" => read::by_path(state, ctx, parse(input)?),
        "GetParameterHistory" => read::history(state, parse(input)?),
        "DescribeParameters" => read::describe(state, ctx, parse(input)?),
        "PutParameter" => write::put(state, ctx, parse(input)?),
        "DeleteParameter" => write::delete(state, parse(input)?),
        "DeleteParameters" => write::delete_many(state, parse(input)?),
        "LabelParameterVersion" => labels::label(state, parse(input)?),
        "UnlabelParameterVersion" => labels::unlabel(state, parse(input)?),
        "AddTagsToResource" => tags::add(state, parse(input)?),
        "RemoveTagsFromResource" => tags::remove(state, parse(input)?),
        "ListTagsForResource" => tags::list(state, parse(input)?),
        _ => Err(ApiError::unknown_operation(operation)),
    }
}

fn parse<T: DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(|error| ApiError::bad("ValidationException", error.to_string()))
}
