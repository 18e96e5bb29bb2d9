//! Whether the clients of a source will be able to speak to the MemoryDB cluster that takes its place. AWS refuses none
//! of this: the swap goes well, and the clients fail.

use super::{Source, Target};
use crate::aws::shell;
use crate::engine::Finding;
use crate::steps::redis::counted;
use crate::steps::{Env, creation};
use crate::survey::{Authentication, User};

/// Longest name of a user in MemoryDB (MemoryDB API reference, CreateUser).
const LONGEST_USER: usize = 40;
/// MemoryDB's ACL that lets everybody in.
const OPEN_ACCESS: &str = "open-access";

pub(super) async fn findings(env: &Env, source: &Source<'_>) -> Vec<Finding> {
    vec![cluster_mode(source), tls(source), auth(source), users(env, source).await]
}

/// MemoryDB is always in cluster mode (MemoryDB developer guide, clusters).
fn cluster_mode(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.cluster_mode";
    let (id, on) = (source.id, source.group.cluster_enabled);
    let finding = match &source.target {
        _ if on => Finding::ok(
            CHECK,
            format!("\"{id}\" is in cluster mode: its clients speak the cluster protocol already"),
        ),
        None => Finding::ok(CHECK, format!("\"{id}\" is not in cluster mode")),
        Some(target) => Finding::cannot_know(
            CHECK,
            format!(
                "\"{id}\" is not in cluster mode, and \"{}\" will be: clients must be cluster clients, use database 0 alone \
                 (no SELECT), and keep the keys of one command, MULTI or script in one hash slot",
                target.name
            ),
        )
        .mend(format!(
            "change the clients first; ElastiCache lets both sorts in meanwhile: aws elasticache \
             modify-replication-group --replication-group-id {id} --cluster-mode compatible --apply-immediately \
             --region {}",
            source.region
        )),
    };
    finding.seen("cluster_mode", on)
}

fn tls(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.tls";
    let (id, tls) = (source.id, source.group.tls);
    let speaks = if tls { "speaks TLS" } else { "does not speak TLS" };
    let finding = match &source.target {
        Some(target) if target.tls.is_some_and(|wanted| wanted != tls) => {
            let (will, change) =
                if tls { ("will not", "take TLS off") } else { ("will", "put TLS on") };
            Finding::cannot_know(
                CHECK,
                format!("\"{id}\" {speaks}, and \"{}\" {will}: every client must {change} as it moves", target.name),
            )
            .mend(
                "keep it beside the endpoint, so that both change at once: a target of `format: url`, or a JSON field \
                 named by `fields.tls`, with `tls` set in endpoint.swap",
            )
        }
        Some(target) if target.tls.is_none() => Finding::cannot_know(
            CHECK,
            format!(
                "\"{id}\" {speaks}; whether \"{}\" will is known to the run alone",
                target.name
            ),
        ),
        Some(target) => {
            Finding::ok(CHECK, format!("\"{id}\" {speaks}, and so will \"{}\"", target.name))
        }
        None => Finding::ok(CHECK, format!("\"{id}\" {speaks}")),
    };
    finding.seen("tls", tls)
}

/// MemoryDB has ACL users alone: no AUTH token, and no user "default" but in open-access, where it has no password
/// (MemoryDB developer guide, ACLs).
fn auth(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.auth";
    let (id, group) = (source.id, source.group);
    let model = match (group.auth_token, group.user_groups.is_empty()) {
        (true, _) => "token",
        (false, false) => "users",
        (false, true) => "none",
    };
    let open = |target: &Target| {
        target.acl.as_deref().is_some_and(|acl| acl.eq_ignore_ascii_case(OPEN_ACCESS))
    };
    let finding = match (&source.target, model) {
        (Some(target), "users") if open(target) => Finding::cannot_know(
            CHECK,
            format!(
                "clients of \"{id}\" log in as users, and \"{}\" with ACL \"{OPEN_ACCESS}\" has none of them: their logins are \
                 refused there. AWS does not stop the move for it",
                target.name
            ),
        )
        .mend(format!(
            "name an ACL that has the source's users: aws memorydb describe-acls --region {}",
            source.region
        )),
        (_, "users") => Finding::ok(
            CHECK,
            format!("clients of \"{id}\" log in as users, as they must in MemoryDB"),
        ),
        (None, "token") => Finding::ok(CHECK, format!("clients of \"{id}\" log in with an AUTH token")),
        (None, _) => Finding::ok(CHECK, format!("clients of \"{id}\" do not log in")),
        (Some(target), "token") if open(target) => Finding::cannot_know(
            CHECK,
            format!(
                "clients of \"{id}\" log in with an AUTH token, and \"{}\" with ACL \"{OPEN_ACCESS}\" has no password: AUTH is \
                 an error there. AWS does not stop the move for it",
                target.name
            ),
        )
        .mend("take the token from the clients together with the address, or name an ACL with users"),
        (Some(target), "token") => Finding::cannot_know(
            CHECK,
            format!(
                "clients of \"{id}\" log in with an AUTH token, and \"{}\" knows users alone: who sends AUTH <password> \
                 is refused there. AWS does not stop the move for it",
                target.name
            ),
        )
        .mend(
            "make clients send AUTH <user> <password> before the swap, as a user of that ACL; one of your own with that name \
             and password at the source lets them change beforehand (RBAC)",
        ),
        (Some(target), _) if open(target) => Finding::ok(
            CHECK,
            format!("clients of \"{id}\" do not log in, and need not in \"{}\"", target.name),
        ),
        (Some(target), _) => Finding::cannot_know(
            CHECK,
            format!(
                "clients of \"{id}\" do not log in, and those of \"{}\" must, as a user of ACL \"{}\". AWS does not stop the \
                 move for it",
                target.name,
                target.acl.as_deref().unwrap_or("…")
            ),
        )
        .mend("give clients a user and its password before the swap; `acl: open-access` lets everybody in, who reaches the port"),
    };
    finding.seen("auth", model)
}

