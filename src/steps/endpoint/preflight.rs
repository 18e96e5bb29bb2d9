//! What can be told of the targets before a run, by reading alone. Whether they may be written is tried only by the run,
//! with writes that cannot happen; here it is said as far as the targets themselves tell.

use std::time::Duration;

use regex_lite::Regex;
use serde_json::{Value, json};

use super::form::{Endpoint, Form, Goal, Login, same_host};
use super::parameter::Parameter;
use super::record::Record;
use super::secret::{self, Secret};
use super::target::{Kept, Look, Place, Target, look};
use super::way_back;
use crate::aws::shell;
use crate::engine::{Class, Cx, Finding};
use crate::playbook::parse_duration;
use crate::steps::Env;
use crate::survey;

/// What resolvers may keep of a record without making the swap slow, in seconds.
const SHORT_TTL: i64 = 60;

/// The port of both services where none is given (MemoryDB API reference, CreateCluster).
const REDIS_PORT: u16 = 6379;

/// What the plan tells of both ends.
struct Ends {
    from: Option<Endpoint>,
    to: Option<Endpoint>,
    /// `tls` of the step.
    tls: Option<bool>,
    /// How long caches may take, if the step says so.
    settle: Option<Duration>,
    /// How long the step may take.
    may_take: Option<Duration>,
    /// The replication group that the plan copies, and where it is reached.
    source: Option<Source>,
    /// The cluster that the plan makes.
    cluster: Option<Cluster>,
}

struct Cluster {
    name: String,
    port: u16,
    /// Whether it speaks TLS, if that is known.
    tls: Option<bool>,
}

struct Source {
    group: String,
    endpoint: Option<survey::Endpoint>,
    tls: bool,
}

impl Ends {
    async fn of(env: &Env, args: &Value, cx: &Cx) -> Self {
        let endpoint = |name: &str| args[name].as_str().and_then(|text| text.parse().ok());
        let group = cx.around.upstream("elasticache.create_snapshot");
        let source = match group.and_then(|step| step.args["replication_group"].as_str()) {
            // What cannot be read of the source, the step that copies it says.
            Some(id) => env.survey.group(id).await.ok().and_then(|found| {
                let group = found.as_ref().as_ref()?;
                Some(Source {
                    group: id.to_owned(),
                    endpoint: group.endpoint.clone(),
                    tls: group.tls,
                })
            }),
            None => None,
        };
        let cluster = cx.around.upstream("memorydb.create_cluster").and_then(|step| {
            let port = step.args["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            Some(Cluster {
                name: step.args["name"].as_str()?.to_ascii_lowercase(),
                port: port.unwrap_or(REDIS_PORT),
                tls: step.args.get("tls").map_or(Some(true), Value::as_bool),
            })
        });
        Self {
            from: endpoint("from"),
            to: endpoint("to"),
            tls: args["tls"].as_bool(),
            settle: args["settle"].as_str().and_then(|text| parse_duration(text).ok()),
            may_take: cx.around.may_take,
            source,
            cluster,
        }
    }

    /// The new endpoint, or one in its shape: what MemoryDB puts between the names is not known yet (MemoryDB developer
    /// guide, finding endpoints).
    fn sample(&self, region: &str) -> Option<Endpoint> {
        self.to.clone().or_else(|| {
            let Cluster { name, port, .. } = self.cluster.as_ref()?;
            format!("clustercfg.{name}.abc123.memorydb.{region}.amazonaws.com:{port}").parse().ok()
        })
    }
}

/// Looks at every target. `args` may hold `null` where an output of an earlier step is referred to.
pub(super) async fn findings(env: &Env, args: &Value, targets: &[Target], cx: &Cx) -> Vec<Finding> {
    let mut findings = arguments(args, cx);
    let ends = Ends::of(env, args, cx).await;
    let looks =
        targets.iter().enumerate().map(|(index, target)| one(env, cx, &ends, index, target));
    let mut seen = Vec::new();
    for (found, look) in futures::future::join_all(looks).await {
        findings.extend(found);
        seen.extend(look);
    }
    let to = ends.sample(&env.identity.region);
    findings.extend(way_back::finding(env, cx, ends.from.as_ref(), to.as_ref(), &seen).await);
    findings
}

