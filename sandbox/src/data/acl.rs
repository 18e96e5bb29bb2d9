//! AWS access strings as rules of `ACL SETUSER`.

use super::error::DataError;
use super::spec::AclUser;
use sha2::{Digest, Sha256};

/// The name the sandbox itself uses on its servers.
pub(crate) const ADMIN: &str = "sandbox-admin";

/// What AWS keeps from clients of both services, with the neighbours that would undo it (MemoryDB guide, restricted
/// commands; ElastiCache guide, restricted commands). AWS answers "unknown command", these servers NOPERM.
const RESTRICTED: &[&str] = &[
    "acl|deluser",
    "acl|load",
    "acl|save",
    "acl|setuser",
    "bgrewriteaof",
    "bgsave",
    "cluster|addslots",
    "cluster|addslotsrange",
    "cluster|bumpepoch",
    "cluster|delslots",
    "cluster|delslotsrange",
    "cluster|failover",
    "cluster|flushslots",
    "cluster|forget",
    "cluster|meet",
    "cluster|replicate",
    "cluster|reset",
    "cluster|saveconfig",
    "cluster|set-config-epoch",
    "cluster|setslot",
    "config",
    "debug",
    "failover",
    "migrate",
    "module",
    "psync",
    "replconf",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

/// A user's name and the whole of its rules, in an order that overwrites what it had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRules {
    pub(crate) name: String,
    pub(crate) rules: Vec<String>,
}

/// The rules of every user of a cluster. `default` is always among them: switched off unless access is open or it is
/// listed by name (an AUTH token is a password of `default`).
pub(crate) fn rules(users: &[AclUser], open_access: bool) -> Result<Vec<UserRules>, DataError> {
    if open_access {
        let mut rules: Vec<String> =
            ["reset", "on", "nopass", "~*", "&*", "+@all"].map(str::to_owned).into();
        rules.extend(restrictions());
        return Ok(vec![UserRules { name: "default".to_owned(), rules }]);
    }
    let mut all = Vec::with_capacity(users.len() + 1);
    if !users.iter().any(|user| user.name == "default") {
        all.push(UserRules { name: "default".to_owned(), rules: vec!["reset".to_owned()] });
    }
    for user in users {
        all.push(user_rules(user)?);
    }
    Ok(all)
}

fn user_rules(user: &AclUser) -> Result<UserRules, DataError> {
    let refuse = |reason: String| DataError::User { user: user.name.clone(), reason };
    if user.name == ADMIN {
        return Err(refuse("the sandbox keeps this name for itself".to_owned()));
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\' | '#');
    if user.name.is_empty() || !user.name.chars().all(plain) {
        return Err(refuse("a user name is printable ASCII without spaces or quotes".to_owned()));
    }
    let mut rules = vec!["reset".to_owned()];
    let mut depth = 0_i32;
    for token in user.access_string.split_whitespace() {
        if !token.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\')) {
            return Err(refuse(format!("`{token}` is not a rule")));
        }
        let lower = token.to_ascii_lowercase();
        let sets_password = token.starts_with(['>', '<', '#', '!']);
        if sets_password || matches!(&*lower, "nopass" | "resetpass" | "reset") {
            return Err(refuse(format!("`{token}` does not belong in an access string")));
        }
        if token.starts_with('(') {
            depth += 1;
        }
        // A selector grants on its own, so what is kept from clients is taken out inside it too.
        if depth > 0 && token.ends_with(')') {
            let inner = &token[..token.len() - 1];
            if !inner.is_empty() {
                rules.push(inner.to_owned());
            }
            rules.extend(restrictions());
            rules.push(")".to_owned());
            depth -= 1;
        } else {
            rules.push(token.to_owned());
        }
    }
    if depth != 0 {
        return Err(refuse("a selector is not closed".to_owned()));
    }
    if user.no_password {
        rules.push("nopass".to_owned());
    } else {
        rules.extend(user.passwords.iter().map(|password| hashed(password)));
    }
    rules.extend(restrictions());
    Ok(UserRules { name: user.name.clone(), rules })
}

/// `#<sha256>`, so that a password is neither in a file nor on the wire.
pub(crate) fn hashed(password: &str) -> String {
    let digest = Sha256::digest(password.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("#{hex}")
}

fn restrictions() -> impl Iterator<Item = String> {
    RESTRICTED.iter().map(|command| format!("-{command}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(access: &str) -> AclUser {
        AclUser {
            name: "app".to_owned(),
            access_string: access.to_owned(),
            passwords: vec!["correct horse battery".to_owned()],
            no_password: false,
        }
    }

    #[test]
    fn passwords_only_appear_hashed() {
        let all = rules(&[user("on ~* +@all")], false).unwrap();
        assert_eq!(all[0].rules, ["reset"], "default is switched off");
        assert!(all[1].rules.iter().any(|rule| rule.starts_with('#') && rule.len() == 65));
        assert!(!format!("{all:?}").contains("correct horse"));
        assert!(!format!("{:?}", user("on")).contains("correct horse"));
    }

    #[test]
    fn restrictions_come_last_and_inside_selectors() {
        let all = rules(&[user("on ~a* +get (~b* +@all) ( ~c* +config )")], false).unwrap();
        let rules = &all[1].rules;
        assert_eq!(rules.last().map(String::as_str), Some("-sync"));
        assert_eq!(rules.iter().filter(|rule| *rule == "-config").count(), 3);
        assert_eq!(rules.iter().filter(|rule| *rule == ")").count(), 2);
    }

    #[test]
    fn an_access_string_cannot_smuggle_passwords_or_lines() {
        for bad in ["on >pw", "on nopass", "reset on", "on #00", "on (~a* +get", "on \"x"] {
            assert!(rules(&[user(bad)], false).is_err(), "{bad}");
        }
        let mut named = user("on");
        named.name = "a b".to_owned();
        assert!(rules(&[named], false).is_err());
    }
}
