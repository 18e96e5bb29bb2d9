//! From an operation to the function that answers it, and how requests are read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    access, catalog, clusters, create, events, groups, parameters, snapshots, tags, update,
};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

/// Answers one operation: JSON members in, JSON members out.
pub(crate) async fn call(ctx: &Ctx, operation: &str, input: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateCluster" => create::create(ctx, input),
        "DescribeClusters" => clusters::describe(ctx, input),
        "UpdateCluster" => update::update(ctx, input),
        "ListAllowedNodeTypeUpdates" => update::allowed_node_types(ctx, input),
        "FailoverShard" => update::failover(ctx, input),
        "DeleteCluster" => clusters::delete(ctx, input),
        "CreateSnapshot" => snapshots::create(ctx, input).await,
        "DescribeSnapshots" => snapshots::describe(ctx, input),
        "DeleteSnapshot" => snapshots::delete(ctx, input),
        "CopySnapshot" => snapshots::copy(ctx, input),
        "DescribeACLs" => access::describe_acls(ctx, input),
        "CreateACL" => access::create_acl(ctx, input),
        "UpdateACL" => access::update_acl(ctx, input),
        "DeleteACL" => access::delete_acl(ctx, input),
        "DescribeUsers" => access::describe_users(ctx, input),
        "CreateUser" => access::create_user(ctx, input),
        "UpdateUser" => access::update_user(ctx, input),
        "DeleteUser" => access::delete_user(ctx, input),
        "DescribeSubnetGroups" => catalog::subnet_groups(ctx, input),
        "CreateSubnetGroup" => groups::create_subnets(ctx, input),
        "CreateParameterGroup" => groups::create_parameters(ctx, input),
        "UpdateParameterGroup" => groups::update_parameters(ctx, input),
        "DeleteParameterGroup" => groups::delete_parameters(ctx, input),
        "DeleteSubnetGroup" => groups::delete_subnets(ctx, input),
        "DescribeParameterGroups" => catalog::parameter_groups(ctx, input),
        "DescribeParameters" => parameters::describe(ctx, input),
        "DescribeReservedNodesOfferings" => catalog::offerings(ctx, input),
        "DescribeEngineVersions" => catalog::engine_versions(input),
        "DescribeEvents" => events::describe(ctx, input),
        "ListTags" => tags::list(ctx, input),
        "TagResource" => tags::add(ctx, input),
        "UntagResource" => tags::remove(ctx, input),
        other => Err(ApiError::unknown_operation(other)),
    }
}

pub(super) fn invalid_value(message: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterValueException", message)
}

pub(super) fn invalid_combination(message: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterCombinationException", message)
}

/// A member that must be there.
pub(super) fn need<'a>(input: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    let missing = || invalid_value(format!("The parameter {name} must be provided."));
    input[name].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

/// A list of texts; absent is empty.
pub(super) fn texts(input: &Value, name: &str) -> Vec<String> {
    let items = input[name].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The tags of a create call.
pub(super) fn tags_in(input: &Value) -> BTreeMap<String, String> {
    let items = input["Tags"].as_array().into_iter().flatten();
    let pair = |tag: &Value| {
        let value = tag["Value"].as_str().unwrap_or_default();
        Some((tag["Key"].as_str()?.to_owned(), value.to_owned()))
    };
    items.filter_map(pair).collect()
}

/// The page that `NextToken` and `MaxResults` ask for.
pub(super) fn page(input: &Value, list: &str, items: Vec<Value>) -> Result<Value, ApiError> {
    let size = input["MaxResults"].as_u64().unwrap_or(100).clamp(1, 100);
    let Some((items, next)) = names::page(items, input["NextToken"].as_str(), size as usize) else {
        return Err(invalid_value("The NextToken is not valid."));
    };
    let mut page = json!({ list: items });
    if let Some(next) = next {
        page["NextToken"] = json!(next);
    }
    Ok(page)
}

pub(super) fn arn(ctx: &Ctx, kind: &str, name: &str) -> String {
    format!("arn:aws:memorydb:{}:{}:{kind}/{name}", ctx.region(), ctx.account())
}
