//! What unquoted scalars mean.

use super::tree::Value;

/// What an unquoted scalar means by the YAML 1.2 core schema; `None` for a whole number beyond 64 bits.
pub(super) fn plain(text: &str) -> Option<Value> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" => {
            // JSON has no such numbers, and no step takes one.
            Value::Str(text.to_owned())
        }
        _ => return number(text),
    };
    Some(value)
}

fn number(text: &str) -> Option<Value> {
    let all = |digits: &str, radix: u32| {
        !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix))
    };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| all(digits, 16)) {
        return i64::from_str_radix(digits, 16).ok().map(Value::Int);
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| all(digits, 8)) {
        return i64::from_str_radix(digits, 8).ok().map(Value::Int);
    }
    if all(unsigned, 10) {
        return text.parse().ok().map(Value::Int);
    }
    let floats =
        unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
            && unsigned.chars().any(|c| c.is_ascii_digit())
            && !unsigned.starts_with(['e', 'E', '+', '-']);
    match text.parse::<f64>() {
        Ok(number) if floats && number.is_finite() => Some(Value::Float(stable(number))),
        _ => Some(Value::Str(text.to_owned())),
    }
}

/// The nearest number that JSON text keeps: the plan is written as JSON and must read back the same.
fn stable(number: f64) -> f64 {
    let mut current = number;
    for _ in 0..4 {
        let read =
            serde_json::to_string(&current).ok().and_then(|text| serde_json::from_str(&text).ok());
        match read {
            Some(next) if next != current => current = next,
            _ => break,
        }
    }
    current
}
