//! The caches.

use super::answer;
use crate::context::Ctx;
use crate::data::{ClusterSpec, DataError};
use crate::elasticache::call::invalid_value;
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Largest page of both describes (ElastiCache API reference); their smallest is not documented.
const PAGE: u64 = 50;

pub(in crate::elasticache) fn not_found(name: &str) -> ApiError {
    ApiError::missing("ServerlessCacheNotFoundFault", format!("Serverless Cache {name} not found."))
}

/// DescribeServerlessCaches.
pub(in crate::elasticache) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let caches = &world.elasticache.caches;
    let items = match params.get("ServerlessCacheName") {
        Some(name) => {
            let cache = caches.get(&name.to_ascii_lowercase()).ok_or_else(|| not_found(name))?;
            vec![answer::cache(ctx, cache)]
        }
        None => caches.values().map(|cache| answer::cache(ctx, cache)).collect(),
    };
    page(params, "ServerlessCaches", items)
}

/// The page that `NextToken` and `MaxResults` ask for.
pub(super) fn page(params: &Params, list: &'static str, items: Vec<Xml>) -> Result<Xml, ApiError> {
    let size = params.number("MaxResults")?.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&size) {
        return Err(invalid_value(format!("MaxResults must be at most {PAGE}, not {size}.")));
    }
    let Some((items, next)) = names::page(items, params.get("NextToken"), size as usize) else {
        return Err(invalid_value("The NextToken is not valid."));
    };
    Ok(Xml::new("Result").maybe("NextToken", next).list(list, items))
}

/// Starts the servers of a cache that is already in the state.
///
/// # Errors
/// A server does not start; the cache stays without servers.
pub(crate) async fn start(ctx: &Ctx, name: &str, partitions: u16) -> Result<(), DataError> {
    let spec = {
        let world = ctx.world();
        let Some(cache) = world.elasticache.caches.get(name) else { return Ok(()) };
        let (users, open_access) = world.elasticache.access(cache.user_group.as_slice());
        ClusterSpec {
            name: name.to_owned(),
            engine: cache.engine.clone(),
            engine_version: cache.full_version.clone(),
            shards: partitions,
            cluster_mode: true,
            tls: true,
            users,
            open_access,
        }
    };
    let cluster = ctx.data().start(spec).await?;
    if let Some(cache) = ctx.world().elasticache.caches.get_mut(name) {
        cache.cluster = Some(cluster);
    }
    Ok(())
}
