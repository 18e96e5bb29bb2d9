//! The ACL, and what its users can do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::cluster::SERVICE;
use super::super::{Env, Failure, Finding, OPEN_ACCESS, Op, no_acl};
use super::source::Source;
use super::{mind, unread};
use crate::aws::{found, shell};
use crate::facts::Access;
use crate::steps::creation;
use crate::steps::redis::counted;
use crate::survey::User;

const ACL: &str = "target.acl";
const USERS: &str = "target.acl.users";
const SOURCE_USERS: &str = "target.acl.source_users";
/// Longest name of a user (MemoryDB API reference, CreateUser).
const LONGEST_USER: usize = 40;

pub(super) async fn findings(env: &Env, args: &Value, source: &Source) -> Vec<Finding> {
    let Some(name) = args["acl"].as_str().map(str::to_ascii_lowercase) else { return Vec::new() };
    if name == OPEN_ACCESS {
        return vec![
            mind(
                ACL,
                "ACL open-access means no authentication: whoever reaches the port may run every command",
                format!(
                    "to have it otherwise, make users and an ACL, and name that in `acl`:\n{}",
                    commands("app", None, &[("app", "on ~* &* +@all")], &env.identity.region)
                ),
            )
            .seen("acl", OPEN_ACCESS),
        ];
    }
    let client = &env.aws.memorydb;
    let look = || client.describe_acls().acl_name(&name).send();
    let answer = found(env.survey.ask(Op::read(SERVICE, "DescribeACLs"), look).await);
    let acl = match answer.map(|answer| answer.and_then(|answer| answer.acls?.into_iter().next())) {
        Err(failure) => return vec![unread(ACL, &failure)],
        Ok(None) => {
            let mend = match source_users(env, &name, None, source).await {
                Some(Finding { mend: Some(mend), .. }) => mend,
                _ => commands(&name, None, &[("app", "on ~* &* +@all")], &env.identity.region),
            };
            let mend =
                format!("{mend}\n(\"open-access\" is always there, and means no authentication)");
            return vec![unread(ACL, &no_acl(&name)).mend(mend)];
        }
        Ok(Some(acl)) => acl,
    };
    let names: Vec<String> = acl.user_names().to_vec();
    let mut findings =
        vec![state(&name, acl.status().unwrap_or("unknown"), &names, &env.identity.region)];
    findings.push(match users(env, &names).await {
        Ok(users) => what_users_can(&name, &users, &env.identity.region),
        Err(failure) => Finding::cannot_know(USERS, failure.to_string()),
    });
    findings.extend(source_users(env, &name, Some(&names), source).await);
    findings
}

fn state(name: &str, status: &str, users: &[String], region: &str) -> Finding {
    let finding = match status.to_ascii_lowercase().as_str() {
        "active" => Finding::ok(ACL, format!("ACL \"{name}\" is active")),
        "deleting" => Finding::will_fail(
            ACL,
            format!("ACL \"{name}\" is being deleted"),
            "name another ACL, or make it again once it is gone",
        ),
        status => Finding::cannot_know(ACL, format!("ACL \"{name}\" is {status}")).mend(format!(
            "wait until it is active: aws memorydb describe-acls --acl-name {} --region {region}",
            shell(name)
        )),
    };
    finding.seen("users", users)
}

/// Access strings by user.
async fn users(env: &Env, names: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let client = &env.aws.memorydb;
    let read = |name: &String| {
        let name = name.clone();
        async move {
            let look = || client.describe_users().user_name(&name).send();
            let answer = env.survey.ask(Op::read(SERVICE, "DescribeUsers"), look).await?;
            let access = answer.users().first().and_then(|user| user.access_string());
            Ok((name.clone(), access.unwrap_or_default().to_owned()))
        }
    };
    let all = futures::future::try_join_all(names.iter().map(read)).await?;
    Ok(all.into_iter().collect())
}

/// The cluster is made all the same; who cannot work with it shows only after the swap. So it cannot be known whether
/// that matters.
fn what_users_can(acl: &str, users: &BTreeMap<String, String>, region: &str) -> Finding {
    let read: Vec<(&str, Access)> =
        users.iter().map(|(name, access)| (name.as_str(), Access::read(access))).collect();
    let update = |user: &str, access: &str| {
        format!(
            "aws memorydb update-user --user-name {user} --access-string {} --region {region}",
            shell(access)
        )
    };
    let (mut problems, mut mends) = (Vec::new(), Vec::new());
    // Who gets every right needs no second command, which would replace the first.
    let mut given = None;
    let enters: Vec<&(&str, Access)> = read.iter().filter(|(_, access)| access.on).collect();
    if enters.is_empty() {
        problems.push(format!("nobody may log in under ACL \"{acl}\""));
        mends.push(format!(
            "aws memorydb update-acl --acl-name {acl} --user-names-to-add USER --region {region}"
        ));
    } else if !enters.iter().any(|(_, access)| access.writes()) {
        problems.push(format!("nobody may write under ACL \"{acl}\""));
        mends.push(update(enters[0].0, "on ~* &* +@all"));
        given = Some(enters[0].0);
    }
    for (name, _) in read.iter().filter(|(_, access)| !access.on) {
        problems.push(format!("user \"{name}\" is off"));
    }
    for (name, access) in &enters {
        let lacks = access.lacks_for_clusters();
        if !lacks.is_empty() && !access.selectors {
            problems.push(format!("user \"{name}\" lacks {}", lacks.join(", ")));
            if given == Some(*name) {
                continue;
            }
            let rules: Vec<&str> =
                lacks.iter().filter_map(|lack| Some(lack.split_once(" (")?.0)).collect();
            mends.push(update(name, &format!("{} {}", users[*name], rules.join(" "))));
        }
    }
    let finding = match (problems.is_empty(), enters.len()) {
        (true, count) => Finding::ok(
            USERS,
            format!(
                "{} may log in, somebody may write, and all may do what cluster clients need",
                counted(count as u64, "user", "users")
            ),
        ),
        (false, _) if mends.is_empty() => {
            mind(USERS, problems.join("; "), "give them `on` if applications log in as them")
        }
        (false, _) => Finding::cannot_know(
            USERS,
            format!("{}; whether applications log in as them is not known", problems.join("; ")),
        )
        .mend(mends.join("\n")),
    };
    finding.seen("access strings", json!(users))
}

