//! `memorydb.update_acl`: lets users in, or takes the right from them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_memorydb::types::Acl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cluster::{self, LONGEST_CLUSTER_NAME, OPEN_ACCESS, SERVICE};
use super::create_acl::{folded, user_faults};
use crate::aws::memorydb_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation;
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

const STATES: States =
    States { pending: &["creating", "modifying"], success: &["active"], terminal: &["deleting"] };

/// Adds users to a MemoryDB ACL, or takes some out, and waits until every cluster with this ACL has heard of it.
///
/// Who is in already, or out already, stays as it is. Connections of a user that is taken out are closed.
///
/// ```yaml
/// - id: let_in
///   memorydb.update_acl: { name: prod-app, add: [reporting] }
/// ```
///
/// Undone by taking out whom this step added, and by adding whom it took out. What others changed meanwhile stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The ACL's name.
    name: String,
    /// The users to add.
    #[serde(default)]
    add: Vec<String>,
    /// The users to take out.
    #[serde(default)]
    remove: Vec<String>,
}

/// The intent: what is not so yet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    add: BTreeSet<String>,
    remove: BTreeSet<String>,
}

/// The ACL.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    name: String,
    /// The names of its users, sorted.
    users: Vec<String>,
}

/// `memorydb.update_acl`.
pub(crate) struct UpdateAcl;

