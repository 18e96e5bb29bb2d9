//! Rules that need no look at AWS.

use serde_json::Value;

use super::OPEN_ACCESS;
use crate::plan::Fault;

/// What breaks them (MemoryDB API reference, CreateCluster; developer guide, ACLs and quotas). An argument that is
/// missing or null breaks none.
pub(super) fn faults(args: &Value) -> Vec<Fault> {
    let text = |name: &str| args[name].as_str();
    let number = |name: &str| args[name].as_u64();
    let mut faults = Vec::new();
    let mut wrong = |key: &str, message: String, mend: &str| {
        faults.push(Fault::new(message).key(key).mend(mend));
    };
    if let (Some(false), Some(acl)) = (args["tls"].as_bool(), text("acl"))
        && !acl.eq_ignore_ascii_case(OPEN_ACCESS)
    {
        let message =
            format!("`tls: false` goes with `acl: open-access` only, and the ACL is \"{acl}\"");
        wrong("tls", message, "leave `tls` out: clients then speak TLS");
    }
    let files = args["restore_from"].as_array().is_some_and(|files| !files.is_empty());
    if files && text("restore_from_snapshot").is_some() {
        let message = "`restore_from` and `restore_from_snapshot` cannot both be given".to_owned();
        wrong("restore_from_snapshot", message, "leave one of the two out");
    }
    if let Some(replicas @ 6..) = number("replicas_per_shard") {
        let message = format!("`replicas_per_shard` is {replicas}; 5 is the most");
        wrong("replicas_per_shard", message, "write a number from 0 to 5");
    }
    if number("shards") == Some(0) {
        wrong("shards", "`shards` is 0; one is the least".to_owned(), "write 1 or more");
    }
    if let Some(node_type) = text("node_type").filter(|node| !node.starts_with("db.")) {
        wrong(
            "node_type",
            format!("\"{node_type}\" is not a MemoryDB node type"),
            "MemoryDB's begin with db., such as db.r7g.large; ElastiCache's begin with cache.",
        );
    }
    if let Some(engine) = text("engine").filter(|engine| !matches!(*engine, "redis" | "valkey")) {
        let message = format!("`engine` is \"{engine}\"; MemoryDB has redis and valkey");
        wrong("engine", message, "write `redis` or `valkey`");
    }
    if let Some(version) = text("engine_version").filter(|version| !is_major_minor(version)) {
        let message = format!("`engine_version` \"{version}\" is not major.minor");
        let like = if text("engine") == Some("valkey") { "7.3" } else { "7.1" };
        let mend = format!("write it like \"{like}\"; MemoryDB chooses the patch itself");
        wrong("engine_version", message, &mend);
    }
    if number("snapshot_retention_days").is_some_and(|days| days > 35) {
        let message = "`snapshot_retention_days` may be 35 at most".to_owned();
        wrong("snapshot_retention_days", message, "write a number from 0 to 35");
    }
    let mut tags = args["tags"].as_object().into_iter().flat_map(|tags| tags.keys());
    if let Some(key) = tags.find(|key| key.starts_with("orchestrate:")) {
        let message =
            format!("tag \"{key}\": tags that begin with orchestrate: are this program's own");
        wrong("tags", message, "choose another key for the tag");
    }
    faults
}

fn is_major_minor(version: &str) -> bool {
    let parts: Vec<_> = version.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 2 && parts.iter().all(number)
}
