//! Route 53, whose ARNs have neither region nor account.

use std::collections::BTreeMap;

use super::{Asked, Permission};

pub(super) fn needs(asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let on = |kind: &str| {
        let id = asked.resource;
        Permission::of(&asked.action(), &format!("arn:aws:route53:::{kind}/{id}"))
    };
    Some(vec![match asked.operation {
        "ListHostedZones" | "ListHostedZonesByName" | "CreateHostedZone" => {
            Permission::of(&asked.action(), "*")
        }
        "GetHostedZone" | "DeleteHostedZone" | "ListResourceRecordSets" => on("hostedzone"),
        "ChangeResourceRecordSets" => on("hostedzone").given(changes(asked.body)),
        "GetChange" => on("change"),
        _ => return None,
    }])
}

/// The names in lower case without a final dot, the types and the actions of a batch (Route 53 developer guide, "Using
/// IAM policy conditions for fine-grained access control").
fn changes(body: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for change in crate::route53::changes_in(body) {
        for (key, value) in [
            ("normalizedrecordnames", change.name),
            ("recordtypes", change.kind),
            ("actions", change.action),
        ] {
            let key = format!("route53:changeresourcerecordsets{key}");
            context.entry(key).or_default().push(value);
        }
    }
    context
}
