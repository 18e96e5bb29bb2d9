//! Where applications may keep an endpoint: parameters, DNS records, secrets. Every search is bounded, and says what it
//! left out.

use std::fmt;

use aws_sdk_route53::types::RrType;
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};

use super::read::Reader;
use crate::aws::Op;
use crate::engine::Failure;

/// Pages of names that are asked for: parameters, zones, secrets.
const PAGES: usize = 60;
/// Values that are read, of parameters and of secrets.
const VALUES: usize = 1_000;
/// Pages of records in one zone.
const ZONE_PAGES: usize = 10;
/// Parts of names that are read first.
const TELLING: [&str; 8] =
    ["redis", "valkey", "cache", "endpoint", "host", "url", "session", "memorydb"];

/// A place that holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An SSM parameter.
    Parameter(String),
    /// A secret.
    Secret(String),
    /// A CNAME record.
    Record {
        /// The id of its hosted zone.
        zone: String,
        /// Its name, without the final dot.
        name: String,
        /// Whether it is the only one of its name: no weights, regions or health checks.
        simple: bool,
        /// How long resolvers may keep it, in seconds.
        ttl: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "SSM parameter {name}"),
            Self::Secret(name) => write!(f, "secret {name}"),
            Self::Record { zone, name, .. } => write!(f, "Route 53 record {name} in zone {zone}"),
        }
    }
}

/// A value and where it is kept. It may be a secret: it is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub place: Place,
    /// What.
    pub text: String,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What one search gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The values it read.
    pub held: Vec<Held>,
    /// Names whose values it did not read, on purpose.
    pub unread: Vec<String>,
    /// What it did not look at, a clause each.
    pub left_out: Vec<String>,
}

/// The plain parameters. A SecureString is never read: that would need the right to decrypt it.
pub(super) async fn parameters(reader: &Reader) -> Result<Shelf, Failure> {
    let mut shelf = Shelf::default();
    let (mut plain, mut token) = (Vec::new(), None);
    let filter = ParameterStringFilter::builder().key("Type").values("String").build();
    let filter = filter.map_err(|error| Failure::fatal(error.to_string()))?;
    for page in 0.. {
        let request = || {
            let request = reader.aws.ssm.describe_parameters().max_results(50);
            request.parameter_filters(filter.clone()).set_next_token(token.clone()).send()
        };
        let answer = reader.ask(Op::read("SSM", "DescribeParameters"), request).await?;
        let names = answer.parameters.unwrap_or_default().into_iter();
        plain.extend(names.filter_map(|parameter| parameter.name));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
        if page + 1 == PAGES {
            shelf.left_out.push(format!("SSM parameters after the first {}", plain.len()));
            break;
        }
    }
    shelf.left_out.push("SSM parameters of type SecureString and StringList".to_owned());
    telling_first(&mut plain);
    if plain.len() > VALUES {
        let beyond = plain.len() - VALUES;
        shelf.left_out.push(format!("the values of {beyond} SSM parameters beyond {VALUES}"));
        plain.truncate(VALUES);
    }
    for names in plain.chunks(10) {
        let request = || {
            let request = reader.aws.ssm.get_parameters().with_decryption(false);
            request.set_names(Some(names.to_vec())).send()
        };
        let answer = reader.ask(Op::read("SSM", "GetParameters"), request).await?;
        for parameter in answer.parameters.unwrap_or_default() {
            if parameter.r#type != Some(ParameterType::String) {
                continue;
            }
            if let (Some(name), Some(text)) = (parameter.name, parameter.value) {
                shelf.held.push(Held { place: Place::Parameter(name), text });
            }
        }
    }
    Ok(shelf)
}

/// Names that tell of a cache come first, so that a bound cuts off the others.
fn telling_first(names: &mut [String]) {
    let told = |name: &String| {
        let lower = name.to_ascii_lowercase();
        !TELLING.iter().any(|word| lower.contains(word))
    };
    names.sort_by_key(|name| (told(name), name.clone()));
}

