//! What MemoryDB offers: engine versions, node types, parameter groups, subnet groups.

use serde_json::{Value, json};

use super::call::{arn, invalid_value, page};
use super::state::SubnetGroup;
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

/// Whether there is such a parameter group. Groups of a person's own are not modelled beyond their name's prefix.
pub(super) fn has_group(name: &str) -> bool {
    VERSIONS.iter().any(|v| default_group(*v) == name)
}

/// Node types by family (MemoryDB developer guide, supported node types).
pub(super) fn has_node_type(name: &str) -> bool {
    const LARGE: [&str; 7] =
        ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"];
    let Some((family, size)) = name.strip_prefix("db.").and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    match family {
        "r7g" | "r6g" => LARGE.contains(&size),
        "r6gd" => ["xlarge", "2xlarge", "4xlarge", "8xlarge"].contains(&size),
        "t4g" => ["small", "medium"].contains(&size),
        _ => false,
    }
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

/// DescribeParameterGroups.
pub(super) fn parameter_groups(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let mut groups: Vec<_> = VERSIONS.iter().map(|v| (default_group(*v), v.family)).collect();
    groups.sort();
    groups.dedup();
    if let Some(name) = input["ParameterGroupName"].as_str() {
        groups.retain(|(group, _)| group.eq_ignore_ascii_case(name));
        if groups.is_empty() {
            return Err(group_not_found(name));
        }
    }
    let items = groups.into_iter().map(|(name, family)| {
        json!({
            "Name": name,
            "Family": family,
            "Description": format!("Default parameter group for {family}"),
            "ARN": arn(ctx, "parametergroup", &name),
        })
    });
    page(input, "ParameterGroups", items.collect())
}

pub(super) fn group_not_found(name: &str) -> ApiError {
    ApiError::bad("ParameterGroupNotFoundFault", format!("ParameterGroup {name} not found."))
}

pub(super) fn subnet_group_not_found(name: &str) -> ApiError {
    ApiError::bad("SubnetGroupNotFoundFault", format!("Subnet group {name} not found."))
}

/// DescribeSubnetGroups.
pub(super) fn subnet_groups(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let world = ctx.world();
    let show = |group: &SubnetGroup| {
        let zones = ["a", "b", "c"];
        let subnets = group.subnets.iter().enumerate().map(|(i, id)| {
            json!({
                "Identifier": id,
                "AvailabilityZone": {"Name": format!("{}{}", ctx.region(), zones[i % 3])},
            })
        });
        json!({
            "Name": group.name,
            "Description": " ",
            "VpcId": "vpc-0sandbox",
            "Subnets": subnets.collect::<Vec<_>>(),
            "ARN": arn(ctx, "subnetgroup", &group.name),
        })
    };
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
