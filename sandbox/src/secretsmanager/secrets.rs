//! Secrets as such: create, describe, delete, tags.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{CURRENT, Content, Secret, SecretsManagerState, Version, invalid};
use super::values::token;
use crate::context::Ctx;
use crate::wire::{ApiError, json::epoch};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Create {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(super) fn create(
    state: &mut SecretsManagerState,
    ctx: &Ctx,
    input: Create,
) -> Result<Value, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    if input.name.is_empty() || input.name.len() > 512 || !input.name.chars().all(plain) {
        return Err(ApiError::bad(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
             following: -/_+=.@!",
        ));
    }
    let id = token(input.client_request_token, ctx)?;
    let content = Content::from_wire(input.secret_string, input.secret_binary);
    if let Some(existing) = state.secrets.get(&input.name) {
        if existing.deletion.is_some() {
            return Err(ApiError::bad(
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already \
                 scheduled for deletion.",
            ));
        }
        // The same request again changes nothing and gives the same answer.
        if existing.version(&id).is_some_and(|version| Some(&version.content) == content.as_ref()) {
            return Ok(json!({ "ARN": existing.arn, "Name": input.name, "VersionId": id }));
        }
        return Err(ApiError::bad(
            "ResourceExistsException",
            format!("The operation failed because the secret {} already exists.", input.name),
        ));
    }
    let (region, account, name) = (ctx.region(), ctx.account(), &input.name);
    let arn = format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-{}", ctx.hex(6));
    let versions: Vec<_> = content
        .map(|content| Version {
            id: id.clone(),
            content,
            created: ctx.now,
            stages: BTreeSet::from([CURRENT.to_owned()]),
        })
        .into_iter()
        .collect();
    let mut output = json!({ "ARN": arn, "Name": name });
    if !versions.is_empty() {
        output["VersionId"] = json!(id);
    }
    let secret = Secret {
        arn,
        description: input.description,
        kms_key: input.kms_key_id,
        owning_service: None,
        rotation: None,
        created: ctx.now,
        changed: ctx.now,
        deletion: None,
        tags: input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        versions,
    };
    state.secrets.insert(input.name, secret);
    Ok(output)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    secret_id: String,
}

/// Works on a secret that is scheduled for deletion too, and then says when.
pub(super) fn describe(state: &mut SecretsManagerState, input: Named) -> Result<Value, ApiError> {
    let (name, secret) = state.find(&input.secret_id)?;
    let mut shown = summary(name, secret);
    // Versions without labels are deprecated and not told.
    let stages: BTreeMap<_, _> = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty())
        .map(|version| (&version.id, &version.stages))
        .collect();
    shown["VersionIdsToStages"] = json!(stages);
    Ok(shown)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(state: &mut SecretsManagerState, input: List) -> Result<Value, ApiError> {
    let start: usize = match input.next_token.as_deref() {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            ApiError::bad("InvalidNextTokenException", "The NextToken value is invalid.")
        })?,
    };
    let size = input.max_results.unwrap_or(100).clamp(1, 100);
    let live: Vec<_> = state.secrets.iter().filter(|(_, s)| s.deletion.is_none()).collect();
    let page: Vec<_> =
        live.iter().skip(start).take(size).map(|(name, secret)| summary(name, secret)).collect();
    let mut output = json!({ "SecretList": page });
    if live.len() > start + size {
        output["NextToken"] = json!((start + size).to_string());
    }
    Ok(output)
}

fn summary(name: &str, secret: &Secret) -> Value {
    let tags: Vec<_> =
        secret.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let mut shown = json!({
        "ARN": secret.arn,
        "Name": name,
        "LastChangedDate": epoch(secret.changed),
        "CreatedDate": epoch(secret.created),
        "Tags": tags,
    });
    // AWS leaves the member out until rotation is configured for the first time.
    if let Some(enabled) = secret.rotation {
        shown["RotationEnabled"] = json!(enabled);
    }
    if let Some(at) = secret.deletion {
        shown["DeletedDate"] = epoch(at);
    }
    for (member, value) in [
        ("Description", &secret.description),
        ("KmsKeyId", &secret.kms_key),
        ("OwningService", &secret.owning_service),
    ] {
        if let Some(value) = value {
            shown[member] = json!(value);
        }
    }
    shown
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

/// Schedules the deletion, 30 days ahead unless asked otherwise, or deletes at once.
pub(super) fn delete(
    state: &mut SecretsManagerState,
    ctx: &Ctx,
    input: Delete,
) -> Result<Value, ApiError> {
    let force = input.force_delete_without_recovery;
    let days = input.recovery_window_in_days;
    if force && days.is_some() {
        return Err(invalid(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    if days.is_some_and(|days| !(7..=30).contains(&days)) {
        return Err(invalid(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    let window = SignedDuration::from_hours(if force { 0 } else { 24 * days.unwrap_or(30) });
    let at = ctx.now.checked_add(window).unwrap_or(jiff::Timestamp::MAX);
    let (name, secret) =
        if force { state.find(&input.secret_id)? } else { state.live(&input.secret_id)? };
    let name = name.clone();
    let output = json!({ "ARN": secret.arn, "Name": name, "DeletionDate": epoch(at) });
    secret.deletion = Some(at);
    if force {
        state.secrets.remove(&name);
    }
    Ok(output)
}

pub(super) fn restore(state: &mut SecretsManagerState, input: Named) -> Result<Value, ApiError> {
    let (name, secret) = state.find(&input.secret_id)?;
    secret.deletion = None;
    Ok(json!({ "ARN": secret.arn, "Name": name }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rotate {
    secret_id: String,
    #[serde(rename = "RotationLambdaARN")]
    lambda: Option<String>,
}

/// Configures rotation. No function runs here: the labels stay where they are.
pub(super) fn rotate(state: &mut SecretsManagerState, input: Rotate) -> Result<Value, ApiError> {
    let (name, secret) = state.live(&input.secret_id)?;
    if secret.rotation.is_none() && input.lambda.is_none() {
        return Err(ApiError::bad(
            "InvalidRequestException",
            "No Lambda rotation function ARN is associated with this secret.",
        ));
    }
    secret.rotation = Some(true);
    Ok(json!({ "ARN": secret.arn, "Name": name }))
}

pub(super) fn cancel_rotation(
    state: &mut SecretsManagerState,
    input: Named,
) -> Result<Value, ApiError> {
    let (name, secret) = state.live(&input.secret_id)?;
    secret.rotation = secret.rotation.map(|_| false);
    Ok(json!({ "ARN": secret.arn, "Name": name }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    secret_id: String,
    tags: Vec<Tag>,
}

pub(super) fn tag(state: &mut SecretsManagerState, input: TagInput) -> Result<Value, ApiError> {
    let (_, secret) = state.live(&input.secret_id)?;
    secret.tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value)));
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Untag {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(state: &mut SecretsManagerState, input: Untag) -> Result<Value, ApiError> {
    let (_, secret) = state.live(&input.secret_id)?;
    secret.tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(json!({}))
}
