//! Questions about the sandbox itself, for people and tests: `GET /_sandbox/calls`, `/_sandbox/world` and
//! `/_sandbox/data?host=…&port=…`.

use http::request::Parts;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::sandbox::Sandbox;

const PREFIX: &str = "/_sandbox/";

/// The answer, if the request is one of these questions.
pub(crate) async fn answer(sandbox: &Sandbox, parts: &Parts) -> Option<Reply> {
    let question = parts.uri.path().strip_prefix(PREFIX)?;
    let body = match question {
        "calls" => serde_json::to_value(sandbox.calls()).unwrap_or_default(),
        "world" => sandbox.world(),
        "data" => data(sandbox, parts.uri.query().unwrap_or_default()).await,
        _ => return Some(Reply::new(404, "application/json", "{}")),
    };
    Some(Reply::new(200, "application/json", body.to_string()))
}

async fn data(sandbox: &Sandbox, query: &str) -> Value {
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(query.as_bytes());
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let host = field("host").unwrap_or_default();
    let port = field("port").and_then(|port| port.parse().ok()).unwrap_or_default();
    let keys = sandbox.key_count(&host, port).await;
    json!({"plane": sandbox.describe_data(), "host": host, "port": port, "keys": keys})
}
