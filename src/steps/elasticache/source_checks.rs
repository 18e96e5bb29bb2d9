//! What can be told of a source before it is snapshotted: the data that leaves it, the hours in which it is taken, and
//! the clients that are to follow it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};

use super::snapshot_quota::{self, Quota};
use crate::engine::{Cx, Failure, Finding};
use crate::facts;
use crate::steps::Env;
use crate::survey::{Group, Taken, Window};

mod clients;

/// Manual snapshots of one node, or of one group in cluster mode, in 24 hours (ElastiCache user guide, backup
/// constraints).
const SNAPSHOTS: Quota = Quota { a_day: 20, fault: "SnapshotQuotaExceededFault" };
/// The parameter's default, and what AWS recommends for groups with backups (ElastiCache user guide, managing reserved
/// memory).
const MEMORY_RESERVE: u64 = 25;

/// A source, and what is to come of it.
struct Source<'a> {
    region: &'a str,
    id: &'a str,
    group: &'a Group,
    /// What its owner set in its parameter group; an error if that could not be read.
    parameters: Result<Vec<(String, String)>, Failure>,
    /// The MemoryDB cluster that is to take its place, if the plan makes one.
    target: Option<Target>,
}

/// A MemoryDB cluster that the plan makes from the source, by its arguments.
struct Target {
    name: String,
    /// `None` where only the run knows.
    tls: Option<bool>,
    acl: Option<String>,
}

impl Target {
    fn of(cx: &Cx) -> Option<Self> {
        let args = &cx.around.downstream("memorydb.create_cluster")?.args;
        // What is not given has its default; what only the run knows is there as null.
        let tls = args.get("tls").map_or(Some(true), serde_json::Value::as_bool);
        Some(Self {
            name: args["name"].as_str().unwrap_or("…").to_ascii_lowercase(),
            tls,
            acl: args["acl"].as_str().map(str::to_ascii_lowercase),
        })
    }
}

impl Source<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        let set = self.parameters.as_ref().ok()?;
        set.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str())
    }

    fn version(&self) -> &str {
        self.group.engine_version().unwrap_or("of unknown version")
    }
}

