//! Reading and deleting MemoryDB snapshots. What is not there is `None`.

use std::time::Duration;

use aws_sdk_memorydb::types::Snapshot;

use super::cluster::SERVICE;
use crate::aws::{Op, call, found};
use crate::engine::{Cx, Failure, GONE, Seen, States, Wait};
use crate::steps::page::Ticket;
use crate::steps::{Env, creation};

const GONE_STATES: States =
    States { pending: &["deleting", "available", "failed"], success: &[GONE], terminal: &[] };

/// A snapshot with its shards.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn snapshot(env: &Env, name: &str) -> Result<Option<Snapshot>, Failure> {
    let request = env.aws.memorydb.describe_snapshots().snapshot_name(name).show_detail(true);
    let answer = found(call(Op::read(SERVICE, "DescribeSnapshots"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.snapshots?.into_iter().next()))
}

/// As `snapshot`, for a wait: shares one page with everybody else who waits for one.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn waited_snapshot(
    env: &Env,
    cx: &Cx,
    ticket: &Ticket<'_, Snapshot>,
    name: &str,
) -> Result<Option<Snapshot>, Failure> {
    let is = |found: &Snapshot| found.name().is_some_and(|n| n.eq_ignore_ascii_case(name));
    ticket.look(cx, || snapshot(env, name), || list(env, None, None), is).await
}

/// The automatic snapshots of a cluster.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn automatic(
    env: &Env,
    cluster: &str,
) -> Result<Vec<Snapshot>, Failure> {
    list(env, Some(cluster), Some("system")).await
}

async fn list(
    env: &Env,
    cluster: Option<&str>,
    source: Option<&str>,
) -> Result<Vec<Snapshot>, Failure> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = env
            .aws
            .memorydb
            .describe_snapshots()
            .set_cluster_name(cluster.map(str::to_owned))
            .set_source(source.map(str::to_owned))
            .show_detail(true)
            .set_next_token(token);
        let answer = call(Op::read(SERVICE, "DescribeSnapshots"), request.send()).await?;
        all.extend(answer.snapshots.unwrap_or_default());
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Asks for the deletion of a snapshot that was seen just now.
pub(super) async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
    let request = env.aws.memorydb.delete_snapshot().snapshot_name(name);
    env.aws
        .change(SERVICE, "DeleteSnapshot", request.send())
        .await
        .map(drop)
        .map_err(creation::not_deleted)
        .map_err(|failure| failure.context(format!("failed to delete snapshot \"{name}\"")))
}

/// Waits until a snapshot is gone.
pub(super) async fn wait_gone(env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("snapshot \"{name}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: Duration::from_secs(60),
    };
    let look = || async {
        let found = creation::unless_gone(cx, || snapshot(env, name)).await?;
        Ok(found.map_or_else(Seen::gone, |s| Seen::state(s.status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}
