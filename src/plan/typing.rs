//! What a call takes and gives, before any value is known.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::call::{Refusal, foresee, nothing, wanted};
use super::shape::{Schema, Ty, Types};
use crate::playbook::{Arg, ArgValue, Code, Diagnostic, Expr, Function, Located, Root};

/// One schema a type, for values that have no schema of their own.
static PLAIN: LazyLock<[(Types, Value); 7]> = LazyLock::new(|| {
    [
        (Types::NULL, json!({ "type": "null" })),
        (Types::BOOLEAN, json!({ "type": "boolean" })),
        (Types::INTEGER, json!({ "type": "integer" })),
        (Types::FRACTION, json!({ "type": "number" })),
        (Types::STRING, json!({ "type": "string" })),
        (Types::ARRAY, json!({ "type": "array" })),
        (Types::OBJECT, json!({ "type": "object" })),
    ]
});

/// The type of values of which nothing but the kind is known.
pub(super) fn plain(types: Types) -> Ty<'static> {
    let found = PLAIN.iter().filter(|(one, _)| one.within(types));
    Ty { schemas: found.map(|(_, schema)| Schema::new(schema)).collect(), list: false }
}

/// The type of a value that is written out.
pub(super) fn of_value(arg: &Arg) -> Ty<'static> {
    match &arg.value {
        ArgValue::Null => plain(Types::NULL),
        ArgValue::Bool(_) => plain(Types::BOOLEAN),
        ArgValue::Int(_) => plain(Types::INTEGER),
        ArgValue::Float(_) => plain(Types::FRACTION),
        ArgValue::Str(_) | ArgValue::Text(_) => plain(Types::STRING),
        ArgValue::Seq(_) => plain(Types::ARRAY),
        ArgValue::Map(_) => plain(Types::OBJECT),
        ArgValue::Expr(_) => Ty::ANY,
    }
}

/// The type a call gives. Adds what is wrong with its arguments, whose types are `types`.
pub(super) fn of_call<'a>(
    function: &Located<Function>,
    args: &[Expr],
    types: &[Ty<'a>],
    problems: &mut Vec<Diagnostic>,
) -> Ty<'a> {
    let name = function.value;
    let before = problems.len();
    for (index, (arg, ty)) in args.iter().zip(types).enumerate() {
        let want = wanted(name, index);
        if ty.types() == Types::NULL && want != Types::ANY {
            problems.push(refused(nothing(name, index), args, function));
        } else if ty.types().and(want).is_none() {
            let message = format!("`{name}` takes {want} here, and `{arg}` is {}", ty.types());
            let help = format!("write it like `{}`", name.form());
            problems.push(Diagnostic::error(Code::BadArgument, arg.span, message).help(help));
        }
    }
    if let (Function::Join, [list, ..], [arg, ..]) = (name, types, args)
        && list.types().within(Types::ARRAY)
        && list.items().types().and(Types::JOINABLE).is_none()
    {
        let found = list.items().types();
        let message = format!("each item of `{arg}` is {found}, which cannot be joined to text");
        let help = "only text, whole numbers and booleans can be joined";
        problems.push(Diagnostic::error(Code::BadArgument, arg.span, message).help(help));
    }
    if problems.len() == before {
        let known: Vec<Option<Value>> = args.iter().map(settled).collect();
        if let Err(refusal) = foresee(name, &known) {
            problems.push(refused(refusal, args, function));
        }
    }
    match (name, types) {
        (Function::Default, [value, other]) => either(value, other),
        (Function::Tag, [_, _, other]) => either(&plain(Types::STRING), other),
        (Function::Default, _) => Ty::ANY,
        _ => plain(Types::STRING),
    }
}

/// What a refusal looks like at the call it is about.
pub(super) fn refused(refusal: Refusal, args: &[Expr], function: &Located<Function>) -> Diagnostic {
    let span = args.get(refusal.argument).map_or(function.span, |arg| arg.span);
    let missing = refusal.lacking && function.value == Function::Tag && refusal.argument == 1;
    let code = if missing { Code::NoTag } else { Code::BadArgument };
    Diagnostic::error(code, span, refusal.message).help(refusal.mend)
}

/// The value of an argument in which nothing is left to be known.
pub(super) fn settled(expr: &Expr) -> Option<Value> {
    match &expr.root {
        Root::Value(arg) if arg.expressions().is_empty() => Some(arg.known()),
        _ => None,
    }
}

fn either<'a>(one: &Ty<'a>, other: &Ty<'a>) -> Ty<'a> {
    let unclear = |ty: &Ty<'_>| ty.list || ty.schemas.is_empty();
    if unclear(one) || unclear(other) {
        return Ty::ANY;
    }
    let schemas = one.schemas.iter().chain(&other.schemas).copied().collect();
    Ty { schemas, list: false }
}
