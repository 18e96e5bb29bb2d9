//! Parameters and their versions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::seed::SeedParameter;
use crate::wire::ApiError;

/// All parameters, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct SsmState {
    pub(super) parameters: BTreeMap<String, Parameter>,
}

/// One parameter. It has at least one version.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    /// `String`, `StringList` or `SecureString`; it never changes.
    pub(super) kind: String,
    pub(super) tier: String,
    pub(super) data_type: String,
    pub(super) description: Option<String>,
    pub(super) allowed_pattern: Option<String>,
    /// The types of its policies. Nothing expires here.
    pub(super) policies: Vec<String>,
    pub(super) key_id: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) versions: Vec<Version>,
}

#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) value: String,
    pub(super) modified: Timestamp,
    pub(super) labels: BTreeSet<String>,
}

impl Parameter {
    pub(super) fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }
}

impl SsmState {
    /// See `World::describe`. Labels are told by the value they stand at.
    pub(crate) fn describe(&self) -> Value {
        let parameter = |p: &Parameter| {
            let labels: BTreeMap<_, _> = p
                .versions
                .iter()
                .flat_map(|version| version.labels.iter().map(|label| (label, &version.value)))
                .collect();
            let value = p.latest().map(|version| &version.value);
            json!({ "type": p.kind, "value": value, "labels": labels, "tags": p.tags })
        };
        self.parameters.iter().map(|(name, p)| (name.clone(), parameter(p))).collect()
    }

    /// Puts a parameter as if it had always been there.
    pub(crate) fn seed(&mut self, seed: &SeedParameter, value: &str, now: Timestamp) {
        let (name, kind) = (seed.name.as_str(), seed.kind.as_str());
        let version =
            Version { number: 1, value: value.to_owned(), modified: now, labels: BTreeSet::new() };
        let parameter = Parameter {
            kind: kind.to_owned(),
            tier: "Standard".to_owned(),
            data_type: "text".to_owned(),
            description: None,
            allowed_pattern: seed.allowed_pattern.clone(),
            policies: seed.policies.clone(),
            key_id: (kind == "SecureString").then(|| "alias/aws/ssm".to_owned()),
            tags: BTreeMap::new(),
            versions: vec![version],
        };
        self.parameters.insert(name.to_owned(), parameter);
    }

    /// The key of an encrypted parameter.
    pub(crate) fn key_of(&self, asked: &str) -> Option<String> {
        self.select(asked).ok()?.parameter.key_id.clone()
    }

    /// The parameter and version that `name`, `name:version`, `name:label` or an ARN of these
    /// names; without a selector the latest. Gives the name and the selector (`:3`) with it.
    pub(super) fn select(&self, asked: &str) -> Result<Selected<'_>, ApiError> {
        let name = plain_name(asked);
        let (name, selector) = match name.split_once(':') {
            Some((name, selector)) => (name, Some(selector)),
            None => (name, None),
        };
        let (name, parameter) =
            self.parameters.get_key_value(name).ok_or_else(parameter_not_found)?;
        let version = match selector {
            None => parameter.latest(),
            Some(selector) => match selector.parse::<i64>() {
                Ok(number) => parameter.versions.iter().find(|v| v.number == number),
                Err(_) => parameter.versions.iter().find(|v| v.labels.contains(selector)),
            },
        };
        let version = version.ok_or_else(|| {
            ApiError::bad(
                "ParameterVersionNotFound",
                format!(
                    "Systems Manager could not find version {} of {name}. Verify the version and \
                     try again.",
                    selector.unwrap_or_default()
                ),
            )
        })?;
        let selector = selector.map(|selector| format!(":{selector}"));
        Ok(Selected { name, selector, parameter, version })
    }
}

/// What a name leads to.
pub(super) struct Selected<'a> {
    pub(super) name: &'a str,
    pub(super) selector: Option<String>,
    pub(super) parameter: &'a Parameter,
    pub(super) version: &'a Version,
}

/// The name in an ARN, `arn:aws:ssm:region:account:parameter/name`; any other text as it is.
pub(crate) fn plain_name(asked: &str) -> &str {
    let Some(resource) = asked.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4))
    else {
        return asked;
    };
    let path = resource.strip_prefix("parameter").unwrap_or(resource);
    let name = path.strip_prefix('/').unwrap_or(path);
    // A hierarchical name keeps the slash that it shares with the ARN.
    if name.contains('/') { path } else { name }
}

/// AWS sends this error without a message.
pub(super) fn parameter_not_found() -> ApiError {
    ApiError::bad("ParameterNotFound", "")
}
