//! Change batches: all of the changes or none.

use std::collections::BTreeMap;

use super::changes::submit;
use super::name::{is_within, stored};
use super::request::Element;
use super::state::{Record, RecordKey, Route53State};
use super::zones::zone;
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::Xml;

type Records = BTreeMap<RecordKey, Record>;

pub(super) fn change(
    state: &mut Route53State,
    ctx: &Ctx,
    id: &str,
    body: &[u8],
) -> Result<Xml, ApiError> {
    let zone = zone(state, id)?;
    let request = Element::parse(body, "ChangeResourceRecordSetsRequest")?;
    let batch = request.child("ChangeBatch");
    let changes: Vec<_> = batch
        .and_then(|batch| batch.child("Changes"))
        .into_iter()
        .flat_map(|changes| changes.children("Change"))
        .collect();
    if changes.is_empty() {
        return Err(ApiError::bad("InvalidInput", "Invalid request: no changes in the batch"));
    }
    let mut records = zone.records.clone();
    let mut refusals = Vec::new();
    for change in changes {
        let action = change.text("Action").unwrap_or_default();
        let record = record(action, change.child("ResourceRecordSet"))?;
        if let Err(refusal) = apply(&mut records, &zone.name, action, record) {
            refusals.push(refusal);
        }
    }
    if !refusals.is_empty() {
        let message = format!("[{}]", refusals.join(", "));
        return Err(ApiError::bad("InvalidChangeBatch", message));
    }
    zone.records = records;
    let comment = batch.and_then(|batch| batch.text("Comment")).map(str::to_owned);
    Ok(Xml::new("ChangeResourceRecordSetsResponse").child(submit(state, ctx, comment)))
}

/// One change as policy conditions see it.
pub(crate) struct Changed {
    /// In lower case, without the final dot.
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) action: String,
}

/// The changes of a batch; none if it cannot be read.
pub(crate) fn changes_in(body: &[u8]) -> Vec<Changed> {
    let Ok(request) = Element::parse(body, "ChangeResourceRecordSetsRequest") else {
        return Vec::new();
    };
    let changes = request.child("ChangeBatch").and_then(|batch| batch.child("Changes"));
    let changed = |change: &Element| {
        let set = change.child("ResourceRecordSet")?;
        Some(Changed {
            name: stored(set.text("Name")?).trim_end_matches('.').to_owned(),
            kind: set.text("Type")?.to_owned(),
            action: change.text("Action")?.to_owned(),
        })
    };
    changes.into_iter().flat_map(|c| c.children("Change")).filter_map(changed).collect()
}

/// The record set of one change, with exactly one of an alias target, or a TTL and values.
fn record(action: &str, set: Option<&Element>) -> Result<Record, ApiError> {
    let invalid = |why: String| ApiError::bad("InvalidInput", format!("Invalid request: {why}"));
    if !matches!(action, "CREATE" | "DELETE" | "UPSERT") {
        return Err(invalid(format!("unknown action '{action}'")));
    }
    let set = set.ok_or_else(|| invalid("a change without ResourceRecordSet".to_owned()))?;
    let (Some(name), Some(kind)) = (set.text("Name"), set.text("Type")) else {
        return Err(invalid("a ResourceRecordSet without Name or Type".to_owned()));
    };
    let routing = ["Weight", "Region", "Failover", "MultiValueAnswer", "HealthCheckId"];
    let geo = ["ContinentCode", "CountryCode", "SubdivisionCode"];
    let alias = ["HostedZoneId", "DNSName", "EvaluateTargetHealth"];
    let members = |child: &str, names: &[&'static str]| {
        set.child(child).map(|child| child.members(names)).unwrap_or_default()
    };
    let values =
        set.child("ResourceRecords").into_iter().flat_map(|v| v.children("ResourceRecord"));
    let ttl = set.text("TTL").map(str::parse).transpose();
    let record = Record {
        name: stored(name),
        kind: kind.to_owned(),
        set: set.text("SetIdentifier").map(str::to_owned),
        routing: set.members(&routing),
        geo: members("GeoLocation", &geo),
        ttl: ttl.map_err(|_| invalid("the TTL is not a number".to_owned()))?,
        values: values.filter_map(|value| value.text("Value").map(str::to_owned)).collect(),
        alias: members("AliasTarget", &alias),
    };
    let found = match (record.alias.is_empty(), record.ttl.is_some() && !record.values.is_empty()) {
        (false, false) | (true, true) => return Ok(record),
        (true, false) => "none",
        (false, true) => "more than one",
    };
    Err(invalid(format!(
        "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
         TrafficPolicyInstanceId], but found {found} in Change with [Action={action}, \
         Name={name}, Type={kind}, SetIdentifier={}]",
        record.set.as_deref().unwrap_or("null")
    )))
}

