//! Secrets Manager secrets. The new version is staged under a label of this run's own; then AWSCURRENT is moved, which
//! names the version it is taken from and fails if that is not the holder: a compare-and-swap
//! (UpdateSecretVersionStage, Secrets Manager API reference). The value itself is never recorded.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::form::{Form, Goal};
use super::target::{Shows, Way};
use crate::aws::{Op, call, shell};
use crate::engine::{Class, Cx, Failure};
use crate::steps::Env;

const SERVICE: &str = "Secrets Manager";
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const PENDING: &str = "AWSPENDING";

/// Which versions a secret had before the swap, and which one it gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Secret {
    id: String,
    arn: Option<String>,
    /// The version that holds the old value.
    pub(super) old_version: String,
    /// The version that was AWSPREVIOUS: AWS moves that label along, and the undo puts it back.
    previous: Option<String>,
    /// The version with the new value: AWS takes the request's token as the version's id.
    pub(super) new_version: String,
    /// The label of the staged version until it is switched to.
    label: String,
    /// Whether it is rotated; for those who look before a run.
    #[serde(skip)]
    pub(super) rotates: bool,
    /// The AWS service that manages it; likewise.
    #[serde(skip)]
    pub(super) owning_service: Option<String>,
}

/// The id of the version that target `index` of a step gets: the same whenever the step is taken up again, in the shape
/// of a UUID.
pub(super) fn token(cx: &Cx, index: usize) -> String {
    let digest = Sha256::digest(format!("{}/{}/{index}", cx.run, cx.step).as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Labels by version, as DescribeSecret gives them.
struct Stages {
    arn: Option<String>,
    by_version: HashMap<String, Vec<String>>,
    rotates: bool,
    deleted: bool,
    primary_region: Option<String>,
    owning_service: Option<String>,
}

impl Stages {
    fn holder(&self, label: &str) -> Option<&str> {
        let holds = |(_, labels): &(&String, &Vec<String>)| labels.iter().any(|l| l == label);
        self.by_version.iter().find(holds).map(|(version, _)| version.as_str())
    }

    fn has(&self, version: &str, label: &str) -> bool {
        self.by_version.get(version).is_some_and(|labels| labels.iter().any(|l| l == label))
    }
}

impl Secret {
    /// Reads the secret: its versions, and the value in memory.
    pub(super) async fn look(
        env: &Env,
        cx: &Cx,
        id: &str,
        token: String,
    ) -> Result<(Self, String), Failure> {
        let stages = describe(env, id).await.map_err(|failure| {
            let missing = failure.class == Class::NotFound;
            let failure = failure.context(format!("could not read secret \"{id}\""));
            if missing {
                failure.mend("correct the secret's name in the playbook")
            } else {
                failure
            }
        })?;
        if stages.deleted {
            return Err(Failure::fatal(format!("secret \"{id}\" is scheduled for deletion"))
                .mend(format!(
                    "if the applications still read it: aws secretsmanager restore-secret --secret-id {} --region {}",
                    shell(id),
                    env.identity.region
                )));
        }
        if let Some(primary) = stages.primary_region.filter(|p| *p != env.aws.region) {
            return Err(Failure::fatal(format!(
                "secret \"{id}\" is a replica in {}; its primary is in {primary}",
                env.aws.region
            ))
            .mend("a replica cannot be written: run the swap in the primary's region"));
        }
        let by_version = stages.by_version;
        let stages = Stages { by_version, primary_region: None, ..stages };
        let Some(old_version) = stages.holder(CURRENT).map(str::to_owned) else {
            return Err(Failure::fatal(format!("secret \"{id}\" has no current value")));
        };
        if stages.holder(PENDING).is_some_and(|pending| pending != old_version) {
            return Err(Failure::new(
                Class::Conflict,
                format!("a rotation of secret \"{id}\" is under way: it would undo the swap"),
            )
            .mend("wait until AWSPENDING is gone from it, or end the rotation, then run again"));
        }
        if stages.rotates {
            cx.warn(format!(
                "secret \"{id}\" is rotated: after a rotation the swap cannot be put back by itself"
            ));
        }
        let text = value(env, id, &old_version).await?;
        let secret = Self {
            id: id.to_owned(),
            arn: stages.arn.clone(),
            previous: stages.holder(PREVIOUS).map(str::to_owned),
            old_version,
            new_version: token,
            label: format!("orchestrate-{}", cx.run),
            rotates: stages.rotates,
            owning_service: stages.owning_service,
        };
        Ok((secret, text))
    }

    pub(super) fn arn(&self) -> Option<&str> {
        self.arn.as_deref()
    }

    /// Stores the new version without showing it to anybody who reads the current one. The same token and the same
    /// value again change nothing (PutSecretValue, Secrets Manager API reference).
    pub(super) async fn stage(
        &self,
        env: &Env,
        form: &Form,
        goal: Goal<'_>,
    ) -> Result<(), Failure> {
        let stages = describe(env, &self.id).await?;
        let current = stages.holder(CURRENT).unwrap_or("none");
        if current != self.old_version && current != self.new_version {
            return Err(Failure::new(
                Class::Conflict,
                format!(
                    "it was changed by somebody else since the plan: expected version {}, found version {current}",
                    self.old_version
                ),
            ));
        }
        if stages.by_version.contains_key(&self.new_version) {
            return Ok(());
        }
        let old = value(env, &self.id, &self.old_version).await?;
        let new = form.write(&old, goal).map_err(Failure::fatal)?;
        let put = env
            .aws
            .secretsmanager
            .put_secret_value()
            .secret_id(&self.id)
            .client_request_token(&self.new_version)
            .secret_string(new)
            .version_stages(&self.label)
            .send();
        env.aws.change(SERVICE, "PutSecretValue", put).await.map(|_| ())
    }

    pub(super) async fn shows(&self, env: &Env) -> Result<Shows, Failure> {
        let stages = describe(env, &self.id).await?;
        Ok(match stages.holder(CURRENT) {
            Some(version) if version == self.new_version => Shows::New,
            Some(version) if version == self.old_version => Shows::Old,
            Some(version) => Shows::Other(format!("version {version}")),
            None => Shows::Other("no current version".to_owned()),
        })
    }

    pub(super) async fn write(&self, env: &Env, way: Way) -> Result<Option<String>, Failure> {
        let (from, to) = match way {
            Way::Forth => (&self.old_version, &self.new_version),
            Way::Back => (&self.new_version, &self.old_version),
        };
        self.move_label(env, CURRENT, Some(from), Some(to)).await?;
        Ok(Some(to.clone()))
    }

    /// Takes this run's label off its version. A secret has room for few labels (quotas of Secrets Manager: 20), so
    /// none may be left behind. Says whether there was one.
    pub(super) async fn unlabel(&self, env: &Env) -> Result<bool, Failure> {
        let stages = describe(env, &self.id).await?;
        if !stages.has(&self.new_version, &self.label) {
            return Ok(false);
        }
        self.move_label(env, &self.label, Some(&self.new_version), None).await?;
        Ok(true)
    }

    /// After AWSCURRENT went back AWS leaves AWSPREVIOUS at this run's version: puts it where it was.
    pub(super) async fn restore_previous(&self, env: &Env) -> Result<(), Failure> {
        let stages = describe(env, &self.id).await?;
        if stages.holder(CURRENT) != Some(&self.old_version)
            || !stages.has(&self.new_version, PREVIOUS)
        {
            return Ok(());
        }
        self.move_label(env, PREVIOUS, Some(&self.new_version), self.previous.as_deref()).await
    }

    async fn move_label(
        &self,
        env: &Env,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Failure> {
        let update = env
            .aws
            .secretsmanager
            .update_secret_version_stage()
            .secret_id(&self.id)
            .version_stage(label)
            .set_remove_from_version_id(from.map(str::to_owned))
            .set_move_to_version_id(to.map(str::to_owned))
            .send();
        env.aws.change(SERVICE, "UpdateSecretVersionStage", update).await.map(|_| ())
    }
}

async fn describe(env: &Env, id: &str) -> Result<Stages, Failure> {
    let describe = env.aws.secretsmanager.describe_secret().secret_id(id).send();
    let found = call(Op::read(SERVICE, "DescribeSecret"), describe).await?;
    Ok(Stages {
        arn: found.arn().map(str::to_owned),
        rotates: found.rotation_enabled().unwrap_or(false),
        deleted: found.deleted_date().is_some(),
        primary_region: found.primary_region().map(str::to_owned),
        owning_service: found.owning_service().map(str::to_owned),
        by_version: found.version_ids_to_stages.unwrap_or_default(),
    })
}

async fn value(env: &Env, id: &str, version: &str) -> Result<String, Failure> {
    let get = env.aws.secretsmanager.get_secret_value().secret_id(id).version_id(version).send();
    let found = call(Op::read(SERVICE, "GetSecretValue"), get).await.map_err(|failure| {
        failure.context(format!("could not read the value of secret \"{id}\""))
    })?;
    found.secret_string.ok_or_else(|| {
        Failure::fatal(format!(
            "secret \"{id}\" holds bytes, not text: no endpoint can be put into it"
        ))
    })
}
