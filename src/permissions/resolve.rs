//! A plan's arguments put into templates.

use serde_json::Value;

use super::grant::Declared;
use super::place::Place;
use super::text::{ANY, pattern};
use crate::plan::{Plan, PlannedStep, Reference};
use crate::playbook::Segment;

/// The arguments of a step; what only the run knows is a pattern, as narrow as the step it comes from can tell.
pub(super) fn arguments(plan: &Plan, step: &PlannedStep, declared: &Declared<'_>) -> Value {
    step.args.filled(&|reference| foresee(plan, reference, declared))
}

fn foresee(plan: &Plan, reference: &Reference, declared: &Declared<'_>) -> Value {
    let unknown = Value::String(ANY.to_string());
    let Reference::Output { step, path } = reference else { return unknown };
    let (Some(step), Some(Segment::Field(field))) = (plan.step(step), path.first()) else {
        return unknown;
    };
    let Some(kind) = declared(&step.kind) else { return unknown };
    let Some((_, template)) = kind.outputs.iter().find(|(name, _)| name == field) else {
        return unknown;
    };
    let args = arguments(plan, step, declared);
    match fill(template, &args).as_slice() {
        [] => unknown,
        [one] => Value::String(one.clone()),
        many => many.iter().cloned().map(Value::String).collect(),
    }
}

/// A template with the arguments in it, once for every item of the lists it names; nothing if an argument without
/// alternative is not given.
pub(super) fn fill(template: &str, args: &Value) -> Vec<String> {
    let mut filled = vec![String::new()];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, behind) = after.split_once('}').unwrap_or((after, ""));
        let found = values(inside, args);
        filled = filled
            .iter()
            .flat_map(|text| {
                found.iter().map(move |value| format!("{text}{}{value}", pattern(before)))
            })
            .collect();
        rest = behind;
    }
    for text in &mut filled {
        text.push_str(&pattern(rest));
    }
    filled
}

/// Whether an argument, or any in the lists on the way to it, is given; one that is empty is not.
pub(super) fn is_given(path: &str, args: &Value) -> bool {
    values(path, args).iter().any(|value| !value.is_empty())
}

/// The values that one pair of braces stands for.
fn values(inside: &str, args: &Value) -> Vec<String> {
    let (path, otherwise) = match inside.split_once('|') {
        Some((path, otherwise)) => (path, Some(otherwise)),
        None => (inside, None),
    };
    let (path, how) = path.split_once(':').unwrap_or((path, ""));
    let mut found = Vec::new();
    let hops: Vec<&str> = path.split('.').collect();
    collect(args, &hops, &mut found);
    if found.is_empty() {
        found.extend(otherwise.map(pattern));
    }
    for value in &mut found {
        match how {
            "lower" => *value = value.to_lowercase(),
            // As conditions on Route 53 see a record's name.
            "record" => *value = value.to_lowercase().trim_end_matches('.').to_owned(),
            _ => {}
        }
    }
    found
}

fn collect(value: &Value, hops: &[&str], found: &mut Vec<String>) {
    match (value, hops) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, hops, found)),
        (Value::String(text), []) => found.push(text.clone()),
        (Value::Bool(true), []) => found.push("true".to_owned()),
        // A mapping stands for its values.
        (Value::Object(fields), []) => {
            fields.values().for_each(|value| collect(value, hops, found))
        }
        // What is not known at all is not known in its parts either.
        (Value::String(text), _) if text.starts_with(ANY) => found.push(ANY.to_string()),
        (Value::String(text), ["bucket"]) => {
            let path = text.split_once(":::").map_or(text.as_str(), |(_, path)| path);
            found.push(path.split('/').next().unwrap_or(path).to_owned());
        }
        (Value::Object(fields), [first, rest @ ..]) => {
            if let Some(value) = fields.get(*first) {
                collect(value, rest, found);
            }
        }
        _ => {}
    }
}

/// The ARN of a resource: what the template says after the service's own prefix, with that prefix. `None` if the value is
/// a reference to a secret in another service.
pub(super) fn arn(service: &str, resource: &str, place: &Place) -> Option<String> {
    let Place { partition, region, account } = place;
    let star = ANY.to_string();
    if resource == star {
        return Some(star);
    }
    let any = |text: &str| if text == "*" { star.clone() } else { text.to_owned() };
    let (region, account) = (any(region), any(account));
    let prefix = match service {
        "s3" | "route53" => format!("arn:{partition}:{service}:::"),
        "iam" => format!("arn:{partition}:iam::{account}:"),
        // Dashboards are an account's, in no region.
        "cloudwatch" if resource.starts_with("dashboard/") => {
            format!("arn:{partition}:cloudwatch::{account}:")
        }
        _ => format!("arn:{partition}:{service}:{region}:{account}:"),
    };
    Some(match service {
        "s3" if resource.starts_with("arn:") => resource.to_owned(),
        // A topic is named by its ARN alone.
        "sns" if resource.starts_with("arn:") => resource.to_owned(),
        // Names in these ARNs are in lower case, whatever the playbook writes.
        "elasticache" | "memorydb" => format!("{prefix}{}", resource.to_lowercase()),
        "ssm" => {
            let name = reference(resource.strip_prefix("parameter/")?, "ssm")?;
            if name.starts_with("arn:") {
                return Some(name);
            }
            format!("{prefix}parameter/{}", name.trim_start_matches('/'))
        }
        // A secret that is not there yet: whether its suffix counts when it is made is not documented.
        "secretsmanager" if resource.starts_with("new-secret:") => {
            format!("{prefix}{}{star}", resource.trim_start_matches("new-"))
        }
        "secretsmanager" => {
            secret(&prefix, &reference(resource.strip_prefix("secret:")?, service)?)
        }
        "route53" => {
            let (kind, id) = resource.split_once('/')?;
            format!("{prefix}{kind}/{}", id.rsplit('/').next().unwrap_or(id))
        }
        "kms" => {
            let key = resource.strip_prefix("key/")?;
            if key.starts_with("arn:") && key.contains(":key/") {
                return Some(key.to_owned());
            }
            // An alias cannot be a resource: it may come to stand for any key (KMS developer guide, aliases in policies).
            let id = if key.contains("alias/") { &star } else { key };
            format!("{prefix}key/{id}")
        }
        _ => format!("{prefix}{resource}"),
    })
}

/// A name as a kind takes it: itself, or as a reference to a secret (`ssm:<name>`, `secretsmanager:<name>#<field>`), which
/// counts for the service that it names alone.
fn reference(text: &str, service: &str) -> Option<String> {
    for known in ["ssm", "secretsmanager"] {
        if let Some(name) = text.strip_prefix(known).and_then(|rest| rest.strip_prefix(':')) {
            let name = name.split('#').next().unwrap_or(name);
            return (known == service).then(|| name.to_owned());
        }
    }
    Some(text.to_owned())
}

/// Secrets Manager puts a hyphen and six characters of its own behind the name in the ARN (Secrets Manager user guide).
fn secret(prefix: &str, name: &str) -> String {
    let own = pattern("-??????");
    if name.starts_with(ANY) {
        return format!("{prefix}secret:{name}");
    }
    if !name.starts_with("arn:") {
        return format!("{prefix}secret:{name}{own}");
    }
    let whole = name
        .rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric()));
    if whole { name.to_owned() } else { format!("{name}{own}") }
}
