//! `elasticache.delete_serverless_snapshot`: removes a manual snapshot of a serverless cache by its recorded name.

use std::time::Duration;

use aws_sdk_elasticache::types::ServerlessCacheSnapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::create_serverless_snapshot::{delete, wait_gone};
use super::serverless::{self, LONGEST_SNAPSHOT_NAME};
use crate::aws::elasticache_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action};

/// Deletes one manual snapshot of a serverless cache, by name, and waits until it is gone.
///
/// Automatic snapshots are refused: AWS removes those itself. A snapshot that is gone already is fine; one that is being
/// exported or copied is waited for. If another snapshot takes the name while the step waits it is left. The data in the
/// cache is not touched.
///
/// Not undone: a deleted snapshot cannot be brought back.
///
/// ```yaml
/// - id: remove_snapshot
///   elasticache.delete_serverless_snapshot: { snapshot: orc-0d3k9m2fqt-snapshot }
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
    /// The instant of its data; none if it was gone already.
    taken_at: Option<String>,
}

/// The snapshot that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: String,
}

/// `elasticache.delete_serverless_snapshot`.
pub(crate) struct DeleteServerlessSnapshot;

impl Step for DeleteServerlessSnapshot {
    const KIND: &'static str = "elasticache.delete_serverless_snapshot";
    const SUMMARY: &'static str = "delete one manual snapshot of a serverless cache by name";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeServerlessCacheSnapshots",
            "serverlesscachesnapshot:{snapshot}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DeleteServerlessCacheSnapshot",
            "serverlesscachesnapshot:{snapshot}",
            Phases::RUN,
        ),
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
        creation::name_faults(args, "snapshot", "snapshot name", LONGEST_SNAPSHOT_NAME)
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["snapshot"].as_str().unwrap_or("…");
        Sketch {
            does: format!("delete serverless snapshot \"{name}\""),
            undo: None,
            loses: Some(format!("serverless snapshot \"{name}\"")),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["snapshot"].as_str().unwrap_or("…");
        vec![Touch::deletes(format!("ElastiCache serverless snapshot \"{name}\""))]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::ElastiCacheSnapshotGone { bytes: cargo.bytes }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let name = args["snapshot"].as_str();
        name.map(|s| vec![Need::ServerlessSnapshot(s.to_owned())]).unwrap_or_default()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["snapshot"].as_str() else { return Vec::new() };
        match find(env, name, args["arn"].as_str()).await {
            Ok(Some(_)) => Vec::new(),
            Ok(None) => vec![Finding::ok(
                "snapshot.exists",
                format!("serverless snapshot \"{name}\" is gone already"),
            )],
            Err(failure) => vec![Finding::of("snapshot.exists", &failure)],
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
            what: "ElastiCache serverless snapshot".to_owned(),
            arn: Some(elasticache_arn(&env.identity, "serverlesscachesnapshot", &name)),
            name: name.clone(),
            role: Role::Deletes,
        };
        let resources = found.iter().map(|_| resource.clone()).collect();
        Ok((Prepared { name, taken_at: found.as_ref().map(serverless::taken_at) }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let output = Output { name: name.clone() };
        let looking = || serverless::snapshot(env, name);
        let found = match prepared.taken_at {
            Some(_) => creation::until_visible(cx, looking).await?,
            None => looking().await?,
        };
        let Some(found) = found else { return Ok(Done::Unchanged(output)) };
        // A snapshot that was still being created when it was recorded may have had no instant yet.
        let same = prepared.taken_at.as_ref().is_some_and(|recorded| {
            recorded.is_empty() || *recorded == serverless::taken_at(&found)
        });
        if !same {
            return Err(Failure::new(
                Class::Conflict,
                format!(
                    "serverless snapshot \"{name}\" is not the one that was recorded; it was left"
                ),
            )
            .mend("run again if this one is to be deleted too"));
        }
        match serverless::status(&found).as_str() {
            "deleting" => {}
            "available" | "failed" | "create-failed" => delete(env, name).await?,
            status => {
                return Err(Failure::new(
                    Class::Busy,
                    format!(
                        "serverless snapshot \"{name}\" is {status}; it can be deleted when it is available"
                    ),
                ));
            }
        }
        wait_gone(env, cx, name).await?;
        Ok(Done::Changed(output))
    }
}

/// The snapshot, if it is there and may be deleted.
async fn find(
    env: &Env,
    name: &str,
    arn: Option<&str>,
) -> Result<Option<ServerlessCacheSnapshot>, Failure> {
    let Some(found) = serverless::snapshot(env, &name.to_ascii_lowercase()).await? else {
        return Ok(None);
    };
    // AWS documents no values of SnapshotType; manual snapshots show "manual".
    if found.snapshot_type().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("auto")) {
        return Err(Failure::fatal(format!(
            "serverless snapshot \"{name}\" is an automatic one and is not deleted"
        ))
        .mend("AWS removes automatic snapshots by the cache's retention; name a manual one"));
    }
    match (arn, found.arn()) {
        (Some(wanted), Some(is)) if !wanted.eq_ignore_ascii_case(is) => {
            Err(Failure::fatal(format!(
                "serverless snapshot \"{name}\" is {is}, not the recorded {wanted}; it was left"
            ))
            .mend("check account, region and name"))
        }
        _ => Ok(Some(found)),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticache::Client;
    use aws_sdk_elasticache::error::ErrorMetadata;
    use aws_sdk_elasticache::operation::delete_serverless_cache_snapshot::DeleteServerlessCacheSnapshotOutput;
    use aws_sdk_elasticache::operation::describe_serverless_cache_snapshots::{
        DescribeServerlessCacheSnapshotsError, DescribeServerlessCacheSnapshotsOutput,
    };
    use aws_smithy_mocks::mock;
    use aws_smithy_types::DateTime;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown(status: &str, kind: &str, taken: i64) -> DescribeServerlessCacheSnapshotsOutput {
        let snapshot = ServerlessCacheSnapshot::builder()
            .serverless_cache_snapshot_name("old")
            .arn("arn:aws:elasticache:us-east-1:123456789012:serverlesscachesnapshot:old")
            .status(status)
            .snapshot_type(kind)
            .create_time(DateTime::from_secs(taken))
            .build();
        DescribeServerlessCacheSnapshotsOutput::builder()
            .serverless_cache_snapshots(snapshot)
            .build()
    }

    fn missing() -> DescribeServerlessCacheSnapshotsError {
        let meta = ErrorMetadata::builder().code("ServerlessCacheSnapshotNotFoundFault").build();
        DescribeServerlessCacheSnapshotsError::generic(meta)
    }

    #[tokio::test(start_paused = true)]
    async fn a_manual_snapshot_is_deleted_once_it_is_free_and_waited_away() {
        let describe = mock!(Client::describe_serverless_cache_snapshots)
            .sequence()
            .output(|| shown("AVAILABLE", "manual", 5))
            .output(|| shown("exporting", "manual", 5))
            .output(|| shown("available", "manual", 5))
            .output(|| shown("deleting", "manual", 5))
            .error(missing)
            .times(15)
            .build();
        let delete = mock!(Client::delete_serverless_cache_snapshot)
            .match_requests(|r| r.serverless_cache_snapshot_name() == Some("old"))
            .then_output(|| DeleteServerlessCacheSnapshotOutput::builder().build());
        let env = testing::env(Rules { elasticache: vec![&describe, &delete], ..Rules::default() });
        let spec: Spec = testing::spec(json!({"snapshot": "Old"}));
        let cx = testing::cx("remove");
        let (prepared, _) = DeleteServerlessSnapshot::prepare(&env, &spec, &cx).await.unwrap();
        let busy = DeleteServerlessSnapshot::execute(&env, &spec, &prepared, &cx).await;
        assert_eq!(busy.unwrap_err().class, Class::Busy);
        let done = DeleteServerlessSnapshot::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Changed(_)), "{done:?}");
        let again = DeleteServerlessSnapshot::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(again, Done::Unchanged(_)), "{again:?}");
        assert_eq!(delete.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn automatic_ones_other_arns_and_a_successor_of_the_name_are_left() {
        let describe = mock!(Client::describe_serverless_cache_snapshots)
            .then_output(|| shown("available", "automated", 5));
        let env = testing::env(Rules { elasticache: vec![&describe], ..Rules::default() });
        let (cx, spec) = (testing::cx("remove"), testing::spec(json!({"snapshot": "old"})));
        let failure = DeleteServerlessSnapshot::prepare(&env, &spec, &cx).await.unwrap_err();
        assert!(failure.message.contains("automatic"), "{failure}");

        let describe = mock!(Client::describe_serverless_cache_snapshots)
            .then_output(|| shown("available", "manual", 6));
        let env = testing::env(Rules { elasticache: vec![&describe], ..Rules::default() });
        let elsewhere = "arn:aws:elasticache:eu-west-1:1:serverlesscachesnapshot:old";
        let other = testing::spec(json!({"snapshot": "old", "arn": elsewhere}));
        let failure = DeleteServerlessSnapshot::prepare(&env, &other, &cx).await.unwrap_err();
        assert!(failure.message.contains("not the recorded"), "{failure}");
        let at = Some("1970-01-01T00:00:05Z".to_owned());
        let recorded = Prepared { name: "old".to_owned(), taken_at: at };
        let failure =
            DeleteServerlessSnapshot::execute(&env, &spec, &recorded, &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Conflict);
    }
}
