//! A step's arguments against its kind's schema.

use serde_json::Value;

use super::shape::{Schema, Ty, Types};
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Expr, Key, Span, parse_duration, quoted_list, suggestion,
};

/// What an expression gives; nothing known if it was reported elsewhere.
pub(super) trait TypeOf<'a> {
    fn type_of(&self, expr: &Expr) -> Ty<'a>;
}

/// One value on its way to its schema.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    /// "`shards`", "step `copy`": for messages.
    pub(super) what: &'s str,
    /// Where a missing key is reported.
    pub(super) head: Span,
    /// The argument by which the kind accepts a loss, if it has one.
    pub(super) loss: Option<&'s str>,
}

/// All problems of one value. None means that it fits as far as it is known.
pub(super) fn fit<'a>(
    arg: &Arg,
    schema: Schema<'_>,
    place: Place<'_>,
    env: &dyn TypeOf<'a>,
) -> Vec<Diagnostic> {
    if let ArgValue::Expr(expr) = &arg.value {
        let ty = env.type_of(expr);
        let Some(why) = ty.clash(schema, 8) else { return Vec::new() };
        let (have, want) = (ty.types(), schema.types());
        let help = match () {
            () if have == Types::ARRAY && want.within(Types::STRING.or(Types::NULL)) => {
                format!("`join({expr}, ', ')` makes one text of it; `[0]` after it takes an item")
            }
            () if want.within(Types::ARRAY.or(Types::NULL)) && have != Types::ARRAY => {
                format!("make a list of it: `[\"${{{{ {expr} }}}}\"]`")
            }
            () => "name another value, or a field of this one".to_owned(),
        };
        let message = format!("`{expr}` {why}");
        return vec![Diagnostic::error(Code::WrongType, arg.span, message).help(help)];
    }
    if let Some(branches) = schema.branches() {
        return fit_one_of(arg, &branches, place, env);
    }
    let (have, want) = (types_of(arg), schema.types());
    if !have.within(want) {
        return vec![mismatch(arg, want, schema, place)];
    }
    if let Some(problem) = fit_values(arg, schema, place) {
        return vec![problem];
    }
    match &arg.value {
        ArgValue::Map(entries) => fit_map(entries, schema, place, env),
        ArgValue::Seq(items) => {
            let mut problems: Vec<_> = fit_count(arg, items.len(), schema, place);
            if let Some(each) = schema.items() {
                let what = format!("an item of {}", place.what);
                problems.extend(items.iter().flat_map(|item| {
                    fit(item, each, Place { what: &what, head: item.span, ..place }, env)
                }));
            }
            problems
        }
        _ => fit_scalar(arg, schema, place).into_iter().collect(),
    }
}

fn fit_map<'a>(
    entries: &[(Key, Arg)],
    schema: Schema<'_>,
    place: Place<'_>,
    env: &dyn TypeOf<'a>,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (key, arg) in entries {
        let Some(property) = schema.property(&key.name) else {
            let known = schema.properties();
            let help = match known.is_empty() {
                true => "it takes no arguments".into(),
                false => suggestion(&key.name, known, "known here")
                    .or("`orchestrate steps <kind>` lists the arguments of a kind"),
            };
            let message = format!("{} has no key `{}`", place.what, key.name);
            problems.push(Diagnostic::error(Code::UnknownKey, key.span, message).hint(help));
            continue;
        };
        let what = format!("`{}`", key.name);
        problems.extend(fit(arg, property, Place { what: &what, head: key.span, ..place }, env));
    }
    let has = |name: &str| entries.iter().any(|(key, _)| key.name == name);
    for name in schema.required().into_iter().filter(|name| !has(name)) {
        let about = schema.property(name).and_then(|property| property.keyword("description"));
        let help = about.and_then(Value::as_str).and_then(|text| text.lines().next());
        problems.push(
            Diagnostic::error(
                Code::MissingKey,
                place.head,
                format!("{} needs `{name}`", place.what),
            )
            .help(match help {
                Some(text) => format!("`{name}`: {text}"),
                None => format!("add `{name}: …`"),
            }),
        );
    }
    problems
}

