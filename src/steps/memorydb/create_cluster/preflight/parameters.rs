//! The parameter group, and what behaves otherwise than at the source.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::cluster::SERVICE;
use super::super::{Env, Failure, Finding, Op};
use super::engine::Engine;
use super::source::Source;
use super::{mind, unread};
use crate::aws::{found, shell};
use crate::facts::{self, Difference};

const GROUP: &str = "target.parameters";
const DIFFERENCES: &str = "target.parameters.differences";

pub(super) async fn findings(
    env: &Env,
    args: &Value,
    engine: &Engine,
    source: &Source,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = match args.get("parameter_group") {
        None | Some(Value::Null) => None,
        Some(name) => name.as_str().filter(|name| !name.is_empty()),
    };
    let mut family = engine.family.clone();
    if let Some(name) = named {
        match family_of(env, name).await {
            Err(failure) => findings.push(unread(GROUP, &failure)),
            Ok(None) => {
                findings.push(missing(env, name, family.as_deref(), source).await);
                return findings;
            }
            Ok(Some(found)) => {
                findings.push(fits(env, name, &found, engine).await);
                family = Some(found);
            }
        }
    }
    if let (Some(family), Some(_)) = (family, source.group()) {
        findings.extend(differences(env, named, &family, source).await);
    }
    findings
}

async fn family_of(env: &Env, name: &str) -> Result<Option<String>, Failure> {
    let client = &env.aws.memorydb;
    let look = || client.describe_parameter_groups().parameter_group_name(name).send();
    let answer = found(env.survey.ask(Op::read(SERVICE, "DescribeParameterGroups"), look).await)?;
    let group = answer.and_then(|answer| answer.parameter_groups?.into_iter().next());
    Ok(group.map(|group| group.family.unwrap_or_default()))
}

fn create(env: &Env, name: &str, family: &str) -> String {
    format!(
        "aws memorydb create-parameter-group --parameter-group-name {name} --family {family} --region {}",
        env.identity.region
    )
}

/// A group made for a source has what its owner set there, as far as that can be read.
async fn missing(env: &Env, name: &str, family: Option<&str>, source: &Source) -> Finding {
    let family = family.unwrap_or("memorydb_valkey7");
    let at_source =
        source.group().and_then(|group| group.node.as_ref().ok()?.parameter_group.clone());
    let set = match &at_source {
        Some(group) => env.survey.set_parameters(group).await.ok(),
        None => None,
    };
    let set = set.map(|set| facts::carried(&set, family).set).unwrap_or_default();
    let commands: Vec<String> =
        [create(env, name, family)].into_iter().chain(update(env, name, &set)).collect();
    let what = format!("there is no MemoryDB parameter group \"{name}\"");
    Finding::will_fail(GROUP, what, commands.join("\n"))
}

async fn fits(env: &Env, name: &str, found: &str, engine: &Engine) -> Finding {
    let finding = match &engine.family {
        Some(wanted) if wanted != found => {
            let engine = format!(
                "{} {}",
                engine.name.as_deref().unwrap_or("the engine"),
                engine.version.as_deref().unwrap_or_default()
            );
            Finding::will_fail(
                GROUP,
                format!(
                    "parameter group \"{name}\" is of family {found}, and {} needs {wanted}",
                    engine.trim()
                ),
                another(env, name, wanted).await,
            )
        }
        _ => Finding::ok(GROUP, format!("parameter group \"{name}\" is of family {found}")),
    };
    finding.seen("family", found)
}

/// The commands that make a group of the family wanted, with what the one named sets and that family has.
async fn another(env: &Env, name: &str, wanted: &str) -> String {
    let new = format!("{name}-{}", wanted.trim_start_matches("memorydb_"));
    let default = facts::default_parameter_group(wanted);
    let (has, can) = futures::join!(values(env, name), values(env, &default));
    let mut lines = vec![create(env, &new, wanted)];
    // Without a right to read them, or without that group here, it is said without the values.
    if let (Ok(has), Ok(can)) = (has, can) {
        let differs = |(name, value): &(String, String)| can.get(name).is_some_and(|v| v != value);
        let set: BTreeMap<String, String> = has.into_iter().filter(differs).collect();
        if !set.is_empty() {
            lines.extend(update(env, &new, &set));
        }
    }
    lines.push(format!(
        "then `parameter_group: {new}` in the playbook; or leave `parameter_group` out for {default}"
    ));
    lines.join("\n")
}

