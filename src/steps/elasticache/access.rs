//! Who may write to a replication group or serverless cache: RBAC users and their access strings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_elasticache::types::{User, UserGroup};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::look::SERVICE;
use super::source::Source;
use crate::aws::{Op, call, elasticache_arn, found};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Seen, States, Wait};
use crate::steps::{Env, creation};

/// What is put at the end of an access string: the last word on a category wins (Redis and Valkey ACL documentation).
const NO_WRITES: &str = "-@write";
/// User and user group states (ElastiCache API reference, User and UserGroup).
const STATES: States =
    States { pending: &["modifying", "creating"], success: &["active"], terminal: &["deleting"] };
/// ModifyUser takes effect within seconds on small groups; no figures are published.
const EXPECTED: Duration = Duration::from_secs(30);

/// A user as it was before writes were stopped. Access strings are no secrets: passwords are not in them as ElastiCache
/// shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrozenUser {
    /// The user's id.
    pub(crate) id: String,
    /// The name clients log in with.
    pub(crate) name: String,
    /// The access string with which it may write, exactly as ElastiCache showed it.
    pub(crate) access_string: String,
}

impl FrozenUser {
    fn frozen(&self) -> String {
        format!("{} {NO_WRITES}", self.access_string)
    }

    /// For the journal.
    pub(super) fn resource(&self, env: &Env) -> Resource {
        Resource {
            what: "ElastiCache user".to_owned(),
            name: self.id.clone(),
            arn: Some(elasticache_arn(&env.identity, "user", &self.id)),
            role: Role::Changes,
        }
    }
}

/// Which way an access string is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Writes are taken away.
    Freeze,
    /// The exact string is put back.
    Thaw,
}

/// What was done about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// The access string was changed now.
    Changed,
    /// It was as wanted already.
    Already,
    /// Somebody has changed it to this meanwhile; it was left.
    Foreign(String),
    /// The user is gone.
    Gone,
}

/// A user.
pub(super) async fn user(env: &Env, id: &str) -> Result<Option<User>, Failure> {
    let request = env.aws.elasticache.describe_users().user_id(id);
    let answer = found(call(Op::read(SERVICE, "DescribeUsers"), request.send()).await)?;
    Ok(answer.and_then(|answer| answer.users?.into_iter().next()))
}

async fn user_group(env: &Env, id: &str) -> Result<UserGroup, Failure> {
    let request = env.aws.elasticache.describe_user_groups().user_group_id(id);
    let answer = call(Op::read(SERVICE, "DescribeUserGroups"), request.send()).await?;
    answer.user_groups.unwrap_or_default().into_iter().next().ok_or_else(|| {
        Failure::new(Class::NotFound, format!("there is no ElastiCache user group \"{id}\""))
    })
}

/// The users of a source that has these user groups, and every other deployment that the same users may enter.
pub(super) async fn users_of(
    env: &Env,
    source: &Source,
    attached: &[String],
) -> Result<(Vec<User>, BTreeSet<String>), Failure> {
    let mut user_groups: BTreeMap<String, UserGroup> = BTreeMap::new();
    for id in attached {
        user_groups.insert(id.clone(), user_group(env, id).await?);
    }
    let ids: BTreeSet<String> =
        user_groups.values().flat_map(|group| group.user_ids().to_vec()).collect();
    let mut users = Vec::new();
    for id in ids {
        let user = user(env, &id).await?.ok_or_else(|| {
            Failure::new(Class::NotFound, format!("there is no ElastiCache user \"{id}\""))
        })?;
        for id in user.user_group_ids() {
            if !user_groups.contains_key(id) {
                user_groups.insert(id.clone(), user_group(env, id).await?);
            }
        }
        users.push(user);
    }
    // Only user groups of users who would lose something count.
    let losing = |group: &&UserGroup| {
        users.iter().any(|user| {
            can_write(user)
                && user.user_id().is_some_and(|id| group.user_ids().iter().any(|u| u == id))
        })
    };
    let (mut groups, mut caches) = (BTreeSet::new(), BTreeSet::new());
    for group in user_groups.values().filter(losing) {
        groups.extend(group.replication_groups().iter().cloned());
        caches.extend(group.serverless_caches().iter().cloned());
    }
    // A cache and a group may have the same name.
    match source {
        Source::Group(own) => groups.retain(|id| !id.eq_ignore_ascii_case(own)),
        Source::Cache(own) => caches.retain(|name| !name.eq_ignore_ascii_case(own)),
    }
    let others = groups.into_iter().chain(caches).collect();
    Ok((users, others))
}

