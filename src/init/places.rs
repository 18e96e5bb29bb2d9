//! Where applications read the endpoint.

use serde::Serialize;
use serde_json::Value;

use super::found::Found;
use crate::survey::{Endpoint, Place};

/// Where the endpoint was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Targets {
    /// What the playbook switches.
    pub switched: Vec<Switched>,
    /// What it does not.
    pub by_hand: Vec<ByHand>,
}

/// A value that names the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switched {
    /// The argument of `endpoint.swap` that names it: "ssm_parameter", "secret" or "route53_record".
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The hosted zone of a record.
    pub zone: Option<String>,
    /// How long resolvers may keep a record, in seconds; 0 for anything else.
    pub ttl: u64,
    /// How it names the source.
    pub form: Form,
}

/// How a value names an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The host alone.
    Host,
    /// `host:port`.
    HostPort,
    /// A URL.
    Url,
    /// Fields of a JSON document: what each holds, and its path.
    Json(Vec<(&'static str, String)>),
}

/// A value that somebody has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByHand {
    /// The place in words.
    pub what: String,
    /// Why, as a clause about it.
    pub why: String,
}

pub(super) fn search(found: &Found) -> Targets {
    let mut targets = Targets::default();
    let Some(endpoint) = found.source.endpoint() else { return targets };
    for held in found.held() {
        let mut hand = |why: &str| {
            targets.by_hand.push(ByHand { what: held.place.to_string(), why: why.to_owned() });
        };
        let record = matches!(held.place, Place::Record { .. });
        match recognise(&held.text, endpoint) {
            Seen::Nothing => {
                let reader = found.source.reader();
                if reader.is_some_and(|r| recognise(&held.text, r) != Seen::Nothing) {
                    hand("names the reader endpoint; MemoryDB has one endpoint for all");
                }
                continue;
            }
            Seen::TooMuch(why) => hand(why),
            Seen::As(form) => match &held.place {
                Place::Record { simple: false, .. } => {
                    hand(
                        "is one of several records of its name; only a simple one can be switched",
                    );
                }
                Place::Record { name, .. } if name.contains('\\') => {
                    hand("has a name that Route 53 writes with escapes");
                }
                _ if record && form != Form::Host => hand("holds more than a host"),
                place => {
                    let place = switched(place, form);
                    // A listing that goes on while somebody changes things may show one twice.
                    if !targets.switched.iter().any(|known| known.is(&place)) {
                        targets.switched.push(place);
                    }
                }
            },
        }
    }
    targets
}

impl Switched {
    fn is(&self, other: &Self) -> bool {
        (self.kind, &self.name, &self.zone) == (other.kind, &other.name, &other.zone)
    }
}

fn switched(place: &Place, form: Form) -> Switched {
    let (kind, name, zone, ttl) = match place {
        Place::Parameter(name) => ("ssm_parameter", name, None, 0),
        Place::Secret(name) => ("secret", name, None, 0),
        Place::Record { zone, name, ttl, .. } => ("route53_record", name, Some(zone.clone()), *ttl),
    };
    Switched { kind, name: name.clone(), zone, ttl, form }
}

/// What a value says of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It does not name it.
    Nothing,
    /// It names it in a form that can be switched.
    As(Form),
    /// It names it in another way; why that cannot be switched.
    TooMuch(&'static str),
}

pub(super) fn recognise(text: &str, endpoint: &Endpoint) -> Seen {
    if let Some(form) = plain(text, endpoint) {
        return Seen::As(form);
    }
    if !text.trim_start().starts_with(['{', '[']) {
        return Seen::Nothing;
    }
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Seen::Nothing };
    let mut fields = Vec::new();
    collect(&document, &mut Vec::new(), endpoint, &mut fields);
    if fields.is_empty() {
        return Seen::Nothing;
    }
    let mut kinds: Vec<&str> = fields.iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() != fields.len() {
        return Seen::TooMuch("names it in several fields of one sort");
    }
    let addressable = |(_, path): &(&str, Vec<String>)| {
        path.iter().all(|hop| !hop.is_empty() && !hop.contains('.'))
    };
    if !fields.iter().all(addressable) {
        return Seen::TooMuch("names it in a field whose name has a dot in it");
    }
    Seen::As(Form::Json(fields.into_iter().map(|(kind, path)| (kind, path.join("."))).collect()))
}

