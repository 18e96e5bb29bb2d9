//! `memorydb.create_user`: somebody who may log in.

use std::time::Duration;

use aws_sdk_memorydb::types::{AuthenticationMode, InputAuthenticationType, Tag, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::SERVICE;
use super::made::{self, Made, Prepared};
use crate::aws::{Op, call, found};
use crate::engine::journal::Resource;
use crate::engine::{Cx, Failure, Finding};
use crate::facts::Access;
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::secret::{SecretRef, reveal};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// Longest name (MemoryDB API reference, CreateUser).
const LONGEST: usize = 40;

/// Creates a MemoryDB user and waits until it is active.
///
/// A user may log in to a cluster once it is in the cluster's ACL. Its passwords are named by where they are kept, never
/// written out: they are read when the user is made, and go nowhere but into that call. `secretsmanager.create_secret` makes
/// them.
///
/// ```yaml
/// - id: app
///   memorydb.create_user:
///     name: app
///     access: "on ~* &* +@all -@dangerous"
///     passwords: ["${{ steps.secret.ref }}#app"]
/// ```
///
/// A user of that name fails the step, unless this run made it before its answer was lost. With `adopt: true` one with the
/// same access and sort of login is taken as it is, and a rollback leaves it: **its passwords cannot be read, so that they
/// may be others**.
///
/// Undone by deleting the user, if it is this run's own; MemoryDB then takes it out of every ACL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The name that clients log in with: at most 40 letters, digits and hyphens; stored in lower case. Not `default`.
    name: String,
    /// What it may do, such as `on ~* &* +@all`. Without `on` it cannot log in.
    access: String,
    /// Where its one or two passwords are kept. MemoryDB wants 16 to 128 printable characters without `,`, `"`, `/` and `@`.
    #[serde(default)]
    passwords: Vec<SecretRef>,
    /// Whether it logs in by IAM, without a password.
    #[serde(default)]
    iam: bool,
    /// Whether a user that is there already is taken as it is.
    #[serde(default)]
    adopt: bool,
}

/// The user.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// Its ARN.
    arn: String,
}

/// `memorydb.create_user`.
pub(crate) struct CreateUser;

impl Made for Spec {
    type Found = User;
    const WHAT: &'static str = "MemoryDB user";
    const ARN: &'static str = "user";
    const LONGEST: usize = LONGEST;

    fn name(&self) -> &str {
        &self.name
    }

    fn adopts(&self) -> bool {
        self.adopt
    }

    async fn find(env: &Env, name: &str) -> Result<Option<User>, Failure> {
        let request = env.aws.memorydb.describe_users().user_name(name);
        let answer = found(call(Op::read(SERVICE, "DescribeUsers"), request.send()).await)?;
        Ok(answer.and_then(|answer| answer.users?.into_iter().next()))
    }

    fn status(found: &User) -> Option<&str> {
        found.status()
    }

