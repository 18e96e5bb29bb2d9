//! `secretsmanager.create_secret`: passwords that nobody has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aws::{Op, call, found};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::memorydb::NAME as CHECK;
use crate::steps::{Action, Done, Env, Sketch, Step, Touch, action, ownership};

const SERVICE: &str = "Secrets Manager";
/// Passwords of MemoryDB and ElastiCache users have 16 to 128 characters.
const LENGTHS: std::ops::RangeInclusive<u32> = 16..=128;
/// Days for which a deleted secret can be brought back (Secrets Manager API reference, DeleteSecret).
const WINDOW: std::ops::RangeInclusive<u8> = 7..=30;
/// Longest name (Secrets Manager API reference, CreateSecret).
const LONGEST: usize = 512;

/// Creates a secret with passwords that AWS makes: a JSON document with a field for each.
///
/// The passwords come from `GetRandomPassword` and go into `CreateSecret`. They are in no journal, log or output, and this
/// program does not keep them: what needs one names its place, such as `"${{ steps.secret.ref }}#app"`. They hold letters
/// and digits alone, so that every engine, URL and shell takes them. `values` are fields that are no secrets, such as a user
/// name.
///
/// ```yaml
/// - id: secret
///   secretsmanager.create_secret:
///     name: prod/redis
///     generate: [app, reader]
///     values: { engine: valkey }
/// ```
///
/// If the answer of the creating call is lost, the secret is known again by its tags and kept as it is: it is not written a
/// second time. A secret of that name that is not this run's fails the step.
///
/// Undone by deleting the secret, if it is this run's own; for `recovery_window_days` it can be brought back, and until then
/// no other can have its name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// Its name: letters, digits and `/_+=.@-`.
    name: String,
    /// The fields that get a password each.
    #[schemars(length(min = 1))]
    generate: Vec<String>,
    /// How long each password is: 16 to 128 characters; 40 if left out.
    #[serde(default = "forty")]
    length: u32,
    /// Fields that are no secrets.
    #[serde(default)]
    values: BTreeMap<String, String>,
    /// A description.
    #[serde(default)]
    description: Option<String>,
    /// The KMS key that encrypts it; AWS's own for Secrets Manager if left out.
    #[serde(default)]
    kms_key: Option<String>,
    /// For how many days a rollback leaves a way back: 7 to 30, or 0 to delete it at once; 7 if left out.
    #[serde(default = "week")]
    recovery_window_days: u8,
}

fn forty() -> u32 {
    40
}

fn week() -> u8 {
    7
}

/// The intent. No password.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    /// The id of the version that is made, which AWS takes for an idempotency token.
    token: String,
}

/// The secret, without what is in it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name.
    name: String,
    /// Its ARN, with the six characters that AWS puts behind the name.
    arn: String,
    /// What a reference to one of its fields begins with: `secretsmanager:<name>`. Put `#<field>` behind it.
    r#ref: String,
}

/// `secretsmanager.create_secret`.
pub(crate) struct CreateSecret;