fn fit_one_of<'a>(
    arg: &Arg,
    branches: &[Schema<'_>],
    place: Place<'_>,
    env: &dyn TypeOf<'a>,
) -> Vec<Diagnostic> {
    let have = types_of(arg);
    let near: Vec<_> =
        branches.iter().copied().filter(|branch| have.within(branch.types())).collect();
    if near.is_empty() {
        let want = branches.iter().fold(Types::NONE, |all, branch| all.or(branch.types()));
        let first = branches.first().copied().unwrap_or(Schema::new(&Value::Null));
        return vec![mismatch(arg, want, first, place)];
    }
    if let ArgValue::Str(text) = &arg.value {
        // Documented variants of an enum come as one `const` each: one list reads better.
        let words: Option<Vec<&str>> = near
            .iter()
            .map(|branch| words(*branch))
            .collect::<Option<Vec<_>>>()
            .map(|lists| lists.concat());
        if let Some(words) = words {
            return not_one_of(arg, text, &words, place).into_iter().collect();
        }
    }
    let mut results: Vec<_> =
        near.iter().map(|branch| (branch, fit(arg, *branch, place, env))).collect();
    if results.iter().any(|(_, problems)| problems.is_empty()) {
        return Vec::new();
    }
    if let ArgValue::Map(entries) = &arg.value
        && results.len() > 1
    {
        let named = |branch: &Schema<'_>| {
            let required = branch.required();
            required.iter().filter(|name| entries.iter().any(|(key, _)| key.name == **name)).count()
        };
        let tags: Vec<&str> = near.iter().flat_map(|branch| branch.required()).collect();
        if near.iter().all(|branch| named(branch) == 0) {
            let span = entries.first().map_or(place.head, |(key, _)| key.span);
            let message =
                format!("{} needs one of {}", place.what, quoted_list(tags.iter().copied()));
            let wrong = entries.first().map_or("", |(key, _)| key.name.as_str());
            let help = suggestion(wrong, tags, "one of");
            return vec![Diagnostic::error(Code::MissingKey, span, message).hint(help)];
        }
        let chosen: Vec<_> =
            entries.iter().filter(|(key, _)| tags.contains(&key.name.as_str())).collect();
        let single = near.iter().all(|branch| branch.required().len() == 1);
        if let (true, [first, second, ..]) = (single, chosen.as_slice()) {
            let message = format!(
                "{} takes one of `{}` and `{}`, not both",
                place.what, first.0.name, second.0.name
            );
            return vec![
                Diagnostic::error(Code::InvalidValue, second.0.span, message)
                    .related(first.0.span, "the other one")
                    .help("remove one of the two"),
            ];
        }
        results.retain(|(branch, _)| named(branch) > 0);
    }
    results.into_iter().map(|(_, problems)| problems).min_by_key(Vec::len).unwrap_or_default()
}

/// The texts a schema allows, if it allows nothing else.
fn words(schema: Schema<'_>) -> Option<Vec<&str>> {
    match (schema.keyword("const"), schema.allowed()) {
        (Some(value), _) => value.as_str().map(|word| vec![word]),
        (None, Some(values)) => Some(values.iter().filter_map(Value::as_str).collect()),
        (None, None) => None,
    }
}

