//! Exports to S3: what both sorts of snapshot have in common.

use bytes::Bytes;

use super::call::invalid_value;
use super::state::{Due, Export, Exported};
use crate::bucket_access::{Guest, export_refusal};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::world::World;

/// Whether ElastiCache may export to the bucket at all, with AWS's reason if not.
pub(super) fn allowed(ctx: &Ctx, world: &World, bucket: &str) -> Result<(), ApiError> {
    let who = (ctx.account(), ctx.region());
    match export_refusal(&world.s3, Guest::ElastiCache, bucket, who, &[]) {
        Some(refusal) => Err(invalid_value(refusal)),
        None => Ok(()),
    }
}

/// The first of these keys that the bucket has, or that an export is writing there.
pub(super) fn taken<'k>(world: &World, bucket: &str, keys: &[&'k str]) -> Option<&'k str> {
    let there =
        |key: &str| world.s3.buckets.get(bucket).is_some_and(|b| b.objects.contains_key(key));
    let running = |key: &str| {
        let exports = world.elasticache.exports.iter().filter(|export| export.bucket == bucket);
        exports.flat_map(|export| &export.objects).any(|(other, _)| other == key)
    };
    keys.iter().copied().find(|key| there(key) || running(key))
}

/// Begins an export, with what the fault plan takes from it. The snapshot's status is the caller's to change.
pub(super) fn begin(
    ctx: &Ctx,
    world: &mut World,
    of: Exported,
    bucket: &str,
    mut objects: Vec<(String, Bytes)>,
) {
    if ctx.effects.missing_objects {
        objects.pop();
    }
    let mut reason = None;
    if let Some((_, why)) = ctx.effects.terminal.clone() {
        objects.clear();
        reason = Some(why);
    }
    let due = Due { at: ctx.due(ctx.timings().export), to: Some("available".to_owned()), reason };
    let (bucket, landing) = (bucket.to_owned(), ctx.landing());
    world.elasticache.exports.push(Export { of, bucket, objects, due, landing });
}