impl Step for CreateSecret {
    const KIND: &'static str = "secretsmanager.create_secret";
    const SUMMARY: &'static str = "create a secret with generated passwords";
    const ACTIONS: &'static [Action] = &[
        // Of a name that no secret has yet, AWS knows no more than the name.
        action("secretsmanager:DescribeSecret", "new-secret:{name}", Phases::ALL),
        action("secretsmanager:GetRandomPassword", "*", Phases::RUN),
        action("secretsmanager:CreateSecret", "new-secret:{name}", Phases::RUN),
        action("secretsmanager:TagResource", "new-secret:{name}", Phases::RUN),
        action("secretsmanager:DeleteSecret", "secret:{name}", Phases::UNDO),
        // To encrypt with a customer's key (Secrets Manager user guide, permissions for the KMS key).
        action("kms:GenerateDataKey", "key/{kms_key}", Phases::RUN),
        action("kms:Decrypt", "key/{kms_key}", Phases::RUN),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name}"), ("ref", "secretsmanager:{name}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(name) = args["name"].as_str() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
            if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
                let fault = Fault::new("it is no name of a secret").key("name");
                faults.push(fault.mend("use letters, digits and /_+=.@- alone"));
            }
        }
        if args["length"]
            .as_u64()
            .is_some_and(|n| u32::try_from(n).map_or(true, |n| !LENGTHS.contains(&n)))
        {
            let fault =
                Fault::new("no user of MemoryDB has a password of that length").key("length");
            faults.push(fault.mend("write 16 to 128"));
        }
        if args["recovery_window_days"]
            .as_u64()
            .is_some_and(|days| days != 0 && !(7..=30).contains(&days))
        {
            let fault = Fault::new("AWS keeps deleted secrets for 7 to 30 days");
            faults.push(fault.key("recovery_window_days").mend("write 7 to 30, or 0 for none"));
        }
        let fields = args["generate"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, field) in fields.iter().enumerate().filter_map(|(i, f)| Some((i, f.as_str()?)))
        {
            let twice = fields[..index].iter().any(|other| other.as_str() == Some(field));
            if twice || args["values"].get(field).is_some() {
                let fault = Fault::new(format!("the field `{field}` is there twice"));
                faults.push(fault.key("generate").item(index).mend("leave one of them out"));
            }
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().unwrap_or("…");
        let fields = args["generate"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fields: Vec<&str> = fields.iter().map(|field| field.as_str().unwrap_or("…")).collect();
        let undo = match args["recovery_window_days"].as_u64().unwrap_or(7) {
            0 => "delete the secret at once".to_owned(),
            days => format!("delete the secret; for {days} days it can be brought back"),
        };
        Sketch {
            does: format!(
                "create secret \"{name}\" with generated passwords: {}",
                fields.join(", ")
            ),
            undo: Some(undo),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        vec![Touch::creates(format!("secret \"{}\"", args["name"].as_str().unwrap_or("…")))]
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["name"].as_str() else { return Vec::new() };
        let finding = match describe(env, name).await {
            Err(failure) => Finding::of(CHECK, &failure),
            Ok(None) => Finding::ok(CHECK, format!("there is no secret \"{name}\" yet"))
                .seen("exists", false),
            Ok(Some(found)) => {
                let failure = taken(env, name, &found);
                let mend = failure.mend.clone().unwrap_or_default();
                Finding::will_fail(CHECK, failure.to_string(), mend).seen("exists", true)
            }
        };
        vec![finding]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        if let Some(found) = describe(env, &spec.name).await?
            && !ours(cx, &found)
        {
            return Err(taken(env, &spec.name, &found));
        }
        // An id, and no secret: it may be drawn by the run's own generator, so that the run can be repeated.
        let hex = cx.random(|rng| format!("{:032x}", rng.random::<u128>()));
        let token = format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        );
        let resource = Resource {
            what: "secret".to_owned(),
            name: spec.name.clone(),
            arn: None,
            role: Role::Creates,
        };
        Ok((Prepared { name: spec.name.clone(), token }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let name = &prepared.name;
        let output = |arn: Option<&str>| Output {
            name: name.clone(),
            arn: arn.unwrap_or_default().to_owned(),
            r#ref: format!("secretsmanager:{name}"),
        };
        let look = || describe(env, name);
        if let Some(found) = creation::look_for_made(cx, look).await? {
            if !ours(cx, &found) || found.deleted_date().is_some() {
                return Err(taken(env, name, &found));
            }
            creation::note_call(cx, Call::Taken).await?;
            return Ok(Done::Adopted(output(found.arn())));
        }
        let failed =
            |failure: Failure| failure.context(format!("failed to create secret \"{name}\""));
        match create(env, spec, prepared, cx).await {
            Ok(arn) => {
                creation::note_call(cx, Call::Taken).await?;
                Ok(Done::Changed(output(arn.as_deref())))
            }
            Err(failure) if failure.class == Class::Conflict => {
                match creation::until_visible(cx, look).await? {
                    Some(found) if ours(cx, &found) => Ok(Done::Adopted(output(found.arn()))),
                    Some(found) => Err(taken(env, name, &found)),
                    None => Err(failed(failure)),
                }
            }
            Err(failure) => Err(failed(failure)),
        }
    }

    async fn undo(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let name = &prepared.name;
        let Some(found) = creation::look_for_made(cx, || describe(env, name)).await? else {
            return Ok(Vec::new());
        };
        if !ours(cx, &found) {
            cx.warn(format!("secret \"{name}\" is not this run's; it was left"));
            return Ok(Vec::new());
        }
        if found.deleted_date().is_some() {
            return Ok(Vec::new());
        }
        let request = env.aws.secretsmanager.delete_secret().secret_id(name);
        let days = spec.recovery_window_days;
        let request = match days {
            0 => request.force_delete_without_recovery(true),
            days => request
                .recovery_window_in_days(i64::from(days.clamp(*WINDOW.start(), *WINDOW.end()))),
        };
        let deleted = env.aws.change(SERVICE, "DeleteSecret", request.send()).await;
        deleted
            .map_err(creation::not_deleted)
            .map_err(|failure| failure.context(format!("failed to delete secret \"{name}\"")))?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![match days {
            0 => format!("deleted secret \"{name}\""),
            days => format!(
                "deleted secret \"{name}\"; for {days} days `aws secretsmanager restore-secret --secret-id {name} --region {}` brings it back",
                env.identity.region
            ),
        }])
    }
}

async fn describe(env: &Env, name: &str) -> Result<Option<DescribeSecretOutput>, Failure> {
    let request = env.aws.secretsmanager.describe_secret().secret_id(name);
    found(call(Op::read(SERVICE, "DescribeSecret"), request.send()).await)
}

fn ours(cx: &Cx, found: &DescribeSecretOutput) -> bool {
    ownership::is_ours(cx, found.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))))
}

