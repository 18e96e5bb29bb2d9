//! Parameter groups and subnet groups, as far as groups use them.

use super::call::{invalid_value, page};
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// What is there unless somebody sets it otherwise (ElastiCache user guide, Redis OSS and Valkey parameters).
const DEFAULTS: [(&str, &str); 3] =
    [("databases", "16"), ("maxmemory-policy", "volatile-lru"), ("reserved-memory-percent", "25")];

/// DescribeCacheParameters.
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("CacheParameterGroupName")?;
    let source = params.get("Source");
    if let Some(other) = source.filter(|s| !matches!(*s, "user" | "system" | "engine-default")) {
        return Err(invalid_value(format!(
            "Source is user, system or engine-default, not {other}"
        )));
    }
    let world = ctx.world();
    let named = world.elasticache.parameter_groups.get(name);
    if named.is_none() && !name.starts_with("default.") {
        return Err(ApiError::missing(
            "CacheParameterGroupNotFound",
            format!("CacheParameterGroup not found: {name}"),
        ));
    }
    let set = named.map(|group| group.values.clone()).unwrap_or_default();
    let one = |name: &str, value: &str, source: &str| {
        Xml::new("Parameter")
            .text("ParameterName", name)
            .text("ParameterValue", value)
            .text("Source", source)
            .text("DataType", "string")
            .show("IsModifiable", true)
            .text("ChangeType", "immediate")
    };
    let user = set.iter().map(|(name, value)| one(name, value, "user"));
    let rest = DEFAULTS.iter().filter(|(name, _)| !set.contains_key(*name));
    let system = rest.map(|(name, value)| one(name, value, "system"));
    let items: Vec<Xml> = match source {
        Some("user") => user.collect(),
        None => user.chain(system).collect(),
        Some(_) => system.collect(),
    };
    page(params, "Parameters", items, 100)
}

/// DescribeCacheSubnetGroups: there is the default one.
pub(super) fn subnet_groups(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    if let Some(name) = params.get("CacheSubnetGroupName").filter(|name| *name != "default") {
        return Err(ApiError::bad(
            "CacheSubnetGroupNotFoundFault",
            format!("Cache Subnet Group {name} does not exist."),
        ));
    }
    let subnet = |(id, zone): (&str, &str)| {
        let zone =
            Xml::new("SubnetAvailabilityZone").text("Name", format!("{}{zone}", ctx.region()));
        Xml::new("Subnet").text("SubnetIdentifier", id).child(zone)
    };
    let group = Xml::new("CacheSubnetGroup")
        .text("CacheSubnetGroupName", "default")
        .text("CacheSubnetGroupDescription", "Default CacheSubnetGroup")
        .text("VpcId", crate::world::VPC)
        .list("Subnets", [("subnet-0a", "a"), ("subnet-0b", "b")].map(subnet));
    page(params, "CacheSubnetGroups", vec![group], 100)
}
