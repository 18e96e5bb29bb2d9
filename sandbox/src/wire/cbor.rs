//! The Smithy RPC v2 CBOR protocol: the members of JSON, but times are tagged and numbers say which sort they are.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;
use serde_json::{Map, Number, Value, json};

use super::error::ApiError;
use super::reply::Reply;

/// Reads a request body; an empty one is an object without members. A time becomes seconds since the epoch.
pub(crate) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    value(&mut Decoder::new(body), 0)
        .map_err(|error| ApiError::bad("SerializationException", error.to_string()))
}

fn value(from: &mut Decoder<'_>, depth: u8) -> Result<Value, DeserializeError> {
    // No request of AWS is nested that deep; a hostile one would use up the stack.
    if depth > 32 {
        return Err(DeserializeError::custom("nested too deeply", from.position()));
    }
    let float = |x: f64| Number::from_f64(x).map_or(Value::Null, Value::Number);
    Ok(match from.datatype()? {
        Type::Bool => Value::Bool(from.boolean()?),
        Type::Null | Type::Undefined => {
            from.skip()?;
            Value::Null
        }
        Type::F16 | Type::F32 | Type::F64 => float(from.double()?),
        Type::Tag => float(from.timestamp()?.as_secs_f64()),
        Type::String | Type::StringIndef => Value::String(from.string()?),
        Type::Array | Type::ArrayIndef => {
            let count = from.list()?;
            let mut items = Vec::new();
            while more(from, count, items.len())? {
                items.push(value(from, depth + 1)?);
            }
            Value::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let count = from.map()?;
            let (mut members, mut read) = (Map::new(), 0);
            while more(from, count, read)? {
                let name = from.string()?;
                members.insert(name, value(from, depth + 1)?);
                read += 1;
            }
            Value::Object(members)
        }
        _ => json!(from.long()?),
    })
}

/// Whether another item follows; takes the mark that ends a list of unknown length.
fn more(from: &mut Decoder<'_>, count: Option<u64>, read: usize) -> Result<bool, DeserializeError> {
    match count {
        Some(count) => Ok((read as u64) < count),
        None if from.datatype()? == Type::Break => {
            from.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A successful answer. The members in `times` hold times.
///
/// Null is the answer of an operation without output: no body, and no content type (Smithy RPC v2 CBOR, responses).
pub(crate) fn respond(output: &Value, times: &[&str], request_id: &str) -> Reply {
    if output.is_null() {
        return headers(Reply::empty(200), request_id);
    }
    reply(200, output, times, request_id)
}

/// An error. The code stands in `__type`, as in JSON.
pub(crate) fn error(error: &ApiError, request_id: &str) -> Reply {
    let body = json!({"__type": error.code, "message": error.message});
    reply(error.status, &body, &[], request_id)
}

fn reply(status: u16, output: &Value, times: &[&str], request_id: &str) -> Reply {
    let mut encoder = Encoder::new(Vec::new());
    put(&mut encoder, output, times, false);
    headers(Reply::new(status, "application/cbor", encoder.into_writer()), request_id)
}

fn headers(reply: Reply, request_id: &str) -> Reply {
    reply.header("smithy-protocol", "rpc-v2-cbor").header("x-amzn-requestid", request_id)
}

fn put(to: &mut Encoder, value: &Value, times: &[&str], time: bool) {
    match value {
        Value::Null => to.null(),
        Value::Bool(flag) => to.boolean(*flag),
        Value::String(text) => to.str(text),
        Value::Number(number) if time => {
            to.timestamp(&DateTime::from_secs_f64(number.as_f64().unwrap_or_default()))
        }
        Value::Number(number) => match number.as_i64() {
            Some(whole) => to.long(whole),
            None => to.double(number.as_f64().unwrap_or_default()),
        },
        Value::Array(items) => {
            to.array(items.len());
            items.iter().for_each(|item| put(to, item, times, time));
            to
        }
        Value::Object(members) => {
            to.map(members.len());
            for (name, member) in members {
                to.str(name);
                put(to, member, times, times.contains(&name.as_str()));
            }
            to
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_rubbish_is_refused() {
        let sent = json!({"A": [1, 2.5, "x", null, true], "At": [1_700_000_000.0], "M": {"n": -3}});
        let Reply::Response(reply) = respond(&sent, &["At"], "id") else { panic!("an answer") };
        assert_eq!(parse(reply.body()).unwrap(), sent);
        assert_eq!(parse(b"").unwrap(), json!({}));
        for rubbish in [&b"\x9f"[..], b"\xa1\x01\x02", &[0x81; 100], b"\xff"] {
            assert_eq!(parse(rubbish).unwrap_err().code, "SerializationException", "{rubbish:?}");
        }
    }
}