fn taken(env: &Env, name: &str, found: &DescribeSecretOutput) -> Failure {
    let what = format!("secret \"{name}\"");
    if found.deleted_date().is_none() {
        return ownership::not_ours(&what, &[]);
    }
    Failure::new(Class::Conflict, format!("{what} is scheduled for deletion, and keeps its name until then")).mend(
        format!(
            "choose another name; or, if nobody needs it: aws secretsmanager restore-secret --secret-id {name} --region {0} && \
             aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery --region {0}",
            env.identity.region
        ),
    )
}

/// Gives the ARN. The passwords live as long as this call.
async fn create(
    env: &Env,
    spec: &Spec,
    prepared: &Prepared,
    cx: &Cx,
) -> Result<Option<String>, Failure> {
    let mut document = Map::new();
    for (field, value) in &spec.values {
        document.insert(field.clone(), Value::String(value.clone()));
    }
    for field in &spec.generate {
        document.insert(field.clone(), Value::String(password(env, spec.length).await?));
    }
    let own = ownership::tags(cx);
    let tag = |(key, value): &(&str, String)| Tag::builder().key(*key).value(value).build();
    let request = env
        .aws
        .secretsmanager
        .create_secret()
        .name(&prepared.name)
        .client_request_token(&prepared.token)
        .secret_string(Value::Object(document).to_string())
        .set_description(spec.description.clone())
        .set_kms_key_id(spec.kms_key.clone())
        .set_tags(Some(own.iter().map(tag).collect()));
    let answer = creation::ask(cx, env.aws.change(SERVICE, "CreateSecret", request.send())).await?;
    Ok(answer.arn)
}

