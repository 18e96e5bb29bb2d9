//! Reading and deleting clusters. What is not there is `None`.

use std::time::Duration;

use aws_sdk_memorydb::types::{Acl, Cluster, Snapshot, SourceType};

use crate::aws::{Op, call, found};
use crate::engine::{Class, Cx, Failure, GONE, Seen, States, Wait};
use crate::steps::page::Ticket;
use crate::steps::{Env, creation, ownership};

/// How services name MemoryDB in errors and share its pace.
pub(super) const SERVICE: &str = "MemoryDB";
/// Longest name of a cluster or an ACL (MemoryDB API reference, CreateCluster).
pub(super) const LONGEST_CLUSTER_NAME: usize = 40;
/// Longest name of a snapshot.
pub(super) const LONGEST_SNAPSHOT_NAME: usize = 255;
/// The ACL that every account has and nobody can change: its only user needs no password and may run every command
/// (MemoryDB developer guide, authenticating users with ACLs).
pub(super) const OPEN_ACCESS: &str = "open-access";

const GONE_STATES: States = States {
    pending: &["deleting", "available", "snapshotting", "create-failed", "restore-failed"],
    success: &[GONE],
    terminal: &[],
};
/// Deletions take minutes (the Terraform provider allows two hours).
const DELETION: Duration = Duration::from_secs(8 * 60);

/// A cluster.
pub(super) async fn cluster(env: &Env, name: &str) -> Result<Option<Cluster>, Failure> {
    // With its shards: only they tell how many replicas there are.
    let request = env.aws.memorydb.describe_clusters().cluster_name(name).show_shard_details(true);
    let answer = found(call(Op::read(SERVICE, "DescribeClusters"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.clusters?.into_iter().next()))
}

/// As `cluster`, for a wait: shares one page with everybody else who waits for a cluster.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn waited_cluster(
    env: &Env,
    cx: &Cx,
    ticket: &Ticket<'_, Cluster>,
    name: &str,
) -> Result<Option<Cluster>, Failure> {
    let is = |found: &Cluster| found.name().is_some_and(|n| n.eq_ignore_ascii_case(name));
    ticket.look(cx, || cluster(env, name), || clusters(env), is).await
}

/// Every cluster.
async fn clusters(env: &Env) -> Result<Vec<Cluster>, Failure> {
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = env.aws.memorydb.describe_clusters().show_shard_details(true);
        let request = request.set_next_token(token);
        let answer = call(Op::read(SERVICE, "DescribeClusters"), request.send()).await?;
        all.extend(answer.clusters.unwrap_or_default());
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// An ACL.
pub(super) async fn acl(env: &Env, name: &str) -> Result<Option<Acl>, Failure> {
    let request = env.aws.memorydb.describe_acls().acl_name(name);
    let answer = found(call(Op::read(SERVICE, "DescribeACLs"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.acls?.into_iter().next()))
}

/// A MemoryDB snapshot.
pub(super) async fn snapshot(env: &Env, name: &str) -> Result<Option<Snapshot>, Failure> {
    let request = env.aws.memorydb.describe_snapshots().snapshot_name(name);
    let answer = found(call(Op::read(SERVICE, "DescribeSnapshots"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.snapshots?.into_iter().next()))
}

/// Whether the resource carries the tags of this run and step.
///
/// # Errors
/// `Busy` while the tags cannot be read.
pub(super) async fn is_ours(env: &Env, cx: &Cx, arn: &str) -> Result<bool, Failure> {
    let request = env.aws.memorydb.list_tags().resource_arn(arn);
    let answer = call(Op::read(SERVICE, "ListTags"), request.send()).await;
    let answer = answer.map_err(|mut failure| {
        if failure.class == Class::NotFound {
            failure.class = Class::Busy;
        }
        failure.context(format!("could not read whose {arn} is"))
    })?;
    let tags = answer.tag_list();
    Ok(ownership::is_ours(cx, tags.iter().filter_map(|t| Some((t.key()?, t.value()?)))))
}

/// What the service's events of the last three hours say went wrong with a cluster, newest first. A status has no
/// reason; events have (MemoryDB developer guide, event messages: "Restore from … failed for node …").
pub(in crate::steps) async fn reason(env: &Env, name: &str) -> Option<String> {
    let request = env
        .aws
        .memorydb
        .describe_events()
        .source_type(SourceType::Cluster)
        .source_name(name)
        .duration(180);
    let answer = match call(Op::read(SERVICE, "DescribeEvents"), request.send()).await {
        Ok(answer) => answer,
        Err(failure) if failure.class == Class::Denied => {
            return Some(format!(
                "{SERVICE}'s events may say why, but could not be read: {failure}"
            ));
        }
        Err(_) => return None,
    };
    let mut events = answer.events.unwrap_or_default();
    events.sort_by_key(|event| std::cmp::Reverse(event.date.map_or(0, |date| date.secs())));
    let mut messages: Vec<String> = Vec::new();
    for message in events.iter().filter_map(|event| event.message()) {
        let failed = message.to_ascii_lowercase().contains("fail");
        if failed && messages.len() < 3 && !messages.iter().any(|m| m == message) {
            messages.push(message.to_owned());
        }
    }
    let newest = events.iter().find_map(|event| event.message()).map(str::to_owned);
    let said = if messages.is_empty() { newest? } else { messages.join("; ") };
    Some(format!("MemoryDB says: {said}"))
}

/// Asks for a cluster's deletion, unless it is going already.
///
/// # Errors
/// `Busy` while the cluster is in a state that refuses it.
pub(super) async fn delete(
    env: &Env,
    cluster: &Cluster,
    final_snapshot: Option<&str>,
) -> Result<(), Failure> {
    let name = cluster.name().unwrap_or_default();
    let status = cluster.status().unwrap_or("unknown").to_ascii_lowercase();
    match status.as_str() {
        "deleting" => return Ok(()),
        "creating" | "updating" | "snapshotting" => {
            return Err(Failure::new(
                Class::Busy,
                format!("cluster \"{name}\" is {status}; it can be deleted after that"),
            ));
        }
        _ => {}
    }
    let request = env.aws.memorydb.delete_cluster().cluster_name(name);
    let request = request.set_final_snapshot_name(final_snapshot.map(str::to_owned));
    let answer = env.aws.change(SERVICE, "DeleteCluster", request.send()).await;
    answer
        .map(drop)
        .map_err(creation::not_deleted)
        .map_err(|failure| failure.context(format!("failed to delete cluster \"{name}\"")))
}

/// Waits until a cluster is gone.
pub(super) async fn wait_gone(env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("cluster \"{name}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: DELETION,
    };
    let look = || async {
        let found = creation::unless_gone(cx, || cluster(env, name)).await?;
        Ok(found.map_or_else(Seen::gone, |c| Seen::state(c.status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}
