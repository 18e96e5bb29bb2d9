//! A replication group that a runbook changes: looking at it, whether it may be changed, and waiting for what was asked.
//!
//! The services' own waiters are not to be trusted here: `ReplicationGroupAvailable` is content with the `available` of
//! before the change, and a call without ApplyImmediately ends well and does nothing before the maintenance window. So a
//! change has come when the group is available, nothing is pending, and the values asked for are seen.

use std::cell::Cell;
use std::time::Duration;

use super::look::{self, SERVICE};
use super::values::Values;
use crate::aws::{Op, call};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::steps::Env;
use crate::survey::{Group, Node, describe, describe_node};

/// Replication group states (ElastiCache API reference, ReplicationGroup).
const STATES: States = States {
    pending: &["modifying", "snapshotting", "creating", SETTLING],
    success: &["available"],
    terminal: &["deleting", "create-failed", NOT_DONE],
};
/// State of the wait: available, and not yet what was asked for.
const SETTLING: &str = "settling";
/// State of the wait: it was modified, is available again, and is still not what was asked for.
const NOT_DONE: &str = "not carried out";
/// What is to be done about a busy group.
pub(super) fn waits(env: &Env, id: &str) -> String {
    format!(
        "nothing: the step waits for it; `aws elasticache describe-events --source-type replication-group \
         --source-identifier {id} --region {}` says what it is at",
        env.identity.region
    )
}
/// For how long a group may be available after a change without showing it: describes lag by a minute or two.
const SHOWN_WITHIN: Duration = Duration::from_secs(10 * 60);

/// The group and what its first node shows.
///
/// # Errors
/// `Busy` where the node cannot be found, as while it is replaced; or as `aws::call`.
pub(super) async fn read(env: &Env, id: &str) -> Result<Option<Group>, Failure> {
    let Some(found) = look::group(env, id).await? else { return Ok(None) };
    let node = match found.member_clusters().first() {
        None => Node::default(),
        Some(member) => {
            let request = env.aws.elasticache.describe_cache_clusters().cache_cluster_id(member);
            let answer = call(Op::read(SERVICE, "DescribeCacheClusters"), request.send()).await;
            let answer = answer.map_err(|mut failure| {
                if failure.class == Class::NotFound {
                    failure.class = Class::Busy;
                }
                failure
            })?;
            answer.cache_clusters().first().map(describe_node).unwrap_or_default()
        }
    };
    Ok(Some(describe(&found, Ok(node))))
}

/// A group that must be there.
///
/// # Errors
/// `NotFound`, or as `read`.
pub(super) async fn need(env: &Env, id: &str) -> Result<Group, Failure> {
    match read(env, id).await? {
        Some(group) => Ok(group),
        // It says where it was looked for.
        None => look::need_group(env, id).await.map(|group| describe(&group, Ok(Node::default()))),
    }
}

/// Everything that waits: AWS would carry it out together with the next change.
pub(super) fn pending(group: &Group) -> Vec<String> {
    let of_node = group.node.iter().flat_map(|node| node.pending.iter().cloned());
    group.pending.iter().cloned().chain(of_node).collect()
}

/// Whether it may be changed now.
///
/// # Errors
/// `Busy` where that passes by itself, else `Fatal`.
pub(super) fn at_rest(group: &Group) -> Result<(), Failure> {
    let id = &group.id;
    match group.status.as_str() {
        "available" => {}
        status @ ("deleting" | "create-failed") => {
            return Err(Failure::fatal(format!("replication group \"{id}\" is {status}")));
        }
        status => {
            return Err(Failure::new(
                Class::Busy,
                format!(
                    "replication group \"{id}\" is {status}; AWS takes no change until it is available"
                ),
            ));
        }
    }
    let pending = pending(group);
    if pending.is_empty() {
        return Ok(());
    }
    Err(Failure::fatal(format!(
        "replication group \"{id}\" has a change pending: {}",
        pending.join(", ")
    ))
    .because("AWS would carry it out together with this one")
    .mend("let its maintenance window pass, or withdraw the pending change, then run again"))
}

/// What the survey says of a group that is to be changed, and the group where it can be judged further.
pub(super) async fn state_findings(env: &Env, id: &str) -> (Vec<Finding>, Option<Group>) {
    let group = match env.survey.group(id).await {
        Ok(group) => group,
        Err(failure) => return (vec![Finding::of("group.state", &failure)], None),
    };
    let Some(group) = group.as_ref().clone() else {
        let what = format!("there is no replication group \"{id}\" here");
        let mend = "check the name, the region and the account";
        return (vec![Finding::will_fail("group.state", what, mend)], None);
    };
    let mut findings = Vec::new();
    if let Err(failure) = &group.node {
        findings.push(Finding::of("group.state", failure));
    }
    findings.push(match at_rest(&group) {
        Ok(()) => Finding::ok(
            "group.state",
            format!("replication group \"{id}\" is available, and nothing is pending"),
        ),
        Err(failure) if failure.class == Class::Busy => {
            Finding::cannot_know("group.state", failure.to_string()).mend(waits(env, id))
        }
        Err(failure) => Finding::of("group.state", &failure),
    });
    (findings, Some(group))
}

/// Waits until the group is available and shows these values. `deferred`: what may stay pending, since it was left to the
/// maintenance window.
///
/// # Errors
/// `Terminal` if AWS gave up, or as `Cx::wait`.
pub(super) async fn wait_for(
    env: &Env,
    cx: &Cx,
    id: &str,
    wanted: &Values,
    deferred: bool,
    expected: Duration,
) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("replication group \"{id}\""),
        service: SERVICE,
        states: STATES,
        expected,
    };
    let available_since: Cell<Option<jiff::Timestamp>> = Cell::new(None);
    let look = || async {
        let Some(group) = read(env, id).await? else { return Ok(Seen::gone()) };
        if group.status != "available" {
            available_since.set(None);
            return Ok(Seen::state(group.status));
        }
        let waiting = pending(&group);
        let mut open = wanted.unmet(&group);
        if deferred {
            open.retain(|unmet| !waiting.iter().any(|what| what == &unmet.pending));
        }
        let mut open: Vec<String> = open.into_iter().map(|unmet| unmet.words).collect();
        if !deferred {
            open.extend(waiting.into_iter().map(|what| format!("{what} is pending")));
        }
        if open.is_empty() {
            return Ok(Seen::state("available"));
        }
        let since = available_since.get().unwrap_or_else(|| cx.clock.now());
        available_since.set(Some(since));
        let state = if cx.clock.since(since) > SHOWN_WITHIN { NOT_DONE } else { SETTLING };
        Ok(Seen { state: state.to_owned(), detail: Some(open.join(", ")) })
    };
    cx.wait(&wait, look, || async { None }).await.map(drop).map_err(|failure| {
        if failure.class != Class::Terminal {
            return failure;
        }
        failure.mend(format!(
            "`aws elasticache describe-events --source-type replication-group --source-identifier {id} --region {}` \
             says why; mend that, then run again",
            env.identity.region
        ))
    })
}
