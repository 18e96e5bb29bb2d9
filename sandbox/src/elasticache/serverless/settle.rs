//! What time has brought to the snapshots of caches. Event texts as in the ElastiCache user guide, serverless cache
//! events: an export that went well has none.

use crate::context::Ctx;
use crate::elasticache::settle::ended;
use crate::elasticache::state::{Due, ElastiCacheState};

const SOURCE: &str = "serverless-cache-snapshot";

/// Ends what is due.
pub(in crate::elasticache) fn settle(ctx: &Ctx, state: &mut ElastiCacheState) {
    // A server that is still saving keeps its snapshot in `creating`, whatever the clock says.
    let over: Vec<_> = state
        .cache_snapshots
        .values()
        .filter(|snapshot| snapshot.status != "creating" || snapshot.files.is_some())
        .filter_map(|s| Some((s.name.clone(), s.cache.clone(), ended(s.due.as_ref(), ctx)?)))
        .collect();
    for (name, cache, due) in over {
        let Some(to) = due.to else {
            state.cache_snapshots.remove(&name);
            continue;
        };
        if let Some(snapshot) = state.cache_snapshots.get_mut(&name) {
            snapshot.status = to;
            snapshot.due = None;
        }
        let text = match &due.reason {
            None => format!("Snapshot {name} created for cache {cache}."),
            Some(reason) => format!(
                "Failed to create snapshot for cache {cache}. Snapshot {name} creation failed because {reason}."
            ),
        };
        state.event(due.at, SOURCE, &name, text);
    }
}

/// Brings a snapshot back from its export.
pub(in crate::elasticache) fn export_over(
    state: &mut ElastiCacheState,
    name: &str,
    bucket: &str,
    due: &Due,
) {
    let Some(snapshot) = state.cache_snapshots.get_mut(name) else { return };
    snapshot.status = "available".to_owned();
    let cache = snapshot.cache.clone();
    if let Some(reason) = &due.reason {
        let text = format!(
            "Failed to export snapshot for cache {cache}. Could not export snapshot to bucket '{bucket}' because {reason}."
        );
        state.event(due.at, SOURCE, name, text);
    }
}
