//! Moving a staging label: the one compare-and-swap that Secrets Manager has.

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{CURRENT, SecretsManagerState, invalid, not_found};
use crate::context::Ctx;
use crate::wire::ApiError;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Update {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

/// Moves, attaches or removes a label. A label that stands at a version moves only for a caller
/// who names that version in `RemoveFromVersionId`.
pub(super) fn update(
    state: &mut SecretsManagerState,
    ctx: &Ctx,
    input: Update,
) -> Result<Value, ApiError> {
    let stage = &input.version_stage;
    let (name, secret) = state.live(&input.secret_id)?;
    for id in [&input.remove_from_version_id, &input.move_to_version_id].into_iter().flatten() {
        if secret.version(id).is_none() {
            return Err(not_found(format!(
                "Secrets Manager can't find the specified secret value for VersionId: {id}"
            )));
        }
    }
    let holder = secret.holder(stage).map(|version| version.id.clone());
    match (&holder, &input.remove_from_version_id) {
        (Some(holder), None) if input.move_to_version_id.as_ref() != Some(holder) => {
            return Err(invalid(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is \
                 currently attached to version {holder}, so you must explicitly reference that \
                 version in RemoveFromVersionId."
            )));
        }
        (held, Some(named)) if held.as_ref() != Some(named) => {
            return Err(invalid(format!(
                "The parameter RemoveFromVersionId isn't valid. Staging label {stage} isn't \
                 currently attached to version {named}."
            )));
        }
        _ => {}
    }
    match &input.move_to_version_id {
        Some(id) => secret.move_stage(stage, id),
        None if stage == CURRENT => {
            return Err(invalid(
                "You can only move staging label AWSCURRENT to a different secret version. It \
                 can't be completely removed.",
            ));
        }
        None => {
            for version in &mut secret.versions {
                version.stages.remove(stage);
            }
        }
    }
    secret.changed = ctx.now;
    Ok(json!({ "ARN": secret.arn, "Name": name }))
}
