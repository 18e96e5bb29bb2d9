//! The fields of a JSON document that name an endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::{Form, Goal, Login, Named, same_host};
use super::json::Document;

/// Which fields of a JSON document name the endpoint, as dotted paths; a number is a place in a list. All other fields
/// stay as they are, byte for byte. At least one of `host`, `url` and `endpoint` is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// The field that holds the host: `redis.host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<String>,
    /// The field that holds the port, as a number or as text; it stays what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<String>,
    /// The field that holds a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    /// The field that holds `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    /// The field that holds `true` or `false` for TLS. Needs `tls` beside `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<String>,
}

impl Fields {
    /// The endpoint that the fields of `text` name.
    pub(super) fn read(&self, text: &str) -> Result<Named, String> {
        let document = Document::new(text)?;
        let mut host: Option<String> = None;
        let mut port: Option<u16> = None;
        let mut agree = |named: Named| {
            let hosts = host.as_ref().is_none_or(|host| same_host(host, &named.host));
            let ports = port.is_none() || named.port.is_none() || port == named.port;
            if !(hosts && ports) {
                return Err("its fields name different endpoints".to_owned());
            }
            port = port.or(named.port);
            host.get_or_insert(named.host);
            Ok(())
        };
        for (path, form) in
            [(&self.host, Form::Host), (&self.endpoint, Form::HostPort), (&self.url, Form::Url)]
        {
            if let Some(path) = path {
                let value = document.value(&document.find(path)?);
                let Value::String(text) = value else {
                    return Err(format!("its field \"{path}\" is not text"));
                };
                let named = form.read(&text).map_err(|e| format!("its field \"{path}\": {e}"))?;
                agree(named)?;
            }
        }
        if let Some(path) = &self.port {
            let number = match document.value(&document.find(path)?) {
                Value::Number(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            let number = number.ok_or_else(|| format!("its field \"{path}\" is not a port"))?;
            if port.is_some_and(|port| port != number) {
                return Err("its fields name different endpoints".to_owned());
            }
            port = Some(number);
        }
        if let Some(path) = &self.tls
            && !document.value(&document.find(path)?).is_boolean()
        {
            return Err(format!("its field \"{path}\" is not true or false"));
        }
        let host = host.ok_or_else(|| "no field is named that holds the host".to_owned())?;
        Ok(Named { host, port })
    }

    /// How the URL among the fields of `text` logs in.
    pub(super) fn login(&self, text: &str) -> Option<Login> {
        let document = Document::new(text).ok()?;
        let value = document.value(&document.find(self.url.as_deref()?).ok()?);
        Form::Url.login(value.as_str()?)
    }

    /// `text` with the goal in the fields.
    pub(super) fn write(&self, text: &str, goal: Goal<'_>) -> Result<String, String> {
        self.read(text)?;
        let document = Document::new(text)?;
        let mut edits = Vec::new();
        for (path, form) in
            [(&self.host, Form::Host), (&self.endpoint, Form::HostPort), (&self.url, Form::Url)]
        {
            if let Some(path) = path {
                let range = document.find(path)?;
                let old = document.value(&range);
                let new = form.write(old.as_str().unwrap_or_default(), goal)?;
                edits.push((range, Value::String(new).to_string()));
            }
        }
        if let Some(path) = &self.port {
            let range = document.find(path)?;
            let quote = if document.value(&range).is_string() { "\"" } else { "" };
            edits.push((range, format!("{quote}{}{quote}", goal.to.port)));
        }
        if let (Some(path), Some(tls)) = (&self.tls, goal.tls) {
            edits.push((document.find(path)?, tls.to_string()));
        }
        Ok(document.replaced(edits))
    }

    /// A document that has the fields, each with a placeholder of its name: `{"redis":{"host":"{host}"}}`. List places
    /// become fields, since nothing tells lists apart here.
    pub(super) fn example(&self) -> Value {
        let mut document = serde_json::json!({});
        for (path, placeholder) in [
            (&self.host, "{host}"),
            (&self.port, "{port}"),
            (&self.url, "{url}"),
            (&self.endpoint, "{endpoint}"),
            (&self.tls, "{tls}"),
        ] {
            let Some(path) = path else { continue };
            let mut at = &mut document;
            for segment in path.split('.') {
                if !at.is_object() {
                    *at = serde_json::json!({});
                }
                at = &mut at[segment];
            }
            *at = Value::from(placeholder);
        }
        document
    }

    /// What is wrong with the choice of fields itself.
    pub(super) fn complaint(&self, tls: Option<bool>) -> Option<String> {
        let paths = [&self.host, &self.port, &self.url, &self.endpoint, &self.tls];
        let given: Vec<&String> = paths.into_iter().flatten().collect();
        let twice = given.iter().enumerate().any(|(i, path)| given[..i].contains(path));
        if self.host.is_none() && self.url.is_none() && self.endpoint.is_none() {
            Some("`fields` needs one of `host`, `url` and `endpoint`".to_owned())
        } else if twice {
            Some("`fields` names one field twice".to_owned())
        } else if self.tls.is_some() && tls.is_none() {
            Some("`fields` has `tls`, but there is no `tls` beside `to`".to_owned())
        } else {
            None
        }
    }
}
