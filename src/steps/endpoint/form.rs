//! How a value names an endpoint, and how another endpoint is put into it.
//!
//! Complaints never quote the value: it may hold a password.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fields::Fields;

/// The port of a URL that names none.
pub(super) const DEFAULT_PORT: u16 = 6379;

/// Host and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match split(text.trim())? {
            Named { host, port: Some(port) } => Ok(Self { host, port }),
            Named { port: None, .. } => Err("it has no port".to_owned()),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// What a value names: a host, and a port where its form holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Named {
    /// Whether this may be `endpoint`: names without case or final dot, the port where there is one.
    pub(super) fn is(&self, endpoint: &Endpoint) -> bool {
        same_host(&self.host, &endpoint.host) && self.port.is_none_or(|p| p == endpoint.port)
    }

    /// Whether the host looks like one: a bare word in a secret may be the secret itself, and is then not shown.
    pub(super) fn looks_like_a_host(&self) -> bool {
        self.host.contains(['.', ':']) || self.host.eq_ignore_ascii_case("localhost")
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bracketed(&self.host))?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether two host names are the same: without case or final dot.
pub(super) fn same_host(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// How a value holds the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    Host,
    HostPort,
    Url,
    Json(Fields),
}

/// What is put into a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal<'a> {
    pub(super) to: &'a Endpoint,
    pub(super) tls: Option<bool>,
}

impl Form {
    /// The endpoint that `text` names. An error is a clause about "it", the value.
    pub(super) fn read(&self, text: &str) -> Result<Named, String> {
        match self {
            Self::Host => match host(text.trim().trim_end_matches('.')) {
                Ok(host) => Ok(Named { host, port: None }),
                Err(error) => Err(error),
            },
            Self::HostPort => {
                let Endpoint { host, port } = text.parse()?;
                Ok(Named { host, port: Some(port) })
            }
            Self::Url => Url::parse(text).map(|url| url.named()),
            Self::Json(fields) => fields.read(text),
        }
    }

    /// `text` with the goal in place of the endpoint it names.
    pub(super) fn write(&self, text: &str, goal: Goal<'_>) -> Result<String, String> {
        match self {
            Self::Host => {
                self.read(text)?;
                // A DNS name that was written absolute stays so.
                let dot = if text.trim_end().ends_with('.') { "." } else { "" };
                Ok(format!("{}{dot}", goal.to.host))
            }
            Self::HostPort => {
                self.read(text)?;
                Ok(goal.to.to_string())
            }
            Self::Url => Url::parse(text).map(|url| url.with(goal)),
            Self::Json(fields) => fields.write(text, goal),
        }
    }

    /// Whether `text` holds nothing but the endpoint, so that it may be written down and shown.
    pub(super) fn is_open(&self, text: &str) -> bool {
        match self {
            Self::Host | Self::HostPort => true,
            // A query may hold a password as well as the user info may.
            Self::Url => {
                Url::parse(text).is_ok_and(|url| url.user.is_empty() && !url.rest.contains('?'))
            }
            Self::Json(_) => false,
        }
    }

    /// Whether the value tells of TLS besides.
    pub(super) fn carries_tls(&self) -> bool {
        match self {
            Self::Host | Self::HostPort => false,
            Self::Url => true,
            Self::Json(fields) => fields.tls.is_some() || fields.url.is_some(),
        }
    }

    /// How `text` logs in; `None` where its form does not tell.
    pub(super) fn login(&self, text: &str) -> Option<Login> {
        match self {
            Self::Host | Self::HostPort => None,
            Self::Url => Url::parse(text).ok().map(|url| url.login()),
            Self::Json(fields) => fields.login(text),
        }
    }
}

/// How a value logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    None,
    /// With a password alone, which is that of the user "default".
    Password,
    User,
}