/// The commands that make users, and put them into the ACL, or make it with them.
fn commands(acl: &str, names: Option<&[String]>, users: &[(&str, &str)], region: &str) -> String {
    let mut lines: Vec<String> = users
        .iter()
        .map(|(name, access)| {
            format!(
                "aws memorydb create-user --user-name {} --authentication-mode Type=password,Passwords=\"$PASSWORD\" \
                 --access-string {} --region {region}",
                shell(name),
                shell(access)
            )
        })
        .collect();
    let list: Vec<String> = users.iter().map(|(name, _)| shell(name)).collect();
    let (acl, list) = (shell(acl), list.join(" "));
    lines.push(match names {
        Some(_) => {
            format!("aws memorydb update-acl --acl-name {acl} --user-names-to-add {list} --region {region}")
        }
        None => format!("aws memorydb create-acl --acl-name {acl} --user-names {list} --region {region}"),
    });
    lines.push("with the password that each one's clients have now in PASSWORD".to_owned());
    lines.join("\n")
}

/// Passwords are not compared: neither service gives them back.
/// `names` are the ACL's users; nothing, if there is no such ACL.
async fn source_users(
    env: &Env,
    acl: &str,
    names: Option<&[String]>,
    source: &Source,
) -> Option<Finding> {
    let groups = &source.group()?.user_groups;
    if groups.is_empty() {
        return None;
    }
    let mut missing = Vec::new();
    let mut all = 0;
    for group in groups {
        let users = match env.survey.users(group).await {
            Ok(users) => users,
            Err(failure) => {
                return Some(Finding::cannot_know(SOURCE_USERS, failure.to_string()));
            }
        };
        // Nobody logs in as a user that is off; and nobody may be called "default" in an ACL of MemoryDB.
        for user in users.iter().filter(|user| Access::read(&user.access).on) {
            all += 1;
            let there =
                names.unwrap_or_default().iter().any(|name| name.eq_ignore_ascii_case(&user.name));
            if !there && !missing.iter().any(|known: &User| known.name == user.name) {
                missing.push(user.clone());
            }
        }
    }
    let quoted = |users: &[&User]| {
        users.iter().map(|user| format!("\"{}\"", user.name)).collect::<Vec<_>>().join(", ")
    };
    let all_missing: Vec<&User> = missing.iter().collect();
    // The name default belongs to open-access.
    let can_be_made = |user: &&User| {
        user.name != "default" && creation::checked_name("user", &user.name, LONGEST_USER).is_ok()
    };
    let (made, lost): (Vec<&User>, Vec<&User>) = missing.iter().partition(can_be_made);
    let region = &env.identity.region;
    let mut mends: Vec<String> = Vec::new();
    if !made.is_empty() {
        let made: Vec<(&str, &str)> =
            made.iter().map(|user| (user.name.as_str(), user.access.as_str())).collect();
        mends.push(commands(acl, names, &made, region));
    }
    if !lost.is_empty() {
        mends.push(format!(
            "MemoryDB can have no user named {}: give their clients another user, at both ends, before the swap",
            quoted(&lost)
        ));
    }
    Some(if missing.is_empty() {
        Finding::ok(
            SOURCE_USERS,
            format!(
                "whoever of the source's {} may log in has a user of that name in ACL \"{acl}\"",
                counted(all, "user", "users")
            ),
        )
    } else {
        let list = quoted(&all_missing);
        Finding::cannot_know(
            SOURCE_USERS,
            format!("the source lets {list} in, and ACL \"{acl}\" has nobody of that name: whoever logs in so is refused after the swap"),
        )
        .mend(mends.join("\n"))
    }
    .seen("missing", missing.into_iter().map(|user| user.name).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_takes_back_what_the_one_before_it_gave() {
        let users = BTreeMap::from([("app".to_owned(), "on ~* +@read".to_owned())]);
        let finding = what_users_can("acl", &users, "us-east-1");
        let mend = finding.mend.expect("nobody may write");
        assert_eq!(
            mend,
            "aws memorydb update-user --user-name app --access-string 'on ~* &* +@all' --region us-east-1"
        );
    }
}