fn arguments(args: &Value, cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["to", "from"] {
        if let Some(Err(error)) = args[name].as_str().map(str::parse::<Endpoint>) {
            findings.push(Finding::will_fail(
                "arguments",
                format!("`{name}` is not host:port: {error}"),
                "write it like cache.example.com:6379",
            ));
        }
    }
    let settle = args["settle"].as_str().map(parse_duration);
    if let Some(Err(error)) = &settle {
        findings.push(Finding::will_fail("arguments", "`settle` is not a duration", error.clone()));
    }
    if let (Some(Ok(settle)), Some(may_take)) = (settle, cx.around.may_take)
        && settle >= may_take
    {
        findings.push(Finding::will_fail(
            "arguments",
            format!(
                "the step waits {} s after the swap (`settle`), and gives up after {} s: switched over, and failed",
                settle.as_secs(),
                may_take.as_secs()
            ),
            format!("give the step more time: `timeout: {}s`", settle.as_secs() + 600),
        ));
    }
    findings
}

/// What is found of one target, and the look at it if there could be one.
async fn one<'t>(
    env: &Env,
    cx: &Cx,
    ends: &Ends,
    index: usize,
    target: &'t Target,
) -> (Vec<Finding>, Option<(Place<'t>, Look)>) {
    let (place, form) = match target.checked(ends.tls) {
        Ok(checked) => checked,
        Err(error) => {
            let mend = "correct the target in the playbook";
            return (vec![Finding::will_fail("arguments", error, mend)], None);
        }
    };
    let seen = match look(env, cx, target, (place, &form), secret::token(cx, index)).await {
        Ok(seen) => seen,
        Err(failure) => {
            // What cannot be read now the run could not read either.
            let finding = if failure.class.may_pass() {
                Finding::cannot_know("swap.target", failure.to_string())
            } else {
                Finding::will_fail("swap.target", failure.to_string(), "")
            };
            let mend = failure.mend.unwrap_or_else(|| match failure.class {
                Class::Denied => {
                    "allow the caller to read it: `orchestrate iam` writes the policy".to_owned()
                }
                _ => "correct the target in the playbook".to_owned(),
            });
            return (vec![finding.mend(mend)], None);
        }
    };
    let mut findings = vec![named(ends, place, &seen)];
    findings.extend(of_source(ends, place, &seen));
    findings.push(match &seen.kept {
        Kept::Parameter(parameter) => parameter_writable(env, ends, place, &form, &seen, parameter),
        Kept::Secret(secret) => secret_writable(place, secret),
        Kept::Record(_) => Finding::ok(
            "swap.writable",
            format!("{place} is a plain CNAME; whether it may be changed is tried before the swap"),
        ),
    });
    findings.extend(match &seen.kept {
        Kept::Parameter(_) => None,
        Kept::Secret(secret) => Some(rotation(place, target, secret, &env.identity.region)),
        Kept::Record(record) => Some(ttl(ends, place, record)),
    });
    findings.extend(tls(ends, place, &form));
    findings.extend(login(ends, place, &form, &seen));
    (findings, Some((place, seen)))
}

/// What a target names now.
fn named(ends: &Ends, place: Place<'_>, seen: &Look) -> Finding {
    const CHECK: &str = "swap.target";
    let known = |end: &Option<Endpoint>| end.as_ref().is_some_and(|end| seen.named.is(end));
    // A bare word in a secret may be the secret itself.
    let shown = seen.open || seen.named.looks_like_a_host();
    let finding = if ends.from.is_some() && !known(&ends.from) && !known(&ends.to) {
        Finding::will_fail(
            CHECK,
            format!("{place} does not name the endpoint that `from` expects"),
            "correct `from`, or find out who changed the target",
        )
    } else if shown {
        Finding::ok(CHECK, format!("{place} names {}", seen.named))
    } else {
        Finding::ok(CHECK, format!("{place} can be read"))
    };
    if shown { finding.seen(&place.to_string(), seen.named.to_string()) } else { finding }
}

/// Whether a target names the group whose data the plan copies.
fn of_source(ends: &Ends, place: Place<'_>, seen: &Look) -> Option<Finding> {
    const CHECK: &str = "swap.source";
    let Source { group, endpoint, .. } = ends.source.as_ref()?;
    let endpoint = endpoint.as_ref()?;
    let same = same_host(&seen.named.host, &endpoint.host)
        && seen.named.port.is_none_or(|port| port == endpoint.port);
    let new = ends.to.as_ref().is_some_and(|to| seen.named.is(to));
    Some(if same {
        Finding::ok(CHECK, format!("{place} names \"{group}\", which is copied"))
    } else if new {
        Finding::ok(CHECK, format!("{place} names the new endpoint already"))
    } else {
        let named = if seen.open || seen.named.looks_like_a_host() {
            format!("{place} names {}", seen.named)
        } else {
            format!("{place} names another endpoint")
        };
        Finding::cannot_know(
            CHECK,
            format!(
                "{named}, and not {endpoint}, by which \"{group}\" is reached: whoever reads it may use other data than \
                 what is copied"
            ),
        )
        .mend(format!(
            "find out what it leads to; once it is sure, write it with {endpoint}, or say `from` in the playbook"
        ))
    })
}

fn parameter_writable(
    env: &Env,
    ends: &Ends,
    place: Place<'_>,
    form: &Form,
    seen: &Look,
    parameter: &Parameter,
) -> Finding {
    const CHECK: &str = "swap.writable";
    let facts = |finding: Finding| {
        finding.seen("type", parameter.kind.as_str()).seen("tier", parameter.tier.clone())
    };
    if let Some(pattern) = &parameter.allowed_pattern {
        let new = ends.sample(&env.identity.region);
        let new = new.and_then(|to| form.write(&seen.text, Goal { to: &to, tls: ends.tls }).ok());
        // Systems Manager takes Java's expressions, and matches the whole value.
        let whole = Regex::new(&format!("^(?:{pattern})$")).ok();
        match (whole, new) {
            (Some(whole), Some(new)) if whole.is_match(&new) => {}
            (Some(_), Some(_)) => {
                return facts(Finding::will_fail(
                    CHECK,
                    format!(
                        "{place} takes only values that match `{pattern}`, and one with the new endpoint does not \
                         (ParameterPatternMismatchException)"
                    ),
                    format!(
                        "widen the pattern, with the value that it has in VALUE: aws ssm put-parameter --name {} --overwrite \
                         --allowed-pattern '.*' --value \"$VALUE\" --region {}",
                        shell(&parameter.name),
                        env.identity.region
                    ),
                ));
            }
            _ => {
                return facts(
                    Finding::cannot_know(
                        CHECK,
                        format!("{place} takes only values that match `{pattern}`; whether the new one does cannot be weighed here"),
                    )
                    .mend("compare the pattern with the new endpoint's shape: clustercfg.<name>.<id>.memorydb.<region>.amazonaws.com"),
                );
            }
        }
    }
    // Systems Manager user guide, parameter policies.
    if parameter.policies.iter().any(|policy| policy == "Expiration") {
        return facts(
            Finding::cannot_know(
                CHECK,
                format!("{place} has an expiration policy: Systems Manager deletes it when its time has come, new value and all"),
            )
            .mend(format!(
                "look when: aws ssm describe-parameters --parameter-filters Key=Name,Values={} --query \
                 'Parameters[].Policies' --region {}\nput the value anew with --policies '[]' to take the policy off",
                shell(&parameter.name),
                env.identity.region
            )),
        );
    }
    let kind = if parameter.is_encrypted() { "encrypted" } else { "plain" };
    facts(Finding::ok(
        CHECK,
        format!(
            "{place} is a {kind} parameter; whether it may be written is tried before the swap"
        ),
    ))
}

fn secret_writable(place: Place<'_>, secret: &Secret) -> Finding {
    const CHECK: &str = "swap.writable";
    // Secrets Manager user guide, secrets managed by other services.
    match &secret.owning_service {
        Some(owner) => Finding::will_fail(
            CHECK,
            format!("{place} is managed by {owner}, which alone may change it"),
            "let the applications read a secret of their own, and swap that one",
        ),
        None => Finding::ok(
            CHECK,
            format!(
                "{place} is your own; whether it may be written shows when the new version is staged, before the swap"
            ),
        ),
    }
}

fn rotation(place: Place<'_>, target: &Target, secret: &Secret, region: &str) -> Finding {
    const CHECK: &str = "swap.rotation";
    let id = target.secret.as_deref().unwrap_or_default();
    let finding = if secret.rotates {
        Finding::cannot_know(
            CHECK,
            format!(
                "{place} is rotated: a rotation may write the old endpoint into it again, and moves the labels by which the \
                 swap is put back"
            ),
        )
        .mend(format!(
            "stop it for the time of the move: aws secretsmanager cancel-rotate-secret --secret-id {} --region {region}",
            shell(id)
        ))
    } else {
        Finding::ok(CHECK, format!("{place} is not rotated"))
    };
    finding.seen("rotates", secret.rotates)
}

/// Resolvers keep the old value as long as they were told to when they asked for it.
fn ttl(ends: &Ends, place: Place<'_>, record: &Record) -> Finding {
    const CHECK: &str = "swap.ttl";
    let ttl = record.old_ttl;
    // The step waits until resolvers have let go, unless it is told how long to wait.
    let wait = ends.settle.unwrap_or_else(|| Duration::from_secs(u64::try_from(ttl).unwrap_or(0)));
    let batch = json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {
        "Name": record.name, "Type": "CNAME", "TTL": SHORT_TTL,
        "ResourceRecords": [{"Value": record.old_value}],
    }}]});
    let lower = format!(
        "wait {ttl} s before the run: aws route53 change-resource-record-sets --hosted-zone-id {} --change-batch {}",
        shell(&record.zone),
        shell(&batch.to_string())
    );
    let too_long = ends.may_take.filter(|may_take| ends.settle.is_none() && wait >= *may_take);
    let finding = if let Some(may_take) = too_long {
        Finding::will_fail(
            CHECK,
            format!(
                "{place} has a TTL of {ttl} s, for which the step waits after the swap until caches have run out; but it gives \
                 up after {} s: switched over, and failed",
                may_take.as_secs()
            ),
            format!(
                "lower the TTL, and {lower}\nor give the step more time: `timeout: {}s`; or say with `settle: 1m` how long it is \
                 to wait",
                ttl.saturating_add(600)
            ),
        )
    } else if ttl > SHORT_TTL {
        Finding::ok(
            CHECK,
            format!(
                "{place} has a TTL of {ttl} s: for so long after the swap clients may still be sent to the old endpoint, and the step \
                 waits for that"
            ),
        )
        .mend(format!("a shorter one makes the swap quicker; lower it, and {lower}"))
    } else {
        Finding::ok(CHECK, format!("{place} has a TTL of {ttl} s"))
    };
    // `settle` is among the arguments, which tell how long the step takes.
    let finding = if ends.settle.is_some() { finding } else { finding.adds(wait) };
    finding.seen("ttl", ttl)
}

