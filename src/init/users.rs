//! Users: who can be a MemoryDB user, and who cannot.

use serde::Serialize;

use super::choose::{Acl, Choice};
use super::found::Found;
use super::text::fits_a_command;
use crate::facts::{Access, without_forbidden};
use crate::survey::{Authentication, User};

/// The most passwords of a MemoryDB user (developer guide, ACLs).
const MOST_PASSWORDS: u32 = 2;

/// The users of the new cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Users {
    /// Those who can be made.
    pub mapped: Vec<Mapped>,
    /// Those who cannot.
    pub left_out: Vec<LeftOut>,
}

/// A user to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mapped {
    /// The name that clients log in with.
    pub name: String,
    /// Its access string.
    pub access: String,
    /// Whether it logs in by IAM.
    pub iam: bool,
    /// How many passwords it has.
    pub passwords: u32,
    /// What is different from before, a clause each.
    pub remarks: Vec<String>,
}

/// A user that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The name that clients log in with.
    pub name: String,
    /// Why.
    pub why: String,
}

pub(super) fn map(found: &Found, choice: &Choice) -> Users {
    let mut users = Users::default();
    if choice.acl.value == Acl::Open {
        return users;
    }
    let six = choice.engine.value == "redis" && choice.version.value == "6.2";
    for user in found.users.iter().flatten() {
        let same = |known: &&Mapped| known.name.eq_ignore_ascii_case(&user.name);
        match mapped(user, six) {
            Ok(_) if let Some(first) = users.mapped.iter().find(same) => {
                let why = format!(
                    "MemoryDB keeps names in lower case, where it is the same as {}: its clients need another name",
                    first.name
                );
                users.left_out.push(LeftOut { name: user.name.clone(), why });
            }
            Ok(mapped) => users.mapped.push(mapped),
            Err(why) => users.left_out.push(LeftOut { name: user.name.clone(), why }),
        }
    }
    users
}

fn mapped(user: &User, six: bool) -> Result<Mapped, String> {
    let rights = Access::read(&user.access);
    let (access, removed) = without_forbidden(&user.access);
    if !rights.on {
        return Err("it is off: nobody can log in as it".to_owned());
    }
    if user.name.eq_ignore_ascii_case("default") {
        return Err(
            "in MemoryDB the user default belongs to open-access alone; its clients need another user".to_owned(),
        );
    }
    let name = user.name.as_str();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && name.len() <= 40
        && !name.contains("--")
        && !name.ends_with('-');
    if !named {
        return Err(
            "MemoryDB's names have letters, digits and single hyphens, begin with a letter, and are at most 40 long".to_owned(),
        );
    }
    if !fits_a_command(&access) {
        return Err("its access string has characters that no command can hold".to_owned());
    }
    let (iam, passwords) = match user.authentication {
        Authentication::None => {
            return Err("it logs in without a password, and MemoryDB has no such users".to_owned());
        }
        Authentication::Iam => (true, 0),
        Authentication::Password(n) if n > MOST_PASSWORDS => {
            return Err(format!("it has {n} passwords, and MemoryDB takes {MOST_PASSWORDS}"));
        }
        Authentication::Password(n) => (false, n),
    };
    let mut remarks = Vec::new();
    if !removed.is_empty() {
        remarks.push(format!("without {}: MemoryDB does not have that", removed.join(" ")));
    }
    let lacks = rights.lacks_for_clusters();
    if !lacks.is_empty() {
        remarks.push(format!("cluster clients may also need {}", lacks.join(", ")));
    }
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        remarks.push(
            "MemoryDB keeps names in lower case: see whether clients still get in".to_owned(),
        );
    }
    if rights.selectors && six {
        remarks.push("selectors in parentheses need engine 7".to_owned());
    }
    if passwords == 2 {
        remarks.push(
            "it has two passwords: give both, comma-separated, to change them later".to_owned(),
        );
    }
    if iam {
        remarks.push(
            "its clients need memorydb:Connect, and tokens for MemoryDB instead of ElastiCache"
                .to_owned(),
        );
    }
    Ok(Mapped { name: name.to_owned(), access, iam, passwords, remarks })
}