/// What is to be said of a source besides that it can be snapshotted. `node` is the one that is, with cluster mode off;
/// `takes` how long that usually takes.
pub(super) async fn findings(
    env: &Env,
    cx: &Cx,
    id: &str,
    node: Option<&str>,
    takes: Duration,
) -> Vec<Finding> {
    let found = match env.survey.group(id).await {
        Ok(found) => found,
        Err(failure) => return vec![Finding::cannot_know("source.engine", failure.to_string())],
    };
    // That there is none, its state has said.
    let Some(group) = found.as_ref() else { return Vec::new() };
    let (parameters, taken) = futures::join!(parameters(env, group), taken(env, group, node));
    let region = env.identity.region.as_str();
    let source = Source { id, region, group, parameters, target: Target::of(cx) };
    let begins = later(cx.clock.now(), cx.around.begins_after);
    let ends = later(begins, takes);
    let mut findings = vec![
        engine(&source),
        node_type(&source),
        data_tiering(&source),
        global(&source),
        pending(&source),
        snapshot_quota(&source, node, taken, cx.clock.now()),
        snapshot_window(&source, begins, ends),
        maintenance_window(&source, begins, ends),
        memory_reserve(&source),
        durability(&source),
        databases(&source),
    ];
    findings.extend(clients::findings(env, &source).await);
    findings
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

async fn parameters(env: &Env, group: &Group) -> Result<Vec<(String, String)>, Failure> {
    let node = group.node.as_ref().map_err(Clone::clone)?;
    match node.parameter_group.as_deref() {
        // Nobody can set anything in AWS's own.
        None => Ok(Vec::new()),
        Some(name) if name.starts_with("default.") => Ok(Vec::new()),
        Some(name) => Ok(env.survey.set_parameters(name).await?.as_ref().clone()),
    }
}

async fn taken(env: &Env, group: &Group, node: Option<&str>) -> Result<Vec<Taken>, Failure> {
    let taken = match (group.cluster_enabled, node) {
        (false, Some(node)) => env.survey.node_snapshots(node).await?,
        _ => env.survey.snapshots(&group.id).await?,
    };
    Ok(taken.as_ref().clone())
}

fn engine(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.engine";
    let (id, engine) = (source.id, source.group.engine.as_str());
    let version = match source.group.node.as_ref().map(|node| node.engine_version.as_deref()) {
        Ok(Some(version)) => version,
        Ok(None) => {
            let what = format!("AWS shows no engine version for the nodes of \"{id}\"");
            return Finding::cannot_know(CHECK, what);
        }
        Err(failure) => {
            let what = format!("the engine version of \"{id}\" could not be read: {failure}");
            return Finding::cannot_know(CHECK, what)
                .mend("allow elasticache:DescribeCacheClusters to the caller");
        }
    };
    let finding = match facts::written_by(engine, version) {
        None => Finding::cannot_know(
            CHECK,
            format!("\"{id}\" runs {engine} {version}, and which RDB version that writes is not known here"),
        )
        .mend("the export is looked at before the cluster is made; a file that MemoryDB cannot read ends the run there"),
        // MemoryDB developer guide, engine versions: up to Valkey 7.3, which read the head REDIS alone.
        Some(head) if head.valkey && source.target.is_some() => Finding::will_fail(
            CHECK,
            format!(
                "\"{id}\" runs {engine} {version}, which writes {head} files, and no engine of MemoryDB reads those"
            ),
            "leave the data in ElastiCache: Valkey 9 can be durable there (`Durability` of ModifyReplicationGroup or \
             CreateReplicationGroup); or copy it online instead, for example with RedisShake",
        ),
        Some(head) => {
            Finding::ok(CHECK, format!("\"{id}\" runs {engine} {version}, which writes {head} files"))
        }
    };
    finding.seen("engine", engine).seen("engine_version", version)
}

fn node_type(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.node_type";
    let (id, kind) = (source.id, source.group.node_type.as_str());
    let finding = if kind == "cache.t1.micro" {
        // ElastiCache user guide, backup constraints.
        Finding::will_fail(
            CHECK,
            format!("\"{id}\" is on cache.t1.micro, of which ElastiCache takes no snapshot"),
            format!(
                "move it to another node type first: aws elasticache modify-replication-group --replication-group-id \
                 {id} --cache-node-type cache.t4g.small --apply-immediately --region {}",
                source.region
            ),
        )
    } else {
        let holds = match facts::node_memory(kind) {
            Some(bytes) => format!(", {} MiB a node", bytes >> 20),
            None => String::new(),
        };
        Finding::ok(CHECK, format!("\"{id}\" is on {kind}{holds}"))
    };
    let shards: Vec<_> = source.group.shards.iter().map(|shard| shard.id.clone()).collect();
    finding.seen("node_type", kind).seen("shards", shards)
}

/// Groups with data tiering cannot be exported (ElastiCache user guide, data tiering).
fn data_tiering(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.data_tiering";
    let (id, tiered) = (source.id, source.group.data_tiering);
    let finding = if tiered {
        Finding::will_fail(
            CHECK,
            format!(
                "\"{id}\" uses data tiering ({}), and ElastiCache exports no snapshot of such a group",
                source.group.node_type
            ),
            "copy the data online instead, for example with RIOT or RedisShake",
        )
    } else {
        Finding::ok(CHECK, format!("\"{id}\" keeps all of its data in memory"))
    };
    finding.seen("data_tiering", tiered)
}

fn global(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.global";
    let id = source.id;
    let Some((datastore, role)) = &source.group.global else {
        return Finding::ok(CHECK, format!("\"{id}\" is in no global datastore"))
            .seen("global_datastore", serde_json::Value::Null);
    };
    let role = role.to_ascii_lowercase();
    let what = if role == "secondary" {
        format!(
            "\"{id}\" is a secondary of global datastore \"{datastore}\": it takes no writes itself, and those made to the \
             primary in another region go on reaching it while the copy is made"
        )
    } else {
        format!(
            "\"{id}\" is the {role} of global datastore \"{datastore}\": the copy does not take its place there, and members \
             in other regions stay with the old data"
        )
    };
    Finding::cannot_know(CHECK, what)
        .mend(format!(
            "stop the writers at the primary, and move the readers of the other regions by hand; `aws elasticache \
             describe-global-replication-groups --global-replication-group-id {datastore} --show-member-info --region {}` \
             lists the members",
            source.region
        ))
        .seen("global_datastore", datastore.as_str())
        .seen("global_role", role)
}

fn pending(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.pending";
    let (id, mut pending) = (source.id, source.group.pending.clone());
    pending.extend(source.group.node.iter().flat_map(|node| node.pending.clone()));
    let finding = if pending.is_empty() {
        Finding::ok(CHECK, format!("no change to \"{id}\" is pending"))
    } else {
        let window = source.group.node.iter().find_map(|node| node.maintenance_window.as_ref());
        let window = window.map(|window| format!(" ({} UTC)", window.text)).unwrap_or_default();
        Finding::cannot_know(
            CHECK,
            format!(
                "changes to \"{id}\" are pending: {}. While ElastiCache carries them out the group cannot be snapshotted",
                pending.join(", ")
            ),
        )
        .mend(format!(
            "wait until they are done, or have them done now instead of in the maintenance window{window}: repeat the \
             change with --apply-immediately in aws elasticache modify-replication-group --replication-group-id {id} \
             --region {}",
            source.region
        ))
    };
    finding.seen("pending", pending)
}

fn snapshot_quota(
    source: &Source<'_>,
    node: Option<&str>,
    taken: Result<Vec<Taken>, Failure>,
    now: Timestamp,
) -> Finding {
    let of = match (source.group.cluster_enabled, node) {
        (false, Some(node)) => format!("node {node}"),
        _ => format!("\"{}\"", source.id),
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(failure) => {
            let what =
                format!("how many snapshots of {of} were taken could not be read: {failure}");
            return Finding::cannot_know(snapshot_quota::CHECK, what)
                .mend("allow elasticache:DescribeSnapshots to the caller");
        }
    };
    let manual = taken.iter().filter(|taken| taken.manual).filter_map(|taken| taken.at);
    let other = if source.group.cluster_enabled {
        ""
    } else {
        "; or snapshot another node of the group, with `prefer_node`"
    };
    SNAPSHOTS.weigh(&of, manual, now, other)
}

/// A window, and whether it is open while the snapshot is to be taken.
fn window(
    check: &'static str,
    (id, what): (&str, &str),
    window: Option<&Window>,
    (begins, ends): (Timestamp, Timestamp),
    clash: (&str, String),
) -> Finding {
    let Some(window) = window else {
        return Finding::ok(check, format!("\"{id}\" has no {what}"));
    };
    let fact = "window";
    match window.meets(begins, ends) {
        None if window.opens.is_none() || window.closes.is_none() => Finding::cannot_know(
            check,
            format!("the {what} of \"{id}\", \"{}\", does not read as one", window.text),
        ),
        None => Finding::ok(
            check,
            format!("the {what} of \"{id}\" ({} UTC) is not open while it is snapshotted", window.text),
        ),
        Some((opens, closes)) => Finding::cannot_know(
            check,
            format!(
                "the {what} of \"{id}\" ({} UTC) is open from {opens} to {closes}, and a run that starts now snapshots it \
                 between {} and {}: {}",
                window.text,
                seconds(begins),
                seconds(ends),
                clash.0
            ),
        )
        .mend(clash.1),
    }
    .seen(fact, window.text.as_str())
}

/// A window of an hour, half a day after the run has done with the source: the shortest that both services take
/// (ElastiCache API reference, ModifyReplicationGroup).
fn away(ends: Timestamp, format: &str) -> String {
    let hour = |hours: u64| {
        let at = later(ends, Duration::from_secs(hours * 3600)).to_zoned(jiff::tz::TimeZone::UTC);
        at.round(Unit::Hour).unwrap_or(at).strftime(format).to_string()
    };
    format!("{}-{}", hour(12), hour(13))
}

fn seconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Second).unwrap_or(at)
}

