//! References to secrets: written in playbooks, resolved when used, never kept.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::env::Env;
use super::redis::Secret;
use crate::aws::{Op, call};
use crate::engine::{Class, Failure};

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum SecretRef {
    /// AWS Secrets Manager: the current version.
    SecretsManager {
        /// Name or ARN.
        id: String,
        /// The field, if the secret is a JSON document.
        field: Option<String>,
    },
    /// A parameter of AWS Systems Manager, decrypted.
    Parameter {
        /// Name or ARN.
        name: String,
    },
}

/// The text is no reference.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "a secret is named as `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or `ssm:<name>`; {0}"
)]
pub(crate) struct NotASecretRef(&'static str);

impl FromStr for SecretRef {
    type Err = NotASecretRef;

    fn from_str(text: &str) -> Result<Self, NotASecretRef> {
        // The text itself is not repeated: it may be the password, written here by mistake.
        let (service, rest) = text.split_once(':').ok_or(NotASecretRef("this names no service"))?;
        let (id, field) = match rest.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (rest, None),
        };
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(NotASecretRef("the name is missing or holds a space"));
        }
        if field == Some("") {
            return Err(NotASecretRef("the field after # is missing"));
        }
        match (service, field) {
            ("secretsmanager", field) => {
                Ok(Self::SecretsManager { id: id.to_owned(), field: field.map(str::to_owned) })
            }
            ("ssm", None) => Ok(Self::Parameter { name: id.to_owned() }),
            ("ssm", Some(_)) => Err(NotASecretRef("a parameter has no fields")),
            _ => Err(NotASecretRef("this names another service")),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = NotASecretRef;

    fn try_from(text: String) -> Result<Self, NotASecretRef> {
        text.parse()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretsManager { id, field: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager { id, field: Some(field) } => {
                write!(f, "secretsmanager:{id}#{field}")
            }
            Self::Parameter { name } => write!(f, "ssm:{name}"),
        }
    }
}

impl JsonSchema for SecretRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Where a secret is kept, never the secret itself: `secretsmanager:<name or arn>`, with `#<field>` behind it if it is a JSON document, or `ssm:<name>`.",
        })
    }
}

/// Fetches the secret. The caller keeps it no longer than it needs it.
///
/// # Errors
/// As the service refuses; `Fatal` if it is there but is no text, or has no such field.
pub(crate) async fn reveal(env: &Env, secret: &SecretRef) -> Result<Secret, Failure> {
    fetch(env, secret).await.map_err(|failure| failure.context(format!("cannot read {secret}")))
}

async fn fetch(env: &Env, secret: &SecretRef) -> Result<Secret, Failure> {
    match secret {
        SecretRef::SecretsManager { id, field } => {
            let op = Op::read("Secrets Manager", "GetSecretValue");
            let request = env.aws.secretsmanager.get_secret_value().secret_id(id);
            let answer = call(op, request.version_stage("AWSCURRENT").send()).await?;
            let text = answer.secret_string().ok_or_else(|| {
                Failure::fatal("the secret is binary").mend("store the password as text")
            })?;
            match field {
                None => Ok(Secret::new(text.to_owned())),
                Some(field) => field_of(text, field),
            }
        }
        SecretRef::Parameter { name } => {
            let op = Op::read("Systems Manager", "GetParameter");
            let request = env.aws.ssm.get_parameter().name(name).with_decryption(true);
            let answer = call(op, request.send()).await?;
            answer
                .parameter()
                .and_then(|parameter| parameter.value())
                .map(|value| Secret::new(value.to_owned()))
                .ok_or_else(|| Failure::new(Class::NotFound, "the parameter has no value"))
        }
    }
}

fn field_of(text: &str, field: &str) -> Result<Secret, Failure> {
    // A parser's own words could quote the document, so they are not passed on.
    let document: Value = serde_json::from_str(text).map_err(|_| {
        Failure::fatal("the secret is not a JSON document")
            .mend(format!("leave out `#{field}` if the whole secret is the password"))
    })?;
    match document.get(field) {
        Some(Value::String(text)) => Ok(Secret::new(text.clone())),
        Some(_) => Err(Failure::fatal(format!("field \"{field}\" of the secret is no text"))),
        None => Err(Failure::fatal(format!("the secret has no field \"{field}\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_as_they_were_written() {
        for text in [
            "secretsmanager:prod/redis",
            "secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:redis-AbCdEf#password",
            "ssm:/app/redis/password",
        ] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_without_repeating_it() {
        for text in ["hunter2", "vault:hunter2", "ssm:hunter2#x", "secretsmanager:hunter2#", "ssm:"]
        {
            let error = text.parse::<SecretRef>().unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("`ssm:<name>`"), "{error}");
        }
    }

    #[test]
    fn a_field_is_taken_out_of_a_document() {
        let text = r#"{"user":"app","password":"s3cret","port":6379}"#;
        assert_eq!(field_of(text, "password").unwrap().reveal(), "s3cret");
        assert!(field_of(text, "port").unwrap_err().to_string().contains("no text"));
        let missing = field_of(text, "pass").unwrap_err();
        assert!(missing.to_string().contains("no field \"pass\""));
        assert!(!format!("{:?}", field_of("s3cret", "x").unwrap_err()).contains("s3cret"));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(format!("{:?}", Secret::new("s3cret".into())), "Secret(…)");
    }
}