/// From AWS's generator: this program's own is seeded, so that a run can be repeated, and what is repeated is no secret.
async fn password(env: &Env, length: u32) -> Result<String, Failure> {
    let request = env
        .aws
        .secretsmanager
        .get_random_password()
        .password_length(i64::from(length))
        .exclude_punctuation(true)
        .include_space(false)
        .require_each_included_type(true);
    let answer = call(Op::read(SERVICE, "GetRandomPassword"), request.send()).await?;
    answer
        .random_password
        .filter(|password| password.len() >= usize::try_from(length).unwrap_or(usize::MAX))
        .ok_or_else(|| {
            Failure::new(Class::Transient, "Secrets Manager made no password of that length")
        })
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::Client;
    use aws_sdk_secretsmanager::error::ErrorMetadata;
    use aws_sdk_secretsmanager::operation::create_secret::{CreateSecretError, CreateSecretOutput};
    use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretOutput;
    use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;
    use aws_sdk_secretsmanager::operation::get_random_password::GetRandomPasswordOutput;
    use aws_sdk_secretsmanager::types::error::{
        ResourceExistsException, ResourceNotFoundException,
    };
    use aws_smithy_mocks::{Rule, mock};
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    const PASSWORD: &str = "Zk3vQ0bW7mXr2TnYp9LsJd4HcGf8AeUi5RoBq1Mx";

    fn missing() -> DescribeSecretError {
        let meta = ErrorMetadata::builder().code("ResourceNotFoundException").build();
        let error = ResourceNotFoundException::builder().meta(meta).build();
        DescribeSecretError::ResourceNotFoundException(error)
    }

    fn shown(step: &'static str) -> DescribeSecretOutput {
        let own = testing::own_tags(step);
        let tags = own.iter().map(|(k, v)| Tag::builder().key(*k).value(v).build()).collect();
        DescribeSecretOutput::builder().name("prod/redis").arn("arn:x").set_tags(Some(tags)).build()
    }

    fn random() -> Rule {
        mock!(Client::get_random_password)
            .match_requests(|r| {
                r.exclude_punctuation() == Some(true) && r.password_length() == Some(40)
            })
            .then_output(|| GetRandomPasswordOutput::builder().random_password(PASSWORD).build())
    }

    fn spec() -> Spec {
        testing::spec(
            json!({"name": "prod/redis", "generate": ["app", "reader"], "values": {"user": "app"}}),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_passwords_go_into_the_secret_and_nowhere_else() {
        let describe = mock!(Client::describe_secret).then_error(missing);
        let create = mock!(Client::create_secret)
            .match_requests(|r| {
                let document: Value = serde_json::from_str(r.secret_string().unwrap()).unwrap();
                r.tags().len() == 3
                    && r.client_request_token().is_some_and(|token| token.len() == 36)
                    && document == json!({"app": PASSWORD, "reader": PASSWORD, "user": "app"})
            })
            .then_output(|| CreateSecretOutput::builder().arn("arn:x").build());
        let random = random();
        let rules = vec![&describe, &random, &create];
        let env = testing::env(Rules { secretsmanager: rules, ..Rules::default() });
        let (spec, cx) = (spec(), testing::cx("secret"));
        let (prepared, resources) = CreateSecret::prepare(&env, &spec, &cx).await.unwrap();
        let done = CreateSecret::execute(&env, &spec, &prepared, &cx).await.unwrap();
        let Done::Changed(output) = &done else { panic!("{done:?}") };
        assert_eq!(output.r#ref, "secretsmanager:prod/redis");
        let journaled = serde_json::to_string(&(&prepared, &resources, output)).unwrap();
        assert!(!journaled.contains(PASSWORD), "{journaled}");
        assert_eq!((random.num_calls(), create.num_calls()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_lost_answer_the_secret_is_known_by_its_tags_and_not_written_again() {
        let describe = mock!(Client::describe_secret)
            .sequence()
            .error(missing)
            .times(2)
            .output(|| shown("secret"))
            .build();
        let create = mock!(Client::create_secret).then_error(|| {
            let meta = ErrorMetadata::builder().code("ResourceExistsException").build();
            let error = ResourceExistsException::builder().meta(meta).build();
            CreateSecretError::ResourceExistsException(error)
        });
        let random = random();
        let rules = vec![&describe, &random, &create];
        let env = testing::env(Rules { secretsmanager: rules, ..Rules::default() });
        let (spec, cx) = (spec(), testing::cx("secret"));
        let (prepared, _) = CreateSecret::prepare(&env, &spec, &cx).await.unwrap();
        let done = CreateSecret::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Adopted(_)), "{done:?}");
        assert_eq!(create.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollback_leaves_a_way_back_and_others_secrets_alone() {
        for (owner, calls) in [("secret", 1), ("another", 0)] {
            let describe = match owner {
                "secret" => mock!(Client::describe_secret).then_output(|| shown("secret")),
                _ => mock!(Client::describe_secret).then_output(|| shown("another")),
            };
            let delete = mock!(Client::delete_secret)
                .match_requests(|r| r.recovery_window_in_days() == Some(7))
                .then_output(|| DeleteSecretOutput::builder().build());
            let rules = vec![&describe, &delete];
            let env = testing::env(Rules { secretsmanager: rules, ..Rules::default() });
            let mut cx = testing::cx("secret");
            cx.note = Some(json!({"call": "taken"}));
            let prepared = Prepared { name: "prod/redis".to_owned(), token: "t".to_owned() };
            let did = CreateSecret::undo(&env, &spec(), &prepared, &cx).await.unwrap();
            assert_eq!((did.len(), delete.num_calls()), (calls, calls), "{did:?}");
        }
    }

    #[test]
    fn what_no_secret_can_be_is_refused() {
        let args =
            json!({"name": "a b", "generate": ["x", "x"], "length": 8, "recovery_window_days": 3});
        assert_eq!(CreateSecret::check(&args).len(), 4);
        assert_eq!(CreateSecret::check(&json!({"name": "a/b", "generate": ["x"]})), []);
    }
}
