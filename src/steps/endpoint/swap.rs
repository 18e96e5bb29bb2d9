//! `endpoint.swap`: points what the applications read at another endpoint, all targets or none.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::form::{Endpoint, Form, Goal};
use super::target::{Kept, Place, Recorded, Shows, Target, Way, look, settles};
use super::way_back::{WayBack, no_host};
use super::{preflight, secret};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::{Given, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::playbook::parse_duration;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action, creation};

const ACTIONS: &[Action] = &[
    action("ssm:GetParameter", "parameter/{targets.ssm_parameter}", Phases::ALL),
    action("ssm:PutParameter", "parameter/{targets.ssm_parameter}", Phases::RUN_UNDO),
    // DescribeParameters cannot be confined to one parameter.
    action("ssm:DescribeParameters", "*", Phases::PLAN_RUN).when("targets.ssm_parameter"),
    action("secretsmanager:DescribeSecret", "secret:{targets.secret}", Phases::ALL),
    action("secretsmanager:GetSecretValue", "secret:{targets.secret}", Phases::PLAN_RUN),
    action("secretsmanager:PutSecretValue", "secret:{targets.secret}", Phases::RUN),
    action("secretsmanager:UpdateSecretVersionStage", "secret:{targets.secret}", Phases::RUN_UNDO),
    action("route53:GetHostedZone", "hostedzone/{targets.zone}", Phases::PLAN_RUN),
    action("route53:ListResourceRecordSets", "hostedzone/{targets.zone}", Phases::ALL),
    // Only these records, as CNAMEs, and no deletion (Route 53 developer guide, conditions for fine-grained access).
    action("route53:ChangeResourceRecordSets", "hostedzone/{targets.zone}", Phases::RUN_UNDO)
        .given(&[
            Given {
                operator: "ForAllValues:StringEquals",
                key: "route53:ChangeResourceRecordSetsNormalizedRecordNames",
                values: &["{targets.route53_record:record}"],
            },
            Given {
                operator: "ForAllValues:StringEquals",
                key: "route53:ChangeResourceRecordSetsRecordTypes",
                values: &["CNAME"],
            },
            Given {
                operator: "ForAllValues:StringEquals",
                key: "route53:ChangeResourceRecordSetsActions",
                values: &["CREATE", "UPSERT"],
            },
        ]),
    action("route53:GetChange", "change/*", Phases::RUN_UNDO).when("targets.zone"),
    // Before a run: which endpoint is the source's.
    action("elasticache:DescribeReplicationGroups", "*", Phases::PLAN)
        .helps("whether a target names the source is not told"),
    action("elasticache:DescribeCacheClusters", "*", Phases::PLAN)
        .helps("whether a target names the source is not told"),
];

