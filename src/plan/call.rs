//! What the functions of expressions compute. Every one ends, and reads nothing but its arguments.

use jiff::fmt::{strtime, temporal::DateTimeParser};
use serde_json::Value;

use super::shape::Types;
use super::template::joinable;
use crate::playbook::{Function, closest};

/// Why a function gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The argument at fault, from 0.
    pub(super) argument: usize,
    /// The argument is right, and what is looked for is not there: `default` then takes its other value.
    pub(super) lacking: bool,
    /// What is wrong, as a clause.
    pub(super) message: String,
    /// What to write instead.
    pub(super) mend: String,
}

/// The types a function takes at one place.
pub(super) fn wanted(function: Function, argument: usize) -> Types {
    match (function, argument) {
        (Function::Join, 0) => Types::ARRAY,
        (Function::Tag, 0) => Types::ARRAY.or(Types::OBJECT),
        (Function::Default, _) | (Function::Tag, 2) => Types::ANY,
        _ => Types::STRING,
    }
}

/// Calls a function whose arguments are all known.
pub(super) fn apply(function: Function, args: &[Value]) -> Result<Value, Refusal> {
    let arg = |index: usize| args.get(index).unwrap_or(&Value::Null);
    for (index, value) in args.iter().enumerate() {
        let types = wanted(function, index);
        if !Types::of_value(value).within(types) {
            if value.is_null() {
                return Err(nothing(function, index));
            }
            let found = Types::of_value(value);
            let message = format!("`{function}` takes {types} here, and this is {found}");
            return Err(refuse(function, index, message));
        }
    }
    match function {
        Function::Join => join(arg(0), text(arg(1))),
        Function::Lower => Ok(Value::from(text(arg(0)).to_lowercase())),
        Function::Date => date(text(arg(0)), text(arg(1))).map(Value::from),
        Function::Tag => match tag(arg(0), text(arg(1))) {
            Err(refusal) if refusal.lacking && args.len() > 2 => Ok(arg(2).clone()),
            found => found,
        },
        Function::Default => Ok(arg(usize::from(arg(0).is_null())).clone()),
    }
}

/// The refusal of null where a value is needed.
pub(super) fn nothing(function: Function, argument: usize) -> Refusal {
    let types = wanted(function, argument);
    let message = format!("`{function}` takes {types} here, and there is nothing");
    let mend = "`default(…, '…')` gives another value where there is none".to_owned();
    Refusal { argument, lacking: true, message, mend }
}

/// Whether a call can come to anything, of whose arguments only some are known.
pub(super) fn foresee(function: Function, args: &[Option<Value>]) -> Result<(), Refusal> {
    if let Some(known) = args.iter().cloned().collect::<Option<Vec<_>>>() {
        return apply(function, &known).map(drop);
    }
    if function == Function::Date {
        // A format is right or wrong whatever the date; so is a date, whatever its format.
        let at = |index: usize| args.get(index).and_then(Option::as_ref).and_then(Value::as_str);
        let (time, format) = (at(0).unwrap_or(SAMPLE), at(1).unwrap_or("%F"));
        date(time, format)?;
    }
    Ok(())
}

/// Any point in time serves to try a format.
const SAMPLE: &str = "2026-11-23T01:02:03Z";

fn refuse(function: Function, argument: usize, message: String) -> Refusal {
    let mend = format!("write it like `{}`", function.form());
    Refusal { argument, lacking: false, message, mend }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn join(list: &Value, separator: &str) -> Result<Value, Refusal> {
    let items = list.as_array().into_iter().flatten().map(joinable);
    match items.collect::<Result<Vec<_>, _>>() {
        Ok(items) => Ok(Value::from(items.join(separator))),
        Err(found) => Err(Refusal {
            mend: "only text, whole numbers and booleans can be joined".to_owned(),
            ..refuse(Function::Join, 0, format!("an item of the list is {found}"))
        }),
    }
}

/// In UTC: the same moment gives the same text wherever it was written down.
fn date(time: &str, format: &str) -> Result<String, Refusal> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let moment = PARSER.parse_timestamp(time).map_err(|_| Refusal {
        mend: format!("write it with its time zone, like `{SAMPLE}`, or use `run.started`"),
        ..refuse(Function::Date, 0, format!("`{time}` is not a date and time by RFC 3339"))
    })?;
    strtime::format(format, moment).map_err(|error| {
        let why = error.to_string();
        let why = why.strip_prefix("strftime formatting failed: ").unwrap_or(&why);
        let mend = "year, month, day, hour, minute, second are `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`; `%%` is a `%`";
        let message = format!("the format `{format}` cannot be used: {why}");
        Refusal { mend: mend.to_owned(), ..refuse(Function::Date, 1, message) }
    })
}

/// The value of a tag, in a mapping of keys to values or in a list as AWS gives it: `Key` and `Value`, or the same in
/// lower case.
fn tag(tags: &Value, key: &str) -> Result<Value, Refusal> {
    let mut keys = Vec::new();
    let found = match tags {
        Value::Object(map) => {
            keys.extend(map.keys().map(String::as_str));
            map.get(key)
        }
        Value::Array(items) => {
            let mut found = None;
            for item in items {
                let field = |names: [&str; 2]| names.into_iter().find_map(|name| item.get(name));
                let Some(name) = field(["key", "Key"]).and_then(Value::as_str) else {
                    let message = "an item of the list is no tag".to_owned();
                    let mend =
                        "a tag in a list is `{ key: …, value: … }` or `{ Key: …, Value: … }`";
                    let refusal = refuse(Function::Tag, 0, message);
                    return Err(Refusal { mend: mend.to_owned(), ..refusal });
                };
                keys.push(name);
                if name == key && found.is_none() {
                    found = field(["value", "Value"]);
                }
            }
            found
        }
        _ => None,
    };
    match found.filter(|value| !value.is_null()) {
        // A tag's value is text, also where YAML reads a number.
        Some(value) => joinable(value).map(Value::from).map_err(|found| {
            refuse(Function::Tag, 0, format!("the value of tag `{key}` is {found}, and not text"))
        }),
        None => {
            let mend = match closest(key, keys) {
                Some(close) if close != key => format!("did you mean `{close}`?"),
                _ => format!("say what to take then: `tag(…, '{key}', '…')`"),
            };
            let message = format!("there is no tag `{key}`");
            Err(Refusal { mend, lacking: true, ..refuse(Function::Tag, 1, message) })
        }
    }
}
