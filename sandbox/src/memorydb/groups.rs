//! Parameter groups and subnet groups of a person's own.

use serde_json::{Value, json};

use super::call::{invalid_value, need, tags_in, texts};
use super::catalog;
use super::parameters;
use super::state::{ParameterGroup, SubnetGroup};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

/// Parameters of one UpdateParameterGroup (MemoryDB API reference).
const MOST_PARAMETERS: usize = 20;

/// CreateParameterGroup.
pub(super) fn create_parameters(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = named(input, "ParameterGroupName")?;
    let family = need(input, "Family")?;
    if !catalog::families().any(|known| known == family) {
        return Err(invalid_value(format!("{family} is not a valid parameter group family.")));
    }
    let mut world = ctx.world();
    let groups = &mut world.memorydb.parameter_groups;
    if groups.contains_key(&name) {
        return Err(ApiError::bad(
            "ParameterGroupAlreadyExistsFault",
            format!("Parameter group {name} already exists."),
        ));
    }
    let group = ParameterGroup {
        family: family.to_owned(),
        description: input["Description"].as_str().unwrap_or_default().to_owned(),
        values: std::collections::BTreeMap::new(),
        tags: tags_in(input),
    };
    let answer = catalog::parameter_group(ctx, &name, &group.family, &group.description);
    groups.insert(name, group);
    Ok(json!({"ParameterGroup": answer}))
}

/// UpdateParameterGroup.
pub(super) fn update_parameters(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ParameterGroupName")?.to_ascii_lowercase();
    let given = input["ParameterNameValues"].as_array().map_or(&[][..], Vec::as_slice);
    if given.is_empty() || given.len() > MOST_PARAMETERS {
        return Err(invalid_value(format!(
            "ParameterNameValues must have 1 to {MOST_PARAMETERS} items."
        )));
    }
    let mut world = ctx.world();
    if name.starts_with("default.") {
        return Err(ApiError::bad(
            "InvalidParameterGroupStateFault",
            format!("Default parameter group {name} cannot be modified."),
        ));
    }
    let group = world.memorydb.parameter_groups.get_mut(&name);
    let group = group.ok_or_else(|| catalog::group_not_found(&name))?;
    let mut values = group.values.clone();
    for pair in given {
        let (parameter, value) = (need(pair, "ParameterName")?, pair["ParameterValue"].as_str());
        if !parameters::names(&group.family).any(|known| known == parameter) {
            return Err(invalid_value(format!("Could not find parameter with name: {parameter}")));
        }
        values.insert(parameter.to_owned(), value.unwrap_or_default().to_owned());
    }
    group.values = values;
    let answer = catalog::parameter_group(ctx, &name, &group.family, &group.description);
    Ok(json!({"ParameterGroup": answer}))
}

/// CreateSubnetGroup. Which subnets there are is EC2's to know: any well-formed id counts as one of the VPC.
pub(super) fn create_subnets(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = named(input, "SubnetGroupName")?;
    let subnets = texts(input, "SubnetIds");
    let well_formed = |id: &String| {
        id.strip_prefix("subnet-")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()))
    };
    if subnets.is_empty() {
        return Err(invalid_value("The parameter SubnetIds must be provided."));
    }
    if let Some(id) = subnets.iter().find(|id| !well_formed(id)) {
        return Err(ApiError::bad("InvalidSubnet", format!("Invalid subnet: {id}")));
    }
    let mut world = ctx.world();
    let groups = &mut world.memorydb.subnet_groups;
    if groups.contains_key(&name) {
        return Err(ApiError::bad(
            "SubnetGroupAlreadyExistsFault",
            format!("Subnet group {name} already exists."),
        ));
    }
    let group = SubnetGroup { subnets, tags: tags_in(input), ..SubnetGroup::new(&name) };
    let answer = catalog::subnet_group(ctx, &group);
    groups.insert(name, group);
    Ok(json!({"SubnetGroup": answer}))
}

fn named(input: &Value, member: &str) -> Result<String, ApiError> {
    names::folded(member, need(input, member)?, 255).map_err(invalid_value)
}

/// DeleteParameterGroup. No cluster may use it (MemoryDB API reference).
pub(super) fn delete_parameters(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ParameterGroupName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    let user = state.clusters.values().find(|c| c.parameter_group.eq_ignore_ascii_case(&name));
    let in_use =
        user.map(|cluster| format!("Parameter group {name} is in use by {}.", cluster.name));
    let own = name.starts_with("default.");
    let default = own.then(|| format!("Default parameter group {name} cannot be deleted."));
    if let Some(why) = default.or(in_use) {
        return Err(ApiError::bad("InvalidParameterGroupStateFault", why));
    }
    let group = state.parameter_groups.remove(&name);
    let group = group.ok_or_else(|| catalog::group_not_found(&name))?;
    let answer = catalog::parameter_group(ctx, &name, &group.family, &group.description);
    Ok(json!({"ParameterGroup": answer}))
}

/// DeleteSubnetGroup. No cluster may use it (MemoryDB API reference).
pub(super) fn delete_subnets(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "SubnetGroupName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    if let Some(cluster) = state.clusters.values().find(|c| c.subnet_group == name) {
        return Err(ApiError::bad(
            "SubnetGroupInUseFault",
            format!("Subnet group {name} is in use by {}.", cluster.name),
        ));
    }
    let group = state.subnet_groups.remove(&name);
    let group = group.ok_or_else(|| catalog::subnet_group_not_found(&name))?;
    Ok(json!({"SubnetGroup": catalog::subnet_group(ctx, &group)}))
}