/// Points what the applications read at another endpoint: SSM parameters, Secrets Manager secrets, Route 53 records, one
/// or many. All or nothing: if the third target cannot be switched, the first two are put back.
///
/// ```yaml
/// - id: switch
///   endpoint.swap:
///     to: "${{ steps.cluster.endpoint }}"
///     targets:
///       - ssm_parameter: /app/redis/endpoint
///       - secret: app/redis
///         format: json
///         fields: { host: redis.host, port: redis.port }
///       - route53_record: redis.internal.example.com
///         zone: Z0123456789
/// ```
///
/// **Before anything is switched** the way back is proved: the old values are recorded (of a secret, and of any value
/// that may hold a password, only the version), the old endpoint answers, and the permission to write the old value
/// back is tried with a write that cannot happen. Otherwise the step refuses, unless it says `accept_no_way_back: true`.
/// For a secret the permission cannot be tried; the new version is staged before the first target is switched, and the
/// move back needs the same permission as the move forth.
///
/// **Nobody else's change is overwritten.** A target that shows neither the old nor the new value ends the step. In
/// Secrets Manager the move is a compare-and-swap. Parameter Store and Route 53 have none: a change made in the same
/// second as the swap can be lost.
///
/// **A parameter** keeps type, tier, key, data type and description. **A secret** gets a new version; its labels are
/// moved, and an earlier version stays readable. **A record** must be a CNAME with one value and simple routing; the
/// step waits until all of Route 53's servers have the change. An alias, or the apex of a zone, cannot lead to a cluster.
/// TLS clients verify the name they dial, and the certificates of both services cover only AWS's own names.
///
/// **Applications** notice when they read the value again: restart them or have them reload. Connections that are open
/// stay with the old endpoint, and so do its writes, unless they are stopped there.
///
/// **Undo** puts the old endpoint back where the new one stands. Writes made to the new endpoint since then are not in
/// the old one. A target that somebody else has changed since is left, and the undo says so.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The new endpoint: `host:port`.
    to: String,
    /// The endpoint that every target must name now: `host:port`. Whatever they name, if not given; they must agree.
    from: Option<String>,
    /// Whether the new endpoint speaks TLS. Then the scheme of a URL follows (`redis`, `rediss`), and a JSON field named
    /// by `tls`. If not given, schemes stay as they are.
    tls: Option<bool>,
    /// What is switched, in this order.
    #[schemars(length(min = 1))]
    targets: Vec<Target>,
    /// How long to wait after the last target was switched, so that caches run out: `90s`. If not given, the longest TTL
    /// that a switched record had.
    #[schemars(extend("x-format" = "duration"))]
    settle: Option<String>,
}

/// The old values, or the ways to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    to: Endpoint,
    tls: Option<bool>,
    /// The endpoint the targets named; not given if all of them named the new one.
    from: Option<String>,
    targets: Vec<Recorded>,
}

/// What was switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The endpoint the targets name now.
    to: String,
    /// The endpoint they named before.
    from: String,
    /// Each target.
    targets: Vec<Switched>,
}

/// A target that names the new endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Switched {
    /// The kind of target: "ssm_parameter", "secret" or "route53_record".
    what: String,
    /// Its name.
    name: String,
    /// The version that AWS gave: of a parameter, a secret, or the id of a record's change. Not given if the target was
    /// switched by an earlier attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// How far switching has got, in the journal before each write: the undo does not concern itself with targets that were
/// never begun. Kept as a count since targets are switched in order.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Reached {
    begun: usize,
}

pub(crate) struct Swap;

