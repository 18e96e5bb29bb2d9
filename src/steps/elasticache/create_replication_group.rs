//! `elasticache.create_replication_group`: empty, from a snapshot, or from RDB files in S3.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_elasticache::types::{ClusterMode, Durability, ReplicationGroup, SourceType, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::{self, SERVICE};
use super::recorded::Recorded;
use super::restored::{check_file, snapshot, users_for};
use super::values::explain;
use crate::aws::elasticache_arn;
use crate::cost::{CostEffect, Engine, Service};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, GONE, Seen, States, Wait};
use crate::permissions::{Foreseen, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership};

/// Longest name of a replication group (ElastiCache API reference, CreateReplicationGroup).
const LONGEST_NAME: usize = 40;
/// No figures are published; test times of the Terraform provider.
const EXPECTED: Duration = Duration::from_secs(15 * 60);
const STATES: States = States {
    pending: &["creating", "modifying", "snapshotting", SETTLING],
    success: &["available"],
    // The service's own waiter would wait through `create-failed`.
    terminal: &["create-failed", "deleting"],
};
const SETTLING: &str = "settling";
const GONE_STATES: States = States {
    pending: &["deleting", "available", "create-failed"],
    success: &[GONE],
    terminal: &[],
};

/// Creates an ElastiCache replication group and waits until it serves: empty, from an ElastiCache snapshot
/// (`from_snapshot`), or from RDB files in S3 (`restore_from`).
///
/// `restore_from` is the way back from MemoryDB: give it the objects of a MemoryDB snapshot's export, all of them, or the
/// slots in the missing ones are lost. `durability: sync` or `async` makes a durable group, which needs Valkey 9, cluster
/// mode, TLS and a replica in each shard: another place for data that must not be lost.
///
/// With `as_recorded: true` whatever is not given here is as `elasticache.delete_replication_group` wrote it down in the
/// tags of the snapshot: node type, replicas, parameters, networks, users, windows, description, and the tags of the
/// group. AWS makes the endpoint of name, account and region, so it is the old one where the name is; `same_endpoint` tells
/// whether it is.
///
/// Undone by deleting the group, if it is this run's own, without a final snapshot.
///
/// ```yaml
/// - id: back
///   elasticache.create_replication_group:
///     name: prod
///     from_snapshot: prod-parked
///     as_recorded: true
/// ```
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The group's id: at most 40 letters, digits and hyphens; stored in lower case.
    pub(crate) name: String,
    /// A manual or automatic ElastiCache snapshot to restore.
    #[serde(default)]
    pub(crate) from_snapshot: Option<String>,
    /// Whether what is not given is taken from the snapshot's tags.
    #[serde(default)]
    pub(crate) as_recorded: bool,
    /// ARNs of RDB files in S3 to restore.
    #[serde(default)]
    pub(crate) restore_from: Vec<String>,
    /// Such as `cache.r7g.large`. A snapshot has its own.
    #[serde(default)]
    pub(crate) node_type: Option<String>,
    /// How many shards. A snapshot has its own number.
    #[serde(default)]
    pub(crate) shards: Option<u32>,
    /// Replicas in each shard, 0 to 5; 1 if nothing else is known. With any, automatic failover and Multi-AZ are on.
    #[serde(default)]
    pub(crate) replicas_per_shard: Option<u32>,
    /// Whether cluster mode is on; as the snapshot's, or on with more than one shard.
    #[serde(default)]
    pub(crate) cluster_mode: Option<bool>,
    /// `redis` or `valkey`. A snapshot has its own.
    #[serde(default)]
    #[schemars(extend("enum" = ["redis", "valkey", null]))]
    pub(crate) engine: Option<String>,
    /// Major and minor version, such as `8.1`.
    #[serde(default)]
    pub(crate) engine_version: Option<String>,
    /// `sync` loses no acknowledged write, `async` those of ten seconds at most. Cannot be turned on later.
    #[serde(default)]
    #[schemars(extend("enum" = ["sync", "async", "disabled", null]))]
    pub(crate) durability: Option<String>,
    /// The parameter group; AWS's own for the engine if nothing else is known.
    #[serde(default)]
    pub(crate) parameter_group: Option<String>,
    /// The subnet group.
    #[serde(default)]
    pub(crate) subnet_group: Option<String>,
    /// Ids of VPC security groups.
    #[serde(default)]
    pub(crate) security_groups: Vec<String>,
    /// The RBAC user group. Without one **whoever reaches the port may run every command**.
    #[serde(default)]
    pub(crate) user_groups: Vec<String>,
    /// Whether clients must speak TLS; yes if nothing else is known.
    #[serde(default)]
    pub(crate) tls: Option<bool>,
    /// The KMS key for data at rest; a service key if nothing else is known.
    #[serde(default)]
    pub(crate) kms_key: Option<String>,
    /// For how many days daily snapshots are kept, 0 to 35.
    #[serde(default)]
    pub(crate) snapshot_retention_days: Option<u32>,
    /// A description.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Tags besides those that say whose it is.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
}