/// The CNAME records with one value.
pub(super) async fn records(reader: &Reader) -> Result<Shelf, Failure> {
    let mut shelf = Shelf::default();
    let (mut zones, mut marker) = (Vec::new(), None);
    for page in 0.. {
        let request = || reader.aws.route53.list_hosted_zones().set_marker(marker.clone()).send();
        let answer = reader.ask(Op::read("Route 53", "ListHostedZones"), request).await?;
        zones.extend(answer.hosted_zones.into_iter().map(|zone| zone.id));
        marker = answer.next_marker.filter(|_| answer.is_truncated);
        if marker.is_none() {
            break;
        }
        if page + 1 == PAGES {
            shelf.left_out.push(format!("hosted zones after the first {}", zones.len()));
            break;
        }
    }
    for zone in zones {
        let zone = zone.rsplit('/').next().unwrap_or(&zone).to_owned();
        records_of(reader, &zone, &mut shelf).await?;
    }
    Ok(shelf)
}

async fn records_of(reader: &Reader, zone: &str, shelf: &mut Shelf) -> Result<(), Failure> {
    let mut from: Option<(String, Option<RrType>, Option<String>)> = None;
    for page in 0.. {
        let (name, kind, identifier) = match from.clone() {
            Some((name, kind, identifier)) => (Some(name), kind, identifier),
            None => (None, None, None),
        };
        let request = || {
            let request = reader.aws.route53.list_resource_record_sets().hosted_zone_id(zone);
            let request = request.set_start_record_name(name.clone());
            let request = request.set_start_record_type(kind.clone());
            request.set_start_record_identifier(identifier.clone()).send()
        };
        let answer = reader.ask(Op::read("Route 53", "ListResourceRecordSets"), request).await?;
        for record in answer.resource_record_sets {
            let values = record.resource_records.unwrap_or_default();
            if let (RrType::Cname, [value]) = (&record.r#type, values.as_slice()) {
                let place = Place::Record {
                    zone: zone.to_owned(),
                    name: record.name.trim_end_matches('.').to_owned(),
                    simple: record.set_identifier.is_none(),
                    ttl: record.ttl.and_then(|ttl| u64::try_from(ttl).ok()).unwrap_or(0),
                };
                shelf.held.push(Held { place, text: value.value.clone() });
            }
        }
        from = match answer.next_record_name {
            Some(name) if answer.is_truncated => {
                Some((name, answer.next_record_type, answer.next_record_identifier))
            }
            _ => return Ok(()),
        };
        if page + 1 == ZONE_PAGES {
            shelf.left_out.push(format!("records of zone {zone} after its first pages"));
            return Ok(());
        }
    }
    Ok(())
}

/// The names of secrets; their values too, if `look` says so.
pub(super) async fn secrets(reader: &Reader, look: bool) -> Result<Shelf, Failure> {
    let mut shelf = Shelf::default();
    let (mut names, mut token) = (Vec::new(), None);
    for page in 0.. {
        let request = || {
            let request = reader.aws.secretsmanager.list_secrets().max_results(100);
            request.set_next_token(token.clone()).send()
        };
        let answer = reader.ask(Op::read("Secrets Manager", "ListSecrets"), request).await?;
        let listed = answer.secret_list.unwrap_or_default().into_iter();
        names.extend(listed.filter_map(|secret| secret.name));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
        if page + 1 == PAGES {
            shelf.left_out.push(format!("secrets after the first {}", names.len()));
            break;
        }
    }
    telling_first(&mut names);
    if !look {
        shelf.unread = names;
        return Ok(shelf);
    }
    if names.len() > VALUES {
        shelf.left_out.push(format!("{} secrets beyond {VALUES}", names.len() - VALUES));
        names.truncate(VALUES);
    }
    for name in names {
        let request = || reader.aws.secretsmanager.get_secret_value().secret_id(&name).send();
        // One secret that may not be read says nothing of the next.
        match reader.ask(Op::read("Secrets Manager", "GetSecretValue"), request).await {
            Ok(answer) => shelf.held.extend(
                answer.secret_string.map(|text| Held { place: Place::Secret(name.clone()), text }),
            ),
            Err(_) => shelf.unread.push(name),
        }
    }
    Ok(shelf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_of_a_cache_are_read_first() {
        let mut names = ["/a", "/z/redis", "/b/CacheHost", "/c"].map(str::to_owned);
        telling_first(&mut names);
        assert_eq!(names, ["/b/CacheHost", "/z/redis", "/a", "/c"]);
    }

    #[test]
    fn what_is_held_is_not_shown() {
        let held = Held { place: Place::Secret("app".to_owned()), text: "hunter2".to_owned() };
        assert!(!format!("{held:?}").contains("hunter2"));
    }
}
