//! Labels: names that stand at one version and can be moved.

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{Parameter, SsmState, parameter_not_found, plain_name};
use crate::wire::ApiError;

/// Labels that one version can carry (SSM API reference, LabelParameterVersion).
const LABELS: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Labels {
    name: String,
    parameter_version: Option<i64>,
    labels: Vec<String>,
}

/// Puts the labels at the version, the latest unless one is named. A label that stands at another
/// version moves; one that is not well-formed is named in the answer and changes nothing.
pub(super) fn label(state: &mut SsmState, input: Labels) -> Result<Value, ApiError> {
    let (valid, invalid): (Vec<_>, Vec<_>) =
        input.labels.iter().cloned().partition(|label| well_formed(label));
    let (parameter, number) = version(state, &input)?;
    for version in &mut parameter.versions {
        if version.number == number {
            let mut labels = version.labels.clone();
            labels.extend(valid.iter().cloned());
            if labels.len() > LABELS {
                return Err(ApiError::bad(
                    "ParameterVersionLabelLimitExceeded",
                    "A parameter version can have a maximum of 10 labels.",
                ));
            }
        }
    }
    for version in &mut parameter.versions {
        version.labels.retain(|label| !valid.contains(label));
        if version.number == number {
            version.labels.extend(valid.iter().cloned());
        }
    }
    Ok(json!({ "InvalidLabels": invalid, "ParameterVersion": number }))
}

pub(super) fn unlabel(state: &mut SsmState, input: Labels) -> Result<Value, ApiError> {
    let (parameter, number) = version(state, &input)?;
    let version = parameter.versions.iter_mut().find(|version| version.number == number);
    let (removed, invalid): (Vec<_>, Vec<_>) = match version {
        Some(version) => input.labels.into_iter().partition(|label| version.labels.remove(label)),
        None => (Vec::new(), input.labels),
    };
    Ok(json!({ "RemovedLabels": removed, "InvalidLabels": invalid }))
}

fn version<'a>(
    state: &'a mut SsmState,
    input: &Labels,
) -> Result<(&'a mut Parameter, i64), ApiError> {
    let name = plain_name(&input.name);
    let parameter = state.parameters.get_mut(name).ok_or_else(parameter_not_found)?;
    let latest = parameter.latest().map_or(0, |version| version.number);
    let number = input.parameter_version.unwrap_or(latest);
    if parameter.versions.iter().any(|version| version.number == number) {
        return Ok((parameter, number));
    }
    Err(ApiError::bad(
        "ParameterVersionNotFound",
        format!(
            "Systems Manager could not find version {number} of {name}. Verify the version and \
             try again."
        ),
    ))
}

fn well_formed(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let folded = label.to_lowercase();
    (1..=100).contains(&label.len())
        && label.chars().all(plain)
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && !folded.starts_with("aws")
        && !folded.starts_with("ssm")
}