impl Step for UpdateAcl {
    const KIND: &'static str = "memorydb.update_acl";
    const SUMMARY: &'static str = "add users to a MemoryDB ACL, or take some out";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeACLs", "acl/{name}", Phases::ALL),
        action("memorydb:UpdateACL", "acl/{name}", Phases::RUN_UNDO),
        action("memorydb:UpdateACL", "user/{add}", Phases::RUN_UNDO),
        action("memorydb:UpdateACL", "user/{remove}", Phases::RUN_UNDO),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "ACL name", LONGEST_CLUSTER_NAME);
        if args["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(OPEN_ACCESS)) {
            let fault = Fault::new("the ACL open-access cannot be changed").key("name");
            faults.push(fault.mend("make an ACL of your own: `memorydb.create_acl`"));
        }
        if args.get("add").is_none() && args.get("remove").is_none() {
            faults.push(
                Fault::new("it changes nothing").mend("write `add: [user]` or `remove: [user]`"),
            );
        }
        faults.extend(user_faults(args, "add"));
        let names = |key: &str| {
            let users = args[key].as_array().into_iter().flatten().filter_map(Value::as_str);
            users.map(str::to_ascii_lowercase).collect::<BTreeSet<_>>()
        };
        if let Some(both) = names("add").intersection(&names("remove")).next() {
            let fault = Fault::new(format!("user `{both}` is to be added and taken out"));
            faults.push(fault.key("remove").mend("leave it out of one of them"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let listed = |key: &str| {
            let users = args[key].as_array().map(Vec::as_slice).unwrap_or_default();
            users.iter().map(|user| user.as_str().unwrap_or("…")).collect::<Vec<_>>().join(", ")
        };
        let (add, remove) = (listed("add"), listed("remove"));
        let mut words = Vec::new();
        if !add.is_empty() {
            words.push(format!("add {add} to MemoryDB ACL \"{name}\""));
        }
        if !remove.is_empty() {
            words.push(format!("take {remove} out of MemoryDB ACL \"{name}\""));
        }
        Sketch {
            does: words.join(", "),
            undo: Some("put the ACL's users back".to_owned()),
            loses: (!remove.is_empty()).then(|| format!("the connections of {remove}")),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::changes(format!("MemoryDB ACL \"{name}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["name"].as_str().map(|name| Need::Acl(name.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        const CHECK: &str = "update.state";
        let Some(name) = args["name"].as_str() else { return Vec::new() };
        let finding = match acl(env, &name.to_ascii_lowercase()).await {
            Err(failure) => Finding::of(CHECK, &failure),
            Ok(acl) => Finding::ok(
                CHECK,
                format!("ACL \"{name}\" is {}", acl.status().unwrap_or("unknown")),
            ),
        };
        vec![finding]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let _ = cx;
        let name = creation::checked_name("ACL name", &spec.name, LONGEST_CLUSTER_NAME)?;
        let found = acl(env, &name).await?;
        let members = folded(found.user_names());
        let add = folded(&spec.add).difference(&members).cloned().collect::<BTreeSet<_>>();
        let remove = folded(&spec.remove).intersection(&members).cloned().collect::<BTreeSet<_>>();
        let resource = Resource {
            what: "MemoryDB ACL".to_owned(),
            arn: Some(memorydb_arn(&env.identity, "acl", &name)),
            name: name.clone(),
            role: Role::Changes,
        };
        let changes = !add.is_empty() || !remove.is_empty();
        let resources = changes.then_some(resource).into_iter().collect();
        Ok((Prepared { name, add, remove }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let asked = cx.noted().is_some();
        let (found, changed) = bring(env, prepared, &prepared.add, &prepared.remove, cx).await?;
        let users = folded(found.user_names()).into_iter().collect();
        let output = Output { name: prepared.name.clone(), users };
        Ok(match (changed, asked) {
            (true, _) => Done::Changed(output),
            (false, true) => Done::Adopted(output),
            (false, false) => Done::Unchanged(output),
        })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if cx.noted().is_none() {
            return Ok(Vec::new());
        }
        if cluster::acl(env, &prepared.name).await?.is_none() {
            cx.warn(format!("ACL \"{}\" is gone: nothing can be put back", prepared.name));
            return Ok(Vec::new());
        }
        let (_, changed) = bring(env, prepared, &prepared.remove, &prepared.add, cx).await?;
        let done = format!("put the users of MemoryDB ACL \"{}\" back", prepared.name);
        Ok(if changed { vec![done] } else { Vec::new() })
    }
}

async fn acl(env: &Env, name: &str) -> Result<Acl, Failure> {
    let found = cluster::acl(env, name).await?;
    found.ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no MemoryDB ACL \"{name}\"")).mend(format!(
            "aws memorydb describe-acls --region {} lists them; `memorydb.create_acl` makes one",
            env.identity.region
        ))
    })
}

/// Waits until the ACL is active, adds and removes what is not so yet, and waits until that has reached every cluster. Gives
/// whether a call was made. That one is going to be made is written down first.
async fn bring(
    env: &Env,
    prepared: &Prepared,
    add: &BTreeSet<String>,
    remove: &BTreeSet<String>,
    cx: &Cx,
) -> Result<(Acl, bool), Failure> {
    let name = &prepared.name;
    let failed =
        |failure: Failure| failure.context(format!("failed to change MemoryDB ACL \"{name}\""));
    let waited = creation::Waited::default();
    let there = |found: &Acl| {
        let members = folded(found.user_names());
        add.is_subset(&members) && remove.is_disjoint(&members)
    };
    let mut found = wait_active(env, name, cx).await.map_err(failed)?;
    if cx.noted().is_some() && there(&found) {
        found = creation::unless_lagging(cx, &waited, || acl(env, name), there).await?;
    }
    if there(&found) {
        return Ok((wait_active(env, name, cx).await.map_err(failed)?, false));
    }
    let members = folded(found.user_names());
    let some = |users: Vec<String>| (!users.is_empty()).then_some(users);
    let request = env
        .aws
        .memorydb
        .update_acl()
        .acl_name(name)
        .set_user_names_to_add(some(add.difference(&members).cloned().collect()))
        .set_user_names_to_remove(some(remove.intersection(&members).cloned().collect()));
    if cx.noted().is_none() {
        cx.note(json!({ "asked": true })).await?;
    }
    env.aws.change(SERVICE, "UpdateACL", request.send()).await.map_err(failed)?;
    let seen = RefCell::new(None);
    let look = || async {
        let found = acl(env, name).await?;
        let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
        // A read from before the change says active, too.
        let state =
            if status == "active" && !there(&found) { "modifying" } else { status.as_str() };
        let state = Seen::state(state);
        seen.replace(Some(found));
        Ok(state)
    };
    let wait = wait(name);
    cx.wait(&wait, look, || async { None }).await.map_err(failed)?;
    let found = seen.into_inner().ok_or_else(|| Failure::fatal("the wait ended without a look"))?;
    Ok((found, true))
}

fn wait(name: &str) -> Wait {
    Wait {
        subject: format!("ACL \"{name}\""),
        service: SERVICE,
        states: STATES,
        expected: Duration::from_secs(60),
    }
}

async fn wait_active(env: &Env, name: &str, cx: &Cx) -> Result<Acl, Failure> {
    let seen = RefCell::new(None);
    let look = || async {
        let found = acl(env, name).await?;
        let state = Seen::state(found.status().unwrap_or("unknown").to_ascii_lowercase());
        seen.replace(Some(found));
        Ok(state)
    };
    cx.wait(&wait(name), look, || async { None }).await?;
    seen.into_inner().ok_or_else(|| Failure::fatal("the wait ended without a look"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::operation::describe_acls::DescribeAcLsOutput;
    use aws_sdk_memorydb::operation::update_acl::UpdateAclOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn shown(status: &str, users: &[&str]) -> DescribeAcLsOutput {
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        let acl = Acl::builder().name("team").status(status).set_user_names(Some(users)).build();
        DescribeAcLsOutput::builder().acls(acl).build()
    }

    fn spec() -> Spec {
        testing::spec(
            json!({"name": "Team", "add": ["Guest", "app"], "remove": ["reader", "nobody"]}),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_not_so_yet_is_changed_and_it_is_put_back() {
        let describe = mock!(Client::describe_acls)
            .sequence()
            .output(|| shown("active", &["app", "reader"]))
            .times(2)
            .output(|| shown("active", &["app", "reader"]))
            .output(|| shown("modifying", &["app", "guest"]))
            .output(|| shown("active", &["app", "guest"]))
            .build();
        let update = mock!(Client::update_acl)
            .match_requests(|r| {
                r.acl_name() == Some("team")
                    && r.user_names_to_add() == ["guest"]
                    && r.user_names_to_remove() == ["reader"]
            })
            .then_output(|| UpdateAclOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&describe, &update], ..Rules::default() });
        let mut cx = testing::cx("members");
        let (prepared, _) = UpdateAcl::prepare(&env, &spec(), &cx).await.unwrap();
        assert_eq!(UpdateAcl::undo(&env, &spec(), &prepared, &cx).await.unwrap(), [""; 0]);
        let done = UpdateAcl::execute(&env, &spec(), &prepared, &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!(output.users, ["app", "guest"]);
        assert_eq!((update.num_calls(), describe.num_calls()), (1, 5));

        // Somebody has let one more in meanwhile: that stays.
        let describe = mock!(Client::describe_acls)
            .sequence()
            .output(|| shown("active", &["app", "guest", "more"]))
            .times(2)
            .output(|| shown("active", &["app", "more", "reader"]))
            .times(9)
            .build();
        let update = mock!(Client::update_acl)
            .match_requests(|r| {
                r.user_names_to_add() == ["reader"] && r.user_names_to_remove() == ["guest"]
            })
            .then_output(|| UpdateAclOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&describe, &update], ..Rules::default() });
        cx.note = Some(json!({"asked": true}));
        let did = UpdateAcl::undo(&env, &spec(), &prepared, &cx).await.unwrap();
        assert_eq!(did, ["put the users of MemoryDB ACL \"team\" back"]);
        assert_eq!(update.num_calls(), 1);
    }

    #[test]
    fn what_changes_nothing_or_contradicts_itself_is_refused() {
        let words = |args: Value| {
            let faults = UpdateAcl::check(&args);
            faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(words(json!({"name": "team", "add": ["guest"]})), "");
        assert!(words(json!({"name": "team"})).contains("changes nothing"));
        assert!(words(json!({"name": "open-access", "add": ["a"]})).contains("cannot be changed"));
        let both = json!({"name": "team", "add": ["Guest"], "remove": ["guest"]});
        assert!(words(both).contains("added and taken out"));
    }
}
