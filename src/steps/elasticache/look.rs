//! Reading ElastiCache. What is not there is `None`.

use aws_sdk_elasticache::types::{DataTieringStatus, ReplicationGroup, Snapshot, SourceType};
use aws_smithy_types::date_time::Format;

use crate::aws::{Op, call, found};
use crate::engine::{Class, Cx, Failure};
use crate::steps::page::Ticket;
use crate::steps::{Env, ownership};
use crate::survey;

/// How services name ElastiCache in errors and share its pace.
pub(super) const SERVICE: &str = "ElastiCache";
/// Longest name of a manual snapshot (ElastiCache user guide, taking manual backups).
pub(super) const LONGEST_SNAPSHOT_NAME: usize = 40;

/// A snapshot, manual or automatic, with its node groups.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn snapshot(env: &Env, name: &str) -> Result<Option<Snapshot>, Failure> {
    let request =
        env.aws.elasticache.describe_snapshots().snapshot_name(name).show_node_group_config(true);
    let answer = found(call(Op::read(SERVICE, "DescribeSnapshots"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.snapshots?.into_iter().next()))
}

/// As `snapshot`, for a wait: shares one page with everybody else who waits for a manual snapshot.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn waited_snapshot(
    env: &Env,
    cx: &Cx,
    ticket: &Ticket<'_, Snapshot>,
    name: &str,
) -> Result<Option<Snapshot>, Failure> {
    waited_snapshot_of(env, cx, ticket, name, false).await
}

/// As `waited_snapshot`; for an `automatic` one the ticket is for the page of those.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn waited_snapshot_of(
    env: &Env,
    cx: &Cx,
    ticket: &Ticket<'_, Snapshot>,
    name: &str,
    automatic: bool,
) -> Result<Option<Snapshot>, Failure> {
    let is = |found: &Snapshot| found.snapshot_name().is_some_and(|n| n.eq_ignore_ascii_case(name));
    let source = if automatic { "system" } else { "user" };
    ticket.look(cx, || snapshot(env, name), || snapshots(env, source, None, None), is).await
}

/// The nodes of which a group's automatic snapshots are: with cluster mode on none, since they are the group's.
///
/// # Errors
/// `NotFound`, or as `aws::call`.
pub(in crate::steps) async fn snapshotted_nodes(
    env: &Env,
    id: &str,
) -> Result<Vec<String>, Failure> {
    let group = need_group(env, id).await?;
    Ok(match group.cluster_enabled() {
        Some(true) => Vec::new(),
        _ => group.member_clusters().to_vec(),
    })
}

/// The automatic snapshots of a group; with cluster mode off those of its nodes, since the service takes them of one.
///
/// # Errors
/// As `aws::call`.
pub(in crate::steps) async fn automatic(
    env: &Env,
    group: &str,
    nodes: &[String],
) -> Result<Vec<Snapshot>, Failure> {
    let mut all = snapshots(env, "system", Some(group), None).await?;
    for node in nodes {
        all.extend(snapshots(env, "system", None, Some(node)).await?);
    }
    Ok(all)
}

/// Snapshots of one source, "user" or "system", fifty a page, the most that DescribeSnapshots gives (ElastiCache API
/// reference).
async fn snapshots(
    env: &Env,
    source: &str,
    group: Option<&str>,
    node: Option<&str>,
) -> Result<Vec<Snapshot>, Failure> {
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        let request = env
            .aws
            .elasticache
            .describe_snapshots()
            .snapshot_source(source)
            .set_replication_group_id(group.map(str::to_owned))
            .set_cache_cluster_id(node.map(str::to_owned))
            .show_node_group_config(true)
            .max_records(50)
            .set_marker(marker);
        let answer = call(Op::read(SERVICE, "DescribeSnapshots"), request.send()).await?;
        all.extend(answer.snapshots.unwrap_or_default());
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(all);
        }
    }
}

