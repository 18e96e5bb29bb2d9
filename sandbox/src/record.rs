//! What was asked and answered, word for word, as JSON Lines: for whoever checks the answers against AWS's own models.

use std::fmt;
use std::io::Write;
use std::sync::Mutex;

use aws_smithy_types::base64;
use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use serde_json::{Map, Value, json};

use crate::context::lock;
use crate::wire::Reply;

/// Where exchanges are written to, one line each.
pub(crate) struct Recorder(Mutex<Box<dyn Write + Send>>);

/// A request as it came. Its signature is left out: it is nobody's business, and differs from run to run.
#[derive(Debug)]
pub(crate) struct Asked {
    method: String,
    uri: String,
    headers: Value,
    body: Bytes,
}

impl Asked {
    pub(crate) fn of(parts: &Parts, body: &Bytes) -> Self {
        Self {
            method: parts.method.to_string(),
            uri: parts.uri.to_string(),
            headers: headers(&parts.headers),
            body: body.clone(),
        }
    }
}

impl Recorder {
    pub(crate) fn new(to: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(to))
    }

    /// Writes down one exchange. A request that was never answered leaves none.
    pub(crate) fn note(&self, service: &str, operation: &str, asked: &Asked, reply: &Reply) {
        let Reply::Response(response) = reply else { return };
        let mut line = json!({
            "service": service,
            "operation": operation,
            "request": {
                "method": asked.method, "uri": asked.uri, "headers": asked.headers,
                "body": base64::encode(&asked.body),
            },
            "response": {
                "status": response.status().as_u16(), "headers": headers(response.headers()),
                "body": base64::encode(response.body()),
            },
        })
        .to_string();
        line.push('\n');
        let mut to = lock(&self.0);
        if let Err(error) = to.write_all(line.as_bytes()).and_then(|()| to.flush()) {
            tracing::warn!(%error, "an exchange could not be recorded");
        }
    }
}

fn headers(all: &HeaderMap) -> Value {
    let shown = all.iter().filter(|(name, _)| {
        !matches!(name.as_str(), "authorization" | "x-amz-security-token" | "cookie")
    });
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let shown: Map<String, Value> =
        shown.map(|(name, value)| (name.to_string(), Value::String(text(value)))).collect();
    Value::Object(shown)
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}
