//! Whose users may write: those of a replication group, or of a serverless cache.

use serde_json::Value;

use super::{look, serverless};
use crate::engine::Failure;
use crate::plan::Fault;
use crate::steps::{Env, Need};

/// The arguments that name one.
const GROUP: &str = "replication_group";
const CACHE: &str = "serverless_cache";

/// A source, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A replication group.
    Group(String),
    /// A serverless cache.
    Cache(String),
}

/// What is known of a source's access.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The user groups attached; none without RBAC. A serverless cache has one at most.
    pub(super) user_groups: Vec<String>,
    /// Whether it has an AUTH token instead. Serverless caches have none.
    pub(super) auth_token: bool,
}

impl Source {
    /// The one that is given.
    ///
    /// # Errors
    /// `Fatal` unless exactly one is.
    pub(super) fn of(group: Option<&str>, cache: Option<&str>) -> Result<Self, Failure> {
        let given = |name: &&str| !name.is_empty();
        match (group.filter(given), cache.filter(given)) {
            (Some(group), None) => Ok(Self::Group(group.to_owned())),
            (None, Some(cache)) => Ok(Self::Cache(cache.to_owned())),
            (both, _) => Err(Failure::fatal(match both {
                Some(_) => format!("both `{GROUP}` and `{CACHE}` are given"),
                None => format!("neither `{GROUP}` nor `{CACHE}` is given"),
            })
            .mend("name the one source that is meant")),
        }
    }

    /// As `of`, of arguments that may hold `null` where a value is not known yet; `None` if it cannot be told.
    pub(super) fn known(args: &Value) -> Option<Self> {
        Self::of(args[GROUP].as_str(), args[CACHE].as_str()).ok()
    }

    /// What `validate` says of the two arguments.
    pub(super) fn faults(args: &Value) -> Vec<Fault> {
        let text = |key: &str| args[key].as_str();
        let fault = || {
            Fault::new(format!("a source is either a `{GROUP}` or a `{CACHE}`"))
                .mend("name the one source that is meant")
        };
        let empty = |key: &'static str| {
            Fault::new(format!("`{key}` is empty"))
                .key(key)
                .mend("name the one source that is meant")
        };
        match (text(GROUP), text(CACHE)) {
            (Some(""), _) => vec![empty(GROUP)],
            (_, Some("")) => vec![empty(CACHE)],
            (Some(_), Some(_)) => vec![fault().key(CACHE)],
            _ if args.get(GROUP).is_none() && args.get(CACHE).is_none() => vec![fault()],
            _ => Vec::new(),
        }
    }

    /// What must exist for a step that is about it.
    pub(super) fn needs(args: &Value) -> Vec<Need> {
        Self::known(args).map(|source| source.need()).into_iter().collect()
    }

    fn need(self) -> Need {
        match self {
            Self::Group(id) => Need::ReplicationGroup(id),
            Self::Cache(name) => Need::ServerlessCache(name),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Group(name) | Self::Cache(name) => name,
        }
    }

    /// What it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Group(_) => "replication group",
            Self::Cache(_) => "serverless cache",
        }
    }

    /// Reads who may enter it.
    ///
    /// # Errors
    /// `NotFound`, or as `aws::call`.
    pub(super) async fn access(&self, env: &Env) -> Result<Access, Failure> {
        Ok(match self {
            Self::Group(id) => {
                let group = look::need_group(env, id).await?;
                Access {
                    user_groups: group.user_group_ids().to_vec(),
                    auth_token: group.auth_token_enabled() == Some(true),
                }
            }
            Self::Cache(name) => {
                let cache = serverless::need_cache(env, name).await?;
                let user_groups = cache.user_group_id().map(str::to_owned).into_iter().collect();
                Access { user_groups, auth_token: false }
            }
        })
    }
}

/// `replication group "prod"`, or "the source" where it is not known yet.
pub(super) fn shown(args: &Value) -> String {
    match Source::known(args) {
        Some(source) => format!("{} \"{}\"", source.what(), source.name()),
        None => "the source".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exactly_one_source_is_meant() {
        assert_eq!(Source::of(Some("a"), None).unwrap(), Source::Group("a".into()));
        assert_eq!(Source::of(Some(""), Some("b")).unwrap(), Source::Cache("b".into()));
        assert!(Source::of(Some("a"), Some("b")).unwrap_err().message.contains("both"));
        assert!(Source::of(None, None).unwrap_err().message.contains("neither"));
        for (args, faults) in [
            (json!({}), 1),
            (json!({"replication_group": "a", "serverless_cache": "b"}), 1),
            (json!({"replication_group": "a"}), 0),
            (json!({"serverless_cache": null}), 0),
            (json!({"replication_group": null, "serverless_cache": "b"}), 0),
        ] {
            assert_eq!(Source::faults(&args).len(), faults, "{args}");
        }
    }
}
