//! DescribeParameters.

use serde_json::{Value, json};

use super::call::{need, page};
use super::catalog;
use crate::context::Ctx;
use crate::wire::ApiError;

/// The parameters that MemoryDB lets one set, with their defaults (awscli examples, memorydb describe-parameters). With
/// engine 7 those called ziplist are called listpack (developer guide, engine specific parameters).
const PARAMETERS: [(&str, &str); 44] = [
    ("acllog-max-len", "128"),
    ("activedefrag", "no"),
    ("active-defrag-cycle-max", "75"),
    ("active-defrag-cycle-min", "5"),
    ("active-defrag-ignore-bytes", "104857600"),
    ("active-defrag-max-scan-fields", "1000"),
    ("active-defrag-threshold-lower", "10"),
    ("active-defrag-threshold-upper", "100"),
    ("active-expire-effort", "1"),
    ("activerehashing", "yes"),
    ("client-output-buffer-limit-normal-hard-limit", "0"),
    ("client-output-buffer-limit-normal-soft-limit", "0"),
    ("client-output-buffer-limit-normal-soft-seconds", "0"),
    ("client-output-buffer-limit-pubsub-hard-limit", "33554432"),
    ("client-output-buffer-limit-pubsub-soft-limit", "8388608"),
    ("client-output-buffer-limit-pubsub-soft-seconds", "60"),
    ("hash-max-ziplist-entries", "512"),
    ("hash-max-ziplist-value", "64"),
    ("hll-sparse-max-bytes", "3000"),
    ("lazyfree-lazy-eviction", "no"),
    ("lazyfree-lazy-expire", "no"),
    ("lazyfree-lazy-server-del", "no"),
    ("lazyfree-lazy-user-del", "no"),
    ("lfu-decay-time", "1"),
    ("lfu-log-factor", "10"),
    ("list-compress-depth", "0"),
    ("list-max-ziplist-size", "-2"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-samples", "3"),
    ("notify-keyspace-events", ""),
    ("set-max-intset-entries", "512"),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("stream-node-max-bytes", "4096"),
    ("stream-node-max-entries", "100"),
    ("tcp-keepalive", "300"),
    ("timeout", "0"),
    ("tracking-table-max-keys", "1000000"),
    ("zset-max-ziplist-entries", "128"),
    ("zset-max-ziplist-value", "64"),
    ("latency-tracking", "no"),
    ("maxmemory-clients", "0"),
    ("client-query-buffer-limit", "1073741824"),
    ("lua-time-limit", "5000"),
];

/// DescribeParameters.
pub(super) fn describe(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ParameterGroupName")?;
    let world = ctx.world();
    let family =
        catalog::family_of(&world.memorydb, name).ok_or_else(|| catalog::group_not_found(name))?;
    let own = world.memorydb.parameter_groups.get(&name.to_ascii_lowercase());
    let parameter = |(name, default): (&str, &str)| {
        let name = called(name, &family);
        let set = own.and_then(|group| group.values.get(&name)).map(String::as_str);
        json!({
            "Name": name,
            "Value": set.unwrap_or(default),
            "Description": "",
            "DataType": "string",
            "AllowedValues": "",
            "MinimumEngineVersion": "6.2.4",
        })
    };
    page(input, "Parameters", PARAMETERS.map(parameter).to_vec())
}

/// What a family calls a parameter.
fn called(name: &str, family: &str) -> String {
    match family {
        "memorydb_redis6" => name.to_owned(),
        _ => name.replace("ziplist", "listpack"),
    }
}

/// The parameters that a group of this family has.
pub(super) fn names(family: &str) -> impl Iterator<Item = String> {
    PARAMETERS.iter().map(move |(name, _)| called(name, family))
}