fn fit_values(arg: &Arg, schema: Schema<'_>, place: Place<'_>) -> Option<Diagnostic> {
    if let ArgValue::Str(text) = &arg.value {
        return words(schema).and_then(|words| not_one_of(arg, text, &words, place));
    }
    let value = match &arg.value {
        ArgValue::Int(number) => Value::from(*number),
        ArgValue::Bool(flag) => Value::from(*flag),
        _ => return None,
    };
    let allowed: Vec<&Value> = match (schema.keyword("const"), schema.allowed()) {
        (Some(value), _) => vec![value],
        (None, Some(values)) => values.iter().collect(),
        (None, None) => return None,
    };
    if allowed.contains(&&value) {
        return None;
    }
    let allowed = allowed.iter().map(ToString::to_string).collect::<Vec<_>>();
    let message = format!("{} cannot be {value}", place.what);
    let help = format!("allowed: {}", quoted_list(allowed.iter().map(String::as_str)));
    Some(Diagnostic::error(Code::InvalidValue, arg.span, message).help(help))
}

fn not_one_of(arg: &Arg, text: &str, words: &[&str], place: Place<'_>) -> Option<Diagnostic> {
    if words.contains(&text) {
        return None;
    }
    let message = format!("{} cannot be `{text}`", place.what);
    let help = suggestion(text, words.iter().copied(), "allowed")
        .or("`orchestrate steps <kind>` tells what is allowed");
    Some(Diagnostic::error(Code::InvalidValue, arg.span, message).hint(help))
}

fn fit_scalar(arg: &Arg, schema: Schema<'_>, place: Place<'_>) -> Option<Diagnostic> {
    let invalid = |message: String, help: &str| {
        Some(Diagnostic::error(Code::InvalidValue, arg.span, message).help(help))
    };
    let what = place.what;
    match &arg.value {
        ArgValue::Int(number) => {
            let (low, high) = bounds(schema);
            if (*number as f64) < low {
                let message = format!("{what} must be at least {low}, and this is {number}");
                return invalid(message, &allowed(low, high));
            }
            if (*number as f64) > high {
                let message = format!("{what} must be at most {high}, and this is {number}");
                return invalid(message, &allowed(low, high));
            }
            None
        }
        ArgValue::Float(number) => {
            let (low, high) = bounds(schema);
            let inside = (low..=high).contains(number);
            let message = || format!("{what} must be from {low} to {high}");
            if inside { None } else { invalid(message(), &allowed(low, high)) }
        }
        ArgValue::Str(text) => {
            let length = text.chars().count() as f64;
            if schema.number("minLength").is_some_and(|least| length < least) {
                return match text.is_empty() {
                    true => invalid(format!("{what} must not be empty"), "write a text here"),
                    false => invalid(format!("{what} is too short"), "write a longer one"),
                };
            }
            if let Some(most) = schema.number("maxLength").filter(|most| length > *most) {
                let message = format!("{what} has {length} characters, and at most {most} may be");
                return invalid(message, "shorten it");
            }
            let problem = if is_duration(schema) { parse_duration(text).err() } else { None };
            problem.map(|problem| {
                let message = format!("`{text}` is not a duration");
                Diagnostic::error(Code::BadDuration, arg.span, message).help(problem)
            })
        }
        _ => None,
    }
}

/// The range of numbers, as it is written in a mend.
fn allowed(low: f64, high: f64) -> String {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("allowed: {low} to {high}"),
        (true, false) => format!("allowed: {low} and more"),
        (false, true) => format!("allowed: {high} and less"),
        (false, false) => "write another number".to_owned(),
    }
}

