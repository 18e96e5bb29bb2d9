//! What users, ACLs, subnet groups and parameter groups have in common: one call makes them under a name, with tags that
//! say whose they are, and one call removes them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_memorydb::types::Tag;
use serde::{Deserialize, Serialize};

use super::cluster::{self, SERVICE};
use crate::aws::memorydb_arn;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Wait};
use crate::steps::creation::{self, Call};
use crate::steps::{Done, Env, ownership};

/// The check that the name of something new is free.
pub(crate) const NAME: &str = "made.name";

/// Users and ACLs take their time; the groups are there at once (MemoryDB API reference, User and ACL).
const STATES: States =
    States { pending: &["creating", "modifying"], success: &["active"], terminal: &["deleting"] };
const GONE_STATES: States =
    States { pending: &["active", "modifying", "deleting"], success: &[GONE], terminal: &[] };
/// Users take seconds and ACLs about a minute (observed by others; no page says so).
const EXPECTED: Duration = Duration::from_secs(60);

/// Something that a kind makes.
pub(super) trait Made {
    /// As the service describes it.
    type Found;
    /// What it is, in the service's words.
    const WHAT: &'static str;
    /// What it is called in ARNs.
    const ARN: &'static str;
    /// Longest name of one.
    const LONGEST: usize;

    /// The name that the playbook gives.
    fn name(&self) -> &str;
    /// Whether one that exists and is just so is taken as it is.
    fn adopts(&self) -> bool;
    /// Reads it.
    async fn find(env: &Env, name: &str) -> Result<Option<Self::Found>, Failure>;
    /// Its state, if it has states.
    fn status(found: &Self::Found) -> Option<&str>;
    /// What is not as the playbook says.
    async fn differences(&self, env: &Env, found: &Self::Found) -> Result<Vec<String>, Failure>;
    /// Makes it.
    async fn create(&self, env: &Env, cx: &Cx, name: &str, tags: Vec<Tag>) -> Result<(), Failure>;
    /// What is still to be done to one that was just made or adopted after a crash.
    async fn complete(&self, env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
        let _ = (env, cx, name);
        Ok(())
    }
    /// Removes it.
    async fn delete(env: &Env, name: &str) -> Result<(), Failure>;
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(super) name: String,
    pub(super) arn: String,
    /// It was there before, just as it is wanted: nothing is made, and nothing is undone.
    pub(super) theirs: bool,
}

fn what<M: Made>(name: &str) -> String {
    format!("{} \"{name}\"", M::WHAT)
}

/// Whether the name is free, or holds what may be adopted.
pub(super) async fn finding<M: Made>(env: &Env, made: &M) -> Finding {
    let Ok(name) = creation::checked_name("name", made.name(), M::LONGEST) else {
        return Finding::ok(NAME, "the name is refused by `validate`");
    };
    let what = what::<M>(&name);
    let found = match M::find(env, &name).await {
        Ok(found) => found,
        Err(failure) => return Finding::of(NAME, &failure),
    };
    let Some(found) = found else {
        return Finding::ok(NAME, format!("there is no {what} yet")).seen("exists", false);
    };
    let finding = match made.differences(env, &found).await {
        Err(failure) => Finding::of(NAME, &failure),
        Ok(differences) if made.adopts() && differences.is_empty() => Finding::ok(
            NAME,
            format!("{what} is there already, as it is wanted: it is taken as it is"),
        ),
        Ok(differences) if made.adopts() => Finding::will_fail(
            NAME,
            format!(
                "{what} is there already, and is not as it is wanted: {}",
                differences.join("; ")
            ),
            "choose another name, or write in the playbook what is there",
        ),
        Ok(_) => Finding::will_fail(
            NAME,
            format!("{what} exists already"),
            "choose another name; `adopt: true` takes one that is just as the playbook says",
        ),
    };
    finding.seen("exists", true)
}

pub(super) async fn prepare<M: Made>(
    env: &Env,
    made: &M,
    cx: &Cx,
) -> Result<(Prepared, Vec<Resource>), Failure> {
    let name = creation::checked_name(&format!("name of a {}", M::WHAT), made.name(), M::LONGEST)?;
    let arn = memorydb_arn(&env.identity, M::ARN, &name);
    let mut theirs = false;
    if let Some(found) = M::find(env, &name).await?
        && !cluster::is_ours(env, cx, &arn).await?
    {
        let differences = made.differences(env, &found).await?;
        if !made.adopts() || !differences.is_empty() {
            return Err(ownership::not_ours(&what::<M>(&name), &differences));
        }
        theirs = true;
    }
    let resource = Resource {
        what: M::WHAT.to_owned(),
        name: name.clone(),
        arn: Some(arn.clone()),
        role: Role::Creates,
    };
    let resources = if theirs { Vec::new() } else { vec![resource] };
    Ok((Prepared { name, arn, theirs }, resources))
}