/// Whether what the applications read tells them of TLS, where that changes.
fn tls(ends: &Ends, place: Place<'_>, form: &Form) -> Option<Finding> {
    const CHECK: &str = "swap.tls";
    let was = ends.source.as_ref()?.tls;
    let Cluster { name: cluster, tls: will, .. } = ends.cluster.as_ref()?;
    let will = (*will)?;
    let finding = if was == will {
        let speaks = if will { "speak TLS" } else { "do not speak TLS" };
        Finding::ok(CHECK, format!("clients that read {place} {speaks} now, and will then"))
    } else if form.carries_tls() && ends.tls == Some(will) {
        Finding::ok(CHECK, format!("{place} tells of TLS too, and is changed with the endpoint"))
    } else {
        let speaks = if will {
            "speaks TLS, and the source does not"
        } else {
            "does not speak TLS, and the source does"
        };
        let mend = if form.carries_tls() {
            format!(
                "set `tls: {will}` in endpoint.swap: then the scheme, or the field, is changed with the endpoint"
            )
        } else {
            format!(
                "have the applications take TLS {} at the same moment, or read it beside the endpoint: `format: url`, or \
                 `fields.tls` of a JSON document",
                if will { "on" } else { "off" }
            )
        };
        Finding::cannot_know(
            CHECK,
            format!(
                "\"{cluster}\" {speaks}: what is written into {place} does not tell clients so"
            ),
        )
        .mend(mend)
    };
    Some(finding)
}

/// A URL that logs in by password alone does so as the user "default", whom no ACL of MemoryDB but open-access has
/// (MemoryDB developer guide, ACLs).
fn login(ends: &Ends, place: Place<'_>, form: &Form, seen: &Look) -> Option<Finding> {
    const CHECK: &str = "swap.login";
    let cluster = &ends.cluster.as_ref()?.name;
    Some(match form.login(&seen.text)? {
        Login::User => Finding::ok(CHECK, format!("{place} names the user to log in as")),
        Login::None => Finding::ok(CHECK, format!("{place} holds no login")),
        Login::Password => Finding::cannot_know(
            CHECK,
            format!(
                "{place} holds a password without a user, which \"{cluster}\" does not take: the swap keeps what stands \
                 before the host"
            ),
        )
        .mend("write the URL with a user that both ends have, <scheme>://<user>:<password>@…, before the run"),
    })
}
