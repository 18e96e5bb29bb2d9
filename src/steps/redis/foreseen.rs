//! What can be told of a comparison before a run whose earlier steps make one of the sides, or find the other.

use serde_json::Value;

use super::side::check;
use crate::aws::{Op, found, shell};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::facts::Access;
use crate::steps::Env;

const RIGHTS: &str = "compare.rights";
const MEMORYDB: &str = "MemoryDB";
/// The ACL of MemoryDB that asks nobody who they are (MemoryDB developer guide, ACLs).
const OPEN_ACCESS: &str = "open-access";

/// The side that is compared with: there already, so that the very login can be tried.
pub(super) async fn source(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    let step = cx.around.upstream("elasticache.create_snapshot");
    let id = step.and_then(|step| step.args["replication_group"].as_str());
    let (Some(id), None) = (id, args["source"]["endpoint"].as_str()) else {
        return check(env, args, "source", None).await;
    };
    let read = env.survey.group(id).await;
    // That there is none, or that it cannot be read, the step that copies it says.
    let group = read.as_ref().ok().and_then(|group| group.as_ref().as_ref());
    let at = group.and_then(|group| Some((group.endpoint.as_ref()?.to_string(), group.tls)));
    let at = at.as_ref().map(|(endpoint, tls)| (endpoint.as_str(), *tls));
    let mut findings = check(env, args, "source", at).await;
    let Some(group) = group.filter(|group| !group.user_groups.is_empty()) else { return findings };
    let user = args["source"]["user"].as_str().unwrap_or("default");
    let mut access = None;
    for name in &group.user_groups {
        match env.survey.users(name).await {
            Ok(users) => {
                access = access.or(users.iter().find(|u| u.name == user).map(|u| u.access.clone()));
            }
            Err(failure) => {
                findings.push(unseen(&failure));
                return findings;
            }
        }
    }
    let six = group.engine_version().is_some_and(|version| version.starts_with("6."));
    let region = &env.identity.region;
    findings.push(match access {
        None => Finding::will_fail(
            RIGHTS,
            format!("\"{id}\" has no user \"{user}\" to compare by"),
            format!(
                "put one into its user group {}: aws elasticache modify-user-group --user-group-id {} --user-ids-to-add \
                 USER_ID --region {region}",
                group.user_groups[0],
                shell(&group.user_groups[0])
            ),
        ),
        Some(access) => rights(&format!("user \"{user}\" of \"{id}\""), &access, !six, |needed| {
            format!(
                "aws elasticache modify-user --user-id USER_ID --access-string {} --region {region}\nwhere USER_ID is the id of \
                 the user named {user}",
                shell(needed)
            )
        }),
    });
    findings
}

/// The side that is compared: made by the run, under an ACL that is there already.
pub(super) async fn target(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    let mut findings = check(env, args, "target", None).await;
    let Some(step) = cx.around.upstream("memorydb.create_cluster") else { return findings };
    let acl = step.args["acl"].as_str().map(str::to_ascii_lowercase);
    let Some(acl) = acl.filter(|acl| acl != OPEN_ACCESS) else { return findings };
    let six = step.args["engine_version"].as_str() == Some("6.2");
    let user = args["target"]["user"].as_str().unwrap_or("default").to_ascii_lowercase();
    match under_acl(env, &acl, &user, !six).await {
        Ok(finding) => findings.extend(finding),
        Err(failure) => findings.push(unseen(&failure)),
    }
    findings
}

/// `None` if there is no such ACL: the step that uses it says so.
async fn under_acl(
    env: &Env,
    acl: &str,
    user: &str,
    functions: bool,
) -> Result<Option<Finding>, Failure> {
    let (client, region) = (&env.aws.memorydb, &env.identity.region);
    let look = || client.describe_acls().acl_name(acl).send();
    let answer = found(env.survey.ask(Op::read(MEMORYDB, "DescribeACLs"), look).await)?;
    let Some(there) = answer.and_then(|answer| answer.acls?.into_iter().next()) else {
        return Ok(None);
    };
    if !there.user_names().iter().any(|name| name.eq_ignore_ascii_case(user)) {
        return Ok(Some(Finding::will_fail(
            RIGHTS,
            format!("ACL \"{acl}\" has no user \"{user}\" to compare by"),
            format!(
                "aws memorydb update-acl --acl-name {} --user-names-to-add {} --region {region}",
                shell(acl),
                shell(user)
            ),
        )));
    }
    let look = || client.describe_users().user_name(user).send();
    let answer = env.survey.ask(Op::read(MEMORYDB, "DescribeUsers"), look).await?;
    let access = answer.users().first().and_then(|user| user.access_string()).unwrap_or_default();
    let who = format!("user \"{user}\" of ACL \"{acl}\"");
    Ok(Some(rights(&who, access, functions, |needed| {
        format!(
            "aws memorydb update-user --user-name {} --access-string {} --region {region}",
            shell(user),
            shell(needed)
        )
    })))
}

/// Whether an access string lets a user compare; `mend` is a command that gives it one that does.
fn rights(who: &str, access: &str, functions: bool, mend: impl Fn(&str) -> String) -> Finding {
    let read = Access::read(access);
    if !read.on {
        // By words: a key pattern may hold these letters too.
        let rest = access.split_whitespace().filter(|word| !word.eq_ignore_ascii_case("off"));
        let on = ["on"].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
        return Finding::will_fail(
            RIGHTS,
            format!("{who} is off: nobody can log in as it"),
            mend(&on),
        );
    }
    let lacks = read.lacks_for_comparing(functions);
    if lacks.is_empty() {
        return Finding::ok(RIGHTS, format!("{who} may do what a comparison takes"));
    }
    Finding::will_fail(
        RIGHTS,
        format!("{who} lacks {} for a comparison", lacks.join(" ")),
        mend(&format!("{access} {}", lacks.join(" "))),
    )
}

fn unseen(failure: &Failure) -> Finding {
    let finding = Finding::cannot_know(
        RIGHTS,
        format!("whether the user of the comparison may do what it takes: {failure}"),
    );
    match failure.class {
        Class::Denied => {
            finding.mend("allow the caller to look: `orchestrate iam` writes the policy")
        }
        _ => finding.mend("plan again"),
    }
}

#[cfg(test)]
mod tests {
    use super::rights;
    use crate::engine::Verdict;

    #[test]
    fn who_is_off_is_given_the_same_rights_and_no_other_keys() {
        let found = rights("user", "off ~offers:* &* +@all", true, str::to_owned);
        assert_eq!(found.verdict, Verdict::WillFail);
        assert_eq!(found.mend.as_deref(), Some("on ~offers:* &* +@all"));
    }
}
