//! What exists in ElastiCache.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::serverless::state::{Cache, CacheSnapshot};
use crate::context::Ctx;
use crate::data::{AclUser, Cluster, ShardInfo, ShardSnapshot};
use crate::elsewhere::Landing;
use crate::events::Event;
use crate::world::key_count;

/// What exists in ElastiCache.
#[derive(Debug, Clone, Default)]
pub(crate) struct ElastiCacheState {
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) caches: BTreeMap<String, Cache>,
    pub(crate) cache_snapshots: BTreeMap<String, CacheSnapshot>,
    pub(crate) exports: Vec<Export>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) user_groups: BTreeMap<String, UserGroup>,
    /// What is set in parameter groups that are not AWS's own.
    pub(crate) parameter_groups: BTreeMap<String, ParameterGroup>,

    pub(crate) events: Vec<Event>,
    /// When manual snapshots were taken, by the ARN's part of a node, group or serverless cache, for the quota of a day.
    pub(crate) taken: BTreeMap<String, Vec<Timestamp>>,
    /// When failovers were tested, for the quota of a day.
    pub(crate) failovers: Vec<Timestamp>,
}

/// A parameter group.
#[derive(Debug, Clone)]
pub(crate) struct ParameterGroup {
    /// Such as `redis7`.
    pub(crate) family: String,
    pub(crate) values: BTreeMap<String, String>,
}

/// What a group will be like when its state ends: of a change that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) node_type: Option<String>,
    pub(crate) engine: Option<String>,
    pub(crate) engine_version: Option<String>,
    pub(crate) parameter_group: Option<String>,
    pub(crate) user_groups: Option<Vec<String>>,
    pub(crate) retention: Option<u32>,
    pub(crate) replicas: Option<u16>,
    /// The ids of its shards.
    pub(crate) shards: Option<Vec<String>>,
}

/// What a new group is filled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Empty,
    Snapshot(String),
    /// Buckets and keys.
    Objects(Vec<(String, String)>),
}

/// A state that time will end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: Timestamp,
    /// The state after that; `None` is gone.
    pub(crate) to: Option<String>,
    /// Why it ends badly, for the events.
    pub(crate) reason: Option<String>,
}

impl Due {
    /// `state`, that long after now; or where and why the fault plan wants it to end.
    pub(super) fn reaching(ctx: &Ctx, duration: Duration, state: &str) -> Self {
        let (to, reason) = match ctx.effects.terminal.clone() {
            Some((state, reason)) => (state, Some(reason)),
            None => (state.to_owned(), None),
        };
        Self { at: ctx.due(duration), to: Some(to), reason }
    }

    /// Gone, that long after now.
    pub(super) fn gone(ctx: &Ctx, duration: Duration) -> Self {
        Self { at: ctx.due(duration), to: None, reason: None }
    }
}

/// A replication group.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) node_type: String,
    pub(crate) replicas: u16,
    pub(crate) cluster_mode: bool,
    pub(crate) tls: bool,
    pub(crate) data_tiering: bool,
    /// The durability asked for, of a Valkey 9 group.
    pub(crate) durability: Option<String>,
    pub(crate) user_groups: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) visible: Timestamp,
    /// Since when CloudWatch has data of it; never, if it has none.
    pub(crate) metrics_since: Option<Timestamp>,
    /// How many keys it was filled with.
    pub(crate) keys: u64,
    /// The servers; absent until they have started.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) shards: Vec<ShardInfo>,
    pub(crate) settings: Settings,
    pub(crate) change: Option<Change>,
    pub(crate) origin: Origin,
    /// Which node of a shard is the primary, where it is not the first.
    pub(crate) primaries: BTreeMap<String, usize>,
    /// Until when a node that was failed is being replaced.
    pub(crate) recovers: Option<Timestamp>,
}

/// What of a group is told, and changes little else here.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) auth_token: bool,
    /// Changes that wait for the maintenance window.
    pub(crate) pending: BTreeMap<String, String>,
    /// For how many days daily snapshots are kept.
    pub(crate) retention: u32,
    pub(crate) snapshot_window: String,
    pub(crate) maintenance_window: String,
    /// AWS's own, where it is absent.
    pub(crate) parameter_group: Option<String>,
    /// What is set in it.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) subnet_group: String,
    pub(crate) security_groups: Vec<String>,
    /// The global datastore, and the role in it.
    pub(crate) global: Option<(String, String)>,
    /// How many logical databases hold keys.
    pub(crate) databases: u16,
    /// The openings of the windows that were noticed last: of snapshots, and of maintenance.
    pub(crate) last_windows: (Option<Timestamp>, Option<Timestamp>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth_token: false,
            pending: BTreeMap::new(),
            retention: 0,
            snapshot_window: "05:00-06:00".to_owned(),
            maintenance_window: "sun:07:00-sun:08:00".to_owned(),
            parameter_group: None,
            parameters: BTreeMap::new(),
            subnet_group: "default".to_owned(),
            security_groups: Vec::new(),
            global: None,
            databases: 1,
            last_windows: (None, None),
        }
    }
}

impl Group {
    /// The ids of its nodes by shard: `g-001` with cluster mode off, `g-0001-001` with it on.
    pub(crate) fn members(&self, shard: &ShardInfo) -> Vec<String> {
        let id = |n: u16| match self.cluster_mode {
            true => format!("{}-{}-{n:03}", self.id, shard.id),
            false => format!("{}-{n:03}", self.id),
        };
        (1..=self.replicas + 1).map(id).collect()
    }

    /// The index of a shard's primary among its members.
    pub(crate) fn primary(&self, shard: &ShardInfo) -> usize {
        let kept = self.primaries.get(&shard.id).copied().unwrap_or(0);
        if kept <= usize::from(self.replicas) { kept } else { 0 }
    }