fn snapshot_window(source: &Source<'_>, begins: Timestamp, ends: Timestamp) -> Finding {
    const CHECK: &str = "source.snapshot_window";
    let id = source.id;
    if source.group.snapshot_retention_days == 0 {
        return Finding::ok(CHECK, format!("ElastiCache takes no daily snapshot of \"{id}\""))
            .seen("window", serde_json::Value::Null);
    }
    let mend = format!(
        "run at another time, or move the window: aws elasticache modify-replication-group --replication-group-id {id} \
         --snapshot-window {} --apply-immediately --region {}",
        away(ends, "%H:%M"),
        source.region
    );
    let clash = "while ElastiCache takes the daily snapshot the group is `snapshotting`, and the run waits until it is over";
    let at = source.group.snapshot_window.as_ref();
    window(CHECK, (id, "window of daily snapshots"), at, (begins, ends), (clash, mend))
}

fn maintenance_window(source: &Source<'_>, begins: Timestamp, ends: Timestamp) -> Finding {
    const CHECK: &str = "source.maintenance_window";
    let id = source.id;
    let node = match &source.group.node {
        Ok(node) => node,
        Err(failure) => {
            let what = format!("the maintenance window of \"{id}\" could not be read: {failure}");
            return Finding::cannot_know(CHECK, what)
                .mend("allow elasticache:DescribeCacheClusters to the caller");
        }
    };
    let mend = format!(
        "run at another time, or move the window: aws elasticache modify-replication-group --replication-group-id {id} \
         --preferred-maintenance-window {} --apply-immediately --region {}",
        away(ends, "%a:%H:%M").to_lowercase(),
        source.region
    );
    let clash = "ElastiCache may change or replace nodes then, and a group that is `modifying` cannot be snapshotted";
    let at = node.maintenance_window.as_ref();
    window(CHECK, (id, "maintenance window"), at, (begins, ends), (clash, mend))
}

