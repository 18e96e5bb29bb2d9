//! Putting known values where expressions stand: inputs, and the item of a `for_each`.

use serde_json::{Map, Value};

use super::call::apply;
use super::template::joinable;
use super::typing::{refused, settled};
use crate::playbook::{
    Arg, ArgValue, Code, Diagnostic, Diagnostics, Expr, Function, Hint, Key, Located, Part, Root,
    Segment, Span, suggestion,
};

/// What is known. What is not stays an expression.
pub(super) struct Fill<'a> {
    pub(super) inputs: Option<&'a Map<String, Value>>,
    pub(super) item: Option<&'a Arg>,
}

/// Replaces every expression that is known by its value, at the expression's place. Of a call that is not known yet,
/// the arguments are replaced that are.
pub(super) fn fill(arg: &mut Arg, known: &Fill<'_>, problems: &mut Diagnostics) {
    match &mut arg.value {
        ArgValue::Expr(expr) => match known.reduce(expr) {
            Ok(Some(value)) => arg.value = value.value,
            Ok(None) => {}
            Err(gap) => problems.push(gap.problem),
        },
        ArgValue::Text(parts) => {
            for part in parts.iter_mut() {
                let Part::Expr(expr) = part else { continue };
                let value = match known.reduce(expr) {
                    Ok(Some(value)) => value,
                    Ok(None) => continue,
                    Err(gap) => {
                        problems.push(gap.problem);
                        continue;
                    }
                };
                match text_of(&value) {
                    Some(Ok(text)) => *part = Part::Text(text),
                    Some(Err(found)) => {
                        let message =
                            format!("`{expr}` is {found}, which cannot be joined to text");
                        let help =
                            "name one field or item of it, or let the expression stand alone";
                        let problem = Diagnostic::error(Code::NotJoinable, expr.span, message);
                        problems.push(problem.help(help));
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

/// Why an expression of known values gives nothing.
struct Gap {
    /// What it names is not there: `default` then takes its other value.
    lacking: bool,
    problem: Diagnostic,
}

impl Fill<'_> {
    /// The value of an expression, if it is known; else fills what is known of it.
    fn reduce(&self, expr: &mut Expr) -> Result<Option<Arg>, Box<Gap>> {
        let span = expr.span;
        let Root::Call(function, args) = &mut expr.root else { return self.get(expr) };
        for (index, arg) in args.iter_mut().enumerate() {
            let value = match self.reduce(arg) {
                Ok(None) => continue,
                Ok(Some(value)) => value.value,
                Err(gap) if gap.lacking && function.value == Function::Default && index == 0 => {
                    ArgValue::Null
                }
                Err(gap) => return Err(gap),
            };
            match value {
                // An item that is itself an expression.
                ArgValue::Expr(inner) => *arg = Expr { span: arg.span, ..inner },
                value => *arg = Expr::value(value, arg.span),
            }
        }
        if let Some(known) = args.iter().map(settled).collect::<Option<Vec<_>>>() {
            return match apply(function.value, &known) {
                Ok(value) => Ok(Some(arg_of(&value, span))),
                Err(refusal) => {
                    let lacking = refusal.lacking;
                    let problem = refused(refusal, args, function);
                    Err(Box::new(Gap { lacking, problem }))
                }
            };
        }
        // Whether there is a first value decides alone which of the two it is.
        let chosen = match (function.value, args.as_slice()) {
            (Function::Default, [value, other]) => match &value.root {
                Root::Value(arg) if arg.value == ArgValue::Null => other.clone(),
                Root::Value(_) => value.clone(),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        *expr = Expr { span, ..chosen };
        match &expr.root {
            Root::Value(arg) => Ok(Some(Arg { span, value: arg.value.clone() })),
            _ => Ok(None),
        }
    }

    fn get(&self, expr: &Expr) -> Result<Option<Arg>, Box<Gap>> {
        let known = match &expr.root {
            Root::Input(name) => self
                .inputs
                .and_then(|inputs| inputs.get(&name.value))
                .map(|value| arg_of(value, expr.span)),
            Root::Item => self.item.cloned(),
            Root::Value(arg) => Some(arg.as_ref().clone()),
            Root::Step(_) | Root::RunId | Root::RunStarted | Root::Call(..) | Root::Unread => None,
        };
        let Some(mut value) = known else { return Ok(None) };
        for hop in &expr.path {
            match step_into(&value, &hop.value) {
                Some(next) => value = next,
                None => {
                    let problem = missing(expr, hop, &value);
                    return Err(Box::new(Gap { lacking: true, problem }));
                }
            }
        }
        Ok(Some(Arg { span: expr.span, value: value.value }))
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
    let help = match &value.value {
        ArgValue::Map(entries) => {
            let keys = entries.iter().map(|(key, _)| key.name.as_str());
            suggestion(&hop.value.to_string(), keys, "its fields")
        }
        _ => Hint::default(),
    };
    Diagnostic::error(Code::UnknownOutput, hop.span, message)
        .hint(help.or("end the expression before this, or give the value another shape"))
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