/// The intent: the arguments with what was recorded filled in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    arn: String,
    wanted: Spec,
    snapshot_window: Option<String>,
    maintenance_window: Option<String>,
    multi_az: Option<bool>,
    failover: Option<bool>,
    minor_upgrades: Option<bool>,
    port: Option<u16>,
    topic: Option<String>,
    /// Where the group of the snapshot was reached.
    endpoint: Option<String>,
}

/// The group.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its id, in lower case.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// Where clients connect, as `host:port`: its configuration endpoint, or its primary's with cluster mode off.
    pub(crate) endpoint: String,
    /// Whether that is where the group of the snapshot was reached; true if that is not known.
    pub(crate) same_endpoint: bool,
    /// Whether clients must speak TLS.
    pub(crate) tls: bool,
    /// How many shards it has.
    pub(crate) shards: u32,
    /// `sync`, `async` or `disabled`, where AWS tells it.
    pub(crate) durability: String,
}

/// `elasticache.create_replication_group`.
pub(crate) struct CreateReplicationGroup;

impl Step for CreateReplicationGroup {
    const KIND: &'static str = "elasticache.create_replication_group";
    const SUMMARY: &'static str =
        "create a replication group, empty or restored from a snapshot or from S3";
    const ACTIONS: &'static [Action] = &[
        action("elasticache:DescribeReplicationGroups", "replicationgroup:{name}", Phases::ALL),
        action("elasticache:ListTagsForResource", "replicationgroup:{name}", Phases::RUN_UNDO),
        action("elasticache:DescribeSnapshots", "snapshot:{from_snapshot}", Phases::PLAN_RUN),
        action("elasticache:ListTagsForResource", "snapshot:{from_snapshot}", Phases::PLAN_RUN),
        action("elasticache:CreateReplicationGroup", "replicationgroup:{name}", Phases::RUN),
        action("elasticache:CreateReplicationGroup", "snapshot:{from_snapshot}", Phases::RUN),
        action("elasticache:CreateReplicationGroup", "parametergroup:*", Phases::RUN),
        action("elasticache:CreateReplicationGroup", "subnetgroup:{subnet_group}", Phases::RUN),
        action("elasticache:CreateReplicationGroup", "usergroup:{user_groups}", Phases::RUN),
        // Which these are is in the snapshot's tags alone.
        action("elasticache:CreateReplicationGroup", "subnetgroup:*", Phases::RUN)
            .when("as_recorded"),
        action("elasticache:CreateReplicationGroup", "usergroup:*", Phases::RUN)
            .when("as_recorded"),
        action("elasticache:AddTagsToResource", "replicationgroup:{name}", Phases::RUN),
        action("s3:GetObject", "{restore_from}", Phases::RUN),
        // Without it S3 does not say that a file is missing (S3 API reference, HeadObject).
        action("s3:ListBucket", "{restore_from.bucket}", Phases::RUN),
        action("elasticache:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("elasticache:DeleteReplicationGroup", "replicationgroup:{name}", Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(4 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = creation::name_faults(args, "name", "replication group id", LONGEST_NAME);
        let given = |key: &str| args.get(key).is_some();
        if given("from_snapshot") && given("restore_from") {
            faults.push(
                Fault::new("a snapshot and files in S3 are given")
                    .key("restore_from")
                    .mend("restore from one of the two"),
            );
        }
        if args["as_recorded"].as_bool() == Some(true) && !given("from_snapshot") {
            faults.push(
                Fault::new("`as_recorded` reads a snapshot's tags, and no snapshot is named")
                    .key("as_recorded")
                    .mend("name it as `from_snapshot`"),
            );
        }
        if !given("from_snapshot") && !given("node_type") {
            faults.push(
                Fault::new("no node type is given")
                    .mend("give `node_type`, such as cache.r7g.large"),
            );
        }
        if args["replicas_per_shard"].as_u64().is_some_and(|n| n > 5) {
            let fault = Fault::new("a shard has at most 5 replicas").key("replicas_per_shard");
            faults.push(fault.mend("give a number from 0 to 5"));
        }
        let durable = args["durability"].as_str().filter(|d| matches!(*d, "sync" | "async"));
        if durable.is_some()
            && let Some(lacks) = lacks_for_durability(args)
        {
            faults.push(
                Fault::new(format!("a durable group needs {lacks}")).key("durability").mend(
                    "give engine: valkey, engine_version: \"9.0\", cluster_mode: true, replicas_per_shard: 1 or more, and \
                     leave `tls` on",
                ),
            );
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let from = match (args["from_snapshot"].as_str(), args.get("restore_from")) {
            (Some(snapshot), _) => format!(" from snapshot \"{snapshot}\""),
            (None, Some(_)) => " from RDB files in S3".to_owned(),
            (None, None) if args.get("from_snapshot").is_some() => " from a snapshot".to_owned(),
            (None, None) => ", empty".to_owned(),
        };
        let durable = args["durability"].as_str().filter(|d| *d != "disabled");
        let durable = durable.map(|d| format!(", durable ({d})")).unwrap_or_default();
        let recorded = args["as_recorded"].as_bool() == Some(true);
        let users = args.get("user_groups").is_some() || recorded;
        Sketch {
            does: format!("create replication group \"{name}\"{from}{durable}"),
            undo: Some("delete the group".to_owned()),
            loses: (!users).then(|| {
                "authentication: without user groups whoever reaches the port may run every command".to_owned()
            }),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("replication group \"{name}\""))]
    }

