//! `memorydb.delete_snapshot`: removes a manual snapshot by its recorded name.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::LONGEST_SNAPSHOT_NAME;
use super::snapshots::{delete, snapshot, wait_gone};
use crate::aws::memorydb_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::exports::Shown;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action};

/// Deletes one manual MemoryDB snapshot, by name, and waits until it is gone.
///
/// Automatic snapshots (`automatic.…`) are refused: AWS removes those itself. A snapshot that is gone already is fine;
/// one that is being copied or restored is waited for. If another snapshot takes the name while the step waits it is
/// left. The data in the cluster is not touched.
///
/// Not undone: a deleted snapshot cannot be brought back.
///
/// ```yaml
/// - id: remove_snapshot
///   memorydb.delete_snapshot: { snapshot: orc-0d3k9m2fqt-snapshot }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The snapshot's name.
    pub(crate) snapshot: String,
    /// Its recorded ARN; the step refuses a snapshot that has another.
    #[serde(default)]
    pub(crate) arn: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    /// The instants of its shards; none if it was gone already.
    taken_at: Option<Vec<String>>,
}

/// The snapshot that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
}

/// `memorydb.delete_snapshot`.
pub(crate) struct DeleteSnapshot;

impl Step for DeleteSnapshot {
    const KIND: &'static str = "memorydb.delete_snapshot";
    const SUMMARY: &'static str = "delete one manual MemoryDB snapshot by name";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeSnapshots", "snapshot/{snapshot}", Phases::PLAN_RUN),
        action("memorydb:DeleteSnapshot", "snapshot/{snapshot}", Phases::RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "a deleted snapshot cannot be brought back",
    )));
    const TIMEOUT: Duration = Duration::from_secs(2 * 3600);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        if let Some(name) = args["snapshot"].as_str().filter(|name| is_automatic(name)) {
            return vec![Fault::from(automatic(name)).key("snapshot")];
        }
        creation::name_faults(args, "snapshot", "snapshot name", LONGEST_SNAPSHOT_NAME)
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["snapshot"].as_str().unwrap_or("…");
        Sketch {
            does: format!("delete snapshot \"{name}\""),
            undo: None,
            loses: Some(format!("snapshot \"{name}\"")),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["snapshot"].as_str().unwrap_or("…");
        vec![Touch::deletes(format!("MemoryDB snapshot \"{name}\""))]
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["snapshot"].as_str() else { return Vec::new() };
        match find(env, name, args["arn"].as_str()).await {
            Ok(Some(_)) => Vec::new(),
            Ok(None) => {
                vec![Finding::ok("snapshot.exists", format!("snapshot \"{name}\" is gone already"))]
            }
            Err(failure) if failure.class == Class::Fatal => vec![Finding::will_fail(
                "snapshot.exists",
                failure.to_string(),
                failure.mend.clone().unwrap_or_default(),
            )],
            Err(failure) => vec![Finding::cannot_know("snapshot.exists", failure.to_string())],
        }
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        // One "not found" may come from before it was made, or while it is busy.
        let looking = || find(env, &spec.snapshot, spec.arn.as_deref());
        let found = creation::until_visible(cx, looking).await?;
        let name = spec.snapshot.to_ascii_lowercase();
        let resource = Resource {
            what: "MemoryDB snapshot".to_owned(),
            arn: Some(memorydb_arn(&env.identity, "snapshot", &name)),
            name: name.clone(),
            role: Role::Deletes,
        };
        let resources = found.iter().map(|_| resource.clone()).collect();
        Ok((
            Prepared { name, taken_at: found.as_ref().map(|found| Shown::from(found).taken_at) },
            resources,
        ))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let output = Output { name: name.clone() };
        let looking = || snapshot(env, name);
        let found = match prepared.taken_at {
            Some(_) => creation::until_visible(cx, looking).await?,
            None => looking().await?,
        };
        let Some(found) = found else { return Ok(Done::Unchanged(output)) };
        // A snapshot that was still being created when it was recorded had no instants yet.
        let same = prepared.taken_at.as_ref().is_some_and(|recorded| {
            recorded.iter().any(String::is_empty) || *recorded == Shown::from(&found).taken_at
        });
        if !same {
            return Err(Failure::new(
                Class::Conflict,
                format!("snapshot \"{name}\" is not the one that was recorded; it was left"),
            )
            .mend("run again if this one is to be deleted too"));
        }
        match found.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
            "deleting" => {}
            "available" | "failed" => delete(env, name).await?,
            status => {
                return Err(Failure::new(
                    Class::Busy,
                    format!(
                        "snapshot \"{name}\" is {status}; it can be deleted when it is available"
                    ),
                ));
            }
        }
        wait_gone(env, cx, name).await?;
        Ok(Done::Changed(output))
    }
}

