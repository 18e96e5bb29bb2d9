//! Writing and deleting parameters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{Parameter, SsmState, Version, parameter_not_found, plain_name};
use super::tags::Tag;
use crate::context::Ctx;
use crate::wire::ApiError;

/// Versions that are kept; one more pushes the oldest out (Systems Manager user guide,
/// "Working with parameter versions").
const VERSIONS: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put {
    name: String,
    value: String,
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(default)]
    overwrite: bool,
    description: Option<String>,
    allowed_pattern: Option<String>,
    key_id: Option<String>,
    tier: Option<String>,
    data_type: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(super) fn put(state: &mut SsmState, ctx: &Ctx, input: Put) -> Result<Value, ApiError> {
    check_name(&input.name)?;
    if input.value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: \
             Member must have length greater than or equal to 1.",
        ));
    }
    if input.overwrite && !input.tags.is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter \
             with tags, please remove overwrite flag. To update tags for an existing parameter, \
             please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let existing = state.parameters.get_mut(&input.name);
    let tier = tier(input.tier.as_deref(), existing.as_deref(), &input.value)?;
    let Some(parameter) = existing else {
        return create(state, ctx, input, tier);
    };
    if !input.overwrite {
        return Err(ApiError::bad(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in \
             the request to true.",
        ));
    }
    if input.kind.as_ref().is_some_and(|kind| *kind != parameter.kind) {
        return Err(ApiError::bad(
            "HierarchyTypeMismatchException",
            "Parameter Store does not support changing a parameter type in a hierarchy. For \
             example, you can't change a parameter from a String type to a SecureString type. You \
             must create a new, unique parameter.",
        ));
    }
    check_pattern(
        &input.value,
        input.allowed_pattern.as_ref().or(parameter.allowed_pattern.as_ref()),
    )?;
    if parameter.versions.len() >= VERSIONS {
        let oldest = &parameter.versions[0];
        if !oldest.labels.is_empty() {
            return Err(ApiError::bad(
                "ParameterMaxVersionLimitExceeded",
                format!(
                    "You attempted to create a new version of {} by calling the PutParameter API \
                     with the overwrite flag. Version {}, the oldest version, can't be deleted \
                     because it has a label associated with it. Move the label to another version \
                     of the parameter, and try again.",
                    input.name, oldest.number
                ),
            ));
        }
        parameter.versions.remove(0);
    }
    let number = parameter.latest().map_or(1, |latest| latest.number + 1);
    parameter.versions.push(version(number, input.value, ctx));
    parameter.tier = tier;
    parameter.description = input.description.or(parameter.description.take());
    parameter.allowed_pattern = input.allowed_pattern.or(parameter.allowed_pattern.take());
    parameter.key_id = input.key_id.or(parameter.key_id.take());
    Ok(json!({ "Version": number, "Tier": parameter.tier }))
}

/// A value must match the allowed pattern as a whole (Systems Manager API reference, PutParameter).
fn check_pattern(value: &str, pattern: Option<&String>) -> Result<(), ApiError> {
    let Some(pattern) = pattern else { return Ok(()) };
    let whole = regex_lite::Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
        ApiError::bad("InvalidAllowedPatternException", format!("{pattern} is no expression"))
    })?;
    if whole.is_match(value) {
        return Ok(());
    }
    Err(ApiError::bad(
        "ParameterPatternMismatchException",
        format!("Parameter value, can't be validated against allowedPattern: {pattern}"),
    ))
}

fn create(state: &mut SsmState, ctx: &Ctx, input: Put, tier: String) -> Result<Value, ApiError> {
    let kind = match input.kind.as_deref() {
        Some(kind @ ("String" | "StringList" | "SecureString")) => kind.to_owned(),
        Some(other) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'type' failed to satisfy \
                 constraint: Member must satisfy enum value set: [SecureString, StringList, String]"
            )));
        }
        None => return Err(invalid("A parameter type is required when you create a parameter.")),
    };
    check_pattern(&input.value, input.allowed_pattern.as_ref())?;
    let key_id = match kind.as_str() {
        "SecureString" => Some(input.key_id.unwrap_or_else(|| "alias/aws/ssm".to_owned())),
        _ => None,
    };
    let tags: BTreeMap<_, _> = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let parameter = Parameter {
        kind,
        tier: tier.clone(),
        data_type: input.data_type.unwrap_or_else(|| "text".to_owned()),
        description: input.description,
        allowed_pattern: input.allowed_pattern,
        policies: Vec::new(),
        key_id,
        tags,
        versions: vec![version(1, input.value, ctx)],
    };
    state.parameters.insert(input.name, parameter);
    Ok(json!({ "Version": 1, "Tier": tier }))
}

fn version(number: i64, value: String, ctx: &Ctx) -> Version {
    Version { number, value, modified: ctx.now, labels: BTreeSet::new() }
}

/// The tier the parameter will have, if the value fits: 4 KB in the standard one, 8 KB in the
/// advanced one. A parameter is never taken back to the standard tier.
fn tier(
    asked: Option<&str>,
    existing: Option<&Parameter>,
    value: &str,
) -> Result<String, ApiError> {
    let advanced = existing.is_some_and(|parameter| parameter.tier == "Advanced");
    let tier = match asked {
        Some("Advanced") => "Advanced",
        Some("Intelligent-Tiering") if value.len() > 4096 => "Advanced",
        _ if advanced => "Advanced",
        _ => "Standard",
    };
    let limit = if tier == "Advanced" { 8192 } else { 4096 };
    if value.len() <= limit {
        return Ok(tier.to_owned());
    }
    Err(invalid(if limit == 4096 {
        "Standard tier parameters support a maximum parameter value of 4096 characters. To create \
         a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For \
         more information, see \
         https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
    } else {
        "Advanced tier parameters support a maximum parameter value of 8192 characters."
    }))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if name.is_empty() || name.len() > 2048 || !name.chars().all(plain) {
        return Err(invalid(
            "Parameter name must consist only of letters, digits and the characters a-zA-Z0-9_.-, \
             with a forward slash between the levels of a hierarchy.",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    let first = name.trim_start_matches('/').to_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Err(ApiError::bad(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if name.matches('/').count() > 15 {
        return Err(ApiError::bad(
            "HierarchyLevelLimitExceededException",
            "A hierarchy can have a maximum of 15 levels.",
        ));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    name: String,
}

pub(super) fn delete(state: &mut SsmState, input: Delete) -> Result<Value, ApiError> {
    match state.parameters.remove(plain_name(&input.name)) {
        Some(_) => Ok(json!({})),
        None => Err(parameter_not_found()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMany {
    names: Vec<String>,
}

pub(super) fn delete_many(state: &mut SsmState, input: DeleteMany) -> Result<Value, ApiError> {
    let (deleted, invalid): (Vec<_>, Vec<_>) = input
        .names
        .into_iter()
        .partition(|name| state.parameters.remove(plain_name(name)).is_some());
    Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("ValidationException", message)
}
