//! Tags by ARN.

use std::collections::BTreeMap;

use super::{groups, serverless, snapshots};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};
use crate::world::World;

type Tags = BTreeMap<String, String>;

const MOST: usize = 50;

fn invalid_arn(arn: &str) -> ApiError {
    ApiError::bad("InvalidARN", format!("{arn} is not the ARN of a resource that has tags"))
}

fn tags_of<'a>(world: &'a mut World, ctx: &Ctx, arn: &str) -> Result<&'a mut Tags, ApiError> {
    let prefix = format!("arn:aws:elasticache:{}:{}:", ctx.region(), ctx.account());
    let rest = arn.strip_prefix(&prefix).ok_or_else(|| invalid_arn(arn))?;
    let (kind, id) = rest.split_once(':').ok_or_else(|| invalid_arn(arn))?;
    let state = &mut world.elasticache;
    match kind {
        "replicationgroup" => {
            state.groups.get_mut(id).map(|g| &mut g.tags).ok_or_else(|| groups::not_found(id))
        }
        "snapshot" => {
            let found = state.snapshots.get_mut(id).filter(|s| s.visible <= ctx.now);
            found.map(|s| &mut s.tags).ok_or_else(|| snapshots::not_found(id))
        }
        "serverlesscache" => {
            state.caches.get_mut(id).map(|c| &mut c.tags).ok_or_else(|| serverless::no_cache(id))
        }
        "serverlesscachesnapshot" => {
            let found = state.cache_snapshots.get_mut(id).filter(|s| s.visible <= ctx.now);
            found.map(|s| &mut s.tags).ok_or_else(|| serverless::no_snapshot(id))
        }
        "user" => state
            .users
            .get_mut(id)
            .map(|u| &mut u.tags)
            .ok_or_else(|| ApiError::missing("UserNotFound", format!("User {id} not found."))),
        "usergroup" => state
            .user_groups
            .get_mut(id)
            .map(|g| &mut g.tags)
            .ok_or_else(|| ApiError::missing("UserGroupNotFound", format!("{id} not found."))),
        _ => Err(invalid_arn(arn)),
    }
}

fn answer(tags: &Tags) -> Xml {
    let items =
        tags.iter().map(|(key, value)| Xml::new("Tag").text("Key", key).text("Value", value));
    Xml::new("Result").list("TagList", items)
}

/// ListTagsForResource.
pub(super) fn list(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    Ok(answer(tags_of(&mut ctx.world(), ctx, params.need("ResourceName")?)?))
}

/// AddTagsToResource.
pub(super) fn add(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let mut world = ctx.world();
    let tags = tags_of(&mut world, ctx, params.need("ResourceName")?)?;
    let mut all = tags.clone();
    all.extend(params.tags());
    if all.len() > MOST {
        return Err(ApiError::bad(
            "TagQuotaPerResourceExceeded",
            format!("a resource has at most {MOST} tags"),
        ));
    }
    *tags = all;
    Ok(answer(tags))
}

/// RemoveTagsFromResource.
pub(super) fn remove(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let mut world = ctx.world();
    let tags = tags_of(&mut world, ctx, params.need("ResourceName")?)?;
    for key in params.list("TagKeys") {
        tags.remove(&key);
    }
    Ok(answer(tags))
}
