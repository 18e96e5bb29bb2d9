//! What the cluster is filled from, as far as the plan tells.

use super::super::{Cx, Env};
use crate::survey::Group;

/// The snapshots whose files a cluster is restored from, by the argument that names their source.
const SNAPSHOTS: [(&str, &str); 2] = [
    ("elasticache.create_snapshot", "replication_group"),
    ("elasticache.create_serverless_snapshot", "serverless_cache"),
];

/// The source.
pub(super) enum Source {
    /// A replication group.
    Group(Box<Group>),
    /// A serverless cache, by its name.
    Serverless(String),
    /// There is one, and it could not be read; why.
    Unread(String),
    /// The plan names none, or one that is not there: that is for the step which takes the snapshot to say.
    None,
}

impl Source {
    pub(super) async fn of(env: &Env, cx: &Cx) -> Self {
        let named = SNAPSHOTS.iter().find_map(|(kind, argument)| {
            let name = cx.around.upstream(kind)?.args[*argument].as_str()?;
            Some((*argument, name.to_owned()))
        });
        match named {
            Some(("replication_group", id)) => match env.survey.group(&id).await {
                Ok(group) => {
                    (*group).clone().map_or(Self::None, |group| Self::Group(Box::new(group)))
                }
                Err(failure) => {
                    Self::Unread(format!("replication group \"{id}\" could not be read: {failure}"))
                }
            },
            Some((_, name)) => Self::Serverless(name.to_ascii_lowercase()),
            None => Self::None,
        }
    }

    pub(super) fn group(&self) -> Option<&Group> {
        match self {
            Self::Group(group) => Some(group),
            _ => None,
        }
    }
}
