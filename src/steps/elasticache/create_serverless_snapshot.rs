//! `elasticache.create_serverless_snapshot`: a manual snapshot of a serverless cache.

mod preflight;

use std::cell::RefCell;
use std::time::Duration;

use aws_sdk_elasticache::types::{ServerlessCache, ServerlessCacheSnapshot, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::{self, SERVICE};
use super::serverless::{self, LONGEST_SNAPSHOT_NAME};
use crate::aws::elasticache_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership};

/// The snapshot, by its name or by what its name will look like.
const MADE: &str = "serverlesscachesnapshot:{name|orc-*-snapshot*}";
/// Between the first call and `available`: snapshots of a few GB take minutes (no figures are published).
const EXPECTED: Duration = Duration::from_secs(8 * 60);
/// AWS lists no states of serverless snapshots. These are those of other snapshots and of serverless caches (ElastiCache
/// API reference, Snapshot and ServerlessCache); what is in neither list is waited through with a warning.
const STATES: States = States {
    pending: &["creating", "exporting", "copying", "restoring"],
    success: &["available"],
    terminal: &["failed", "create-failed", "deleting"],
};
const GONE_STATES: States = States {
    pending: &["deleting", "available", "failed", "create-failed"],
    success: &[crate::engine::GONE],
    terminal: &[],
};

/// Takes a manual snapshot of an ElastiCache Serverless cache and waits until it is available.
///
/// The snapshot is of one instant (`created_at`), and **writes made after it are not in the snapshot**. Stop the writers
/// first, for example with `elasticache.freeze_writes: { serverless_cache: … }`.
///
/// The cache stays available meanwhile. AWS allows 24 manual snapshots of a cache in 24 hours. A Memcached cache is
/// refused: nothing restores its data into Redis OSS or Valkey.
///
/// Undone by deleting the snapshot, if it is this run's own.
///
/// ```yaml
/// - id: snapshot
///   elasticache.create_serverless_snapshot: { serverless_cache: prod }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The serverless cache to snapshot.
    pub(crate) serverless_cache: String,
    /// The snapshot's name; `orc-<run>-snapshot` if left out. At most 255 letters, digits and hyphens. The names of
    /// exported files begin with it.
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    arn: String,
    cache: String,
    /// The engine's full version, which the snapshot itself does not show.
    engine_version: String,
    /// Where the source is reached, as `host:port`.
    endpoint: String,
}

/// The snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// `redis` or `valkey`.
    pub(crate) engine: String,
    /// The engine's full version, as far as AWS shows it.
    pub(crate) engine_version: String,
    /// Its size; 0 if AWS does not say.
    pub(crate) bytes: u64,
    /// The instant of its data. Later writes are not in it.
    pub(crate) created_at: String,
    /// Where the source is reached, as `host:port`.
    pub(crate) endpoint: String,
    /// Whether the source speaks TLS: always true, serverless caches speak nothing else.
    pub(crate) tls: bool,
}

/// `elasticache.create_serverless_snapshot`.
pub(crate) struct CreateServerlessSnapshot;

