//! Reading parameters.

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::state::{Parameter, Selected, SsmState, parameter_not_found, plain_name};
use crate::context::Ctx;
use crate::wire::{ApiError, json::epoch};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Get {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

pub(super) fn get(state: &SsmState, ctx: &Ctx, input: Get) -> Result<Value, ApiError> {
    let selected = state.select(&input.name)?;
    Ok(json!({ "Parameter": show(&selected, input.with_decryption, ctx) }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetMany {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

pub(super) fn get_many(state: &SsmState, ctx: &Ctx, input: GetMany) -> Result<Value, ApiError> {
    if input.names.is_empty() || input.names.len() > 10 {
        return Err(ApiError::bad(
            "ValidationException",
            format!(
                "1 validation error detected: Value '[{}]' at 'names' failed to satisfy \
                 constraint: Member must have length less than or equal to 10",
                input.names.join(", ")
            ),
        ));
    }
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in &input.names {
        match state.select(name) {
            Ok(selected) => found.push(show(&selected, input.with_decryption, ctx)),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn by_path(state: &SsmState, ctx: &Ctx, input: ByPath) -> Result<Value, ApiError> {
    let folder = format!("{}/", input.path.trim_end_matches('/'));
    let inside = state.parameters.iter().filter_map(|(name, parameter)| {
        let rest = name.strip_prefix(&folder)?;
        let version = parameter.latest().filter(|_| input.recursive || !rest.contains('/'))?;
        Some(Selected { name, selector: None, parameter, version })
    });
    let all = inside.map(|selected| show(&selected, input.with_decryption, ctx)).collect();
    page("Parameters", all, input.max_results.unwrap_or(10).min(10), input.next_token)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct History {
    name: String,
    #[serde(default)]
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn history(state: &SsmState, input: History) -> Result<Value, ApiError> {
    let name = plain_name(&input.name);
    let parameter = state.parameters.get(name).ok_or_else(parameter_not_found)?;
    let versions = parameter.versions.iter().map(|version| {
        let mut entry = metadata(name, parameter);
        entry["Version"] = json!(version.number);
        entry["Value"] = json!(text(parameter, &version.value, input.with_decryption));
        entry["LastModifiedDate"] = epoch(version.modified);
        entry["Labels"] = json!(version.labels);
        entry
    });
    let versions = versions.collect();
    page("Parameters", versions, input.max_results.unwrap_or(50).min(50), input.next_token)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Describe {
    #[serde(default)]
    parameter_filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

pub(super) fn describe(state: &SsmState, ctx: &Ctx, input: Describe) -> Result<Value, ApiError> {
    if let Some(unknown) =
        input.parameter_filters.iter().find(|f| !matches!(&*f.key, "Name" | "Type" | "Tier"))
    {
        return Err(ApiError::bad(
            "InvalidFilterKey",
            format!("the sandbox filters by Name, Type and Tier, not by {}", unknown.key),
        ));
    }
    let kept = state.parameters.iter().filter(|(name, parameter)| {
        input.parameter_filters.iter().all(|filter| filter.keeps(name, parameter))
    });
    let entries = kept.map(|(name, parameter)| {
        let mut entry = metadata(name, parameter);
        entry["ARN"] = json!(arn(name, ctx));
        if let Some(latest) = parameter.latest() {
            entry["Version"] = json!(latest.number);
            entry["LastModifiedDate"] = epoch(latest.modified);
        }
        entry
    });
    page("Parameters", entries.collect(), input.max_results.unwrap_or(10).min(50), input.next_token)
}

impl Filter {
    fn keeps(&self, name: &str, parameter: &Parameter) -> bool {
        let value = match self.key.as_str() {
            "Name" => name,
            "Type" => &parameter.kind,
            _ => &parameter.tier,
        };
        self.values.iter().any(|wanted| match self.option.as_deref() {
            Some("BeginsWith") => value.starts_with(wanted.as_str()),
            Some("Contains") => value.contains(wanted.as_str()),
            _ => value == wanted,
        })
    }
}

fn show(selected: &Selected<'_>, decrypt: bool, ctx: &Ctx) -> Value {
    let Selected { name, selector, parameter, version } = selected;
    let mut shown = json!({
        "Name": name,
        "Type": parameter.kind,
        "Value": text(parameter, &version.value, decrypt),
        "Version": version.number,
        "LastModifiedDate": epoch(version.modified),
        "ARN": arn(name, ctx),
        "DataType": parameter.data_type,
    });
    if let Some(selector) = selector {
        shown["Selector"] = json!(selector);
    }
    shown
}

fn metadata(name: &str, parameter: &Parameter) -> Value {
    let policies: Vec<_> = parameter
        .policies
        .iter()
        .map(|kind| json!({ "PolicyType": kind, "PolicyStatus": "Pending", "PolicyText": "{}" }))
        .collect();
    let mut entry = json!({
        "Name": name,
        "Type": parameter.kind,
        "Tier": parameter.tier,
        "DataType": parameter.data_type,
        "Policies": policies,
    });
    for (member, value) in [
        ("Description", &parameter.description),
        ("AllowedPattern", &parameter.allowed_pattern),
        ("KeyId", &parameter.key_id),
    ] {
        if let Some(value) = value {
            entry[member] = json!(value);
        }
    }
    entry
}

/// The value as the caller gets it: a `SecureString` that is not decrypted is ciphertext.
fn text(parameter: &Parameter, value: &str, decrypt: bool) -> String {
    if parameter.kind != "SecureString" || decrypt {
        return value.to_owned();
    }
    format!("AQICAH{}", aws_smithy_types::base64::encode(Sha256::digest(value)))
}

fn arn(name: &str, ctx: &Ctx) -> String {
    let (region, account) = (ctx.region(), ctx.account());
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{region}:{account}:parameter{slash}{name}")
}

/// One page of `all` under `member`; the token is the number of entries already given.
fn page(
    member: &str,
    all: Vec<Value>,
    size: usize,
    token: Option<String>,
) -> Result<Value, ApiError> {
    let start: usize = match token.as_deref() {
        None | Some("") => 0,
        Some(token) => token
            .parse()
            .map_err(|_| ApiError::bad("InvalidNextToken", "The specified token isn't valid."))?,
    };
    let more = all.len() > start + size;
    let entries: Vec<_> = all.into_iter().skip(start).take(size).collect();
    let mut output = json!({ member: entries });
    if more {
        output["NextToken"] = json!((start + size).to_string());
    }
    Ok(output)
}
