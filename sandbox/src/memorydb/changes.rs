//! What time has brought to changes: of clusters, ACLs and users. What the servers have to be told is told once the state
//! is unlocked.

use std::collections::BTreeSet;

use super::state::{MemoryDbState, Pending};
use crate::context::Ctx;
use crate::data::{AclUser, Cluster, ClusterSpec};

/// What has to be told to servers.
pub(super) enum Order {
    /// Who may log in from now on.
    Users(Cluster, Vec<AclUser>, bool),
    /// The same keys in another number of shards.
    Reshard(Cluster, ClusterSpec),
}

/// Changes that are over.
pub(super) fn over(ctx: &Ctx, state: &mut MemoryDbState) -> Vec<Order> {
    let mut acls = users(ctx, state);
    acls.extend(lists(ctx, state));
    let mut tell: BTreeSet<String> = BTreeSet::new();
    for cluster in state.clusters.values().filter(|cluster| acls.contains(&cluster.acl)) {
        tell.insert(cluster.name.clone());
    }
    let mut orders = Vec::new();
    let due: Vec<String> = state
        .clusters
        .values()
        .filter(|cluster| cluster.status == "updating" && !cluster.filling)
        .filter(|cluster| cluster.due.as_ref().is_some_and(|due| due.at <= ctx.now))
        .map(|cluster| cluster.name.clone())
        .collect();
    for name in due {
        let Some(cluster) = state.clusters.get_mut(&name) else { continue };
        match cluster.pending.take() {
            Some(Pending::NodeType(node_type)) => cluster.node_type = node_type,
            Some(Pending::Replicas(replicas)) => cluster.replicas = replicas,
            Some(Pending::ParameterGroup(group)) => cluster.parameter_group = group,
            Some(Pending::Engine { engine, version, group }) => {
                (cluster.engine, cluster.engine_version) = (engine, version);
                cluster.parameter_group = group;
            }
            Some(Pending::Acl(acl)) => {
                cluster.acl = acl;
                tell.insert(name.clone());
            }
            Some(Pending::Shards(shards)) => {
                cluster.filling = true;
                cluster.shard_count = shards;
                let spec = (cluster.cluster.clone(), cluster.clone());
                if let (Some(servers), of) = spec {
                    let (users, open_access) = state.access(&of.acl);
                    let spec = ClusterSpec {
                        name: of.name,
                        engine: of.engine,
                        engine_version: of.engine_version,
                        shards,
                        cluster_mode: true,
                        tls: of.tls,
                        users,
                        open_access,
                    };
                    orders.push(Order::Reshard(servers, spec));
                }
            }
            None => {}
        }
    }
    for name in tell {
        let Some(cluster) = state.clusters.get(&name) else { continue };
        let (users, open) = state.access(&cluster.acl);
        orders.extend(cluster.cluster.clone().map(|servers| Order::Users(servers, users, open)));
    }
    orders
}

/// Users whose change or deletion is over; gives the ACLs that have or had them.
fn users(ctx: &Ctx, state: &mut MemoryDbState) -> BTreeSet<String> {
    let ended = |user: &super::state::User| user.due.as_ref().is_some_and(|due| due.at <= ctx.now);
    let names: Vec<String> =
        state.users.values().filter(|user| ended(user)).map(|user| user.name.clone()).collect();
    let mut acls = BTreeSet::new();
    for name in names {
        let has = |acl: &&super::state::Acl| acl.users.contains(&name);
        acls.extend(state.acls.values().filter(has).map(|acl| acl.name.clone()));
        let due = state.users.get_mut(&name).and_then(|user| user.due.take());
        match due.and_then(|due| due.to) {
            Some(to) => {
                if let Some(user) = state.users.get_mut(&name) {
                    user.status = to;
                }
            }
            None => {
                state.users.remove(&name);
                for acl in state.acls.values_mut() {
                    acl.users.retain(|user| *user != name);
                }
            }
        }
    }
    acls
}

/// ACLs whose creation, change or deletion is over.
fn lists(ctx: &Ctx, state: &mut MemoryDbState) -> BTreeSet<String> {
    let ended = |acl: &&super::state::Acl| acl.due.as_ref().is_some_and(|due| due.at <= ctx.now);
    let names: Vec<String> =
        state.acls.values().filter(ended).map(|acl| acl.name.clone()).collect();
    for name in &names {
        let due = state.acls.get_mut(name).and_then(|acl| acl.due.take());
        match due.and_then(|due| due.to) {
            Some(to) => {
                if let Some(acl) = state.acls.get_mut(name) {
                    acl.status = to;
                }
            }
            None => {
                state.acls.remove(name);
            }
        }
    }
    names.into_iter().collect()
}

/// Tells the servers.
pub(super) async fn tell(ctx: &Ctx, orders: Vec<Order>) {
    for order in orders {
        match order {
            Order::Users(servers, users, open) => {
                if let Err(error) = servers.set_users(users, open).await {
                    tracing::warn!(%error, "a sandbox cluster did not take its users");
                }
            }
            Order::Reshard(servers, spec) => reshard(ctx, servers, spec).await,
        }
    }
}

/// Moves the keys into new servers. With real ones the endpoint is another then, where on AWS it stays: clients connect anew.
async fn reshard(ctx: &Ctx, before: Cluster, spec: ClusterSpec) {
    let name = spec.name.clone();
    let moved = async {
        let files = before.snapshot().await?;
        let files = files.into_iter().map(|file| (file.shard_id, file.rdb)).collect();
        let after = ctx.data().start(spec).await?;
        let keys = after.restore(files).await?;
        Ok::<_, crate::data::DataError>((after, keys))
    };
    match moved.await {
        Ok((after, keys)) => {
            if let Some(cluster) = ctx.world().memorydb.clusters.get_mut(&name) {
                cluster.shards = after.shards();
                cluster.keys = keys;
                cluster.cluster = Some(after);
            }
            before.stop().await;
        }
        Err(error) => tracing::warn!(%error, "a sandbox cluster was not resharded"),
    }
    let mut world = ctx.world();
    let Some(cluster) = world.memorydb.clusters.get_mut(&name) else { return };
    cluster.filling = false;
    cluster.status = "available".to_owned();
    cluster.due = None;
}