fn is_automatic(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("automatic.")
}

fn automatic(name: &str) -> Failure {
    Failure::fatal(format!("snapshot \"{name}\" is an automatic one and is not deleted"))
        .mend("AWS removes automatic snapshots by the cluster's retention; name a manual one")
}

/// The snapshot, if it is there and may be deleted.
async fn find(
    env: &Env,
    name: &str,
    arn: Option<&str>,
) -> Result<Option<aws_sdk_memorydb::types::Snapshot>, Failure> {
    if is_automatic(name) {
        return Err(automatic(name));
    }
    let Some(found) = snapshot(env, &name.to_ascii_lowercase()).await? else {
        return Ok(None);
    };
    if found.source().is_some_and(|source| source.eq_ignore_ascii_case("automated")) {
        return Err(automatic(name));
    }
    match (arn, found.arn()) {
        (Some(wanted), Some(is)) if !wanted.eq_ignore_ascii_case(is) => Err(Failure::fatal(
            format!("snapshot \"{name}\" is {is}, not the recorded {wanted}; it was left"),
        )
        .mend("check account, region and name")),
        _ => Ok(Some(found)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::error::ErrorMetadata;
    use aws_sdk_memorydb::operation::delete_snapshot::DeleteSnapshotOutput;
    use aws_sdk_memorydb::operation::describe_snapshots::{
        DescribeSnapshotsError, DescribeSnapshotsOutput,
    };
    use aws_sdk_memorydb::types::Snapshot;
    use aws_sdk_memorydb::types::error::SnapshotNotFoundFault;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown(status: &str, source: &str) -> DescribeSnapshotsOutput {
        let snapshot = Snapshot::builder()
            .name("old")
            .arn("arn:aws:memorydb:us-east-1:123456789012:snapshot/old")
            .status(status)
            .source(source)
            .build();
        DescribeSnapshotsOutput::builder().snapshots(snapshot).build()
    }

    fn missing() -> DescribeSnapshotsError {
        let meta = ErrorMetadata::builder().code("SnapshotNotFoundFault").build();
        DescribeSnapshotsError::SnapshotNotFoundFault(
            SnapshotNotFoundFault::builder().meta(meta).build(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_manual_snapshot_is_deleted_once_it_is_free_and_waited_away() {
        let describe = mock!(Client::describe_snapshots)
            .sequence()
            .output(|| shown("available", "manual"))
            .output(|| shown("copying", "manual"))
            .output(|| shown("available", "manual"))
            .output(|| shown("deleting", "manual"))
            .error(missing)
            .times(15)
            .build();
        let delete = mock!(Client::delete_snapshot)
            .match_requests(|r| r.snapshot_name() == Some("old"))
            .then_output(|| DeleteSnapshotOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&describe, &delete], ..Rules::default() });
        let spec: Spec = testing::spec(json!({"snapshot": "Old"}));
        let cx = testing::cx("remove");
        let (prepared, _) = DeleteSnapshot::prepare(&env, &spec, &cx).await.unwrap();
        let busy = DeleteSnapshot::execute(&env, &spec, &prepared, &cx).await.unwrap_err();
        assert_eq!(busy.class, Class::Busy);
        let done = DeleteSnapshot::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Changed(_)), "{done:?}");
        let again = DeleteSnapshot::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(again, Done::Unchanged(_)), "{again:?}");
        assert_eq!(delete.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn automatic_snapshots_and_other_arns_are_refused() {
        let describe =
            mock!(Client::describe_snapshots).then_output(|| shown("available", "automated"));
        let env = testing::env(Rules { memorydb: vec![&describe], ..Rules::default() });
        let cx = testing::cx("remove");
        for args in [json!({"snapshot": "automatic.prod-2026"}), json!({"snapshot": "old"})] {
            let failure =
                DeleteSnapshot::prepare(&env, &testing::spec(args), &cx).await.unwrap_err();
            assert!(failure.message.contains("automatic"), "{failure}");
        }
        let manual = mock!(Client::describe_snapshots).then_output(|| shown("available", "manual"));
        let env = testing::env(Rules { memorydb: vec![&manual], ..Rules::default() });
        let args = json!({"snapshot": "old", "arn": "arn:aws:memorydb:eu-west-1:1:snapshot/old"});
        let failure = DeleteSnapshot::prepare(&env, &testing::spec(args), &cx).await.unwrap_err();
        assert!(failure.message.contains("not the recorded"), "{failure}");
    }
}