/// Whether a user may log in and write something. In doubt it may.
pub(super) fn can_write(user: &User) -> bool {
    may_write(user.access_string().unwrap_or_default())
}

/// Categories without a write command, and commands that readers are commonly given by name.
const WRITES_NOTHING: [&str; 20] = [
    "+@read",
    "+@connection",
    "+@pubsub",
    "+@transaction",
    "+cluster|info",
    "+cluster|keyslot",
    "+cluster|myid",
    "+cluster|nodes",
    "+cluster|shards",
    "+cluster|slots",
    "+command",
    "+dbsize",
    "+function|list",
    "+info",
    "+ping",
    "+pttl",
    "+scan",
    "+time",
    "+ttl",
    "+type",
];

/// Reads an access string from left to right, as the server does. A category that holds write commands among others
/// counts as writing, and a selector in parentheses too.
fn may_write(access: &str) -> bool {
    let (mut on, mut writes) = (true, false);
    for word in access.split_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "on" => on = true,
            "off" => on = false,
            "+@all" | "allcommands" => writes = true,
            "-@all" | "nocommands" | NO_WRITES => writes = false,
            rule if rule.starts_with('(') => return on,
            rule if WRITES_NOTHING.contains(&rule) => {}
            rule if rule.starts_with('+') => writes = true,
            _ => {}
        }
    }
    on && writes
}

/// Whether the access string has selectors: a `-@write` behind them does not reach into them.
pub(super) fn has_selectors(access: &str) -> bool {
    access.contains('(')
}

/// Whether two access strings mean the same to the server. The service may show a string otherwise than it was sent: it
/// orders switches, keys, channels and commands, and puts in what holds anyhow ("on ~app::* resetchannels -@all +@read"
/// in AWS's own examples for MemoryDB). Within one sort the order counts.
fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace()) || Meant::read(a) == Meant::read(b)
}

/// What an access string says, by sort, without what changes nothing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meant<'a> {
    on: bool,
    keys: Vec<&'a str>,
    channels: Vec<&'a str>,
    commands: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Meant<'a> {
    fn read(access: &'a str) -> Self {
        let mut meant = Self::default();
        if has_selectors(access) {
            // Words inside a selector belong to it.
            meant.others.extend(access.split_whitespace());
            return meant;
        }
        for word in access.split_whitespace() {
            match word {
                "on" => meant.on = true,
                "off" => meant.on = false,
                "allkeys" => meant.keys.push("~*"),
                "allchannels" => meant.channels.push("&*"),
                "allcommands" => meant.commands.push("+@all"),
                // A user begins with nothing: taking everything away first changes nothing.
                "resetkeys" if meant.keys.is_empty() => {}
                "resetchannels" if meant.channels.is_empty() => {}
                "-@all" | "nocommands" if meant.commands.is_empty() => {}
                "nocommands" => meant.commands.push("-@all"),
                _ if word.starts_with(['~', '%']) => meant.keys.push(word),
                _ if word.starts_with('&') => meant.channels.push(word),
                _ if word.starts_with(['+', '-']) => meant.commands.push(word),
                _ => meant.others.push(word),
            }
        }
        meant
    }
}

/// Changes one user's access string, if it still is what this run knows it to be, and waits until that is in effect.
/// `waited`: how long the step has waited for reads to catch up.
pub(super) async fn turn(
    env: &Env,
    cx: &Cx,
    user: &FrozenUser,
    turn: Turn,
    waited: &creation::Waited,
) -> Result<Turned, Failure> {
    let (from, to) = match turn {
        Turn::Freeze => (user.access_string.clone(), user.frozen()),
        Turn::Thaw => (user.frozen(), user.access_string.clone()),
    };
    // One "not found" must not pass for a user who is gone: who was not frozen goes on writing, and who was not thawed
    // never writes again.
    let look = || self::user(env, &user.id);
    let Some(mut now) = creation::until_visible(cx, look).await? else { return Ok(Turned::Gone) };
    // This run itself may have frozen it a moment ago, and the read may come from before. The other way round there is no
    // such moment: nothing is frozen again after it was thawed.
    let done = |user: &User| same(user.access_string().unwrap_or_default(), &to);
    if turn == Turn::Thaw && done(&now) {
        let look = || self::user(env, &user.id);
        let wanted = |seen: &Option<User>| seen.as_ref().is_none_or(done);
        now = creation::unless_lagging(cx, waited, look, wanted).await?.unwrap_or(now);
    }
    let access = now.access_string().unwrap_or_default();
    let turned = if same(access, &to) {
        Turned::Already
    } else if !same(access, &from) {
        return Ok(Turned::Foreign(access.to_owned()));
    } else {
        let request = env.aws.elasticache.modify_user().user_id(&user.id).access_string(&to);
        env.aws.change(SERVICE, "ModifyUser", request.send()).await.map_err(|failure| {
            failure.context(format!("failed to change the access string of user \"{}\"", user.id))
        })?;
        Turned::Changed
    };
    wait_active(env, cx, user, &to).await?;
    Ok(turned)
}

