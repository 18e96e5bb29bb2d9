//! `redis.count`: how many keys a deployment serves, against how many there should be.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::show::grouped;
use super::side::{Side, check, faults};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, action};

/// Counts the keys of a deployment of Redis or Valkey on all its primaries, and fails if they are not as many as they
/// should be.
///
/// Keys that may have expired meanwhile do not count against it: with `expiring` of them there may be that many fewer
/// than `expect`. With `since` it tells how many seconds have passed since then: with the run's begin, how long it took
/// until the data was served.
///
/// ```yaml
/// - id: count
///   redis.count:
///     at: { endpoint: "${{ steps.cluster.endpoint }}", user: reader, password: "secretsmanager:redis/reader" }
///     expect: "${{ steps.newest.key_count }}"
///     expiring: "${{ steps.newest.keys_with_expiry }}"
///     since: "${{ run.started }}"
/// ```
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The deployment.
    at: Side,
    /// How many keys it should have.
    expect: u64,
    /// How many of them may be gone, since they expire.
    #[serde(default)]
    expiring: u64,
    /// A moment, RFC 3339.
    #[serde(default)]
    since: Option<String>,
}

/// What was counted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The keys on all primaries.
    keys: u64,
    /// Seconds from `since` until they were counted; 0 without.
    seconds: f64,
}

/// `redis.count`.
pub(crate) struct Count;

impl Step for Count {
    const KIND: &'static str = "redis.count";
    const SUMMARY: &'static str = "count the keys of a deployment against how many there should be";
    const ACTIONS: &'static [Action] = &[
        action("secretsmanager:GetSecretValue", "secret:{at.password}", Phases::PLAN_RUN),
        action("ssm:GetParameter", "parameter/{at.password}", Phases::PLAN_RUN),
    ];
    const EFFECT: Effect = Effect::ReadOnly;
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = ();
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut found = faults(args, "at");
        if let Some(text) = args["since"].as_str()
            && text.parse::<Timestamp>().is_err()
        {
            let fault = Fault::new(format!("\"{text}\" is not a moment")).key("since");
            found.push(
                fault.mend("write it like 2026-11-23T03:00:00Z, or use `${{ run.started }}`"),
            );
        }
        found
    }

    fn sketch(args: &Value) -> Sketch {
        let endpoint = args["at"]["endpoint"].as_str().unwrap_or("the deployment");
        let wanted = match args["expect"].as_u64() {
            Some(keys) => format!("{} keys", grouped(keys)),
            None => "as many keys as there should be".to_owned(),
        };
        Sketch { does: format!("count that {endpoint} has {wanted}"), ..Sketch::default() }
    }

    fn needs(args: &Value) -> Vec<Need> {
        let password = args["at"]["password"].as_str();
        password.map(|reference| Need::Password(reference.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        check(env, args, "at", None).await
    }

    async fn prepare(_: &Env, _: &Spec, _: &Cx) -> Result<((), Vec<Resource>), Failure> {
        Ok(((), Vec::new()))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        _prepared: &(),
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let endpoint = &spec.at.endpoint;
        let context = |failure: Failure| failure.context(format!("failed to open {endpoint}"));
        let target = spec.at.target(env).await.map_err(context)?;
        let mut store = env.data.open(&target).await.map_err(context)?;
        let keys = store.count().await?;
        let least = spec.expect.saturating_sub(spec.expiring);
        if keys > spec.expect || keys < least {
            let wanted = match spec.expiring {
                0 => grouped(spec.expect),
                expiring => {
                    format!(
                        "{}, of which {} may have expired",
                        grouped(spec.expect),
                        grouped(expiring)
                    )
                }
            };
            return Err(Failure::fatal(format!(
                "{endpoint} has {} keys, and should have {wanted}",
                grouped(keys)
            ))
            .mend(
                "the data is not what was recorded: look at the files and at the cluster's events",
            ));
        }
        let since = spec.since.as_deref().and_then(|text| text.parse().ok());
        let seconds = since.map_or(0.0, |since: Timestamp| cx.clock.since(since).as_secs_f64());
        Ok(Done::Unchanged(Output { keys, seconds }))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use serde_json::json;

    use super::super::plane::Entry;
    use super::*;
    use crate::engine::Class;
    use crate::steps::redis::ModelPlane;
    use crate::steps::testing::{self, Rules};

    async fn counted(keys: u32, expect: u64, expiring: u64) -> Result<Output, Failure> {
        let cx = testing::cx("count");
        let entry = |n: u32| {
            let entry = Entry { kind: "string".into(), value: b"v".to_vec(), expires_at_ms: None };
            (format!("key:{n}").into_bytes(), entry)
        };
        let plane =
            ModelPlane::new(cx.clock.clone(), move |_, _| Some((0..keys).map(entry).collect()));
        let env = testing::env_by(testing::clients(Rules::default()), Rc::new(plane));
        let since = cx.clock.now().to_string();
        cx.sleep(Duration::from_secs(40)).await.unwrap();
        let spec: Spec = testing::spec(json!({
            "at": { "endpoint": "mdb:6379" }, "expect": expect, "expiring": expiring, "since": since,
        }));
        let Done::Unchanged(output) = Count::execute(&env, &spec, &(), &cx).await? else {
            panic!()
        };
        Ok(output)
    }

    #[tokio::test(start_paused = true)]
    async fn only_keys_that_expire_may_be_missing() {
        let output = counted(5, 5, 0).await.unwrap();
        assert_eq!((output.keys, output.seconds.round()), (5, 40.0));
        assert_eq!(counted(4, 5, 1).await.unwrap().keys, 4);
        for (keys, expect, expiring) in [(3, 5, 1), (6, 5, 5), (0, 1, 0)] {
            let failure = counted(keys, expect, expiring).await.unwrap_err();
            assert_eq!(failure.class, Class::Fatal, "{keys} of {expect}");
        }
    }
}
