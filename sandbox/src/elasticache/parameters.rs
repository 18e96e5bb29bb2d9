//! Parameter groups and subnet groups, as far as people read them.

use super::call::page;
use crate::context::Ctx;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// DescribeCacheParameters: what owners set (`Source=user`), and of AWS's own values the one that matters to those who
/// move (ElastiCache user guide, Redis OSS parameters).
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("CacheParameterGroupName")?;
    let world = ctx.world();
    let set = world.elasticache.parameter_groups.get(name);
    if set.is_none() && !name.starts_with("default.") {
        return Err(ApiError::missing(
            "CacheParameterGroupNotFound",
            format!("CacheParameterGroup {name} not found."),
        ));
    }
    let parameter = |name: &str, value: &str, source: &str| {
        Xml::new("Parameter")
            .text("ParameterName", name)
            .text("ParameterValue", value)
            .text("Source", source)
            .text("DataType", "string")
            .show("IsModifiable", true)
            .text("ChangeType", "immediate")
    };
    let own = set.into_iter().flatten();
    let mut items: Vec<Xml> = own.map(|(name, value)| parameter(name, value, "user")).collect();
    let policy = "maxmemory-policy";
    if params.get("Source") != Some("user") && set.is_none_or(|set| !set.contains_key(policy)) {
        items.push(parameter(policy, "volatile-lru", "system"));
    }
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
