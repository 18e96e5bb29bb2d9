//! Values of a replication group that a step changes: which they are, whether they are there, and the call that asks for
//! them.

use serde::{Deserialize, Serialize};

use super::look::SERVICE;
use crate::engine::{Class, Failure};
use crate::steps::Env;
use crate::survey::Group;

/// Some of a group's values; what is absent is not spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Values {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) node_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) engine_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parameter_group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user_groups: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retention_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replicas: Option<u32>,
    /// The ids of the shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shards: Option<Vec<String>>,
}

/// A value that a group does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unmet {
    /// In words: `the node type is cache.r7g.large, not cache.r7g.xlarge`.
    pub(super) words: String,
    /// How the survey names the change while it is pending.
    pub(super) pending: String,
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list
}

/// Whether the full version `is` counts as `wanted`, which may leave out the patch: AWS chooses that.
pub(super) fn is_version(is: &str, wanted: &str) -> bool {
    is == wanted || is.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

impl Values {
    /// The group's own values, of those that `like` speaks of.
    pub(super) fn of(group: &Group, like: &Self) -> Self {
        let node = group.node.as_ref().ok();
        let own = |text: Option<&String>| text.cloned();
        Self {
            node_type: like.node_type.as_ref().map(|_| group.node_type.clone()),
            engine: like.engine.as_ref().map(|_| group.engine.clone()),
            engine_version: like
                .engine_version
                .as_ref()
                .and_then(|_| own(node?.engine_version.as_ref())),
            parameter_group: like
                .parameter_group
                .as_ref()
                .and_then(|_| own(node?.parameter_group.as_ref())),
            user_groups: like.user_groups.as_ref().map(|_| sorted(&group.user_groups)),
            retention_days: like.retention_days.map(|_| group.snapshot_retention_days),
            replicas: like.replicas.map(|_| group.replicas()),
            shards: like.shards.as_ref().map(|_| shard_ids(group)),
        }
    }

    /// What the group does not have yet.
    pub(super) fn unmet(&self, group: &Group) -> Vec<Unmet> {
        let now = Self::of(group, self);
        let mut unmet = Vec::new();
        let mut say = |what: &str, is: String, wanted: String, pending: String| {
            unmet.push(Unmet { words: format!("the {what} is {is}, not {wanted}"), pending });
        };
        let differs = |is: &Option<String>, wanted: &Option<String>| {
            wanted
                .as_ref()
                .filter(|wanted| is.as_ref().is_none_or(|is| !is.eq_ignore_ascii_case(wanted)))
                .map(|wanted| (is.clone().unwrap_or_else(|| "not told".to_owned()), wanted.clone()))
        };
        if let Some((is, wanted)) = differs(&now.node_type, &self.node_type) {
            let pending = format!("node type {wanted}");
            say("node type", is, wanted, pending);
        }
        if let Some((is, wanted)) = differs(&now.engine, &self.engine) {
            say("engine", is, wanted, String::new());
        }
        if let Some(wanted) = &self.engine_version {
            let is = now.engine_version.clone().unwrap_or_else(|| "not told".to_owned());
            if !is_version(&is, wanted) {
                say("engine version", is, wanted.clone(), format!("engine version {wanted}"));
            }
        }
        if let Some((is, wanted)) = differs(&now.parameter_group, &self.parameter_group) {
            say("parameter group", is, wanted, String::new());
        }
        let list =
            |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
        if let Some(wanted) = &self.user_groups
            && now.user_groups.as_deref() != Some(&sorted(wanted))
        {
            let is = list(now.user_groups.as_deref().unwrap_or_default());
            say("list of user groups", is, list(wanted), String::new());
        }
        let number = |n: Option<u32>| n.map_or_else(String::new, |n| n.to_string());
        if self.retention_days.is_some() && now.retention_days != self.retention_days {
            let (is, wanted) = (number(now.retention_days), number(self.retention_days));
            say("number of days that snapshots are kept", is, wanted, String::new());
        }
        // Every shard has to have them: the fewest alone would miss one that has too many.
        if let Some(wanted) = self.replicas
            && group.shards.iter().any(|shard| shard.nodes.len() != wanted as usize + 1)
        {
            say("number of replicas", number(now.replicas), wanted.to_string(), String::new());
        }
        if let Some(wanted) = &self.shards
            && now.shards.as_ref().map(Vec::len) != Some(wanted.len())
        {
            let is = now.shards.map_or(0, |shards| shards.len()).to_string();
            say("number of shards", is, wanted.len().to_string(), String::new());
        }
        unmet
    }

    /// In words: `node type cache.r7g.xlarge, 2 replicas a shard`.
    pub(super) fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.node_type.as_ref().map(|t| format!("node type {t}")));
        let engine = self.engine.as_deref().unwrap_or("engine version");
        words.extend(self.engine_version.as_ref().map(|v| format!("{engine} {v}")));
        words.extend(self.parameter_group.as_ref().map(|g| format!("parameter group {g}")));
        words.extend(self.user_groups.as_ref().map(|g| match g.is_empty() {
            true => "no user group".to_owned(),
            false => format!("user group {}", g.join(", ")),
        }));
        words.extend(self.retention_days.map(|d| format!("daily snapshots kept for {d} days")));
        words.extend(self.replicas.map(|n| format!("{n} replicas a shard")));
        words.extend(self.shards.as_ref().map(|ids| format!("{} shards", ids.len())));
        words.join(", ")
    }

    /// Asks for them. One call: of the kinds of changes that AWS has separate calls for, a step makes one.
    ///
    /// # Errors
    /// Those of the call.
    pub(super) async fn ask(&self, env: &Env, group: &Group, at_once: bool) -> Result<(), Failure> {
        let client = &env.aws.elasticache;
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let id = &group.id;
        if let Some(wanted) = self.replicas {
            let count = number(wanted as usize);
            let answer = if wanted > group.replicas() {
                let request = client.increase_replica_count().replication_group_id(id);
                let request = request.new_replica_count(count).apply_immediately(true);
                env.aws.change(SERVICE, "IncreaseReplicaCount", request.send()).await.map(drop)
            } else {
                let request = client.decrease_replica_count().replication_group_id(id);
                let request = request.new_replica_count(count).apply_immediately(true);
                env.aws.change(SERVICE, "DecreaseReplicaCount", request.send()).await.map(drop)
            };
            return match answer {
                // An earlier call did it.
                Err(failure) if failure.code() == Some("NoOperationFault") => Ok(()),
                answer => answer,
            };
        }
        if let Some(wanted) = &self.shards {
            let have = shard_ids(group);
            let request = client
                .modify_replication_group_shard_configuration()
                .replication_group_id(id)
                .node_group_count(number(wanted.len()))
                .apply_immediately(true);
            let retained: Vec<String> =
                have.iter().filter(|id| wanted.contains(id)).cloned().collect();
            let fewer = wanted.len() < have.len();
            let request = request.set_node_groups_to_retain(fewer.then_some(retained));
            let call = "ModifyReplicationGroupShardConfiguration";
            return env.aws.change(SERVICE, call, request.send()).await.map(drop);
        }
        let missing = |from: &[String], of: &[String]| -> Option<Vec<String>> {
            let ids: Vec<String> = from.iter().filter(|id| !of.contains(id)).cloned().collect();
            (!ids.is_empty()).then_some(ids)
        };
        let (add, remove) = match &self.user_groups {
            None => (None, None),
            Some(wanted) => {
                (missing(wanted, &group.user_groups), missing(&group.user_groups, wanted))
            }
        };
        let request = client
            .modify_replication_group()
            .replication_group_id(id)
            .apply_immediately(at_once)
            .set_cache_node_type(self.node_type.clone())
            .set_engine(self.engine.clone().filter(|engine| *engine != group.engine))
            .set_engine_version(self.engine_version.clone())
            .set_cache_parameter_group_name(self.parameter_group.clone())
            .set_user_group_ids_to_add(add)
            .set_user_group_ids_to_remove(remove)
            .set_snapshot_retention_limit(self.retention_days.map(|days| number(days as usize)));
        // With cluster mode off, snapshots cannot be turned on without naming the node that they are taken of; with it on,
        // naming one is refused (reported against the CDK and the Terraform provider).
        let turned_on = self.retention_days.is_some_and(|days| days > 0)
            && group.snapshot_retention_days == 0
            && !group.cluster_enabled;
        let node = group.shards.first().and_then(|shard| shard.nodes.last().cloned());
        let request = request.set_snapshotting_cluster_id(node.filter(|_| turned_on));
        env.aws.change(SERVICE, "ModifyReplicationGroup", request.send()).await.map(drop)
    }
}

/// The ids of a group's shards, in order.
pub(super) fn shard_ids(group: &Group) -> Vec<String> {
    sorted(&group.shards.iter().map(|shard| shard.id.clone()).collect::<Vec<_>>())
}

/// Says of AWS's refusals what to do.
pub(super) fn explain(failure: Failure) -> Failure {
    match failure.class {
        Class::Capacity => failure.mend(
            "AWS has no free nodes of this type in these zones now: wait, or choose another node type",
        ),
        Class::Quota => failure.mend(
            "have the quota raised (Service Quotas, ElastiCache), or ask for fewer nodes",
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_its_patch_means_every_patch_of_it() {
        assert!(is_version("7.2.6", "7.2") && is_version("7.2", "7.2"));
        assert!(!is_version("7.20.1", "7.2") && !is_version("7.1.0", "7.2"));
    }

    #[test]
    fn what_is_not_spoken_of_is_neither_wanted_nor_told() {
        let values = Values { replicas: Some(2), ..Values::default() };
        assert_eq!(values.words(), "2 replicas a shard");
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"replicas":2}"#);
        assert_eq!(serde_json::from_str::<Values>(&text).unwrap(), values);
    }
}