impl Step for Swap {
    const KIND: &'static str = "endpoint.swap";
    const SUMMARY: &'static str = "point what the applications read at another endpoint";
    const ACTIONS: &'static [Action] = ACTIONS;
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Pivot);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        faults(args)
    }

    fn sketch(args: &Value) -> Sketch {
        let names: Vec<String> = targets_in(args).map(|t| label(&t)).collect();
        let to = args.get("to").and_then(Value::as_str).unwrap_or("the new endpoint");
        Sketch {
            does: format!("point {} at {to}", listed(&names)),
            undo: Some(
                "put the old endpoint back; writes made to the new one since are lost to the old one"
                    .to_owned(),
            ),
            loses: None,
        }
    }

    fn takes(args: &Value) -> Duration {
        let settle = args["settle"].as_str().and_then(|text| parse_duration(text).ok());
        Self::EXPECTED + settle.unwrap_or_default()
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let targets: Vec<_> = targets_in(args).map(|t| Touch::changes(label(&t))).collect();
        if targets.is_empty() { vec![Touch::changes(listed(&[]))] } else { targets }
    }

    fn needs(args: &Value) -> Vec<Need> {
        targets_in(args).filter_map(|target| need(&target)).collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let targets: Vec<Target> = targets_in(args).collect();
        preflight::findings(env, args, &targets, cx).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let to = endpoint("to", &spec.to)?;
        let expected = spec.from.as_deref().map(|from| endpoint("from", from)).transpose()?;
        settle(spec)?;
        let goal = Goal { to: &to, tls: spec.tls };
        let mut checked = Vec::new();
        for target in &spec.targets {
            let (place, form) = target.checked(spec.tls).map_err(Failure::fatal)?;
            if checked.iter().any(|(_, other, _)| *other == place) {
                return Err(Failure::fatal(format!("{place} is a target twice")));
            }
            checked.push((target, place, form));
        }
        if checked.is_empty() {
            return Err(Failure::fatal("there is no target to switch"));
        }
        let mut way_back = WayBack::default();
        let mut targets = Vec::new();
        for (index, (target, place, form)) in checked.into_iter().enumerate() {
            let seen = look(env, cx, target, (place, &form), secret::token(cx, index)).await?;
            if !seen.named.is(&to) {
                if let Some(expected) = &expected
                    && !seen.named.is(expected)
                {
                    let found =
                        if seen.open { seen.named.to_string() } else { "another".to_owned() };
                    return Err(Failure::new(
                        Class::Conflict,
                        format!("{place} does not name the expected endpoint: expected {expected}, found {found}"),
                    )
                    .mend("correct `from`, or find out who changed the target; nothing was switched"));
                }
                if !seen.open && expected.is_none() && !seen.named.looks_like_a_host() {
                    return Err(no_host(place));
                }
                way_back.endpoint(place, &seen.named.host, seen.named.port)?;
            }
            way_back.permission(env, cx, place, &seen.kept, &seen.text).await?;
            targets.push(Recorded::record(place.to_string(), form, seen, goal)?);
        }
        let from = expected.or_else(|| way_back.from(&to));
        if let Some(from) = from.as_ref().filter(|_| way_back.is_needed()) {
            way_back.knock(env, cx, from).await?;
        }
        way_back.verdict(cx)?;
        if let Err(failure) = env.data.answers(&to.host, to.port).await {
            cx.warn(format!("the new endpoint {to} does not answer from here: {failure}"));
        }
        let resources = targets.iter().filter(|t| !t.already).map(resource).collect();
        let from = from.map(|from| from.to_string());
        Ok((Prepared { tls: spec.tls, from, targets, to }, resources))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let goal = prepared.goal();
        for target in prepared.open() {
            target.stage(env, goal).await?;
        }
        let begun_before = reached(cx);
        let mut versions = Vec::new();
        for (index, target) in prepared.targets.iter().enumerate() {
            let begin = async || {
                let begun = begun_before.max(index + 1);
                cx.note(json!(Reached { begun })).await
            };
            match target.switch(env, cx, goal, Way::Forth, begin).await {
                Ok(written) => versions.push(written.map(|written| written.version)),
                // A failure that may pass, or a stop, leaves the targets half switched for the moment. That is safe: the
                // intent is durable, the next attempt looks at every target anew and goes on from there, and if there
                // is none the rollback puts back what shows the new value.
                Err(failure) if !settles(&failure) => return Err(failure),
                Err(failure) => return Err(prepared.put_back(env, cx, index, failure).await),
            }
        }
        for target in prepared.open() {
            if let Kept::Secret(secret) = &target.kept
                && let Err(failure) = secret.unlabel(env).await
            {
                // The swap holds; a label too many does no harm before there are twenty.
                cx.warn(format!(
                    "the staging label of {} was left in place: {failure}",
                    target.what
                ));
            }
        }
        let output = prepared.output(&versions);
        if prepared.open().next().is_none() {
            return Ok(Done::Unchanged(output));
        }
        prepared.settle(spec, cx).await?;
        Ok(if versions.iter().any(Option::is_some) {
            Done::Changed(output)
        } else {
            Done::Adopted(output)
        })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let goal = prepared.goal();
        let (begun, waited) = (reached(cx), creation::Waited::default());
        let mut did = Vec::new();
        let mut failures: Vec<Failure> = Vec::new();
        for (index, target) in prepared.targets.iter().enumerate().rev() {
            let back = if index < begun {
                target.switch_back(env, cx, goal, &waited).await
            } else {
                target.switch(env, cx, goal, Way::Back, async || Ok(())).await
            };
            match back {
                Ok(Some(_)) => did.push(format!("{} names the old endpoint again", target.what)),
                Ok(None) => {}
                // What this run never began to switch is not its to judge.
                Err(failure) if failure.class == Class::Conflict && index >= begun => {}
                Err(failure) => failures.push(failure),
            }
            match target.tidy(env, cx).await {
                Ok(Some(sentence)) => did.push(sentence),
                Ok(None) => {}
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() {
            return Ok(did);
        }
        // One that may pass comes first: so everything that can be put back is, before a person is called.
        failures.sort_by_key(settles);
        let first = failures.remove(0);
        let rest = failures.iter().map(ToString::to_string).chain(did);
        Err(rest.fold(first, Failure::because))
    }
}

impl Prepared {
    fn goal(&self) -> Goal<'_> {
        Goal { to: &self.to, tls: self.tls }
    }

    /// The targets that did not name the new endpoint beforehand.
    fn open(&self) -> impl Iterator<Item = &Recorded> {
        self.targets.iter().filter(|target| !target.already)
    }

    /// Puts back the targets up to the one that failed, and tells with the failure what came of it.
    async fn put_back(&self, env: &Env, cx: &Cx, failed: usize, failure: Failure) -> Failure {
        let goal = self.goal();
        let mut failure = failure;
        for (index, target) in self.targets.iter().enumerate().take(failed + 1).rev() {
            let shows = target.shows(env, goal).await;
            // The one that failed may be somebody else's by now; that is what the failure says already.
            if index == failed && !matches!(shows, Ok(Shows::New)) {
                continue;
            }
            failure = match target.switch(env, cx, goal, Way::Back, async || Ok(())).await {
                Ok(Some(_)) => {
                    failure.because(format!("{} was put back to the old endpoint", target.what))
                }
                Ok(None) => failure,
                Err(other) => {
                    failure.because(format!("{} is not put back yet: {other}", target.what))
                }
            };
        }
        failure
    }

    fn output(&self, versions: &[Option<Option<String>>]) -> Output {
        let to = self.to.to_string();
        let switched = self.targets.iter().zip(versions).map(|(target, version)| {
            let (what, name) = target.kind_and_name();
            Switched { what: what.to_owned(), name, version: version.clone().flatten() }
        });
        Output {
            from: self.from.clone().unwrap_or_else(|| to.clone()),
            targets: switched.collect(),
            to,
        }
    }

    async fn settle(&self, spec: &Spec, cx: &Cx) -> Result<(), Failure> {
        let ttls = self.open().filter_map(|target| match &target.kept {
            Kept::Record(record) => u64::try_from(record.old_ttl).ok(),
            Kept::Parameter(_) | Kept::Secret(_) => None,
        });
        let pause = match settle(spec)? {
            Some(given) => given,
            None => Duration::from_secs(ttls.max().unwrap_or(0)),
        };
        if pause.is_zero() {
            return Ok(());
        }
        let detail = Some(format!("for {} s, until caches have run out", pause.as_secs()));
        cx.progress("endpoint", "settling", detail, cx.clock.now());
        cx.sleep(pause).await
    }
}

