//! Tags by ARN.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{arn, need, tags_in, texts};
use super::{catalog, clusters, snapshots};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::world::World;

type Tags = BTreeMap<String, String>;

const MOST: usize = 50;

fn tags_of<'a>(world: &'a mut World, ctx: &Ctx, of: &str) -> Result<&'a mut Tags, ApiError> {
    let invalid = || ApiError::bad("InvalidARNFault", format!("{of} is not a valid ARN here"));
    let (head, name) = of.split_once('/').ok_or_else(invalid)?;
    let kind = head.rsplit(':').next().unwrap_or_default();
    if of != arn(ctx, kind, name) {
        return Err(invalid());
    }
    let missing = |code, what: &str| ApiError::bad(code, format!("{what} {name} not found."));
    let state = &mut world.memorydb;
    match kind {
        "cluster" => {
            let found = state.clusters.get_mut(name).filter(|c| c.visible <= ctx.now);
            found.map(|c| &mut c.tags).ok_or_else(|| clusters::not_found(name))
        }
        "snapshot" => {
            let found = state.snapshots.get_mut(name).filter(|s| s.visible <= ctx.now);
            found.map(|s| &mut s.tags).ok_or_else(|| snapshots::not_found(name))
        }
        "acl" => {
            let found = state.acls.get_mut(name);
            found.map(|a| &mut a.tags).ok_or_else(|| missing("ACLNotFoundFault", "ACL"))
        }
        "user" => {
            let found = state.users.get_mut(name);
            found.map(|u| &mut u.tags).ok_or_else(|| missing("UserNotFoundFault", "User"))
        }
        "parametergroup" => {
            let found = state.parameter_groups.get_mut(name);
            found.map(|g| &mut g.tags).ok_or_else(|| catalog::group_not_found(name))
        }
        "subnetgroup" => {
            let found = state.subnet_groups.get_mut(name);
            found.map(|g| &mut g.tags).ok_or_else(|| catalog::subnet_group_not_found(name))
        }
        _ => Err(invalid()),
    }
}

fn answer(tags: &Tags) -> Value {
    let items: Vec<_> =
        tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"TagList": items})
}

/// ListTags.
pub(super) fn list(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    Ok(answer(tags_of(&mut ctx.world(), ctx, need(input, "ResourceArn")?)?))
}

/// TagResource.
pub(super) fn add(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let mut world = ctx.world();
    let tags = tags_of(&mut world, ctx, need(input, "ResourceArn")?)?;
    let mut all = tags.clone();
    all.extend(tags_in(input));
    if all.len() > MOST {
        return Err(ApiError::bad(
            "TagQuotaPerResourceExceeded",
            format!("a resource has at most {MOST} tags"),
        ));
    }
    *tags = all;
    Ok(answer(tags))
}

/// UntagResource.
pub(super) fn remove(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let mut world = ctx.world();
    let tags = tags_of(&mut world, ctx, need(input, "ResourceArn")?)?;
    for key in texts(input, "TagKeys") {
        tags.remove(&key);
    }
    Ok(answer(tags))
}