/// The least and the greatest number a schema allows.
fn bounds(schema: Schema<'_>) -> (f64, f64) {
    let (low, high) = match schema.keyword("format").and_then(Value::as_str) {
        Some("uint8") => (0.0, f64::from(u8::MAX)),
        Some("uint16") => (0.0, f64::from(u16::MAX)),
        Some("uint32") => (0.0, f64::from(u32::MAX)),
        Some("uint64" | "uint") => (0.0, f64::INFINITY),
        Some("int32") => (f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    (
        schema.number("minimum").map_or(low, |least| least.max(low)),
        schema.number("maximum").map_or(high, |most| most.min(high)),
    )
}

fn fit_count(arg: &Arg, count: usize, schema: Schema<'_>, place: Place<'_>) -> Vec<Diagnostic> {
    let count = count as f64;
    let (message, help) = match (schema.number("minItems"), schema.number("maxItems")) {
        (Some(least), _) if count < least => (
            format!("{} needs at least {least} item(s), and here are {count}", place.what),
            "add an item to the list",
        ),
        (_, Some(most)) if count > most => (
            format!("{} takes at most {most} item(s), and here are {count}", place.what),
            "make two steps of it",
        ),
        _ => return Vec::new(),
    };
    vec![Diagnostic::error(Code::InvalidValue, arg.span, message).help(help)]
}

fn types_of(arg: &Arg) -> Types {
    match &arg.value {
        ArgValue::Null => Types::NULL,
        ArgValue::Bool(_) => Types::BOOLEAN,
        ArgValue::Int(_) => Types::INTEGER,
        ArgValue::Float(_) => Types::FRACTION,
        ArgValue::Str(_) | ArgValue::Text(_) => Types::STRING,
        ArgValue::Seq(_) => Types::ARRAY,
        ArgValue::Map(_) => Types::OBJECT,
        ArgValue::Expr(_) => Types::NONE,
    }
}

fn mismatch(arg: &Arg, want: Types, schema: Schema<'_>, place: Place<'_>) -> Diagnostic {
    let head = if arg.span.start == arg.span.end { place.head } else { arg.span };
    let message = format!("{} must be {want}, and this is {}", place.what, arg.describe());
    Diagnostic::error(Code::WrongType, head, message)
        .help(format!("write {want} here"))
        .hint(mend(arg, want, schema, place))
}

/// What to write instead of a value of the wrong type.
fn mend(arg: &Arg, want: Types, schema: Schema<'_>, place: Place<'_>) -> Option<String> {
    let wants = |types: Types| !want.and(types).is_none();
    let key = place.what.trim_matches('`');
    match &arg.value {
        ArgValue::Bool(_) if place.loss == Some(key) => Some(format!(
            "the loss is accepted by name: write the replication group's, as in `{key}: prod`"
        )),
        ArgValue::Int(number) if wants(Types::STRING) && is_duration(schema) => {
            Some(format!("add a unit: `{number}s`, `{number}m` or `{number}h`"))
        }
        ArgValue::Int(_) | ArgValue::Float(_) | ArgValue::Bool(_) if wants(Types::STRING) => {
            Some("quote it".to_owned())
        }
        ArgValue::Str(text) if wants(Types::INTEGER) && text.parse::<i64>().is_ok() => {
            Some(format!("write {text} without quotes"))
        }
        ArgValue::Str(text)
            if wants(Types::BOOLEAN)
                && matches!(text.as_str(), "yes" | "no" | "on" | "off" | "true" | "false") =>
        {
            Some("write `true` or `false`, without quotes".to_owned())
        }
        _ if wants(Types::ARRAY) => Some("write `[a, b]`, or one `- item` on each line".to_owned()),
        _ if wants(Types::OBJECT) => Some(format!("write `{}`", shape(schema, place))),
        _ => None,
    }
}

/// A mapping as it would be written: its required keys, or else one that it may have.
fn shape(schema: Schema<'_>, place: Place<'_>) -> String {
    let mut keys = schema.required();
    if keys.is_empty() {
        keys = schema.properties().into_iter().take(1).collect();
    }
    if keys.is_empty() {
        keys.push("key");
    }
    let keys = keys.iter().map(|key| format!("{key}: …")).collect::<Vec<_>>().join(", ");
    match place.what.strip_prefix('`').and_then(|what| what.strip_suffix('`')) {
        Some(key) => format!("{key}: {{ {keys} }}"),
        None => format!("{{ {keys} }}"),
    }
}

fn is_duration(schema: Schema<'_>) -> bool {
    schema.keyword("x-format").and_then(Value::as_str) == Some("duration")
}