/// A value that is an endpoint and nothing else.
fn plain(text: &str, endpoint: &Endpoint) -> Option<Form> {
    let text = text.trim();
    if same_host(text, &endpoint.host) {
        return Some(Form::Host);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let tame =
            !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+');
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (place, 6379),
        };
        return (tame && same_host(host, &endpoint.host) && port == endpoint.port)
            .then_some(Form::Url);
    }
    let (host, port) = text.rsplit_once(':')?;
    let same = same_host(host, &endpoint.host) && port.parse() == Ok(endpoint.port);
    same.then_some(Form::HostPort)
}

fn same_host(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

type Fields = Vec<(&'static str, Vec<String>)>;

fn collect(value: &Value, path: &mut Vec<String>, endpoint: &Endpoint, fields: &mut Fields) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect()
        }
        _ => return,
    };
    let mut with_host = false;
    for (name, member) in &members {
        path.push(name.clone());
        match member {
            Value::String(text) => {
                let kind = match plain(text, endpoint) {
                    Some(Form::Host) => Some("host"),
                    Some(Form::HostPort) => Some("endpoint"),
                    Some(Form::Url) => Some("url"),
                    _ => None,
                };
                with_host |= kind == Some("host");
                fields.extend(kind.map(|kind| (kind, path.clone())));
            }
            member => collect(member, path, endpoint, fields),
        }
        path.pop();
    }
    if !with_host {
        return;
    }
    for (name, member) in &members {
        let number = match member {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        if name.to_ascii_lowercase().contains("port") && number == Some(endpoint.port.into()) {
            path.push(name.clone());
            fields.push(("port", path.clone()));
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Seen {
        recognise(text, &Endpoint { host: "old.example.com".to_owned(), port: 6379 })
    }

    #[test]
    fn an_endpoint_is_recognised_in_every_form_that_can_be_switched() {
        for (text, form) in [
            ("old.example.com", Form::Host),
            (" OLD.example.com.\n", Form::Host),
            ("old.example.com:6379", Form::HostPort),
            ("redis://old.example.com", Form::Url),
            ("rediss://app:p%40w:x@old.example.com:6379/0?a=b", Form::Url),
        ] {
            assert_eq!(seen(text), Seen::As(form), "{text}");
        }
        for text in [
            "",
            "other.example.com",
            "old.example.com:6380",
            "redis://old.example.com:1",
            "redis://old.example.com,b.example.com:6379",
            "see old.example.com for more",
            "{\"a\": \"x\"}",
            "{broken old.example.com",
            "://old.example.com",
        ] {
            assert_eq!(seen(text), Seen::Nothing, "{text}");
        }
    }

    #[test]
    fn fields_of_a_document_are_found_with_their_paths() {
        let text = r#"{"redis": {"host": "old.example.com", "port": "6379", "password": "x"},
            "urls": ["https://example.com", "redis://:pw@old.example.com/1"]}"#;
        let fields = vec![
            ("host", "redis.host".to_owned()),
            ("port", "redis.port".to_owned()),
            ("url", "urls.1".to_owned()),
        ];
        assert_eq!(seen(text), Seen::As(Form::Json(fields)));
        let twice = r#"{"a": "old.example.com", "b": "old.example.com"}"#;
        assert!(matches!(seen(twice), Seen::TooMuch(_)));
        assert!(matches!(seen(r#"{"a.b": "old.example.com"}"#), Seen::TooMuch(_)));
    }
}
