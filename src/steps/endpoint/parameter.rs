//! SSM parameters. There is no conditional write: the value is read before and after (PutParameter, SSM API reference).

use aws_sdk_ssm::types::{ParameterStringFilter, ParameterTier, ParameterType as Kind};
use serde::{Deserialize, Serialize};

use super::form::{Form, Goal};
use super::target::{Shows, Way};
use crate::aws::{Op, call};
use crate::engine::{Class, Failure};
use crate::steps::Env;

const SERVICE: &str = "Systems Manager";

/// What a parameter was before the swap. All but the value is given along with every write, so that a write changes
/// nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(super) name: String,
    /// The version that holds the old value; it stays readable as `name:version`.
    pub(super) version: i64,
    pub(super) kind: String,
    pub(super) tier: Option<String>,
    key_id: Option<String>,
    data_type: Option<String>,
    description: Option<String>,
    pub(super) allowed_pattern: Option<String>,
    /// The types of its policies, such as "Expiration"; for those who look before a run.
    #[serde(skip)]
    pub(super) policies: Vec<String>,
    /// Old and new value. Not recorded where they may hold a secret: then the old version is read again.
    pub(super) values: Option<(String, String)>,
}

struct Live {
    text: String,
    version: i64,
    kind: String,
    data_type: Option<String>,
}

impl Parameter {
    /// Reads the parameter: what it is, and its value.
    pub(super) async fn look(env: &Env, name: &str) -> Result<(Self, String), Failure> {
        let live = get(env, name).await.map_err(|failure| {
            let missing = failure.class == Class::NotFound;
            let failure = failure.context(format!("could not read SSM parameter \"{name}\""));
            if missing {
                failure.mend("create the parameter with the present endpoint, or correct its name in the playbook")
            } else {
                failure
            }
        })?;
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").values(name);
        let filter = filter.build().map_err(|e| Failure::fatal(e.to_string()))?;
        let found = call(
            Op::read(SERVICE, "DescribeParameters"),
            env.aws.ssm.describe_parameters().parameter_filters(filter).send(),
        )
        .await
        .map_err(|failure| {
            failure.context(format!("could not read what SSM parameter \"{name}\" is"))
        })?;
        let meta = found.parameters().iter().find(|p| p.name() == Some(name));
        let parameter = Self {
            name: name.to_owned(),
            version: live.version,
            kind: live.kind,
            tier: meta.and_then(|m| m.tier()).map(|t| t.as_str().to_owned()),
            key_id: meta.and_then(|m| m.key_id()).map(str::to_owned),
            data_type: live.data_type,
            description: meta.and_then(|m| m.description()).map(str::to_owned),
            allowed_pattern: meta.and_then(|m| m.allowed_pattern()).map(str::to_owned),
            policies: meta
                .map(|m| m.policies())
                .unwrap_or_default()
                .iter()
                .filter_map(|policy| policy.policy_type().map(str::to_owned))
                .collect(),
            values: None,
        };
        Ok((parameter, live.text))
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.kind == Kind::SecureString.as_str()
    }

    /// Whether the value may be written down and shown.
    pub(super) fn is_open(&self, form: &Form, text: &str) -> bool {
        !self.is_encrypted() && form.is_open(text)
    }

    /// Asks for a write that cannot happen: without Overwrite a parameter that exists is refused with
    /// ParameterAlreadyExists, but only to those who may write (PutParameter, SSM API reference). Should it have been
    /// deleted a moment ago, this puts back what was there.
    pub(super) async fn may_write(&self, env: &Env, text: &str) -> Result<(), Failure> {
        let put = self.put(env, text).overwrite(false).send();
        match env.aws.change(SERVICE, "PutParameter", put).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code() == Some("ParameterAlreadyExists") => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn shows(
        &self,
        env: &Env,
        form: &Form,
        goal: Goal<'_>,
    ) -> Result<Shows, Failure> {
        let live = get(env, &self.name).await?;
        if live.version == self.version {
            return Ok(Shows::Old);
        }
        let (old, new) = self.old_and_new(env, form, goal).await?;
        Ok(if live.text == new {
            Shows::New
        } else if live.text == old {
            Shows::Old
        } else if self.values.is_some() && form.is_open(&live.text) && form.read(&live.text).is_ok()
        {
            Shows::Other(format!("\"{}\" (version {})", live.text, live.version))
        } else {
            Shows::Other(format!("version {}", live.version))
        })
    }

    pub(super) async fn write(
        &self,
        env: &Env,
        form: &Form,
        goal: Goal<'_>,
        way: Way,
    ) -> Result<Option<String>, Failure> {
        let (old, new) = self.old_and_new(env, form, goal).await?;
        let text = match way {
            Way::Forth => new,
            Way::Back => old,
        };
        let put = self.put(env, &text).overwrite(true).send();
        let done = env.aws.change(SERVICE, "PutParameter", put).await?;
        Ok(Some(done.version().to_string()))
    }

    fn put(
        &self,
        env: &Env,
        text: &str,
    ) -> aws_sdk_ssm::operation::put_parameter::builders::PutParameterFluentBuilder {
        env.aws
            .ssm
            .put_parameter()
            .name(&self.name)
            .value(text)
            .r#type(Kind::from(self.kind.as_str()))
            .set_tier(self.tier.as_deref().map(ParameterTier::from))
            .set_key_id(self.key_id.clone())
            .set_data_type(self.data_type.clone())
            .set_description(self.description.clone())
            .set_allowed_pattern(self.allowed_pattern.clone())
    }

    async fn old_and_new(
        &self,
        env: &Env,
        form: &Form,
        goal: Goal<'_>,
    ) -> Result<(String, String), Failure> {
        if let Some(values) = &self.values {
            return Ok(values.clone());
        }
        let selector = format!("{}:{}", self.name, self.version);
        let old = get(env, &selector).await.map_err(|failure| {
            failure
                .context(format!("could not read the old value of SSM parameter \"{}\"", self.name))
        })?;
        let new = form.write(&old.text, goal).map_err(Failure::fatal)?;
        Ok((old.text, new))
    }
}

async fn get(env: &Env, selector: &str) -> Result<Live, Failure> {
    let get = env.aws.ssm.get_parameter().name(selector).with_decryption(true).send();
    let answer = call(Op::read(SERVICE, "GetParameter"), get).await?;
    let parameter = answer.parameter.ok_or_else(|| no_value(selector))?;
    Ok(Live {
        version: parameter.version(),
        kind: parameter.r#type().map_or("String", Kind::as_str).to_owned(),
        data_type: parameter.data_type().map(str::to_owned),
        text: parameter.value.ok_or_else(|| no_value(selector))?,
    })
}

fn no_value(name: &str) -> Failure {
    Failure::fatal(format!("{SERVICE} gave no value for parameter \"{name}\""))
}