/// A URL in the parts that matter here; put together they give the text again.
struct Url<'a> {
    scheme: &'a str,
    user: &'a str,
    named: Named,
    rest: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (scheme, after) =
            text.split_once("://").ok_or_else(|| "it is not a URL with a scheme".to_owned())?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let user_end = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, place) = authority.split_at(user_end);
        let named = split(place)?;
        Ok(Self { scheme, user, named, rest })
    }

    fn named(&self) -> Named {
        let Named { host, port } = self.named.clone();
        Named { host, port: Some(port.unwrap_or(DEFAULT_PORT)) }
    }

    fn login(&self) -> Login {
        match self.user.trim_end_matches('@').split_once(':') {
            None if self.user.is_empty() => Login::None,
            Some(("" | "default", _)) => Login::Password,
            None | Some(_) => Login::User,
        }
    }

    fn with(&self, goal: Goal<'_>) -> String {
        let scheme = match (self.scheme, goal.tls) {
            ("redis", Some(true)) => "rediss",
            ("rediss", Some(false)) => "redis",
            ("valkey", Some(true)) => "valkeys",
            ("valkeys", Some(false)) => "valkey",
            (scheme, _) => scheme,
        };
        let keep_default = self.named.port.is_none() && goal.to.port == DEFAULT_PORT;
        let place = if keep_default { bracketed(&goal.to.host) } else { goal.to.to_string() };
        format!("{scheme}://{}{place}{}", self.user, self.rest)
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split(text: &str) -> Result<Named, String> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (v6, after) =
                rest.split_once(']').ok_or_else(|| "it has a [ without ]".to_owned())?;
            if v6.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("what it has in brackets is not an IPv6 address".to_owned());
            }
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err("it has something after the ]".to_owned()),
            };
            (v6.to_owned(), port)
        }
        None => match text.split_once(':') {
            Some((name, port)) => (host(name)?, Some(port)),
            None => (host(text)?, None),
        },
    };
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return Err("what it has after the host is not a port".to_owned()),
    };
    Ok(Named { host: name, port })
}