impl Recorded {
    fn kind_and_name(&self) -> (&'static str, String) {
        // `what` is made by `Place`, with the name in quotes.
        let name = self.what.split('"').nth(1).unwrap_or_default().to_owned();
        let kind = match &self.kept {
            Kept::Parameter(_) => "ssm_parameter",
            Kept::Secret(_) => "secret",
            Kept::Record(_) => "route53_record",
        };
        (kind, name)
    }

    /// Takes away what the swap left beside the value.
    async fn tidy(&self, env: &Env, cx: &Cx) -> Result<Option<String>, Failure> {
        let Kept::Secret(secret) = &self.kept else { return Ok(None) };
        if self.already {
            return Ok(None);
        }
        if let Err(failure) = secret.restore_previous(env).await {
            if failure.class.may_pass() {
                return Err(
                    failure.context(format!("failed to restore AWSPREVIOUS of {}", self.what))
                );
            }
            // AWSCURRENT is what the applications read; AWSPREVIOUS is worth a word, not a person's night.
            cx.warn(format!("AWSPREVIOUS of {} stays at this run's version: {failure}", self.what));
        }
        let unlabelled = secret.unlabel(env).await.map_err(|failure| {
            failure.context(format!("failed to remove the staging label of {}", self.what))
        })?;
        Ok(unlabelled.then(|| format!("the staged version of {} has lost its label", self.what)))
    }
}