/// A replication group.
///
/// # Errors
/// As `aws::call`.
pub(super) async fn group(env: &Env, id: &str) -> Result<Option<ReplicationGroup>, Failure> {
    let request = env.aws.elasticache.describe_replication_groups().replication_group_id(id);
    let answer = found(call(Op::read(SERVICE, "DescribeReplicationGroups"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.replication_groups?.into_iter().next()))
}

/// A replication group that must be there.
///
/// # Errors
/// `NotFound`, or as `aws::call`.
pub(super) async fn need_group(env: &Env, id: &str) -> Result<ReplicationGroup, Failure> {
    group(env, id).await?.ok_or_else(|| {
        Failure::new(
            Class::NotFound,
            format!(
                "there is no replication group \"{id}\" in {} of account {}",
                env.identity.region, env.identity.account
            ),
        )
        .mend(format!(
            "check the name, the region and the account; aws elasticache describe-replication-groups --region {} lists them",
            env.identity.region
        ))
    })
}

/// Where a group is reached, as `host:port`: by its configuration endpoint with cluster mode on, else by its primary's.
pub(super) fn endpoint(group: &ReplicationGroup) -> Option<String> {
    let primary = || group.node_groups().first().and_then(|shard| shard.primary_endpoint());
    let endpoint = group.configuration_endpoint().or_else(primary)?;
    Some(format!("{}:{}", endpoint.address()?, endpoint.port().unwrap_or(6379)))
}

/// Whether the resource carries the tags of this run and step.
///
/// # Errors
/// `Busy` while the tags cannot be read: ElastiCache answers "not found" for the tags of a resource that it is working
/// on (reported for snapshots and groups in `snapshotting`).
pub(super) async fn is_ours(env: &Env, cx: &Cx, arn: &str) -> Result<bool, Failure> {
    let request = env.aws.elasticache.list_tags_for_resource().resource_name(arn);
    let answer = call(Op::read(SERVICE, "ListTagsForResource"), request.send()).await;
    let answer = answer.map_err(|mut failure| {
        if failure.class == Class::NotFound {
            failure.class = Class::Busy;
        }
        failure.context(format!("could not read whose {arn} is"))
    })?;
    let tags = answer.tag_list();
    Ok(ownership::is_ours(cx, tags.iter().filter_map(|t| Some((t.key()?, t.value()?)))))
}

/// What the service's events of the last three hours say about `subject`: the newest message that names it, or else the
/// newest that speaks of a failure. A status has no reason; events have. They are kept for 14 days (ElastiCache API
/// reference, DescribeEvents).
pub(in crate::steps) async fn reason(
    env: &Env,
    source_type: SourceType,
    source: &str,
    subject: &str,
) -> Option<String> {
    let request = env
        .aws
        .elasticache
        .describe_events()
        .source_type(source_type)
        .source_identifier(source)
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
    let mut events: Vec<_> = answer.events.unwrap_or_default();
    events.sort_by_key(|event| std::cmp::Reverse(event.date.map_or(0, |date| date.secs())));
    let says = |wanted: &dyn Fn(&str) -> bool| {
        events.iter().filter_map(|event| event.message()).find(|m| wanted(m)).map(str::to_owned)
    };
    let failed = |m: &str| m.to_ascii_lowercase().contains("fail");
    let named = says(&|m| m.contains(subject) && failed(m)).or_else(|| {
        // A failure that names something else may be of last night's backup: it is told as what it is.
        let unnamed = says(&failed)?;
        Some(format!("(of {source}; it does not name \"{subject}\") {unnamed}"))
    });
    named
        .or_else(|| says(&|m| m.contains(subject)))
        .map(|message| format!("ElastiCache says: {message}"))
}

/// Where the events of a snapshot's source are: its node with cluster mode off, else its replication group.
pub(in crate::steps) fn source_of(snapshot: &Snapshot) -> Option<(SourceType, String)> {
    match (snapshot.cache_cluster_id(), snapshot.replication_group_id()) {
        (Some(node), _) => Some((SourceType::CacheCluster, node.to_owned())),
        (None, Some(group)) => Some((SourceType::ReplicationGroup, group.to_owned())),
        (None, None) => None,
    }
}

/// Whether data tiering is on: such snapshots cannot be exported (ElastiCache user guide, data tiering).
pub(in crate::steps) fn tiered(
    tiering: Option<&DataTieringStatus>,
    node_type: Option<&str>,
) -> bool {
    tiering == Some(&DataTieringStatus::Enabled)
        || node_type.is_some_and(|t| t.starts_with("cache.r6gd."))
}

/// The ids of the node groups in a snapshot. Users may choose them, and resharding leaves gaps, so they are read, never
/// counted (ElastiCache API reference, NodeGroupConfiguration). With cluster mode off the one file is `0001`.
pub(in crate::steps) fn node_groups(snapshot: &Snapshot) -> Vec<String> {
    let ids = snapshot.node_snapshots().iter();
    let ids =
        ids.map(|node| node.node_group_id().or(node.cache_node_id()).unwrap_or("0001").to_owned());
    let mut ids: Vec<String> = ids.collect();
    if ids.is_empty() {
        ids.push("0001".to_owned());
    }
    ids.sort();
    ids.dedup();
    ids
}

/// Bytes in all shards, as far as AWS says: it gives texts such as "3 MB", and nothing while creating.
pub(in crate::steps) fn bytes(snapshot: &Snapshot) -> u64 {
    snapshot.node_snapshots().iter().filter_map(|node| survey::size(node.cache_size()?)).sum()
}

/// The moment of each shard's snapshot, in the order of `node_groups`, as RFC 3339; "" where AWS does not say.
pub(in crate::steps) fn taken_at(snapshot: &Snapshot) -> Vec<String> {
    let at = |id: &String| {
        let node = snapshot.node_snapshots().iter().find(|node| {
            node.node_group_id().or(node.cache_node_id()).unwrap_or("0001") == id.as_str()
        });
        node.and_then(|node| node.snapshot_create_time()?.fmt(Format::DateTime).ok())
            .unwrap_or_default()
    };
    node_groups(snapshot).iter().map(at).collect()
}