    async fn differences(&self, _env: &Env, found: &User) -> Result<Vec<String>, Failure> {
        let words = |text: &str| {
            let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.sort();
            words.join(" ")
        };
        let shown = found.access_string().unwrap_or_default();
        let login = found.authentication().and_then(|a| a.r#type()).map_or("none", |t| t.as_str());
        let wanted = if self.iam { "iam" } else { "password" };
        let access = (words(shown) != words(&self.access))
            .then(|| format!("its access is \"{shown}\", intended is \"{}\"", self.access));
        Ok(access.into_iter().chain(made::differ("login", wanted, login)).collect())
    }

    async fn create(&self, env: &Env, cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<(), Failure> {
        let mut mode = AuthenticationMode::builder();
        if self.iam {
            mode = mode.r#type(InputAuthenticationType::Iam);
        } else {
            mode = mode.r#type(InputAuthenticationType::Password);
            for password in &self.passwords {
                let secret = reveal(env, password).await?;
                usable(secret.reveal()).map_err(|why| {
                    let failure = Failure::fatal(format!("{password} cannot be a password: {why}"));
                    failure
                        .mend("`secretsmanager.create_secret` makes passwords that MemoryDB takes")
                })?;
                mode = mode.passwords(secret.reveal());
            }
        }
        let request = env
            .aws
            .memorydb
            .create_user()
            .user_name(name)
            .access_string(&self.access)
            .authentication_mode(mode.build())
            .set_tags(Some(tags));
        creation::ask(cx, env.aws.change(SERVICE, "CreateUser", request.send())).await.map(drop)
    }

    async fn delete(env: &Env, name: &str) -> Result<(), Failure> {
        let request = env.aws.memorydb.delete_user().user_name(name);
        env.aws.change(SERVICE, "DeleteUser", request.send()).await.map(drop)
    }
}

/// MemoryDB developer guide, authenticating users with ACLs. The password itself is not repeated.
fn usable(password: &str) -> Result<(), &'static str> {
    if !(16..=128).contains(&password.chars().count()) {
        Err("it must have 16 to 128 characters")
    } else if password.chars().any(|c| !c.is_ascii_graphic() || ",\"/@".contains(c)) {
        Err("it may hold printable ASCII without spaces, and no , \" / @")
    } else {
        Ok(())
    }
}

impl Step for CreateUser {
    const KIND: &'static str = "memorydb.create_user";
    const SUMMARY: &'static str = "create a MemoryDB user with passwords from secrets";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeUsers", "user/{name}", Phases::ALL),
        action("memorydb:ListTags", "user/{name}", Phases::RUN_UNDO),
        // The service authorization reference lists no resource of its own for it.
        action("memorydb:CreateUser", "*", Phases::RUN),
        action("memorydb:TagResource", "user/{name}", Phases::RUN),
        action("memorydb:DeleteUser", "user/{name}", Phases::UNDO),
        action("secretsmanager:GetSecretValue", "secret:{passwords}", Phases::RUN),
        action("ssm:GetParameter", "parameter/{passwords}", Phases::RUN),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(10);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "user name", LONGEST);
        if args["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("default")) {
            let fault = Fault::new("only the ACL open-access has a user `default`").key("name");
            faults.push(fault.mend("choose another name"));
        }
        if let Some(access) = args["access"].as_str() {
            let off = access.split_whitespace().any(|word| word.eq_ignore_ascii_case("off"));
            if !Access::read(access).on && !off {
                let fault = Fault::new("a user without `on` cannot log in").key("access");
                faults.push(fault.mend("put `on` in front; write `off` if that is meant"));
            }
        }
        let iam = args["iam"].as_bool().unwrap_or(false);
        let passwords = match args.get("passwords") {
            None => Some(0),
            Some(given) => given.as_array().map(Vec::len),
        };
        match (iam, passwords) {
            (true, Some(1..)) => {
                let fault = Fault::new("a user with IAM has no passwords").key("passwords");
                faults.push(fault.mend("leave them out, or `iam`"));
            }
            (false, Some(0)) => faults.push(
                Fault::new("a user of MemoryDB needs a password or IAM")
                    .mend("write `passwords: [secretsmanager:…]` or `iam: true`"),
            ),
            (false, Some(3..)) => faults.push(
                Fault::new("a user has at most two passwords")
                    .key("passwords")
                    .mend("leave one out"),
            ),
            _ => {}
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let access = args["access"].as_str().unwrap_or("…");
        Sketch {
            does: format!("create MemoryDB user \"{name}\": {access}"),
            undo: Some("delete the user".to_owned()),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("MemoryDB user \"{name}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let passwords = args["passwords"].as_array().into_iter().flatten();
        passwords.filter_map(|p| Some(Need::Password(p.as_str()?.to_owned()))).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let (Some(name), Some(access)) = (args["name"].as_str(), args["access"].as_str()) else {
            return Vec::new();
        };
        let spec = Spec {
            name: name.to_owned(),
            access: access.to_owned(),
            passwords: Vec::new(),
            iam: args["iam"].as_bool().unwrap_or(false),
            adopt: args["adopt"].as_bool().unwrap_or(false),
        };
        vec![made::finding(env, &spec).await]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        made::prepare(env, spec, cx).await
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let output = |_: &User| Output { name: prepared.name.clone(), arn: prepared.arn.clone() };
        made::execute(env, spec, prepared, cx, output).await
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        made::undo::<Spec>(env, prepared, cx).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::error::ErrorMetadata;
    use aws_sdk_memorydb::operation::create_user::{CreateUserError, CreateUserOutput};
    use aws_sdk_memorydb::operation::describe_users::{DescribeUsersError, DescribeUsersOutput};
    use aws_sdk_memorydb::operation::list_tags::ListTagsOutput;
    use aws_sdk_memorydb::types::error::{UserAlreadyExistsFault, UserNotFoundFault};
    use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::engine::Class;
    use crate::steps::testing::{self, Rules};

    const PASSWORD: &str = "correct-horse-battery";

    fn missing() -> DescribeUsersError {
        let meta = ErrorMetadata::builder().code("UserNotFoundFault").build();
        DescribeUsersError::UserNotFoundFault(UserNotFoundFault::builder().meta(meta).build())
    }

    fn shown(status: &str) -> DescribeUsersOutput {
        let user = User::builder().name("app").status(status).access_string("on ~* +@all").build();
        DescribeUsersOutput::builder().users(user).build()
    }

    fn args() -> Value {
        json!({"name": "App", "access": "on ~* +@all", "passwords": ["secretsmanager:prod/users#app"]})
    }

    fn tags(of: &'static str) -> ListTagsOutput {
        let own = testing::own_tags(of);
        let tags = own.iter().map(|(k, v)| Tag::builder().key(*k).value(v).build()).collect();
        ListTagsOutput::builder().set_tag_list(Some(tags)).build()
    }

    #[tokio::test(start_paused = true)]
    async fn the_password_goes_from_the_secret_into_the_call_and_nowhere_else() {
        let describe = mock!(Client::describe_users)
            .sequence()
            .error(missing)
            .times(2)
            .output(|| shown("modifying"))
            .output(|| shown("active"))
            .build();
        let secret = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
            .match_requests(|r| r.secret_id() == Some("prod/users"))
            .then_output(|| {
                let text = json!({"app": PASSWORD}).to_string();
                GetSecretValueOutput::builder().secret_string(text).build()
            });
        let create = mock!(Client::create_user)
            .match_requests(|r| {
                r.user_name() == Some("app")
                    && r.authentication_mode().is_some_and(|m| m.passwords() == [PASSWORD])
                    && r.tags().len() == 3
            })
            .then_output(|| CreateUserOutput::builder().build());
        let env = testing::env(Rules {
            memorydb: vec![&describe, &create],
            secretsmanager: vec![&secret],
            ..Rules::default()
        });
        let (spec, cx): (Spec, _) = (testing::spec(args()), testing::cx("app"));
        let (prepared, resources) = CreateUser::prepare(&env, &spec, &cx).await.unwrap();
        assert!(!serde_json::to_string(&(&prepared, &resources)).unwrap().contains(PASSWORD));
        let done = CreateUser::execute(&env, &spec, &prepared, &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!(output.arn, "arn:aws:memorydb:us-east-1:123456789012:user/app");
        assert_eq!(create.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_of_somebody_else_is_left_and_told_of() {
        let describe = mock!(Client::describe_users).then_output(|| shown("active"));
        let list = mock!(Client::list_tags).then_output(|| tags("another_step"));
        let env = testing::env(Rules { memorydb: vec![&describe, &list], ..Rules::default() });
        let cx = testing::cx("app");
        let failure = CreateUser::prepare(&env, &testing::spec(args()), &cx).await.unwrap_err();
        assert_eq!(failure.class, Class::Conflict);
        assert!(
            failure.to_string().contains("its login is none, intended is password"),
            "{failure}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_call_made_is_adopted() {
        let describe = mock!(Client::describe_users)
            .sequence()
            .error(missing)
            .times(2)
            .output(|| shown("active"))
            .times(2)
            .build();
        let create = mock!(Client::create_user).then_error(|| {
            let meta = ErrorMetadata::builder().code("UserAlreadyExistsFault").build();
            let exists = UserAlreadyExistsFault::builder().meta(meta).build();
            CreateUserError::UserAlreadyExistsFault(exists)
        });
        let list = mock!(Client::list_tags).then_output(|| tags("app"));
        let secret = mock!(aws_sdk_secretsmanager::Client::get_secret_value).then_output(|| {
            let text = json!({"app": PASSWORD}).to_string();
            GetSecretValueOutput::builder().secret_string(text).build()
        });
        let env = testing::env(Rules {
            memorydb: vec![&describe, &create, &list],
            secretsmanager: vec![&secret],
            ..Rules::default()
        });
        let (spec, cx): (Spec, _) = (testing::spec(args()), testing::cx("app"));
        let (prepared, _) = CreateUser::prepare(&env, &spec, &cx).await.unwrap();
        let done = CreateUser::execute(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(matches!(done, Done::Adopted(_)), "{done:?}");
    }

    #[test]
    fn users_that_memorydb_would_refuse_are_refused_here() {
        assert_eq!(CreateUser::check(&args()), []);
        for (changed, words) in [
            (json!({"name": "default"}), "open-access"),
            (json!({"access": "~* +@all"}), "cannot log in"),
            (json!({"passwords": []}), "needs a password or IAM"),
            (json!({"iam": true}), "no passwords"),
        ] {
            let mut args = args();
            args.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
            let faults = CreateUser::check(&args);
            assert!(faults.len() == 1 && faults[0].message.contains(words), "{faults:?}");
        }
        for (password, good) in [(PASSWORD, true), ("short", false), ("with@at-sign-in-it", false)]
        {
            assert_eq!(usable(password).is_ok(), good, "{password}");
        }
    }
}