impl Step for CreateServerlessSnapshot {
    const KIND: &'static str = "elasticache.create_serverless_snapshot";
    const SUMMARY: &'static str = "take a manual snapshot of a serverless cache";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeServerlessCaches",
            "serverlesscache:{serverless_cache}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DescribeServerlessCacheSnapshots",
            "serverlesscachesnapshot:*",
            Phases::ALL,
        ),
        action("elasticache:ListTagsForResource", MADE, Phases::RUN_UNDO),
        // The snapshot's own ARN is needed beside the cache's (service authorization reference).
        action(
            "elasticache:CreateServerlessCacheSnapshot",
            "serverlesscache:{serverless_cache}",
            Phases::RUN,
        ),
        action("elasticache:CreateServerlessCacheSnapshot", MADE, Phases::RUN),
        action("elasticache:AddTagsToResource", MADE, Phases::RUN),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("elasticache:DeleteServerlessCacheSnapshot", MADE, Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower|orc-*-snapshot*}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;
    const COPIES_DATA: bool = true;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults =
            creation::name_faults(args, "name", "snapshot name", LONGEST_SNAPSHOT_NAME);
        faults.extend(creation::empty_fault(args, "serverless_cache"));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let cache = args["serverless_cache"].as_str().unwrap_or("…");
        let name = args["name"].as_str().map_or_else(
            || "a snapshot".to_owned(),
            |name| format!("snapshot \"{}\"", name.to_ascii_lowercase()),
        );
        Sketch {
            does: format!("take {name} of serverless cache \"{cache}\""),
            undo: Some("delete the snapshot".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or_else(
            || "(its name comes from the run)".to_owned(),
            |name| format!("\"{}\"", name.to_ascii_lowercase()),
        );
        vec![Touch::creates(format!("ElastiCache serverless snapshot {name}"))]
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::ElastiCacheSnapshot { bytes: cargo.bytes }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["serverless_cache"]
            .as_str()
            .map(|cache| vec![Need::ServerlessCache(cache.to_owned())])
            .unwrap_or_default()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        preflight::findings(env, args, cx).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = match &spec.name {
            Some(name) => creation::checked_name("snapshot name", name, LONGEST_SNAPSHOT_NAME)?,
            None => creation::default_name(cx, "snapshot", LONGEST_SNAPSHOT_NAME),
        };
        let cache = serverless::need_cache(env, &spec.serverless_cache).await?;
        usable(&cache, &spec.serverless_cache)?;
        let version = cache.full_engine_version().or(cache.major_engine_version());
        let arn = elasticache_arn(&env.identity, "serverlesscachesnapshot", &name);
        let prepared = Prepared {
            name: name.clone(),
            arn: arn.clone(),
            cache: cache.serverless_cache_name().unwrap_or(&spec.serverless_cache).to_owned(),
            engine_version: version.unwrap_or_default().to_owned(),
            endpoint: serverless::endpoint(&cache).unwrap_or_default(),
        };
        if let Some(found) = serverless::snapshot(env, &name).await? {
            ours_or_fail(env, cx, &prepared, &found).await?;
        }
        let what = "ElastiCache serverless snapshot".to_owned();
        Ok((prepared, vec![Resource { what, name, arn: Some(arn), role: Role::Creates }]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what = format!(
            "failed to create snapshot \"{}\" of serverless cache \"{}\"",
            prepared.name, prepared.cache
        );
        let adopted = match serverless::snapshot(env, &prepared.name).await? {
            Some(found) => {
                ours_or_fail(env, cx, prepared, &found).await?;
                true
            }
            None => {
                create(env, prepared, cx).await.map_err(|f| explain(f).context(what.clone()))?
            }
        };
        let found = wait_available(env, prepared, cx).await.map_err(|f| f.context(what))?;
        let output = output(prepared, &found);
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let look = || serverless::snapshot(env, &prepared.name);
        let Some(found) = creation::look_for_made(cx, look).await? else { return Ok(Vec::new()) };
        if serverless::status(&found) != "deleting" {
            if !look::is_ours(env, cx, &prepared.arn).await? {
                cx.warn(format!(
                    "serverless snapshot \"{}\" is not this run's; it was left",
                    prepared.name
                ));
                return Ok(Vec::new());
            }
            delete(env, &prepared.name).await?;
        }
        wait_gone(env, cx, &prepared.name).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![format!("deleted serverless snapshot \"{}\"", prepared.name)])
    }
}

/// Whether a cache can be snapshotted, and the snapshot be of use.
fn usable(cache: &ServerlessCache, name: &str) -> Result<(), Failure> {
    if cache.engine().is_some_and(|engine| engine.eq_ignore_ascii_case("memcached")) {
        return Err(Failure::fatal(format!("serverless cache \"{name}\" is a Memcached cache"))
            .because("MemoryDB speaks Redis OSS and Valkey, and nothing turns one's data into the other's")
            .mend("name a cache whose engine is redis or valkey"));
    }
    match cache.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
        "available" => Ok(()),
        status @ ("create-failed" | "deleting") => Err(Failure::fatal(format!(
            "serverless cache \"{name}\" is {status}; there is nothing to snapshot"
        ))),
        status => Err(Failure::new(
            Class::Busy,
            format!(
                "serverless cache \"{name}\" is {status}; it can be snapshotted when it is available"
            ),
        )),
    }
}

