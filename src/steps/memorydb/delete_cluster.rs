//! `memorydb.delete_cluster`: removes a cluster, on request alone.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{self, LONGEST_CLUSTER_NAME, LONGEST_SNAPSHOT_NAME, SERVICE};
use crate::aws::memorydb_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action};

const SNAPSHOT_STATES: States = States {
    pending: &["creating", "copying", "restoring"],
    success: &["available"],
    terminal: &["failed", "deleting"],
};

/// Deletes a MemoryDB cluster and all its data, and waits until it is gone.
///
/// With `final_snapshot` MemoryDB keeps a last snapshot under that name, and the step is done only when that snapshot is
/// available. Without it the data is gone. A cluster that is gone already is fine; one that is busy is waited for.
///
/// Not undone: the data is gone, or in the final snapshot. No rollback runs this step by itself.
///
/// ```yaml
/// - id: remove_cluster
///   memorydb.delete_cluster: { name: prod-mdb, final_snapshot: prod-mdb-last }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The cluster's name.
    pub(crate) name: String,
    /// The name of a snapshot to keep.
    #[serde(default)]
    pub(crate) final_snapshot: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    final_snapshot: Option<String>,
    /// Whether the cluster was there.
    found: bool,
}

/// The cluster that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
    /// The snapshot that was kept; "" if none.
    pub(crate) final_snapshot: String,
}

/// `memorydb.delete_cluster`.
pub(crate) struct DeleteCluster;

