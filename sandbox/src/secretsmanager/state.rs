//! Secrets, their versions, and the staging labels on them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::seed::SeedSecret;
use crate::wire::ApiError;

/// The label of the version that a reader gets.
pub(super) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";

/// All secrets, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecretsManagerState {
    pub(super) secrets: BTreeMap<String, Secret>,
    /// Every password that was drawn: two runs of the same effect draw others.
    pub(super) drawn: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Secret {
    /// With the six random characters after the name.
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    /// The AWS service that manages it.
    pub(super) owning_service: Option<String>,
    /// Whether it rotates; `None` until rotation is configured for the first time.
    pub(super) rotation: Option<bool>,
    pub(super) created: Timestamp,
    pub(super) changed: Timestamp,
    /// When it will be gone, once its deletion is scheduled.
    pub(super) deletion: Option<Timestamp>,
    pub(super) tags: BTreeMap<String, String>,
    /// Oldest first. A label stands at one version at most.
    pub(super) versions: Vec<Version>,
}

#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) content: Content,
    pub(super) created: Timestamp,
    pub(super) stages: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// In base 64, as on the wire.
    Binary(String),
}

impl Content {
    /// What a request carries, if anything: text before bytes.
    pub(super) fn from_wire(text: Option<String>, binary: Option<String>) -> Option<Self> {
        text.map(Self::Text).or(binary.map(Self::Binary))
    }
}

impl Secret {
    pub(super) fn holder(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.contains(stage))
    }

    pub(super) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Takes the label from where it stands and puts it at `id`. When AWSCURRENT moves,
    /// AWSPREVIOUS goes to the version that lost it (Secrets Manager API reference,
    /// UpdateSecretVersionStage).
    pub(super) fn move_stage(&mut self, stage: &str, id: &str) {
        let loser = self.holder(stage).map(|version| version.id.clone());
        if loser.as_deref() == Some(id) {
            return;
        }
        self.attach(stage, id);
        if let Some(loser) = loser.filter(|_| stage == CURRENT) {
            self.attach(PREVIOUS, &loser);
        }
    }

    fn attach(&mut self, stage: &str, id: &str) {
        for version in &mut self.versions {
            version.stages.remove(stage);
            if version.id == id {
                version.stages.insert(stage.to_owned());
            }
        }
    }
}

impl SecretsManagerState {
    /// See `World::describe`. A staged value is told by its label; AWSPREVIOUS is left out,
    /// because it tells how the secret came to its value and not what it is.
    pub(crate) fn describe(&self) -> Value {
        let text = |content: &Content| match content {
            Content::Text(text) => {
                let drawn = self.drawn.iter().filter(|drawn| text.contains(drawn.as_str()));
                json!(drawn.fold(text.clone(), |text, drawn| text.replace(drawn, "(drawn)")))
            }
            Content::Binary(binary) => json!({ "binary": binary }),
        };
        let secret = |secret: &Secret| {
            let values: BTreeMap<_, _> = secret
                .versions
                .iter()
                .flat_map(|v| v.stages.iter().map(|stage| (stage, text(&v.content))))
                .filter(|(stage, _)| *stage != PREVIOUS)
                .collect();
            let deleted = secret.deletion.is_some();
            json!({ "values": values, "tags": secret.tags, "scheduled_for_deletion": deleted })
        };
        self.secrets.iter().map(|(name, s)| (name.clone(), secret(s))).collect()
    }

    /// Puts a secret whose current version holds `value`. `arn_prefix` is everything before the
    /// name in its ARN.
    pub(crate) fn seed(
        &mut self,
        seed: &SeedSecret,
        value: &str,
        arn_prefix: &str,
        now: Timestamp,
    ) {
        let name = seed.name.as_str();
        let digest: String =
            Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let version = Version {
            id: format!(
                "{}-{}-4{}-a{}-{}",
                &digest[..8],
                &digest[8..12],
                &digest[12..15],
                &digest[15..18],
                &digest[18..30]
            ),
            content: Content::Text(value.to_owned()),
            created: now,
            stages: BTreeSet::from([CURRENT.to_owned()]),
        };
        let secret = Secret {
            arn: format!("{arn_prefix}{name}-{}", &digest[30..36]),
            description: None,
            kms_key: None,
            rotation: seed.rotation.then_some(true),
            owning_service: seed.owning_service.clone(),
            created: now,
            changed: now,
            deletion: seed.deleted.then_some(now),
            tags: BTreeMap::new(),
            versions: vec![version],
        };
        self.secrets.insert(name.to_owned(), secret);
    }

    /// The whole ARN of a secret that is there.
    pub(crate) fn arn_of(&mut self, id: &str) -> Option<String> {
        self.find(id).ok().map(|(_, secret)| secret.arn.clone())
    }

    /// The secret that a name, an ARN, or an ARN without its last six characters names.
    pub(super) fn find(&mut self, id: &str) -> Result<(&String, &mut Secret), ApiError> {
        let named = |name: &str, secret: &Secret| {
            name == id
                || secret.arn == id
                || secret.arn.len() > 7 && secret.arn[..secret.arn.len() - 7] == *id
        };
        self.secrets
            .iter_mut()
            .find(|(name, secret)| named(name, secret))
            .ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
    }

    /// As [`Self::find`], but refuses a secret whose deletion is scheduled.
    pub(super) fn live(&mut self, id: &str) -> Result<(&String, &mut Secret), ApiError> {
        let (name, secret) = self.find(id)?;
        if secret.deletion.is_some() {
            return Err(ApiError::bad(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for \
                 deletion.",
            ));
        }
        Ok((name, secret))
    }
}

pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::bad("ResourceNotFoundException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("InvalidParameterException", message)
}
