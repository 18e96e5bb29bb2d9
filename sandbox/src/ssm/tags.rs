//! Tags of parameters.

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{Parameter, SsmState, plain_name};
use crate::wire::ApiError;

/// One tag as the wire has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Add {
    #[serde(flatten)]
    resource: Resource,
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Remove {
    #[serde(flatten)]
    resource: Resource,
    tag_keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Resource {
    resource_type: String,
    resource_id: String,
}

pub(super) fn add(state: &mut SsmState, input: Add) -> Result<Value, ApiError> {
    let tags = &mut find(state, &input.resource)?.tags;
    tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(json!({}))
}

pub(super) fn remove(state: &mut SsmState, input: Remove) -> Result<Value, ApiError> {
    find(state, &input.resource)?.tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(json!({}))
}

pub(super) fn list(state: &mut SsmState, input: Resource) -> Result<Value, ApiError> {
    let tags = find(state, &input)?.tags.iter();
    let tags: Vec<_> = tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "TagList": tags }))
}

fn find<'a>(state: &'a mut SsmState, resource: &Resource) -> Result<&'a mut Parameter, ApiError> {
    if resource.resource_type != "Parameter" {
        return Err(ApiError::bad(
            "InvalidResourceType",
            format!("the sandbox has no {}", resource.resource_type),
        ));
    }
    state.parameters.get_mut(plain_name(&resource.resource_id)).ok_or_else(|| {
        ApiError::bad(
            "InvalidResourceId",
            "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
        )
    })
}