fn reached(cx: &Cx) -> usize {
    let note = cx.note.clone().and_then(|note| serde_json::from_value(note).ok());
    note.map_or(0, |Reached { begun }| begun)
}

/// What is wrong with the arguments themselves.
fn faults(args: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    for name in ["to", "from"] {
        if let Some(Err(failure)) = args[name].as_str().map(|text| endpoint(name, text)) {
            let fault = Fault::from(failure).key(name);
            faults.push(fault.mend("write it like `cache.example.com:6379`"));
        }
    }
    // One that is not known yet is there all the same.
    let tls = args.get("tls").map(|tls| tls.as_bool().unwrap_or(true));
    // With the zone: a public and a private one may have a record of the same name.
    let mut places: Vec<(String, Option<String>)> = Vec::new();
    for (index, value) in args["targets"].as_array().into_iter().flatten().enumerate() {
        let at = || Fault::default().key("targets").item(index);
        let unknown = value.as_object().is_none_or(|map| map.values().any(Value::is_null));
        let Ok(target) = serde_json::from_value::<Target>(value.clone()) else { continue };
        if unknown {
            continue;
        }
        match target.checked(tls).map(|(place, _)| (place.to_string(), target.zone.clone())) {
            Err(message) => faults.push(Fault { message, ..at() }),
            Ok(place) if places.contains(&place) => {
                faults.push(Fault { message: format!("{} is a target twice", place.0), ..at() });
            }
            Ok(place) => places.push(place),
        }
    }
    faults
}

fn endpoint(field: &str, text: &str) -> Result<Endpoint, Failure> {
    text.parse().map_err(|error: String| {
        Failure::fatal(format!("`{field}` is \"{text}\", not host:port")).because(error)
    })
}

fn settle(spec: &Spec) -> Result<Option<Duration>, Failure> {
    spec.settle
        .as_deref()
        .map(parse_duration)
        .transpose()
        .map_err(|error| Failure::fatal("`settle` is not a duration").because(error))
}

fn resource(target: &Recorded) -> Resource {
    let (kind, name) = target.kind_and_name();
    let what = match kind {
        "ssm_parameter" => "SSM parameter",
        "secret" => "Secrets Manager secret",
        _ => "Route 53 record",
    };
    let arn = match &target.kept {
        Kept::Secret(secret) => secret.arn().map(str::to_owned),
        Kept::Parameter(_) | Kept::Record(_) => None,
    };
    Resource { what: what.to_owned(), name, arn, role: Role::Changes }
}

/// The targets as far as they can be read before the run.
fn targets_in(args: &Value) -> impl Iterator<Item = Target> + use<'_> {
    let list = args.get("targets").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|t| serde_json::from_value(t.clone()).ok())
}

fn label(target: &Target) -> String {
    match (&target.ssm_parameter, &target.secret, &target.route53_record) {
        (Some(name), _, _) => Place::Parameter(name).to_string(),
        (_, Some(name), _) => Place::Secret(name).to_string(),
        (_, _, Some(name)) => Place::Record { name, zone: "" }.to_string(),
        _ => "a target known when the run gets there".to_owned(),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "targets known when the run gets there".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn need(target: &Target) -> Option<Need> {
    let (place, form) = target.checked(Some(true)).ok()?;
    let form = match form {
        Form::Host => "host".to_owned(),
        Form::HostPort => "host:port".to_owned(),
        Form::Url => "url".to_owned(),
        Form::Json(fields) => fields.example().to_string(),
    };
    Some(match place {
        Place::Parameter(name) => Need::Parameter { name: name.to_owned(), form },
        Place::Secret(name) => Need::Secret { name: name.to_owned(), form },
        Place::Record { name, zone } => {
            Need::Record { zone: zone.to_owned(), name: name.to_owned() }
        }
    })
}

#[cfg(test)]
mod runs;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