    fn costs(args: &Value, _cargo: Cargo) -> Vec<CostEffect> {
        let count = |name: &str| args[name].as_u64().and_then(|count| u32::try_from(count).ok());
        let node_type = args["node_type"].as_str().and_then(|name| name.parse().ok());
        let (Some(node_type), Some(replicas)) = (node_type, count("replicas_per_shard")) else {
            return Vec::new();
        };
        let valkey = args["engine"].as_str() == Some("valkey");
        let engine = if valkey { Engine::Valkey } else { Engine::Redis };
        let (service, shards) = (Service::ElastiCache, count("shards").unwrap_or(1));
        vec![CostEffect::Cluster { service, engine, node_type, shards, replicas }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let files = args["restore_from"].as_array().into_iter().flatten();
        let files = files.filter_map(|arn| Some(Need::Object(arn.as_str()?.to_owned())));
        let snapshot = args["from_snapshot"].as_str().map(|s| Need::Snapshot(s.to_owned()));
        snapshot.into_iter().chain(files).collect()
    }

    async fn preflight(env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(name) = args["name"].as_str() {
            findings.push(match env.survey.group(name).await {
                Err(failure) => Finding::of("group.name", &failure),
                Ok(group) => match group.as_ref() {
                    None => Finding::ok(
                        "group.name",
                        format!("no replication group is called \"{name}\" yet"),
                    ),
                    Some(_) => Finding::will_fail(
                        "group.name",
                        format!("a replication group \"{name}\" exists already"),
                        "choose another name, or see whether the work is done already",
                    ),
                },
            });
        }
        if let Some(name) = args["from_snapshot"].as_str() {
            let recorded = args["as_recorded"].as_bool() == Some(true);
            let users = args["user_groups"].as_array().is_some_and(|groups| !groups.is_empty());
            let found = snapshot(env, name, recorded).await;
            let found = found.and_then(|recorded| users_for(recorded.as_ref(), users));
            findings.push(match found {
                Ok(()) => {
                    Finding::ok("group.snapshot", format!("snapshot \"{name}\" can be restored"))
                }
                Err(failure) => Finding::of("group.snapshot", &failure),
            });
        }
        findings
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = creation::checked_name("replication group id", &spec.name, LONGEST_NAME)?;
        let arn = elasticache_arn(&env.identity, "replicationgroup", &name);
        if let Some(found) = look::group(env, &name).await? {
            ours_or_fail(env, cx, &name, &arn, &found).await?;
        }
        let recorded = match &spec.from_snapshot {
            Some(name) => snapshot(env, name, spec.as_recorded).await?,
            None => None,
        };
        users_for(recorded.as_ref(), !spec.user_groups.is_empty())?;
        for file in &spec.restore_from {
            check_file(env, file).await?;
        }
        let prepared = filled(spec, recorded.unwrap_or_default(), name, arn)?;
        let resource = Resource {
            what: "replication group".to_owned(),
            name: prepared.name.clone(),
            arn: Some(prepared.arn.clone()),
            role: Role::Creates,
        };
        Ok((prepared, vec![resource]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let Prepared { name, arn, .. } = prepared;
        let what = || format!("failed to create replication group \"{name}\"");
        let adopted = match look::group(env, name).await? {
            Some(found) => {
                ours_or_fail(env, cx, name, arn, &found).await?;
                true
            }
            None => create(env, prepared, cx).await.map_err(|f| explain(f).context(what()))?,
        };
        let found = wait_available(env, prepared, cx).await.map_err(|f| f.context(what()))?;
        let output = output(prepared, &found, cx)?;
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        let Prepared { name, arn, .. } = prepared;
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let look = || look::group(env, name);
        let Some(found) = creation::look_for_made(cx, look).await? else { return Ok(Vec::new()) };
        let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
        if status != "deleting" {
            if !look::is_ours(env, cx, arn).await? {
                cx.warn(format!("replication group \"{name}\" is not this run's; it was left"));
                return Ok(Vec::new());
            }
            if !matches!(status.as_str(), "available" | "create-failed") {
                return Err(Failure::new(
                    Class::Busy,
                    format!(
                        "replication group \"{name}\" is {status}; it can be deleted after that"
                    ),
                ));
            }
            let request = env.aws.elasticache.delete_replication_group();
            let request = request.replication_group_id(name).retain_primary_cluster(false);
            let answer = env.aws.change(SERVICE, "DeleteReplicationGroup", request.send()).await;
            answer.map_err(creation::not_deleted)?;
        }
        wait_gone(env, cx, name).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![format!("deleted replication group \"{name}\"")])
    }
}

/// What durability lacks, as far as the arguments tell (ElastiCache user guide, Configuring durability).
fn lacks_for_durability(args: &Value) -> Option<&'static str> {
    let snapshot = args.get("from_snapshot").is_some();
    let known = |key: &str| args.get(key).is_some_and(|value| !value.is_null());
    let major =
        args["engine_version"].as_str().and_then(|v| v.split('.').next()?.parse::<u32>().ok());
    if known("engine") && args["engine"].as_str() != Some("valkey")
        || major.is_some_and(|major| major < 9)
        || !snapshot && (args.get("engine").is_none() || args.get("engine_version").is_none())
    {
        return Some("Valkey 9.0 or later");
    }
    let many = args["shards"].as_u64().is_some_and(|shards| shards > 1);
    if args["cluster_mode"].as_bool() == Some(false)
        || !snapshot && !many && args.get("cluster_mode").is_none()
    {
        return Some("cluster mode");
    }
    if args["tls"].as_bool() == Some(false) {
        return Some("TLS");
    }
    (args["replicas_per_shard"].as_u64() == Some(0)).then_some("at least one replica in each shard")
}

/// The arguments, with what was recorded where they say nothing.
fn filled(spec: &Spec, recorded: Recorded, name: String, arn: String) -> Result<Prepared, Failure> {
    let text = |given: &Option<String>, name: &str| given.clone().or_else(|| recorded.text(name));
    let list = |given: &Vec<String>, name: &str| match given.is_empty() {
        true => recorded.list(name),
        false => given.clone(),
    };
    let mut tags = recorded.tags.clone();
    tags.extend(spec.tags.clone());
    let replicas = spec.replicas_per_shard.or_else(|| recorded.parsed("replicas")).unwrap_or(1);
    let wanted = Spec {
        name: name.clone(),
        from_snapshot: spec.from_snapshot.as_ref().map(|name| name.to_ascii_lowercase()),
        as_recorded: spec.as_recorded,
        restore_from: spec.restore_from.clone(),
        node_type: text(&spec.node_type, "node-type"),
        shards: spec.shards,
        replicas_per_shard: Some(replicas),
        cluster_mode: spec.cluster_mode,
        engine: spec.engine.clone(),
        engine_version: spec.engine_version.clone(),
        durability: text(&spec.durability, "durability").filter(|asked| asked != "default"),
        parameter_group: text(&spec.parameter_group, "parameter-group"),
        subnet_group: text(&spec.subnet_group, "subnet-group"),
        security_groups: list(&spec.security_groups, "security-groups"),
        user_groups: list(&spec.user_groups, "user-groups"),
        tls: Some(spec.tls.or_else(|| recorded.parsed("tls")).unwrap_or(true)),
        kms_key: text(&spec.kms_key, "kms-key"),
        snapshot_retention_days: spec
            .snapshot_retention_days
            .or_else(|| recorded.parsed("retention")),
        description: spec.description.clone().or_else(|| recorded.description()),
        tags,
    };
    if wanted.tls == Some(false) && !wanted.user_groups.is_empty() {
        return Err(Failure::fatal("a group with user groups needs TLS")
            .mend("leave `tls` on, or leave `user_groups` out"));
    }
    let several = replicas > 0;
    Ok(Prepared {
        name,
        arn,
        wanted,
        snapshot_window: recorded.text("snapshot-window"),
        maintenance_window: recorded.text("maintenance-window"),
        multi_az: Some(recorded.parsed("multi-az").unwrap_or(several)),
        failover: Some(recorded.parsed("failover").unwrap_or(several)),
        minor_upgrades: recorded.parsed("minor-upgrades"),
        port: recorded.parsed("port"),
        topic: recorded.text("topic"),
        endpoint: recorded.text("endpoint"),
    })
}

async fn ours_or_fail(
    env: &Env,
    cx: &Cx,
    name: &str,
    arn: &str,
    found: &ReplicationGroup,
) -> Result<(), Failure> {
    if look::is_ours(env, cx, arn).await? {
        return Ok(());
    }
    let node_type = found.cache_node_type().unwrap_or("unknown");
    let differences = vec![format!(
        "it has {} shards of {node_type}; what it was restored from cannot be seen",
        found.node_groups().len()
    )];
    Err(ownership::not_ours(&format!("replication group \"{name}\""), &differences))
}

/// Creates it. Gives whether an earlier call had done so already.
async fn create(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<bool, Failure> {
    let Prepared { name, wanted, .. } = prepared;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let own = ownership::tags(cx);
    let own = own.iter().map(|(key, value)| tag(key, value));
    let tags = own.chain(wanted.tags.iter().map(|(key, value)| tag(key, value))).collect();
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let usual = format!("made by orchestrate run {}", cx.run);
    let mode =
        wanted.cluster_mode.map(|on| if on { ClusterMode::Enabled } else { ClusterMode::Disabled });
    let request = env
        .aws
        .elasticache
        .create_replication_group()
        .replication_group_id(name)
        .replication_group_description(wanted.description.clone().unwrap_or(usual))
        .set_snapshot_name(wanted.from_snapshot.clone())
        .set_snapshot_arns(some(&wanted.restore_from))
        .set_cache_node_type(wanted.node_type.clone())
        .set_num_node_groups(wanted.shards.map(number))
        .set_replicas_per_node_group(wanted.replicas_per_shard.map(number))
        .set_cluster_mode(mode)
        .set_engine(wanted.engine.clone())
        .set_engine_version(wanted.engine_version.clone())
        .set_durability(wanted.durability.as_deref().map(Durability::from))
        .set_cache_parameter_group_name(wanted.parameter_group.clone())
        .set_cache_subnet_group_name(wanted.subnet_group.clone())
        .set_security_group_ids(some(&wanted.security_groups))
        .set_user_group_ids(some(&wanted.user_groups))
        .set_transit_encryption_enabled(wanted.tls)
        .at_rest_encryption_enabled(true)
        .set_kms_key_id(wanted.kms_key.clone())
        .set_snapshot_retention_limit(wanted.snapshot_retention_days.map(number))
        .set_snapshot_window(prepared.snapshot_window.clone())
        .set_preferred_maintenance_window(prepared.maintenance_window.clone())
        .set_multi_az_enabled(prepared.multi_az)
        .set_automatic_failover_enabled(prepared.failover)
        .set_auto_minor_version_upgrade(prepared.minor_upgrades)
        .set_port(prepared.port.map(i32::from))
        .set_notification_topic_arn(prepared.topic.clone())
        .set_tags(Some(tags));
    match creation::ask(cx, env.aws.change(SERVICE, "CreateReplicationGroup", request.send())).await
    {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            match creation::until_visible(cx, || look::group(env, name)).await? {
                Some(found) => {
                    ours_or_fail(env, cx, name, &prepared.arn, &found).await?;
                    Ok(true)
                }
                None => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    }
}

async fn wait_available(
    env: &Env,
    prepared: &Prepared,
    cx: &Cx,
) -> Result<ReplicationGroup, Failure> {
    let name = &prepared.name;
    let wait = Wait {
        subject: format!("replication group \"{name}\""),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED,
    };
    let last = RefCell::new(None);
    let look = || async {
        let Some(found) = look::group(env, name).await? else { return Ok(Seen::gone()) };
        creation::note_call(cx, Call::Taken).await?;
        let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
        let seen = match status.as_str() {
            "available" if look::endpoint(&found).is_none() => {
                Seen { state: SETTLING.to_owned(), detail: Some("no endpoint yet".to_owned()) }
            }
            status => Seen::state(status),
        };
        last.replace(Some(found));
        Ok(seen)
    };
    let why = || look::reason(env, SourceType::ReplicationGroup, name, name);
    cx.wait(&wait, look, why).await.map_err(|failure| match failure.class {
        Class::Terminal => failure.mend(
            "a group in this state cannot be repaired: mend what ElastiCache says, delete it (a rollback does) and run again",
        ),
        _ => failure,
    })?;
    last.into_inner().ok_or_else(|| Failure::fatal("the group was available and is not any more"))
}

async fn wait_gone(env: &Env, cx: &Cx, name: &str) -> Result<(), Failure> {
    let wait = Wait {
        subject: format!("replication group \"{name}\""),
        service: SERVICE,
        states: GONE_STATES,
        expected: Duration::from_secs(8 * 60),
    };
    let look = || async {
        let found = creation::unless_gone(cx, || look::group(env, name)).await?;
        Ok(found.map_or_else(Seen::gone, |g| Seen::state(g.status().unwrap_or("unknown"))))
    };
    cx.wait(&wait, look, || async { None }).await.map(drop)
}

fn output(prepared: &Prepared, found: &ReplicationGroup, cx: &Cx) -> Result<Output, Failure> {
    let endpoint = look::endpoint(found).ok_or_else(|| {
        Failure::fatal(format!("replication group \"{}\" shows no endpoint", prepared.name))
    })?;
    let same_endpoint = prepared.endpoint.as_ref().is_none_or(|was| *was == endpoint);
    if let (Some(was), false) = (&prepared.endpoint, same_endpoint) {
        cx.warn(format!(
            "the group was reached at {was} before and is at {endpoint} now: tell its clients"
        ));
    }
    Ok(Output {
        name: prepared.name.clone(),
        arn: found.arn().unwrap_or(&prepared.arn).to_owned(),
        endpoint,
        same_endpoint,
        tls: found.transit_encryption_enabled().unwrap_or_default(),
        shards: u32::try_from(found.node_groups().len()).unwrap_or(u32::MAX),
        durability: found
            .effective_durability()
            .map(|durability| durability.as_str().to_owned())
            .unwrap_or_default(),
    })
}
