//! What MemoryDB offers: engine versions, node types, parameter groups, subnet groups.

use serde_json::{Value, json};

use super::call::{arn, invalid_value, page};
use super::state::{MemoryDbState, SubnetGroup};
use crate::context::Ctx;
use crate::wire::ApiError;

/// One engine version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) engine: &'static str,
    pub(super) version: &'static str,
    pub(super) patch: &'static str,
    pub(super) family: &'static str,
}

/// The versions of the developer guide, engine versions. The first of an engine is its default.
const VERSIONS: [Version; 5] = [
    Version { engine: "redis", version: "7.1", patch: "7.1.1", family: "memorydb_redis7" },
    Version { engine: "redis", version: "7.0", patch: "7.0.7", family: "memorydb_redis7" },
    Version { engine: "redis", version: "6.2", patch: "6.2.6", family: "memorydb_redis6" },
    Version { engine: "valkey", version: "7.3", patch: "7.3.0", family: "memorydb_valkey7" },
    Version { engine: "valkey", version: "7.2", patch: "7.2.6", family: "memorydb_valkey7" },
];

/// The version of an engine that a create call gets. Only MAJOR.MINOR can be asked for.
pub(super) fn version(engine: &str, asked: Option<&str>) -> Result<Version, ApiError> {
    let of_engine = |v: &&Version| v.engine == engine;
    let found = match asked {
        None => VERSIONS.iter().find(of_engine),
        Some(asked) => VERSIONS.iter().filter(of_engine).find(|v| v.version == asked),
    };
    let asked = asked.unwrap_or("any version");
    found.copied().ok_or_else(|| {
        invalid_value(format!("Engine version {asked} of {engine} is not supported by MemoryDB."))
    })
}

/// The parameter group that goes with a version.
pub(super) fn default_group(version: Version) -> String {
    format!("default.{}", version.family.replace('_', "-"))
}

/// The parameter group of an engine's version, whether or not there is one: what a request without one stands for.
pub(crate) fn default_group_of(engine: &str, asked: Option<&str>) -> String {
    version(engine, asked).map_or_else(|_| "*".to_owned(), default_group)
}

/// The family of a parameter group, if there is such a group.
pub(super) fn family_of(state: &MemoryDbState, group: &str) -> Option<String> {
    let own = state.parameter_groups.get(&group.to_ascii_lowercase());
    own.map(|group| group.family.clone()).or_else(|| {
        let default = VERSIONS.iter().find(|v| default_group(**v).eq_ignore_ascii_case(group));
        default.map(|v| v.family.to_owned())
    })
}

/// Node types (MemoryDB developer guide, supported node types) with their `maxmemory`, which the parameter pages of the
/// ElastiCache user guide give for the siblings. UNSURE above xlarge: taken as doubling.
const NODE_TYPES: [(&str, u64); 20] = [
    ("db.t4g.small", 1_471_026_299),
    ("db.t4g.medium", 3_317_862_236),
    ("db.r6g.large", LARGE),
    ("db.r6g.xlarge", XLARGE),
    ("db.r6g.2xlarge", 2 * XLARGE),
    ("db.r6g.4xlarge", 4 * XLARGE),
    ("db.r6g.8xlarge", 8 * XLARGE),
    ("db.r6g.12xlarge", 12 * XLARGE),
    ("db.r6g.16xlarge", 16 * XLARGE),
    ("db.r7g.large", LARGE),
    ("db.r7g.xlarge", XLARGE),
    ("db.r7g.2xlarge", 2 * XLARGE),
    ("db.r7g.4xlarge", 4 * XLARGE),
    ("db.r7g.8xlarge", 8 * XLARGE),
    ("db.r7g.12xlarge", 12 * XLARGE),
    ("db.r7g.16xlarge", 16 * XLARGE),
    ("db.r6gd.xlarge", XLARGE),
    ("db.r6gd.2xlarge", 2 * XLARGE),
    ("db.r6gd.4xlarge", 4 * XLARGE),
    ("db.r6gd.8xlarge", 8 * XLARGE),
];
const LARGE: u64 = 14_037_181_030;
const XLARGE: u64 = 28_261_849_702;

/// Bytes that a node of this type holds, if there is such a type.
pub(crate) fn node_memory(state: &MemoryDbState, name: &str) -> Option<u64> {
    let listed = NODE_TYPES.iter().find(|(listed, _)| *listed == name).map(|(_, bytes)| *bytes);
    listed.or_else(|| state.more_node_types.get(name).copied())
}

/// Every node type.
pub(super) fn node_types(state: &MemoryDbState) -> impl Iterator<Item = &str> {
    let more = state.more_node_types.keys().map(String::as_str);
    NODE_TYPES.iter().map(|(name, _)| *name).chain(more)
}