    pub(crate) fn all_members(&self) -> Vec<String> {
        self.shards.iter().flat_map(|shard| self.members(shard)).collect()
    }
}

/// A snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    /// The group it was taken from.
    pub(crate) group: String,
    /// The node it was taken from, with cluster mode off.
    pub(crate) node: Option<String>,
    pub(crate) engine: String,
    pub(crate) engine_version: String,
    pub(crate) node_type: String,
    pub(crate) replicas: u16,
    pub(crate) cluster_mode: bool,
    pub(crate) data_tiering: bool,
    pub(crate) kms_key: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) visible: Timestamp,
    pub(crate) manual: bool,
    /// Whether its group is `snapshotting` until it is done: true of a snapshot being taken, not of a copy.
    pub(crate) holds_group: bool,
    pub(crate) shards: Vec<ShardInfo>,
    /// The data by shard; absent until the servers have saved it.
    pub(crate) files: Option<Vec<ShardSnapshot>>,
}

/// What an export is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exported {
    Snapshot(String),
    CacheSnapshot(String),
}

impl Exported {
    /// The snapshot's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Snapshot(name) | Self::CacheSnapshot(name) => name,
        }
    }
}

/// An export that runs.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) of: Exported,
    pub(crate) bucket: String,
    /// The objects it will write, without those it loses on order.
    pub(crate) objects: Vec<(String, bytes::Bytes)>,
    pub(crate) due: Due,
    pub(crate) landing: Landing,
}

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) due: Option<Due>,
    pub(crate) engine: String,
    pub(crate) access_string: String,
    pub(crate) passwords: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A user group.
#[derive(Debug, Clone)]
pub(crate) struct UserGroup {
    pub(crate) id: String,
    pub(crate) engine: String,
    pub(crate) users: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Takes down what servers saved, or why they did not: then the snapshot fails when its time is up.
pub(super) fn take_down(
    saved: Result<Vec<ShardSnapshot>, String>,
    files: &mut Option<Vec<ShardSnapshot>>,
    due: &mut Option<Due>,
) {
    let why = match saved {
        Ok(saved) => {
            *files = Some(saved);
            return;
        }
        Err(why) => why,
    };
    *files = Some(Vec::new());
    if let Some(due) = due {
        due.to = Some("failed".to_owned());
        due.reason.get_or_insert(why);
    }
}

impl ElastiCacheState {
    /// Counts one more manual snapshot of `owner`, unless a day's quota is used up.
    pub(super) fn within_quota(&mut self, ctx: &Ctx, owner: String, quota: usize) -> bool {
        let taken = self.taken.entry(owner).or_default();
        taken.retain(|at| *at > ctx.ago(DAY));
        if taken.len() < quota {
            taken.push(ctx.now);
            return true;
        }
        false
    }

    pub(crate) fn event(
        &mut self,
        at: Timestamp,
        kind: &'static str,
        source: &str,
        message: impl Into<String>,
    ) {
        self.events.push(Event { at, source: source.to_owned(), kind, message: message.into() });
    }

    /// The users that may log in to a group, and whether anybody may.
    pub(crate) fn access(&self, user_groups: &[String]) -> (Vec<AclUser>, bool) {
        let ids = user_groups.iter().filter_map(|id| self.user_groups.get(id));
        let users = ids.flat_map(|group| &group.users).filter_map(|id| self.users.get(id));
        let users = users.map(|user| AclUser {
            name: user.name.clone(),
            access_string: user.access_string.clone(),
            passwords: user.passwords.clone(),
            no_password: user.passwords.is_empty(),
        });
        (users.collect(), user_groups.is_empty())
    }

    /// See `World::describe`.
    pub(crate) fn describe(&self) -> Value {
        // AWS's own is the same whether it was named or not.
        let own = |name: Option<&String>| name.filter(|n| !n.starts_with("default.")).cloned();
        let groups: BTreeMap<_, _> = self.groups.iter().map(|(id, g)| {
            (id, json!({
                "status": g.status, "engine": g.engine, "node_type": g.node_type,
                "engine_version": g.engine_version, "parameter_group": own(g.settings.parameter_group.as_ref()),
                "retention": g.settings.retention, "pending": g.settings.pending,
                "shards": g.shards.len(), "replicas": g.replicas, "cluster_mode": g.cluster_mode,
                "user_groups": g.user_groups, "tags": g.tags, "keys": key_count(g.cluster.as_ref(), g.keys),
            }))
        }).collect();
        let snapshots: BTreeMap<_, _> = self.snapshots.iter().map(|(name, s)| {
            let keys: Option<u64> =
                s.files.as_ref().map(|files| files.iter().map(|file| file.keys).sum());
            (name, json!({
                "status": s.status, "group": s.group, "node": s.node, "keys": keys, "tags": s.tags,
            }))
        }).collect();
        let users: BTreeMap<_, _> = self
            .users
            .iter()
            .map(|(id, u)| {
                (
                    id,
                    json!({
                        "name": u.name, "status": u.status, "access_string": u.access_string,
                        "passwords": u.passwords.len(), "tags": u.tags,
                    }),
                )
            })
            .collect();
        let user_groups: BTreeMap<_, _> =
            self.user_groups.iter().map(|(id, g)| (id, json!({"users": g.users}))).collect();
        let (caches, cache_snapshots) = super::serverless::describe(self);
        json!({
            "replication_groups": groups, "snapshots": snapshots,
            "serverless_caches": caches, "serverless_snapshots": cache_snapshots,
            "users": users, "user_groups": user_groups,
        })
    }
}
