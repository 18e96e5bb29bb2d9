//! RBAC users of ElastiCache.

use crate::aws::Op;
use crate::engine::Failure;

use super::read::Reader;

/// A user. Passwords cannot be read back (ElastiCache API reference, User).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id in ElastiCache.
    pub id: String,
    /// The name clients log in with.
    pub name: String,
    /// What it may do, as ElastiCache shows it.
    pub access: String,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Such as "active", in lower case.
    pub status: String,
    /// The user groups it is in.
    pub groups: Vec<String>,
}

/// How a user proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// With one of so many passwords.
    Password(u32),
    /// Not at all.
    None,
    /// With an IAM token.
    Iam,
}

/// The users of a user group.
pub(super) async fn of(reader: &Reader, group: &str) -> Result<Vec<User>, Failure> {
    let op = Op::read("ElastiCache", "DescribeUserGroups");
    let client = &reader.aws.elasticache;
    let answer =
        reader.ask(op, || client.describe_user_groups().user_group_id(group).send()).await?;
    let groups = answer.user_groups.unwrap_or_default();
    let ids: Vec<String> =
        groups.into_iter().flat_map(|g| g.user_ids.unwrap_or_default()).collect();
    futures::future::try_join_all(ids.iter().map(|id| one(reader, id))).await
}

/// The replication groups and serverless caches that these user groups are attached to, by name.
pub(super) async fn attached(reader: &Reader, groups: &[String]) -> Result<Vec<String>, Failure> {
    let op = Op::read("ElastiCache", "DescribeUserGroups");
    let client = &reader.aws.elasticache;
    let mut names = Vec::new();
    for group in groups {
        let request = || client.describe_user_groups().user_group_id(group).send();
        for group in reader.ask(op, request).await?.user_groups.unwrap_or_default() {
            names.extend(group.replication_groups.unwrap_or_default());
            names.extend(group.serverless_caches.unwrap_or_default());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

async fn one(reader: &Reader, id: &str) -> Result<User, Failure> {
    let op = Op::read("ElastiCache", "DescribeUsers");
    let client = &reader.aws.elasticache;
    let answer = reader.ask(op, || client.describe_users().user_id(id).send()).await?;
    let user = answer.users.unwrap_or_default().into_iter().next().ok_or_else(|| {
        Failure::new(crate::engine::Class::NotFound, format!("there is no user \"{id}\""))
    })?;
    let authentication = match user.authentication() {
        Some(how) => match how.r#type().map(|kind| kind.as_str()) {
            Some("iam") => Authentication::Iam,
            Some("no-password") => Authentication::None,
            _ => Authentication::Password(
                u32::try_from(how.password_count().unwrap_or_default()).unwrap_or_default(),
            ),
        },
        None => Authentication::Password(0),
    };
    Ok(User {
        id: id.to_owned(),
        name: user.user_name.unwrap_or_default(),
        access: user.access_string.unwrap_or_default(),
        authentication,
        status: user.status.unwrap_or_default().to_ascii_lowercase(),
        groups: user.user_group_ids.unwrap_or_default(),
    })
}