/// DescribeReservedNodesOfferings, without prices.
pub(super) fn offerings(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let world = ctx.world();
    let more = world.memorydb.more_node_types.keys().map(String::as_str);
    let all = NODE_TYPES.iter().map(|(name, _)| *name).chain(more);
    let wanted = input["NodeType"].as_str();
    let offering = |(i, name): (usize, &str)| {
        json!({
            "ReservedNodesOfferingId": format!("00000000-0000-4000-a000-{i:012}"),
            "NodeType": name,
            "Duration": 31_536_000,
            "FixedPrice": 0.0,
            "OfferingType": "No Upfront",
            "RecurringCharges": [],
        })
    };
    let items = all.enumerate().filter(|(_, name)| wanted.is_none_or(|wanted| wanted == *name));
    page(input, "ReservedNodesOfferings", items.map(offering).collect())
}

/// DescribeEngineVersions.
pub(super) fn engine_versions(input: &Value) -> Result<Value, ApiError> {
    let same = |name: &str, is: &str| input[name].as_str().is_none_or(|wanted| wanted == is);
    let default_only = input["DefaultOnly"].as_bool().unwrap_or(false);
    let wanted = |v: &&Version| {
        same("Engine", v.engine)
            && same("EngineVersion", v.version)
            && same("ParameterGroupFamily", v.family)
            && (!default_only || version(v.engine, None).is_ok_and(|d| d.version == v.version))
    };
    let items = VERSIONS.iter().filter(wanted).map(|v| {
        json!({
            "Engine": v.engine,
            "EngineVersion": v.version,
            "EnginePatchVersion": v.patch,
            "ParameterGroupFamily": v.family,
        })
    });
    page(input, "EngineVersions", items.collect())
}

/// The families that a parameter group can be of.
pub(super) fn families() -> impl Iterator<Item = &'static str> {
    VERSIONS.iter().map(|version| version.family)
}

/// A parameter group as the answers show it.
pub(super) fn parameter_group(ctx: &Ctx, name: &str, family: &str, description: &str) -> Value {
    json!({
        "Name": name,
        "Family": family,
        "Description": description,
        "ARN": arn(ctx, "parametergroup", name),
    })
}

/// DescribeParameterGroups.
pub(super) fn parameter_groups(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let defaults = VERSIONS.iter().map(|v| {
        (
            default_group(*v),
            v.family.to_owned(),
            format!("Default parameter group for {}", v.family),
        )
    });
    let world = ctx.world();
    let own = world.memorydb.parameter_groups.iter();
    let own = own.map(|(name, of)| (name.clone(), of.family.clone(), of.description.clone()));
    let mut groups: Vec<_> = defaults.chain(own).collect();
    groups.sort();
    groups.dedup();
    if let Some(name) = input["ParameterGroupName"].as_str() {
        groups.retain(|(group, _, _)| group.eq_ignore_ascii_case(name));
        if groups.is_empty() {
            return Err(group_not_found(name));
        }
    }
    let items = groups
        .iter()
        .map(|(name, family, description)| parameter_group(ctx, name, family, description));
    page(input, "ParameterGroups", items.collect())
}

pub(super) fn group_not_found(name: &str) -> ApiError {
    ApiError::bad("ParameterGroupNotFoundFault", format!("ParameterGroup {name} not found."))
}

pub(super) fn subnet_group_not_found(name: &str) -> ApiError {
    ApiError::bad("SubnetGroupNotFoundFault", format!("Subnet group {name} not found."))
}

/// A subnet group as the answers show it.
pub(super) fn subnet_group(ctx: &Ctx, group: &SubnetGroup) -> Value {
    let subnets = group.subnets.iter().zip(group.zones()).map(|(id, zone)| {
        json!({
            "Identifier": id,
            "AvailabilityZone": {"Name": format!("{}{zone}", ctx.region())},
        })
    });
    json!({
        "Name": group.name,
        "Description": " ",
        "VpcId": group.vpc,
        "Subnets": subnets.collect::<Vec<_>>(),
        "ARN": arn(ctx, "subnetgroup", &group.name),
    })
}

/// DescribeSubnetGroups.
pub(super) fn subnet_groups(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let world = ctx.world();
    let show = |group: &SubnetGroup| subnet_group(ctx, group);
    let groups = &world.memorydb.subnet_groups;
    let items = match input["SubnetGroupName"].as_str() {
        None => groups.values().map(show).collect(),
        Some(name) => {
            let found = groups.get(&name.to_ascii_lowercase());
            vec![show(found.ok_or_else(|| subnet_group_not_found(name))?)]
        }
    };
    page(input, "SubnetGroups", items)
}