/// Nothing of this fails a step; applications notice.
async fn differences(
    env: &Env,
    named: Option<&str>,
    family: &str,
    source: &Source,
) -> Option<Finding> {
    let group = source.group()?;
    let at_source = match &group.node {
        Ok(node) => node.parameter_group.clone()?,
        Err(failure) => return Some(Finding::cannot_know(DIFFERENCES, failure.to_string())),
    };
    let at_target = named.map_or_else(|| facts::default_parameter_group(family), str::to_owned);
    let (set, values) =
        futures::join!(env.survey.set_parameters(&at_source), values(env, &at_target));
    let (set, values) = match (set, values) {
        (Ok(set), Ok(values)) => (set, values),
        (Err(failure), _) | (_, Err(failure)) => {
            return Some(Finding::cannot_know(DIFFERENCES, failure.to_string()));
        }
    };
    let found = facts::differences(&set, family, &values);
    if found.is_empty() {
        let what = format!(
            "\"{at_target}\" means the same as the source's \"{at_source}\", as far as applications notice"
        );
        return Some(Finding::ok(DIFFERENCES, what).seen("differences", json!({})));
    }
    let (mut words, mut facts_seen, mut settings) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for difference in &found {
        match difference {
            Difference::Other { name, source, target, effect } => {
                let effect = effect.map(|effect| format!(" ({effect})")).unwrap_or_default();
                words.push(format!(
                    "{name} is \"{source}\" at the source and \"{target}\" here{effect}"
                ));
                settings.insert(name.clone(), source.clone());
                facts_seen.insert(name.clone(), format!("{source} → {target}"));
            }
            Difference::Gone(dropped) => {
                let why = dropped.why.unwrap_or("MemoryDB has no such parameter");
                words.push(format!("{} = {} is dropped: {why}", dropped.name, dropped.value));
                facts_seen.insert(dropped.name.clone(), format!("{} → none", dropped.value));
            }
        }
    }
    let mend = mend(env, named, family, &at_source, &settings);
    Some(mind(DIFFERENCES, words.join("; "), mend).seen("differences", json!(facts_seen)))
}

fn mend(
    env: &Env,
    named: Option<&str>,
    family: &str,
    source: &str,
    settings: &BTreeMap<String, String>,
) -> String {
    if settings.is_empty() {
        return "nothing can be set for it: see that no application relies on it".to_owned();
    }
    if let Some(own) = named.filter(|name| !name.starts_with("default.")) {
        return update(env, own, settings).join("\n");
    }
    let name = format!("{}-mdb", source.to_ascii_lowercase().replace('.', "-"));
    let mut commands = vec![create(env, &name, family)];
    commands.extend(update(env, &name, settings));
    commands.push(format!("then `parameter_group: {name}` in the playbook"));
    commands.join("\n")
}

/// The commands that set parameters. UpdateParameterGroup takes 20 a call (MemoryDB API reference). JSON, since a value
/// may hold commas and spaces.
fn update(env: &Env, name: &str, set: &BTreeMap<String, String>) -> Vec<String> {
    let pairs: Vec<Value> = set
        .iter()
        .map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value}))
        .collect();
    let command = |some: &[Value]| {
        format!(
            "aws memorydb update-parameter-group --parameter-group-name {name} --region {} --parameter-name-values {}",
            env.identity.region,
            shell(&Value::from(some).to_string())
        )
    };
    pairs.chunks(20).map(command).collect()
}

async fn values(env: &Env, group: &str) -> Result<BTreeMap<String, String>, Failure> {
    let client = &env.aws.memorydb;
    let (mut all, mut token) = (BTreeMap::new(), None);
    loop {
        let request = || {
            let request = client.describe_parameters().parameter_group_name(group);
            request.set_next_token(token.clone()).send()
        };
        let answer = env.survey.ask(Op::read(SERVICE, "DescribeParameters"), request).await?;
        let parameters = answer.parameters.unwrap_or_default().into_iter();
        all.extend(parameters.filter_map(|p| Some((p.name?, p.value.unwrap_or_default()))));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}
