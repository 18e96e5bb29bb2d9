use bytes::Bytes;
use http::request::Parts;

use super::{batch, changes, records, zones};
use crate::context::Ctx;
use crate::wire::query::Xml;
use crate::wire::{ApiError, Reply};

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// The operation and the resource (a hosted zone, a change) that this request names.
pub(crate) fn operation(parts: &Parts) -> (String, String) {
    let path = Path::of(parts);
    let segments: Vec<_> = path.0.iter().map(String::as_str).collect();
    let (name, resource) = match (parts.method.as_str(), segments.as_slice()) {
        ("GET", ["hostedzone"]) => ("ListHostedZones", ""),
        ("POST", ["hostedzone"]) => ("CreateHostedZone", ""),
        ("GET", ["hostedzonesbyname"]) => ("ListHostedZonesByName", ""),
        ("GET", ["hostedzone", zone]) => ("GetHostedZone", *zone),
        ("DELETE", ["hostedzone", zone]) => ("DeleteHostedZone", *zone),
        ("GET", ["hostedzone", zone, "rrset"]) => ("ListResourceRecordSets", *zone),
        ("POST", ["hostedzone", zone, "rrset"]) => ("ChangeResourceRecordSets", *zone),
        ("GET", ["change", change]) => ("GetChange", *change),
        _ => return (format!("{} {}", parts.method, parts.uri.path()), String::new()),
    };
    (name.to_owned(), resource.to_owned())
}

/// Answers one operation. The error is written as Route 53's XML by the dispatcher.
pub(crate) async fn call(ctx: &Ctx, parts: &Parts, body: &Bytes) -> Result<Reply, ApiError> {
    let (operation, id) = operation(parts);
    let query = Query::of(parts);
    let state = &mut ctx.world().route53;
    let (status, document) = match operation.as_str() {
        "ListHostedZones" => (200, zones::list(state, &query)?),
        "ListHostedZonesByName" => (200, zones::list_by_name(state, &query)?),
        "GetHostedZone" => (200, zones::get(state, ctx, &id)?),
        "CreateHostedZone" => (201, zones::create(state, ctx, body)?),
        "DeleteHostedZone" => (200, zones::delete(state, ctx, &id)?),
        "ListResourceRecordSets" => (200, records::list(state, &id, &query)?),
        "ChangeResourceRecordSets" => (200, batch::change(state, ctx, &id, body)?),
        "GetChange" => (200, changes::get(state, ctx, &id)?),
        _ => return Err(ApiError::unknown_operation(&operation)),
    };
    let reply = reply(status, &document, ctx);
    Ok(match document.value("HostedZone", "Id").filter(|_| status == 201) {
        // Where the new zone is (Route 53 API reference, CreateHostedZone).
        Some(id) => {
            reply.header("location", &format!("https://route53.amazonaws.com/2013-04-01{id}"))
        }
        None => reply,
    })
}

fn reply(status: u16, document: &Xml, ctx: &Ctx) -> Reply {
    Reply::new(status, "text/xml", document.render(Some(NAMESPACE)))
        .header("x-amzn-requestid", &ctx.request_id)
}

/// The segments of the path after the version. Ids may come with their type in front
/// (`%2Fchange%2FC1`), which is left out.
struct Path(Vec<String>);

impl Path {
    fn of(parts: &Parts) -> Self {
        let path = parts.uri.path().trim_start_matches("/2013-04-01/");
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let decoded = segments.map(|segment| {
            let segment = segment.replace("%2F", "/").replace("%2f", "/");
            segment.rsplit('/').next().unwrap_or_default().to_owned()
        });
        Self(decoded.collect())
    }
}

/// The parameters in the address.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn of(parts: &Parts) -> Self {
        let text = parts.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The size of the page asked for, at most `most`.
    pub(super) fn max_items(&self, most: usize) -> Result<usize, ApiError> {
        match self.get("maxitems").map(str::parse::<usize>) {
            None => Ok(most),
            Some(Ok(size)) if size > 0 => Ok(size.min(most)),
            Some(_) => Err(ApiError::bad(
                "InvalidInput",
                "The value for maxitems must be a number between 1 and the page limit.",
            )),
        }
    }
}
