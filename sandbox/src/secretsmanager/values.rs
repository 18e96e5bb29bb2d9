//! The versions of a secret and what is in them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{CURRENT, Content, Secret, SecretsManagerState, Version, invalid, not_found};
use crate::context::Ctx;
use crate::wire::{ApiError, json::epoch};

/// Versions that are kept. Beyond it the oldest ones without a label go.
const VERSIONS: usize = 100;

/// The id of the version a request makes: its token, or a fresh one.
pub(super) fn token(asked: Option<String>, ctx: &Ctx) -> Result<String, ApiError> {
    match asked {
        None => Ok(ctx.uuid()),
        Some(token) if (32..=64).contains(&token.len()) => Ok(token),
        Some(_) => Err(invalid("ClientRequestToken must be 32-64 characters long.")),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

pub(super) fn get(state: &mut SecretsManagerState, input: Get) -> Result<Value, ApiError> {
    let (name, secret) = state.live(&input.secret_id)?;
    let missing = |what: String| {
        not_found(format!("Secrets Manager can't find the specified secret value for {what}"))
    };
    let stage = input.version_stage.as_deref();
    let version = match &input.version_id {
        Some(id) => {
            let version = secret.version(id).ok_or_else(|| missing(format!("VersionId: {id}")))?;
            if stage.is_some_and(|stage| !version.stages.contains(stage)) {
                return Err(ApiError::bad(
                    "InvalidRequestException",
                    "You provided a VersionStage that is not associated to the provided \
                     VersionId.",
                ));
            }
            version
        }
        None => {
            let stage = stage.unwrap_or(CURRENT);
            secret.holder(stage).ok_or_else(|| missing(format!("staging label: {stage}")))?
        }
    };
    let mut shown = json!({
        "ARN": secret.arn,
        "Name": name,
        "VersionId": version.id,
        "VersionStages": version.stages,
        "CreatedDate": epoch(version.created),
    });
    match &version.content {
        Content::Text(text) => shown["SecretString"] = json!(text),
        Content::Binary(binary) => shown["SecretBinary"] = json!(binary),
    }
    Ok(shown)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Put {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_stages: Option<Vec<String>>,
}

/// Makes a version and moves the labels to it, AWSCURRENT unless others are named. The token is
/// the version's id: the same token with the same value changes nothing, with another value it is
/// refused.
pub(super) fn put(
    state: &mut SecretsManagerState,
    ctx: &Ctx,
    input: Put,
) -> Result<Value, ApiError> {
    let id = token(input.client_request_token, ctx)?;
    let Some(content) = Content::from_wire(input.secret_string, input.secret_binary) else {
        return Err(invalid("You must provide either SecretString or SecretBinary."));
    };
    let stages = input.version_stages.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if stages.is_empty() || stages.len() > 20 {
        return Err(invalid("A version can have between 1 and 20 staging labels."));
    }
    let (name, secret) = state.live(&input.secret_id)?;
    // Secrets Manager user guide, secrets managed by other services; the words are not documented.
    if let Some(owner) = &secret.owning_service {
        return Err(ApiError::bad(
            "InvalidRequestException",
            format!("You can't modify a secret that is managed by {owner}."),
        ));
    }
    match secret.version(&id) {
        Some(existing) if existing.content == content => {}
        Some(_) => {
            return Err(ApiError::bad(
                "ResourceExistsException",
                "A resource with the ID you requested already exists.",
            ));
        }
        None => {
            let version =
                Version { id: id.clone(), content, created: ctx.now, stages: BTreeSet::new() };
            secret.versions.push(version);
            for stage in &stages {
                secret.move_stage(stage, &id);
            }
            // A secret is never without a current version.
            if secret.holder(CURRENT).is_none() {
                secret.move_stage(CURRENT, &id);
            }
            secret.changed = ctx.now;
            prune(secret);
        }
    }
    let stages = secret.version(&id).map(|version| &version.stages);
    Ok(json!({ "ARN": secret.arn, "Name": name, "VersionId": id, "VersionStages": stages }))
}

fn prune(secret: &mut Secret) {
    while secret.versions.len() > VERSIONS {
        let Some(at) = secret.versions.iter().position(|v| v.stages.is_empty()) else { return };
        secret.versions.remove(at);
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct List {
    secret_id: String,
    #[serde(default)]
    include_deprecated: bool,
}

pub(super) fn list(state: &mut SecretsManagerState, input: List) -> Result<Value, ApiError> {
    let (name, secret) = state.find(&input.secret_id)?;
    let shown = secret.versions.iter().filter(|v| input.include_deprecated || !v.stages.is_empty());
    let versions: Vec<_> = shown
        .map(|version| {
            json!({
                "VersionId": version.id,
                "VersionStages": version.stages,
                "CreatedDate": epoch(version.created),
            })
        })
        .collect();
    Ok(json!({ "ARN": secret.arn, "Name": name, "Versions": versions }))
}