/// A snapshot forks where memory allows, and fails or slows writes down where it does not (ElastiCache user guide,
/// performance impact of backups).
fn memory_reserve(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.memory_reserve";
    let id = source.id;
    if let Err(failure) = &source.parameters {
        let what = format!("the parameters of \"{id}\" could not be read: {failure}");
        return Finding::cannot_know(CHECK, what)
            .mend("allow elasticache:DescribeCacheParameters to the caller");
    }
    let set = source.parameter("reserved-memory-percent");
    let percent = set.map_or(Some(MEMORY_RESERVE), |set| set.parse().ok());
    let finding = match percent {
        Some(percent) if percent < MEMORY_RESERVE => {
            let node = source.group.node.as_ref().ok();
            let group = node.and_then(|node| node.parameter_group.clone()).unwrap_or_default();
            Finding::cannot_know(
                CHECK,
                format!(
                    "\"{id}\" reserves {percent}% of its memory and not {MEMORY_RESERVE}%: too little is the usual cause of \
                     snapshots that fail, and of slow writes while one is taken"
                ),
            )
            .mend(format!(
                "look at FreeableMemory and SwapUsage, or reserve more first: aws elasticache modify-cache-parameter-group \
                 --cache-parameter-group-name {group} --parameter-name-values \
                 ParameterName=reserved-memory-percent,ParameterValue={MEMORY_RESERVE} --region {}",
                source.region
            ))
        }
        Some(percent) => Finding::ok(CHECK, format!("\"{id}\" reserves {percent}% of its memory")),
        None => Finding::cannot_know(
            CHECK,
            format!("reserved-memory-percent of \"{id}\" is \"{}\"", set.unwrap_or_default()),
        ),
    };
    finding.seen("reserved_memory_percent", percent)
}

/// ElastiCache itself can be durable from Valkey 9 on (ElastiCache user guide, durability).
fn durability(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.durability";
    let id = source.id;
    let durable = source.group.durability.as_ref();
    let in_force = durable.map(|durable| durable.effective.as_ref().unwrap_or(&durable.asked));
    let finding = match in_force.map(String::as_str) {
        Some(mode @ ("sync" | "async")) if source.target.is_some() => Finding::cannot_know(
            CHECK,
            format!("\"{id}\" is durable in ElastiCache already ({mode}): whether the move is still wanted is for you to say"),
        )
        .mend("stay, if durability is why you move: nothing has to be copied, and no client has to change"),
        Some(mode @ ("sync" | "async")) => {
            Finding::ok(CHECK, format!("\"{id}\" is durable in ElastiCache ({mode})"))
        }
        _ if source.group.engine == "valkey" && source.version().starts_with("9.") => Finding::ok(
            CHECK,
            format!("\"{id}\" is not durable, and Valkey 9 can be durable in ElastiCache itself, without a move"),
        ),
        _ => Finding::ok(CHECK, format!("\"{id}\" is not durable in ElastiCache")),
    };
    finding.seen("durability", in_force.cloned())
}

/// MemoryDB has database 0 only, and a restore fails if the files hold another (MemoryDB developer guide, restoring from
/// a snapshot). No API tells which databases hold keys.
fn databases(source: &Source<'_>) -> Finding {
    const CHECK: &str = "source.databases";
    let (id, group) = (source.id, source.group);
    // In cluster mode there is database 0 alone before Valkey 9.
    let sharded = group.cluster_enabled
        && (group.engine != "valkey" || source.version().starts_with(['7', '8']));
    let set =
        source.parameter(if group.cluster_enabled { "cluster-databases" } else { "databases" });
    let finding = if sharded {
        Finding::ok(CHECK, format!("\"{id}\" is in cluster mode, where there is database 0 alone"))
    } else if set == Some("1") {
        Finding::ok(CHECK, format!("\"{id}\" has database 0 alone by its parameter group"))
    } else if source.target.is_none() {
        Finding::ok(CHECK, format!("\"{id}\" may have keys in several logical databases"))
    } else {
        let at = group.endpoint.as_ref();
        let (host, port) = at.map_or(("PRIMARY_ENDPOINT", 6379), |at| (at.host.as_str(), at.port));
        let tls = if group.tls { " --tls" } else { "" };
        Finding::cannot_know(
            CHECK,
            format!(
                "\"{id}\" may have keys in other logical databases than 0, which AWS's API does not show: then MemoryDB \
                 cannot restore from its export"
            ),
        )
        .mend(format!(
            "look: redis-cli -h {host} -p {port}{tls} INFO keyspace must name db0 alone; rdb.check sees it in the exported \
             files, before the cluster is made"
        ))
    };
    finding.seen("databases", set)
}
