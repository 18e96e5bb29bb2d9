//! What a group was like, written down in the tags of its last snapshot, so that it can be made again from that snapshot
//! and nothing else.
//!
//! A snapshot keeps engine, node type and shards. It does not keep parameters, users, networks, windows and tags; those
//! are in tags here, a value each. AWS allows letters, numbers, spaces and `+ - = . _ : / @` in them, 256 at most
//! (ElastiCache user guide, tagging), so lists are joined by spaces, and of free text every other
//! byte is written as `=` and two hex digits.

use std::collections::BTreeMap;

use aws_sdk_elasticache::types::{CacheCluster, ReplicationGroup};

use crate::engine::Failure;
use crate::survey::{describe, describe_node};

/// Before the name of each value.
pub(super) const PREFIX: &str = "orchestrate:group:";
/// Tags that a resource may have (ElastiCache user guide, tagging).
const MOST_TAGS: usize = 50;
const LONGEST: usize = 256;
/// The name of the value that says that the group had an AUTH token.
const TOKEN: &str = "auth-token";

/// A group's values by name, and its own tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) values: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
}

impl Recorded {
    /// What is to be written down of a group. `without_token`: that an AUTH token cannot be is accepted, and written down.
    ///
    /// # Errors
    /// `Fatal` if something of it cannot be kept.
    pub(super) fn of(
        group: &ReplicationGroup,
        node: Option<&CacheCluster>,
        tags: BTreeMap<String, String>,
        without_token: bool,
    ) -> Result<Self, Failure> {
        let told = node.map(describe_node).unwrap_or_default();
        let shape = describe(group, Ok(told.clone()));
        let mut values = BTreeMap::new();
        let mut keep = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                values.insert(name.to_owned(), value);
            }
        };
        keep("node-type", Some(shape.node_type.clone()));
        keep("replicas", Some(shape.replicas().to_string()));
        keep("parameter-group", told.parameter_group);
        keep("subnet-group", told.subnet_group);
        keep("security-groups", Some(told.security_groups.join(" ")));
        keep("user-groups", Some(shape.user_groups.join(" ")));
        keep("tls", Some(shape.tls.to_string()));
        keep("kms-key", shape.kms_key.clone());
        keep("durability", shape.durability.as_ref().map(|durable| durable.asked.clone()));
        keep("retention", Some(shape.snapshot_retention_days.to_string()));
        keep("snapshot-window", group.snapshot_window().map(str::to_owned));
        let window = node.and_then(|node| node.preferred_maintenance_window());
        keep("maintenance-window", window.map(str::to_owned));
        let on = |word: &str| (word == "enabled").to_string();
        keep("multi-az", group.multi_az().map(|state| on(state.as_str())));
        keep("failover", group.automatic_failover().map(|state| on(state.as_str())));
        keep("minor-upgrades", group.auto_minor_version_upgrade().map(|on| on.to_string()));
        keep("endpoint", shape.endpoint.as_ref().map(ToString::to_string));
        let port = shape.endpoint.as_ref().map(|endpoint| endpoint.port.to_string());
        keep("port", port.filter(|port| port != "6379"));
        let topic = node.and_then(|node| node.notification_configuration()?.topic_arn());
        keep("topic", topic.map(str::to_owned));
        keep(TOKEN, shape.auth_token.then(|| "true".to_owned()));
        let description = group.description().unwrap_or_default();
        keep("description", Some(quoted(description)));
        // What programs of this name or AWS itself have tagged is of the old group alone.
        let own = |key: &String| !key.starts_with("orchestrate:") && !key.starts_with("aws:");
        let tags: BTreeMap<_, _> = tags.into_iter().filter(|(key, _)| own(key)).collect();
        let id = &shape.id;
        if shape.auth_token && !without_token {
            return Err(Failure::fatal(format!("replication group \"{id}\" has an AUTH token"))
                .because("no API tells the token, so the group could not be made again as it is")
                .mend(
                    "move its clients to RBAC users first; or, if it is not to be made again, `accept_lost_auth_token: true`",
                ));
        }
        if let Some((long, _)) = values.iter().find(|(_, value)| value.len() > LONGEST) {
            return Err(Failure::fatal(format!(
                "the {long} of replication group \"{id}\" does not fit into a tag of {LONGEST} characters"
            ))
            .mend("shorten it, or delete the group by hand"));
        }
        if values.len() + tags.len() > MOST_TAGS {
            return Err(Failure::fatal(format!(
                "replication group \"{id}\" has {} tags; with the {} that tell what it was like a snapshot would have more \
                 than {MOST_TAGS}",
                tags.len(),
                values.len()
            ))
            .mend("remove tags from the group first"));
        }
        Ok(Self { values, tags })
    }

    /// As the tags of a snapshot.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let values = self.values.iter().map(|(name, v)| (format!("{PREFIX}{name}"), v.clone()));
        values.chain(self.tags.clone()).collect()
    }

    /// From the tags of a snapshot; `None` if none of them is of a group.
    pub(super) fn read<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut recorded = Self::default();
        for (key, value) in tags {
            match key.strip_prefix(PREFIX) {
                Some(name) => recorded.values.insert(name.to_owned(), value.to_owned()),
                None if key.starts_with("orchestrate:") || key.starts_with("aws:") => None,
                None => recorded.tags.insert(key.to_owned(), value.to_owned()),
            };
        }
        (!recorded.values.is_empty()).then_some(recorded)
    }

    /// A value.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let text = self.values.get(name).map(String::as_str).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// A number or a yes or no.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.values.get(name)?.parse().ok()
    }

    /// Whether clients logged in with an AUTH token, which is not among the values: nothing tells it.
    pub(super) fn had_token(&self) -> bool {
        self.parsed(TOKEN).unwrap_or(false)
    }

    /// The description.
    pub(super) fn description(&self) -> Option<String> {
        unquoted(self.values.get("description")?)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b" +-._:/@".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("={b:02X}")),
        }
    }
    out
}

