//! Reading ElastiCache Serverless. What is not there is `None`.

use aws_sdk_elasticache::types::{ServerlessCache, ServerlessCacheSnapshot, SourceType};
use aws_smithy_types::date_time::Format;

use super::look::{self, SERVICE};
use crate::aws::{Op, call, found};
use crate::engine::{Class, Cx, Failure};
use crate::steps::Env;
use crate::steps::page::Ticket;

/// Longest name of a snapshot (ElastiCache API reference, CreateServerlessCacheSnapshot).
pub(super) const LONGEST_SNAPSHOT_NAME: usize = 255;
/// The largest page of DescribeServerlessCacheSnapshots (ElastiCache API reference).
const PAGE: i32 = 50;

/// A serverless cache.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn cache(env: &Env, name: &str) -> Result<Option<ServerlessCache>, Failure> {
    let request = env.aws.elasticache.describe_serverless_caches().serverless_cache_name(name);
    let answer = found(call(Op::read(SERVICE, "DescribeServerlessCaches"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.serverless_caches?.into_iter().next()))
}

/// A serverless cache that must be there.
///
/// # Errors
/// `NotFound`, or as `aws::call`.
pub(super) async fn need_cache(env: &Env, name: &str) -> Result<ServerlessCache, Failure> {
    cache(env, name).await?.ok_or_else(|| {
        Failure::new(
            Class::NotFound,
            format!(
                "there is no serverless cache \"{name}\" in {} of account {}",
                env.identity.region, env.identity.account
            ),
        )
        .mend(format!(
            "check the name, the region and the account; aws elasticache describe-serverless-caches --region {} lists them",
            env.identity.region
        ))
    })
}

/// Where a cache is reached, as `host:port`.
pub(super) fn endpoint(cache: &ServerlessCache) -> Option<String> {
    let endpoint = cache.endpoint()?;
    Some(format!("{}:{}", endpoint.address()?, endpoint.port().unwrap_or(6379)))
}

/// A snapshot of a serverless cache.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn snapshot(
    env: &Env,
    name: &str,
) -> Result<Option<ServerlessCacheSnapshot>, Failure> {
    let request = env.aws.elasticache.describe_serverless_cache_snapshots();
    let request = request.serverless_cache_snapshot_name(name);
    let op = Op::read(SERVICE, "DescribeServerlessCacheSnapshots");
    let answer = found(call(op, request.send()).await)?;
    Ok(answer.and_then(|answer| answer.serverless_cache_snapshots?.into_iter().next()))
}

/// Every snapshot of every serverless cache.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn snapshots(env: &Env) -> Result<Vec<ServerlessCacheSnapshot>, Failure> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = env.aws.elasticache.describe_serverless_cache_snapshots();
        let request = request.max_results(PAGE).set_next_token(token);
        let op = Op::read(SERVICE, "DescribeServerlessCacheSnapshots");
        let answer = call(op, request.send()).await?;
        all.extend(answer.serverless_cache_snapshots.unwrap_or_default());
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// As `snapshot`, for a wait: shares one page with everybody else who waits for a serverless snapshot.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn waited_snapshot(
    env: &Env,
    cx: &Cx,
    ticket: &Ticket<'_, ServerlessCacheSnapshot>,
    name: &str,
) -> Result<Option<ServerlessCacheSnapshot>, Failure> {
    let is = |found: &ServerlessCacheSnapshot| {
        found.serverless_cache_snapshot_name().is_some_and(|n| n.eq_ignore_ascii_case(name))
    };
    ticket.look(cx, || snapshot(env, name), || snapshots(env), is).await
}

/// Its state in lower case: AWS's model has the states of caches in upper case, its samples in lower.
pub(super) fn status(snapshot: &ServerlessCacheSnapshot) -> String {
    snapshot.status().unwrap_or("unknown").to_ascii_lowercase()
}

/// The instant of its data, as RFC 3339; "" where AWS does not say.
pub(super) fn taken_at(snapshot: &ServerlessCacheSnapshot) -> String {
    let at = snapshot.create_time().and_then(|at| at.fmt(Format::DateTime).ok());
    at.unwrap_or_default()
}

/// Its size; 0 where AWS does not say.
pub(super) fn bytes(snapshot: &ServerlessCacheSnapshot) -> u64 {
    snapshot.bytes_used_for_cache().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The cache it is of.
pub(super) fn cache_of(snapshot: &ServerlessCacheSnapshot) -> Option<&str> {
    snapshot.serverless_cache_configuration()?.serverless_cache_name()
}

/// What the events of a snapshot say about `subject`, or about any failure of it. Failed snapshots and exports are told
/// there alone (ElastiCache user guide, serverless cache events).
pub(super) async fn reason(env: &Env, snapshot: &str, subject: &str) -> Option<String> {
    look::reason(env, SourceType::ServerlessCacheSnapshot, snapshot, subject).await
}
