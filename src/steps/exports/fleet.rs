//! Many exports at once: how many may run, and what becomes of the others when one fails.

use std::collections::VecDeque;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};

use super::latest::{self, Output, Prepared, Wanted};
use crate::engine::{Class, Cx, Failure};
use crate::steps::{Done, Env};

/// The limits of a fleet.
#[derive(Clone, Copy, Debug)]
pub(in crate::steps) struct Limits {
    pub(in crate::steps) max_parallel: usize,
    pub(in crate::steps) max_errors: usize,
}

/// How a fleet ended: what was exported, and what failed within the limit.
#[derive(Debug, Default)]
pub(in crate::steps) struct Ended {
    pub(in crate::steps) exports: Vec<Output>,
    pub(in crate::steps) failed: Vec<(String, Failure)>,
}

/// How many may run at once after so many good ends in a row: one, then two, then four. A failure begins it anew.
fn ramp(in_a_row: usize, most: usize) -> usize {
    let steps = (in_a_row + 1).ilog2();
    1_usize.checked_shl(steps).unwrap_or(usize::MAX).min(most.max(1))
}

/// Exports each of these. One that fails within the limit is undone and told; beyond it no other is begun, those that run
/// end, and the first failure is the fleet's.
///
/// # Errors
/// The first failure beyond the limit; at once what is the run's rather than a cluster's.
pub(in crate::steps) async fn execute(
    env: &Env,
    cx: &Cx,
    all: &[Wanted],
    limits: Limits,
) -> Result<Ended, Failure> {
    let mut waiting: VecDeque<&Wanted> = all.iter().collect();
    let mut running = FuturesUnordered::new();
    let (mut in_a_row, mut ended) = (0, Ended::default());
    loop {
        let stop = ended.failed.len() > limits.max_errors;
        while !stop && running.len() < ramp(in_a_row, limits.max_parallel) {
            let Some(wanted) = waiting.pop_front() else { break };
            running.push(async move { (wanted, one(env, cx, wanted).await) }.boxed_local());
        }
        let Some((wanted, result)) = running.next().await else { break };
        match result {
            Ok(output) => {
                in_a_row += 1;
                ended.exports.push(output);
                tell(cx, all.len(), &ended);
            }
            Err(failure) if is_of_the_run(&failure) => return Err(failure),
            Err(failure) => {
                in_a_row = 0;
                cx.warn(format!("\"{}\" was not exported: {failure}", wanted.cluster));
                ended.failed.push((wanted.cluster.clone(), failure));
            }
        }
    }
    // A fleet of which nothing was exported is no backup, whatever may fail.
    let nothing = ended.exports.is_empty() && !ended.failed.is_empty();
    if nothing || ended.failed.len() > limits.max_errors {
        let (cluster, first) = ended.failed.swap_remove(0);
        let (done, many) = (ended.exports.len(), all.len());
        return Err(first
            .context(format!("failed to export \"{cluster}\"; {done} of {many} were exported")));
    }
    for (cluster, _) in &ended.failed {
        undo_one(env, cx, cluster).await?;
    }
    ended.exports.sort_by(|a, b| a.cluster().cmp(b.cluster()));
    ended.failed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(ended)
}

fn is_of_the_run(failure: &Failure) -> bool {
    use Class::{Expired, Halted, Interrupted, Journal, TimedOut};
    matches!(failure.class, Expired | Halted | Interrupted | Journal | TimedOut)
}

fn tell(cx: &Cx, many: usize, ended: &Ended) {
    let state = format!("{} of {many} exported", ended.exports.len());
    let detail = (!ended.failed.is_empty()).then(|| format!("{} failed", ended.failed.len()));
    cx.progress("fleet", &state, detail, cx.clock.now());
}

async fn one(env: &Env, cx: &Cx, wanted: &Wanted) -> Result<Output, Failure> {
    let cx = cx.each(&wanted.cluster);
    let attempt = || async {
        let prepared = match prepared(&cx)? {
            Some(prepared) => prepared,
            None => {
                let (prepared, _) = latest::prepare(env, &cx, wanted).await?;
                // The step's own intent names the files; what only the cluster knows is durable here, before any change.
                cx.part("intent").note(latest::json(&prepared)?).await?;
                prepared
            }
        };
        match latest::execute(env, &cx, wanted, &prepared).boxed_local().await? {
            Done::Changed(output) | Done::Adopted(output) | Done::Unchanged(output) => Ok(output),
            Done::Ask(question) => {
                Err(Failure::fatal("an export asked a question").because(question))
            }
        }
    };
    cx.persist(attempt).await
}

fn prepared(cx: &Cx) -> Result<Option<Prepared>, Failure> {
    let Some(noted) = cx.part("intent").noted().filter(|noted| !noted.is_null()) else {
        return Ok(None);
    };
    serde_json::from_value(noted).map(Some).map_err(|error| {
        Failure::fatal("what was noted of a cluster does not read back").because(error.to_string())
    })
}

/// Removes what one cluster's export left that does not count.
async fn undo_one(env: &Env, cx: &Cx, cluster: &str) -> Result<Vec<String>, Failure> {
    let cx = cx.each(cluster);
    let Some(prepared) = prepared(&cx)? else { return Ok(Vec::new()) };
    cx.persist(|| latest::undo(env, &cx, &prepared)).await
}

/// The same for all.
///
/// # Errors
/// As a step's `undo`.
pub(in crate::steps) async fn undo(
    env: &Env,
    cx: &Cx,
    clusters: &[String],
) -> Result<Vec<String>, Failure> {
    let mut did = Vec::new();
    for cluster in clusters {
        did.extend(undo_one(env, cx, cluster).await?);
    }
    Ok(did)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_alone_then_two_then_four() {
        let allowed: Vec<usize> = (0..16).map(|done| ramp(done, 10)).collect();
        assert_eq!(allowed, [1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 10]);
        assert_eq!(ramp(1000, 1), 1);
        assert_eq!(ramp(0, 0), 1);
    }
}