impl Step for DeleteCluster {
    const KIND: &'static str = "memorydb.delete_cluster";
    const SUMMARY: &'static str = "delete a MemoryDB cluster";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeClusters", "cluster/{name}", Phases::PLAN_RUN),
        action("memorydb:DescribeSnapshots", "snapshot/{final_snapshot}", Phases::RUN),
        action("memorydb:DeleteCluster", "cluster/{name}", Phases::RUN),
        action("memorydb:DeleteCluster", "snapshot/{final_snapshot}", Phases::RUN),
        // Asked for when a final snapshot is (MemoryDB API reference, DeleteCluster).
        action("memorydb:CreateSnapshot", "cluster/{name}", Phases::RUN).when("final_snapshot"),
        action("memorydb:CreateSnapshot", "snapshot/{final_snapshot}", Phases::RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "a deleted cluster cannot be brought back; restore its final snapshot if one was kept",
    )));
    const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
    const EXPECTED: Duration = Duration::from_secs(8 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "cluster name", LONGEST_CLUSTER_NAME);
        let (what, longest) = ("final snapshot name", LONGEST_SNAPSHOT_NAME);
        faults.extend(creation::name_faults(args, "final_snapshot", what, longest));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().unwrap_or("…");
        let kept = args.get("final_snapshot").is_some_and(|s| s.as_str() != Some(""));
        Sketch {
            does: format!("delete MemoryDB cluster \"{name}\""),
            undo: None,
            loses: Some(match kept {
                true => format!("cluster \"{name}\"; its data stays in the final snapshot"),
                false => format!("cluster \"{name}\" and all its data"),
            }),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().unwrap_or("…");
        let snapshot = args["final_snapshot"].as_str().filter(|snapshot| !snapshot.is_empty());
        let mut touches = vec![Touch::deletes(format!("MemoryDB cluster \"{name}\""))];
        touches.extend(snapshot.map(|s| Touch::creates(format!("MemoryDB snapshot \"{s}\""))));
        touches
    }

    fn costs(args: &Value, _cargo: Cargo) -> Vec<CostEffect> {
        let kept = args["final_snapshot"].as_str().is_some_and(|name| !name.is_empty());
        kept.then_some(CostEffect::MemoryDbSnapshot { bytes: None }).into_iter().collect()
    }

    fn needs(_args: &Value) -> Vec<Need> {
        Vec::new()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["name"].as_str() else { return Vec::new() };
        match cluster::cluster(env, &name.to_ascii_lowercase()).await {
            Ok(Some(_)) => Vec::new(),
            Ok(None) => {
                vec![Finding::ok("target.exists", format!("cluster \"{name}\" is gone already"))]
            }
            Err(failure) => vec![Finding::cannot_know("target.exists", failure.to_string())],
        }
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = creation::checked_name("cluster name", &spec.name, LONGEST_CLUSTER_NAME)?;
        let resource = |what: &str, kind: &str, name: &str, role| Resource {
            what: what.to_owned(),
            name: name.to_owned(),
            arn: Some(memorydb_arn(&env.identity, kind, name)),
            role,
        };
        let final_snapshot = match &spec.final_snapshot {
            Some(name) => {
                Some(creation::checked_name("final snapshot name", name, LONGEST_SNAPSHOT_NAME)?)
            }
            None => None,
        };
        // One "not found" may come from before the cluster was made, or while it is busy.
        let look = || cluster::cluster(env, &name);
        let found = creation::until_visible(cx, look).await?.is_some();
        let mut resources = Vec::new();
        if found {
            resources.push(resource("MemoryDB cluster", "cluster", &name, Role::Deletes));
            if let Some(snapshot) = &final_snapshot {
                if cluster::snapshot(env, snapshot).await?.is_some() {
                    return Err(Failure::new(
                        Class::Conflict,
                        format!("a MemoryDB snapshot \"{snapshot}\" exists already"),
                    )
                    .mend("choose another `final_snapshot`"));
                }
                resources.push(resource("MemoryDB snapshot", "snapshot", snapshot, Role::Creates));
            }
        }
        Ok((Prepared { name, final_snapshot, found }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let kept = prepared.final_snapshot.as_deref();
        let mut output = Output { name: name.clone(), final_snapshot: String::new() };
        if !prepared.found {
            return Ok(Done::Unchanged(output));
        }
        let found = creation::until_visible(cx, || cluster::cluster(env, name)).await?;
        if let Some(found) = &found {
            cluster::delete(env, found, kept).await?;
            cluster::wait_gone(env, cx, name).await?;
        }
        if let Some(snapshot) = kept {
            wait_kept(env, cx, snapshot).await?;
            output.final_snapshot = snapshot.to_owned();
        }
        Ok(if found.is_some() { Done::Changed(output) } else { Done::Unchanged(output) })
    }
}

async fn wait_kept(env: &Env, cx: &Cx, snapshot: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("final snapshot \"{snapshot}\""),
        service: SERVICE,
        states: SNAPSHOT_STATES,
        expected: Duration::from_secs(5 * 60),
    };
    let look = || async {
        let found = cluster::snapshot(env, snapshot).await?;
        Ok(found.map_or_else(Seen::gone, |s| Seen::state(s.status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::error::ErrorMetadata;
    use aws_sdk_memorydb::operation::delete_cluster::DeleteClusterOutput;
    use aws_sdk_memorydb::operation::describe_clusters::{
        DescribeClustersError, DescribeClustersOutput,
    };
    use aws_sdk_memorydb::operation::describe_snapshots::{
        DescribeSnapshotsError, DescribeSnapshotsOutput,
    };
    use aws_sdk_memorydb::types::error::{ClusterNotFoundFault, SnapshotNotFoundFault};
    use aws_sdk_memorydb::types::{Cluster, Snapshot};
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown(status: &str) -> DescribeClustersOutput {
        let cluster = Cluster::builder().name("old").status(status).build();
        DescribeClustersOutput::builder().clusters(cluster).build()
    }

    fn missing() -> DescribeClustersError {
        let meta = ErrorMetadata::builder().code("ClusterNotFoundFault").build();
        DescribeClustersError::ClusterNotFoundFault(
            ClusterNotFoundFault::builder().meta(meta).build(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_cluster_goes_and_the_final_snapshot_is_waited_for() {
        let describe = mock!(Client::describe_clusters)
            .sequence()
            .output(|| shown("available"))
            .output(|| shown("snapshotting"))
            .output(|| shown("available"))
            .output(|| shown("deleting"))
            .error(missing)
            .times(15)
            .build();
        let snapshots = mock!(Client::describe_snapshots)
            .sequence()
            .error(|| {
                let meta = ErrorMetadata::builder().code("SnapshotNotFoundFault").build();
                DescribeSnapshotsError::SnapshotNotFoundFault(
                    SnapshotNotFoundFault::builder().meta(meta).build(),
                )
            })
            .output(|| {
                let snapshot = Snapshot::builder().name("last").status("creating").build();
                DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
            })
            .output(|| {
                let snapshot = Snapshot::builder().name("last").status("available").build();
                DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
            })
            .times(2)
            .build();
        let delete = mock!(Client::delete_cluster)
            .match_requests(|r| r.final_snapshot_name() == Some("last"))
            .then_output(|| DeleteClusterOutput::builder().build());
        let rules = vec![&describe, &snapshots, &delete];
        let env = testing::env(Rules { memorydb: rules, ..Rules::default() });
        let spec: Spec = testing::spec(json!({"name": "Old", "final_snapshot": "Last"}));
        let cx = testing::cx("remove");
        let (prepared, _) = DeleteCluster::prepare(&env, &spec, &cx).await.unwrap();
        let busy = DeleteCluster::execute(&env, &spec, &prepared, &cx).await.unwrap_err();
        assert_eq!(busy.class, Class::Busy);
        let done = DeleteCluster::execute(&env, &spec, &prepared, &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!(output.final_snapshot, "last");
        let again = DeleteCluster::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(again, Done::Unchanged(_)), "{again:?}");
        assert_eq!(delete.num_calls(), 1);
    }
}
