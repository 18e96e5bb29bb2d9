//! Putting known values where expressions stand: inputs, and the item of a `for_each`.

use serde_json::{Map, Value};

use super::template::joinable;
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Diagnostics, Expr, Key, Located, Part, Root, Segment, Span,
};

/// What is known. What is not stays an expression.
pub(super) struct Fill<'a> {
    pub(super) inputs: Option<&'a Map<String, Value>>,
    pub(super) item: Option<&'a Arg>,
}

/// Replaces every expression that is known by its value, at the expression's place.
pub(super) fn fill(arg: &mut Arg, known: &Fill<'_>, problems: &mut Diagnostics) {
    match &mut arg.value {
        ArgValue::Expr(expr) => {
            if let Some(value) = known.get(expr, problems) {
                arg.value = value.value;
            }
        }
        ArgValue::Text(parts) => {
            for part in parts.iter_mut() {
                let Part::Expr(expr) = part else { continue };
                let Some(value) = known.get(expr, problems) else { continue };
                match text_of(&value) {
                    Some(Ok(text)) => *part = Part::Text(text),
                    Some(Err(found)) => {
                        let message =
                            format!("`{expr}` is {found}, which cannot be joined to text");
                        problems.push(Diagnostic::error(Code::NotJoinable, expr.span, message));
                    }
                    None => {}
                }
            }
            if let Some(text) = all_text(parts) {
                arg.value = ArgValue::Str(text);
            }
        }
        ArgValue::Seq(items) => items.iter_mut().for_each(|item| fill(item, known, problems)),
        ArgValue::Map(entries) => {
            entries.iter_mut().for_each(|(_, entry)| fill(entry, known, problems));
        }
        _ => {}
    }
}

impl Fill<'_> {
    fn get(&self, expr: &Expr, problems: &mut Diagnostics) -> Option<Arg> {
        let mut value = match &expr.root {
            Root::Input(name) => arg_of(self.inputs?.get(&name.value)?, expr.span),
            Root::Item => Arg { span: expr.span, value: self.item?.value.clone() },
            Root::Step(_) | Root::RunId => return None,
        };
        for hop in &expr.path {
            match step_into(&value, &hop.value) {
                Some(next) => value = next,
                None => {
                    problems.push(missing(expr, hop, &value));
                    return None;
                }
            }
        }
        Some(Arg { span: expr.span, value: value.value })
    }
}

fn step_into(value: &Arg, hop: &Segment) -> Option<Arg> {
    match (hop, &value.value) {
        (Segment::Field(name), _) => value.get(name).cloned(),
        (Segment::Index(index), ArgValue::Seq(items)) => items.get(*index).cloned(),
        _ => None,
    }
}

fn missing(expr: &Expr, hop: &Located<Segment>, value: &Arg) -> Diagnostic {
    let message = match (&hop.value, &value.value) {
        (Segment::Index(_), ArgValue::Seq(items)) => {
            format!("`{expr}` asks for more items than there are: {}", items.len())
        }
        (Segment::Index(_), _) => format!("`{expr}` asks for an item of {}", value.describe()),
        (Segment::Field(name), _) => {
            format!("`{expr}` asks for a field `{name}` that is not there")
        }
    };
    Diagnostic::error(Code::UnknownOutput, hop.span, message)
}

/// The text of a known value when joined to text; `None` if it is not known yet.
fn text_of(arg: &Arg) -> Option<Result<String, &'static str>> {
    let value = match &arg.value {
        ArgValue::Expr(_) | ArgValue::Text(_) => return None,
        ArgValue::Seq(_) => return Some(Err("a list")),
        ArgValue::Map(_) => return Some(Err("a mapping")),
        ArgValue::Null => Value::Null,
        ArgValue::Bool(flag) => Value::from(*flag),
        ArgValue::Int(number) => Value::from(*number),
        ArgValue::Float(number) => Value::from(*number),
        ArgValue::Str(text) => Value::from(text.as_str()),
    };
    Some(joinable(&value))
}

fn all_text(parts: &[Part]) -> Option<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Expr(_) => None,
        })
        .collect()
}

/// A value as if it had been written at `span`.
pub(super) fn arg_of(value: &Value, span: Span) -> Arg {
    let value = match value {
        Value::Null => ArgValue::Null,
        Value::Bool(flag) => ArgValue::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => ArgValue::Int(whole),
            (None, Some(fraction)) => ArgValue::Float(fraction),
            (None, None) => ArgValue::Null,
        },
        Value::String(text) => ArgValue::Str(text.clone()),
        Value::Array(items) => ArgValue::Seq(items.iter().map(|item| arg_of(item, span)).collect()),
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| {
                (Key { name: name.clone(), span }, arg_of(value, span))
            };
            ArgValue::Map(map.iter().map(entry).collect())
        }
    };
    Arg { span, value }
}