/// Makes it, or takes what an earlier attempt made, and waits until it can be used.
pub(super) async fn execute<M: Made, T>(
    env: &Env,
    made: &M,
    prepared: &Prepared,
    cx: &Cx,
    output: impl Fn(&M::Found) -> T,
) -> Result<Done<T>, Failure> {
    let name = &prepared.name;
    let failed =
        |failure: Failure| failure.context(format!("failed to create {}", what::<M>(name)));
    if prepared.theirs {
        let found = M::find(env, name).await?.ok_or_else(|| {
            Failure::new(Class::Conflict, format!("{} was there and is gone", what::<M>(name)))
        })?;
        let differences = made.differences(env, &found).await?;
        if !differences.is_empty() {
            return Err(ownership::not_ours(&what::<M>(name), &differences));
        }
        return Ok(Done::Unchanged(output(&found)));
    }
    let adopted = match M::find(env, name).await? {
        Some(found) => {
            ours_or_fail(env, cx, made, &found, prepared).await?;
            true
        }
        None => create(env, cx, made, prepared).await.map_err(failed)?,
    };
    made.complete(env, cx, name).await.map_err(failed)?;
    let found = wait_active::<M>(env, cx, name).await.map_err(failed)?;
    let output = output(&found);
    Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
}

async fn ours_or_fail<M: Made>(
    env: &Env,
    cx: &Cx,
    made: &M,
    found: &M::Found,
    prepared: &Prepared,
) -> Result<(), Failure> {
    if cluster::is_ours(env, cx, &prepared.arn).await? {
        return Ok(());
    }
    let differences = made.differences(env, found).await?;
    Err(ownership::not_ours(&what::<M>(&prepared.name), &differences))
}

/// Gives whether an earlier call had made it already.
async fn create<M: Made>(
    env: &Env,
    cx: &Cx,
    made: &M,
    prepared: &Prepared,
) -> Result<bool, Failure> {
    let own = ownership::tags(cx);
    let tag = |(key, value): &(&str, String)| Tag::builder().key(*key).value(value).build();
    let tags = own.iter().map(tag).collect();
    match made.create(env, cx, &prepared.name, tags).await {
        Ok(()) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            match creation::until_visible(cx, || M::find(env, &prepared.name)).await? {
                Some(found) => {
                    ours_or_fail(env, cx, made, &found, prepared).await?;
                    Ok(true)
                }
                None => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    }
}

async fn wait_active<M: Made>(env: &Env, cx: &Cx, name: &str) -> Result<M::Found, Failure> {
    let wait =
        Wait { subject: what::<M>(name), service: SERVICE, states: STATES, expected: EXPECTED };
    let last = std::cell::RefCell::new(None);
    let look = || async {
        let Some(found) = M::find(env, name).await? else { return Ok(Seen::gone()) };
        creation::note_call(cx, Call::Taken).await?;
        let state = M::status(&found).unwrap_or("active").to_ascii_lowercase();
        last.replace(Some(found));
        Ok(Seen::state(state))
    };
    cx.wait(&wait, look, || async { None }).await?;
    last.into_inner().ok_or_else(|| Failure::fatal(format!("{} is gone again", what::<M>(name))))
}

/// Removes what the step made, and waits until it is gone.
pub(super) async fn undo<M: Made>(
    env: &Env,
    prepared: &Prepared,
    cx: &Cx,
) -> Result<Vec<String>, Failure> {
    if prepared.theirs || creation::call_state(cx) == Call::Never {
        return Ok(Vec::new());
    }
    let name = &prepared.name;
    let Some(found) = creation::look_for_made(cx, || M::find(env, name)).await? else {
        return Ok(Vec::new());
    };
    let going = M::status(&found).is_some_and(|status| status.eq_ignore_ascii_case("deleting"));
    if !going {
        if !cluster::is_ours(env, cx, &prepared.arn).await? {
            cx.warn(format!("{} is not this run's; it was left", what::<M>(name)));
            return Ok(Vec::new());
        }
        let deleted = M::delete(env, name).await.map_err(creation::not_deleted);
        deleted.map_err(|f| f.context(format!("failed to delete {}", what::<M>(name))))?;
    }
    let wait = Wait {
        subject: what::<M>(name),
        service: SERVICE,
        states: GONE_STATES,
        expected: EXPECTED,
    };
    let look = || async {
        let found = creation::unless_gone(cx, || M::find(env, name)).await?;
        let state = |found: M::Found| Seen::state(M::status(&found).unwrap_or("active"));
        Ok(found.map_or_else(Seen::gone, state))
    };
    cx.wait(&wait, look, || async { None }).await?;
    creation::note_call(cx, Call::Over).await?;
    Ok(vec![format!("deleted {}", what::<M>(name))])
}

/// Differences of settings that have to be the same, in the words of `ownership::not_ours`.
pub(super) fn differ(of: &str, intended: &str, found: &str) -> Option<String> {
    (intended != found).then(|| format!("its {of} is {found}, intended is {intended}"))
}

/// Differences of named values.
pub(super) fn differing(
    of: &str,
    intended: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Vec<String> {
    let each = intended.iter().filter_map(|(name, wanted)| {
        let found = found.get(name).map_or("unknown", String::as_str);
        differ(&format!("{of} {name}"), wanted, found)
    });
    each.collect()
}
