//! DeleteReplicationGroup.

use std::collections::BTreeMap;

use super::answer;
use super::call::{invalid_combination, invalid_value};
use super::groups::not_found;
use super::snapshots::{as_written, exists};
use super::state::{Due, Snapshot, take_down};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// DeleteReplicationGroup. A final snapshot is taken first, while the group is `deleting` already.
pub(super) async fn delete(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = params.need("ReplicationGroupId")?.to_ascii_lowercase();
    if params.flag("RetainPrimaryCluster") == Some(true) {
        return Err(invalid_combination("the sandbox retains no primary"));
    }
    let last = params.get("FinalSnapshotIdentifier");
    let last = last.map(|name| names::folded("FinalSnapshotIdentifier", name, 255));
    let last = last.transpose().map_err(invalid_value)?;
    let (answer, taken) = {
        let mut world = ctx.world();
        let state = &mut world.elasticache;
        if let Some(name) = last.as_ref().filter(|name| state.snapshots.contains_key(*name)) {
            return Err(exists(name));
        }
        let group = state.groups.get_mut(&id).filter(|group| group.visible <= ctx.now);
        let group = group.ok_or_else(|| not_found(&id))?;
        if !matches!(group.status.as_str(), "available" | "create-failed") {
            return Err(ApiError::bad(
                "InvalidReplicationGroupState",
                format!(
                    "Replication group {id} has status {} which is not valid for deletion.",
                    group.status
                ),
            ));
        }
        group.status = "deleting".to_owned();
        let mut takes = ctx.timings().delete;
        if last.is_some() {
            takes += ctx.timings().snapshot;
        }
        group.due = Some(Due::gone(ctx, takes));
        let answer = answer::group(ctx, group);
        let members = group.all_members();
        let taken = last.map(|name| {
            let first = members.get(1).or(members.first()).cloned();
            let snapshot = Snapshot {
                name,
                status: "creating".to_owned(),
                due: Some(Due::reaching(ctx, ctx.timings().snapshot, "available")),
                group: id.clone(),
                node: if group.cluster_mode { None } else { first },
                engine: group.engine.clone(),
                engine_version: group.engine_version.clone(),
                node_type: group.node_type.clone(),
                replicas: group.replicas,
                cluster_mode: group.cluster_mode,
                data_tiering: group.data_tiering,
                kms_key: None,
                tags: BTreeMap::new(),
                created: ctx.now,
                visible: ctx.due(ctx.timings().visibility),
                manual: true,
                holds_group: false,
                shards: group.shards.clone(),
                files: None,
            };
            (snapshot, group.cluster.clone(), group.settings.databases)
        });
        if let Some((snapshot, ..)) = &taken {
            state.snapshots.insert(snapshot.name.clone(), snapshot.clone());
        }
        (answer, taken)
    };
    let Some((snapshot, cluster, databases)) = taken else {
        return Ok(Xml::new("Result").child(answer));
    };
    let saved = match cluster {
        Some(cluster) => {
            let saved = cluster.snapshot().await.map_err(|error| error.to_string());
            match cluster.model().is_some() {
                true => saved.map(|files| {
                    as_written(&files, &snapshot.engine, &snapshot.engine_version, databases)
                }),
                false => saved,
            }
        }
        None => Err("the group has no running servers".to_owned()),
    };
    if let Some(kept) = ctx.world().elasticache.snapshots.get_mut(&snapshot.name) {
        take_down(saved, &mut kept.files, &mut kept.due);
    }
    Ok(Xml::new("Result").child(answer))
}