async fn ours_or_fail(
    env: &Env,
    cx: &Cx,
    prepared: &Prepared,
    found: &ServerlessCacheSnapshot,
) -> Result<(), Failure> {
    if look::is_ours(env, cx, &prepared.arn).await? {
        return Ok(());
    }
    let mut differences = Vec::new();
    let source = serverless::cache_of(found).unwrap_or("something else");
    if !source.eq_ignore_ascii_case(&prepared.cache) {
        differences.push(format!("it is a snapshot of {source}, not of {}", prepared.cache));
    }
    let at = serverless::taken_at(found);
    if !at.is_empty() {
        differences.push(format!("it was taken at {at}"));
    }
    Err(ownership::not_ours(&format!("serverless snapshot \"{}\"", prepared.name), &differences))
}

/// Creates it. Gives whether an earlier call had done so already.
async fn create(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<bool, Failure> {
    let mut request = env
        .aws
        .elasticache
        .create_serverless_cache_snapshot()
        .serverless_cache_snapshot_name(&prepared.name)
        .serverless_cache_name(&prepared.cache);
    for (key, value) in ownership::tags(cx) {
        request = request.tags(Tag::builder().key(key).value(value).build());
    }
    match creation::ask(
        cx,
        env.aws.change(SERVICE, "CreateServerlessCacheSnapshot", request.send()),
    )
    .await
    {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            let look = || serverless::snapshot(env, &prepared.name);
            match creation::until_visible(cx, look).await? {
                Some(found) => {
                    ours_or_fail(env, cx, prepared, &found).await?;
                    Ok(true)
                }
                None => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    }
}

fn explain(failure: Failure) -> Failure {
    match failure.class {
        Class::Quota => failure.mend(
            "AWS allows 24 manual snapshots of a serverless cache in 24 hours: wait until the oldest of them is a day old",
        ),
        Class::Denied => failure.mend(
            "allow elasticache:CreateServerlessCacheSnapshot on the serverless cache and on the snapshot's own ARN, and \
             elasticache:AddTagsToResource on the snapshot",
        ),
        _ => failure,
    }
}

async fn wait_available(
    env: &Env,
    prepared: &Prepared,
    cx: &Cx,
) -> Result<ServerlessCacheSnapshot, Failure> {
    let wait = Wait {
        subject: format!("serverless snapshot \"{}\"", prepared.name),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED,
    };
    let last = RefCell::new(None);
    let ticket = env.serverless_snapshots.join();
    let look = || async {
        let name = &prepared.name;
        let Some(found) = serverless::waited_snapshot(env, cx, &ticket, name).await? else {
            return Ok(Seen::gone());
        };
        creation::note_call(cx, Call::Taken).await?;
        let seen = Seen::state(serverless::status(&found));
        last.replace(Some(found));
        Ok(seen)
    };
    let why = || serverless::reason(env, &prepared.name, &prepared.name);
    cx.wait(&wait, look, why).await?;
    last.into_inner()
        .ok_or_else(|| Failure::fatal("the snapshot was available and is not any more"))
}

fn output(prepared: &Prepared, found: &ServerlessCacheSnapshot) -> Output {
    let config = found.serverless_cache_configuration();
    let engine = config.and_then(|config| config.engine()).unwrap_or_default();
    Output {
        name: prepared.name.clone(),
        arn: found.arn().unwrap_or(&prepared.arn).to_owned(),
        engine: engine.to_ascii_lowercase(),
        engine_version: prepared.engine_version.clone(),
        bytes: serverless::bytes(found),
        created_at: serverless::taken_at(found),
        endpoint: prepared.endpoint.clone(),
        tls: true,
    }
}

/// Asks for the deletion of a snapshot that was seen just now.
pub(super) async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
    let request = env.aws.elasticache.delete_serverless_cache_snapshot();
    let request = request.serverless_cache_snapshot_name(name);
    env.aws
        .change(SERVICE, "DeleteServerlessCacheSnapshot", request.send())
        .await
        .map(drop)
        .map_err(creation::not_deleted)
        .map_err(|failure| {
            failure.context(format!("failed to delete serverless snapshot \"{name}\""))
        })
}

/// Waits until a snapshot is gone.
pub(super) async fn wait_gone(env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("serverless snapshot \"{name}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: Duration::from_secs(60),
    };
    let look = || async {
        let found = creation::unless_gone(cx, || serverless::snapshot(env, name)).await?;
        Ok(found.map_or_else(Seen::gone, |s| Seen::state(serverless::status(&s))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

#[cfg(test)]
mod tests;