fn unquoted(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'=' {
            let hex = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_reads_back_and_fits_the_rules_of_tags() {
        let group = ReplicationGroup::builder()
            .replication_group_id("prod")
            .description("für alle, \"immer\"")
            .cache_node_type("cache.r7g.large")
            .transit_encryption_enabled(true)
            .user_group_ids("a")
            .user_group_ids("b")
            .snapshot_retention_limit(7)
            .build();
        let tags = [("team", "blue"), ("aws:x", "1"), ("orchestrate:run", "2")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let recorded = Recorded::of(&group, None, tags, false).unwrap();
        let written = recorded.tags();
        let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
        assert!(
            written.iter().all(|(k, v)| k.chars().chain(v.chars()).all(allowed)),
            "{written:?}"
        );
        let read = Recorded::read(written.iter().map(|(k, v)| (k.as_str(), v.as_str()))).unwrap();
        assert_eq!(read, recorded);
        assert_eq!(read.list("user-groups"), ["a", "b"]);
        assert_eq!(read.parsed::<i32>("retention"), Some(7));
        assert_eq!(read.description().unwrap(), "für alle, \"immer\"");
        assert_eq!(read.tags.keys().collect::<Vec<_>>(), ["team"]);
        assert_eq!(Recorded::read([("team", "blue")].into_iter()), None);
    }

    #[test]
    fn a_token_that_nobody_can_read_back_is_no_way_to_park() {
        let group =
            ReplicationGroup::builder().replication_group_id("prod").auth_token_enabled(true);
        let group = group.build();
        let failure = Recorded::of(&group, None, BTreeMap::new(), false).unwrap_err();
        assert!(failure.to_string().contains("AUTH token"), "{failure}");
        let recorded = Recorded::of(&group, None, BTreeMap::new(), true).unwrap();
        assert!(recorded.had_token());
    }
}
