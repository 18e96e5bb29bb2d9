//! `elasticache.test_failover`: kills a shard's primary on purpose, and measures what clients see of it.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failover_events::{self as events, A_DAY, Progress};
use super::group;
use super::look::SERVICE;
use super::modify_replication_group::{needs, unknown};
use crate::aws::elasticache_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::redis::Target;
use crate::steps::redis::canary::{self, Report, Singing};
use crate::steps::secret::{SecretRef, reveal};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use crate::survey::{Group, Shard};

/// AWS says that writes go on after a few seconds; a node is replaced in minutes.
const EXPECTED: Duration = Duration::from_secs(6 * 60);
/// States of the wait: how far the events say that it is.
const STATES: States = States {
    pending: &["asked for", "failing over", "recovering"],
    success: &["finished"],
    terminal: &[],
};

/// Tests the failover of one shard: AWS takes its primary down, a replica takes its place, and the old node is replaced.
///
/// With `canary` a small write goes through the shard every 50 ms from before the call until after the recovery. The step
/// tells the longest time without an acknowledged write, and how many acknowledged writes were not there afterwards:
/// replication is asynchronous, so **a failover may lose the writes of its last moments**, those of applications too.
///
/// Only events prove that a failover is over, since the group stays `available` all the time; the step waits for "Finished
/// recovery". Test one shard of a group after the other. AWS allows 15 tested shards an account in 24 hours; how many are
/// left is looked up first. AWS calls it a tool for tests: it may be refused during large events, so it is no means to mend
/// anything.
///
/// The canary's user needs `~orchestrate:canary:* +sadd +smembers +pexpire +del +cluster|slots`. Its key is removed, or
/// expires after an hour.
///
/// ```yaml
/// - id: failover
///   elasticache.test_failover:
///     replication_group: prod
///     shard: "0001"
///     canary: { user: canary, password: "secretsmanager:prod/redis#canary" }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The replication group.
    pub(crate) replication_group: String,
    /// The id of the shard, such as `0001`.
    #[serde(default = "first")]
    pub(crate) shard: String,
    /// Writes through the shard meanwhile.
    #[serde(default)]
    pub(crate) canary: Option<Login>,
}

fn first() -> String {
    "0001".to_owned()
}

/// How the canary logs in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The user. Without one, `password` is that of the user `default`.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// Where the password is kept: `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or
    /// `ssm:<name>`. Never the password itself.
    #[serde(default)]
    pub(crate) password: Option<SecretRef>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    group: String,
    shard: String,
    members: Vec<String>,
    /// Events of failovers that were there before.
    known: Vec<String>,
    /// When they were read.
    at: Timestamp,
    host: String,
    port: u16,
    tls: bool,
    key: String,
}

/// What happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The replication group.
    pub(crate) replication_group: String,
    /// The shard.
    pub(crate) shard: String,
    /// Seconds from the call to the completed failover, by AWS's events.
    pub(crate) failover_seconds: u64,
    /// Seconds from the call to the finished recovery, likewise.
    pub(crate) recovery_seconds: u64,
    /// What AWS's events said, in order.
    pub(crate) events: Vec<String>,
    /// The longest time without an acknowledged write, in milliseconds; absent if it was not measured.
    pub(crate) write_gap_ms: Option<u64>,
    /// Acknowledged writes that were lost; absent likewise.
    pub(crate) lost_writes: Option<u64>,
    /// All that the canary saw; absent likewise.
    pub(crate) canary: Option<Report>,
    /// The result in a sentence.
    pub(crate) statement: String,
}

/// `elasticache.test_failover`.
pub(crate) struct TestFailover;