/// Which RBAC users cannot be had in MemoryDB: the name "default" belongs to open-access, and a user needs a password or
/// IAM (MemoryDB API reference, CreateUser).
async fn users(env: &Env, source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.users";
    let (id, groups) = (source.id, &source.group.user_groups);
    if groups.is_empty() {
        return Finding::ok(CHECK, format!("\"{id}\" has no RBAC users"))
            .seen("users", Vec::<String>::new());
    }
    let read = futures::future::try_join_all(groups.iter().map(|group| env.survey.users(group)));
    let users: Vec<User> = match read.await {
        Ok(users) => users.iter().flat_map(|users| users.iter().cloned()).collect(),
        Err(failure) => {
            let what = format!("the users of \"{id}\" could not be read: {failure}");
            return Finding::cannot_know(CHECK, what).mend(
                "allow elasticache:DescribeUserGroups and elasticache:DescribeUsers to the caller",
            );
        }
    };
    let mut lost = Vec::new();
    // Who cannot log in has nothing to lose.
    for user in users.iter().filter(|user| is_on(&user.access)) {
        if user.name == "default" {
            lost.push(format!(
                "user \"{}\" has the name default, which only open-access has",
                user.id
            ));
        } else if creation::checked_name("user", &user.name, LONGEST_USER).is_err() {
            lost.push(format!(
                "user \"{}\" is named \"{}\", which is no name for one in MemoryDB",
                user.id, user.name
            ));
        } else if user.authentication == Authentication::None {
            lost.push(format!(
                "user \"{}\" needs no password, and each of MemoryDB's does",
                user.id
            ));
        }
    }
    let names: Vec<String> =
        users.iter().map(|user| format!("{}: {}", user.id, user.access)).collect();
    let finding = match &source.target {
        Some(target) if !lost.is_empty() => Finding::cannot_know(
            CHECK,
            format!(
                "not every user of \"{id}\" can be had in \"{}\": {}. Clients that log in so are refused there",
                target.name,
                lost.join("; ")
            ),
        )
        .mend(format!(
            "give these clients another user with a password, NAME, at both ends, before the swap:\n\
             aws elasticache create-user --user-id NAME --user-name NAME --engine {} --passwords \"$PASSWORD\" \
             --access-string 'on ~* &* +@all' --region {region}\n\
             aws elasticache modify-user-group --user-group-id {} --user-ids-to-add NAME --region {region}\n\
             aws memorydb create-user --user-name NAME --authentication-mode Type=password,Passwords=\"$PASSWORD\" \
             --access-string 'on ~* &* +@all' --region {region}\n\
             aws memorydb update-acl --acl-name {} --user-names-to-add NAME --region {region}",
            source.group.engine,
            shell(&groups[0]),
            shell(target.acl.as_deref().unwrap_or("ACL")),
            region = source.region
        )),
        Some(_) => Finding::ok(
            CHECK,
            format!("every user of \"{id}\" that can log in can be had in MemoryDB, by name and access string"),
        ),
        None => Finding::ok(CHECK, format!("\"{id}\" has {}", counted(users.len() as u64, "RBAC user", "RBAC users"))),
    };
    finding.seen("users", names)
}

/// Whether a user with this access string can log in: the last word wins, and without one it cannot.
fn is_on(access: &str) -> bool {
    let mut words = access.split_whitespace().filter(|word| matches!(*word, "on" | "off"));
    words.next_back() == Some("on")
}
