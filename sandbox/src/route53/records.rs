//! Listing records.

use super::call::Query;
use super::name::{sort_key, stored};
use super::state::{Record, RecordKey, Route53State};
use super::zones::zone;
use crate::wire::ApiError;
use crate::wire::query::Xml;

/// Pages never hold more (Route 53 API reference, ListResourceRecordSets).
const PAGE: usize = 300;

/// Records from the start name on, in the order of their reversed labels. The start need not
/// exist, and the page does not end with the start name's records.
pub(super) fn list(state: &mut Route53State, id: &str, query: &Query) -> Result<Xml, ApiError> {
    let zone = zone(state, id)?;
    let (name, kind, set) = (query.get("name"), query.get("type"), query.get("identifier"));
    if kind.is_some() && name.is_none() || set.is_some() && kind.is_none() {
        return Err(ApiError::bad(
            "InvalidInput",
            "The request specifies a start type without a start name, or a start identifier \
             without a start type.",
        ));
    }
    let start = RecordKey {
        labels: name.map(|name| sort_key(&stored(name))).unwrap_or_default(),
        kind: kind.unwrap_or_default().to_owned(),
        set: set.map(str::to_owned),
    };
    let max = query.max_items(PAGE)?;
    let mut from = zone.records.range(start..).map(|(_, record)| record);
    let page: Vec<_> = from.by_ref().take(max).map(show).collect();
    let next = from.next();
    let mut response = Xml::new("ListResourceRecordSetsResponse")
        .list("ResourceRecordSets", page)
        .show("IsTruncated", next.is_some());
    if let Some(next) = next {
        response = response
            .text("NextRecordName", &next.name)
            .text("NextRecordType", &next.kind)
            .maybe("NextRecordIdentifier", next.set.clone());
    }
    Ok(response.show("MaxItems", max))
}

fn show(record: &Record) -> Xml {
    let members = |xml: Xml, members: &[(&'static str, String)]| {
        members.iter().fold(xml, |xml, (name, value)| xml.text(name, value))
    };
    let mut xml = Xml::new("ResourceRecordSet")
        .text("Name", &record.name)
        .text("Type", &record.kind)
        .maybe("SetIdentifier", record.set.clone());
    xml = members(xml, &record.routing);
    if !record.geo.is_empty() {
        xml = xml.child(members(Xml::new("GeoLocation"), &record.geo));
    }
    if let Some(ttl) = record.ttl {
        let value = |value: &String| Xml::new("ResourceRecord").text("Value", value);
        xml = xml.show("TTL", ttl).list("ResourceRecords", record.values.iter().map(value));
    }
    if !record.alias.is_empty() {
        xml = xml.child(members(Xml::new("AliasTarget"), &record.alias));
    }
    xml
}
