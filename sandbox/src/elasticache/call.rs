//! From an action to the function that answers it.

use super::{
    copy, create, delete, events, failover, groups, modify, parameters, serverless, snapshots,
    tags, users,
};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Answers one action; the dispatcher puts the result into its envelope.
pub(crate) async fn call(ctx: &Ctx, action: &str, params: &Params) -> Result<Xml, ApiError> {
    match action {
        "DescribeReplicationGroups" => groups::describe(ctx, params),
        "DescribeCacheClusters" => groups::describe_nodes(ctx, params),
        "DescribeCacheParameters" => parameters::describe(ctx, params),
        "DescribeCacheSubnetGroups" => parameters::subnet_groups(ctx, params),
        "CreateReplicationGroup" => create::create(ctx, params).await,
        "DeleteReplicationGroup" => delete::delete(ctx, params).await,
        "ModifyReplicationGroup" => modify::modify(ctx, params),
        "ListAllowedNodeTypeModifications" => modify::allowed(ctx, params),
        "IncreaseReplicaCount" => modify::increase(ctx, params),
        "DecreaseReplicaCount" => modify::decrease(ctx, params),
        "ModifyReplicationGroupShardConfiguration" => modify::reshard(ctx, params),
        "TestFailover" => failover::test(ctx, params).await,
        "CreateSnapshot" => snapshots::create(ctx, params).await,
        "DescribeSnapshots" => snapshots::describe(ctx, params),
        "DeleteSnapshot" => snapshots::delete(ctx, params),
        "CopySnapshot" => copy::copy(ctx, params),
        "DescribeServerlessCaches" => serverless::describe_caches(ctx, params),
        "CreateServerlessCacheSnapshot" => serverless::create(ctx, params).await,
        "DescribeServerlessCacheSnapshots" => serverless::describe_snapshots(ctx, params),
        "DeleteServerlessCacheSnapshot" => serverless::delete(ctx, params),
        "ExportServerlessCacheSnapshot" => serverless::export(ctx, params),
        "DescribeUsers" => users::describe(ctx, params),
        "DescribeUserGroups" => users::describe_groups(ctx, params),
        "ModifyUser" => users::modify(ctx, params),
        "CreateUser" => users::create(ctx, params),
        "CreateUserGroup" => users::create_group(ctx, params),
        "DescribeEvents" => events::describe(ctx, params),
        "ListTagsForResource" => tags::list(ctx, params),
        "AddTagsToResource" => tags::add(ctx, params),
        "RemoveTagsFromResource" => tags::remove(ctx, params),
        other => Err(ApiError::unknown_operation(other)),
    }
}

pub(super) fn invalid_value(message: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterValue", message)
}

pub(super) fn invalid_combination(message: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterCombination", message)
}

/// The page that `Marker` and `MaxRecords` ask for. `max` is the largest page of the action; the smallest is 20.
pub(super) fn page(
    params: &Params,
    list: &'static str,
    items: Vec<Xml>,
    max: u64,
) -> Result<Xml, ApiError> {
    let size = params.number("MaxRecords")?.unwrap_or(max);
    if !(20..=max).contains(&size) {
        return Err(invalid_value(format!("MaxRecords must be between 20 and {max}, not {size}.")));
    }
    let Some((items, next)) = names::page(items, params.get("Marker"), size as usize) else {
        return Err(invalid_value("The marker is not valid."));
    };
    Ok(Xml::new("Result").maybe("Marker", next).list(list, items))
}