/// Carries one change out on `records`, or says why not in Route 53's words.
fn apply(records: &mut Records, zone: &str, action: &str, record: Record) -> Result<(), String> {
    let what = described(&record);
    let key = record.key();
    let current = records.get(&key);
    match (action, current) {
        ("DELETE", None) => {
            return Err(format!("Tried to delete resource record set {what} but it was not found"));
        }
        ("DELETE", Some(current)) => {
            if !record.same_as(current) {
                return Err(format!(
                    "Tried to delete resource record set {what} but the values provided do not \
                     match the current values"
                ));
            }
            if record.name == zone && matches!(&*record.kind, "NS" | "SOA") {
                return Err(format!(
                    "A HostedZone must contain at least one NS record for the zone itself and \
                     exactly one SOA record: {what}"
                ));
            }
            records.remove(&key);
            return Ok(());
        }
        ("CREATE", Some(_)) => {
            return Err(format!(
                "Tried to create resource record set {what} but it already exists"
            ));
        }
        _ => {}
    }
    check(records, zone, &record)?;
    records.insert(key, record);
    Ok(())
}

fn described(record: &Record) -> String {
    let (name, kind) = (&record.name, &record.kind);
    match &record.set {
        Some(set) => format!("[name='{name}', type='{kind}', set-identifier='{set}']"),
        None => format!("[name='{name}', type='{kind}']"),
    }
}

/// The rules a new or changed record must keep among the others of its zone.
fn check(records: &Records, zone: &str, record: &Record) -> Result<(), String> {
    let Record { name, kind, .. } = record;
    let apex = zone.trim_end_matches('.');
    if !is_within(name, zone) {
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {zone}"));
    }
    if name.trim_end_matches('.').split('.').any(str::is_empty) {
        return Err(format!(
            "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '{name}'"
        ));
    }
    if kind == "CNAME" && name == zone {
        return Err(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
        ));
    }
    if kind == "CNAME" && record.values.len() > 1 {
        return Err(format!(
            "RRSet with DNS name {name}, type CNAME in zone {apex} must have exactly one value"
        ));
    }
    if kind == "A"
        && let Some(value) = record.values.iter().find(|v| v.parse::<std::net::Ipv4Addr>().is_err())
    {
        return Err(format!(
            "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a \
             valid IPv4 address) encountered with '{value}''"
        ));
    }
    let neighbours = || records.values().filter(|other| other.name == *name);
    if neighbours().any(|other| (other.kind == "CNAME") != (kind == "CNAME")) {
        return Err(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with \
             other records with the same DNS name in zone {zone}"
        ));
    }
    let mixed = |other: &Record| other.kind == *kind && other.set.is_some() != record.set.is_some();
    if neighbours().any(mixed) {
        return Err(format!(
            "RRSet with DNS name {name}, type {kind}, SetIdentifier {} cannot be created as other \
             RRSets exist with the same name and type.",
            record.set.as_deref().unwrap_or("null")
        ));
    }
    Ok(())
}
