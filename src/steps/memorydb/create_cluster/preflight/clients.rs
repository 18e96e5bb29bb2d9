//! What clients must do otherwise at the target. Nothing of it fails a step.

use serde_json::Value;

use super::super::{Finding, OPEN_ACCESS};
use super::mind;
use super::source::Source;
use crate::survey::Group;

pub(super) fn findings(args: &Value, source: &Source) -> Vec<Finding> {
    let Some(group) = source.group() else { return Vec::new() };
    tls(args, group).into_iter().chain(auth(args, group)).collect()
}

fn tls(args: &Value, group: &Group) -> Option<Finding> {
    const CHECK: &str = "target.tls";
    let wanted = match args.get("tls") {
        None => true,
        Some(tls) => tls.as_bool()?,
    };
    let finding = match (group.tls, wanted) {
        (true, true) => Finding::ok(CHECK, "source and target speak TLS"),
        (false, false) => Finding::ok(CHECK, "neither source nor target speaks TLS"),
        (false, true) => mind(
            CHECK,
            "the source speaks no TLS and the target will: clients that only get another address cannot connect",
            "give clients TLS together with the address (rediss://, or `ssl=True`); or set `tls: false` and `acl: open-access`",
        ),
        (true, false) => mind(
            CHECK,
            "the source speaks TLS and the target will not: clients that insist on it cannot connect, and traffic is readable",
            "leave `tls` out, so that the target speaks TLS",
        ),
    };
    Some(finding.seen("source tls", group.tls).seen("target tls", wanted))
}

/// MemoryDB has no AUTH token, and no password of the user "default" (developer guide, authenticating users with ACLs):
/// `AUTH <password>` alone logs nobody in there.
fn auth(args: &Value, group: &Group) -> Option<Finding> {
    const CHECK: &str = "target.auth";
    let acl = args["acl"].as_str()?;
    let open = acl.eq_ignore_ascii_case(OPEN_ACCESS);
    let model = match (group.auth_token, group.user_groups.is_empty()) {
        (true, _) => "AUTH token",
        (_, false) => "users",
        _ => "none",
    };
    let finding = match (model, open) {
        ("AUTH token", false) => mind(
            CHECK,
            format!(
                "clients of the source send an AUTH token; ACL \"{acl}\" wants a user and a password, and `AUTH <token>` alone is refused"
            ),
            "give clients a user of the ACL and its password together with the address",
        ),
        ("AUTH token", true) => mind(
            CHECK,
            "clients of the source send an AUTH token; under open-access there is no password, and `AUTH <token>` is an error",
            "take the token from the clients together with the address, or name an ACL with users",
        ),
        ("users", true) => mind(
            CHECK,
            "clients of the source log in as users; under open-access there are none, and their logins are refused",
            "name an ACL that has the source's users",
        ),
        ("users", false) => Finding::ok(CHECK, format!("source and ACL \"{acl}\" both have users")),
        (_, true) => Finding::ok(CHECK, "neither source nor target asks who a client is"),
        (_, false) => mind(
            CHECK,
            format!(
                "clients of the source do not log in, and ACL \"{acl}\" wants a user and a password"
            ),
            "give clients a user of the ACL and its password together with the address; or set `acl: open-access`",
        ),
    };
    Some(finding.seen("source auth", model))
}
