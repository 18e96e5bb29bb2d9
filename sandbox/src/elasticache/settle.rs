//! What time has brought since the last request: states that ended, exports that landed, users that took effect.

use super::state::{Change, Due, ElastiCacheState, Exported, Origin};
use super::{serverless, snapshots, windows};
use crate::context::Ctx;
use crate::data::{AclUser, Cluster};
use crate::elsewhere::Landing;
use crate::world::World;

/// What has to be told to servers, once the state is unlocked.
#[derive(Debug, Default)]
struct Orders {
    stop: Vec<Cluster>,
    users: Vec<(Cluster, Vec<AclUser>, bool)>,
    /// The group, its servers, and the ids of the shards it is to have.
    reshard: Vec<(String, Cluster, Vec<String>)>,
    /// Automatic snapshots whose data is to be saved.
    save: Vec<String>,
}

/// Carries out what time has brought since the last request.
pub(crate) async fn settle(ctx: &Ctx) {
    let orders = {
        let mut world = ctx.world();
        let mut orders = Orders::default();
        ended_snapshots(ctx, &mut world.elasticache);
        serverless::settle(ctx, &mut world.elasticache);
        exports(ctx, &mut world);
        users(ctx, &mut world.elasticache, &mut orders);
        groups(ctx, &mut world.elasticache, &mut orders);
        windows::expire(ctx, &mut world.elasticache);
        orders.save = windows::begin(ctx, &mut world.elasticache);
        orders
    };
    for name in orders.save {
        snapshots::save(ctx, &name).await;
    }
    for cluster in orders.stop {
        cluster.stop().await;
    }
    for (id, cluster, ids) in orders.reshard {
        if let Err(error) = cluster.reshard(ids).await {
            tracing::warn!(%error, "a sandbox cluster was not resharded");
        }
        if let Some(group) = ctx.world().elasticache.groups.get_mut(&id) {
            group.shards = cluster.shards();
        }
    }
    for (cluster, users, open) in orders.users {
        if let Err(error) = cluster.set_users(users, open).await {
            tracing::warn!(%error, "a sandbox cluster did not take its users");
        }
    }
}

pub(super) fn ended(due: Option<&Due>, ctx: &Ctx) -> Option<Due> {
    due.filter(|due| due.at <= ctx.now).cloned()
}

fn ended_snapshots(ctx: &Ctx, state: &mut ElastiCacheState) {
    let mut over = Vec::new();
    for snapshot in state.snapshots.values_mut() {
        // A server that is still saving keeps its snapshot in `creating`, whatever the clock says.
        if snapshot.status == "creating" && snapshot.files.is_none() {
            continue;
        }
        if let Some(due) = ended(snapshot.due.as_ref(), ctx) {
            over.push((snapshot.name.clone(), snapshot.clone(), due));
        }
    }
    for (name, snapshot, due) in over {
        let Some(to) = &due.to else {
            state.snapshots.remove(&name);
            continue;
        };
        if let Some(entry) = state.snapshots.get_mut(&name) {
            entry.status.clone_from(to);
            entry.due = None;
            entry.holds_group = false;
        }
        let (kind, source) = match &snapshot.node {
            Some(node) => ("cache-cluster", node.clone()),
            None => ("replication-group", snapshot.group.clone()),
        };
        let what = if snapshot.node.is_some() { "cache cluster" } else { "replication group" };
        let text = match &due.reason {
            None => {
                format!(
                    "Snapshot succeeded for snapshot with ID '{name}' of {what} with ID '{source}'"
                )
            }
            Some(reason) => format!(
                "Snapshot failed for snapshot with ID '{name}' of {what} with ID '{source}'. {reason}"
            ),
        };
        state.event(due.at, kind, &source, text);
        if let Some(group) = state.groups.get_mut(&snapshot.group)
            && snapshot.holds_group
            && group.status == "snapshotting"
        {
            group.status = "available".to_owned();
        }
    }
}

fn exports(ctx: &Ctx, world: &mut World) {
    let (landed, running): (Vec<_>, Vec<_>) = world
        .elasticache
        .exports
        .drain(..)
        .partition(|export| export.due.at <= ctx.now && export.landing == Landing::Done);
    world.elasticache.exports = running;
    for export in landed {
        let at = export.due.at;
        for (key, body) in export.objects {
            world.s3.put_object(&export.bucket, &key, body, at, None);
        }
        let state = &mut world.elasticache;
        let name = match export.of {
            Exported::Snapshot(name) => name,
            Exported::CacheSnapshot(name) => {
                serverless::export_over(state, &name, &export.bucket, &export.due);
                continue;
            }
        };
        let Some(snapshot) = state.snapshots.get_mut(&name) else { continue };
        snapshot.status = "available".to_owned();
        let (kind, source) = match &snapshot.node {
            Some(node) => ("cache-cluster", node.clone()),
            None => ("replication-group", snapshot.group.clone()),
        };
        let bucket = &export.bucket;
        let text = match &export.due.reason {
            None => format!("Export of snapshot '{name}' to S3 bucket '{bucket}' completed"),
            Some(reason) => {
                format!("Export of snapshot '{name}' to S3 bucket '{bucket}' failed. {reason}")
            }
        };
        state.event(at, kind, &source, text);
    }
}

