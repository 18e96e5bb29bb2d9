//! Hosted zones.

use super::call::Query;
use super::changes::submit;
use super::name::{sort_key, stored};
use super::request::Element;
use super::state::{NAME_SERVERS, Route53State, Zone};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::Xml;

/// Pages never hold more (Route 53 API reference, ListHostedZones).
const PAGE: usize = 100;

/// The zone of an id, or `NoSuchHostedZone`.
pub(super) fn zone<'a>(state: &'a mut Route53State, id: &str) -> Result<&'a mut Zone, ApiError> {
    state.zones.get_mut(id).ok_or_else(|| {
        ApiError::missing("NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
    })
}

pub(super) fn list(state: &Route53State, query: &Query) -> Result<Xml, ApiError> {
    let max = query.max_items(PAGE)?;
    let marker = query.get("marker");
    let mut from = state.zones.iter().filter(|(id, _)| marker.is_none_or(|m| id.as_str() >= m));
    let page: Vec<_> = from.by_ref().take(max).map(|(id, zone)| show(id, zone)).collect();
    let next = from.next();
    Ok(Xml::new("ListHostedZonesResponse")
        .list("HostedZones", page)
        .maybe("Marker", marker)
        .show("IsTruncated", next.is_some())
        .maybe("NextMarker", next.map(|(id, _)| id.clone()))
        .show("MaxItems", max))
}

/// Zones from the given name on, in the order of their reversed labels. A caller that wants one
/// zone must compare the name: the page goes on with the zones after it.
pub(super) fn list_by_name(state: &Route53State, query: &Query) -> Result<Xml, ApiError> {
    let max = query.max_items(PAGE)?;
    let (name, id) = (query.get("dnsname"), query.get("hostedzoneid"));
    if id.is_some() && name.is_none() {
        return Err(ApiError::bad(
            "InvalidInput",
            "A hosted zone ID to start from needs a DNS name to start from.",
        ));
    }
    let mut sorted: Vec<_> =
        state.zones.iter().map(|(id, zone)| (sort_key(&zone.name), id, zone)).collect();
    sorted.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let start = name.map(|name| sort_key(&stored(name)));
    let mut from = sorted.into_iter().filter(|(key, zone_id, _)| {
        start.as_ref().is_none_or(|start| match key.cmp(start) {
            std::cmp::Ordering::Equal => id.is_none_or(|id| zone_id.as_str() >= id),
            order => order.is_gt(),
        })
    });
    let page: Vec<_> = from.by_ref().take(max).map(|(_, id, zone)| show(id, zone)).collect();
    let next = from.next();
    Ok(Xml::new("ListHostedZonesByNameResponse")
        .list("HostedZones", page)
        .maybe("DNSName", name)
        .maybe("HostedZoneId", id)
        .show("IsTruncated", next.is_some())
        .maybe("NextDNSName", next.as_ref().map(|(_, _, zone)| zone.name.clone()))
        .maybe("NextHostedZoneId", next.map(|(_, id, _)| id.clone()))
        .show("MaxItems", max))
}

pub(super) fn get(state: &mut Route53State, ctx: &Ctx, id: &str) -> Result<Xml, ApiError> {
    let zone = zone(state, id)?;
    let response = Xml::new("GetHostedZoneResponse").child(show(id, zone));
    if !zone.private {
        return Ok(response.child(delegation()));
    }
    let vpc = Xml::new("VPC").text("VPCRegion", ctx.region()).text("VPCId", "vpc-0a1b2c3d");
    Ok(response.list("VPCs", [vpc]))
}

pub(super) fn create(state: &mut Route53State, ctx: &Ctx, body: &[u8]) -> Result<Xml, ApiError> {
    let request = Element::parse(body, "CreateHostedZoneRequest")?;
    let (Some(name), Some(reference)) = (request.text("Name"), request.text("CallerReference"))
    else {
        return Err(ApiError::bad("InvalidInput", "Name and CallerReference are required."));
    };
    if state.zones.values().any(|zone| zone.caller_reference == reference) {
        return Err(ApiError::new(
            409,
            "HostedZoneAlreadyExists",
            "A hosted zone has already been created with the specified caller reference.",
        ));
    }
    let config = request.child("HostedZoneConfig");
    let private = config.and_then(|c| c.text("PrivateZone")) == Some("true");
    let mut zone = Zone::new(name, reference, private);
    zone.comment = config.and_then(|c| c.text("Comment")).map(str::to_owned);
    let id = format!("Z{}", ctx.hex(20).to_uppercase());
    let shown = show(&id, &zone);
    state.zones.insert(id, zone);
    let response = Xml::new("CreateHostedZoneResponse").child(shown);
    Ok(response.child(submit(state, ctx, None)).child(delegation()))
}

pub(super) fn delete(state: &mut Route53State, ctx: &Ctx, id: &str) -> Result<Xml, ApiError> {
    let zone = zone(state, id)?;
    if zone.records.values().any(|r| r.name != zone.name || !matches!(&*r.kind, "NS" | "SOA")) {
        return Err(ApiError::bad(
            "HostedZoneNotEmpty",
            "The specified hosted zone contains non-required resource record sets and so cannot \
             be deleted.",
        ));
    }
    state.zones.remove(id);
    Ok(Xml::new("DeleteHostedZoneResponse").child(submit(state, ctx, None)))
}

fn show(id: &str, zone: &Zone) -> Xml {
    Xml::new("HostedZone")
        .text("Id", format!("/hostedzone/{id}"))
        .text("Name", &zone.name)
        .text("CallerReference", &zone.caller_reference)
        .child(
            Xml::new("Config")
                .maybe("Comment", zone.comment.clone())
                .show("PrivateZone", zone.private),
        )
        .show("ResourceRecordSetCount", zone.records.len())
}

fn delegation() -> Xml {
    Xml::new("DelegationSet").values("NameServers", "NameServer", NAME_SERVERS)
}