async fn wait_active(env: &Env, cx: &Cx, user: &FrozenUser, to: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("user \"{}\"", user.id),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED,
    };
    let look = || async {
        let Some(seen) = self::user(env, &user.id).await? else { return Ok(Seen::gone()) };
        // A describe that still shows the old string has not caught up.
        if !same(seen.access_string().unwrap_or_default(), to) {
            return Ok(Seen::state("modifying"));
        }
        Ok(Seen::state(seen.status().unwrap_or("unknown")))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

/// Waits until every user group is active, so that the servers have taken the change.
pub(super) async fn wait_groups(env: &Env, cx: &Cx, ids: &[String]) -> Result<(), Failure> {
    for id in ids {
        let wait = Wait {
            subject: format!("user group \"{id}\""),
            service: SERVICE,
            states: STATES,
            expected: EXPECTED,
        };
        let look = || async {
            match user_group(env, id).await {
                Ok(group) => Ok(Seen::state(group.status().unwrap_or("unknown"))),
                Err(failure) if failure.class == Class::NotFound => Ok(Seen::gone()),
                Err(failure) => Err(failure),
            }
        };
        cx.wait(&wait, look, || async { None }).await?;
    }
    Ok(())
}

/// Turns all of them; those that somebody else has changed are left, and named in a `Conflict` when the others are done.
pub(super) async fn turn_all(
    env: &Env,
    cx: &Cx,
    users: &[FrozenUser],
    which: Turn,
) -> Result<Vec<(FrozenUser, Turned)>, Failure> {
    let waited = creation::Waited::default();
    let mut turned = Vec::new();
    let mut foreign = Vec::new();
    for user in users {
        let done = turn(env, cx, user, which, &waited).await?;
        if let Turned::Foreign(access) = &done {
            let wanted = match which {
                Turn::Freeze => user.frozen(),
                Turn::Thaw => user.access_string.clone(),
            };
            foreign.push(format!(
                "user \"{}\" has \"{access}\" now; it was left. This run would have set \"{wanted}\"",
                user.id
            ));
        }
        turned.push((user.clone(), done));
    }
    if foreign.is_empty() {
        return Ok(turned);
    }
    let mut failure =
        Failure::new(Class::Conflict, "somebody changed access strings while this run held them");
    failure.causes = foreign;
    Err(failure.mend("decide with whoever changed them what they shall be, and set them yourself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_the_service_shows_in_its_own_order_is_still_the_same() {
        for (sent, shown) in [
            ("on ~app::* +@read -@write", "on ~app::* resetchannels -@all +@read -@write"),
            ("on +@all ~* &*", "on ~* &* +@all"),
            ("on allkeys  +@all -@write", "on ~* -@all +@all -@write"),
        ] {
            assert!(same(sent, shown), "{sent} / {shown}");
        }
        for (one, other) in [
            ("on ~* +@all", "on ~* +@all -@write"),
            ("on ~* -@write +@all", "on ~* +@all -@write"),
            ("on ~* +@all", "off ~* +@all"),
            ("on ~* +@all -@all", "on ~* +@all"),
            ("on ~a +@all", "on ~b +@all"),
            ("on ~* +get (+set ~x)", "on ~* +get (~x +set)"),
        ] {
            assert!(!same(one, other), "{one} / {other}");
        }
    }

    #[test]
    fn access_strings_are_read_as_the_server_does() {
        for writes in [
            "on ~* +@all",
            "on ~app:* -@all +@read +set",
            "on ~* -@write +@all",
            "on ~* -@all +@string",
            "on ~* -@all +@read (+set ~x)",
            "off on ~* allcommands",
        ] {
            assert!(may_write(writes), "{writes}");
        }
        for reads in [
            "off ~* +@all",
            "on ~* +@all -@write",
            "on ~* -@all +@read +@connection",
            "on ~* +@all nocommands",
            "",
        ] {
            assert!(!may_write(reads), "{reads}");
        }
    }
}