fn host(text: &str) -> Result<String, String> {
    let right = !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if right { Ok(text.to_owned()) } else { Err("it does not name a host".to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(form: &Form, tls: Option<bool>, old: &str, names: &str, new: &str) {
        let to: Endpoint = "new.example.com:6380".parse().unwrap();
        assert_eq!(form.read(old).unwrap().to_string(), names, "{old}");
        assert_eq!(form.write(old, Goal { to: &to, tls }).unwrap(), new, "{old}");
    }

    #[test]
    fn plain_forms_are_replaced_whole() {
        check(&Form::Host, None, "old.example.com", "old.example.com", "new.example.com");
        check(&Form::Host, None, "old.example.com.", "old.example.com", "new.example.com.");
        check(
            &Form::HostPort,
            None,
            "Old.example.com:1",
            "Old.example.com:1",
            "new.example.com:6380",
        );
        check(&Form::HostPort, None, "[::1]:6379", "[::1]:6379", "new.example.com:6380");
    }

    #[test]
    fn a_url_keeps_all_but_host_and_port() {
        for (tls, old, names, new) in [
            (None, "redis://old.x:6379", "old.x:6379", "redis://new.example.com:6380"),
            (None, "redis://old.x", "old.x:6379", "redis://new.example.com:6380"),
            (
                None,
                "rediss://app:p%40ss:w@rd@old.x:6379/0?a=b:c/d@e#f",
                "old.x:6379",
                "rediss://app:p%40ss:w@rd@new.example.com:6380/0?a=b:c/d@e#f",
            ),
            (Some(true), "redis://old.x?x=1", "old.x:6379", "rediss://new.example.com:6380?x=1"),
            (Some(false), "rediss://old.x/3", "old.x:6379", "redis://new.example.com:6380/3"),
            (Some(true), "http://[::1]:80/", "[::1]:80", "http://new.example.com:6380/"),
        ] {
            check(&Form::Url, tls, old, names, new);
        }
        let to: Endpoint = "new.x:6379".parse().unwrap();
        let goal = Goal { to: &to, tls: None };
        assert_eq!(Form::Url.write("redis://u@old.x/1", goal).unwrap(), "redis://u@new.x/1");
        assert_eq!(Form::Url.write("redis://old.x:6379", goal).unwrap(), "redis://new.x:6379");
    }

    #[test]
    fn a_password_without_a_user_is_told_from_a_login() {
        for (url, login) in [
            ("redis://a.x:1", Login::None),
            ("redis://:pw@a.x:1", Login::Password),
            ("redis://default:pw@a.x:1", Login::Password),
            ("rediss://app:p:w@a.x/0", Login::User),
        ] {
            assert_eq!(Form::Url.login(url), Some(login), "{url}");
        }
        assert_eq!(Form::HostPort.login("a.x:1"), None);
    }

    #[test]
    fn json_keeps_every_other_byte() {
        let fields = |pairs: &[(&str, &str)]| {
            let map: serde_json::Map<_, _> =
                pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
            Form::Json(serde_json::from_value(Value::Object(map)).unwrap())
        };
        check(
            &fields(&[("host", "redis.host"), ("port", "redis.port")]),
            None,
            "{\n  \"z\": 1.10, \"big\": 123456789012345678901234567890,\n  \"redis\": {\"port\" : 6379, \"host\": \"old.x\", \"p\":\"\\u00e9\"}, \"a\":1e5 }\n",
            "old.x:6379",
            "{\n  \"z\": 1.10, \"big\": 123456789012345678901234567890,\n  \"redis\": {\"port\" : 6380, \"host\": \"new.example.com\", \"p\":\"\\u00e9\"}, \"a\":1e5 }\n",
        );
        check(
            &fields(&[("url", "u"), ("endpoint", "e"), ("port", "p"), ("tls", "s")]),
            Some(true),
            r#"{"u":"redis://:pw@old.x/2","e":"old.x:6379","p":"6379","s":false}"#,
            "old.x:6379",
            r#"{"u":"rediss://:pw@new.example.com:6380/2","e":"new.example.com:6380","p":"6380","s":true}"#,
        );
        check(
            &fields(&[("host", "nodes.1.host")]),
            None,
            r#"{"nodes":[{},{"host":"old.x"}]}"#,
            "old.x",
            r#"{"nodes":[{},{"host":"new.example.com"}]}"#,
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_without_quoting_it() {
        let json = Form::Json(Fields {
            host: Some("h".to_owned()),
            port: Some("p".to_owned()),
            endpoint: Some("e".to_owned()),
            ..Fields::default()
        });
        for (form, text) in [
            (&Form::Host, "hunter2:1"),
            (&Form::Host, "hunter2 x"),
            (&Form::HostPort, "hunter2"),
            (&Form::HostPort, "hunter2:x"),
            (&Form::HostPort, "hunter2:0"),
            (&Form::HostPort, "::hunter2:6379"),
            (&Form::HostPort, "[hunter2]:6379"),
            (&Form::Url, "hunter2.x:6379"),
            (&Form::Url, "redis://hunter2,b:1"),
            (&Form::Url, "redis://u:hunter2@"),
            (&json, r#"{"h":"hunter2.x"}"#),
            (&json, r#"{"h":"hunter2.x","p":1,"e":"other.x:1"}"#),
            (&json, r#"{"h":"hunter2.x","p":2,"e":"hunter2.x:1"}"#),
            (&json, r#"{"h":7,"p":2,"e":"hunter2.x:1"}"#),
            (&json, r#"{"h":"hunter2"#),
        ] {
            let error = form.read(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn only_a_bare_endpoint_may_be_shown() {
        assert!(Form::HostPort.is_open("a.x:1"));
        assert!(Form::Url.is_open("redis://a.x:1/0"));
        assert!(!Form::Url.is_open("redis://:pw@a.x:1/0"));
        assert!(!Form::Url.is_open("redis://a.x:1/0?password=pw"));
        assert!(!Form::Json(Fields::default()).is_open("{}"));
    }
}