fn users(ctx: &Ctx, state: &mut ElastiCacheState, orders: &mut Orders) {
    let mut changed = Vec::new();
    for user in state.users.values_mut() {
        if let Some(due) = ended(user.due.as_ref(), ctx) {
            user.status = due.to.unwrap_or_default();
            user.due = None;
            changed.push(user.id.clone());
        }
    }
    if changed.is_empty() {
        return;
    }
    let touched = |id: &String| {
        state.user_groups.get(id).is_some_and(|g| g.users.iter().any(|u| changed.contains(u)))
    };
    let groups = state.groups.values().map(|g| (g.cluster.as_ref(), g.user_groups.as_slice()));
    let caches = state.caches.values().map(|c| (c.cluster.as_ref(), c.user_group.as_slice()));
    for (cluster, user_groups) in groups.chain(caches) {
        if let Some(cluster) = cluster.filter(|_| user_groups.iter().any(touched)) {
            let (users, open) = state.access(user_groups);
            orders.users.push((cluster.clone(), users, open));
        }
    }
}

fn groups(ctx: &Ctx, state: &mut ElastiCacheState, orders: &mut Orders) {
    let over: Vec<_> = state
        .groups
        .values()
        .filter(|group| {
            group.status != "creating" || !group.shards.is_empty() || failed(group.due.as_ref())
        })
        .filter_map(|group| Some((group.id.clone(), ended(group.due.as_ref(), ctx)?)))
        .collect();
    for (id, due) in over {
        match &due.to {
            None => {
                if let Some(group) = state.groups.remove(&id) {
                    orders.stop.extend(group.cluster);
                }
                state.event(
                    due.at,
                    "replication-group",
                    &id,
                    format!("Replication group {id} deleted"),
                );
            }
            Some(to) => {
                let (mut before, mut change, mut origin) = (String::new(), None, Origin::Empty);
                if let Some(group) = state.groups.get_mut(&id) {
                    before = std::mem::replace(&mut group.status, to.clone());
                    group.due = None;
                    change = group.change.take();
                    origin = group.origin.clone();
                }
                if let (Origin::Snapshot(name), "creating") = (origin, before.as_str())
                    && let Some(snapshot) = state.snapshots.get_mut(&name)
                    && snapshot.status == "restoring"
                {
                    "available".clone_into(&mut snapshot.status);
                }
                if let Some(change) = change {
                    apply(state, &id, change, orders);
                }
                let text = match &due.reason {
                    None if before == "creating" => format!("Replication group {id} created"),
                    None => format!("Replication group {id} is {to} again"),
                    Some(reason) => {
                        format!("Replication group {id} could not be created. {reason}")
                    }
                };
                state.event(due.at, "replication-group", &id, text);
            }
        }
    }
}

/// Makes a group what its change wants it to be.
fn apply(state: &mut ElastiCacheState, id: &str, change: Change, orders: &mut Orders) {
    let Some(group) = state.groups.get_mut(id) else { return };
    let Change { node_type, engine, engine_version, parameter_group, .. } = change;
    group.node_type = node_type.unwrap_or_else(|| group.node_type.clone());
    group.engine = engine.unwrap_or_else(|| group.engine.clone());
    group.engine_version = engine_version.unwrap_or_else(|| group.engine_version.clone());
    group.replicas = change.replicas.unwrap_or(group.replicas);
    let settings = &mut group.settings;
    settings.retention = change.retention.unwrap_or(settings.retention);
    if let Some(name) = parameter_group {
        let values = state.parameter_groups.get(&name).map(|group| group.values.clone());
        settings.parameters = values.unwrap_or_default();
        settings.parameter_group = Some(name);
    }
    let cluster = group.cluster.clone();
    if let (Some(ids), Some(cluster)) = (change.shards, cluster.clone()) {
        orders.reshard.push((id.to_owned(), cluster, ids));
    }
    let Some(user_groups) = change.user_groups else { return };
    group.user_groups.clone_from(&user_groups);
    if let Some(cluster) = cluster {
        let (users, open) = state.access(&user_groups);
        orders.users.push((cluster, users, open));
    }
}

fn failed(due: Option<&Due>) -> bool {
    due.is_some_and(|due| due.reason.is_some())
}