impl Step for TestFailover {
    const KIND: &'static str = "elasticache.test_failover";
    const SUMMARY: &'static str =
        "test the failover of a shard, with a canary that writes through it";
    const ACTIONS: &'static [Action] = &[
        action(
            "elasticache:DescribeReplicationGroups",
            "replicationgroup:{replication_group}",
            Phases::PLAN_RUN,
        ),
        action(
            "elasticache:DescribeCacheClusters",
            "cluster:{replication_group}-*",
            Phases::PLAN_RUN,
        ),
        action("elasticache:DescribeEvents", "*", Phases::PLAN_RUN),
        action("elasticache:TestFailover", "replicationgroup:{replication_group}", Phases::RUN),
        action("secretsmanager:GetSecretValue", "secret:{canary.password}", Phases::PLAN_RUN),
        action("ssm:GetParameter", "parameter/{canary.password}", Phases::PLAN_RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "a failover is not taken back: the replica that took over is as good a primary as the one before",
    )));
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            creation::empty_fault(args, "replication_group").into_iter().collect();
        // ElastiCache API reference, TestFailover: one to four digits.
        let wrong =
            |id: &&str| id.is_empty() || id.len() > 4 || !id.bytes().all(|b| b.is_ascii_digit());
        if let Some(id) = args["shard"].as_str().filter(wrong) {
            let fault = Fault::new(format!("\"{id}\" is not the id of a shard")).key("shard");
            faults.push(fault.mend("write it with its zeros, in quotes: \"0001\""));
        }
        if let Some(Err(error)) = args["canary"]["password"].as_str().map(str::parse::<SecretRef>) {
            let fault = Fault::new(format!("the canary's password is no reference: {error}"));
            faults.push(fault.key("canary").key("password").secret().mend(
                "keep the password in Secrets Manager or Parameter Store and name it here; one that stood in a file \
                 should be changed",
            ));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let shard = args["shard"].as_str().unwrap_or("0001");
        let canary =
            if args["canary"].is_object() { ", with a canary writing through it" } else { "" };
        Sketch {
            does: format!(
                "take down the primary of shard {shard} of replication group \"{group}\"{canary}"
            ),
            undo: None,
            loses: Some(format!(
                "writes to shard {shard} for seconds, and those acknowledged in its last moments"
            )),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let group = args["replication_group"].as_str().unwrap_or("…");
        let shard = args["shard"].as_str().unwrap_or("0001");
        vec![Touch::changes(format!("primary of shard {shard} of replication group \"{group}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let password = args["canary"]["password"].as_str();
        needs(args).into_iter().chain(password.map(|p| Need::Password(p.to_owned()))).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(id) = args["replication_group"].as_str() else { return vec![unknown()] };
        let (mut findings, group) = group::state_findings(env, id).await;
        if let (Some(group), Some(shard)) = (&group, args["shard"].as_str().or(Some("0001"))) {
            findings.push(match failable(group, shard) {
                Ok(found) => Finding::ok(
                    "failover.replicas",
                    format!("shard {shard} of \"{id}\" has {} replicas", found.nodes.len() - 1),
                ),
                Err(failure) => Finding::of("failover.replicas", &failure),
            });
        }
        findings.push(match events::quota(env).await {
            Ok((_, Some(next))) => {
                let failure = events::used_up(next);
                Finding::of("failover.quota", &failure)
            }
            Ok((used, None)) => Finding::ok(
                "failover.quota",
                format!("{used} of {A_DAY} failovers were tested in the last 24 hours"),
            ),
            Err(failure) => Finding::of("failover.quota", &failure),
        });
        findings.extend(canary_findings(env, args, group.as_ref()).await);
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let found = group::need(env, &spec.replication_group).await?;
        group::at_rest(&found)?;
        let shard = failable(&found, &spec.shard)?.clone();
        let (_, full) = events::quota(env).await?;
        if let Some(next) = full {
            return Err(events::used_up(next));
        }
        let known = events::read(env, None, 24 * 60).await?;
        let endpoint = found.endpoint.as_ref().ok_or_else(|| {
            Failure::fatal(format!("replication group \"{}\" shows no endpoint", found.id))
        })?;
        let prefix = format!("orchestrate:canary:{}:{}", cx.run, cx.step);
        let prepared = Prepared {
            key: canary::key_in(&prefix, &ranges(&shard)),
            group: found.id.clone(),
            shard: shard.id.clone(),
            members: shard.nodes.iter().map(|node| node.to_ascii_lowercase()).collect(),
            known: known.iter().map(events::Told::mark).collect(),
            at: cx.clock.now(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            tls: found.tls,
        };
        let resource = Resource {
            what: "replication group".to_owned(),
            name: found.id.clone(),
            arn: Some(elasticache_arn(&env.identity, "replicationgroup", &found.id)),
            role: Role::Changes,
        };
        Ok((prepared, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what = || {
            let Prepared { group, shard, .. } = prepared;
            format!("failed to test the failover of shard {shard} of \"{group}\"")
        };
        let target = match &spec.canary {
            Some(login) => Some(target(env, login, prepared).await?),
            None => None,
        };
        let before = creation::call_state(cx);
        if let Some(kept) = kept(cx) {
            // It was measured by an attempt of which the end was not recorded.
            return Ok(Done::Adopted(output(prepared, &progress(env, prepared, cx).await?, kept)));
        }
        // What has begun is waited for; a gap that nobody watched from its beginning is not told.
        let begun = match before {
            Call::Never | Call::Refused => false,
            Call::Taken | Call::Over => true,
            Call::Asked => creation::until_visible(cx, || async {
                let seen = progress(env, prepared, cx).await?;
                Ok(seen.called.map(|_| ()))
            })
            .await?
            .is_some(),
        };
        if begun {
            let seen = finish(env, prepared, cx).await.map_err(|f| f.context(what()))?;
            if let Some(target) = &target {
                canary::clear(env, target, &prepared.key).await?;
            }
            creation::note_call(cx, Call::Over).await?;
            return Ok(Done::Adopted(output(prepared, &seen, None)));
        }
        let mut singing = match &target {
            Some(target) => Some(
                Singing::open(env, target, &prepared.key, cx.clock.clone())
                    .await
                    .map_err(|f| f.context("the canary cannot write").context(what()))?,
            ),
            None => None,
        };
        let stop = Cell::new(false);
        let failover = async {
            let seen = async {
                ask(env, prepared, cx).await?;
                finish(env, prepared, cx).await
            }
            .await;
            stop.set(true);
            seen
        };
        let seen = match &mut singing {
            Some(singing) => futures::future::join(failover, singing.sing(&stop)).await.0,
            None => failover.await,
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(failure) => {
                if let Some(singing) = singing {
                    singing.forget().await;
                }
                return Err(failure.context(what()));
            }
        };
        let report = match singing {
            Some(singing) => Some(singing.report().await.map_err(|f| {
                f.context("the failover is over, and the canary's writes could not be read back")
            })?),
            None => None,
        };
        cx.note(json!({ "call": Call::Over, "canary": report })).await?;
        Ok(Done::Changed(output(prepared, &seen, report)))
    }
}

/// What an earlier attempt measured: the inner `None` if it had no canary.
fn kept(cx: &Cx) -> Option<Option<Report>> {
    let note = cx.noted()?;
    serde_json::from_value(note.get("canary")?.clone()).ok()
}

async fn ask(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<(), Failure> {
    let request = env
        .aws
        .elasticache
        .test_failover()
        .replication_group_id(&prepared.group)
        .node_group_id(&prepared.shard);
    let answer = creation::ask(cx, env.aws.change(SERVICE, "TestFailover", request.send())).await;
    answer.map_err(|failure| match failure.code() {
        Some("APICallRateForCustomerExceeded") => failure.mend(format!(
            "AWS allows {A_DAY} tested shards an account in 24 hours: go on tomorrow"
        )),
        Some("TestFailoverNotAvailableFault") => failure.mend(
            "AWS does not offer it for this shard now, as during large events: try again another day",
        ),
        _ => failure,
    })?;
    creation::note_call(cx, Call::Taken).await
}

/// What the events since `prepare` tell.
async fn progress(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<Progress, Failure> {
    let minutes = cx.clock.since(prepared.at).as_secs() / 60 + 60;
    let told = events::read(env, None, i32::try_from(minutes).unwrap_or(i32::MAX)).await?;
    let new: Vec<_> =
        told.into_iter().filter(|event| !prepared.known.contains(&event.mark())).collect();
    Ok(Progress::of(&new, &prepared.group, &prepared.shard, &prepared.members))
}

async fn finish(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<Progress, Failure> {
    let wait = Wait {
        subject: format!("failover of shard {} of \"{}\"", prepared.shard, prepared.group),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED,
    };
    let last = RefCell::new(Progress::default());
    let look = || async {
        let seen = progress(env, prepared, cx).await?;
        let state = Seen { state: seen.state().to_owned(), detail: seen.messages.last().cloned() };
        last.replace(seen);
        Ok(state)
    };
    cx.wait(&wait, look, || async { None }).await?;
    Ok(last.into_inner())
}

fn output(prepared: &Prepared, seen: &Progress, canary: Option<Report>) -> Output {
    let after = |at: Option<Timestamp>| {
        let (Some(called), Some(at)) = (seen.called, at) else { return 0 };
        u64::try_from(at.duration_since(called).as_secs()).unwrap_or(0)
    };
    let failover_seconds = after(seen.completed);
    let measured = match &canary {
        Some(report) => format!(
            "no write was acknowledged for {} ms; {} of {} acknowledged writes were lost",
            report.write_gap_ms, report.lost, report.acknowledged
        ),
        None => "what clients saw of it was not measured".to_owned(),
    };
    Output {
        replication_group: prepared.group.clone(),
        shard: prepared.shard.clone(),
        failover_seconds,
        recovery_seconds: after(seen.finished),
        events: seen.messages.clone(),
        write_gap_ms: canary.as_ref().map(|report| report.write_gap_ms),
        lost_writes: canary.as_ref().map(|report| report.lost),
        canary,
        statement: format!(
            "shard {} of \"{}\" failed over in {failover_seconds} s by AWS's events; {measured}",
            prepared.shard, prepared.group
        ),
    }
}

/// The shard, if it can fail over.
fn failable<'a>(group: &'a Group, shard: &str) -> Result<&'a Shard, Failure> {
    let id = &group.id;
    let found = group.shards.iter().find(|known| known.id == shard).ok_or_else(|| {
        let ids: Vec<_> = group.shards.iter().map(|shard| shard.id.as_str()).collect();
        Failure::fatal(format!("replication group \"{id}\" has no shard \"{shard}\""))
            .mend(format!("its shards are {}", ids.join(", ")))
    })?;
    if found.nodes.len() < 2 {
        return Err(Failure::fatal(format!(
            "shard {shard} of replication group \"{id}\" has no replica that could take over"
        ))
        .mend("give it a replica first (elasticache.scale_replicas)"));
    }
    Ok(found)
}

/// `0-5461,9000-9001`; nothing with cluster mode off.
fn ranges(shard: &Shard) -> Vec<(u16, u16)> {
    let slots = shard.slots.as_deref().unwrap_or_default();
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
    };
    slots.split(',').filter_map(range).collect()
}

async fn target(env: &Env, login: &Login, prepared: &Prepared) -> Result<Target, Failure> {
    let password = match &login.password {
        Some(secret) => Some(reveal(env, secret).await?),
        None => None,
    };
    let (host, port, tls) = (prepared.host.clone(), prepared.port, prepared.tls);
    Ok(Target { host, port, tls, user: login.user.clone(), password })
}

async fn canary_findings(env: &Env, args: &Value, group: Option<&Group>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !args["canary"].is_object() {
        return findings;
    }
    if let Some(endpoint) = group.and_then(|group| group.endpoint.as_ref()) {
        findings.push(match env.data.answers(&endpoint.host, endpoint.port).await {
            Ok(()) => Finding::ok("compare.endpoint", format!("{endpoint} answers")),
            Err(failure) => Finding::will_fail(
                "compare.endpoint",
                failure.to_string(),
                failure
                    .mend
                    .unwrap_or_else(|| "run this where the group can be reached".to_owned()),
            ),
        });
    }
    if let Some(Ok(secret)) = args["canary"]["password"].as_str().map(str::parse::<SecretRef>) {
        findings.push(match reveal(env, &secret).await {
            Ok(_) => Finding::ok("compare.password", "the canary's password can be read"),
            Err(failure) if failure.class == Class::NotFound => Finding::will_fail(
                "compare.password",
                failure.to_string(),
                "make the secret, or name another",
            ),
            Err(failure) => Finding::of("compare.password", &failure),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_as_the_service_writes_them() {
        let shard = |slots: Option<&str>| Shard {
            id: "0001".to_owned(),
            slots: slots.map(str::to_owned),
            nodes: Vec::new(),
        };
        assert_eq!(
            ranges(&shard(Some("0-5461,9000-9001,16383"))),
            [(0, 5461), (9000, 9001), (16383, 16383)]
        );
        assert_eq!(ranges(&shard(None)), []);
    }

    #[test]
    fn a_shard_is_named_with_its_zeros() {
        let faults = |shard: &str| {
            TestFailover::check(&json!({"replication_group": "a", "shard": shard})).len()
        };
        assert_eq!(
            [faults("0001"), faults("1"), faults("00001"), faults("one"), faults("")],
            [0, 0, 1, 1, 1]
        );
    }
}
