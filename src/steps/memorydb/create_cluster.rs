//! `memorydb.create_cluster`: a new cluster, empty or filled.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_memorydb::types::{Cluster, Tag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{self, LONGEST_CLUSTER_NAME, OPEN_ACCESS, SERVICE};
use super::restore;
use crate::aws::{Op, memorydb_arn, split_s3_object_arn};
use crate::cost::{CostEffect, Engine, Service};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::facts;
use crate::permissions::{Foreseen, Given, Guest, Phases};
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::redis::counted;
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action, ownership, s3};

/// An empty cluster takes about a quarter of an hour (test times of the Terraform provider).
const EXPECTED: Duration = Duration::from_secs(15 * 60);
/// Bytes a second that a restore is expected to read; a guess that only spaces the looks.
const RATE: u64 = 30 << 20;
/// Seen: creating, available, updating, snapshotting, deleting (the Terraform provider's list, found by experiment);
/// restore-failed is documented for seeding. A new cluster may go to `snapshotting` before anybody saw it `available`.
const STATES: States = States {
    pending: &["creating", "updating", "snapshotting", "modifying", SETTLING],
    success: &["available"],
    terminal: &["create-failed", "restore-failed", "incompatible-network", "deleting"],
};
/// State of the wait: available, with parameters, ACL or security groups not in effect yet.
const SETTLING: &str = "settling";

/// Creates a MemoryDB cluster and waits until it serves: empty, restored from RDB files in S3 (`restore_from`), or from
/// a MemoryDB snapshot (`restore_from_snapshot`).
///
/// The files need not be as many as the shards: MemoryDB sorts the keys into the new shards. All files of an export must
/// be given, or the slots in the missing ones are lost; `steps.<export>.objects` gives all of them. Before the request
/// each file is looked at: there, encrypted with SSE-S3, and of an RDB version that the engine reads. MemoryDB keeps
/// database 0 only: a file with another database fails the restore.
///
/// Port, TLS, subnet group and KMS key cannot be changed later. The name shows up in public certificate logs: put no
/// secret in it.
///
/// **`acl: open-access` means no authentication**: whoever reaches the port may run every command. A cluster without
/// TLS can have no other ACL.
///
/// Undone by deleting the cluster, if it is this run's own, without a final snapshot.
///
/// ```yaml
/// - id: cluster
///   memorydb.create_cluster:
///     name: prod-mdb
///     node_type: db.r7g.large
///     shards: 3
///     acl: app
///     engine: valkey
///     engine_version: "7.3"
///     restore_from: "${{ steps.export.objects }}"
/// ```
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The cluster's name: at most 40 letters, digits and hyphens; stored in lower case.
    pub(crate) name: String,
    /// Such as `db.r7g.large`.
    pub(crate) node_type: String,
    /// How many shards.
    #[serde(default = "one")]
    pub(crate) shards: u32,
    /// Replicas in each shard, 0 to 5. With 0 writes stop while a lost node is replaced.
    #[serde(default = "one")]
    pub(crate) replicas_per_shard: u32,
    /// The ACL whose users may enter. `open-access` means no authentication.
    pub(crate) acl: String,
    /// The subnet group; `default` if left out. With replicas it must span two availability zones.
    #[serde(default)]
    pub(crate) subnet_group: Option<String>,
    /// Ids of security groups.
    #[serde(default)]
    pub(crate) security_groups: Vec<String>,
    /// The parameter group. MemoryDB's default does not evict keys when memory is full; ElastiCache's does.
    #[serde(default)]
    pub(crate) parameter_group: Option<String>,
    /// `redis` or `valkey`.
    #[serde(default)]
    #[schemars(extend("enum" = ["redis", "valkey", null]))]
    pub(crate) engine: Option<String>,
    /// Major and minor version, such as `7.1`; MemoryDB chooses the patch.
    #[serde(default)]
    pub(crate) engine_version: Option<String>,
    /// Whether clients must speak TLS. Without it the ACL must be `open-access`.
    #[serde(default = "yes")]
    pub(crate) tls: bool,
    /// The KMS key for data at rest; a service key if left out.
    #[serde(default)]
    pub(crate) kms_key: Option<String>,
    /// The port; 6379 if left out.
    #[serde(default)]
    pub(crate) port: Option<u16>,
    /// ARNs of RDB files in S3 to restore from.
    #[serde(default)]
    pub(crate) restore_from: Vec<String>,
    /// A MemoryDB snapshot to restore from.
    #[serde(default)]
    pub(crate) restore_from_snapshot: Option<String>,
    /// For how many days daily snapshots are kept, 0 to 35; 0 takes none.
    #[serde(default)]
    pub(crate) snapshot_retention_days: Option<u8>,
    /// Such as `sun:05:00-sun:06:00`, in UTC.
    #[serde(default)]
    pub(crate) maintenance_window: Option<String>,
    /// Such as `03:00-04:00`, in UTC.
    #[serde(default)]
    pub(crate) snapshot_window: Option<String>,
    /// A description.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Tags besides those that say whose it is.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    name: String,
    arn: String,
    acl: String,
    bytes: u64,
}

/// The cluster.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Its name, in lower case.
    pub(crate) name: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// Its configuration endpoint, as `host:port`.
    pub(crate) endpoint: String,
    /// The endpoint's host.
    pub(crate) host: String,
    /// The endpoint's port.
    pub(crate) port: u16,
    /// Whether clients must speak TLS.
    pub(crate) tls: bool,
    /// How many shards it has.
    pub(crate) shards: u32,
    /// `redis` or `valkey`.
    pub(crate) engine: String,
    /// Major and minor version.
    pub(crate) engine_version: String,
    /// Its ACL.
    pub(crate) acl: String,
}

/// `memorydb.create_cluster`.
pub(crate) struct CreateCluster;

impl Step for CreateCluster {
    const KIND: &'static str = "memorydb.create_cluster";
    const SUMMARY: &'static str =
        "create a MemoryDB cluster, empty or restored from S3 or a snapshot";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeClusters", "cluster/{name}", Phases::ALL),
        // Before a run, to hold the target against its source and the account's quotas.
        action("memorydb:DescribeClusters", "*", Phases::PLAN)
            .helps("how many nodes the region's quota has left is not told"),
        action("memorydb:DescribeUsers", "*", Phases::PLAN)
            .helps("what users of the ACL may do is not told"),
        action("memorydb:DescribeParameters", "*", Phases::PLAN)
            .when("restore_from")
            .helps("which parameters differ from the source's is not told"),
        action("memorydb:DescribeReservedNodesOfferings", "*", Phases::PLAN)
            .helps("whether a node type that no page lists exists is not told"),
        action("servicequotas:ListServiceQuotas", "*", Phases::PLAN)
            .helps("the documented quotas are taken instead of the account's own"),
        action("cloudwatch:GetMetricData", "*", Phases::PLAN)
            .when("restore_from")
            .helps("how much memory the source uses is taken from its newest snapshot"),
        action("elasticache:DescribeReplicationGroups", "*", Phases::PLAN)
            .when("restore_from")
            .helps("the target is not held against its source"),
        action("elasticache:DescribeCacheClusters", "*", Phases::PLAN)
            .when("restore_from")
            .helps("the target is not held against its source"),
        action("elasticache:DescribeCacheParameters", "*", Phases::PLAN)
            .when("restore_from")
            .helps("which parameters differ from the source's is not told"),
        action("elasticache:DescribeCacheSubnetGroups", "*", Phases::PLAN)
            .when("restore_from")
            .helps("whether the target is in the source's VPC is not told"),
        action("elasticache:DescribeSnapshots", "*", Phases::PLAN)
            .when("restore_from")
            .helps("how much memory the source uses may not be told"),
        action("elasticache:DescribeUserGroups", "*", Phases::PLAN)
            .when("restore_from")
            .helps("which users the ACL lacks is not told"),
        action("elasticache:DescribeUsers", "*", Phases::PLAN)
            .when("restore_from")
            .helps("which users the ACL lacks is not told"),
        action("memorydb:ListTags", "cluster/{name}", Phases::RUN_UNDO),
        action("memorydb:DescribeACLs", "acl/{acl}", Phases::PLAN_RUN),
        action("memorydb:DescribeSubnetGroups", "subnetgroup/{subnet_group|default}", Phases::PLAN),
        action(
            "memorydb:DescribeParameterGroups",
            "parametergroup/{parameter_group}",
            Phases::PLAN,
        ),
        action("memorydb:DescribeEngineVersions", "*", Phases::PLAN).when("engine_version"),
        action("memorydb:DescribeSnapshots", "snapshot/{restore_from_snapshot}", Phases::RUN),
        // ACL, parameter group and subnet group in the service authorization reference; the cluster and the objects in the
        // developer guide's table of API permissions.
        action("memorydb:CreateCluster", "cluster/{name}", Phases::RUN),
        action("memorydb:CreateCluster", "acl/{acl}", Phases::RUN),
        action("memorydb:CreateCluster", "subnetgroup/{subnet_group|default}", Phases::RUN),
        action("memorydb:CreateCluster", "parametergroup/{parameter_group|default.*}", Phases::RUN),
        action("memorydb:CreateCluster", "snapshot/{restore_from_snapshot}", Phases::RUN),
        action("memorydb:TagResource", "cluster/{name}", Phases::RUN),
        action("s3:GetObject", "{restore_from}", Phases::RUN),
        // Without it S3 does not say that a file is missing (S3 API reference, HeadObject).
        action("s3:ListBucket", "{restore_from.bucket}", Phases::RUN),
        action("s3:GetBucketLocation", "{restore_from.bucket}", Phases::PLAN),
        action("s3:GetEncryptionConfiguration", "{restore_from.bucket}", Phases::PLAN),
        action("s3:GetBucketPolicy", "{restore_from.bucket}", Phases::PLAN_RUN),
        action("s3:GetBucketAcl", "{restore_from.bucket}", Phases::PLAN_RUN),
        // UNSURE of the exact set: these two are what services ask for that use a customer's key by a grant.
        action("kms:DescribeKey", "key/{kms_key}", Phases::PLAN_RUN),
        action("kms:CreateGrant", "key/{kms_key}", Phases::RUN),
        // Whoever uses MemoryDB first in an account (MemoryDB developer guide, service-linked roles; the managed policy
        // AmazonMemoryDBFullAccess has the same statement).
        action(
            "iam:CreateServiceLinkedRole",
            "role/aws-service-role/memorydb.amazonaws.com/AWSServiceRoleForMemoryDB",
            Phases::RUN,
        )
        .given(&[Given {
            operator: "StringEquals",
            key: "iam:AWSServiceName",
            values: &["memorydb.amazonaws.com"],
        }])
        .helps("the first use of MemoryDB in an account fails; later ones do not need it"),
        action("memorydb:DescribeEvents", "*", Phases::RUN)
            .helps("if the service fails at it, its reason is not told"),
        action("memorydb:DeleteCluster", "cluster/{name}", Phases::UNDO),
    ];
    const OUTPUTS: &'static [Foreseen] = &[("name", "{name:lower}"), ("acl", "{acl:lower}")];
    const GUESTS: &'static [Guest] = &[s3::Guest::MemoryDb.in_bucket("{restore_from.bucket}")];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = Duration::from_secs(3 * 3600);
    const EXPECTED: Duration = EXPECTED;

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let (what, longest) = ("cluster name", LONGEST_CLUSTER_NAME);
        let mut faults = creation::name_faults(args, "name", what, longest);
        faults.extend(rules::faults(args));
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        let shards = args["shards"].as_u64().unwrap_or(1);
        let replicas = args["replicas_per_shard"].as_u64().unwrap_or(1);
        let node_type = args["node_type"].as_str().unwrap_or("…");
        let from = match (&args["restore_from"], &args["restore_from_snapshot"]) {
            (_, Value::String(snapshot)) => format!(" from snapshot \"{snapshot}\""),
            (Value::Array(files), _) if files.is_empty() => ", empty".to_owned(),
            (Value::Array(files), _) => format!(" from {} RDB files", files.len()),
            // A reference that is not known yet is null; an argument that is not given is not there.
            (Value::Null, _) if args.get("restore_from").is_some() => " from the export".to_owned(),
            (Value::Null, Value::Null) if args.get("restore_from_snapshot").is_some() => {
                " from a snapshot".to_owned()
            }
            _ => ", empty".to_owned(),
        };
        let open = args["acl"].as_str().is_some_and(|acl| acl.eq_ignore_ascii_case(OPEN_ACCESS));
        Sketch {
            does: format!(
                "create MemoryDB cluster \"{name}\"{from}: {shards} × {} of {node_type}",
                counted(replicas + 1, "node", "nodes")
            ),
            undo: Some("delete the cluster".to_owned()),
            loses: open.then(|| {
                "authentication: acl open-access lets whoever reaches the port run every command".to_owned()
            }),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let name = args["name"].as_str().map_or("…".to_owned(), str::to_ascii_lowercase);
        vec![Touch::creates(format!("MemoryDB cluster \"{name}\""))]
    }

    fn costs(args: &Value, _cargo: Cargo) -> Vec<CostEffect> {
        let count = |name: &str| {
            let given = args.get(name).map_or(Some(1), Value::as_u64);
            given.and_then(|count| u32::try_from(count).ok())
        };
        let node_type = args["node_type"].as_str().and_then(|name| name.parse().ok());
        let (Some(node_type), Some(shards), Some(replicas)) =
            (node_type, count("shards"), count("replicas_per_shard"))
        else {
            return Vec::new();
        };
        let valkey = args["engine"].as_str() == Some("valkey");
        let engine = if valkey { Engine::Valkey } else { Engine::Redis };
        let service = Service::MemoryDb;
        vec![CostEffect::Cluster { service, engine, node_type, shards, replicas }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let mut needs = Vec::new();
        if let Some(acl) = args["acl"].as_str().filter(|acl| !acl.eq_ignore_ascii_case(OPEN_ACCESS))
        {
            needs.push(Need::Acl(acl.to_owned()));
        }
        if let Some(group) = args["subnet_group"].as_str().filter(|group| *group != "default") {
            needs.push(Need::SubnetGroup(group.to_owned()));
        }
        if let Some(group) = args["parameter_group"].as_str().filter(|g| !g.starts_with("default."))
        {
            let engine = args["engine"].as_str().unwrap_or("redis");
            let family = facts::family_of(engine, args["engine_version"].as_str());
            let (name, family) = (group.to_owned(), family.to_owned());
            needs.push(Need::ParameterGroup { name, family });
        }
        needs.extend(args["kms_key"].as_str().map(|key| Need::KmsKey(key.to_owned())));
        let files = args["restore_from"].as_array().into_iter().flatten();
        needs.extend(files.filter_map(|arn| Some(Need::Object(arn.as_str()?.to_owned()))));
        needs
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        preflight::findings(env, args, cx).await
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = creation::checked_name("cluster name", &spec.name, LONGEST_CLUSTER_NAME)?;
        check(spec)?;
        let arn = memorydb_arn(&env.identity, "cluster", &name);
        if let Some(found) = cluster::cluster(env, &name).await? {
            ours_or_fail(env, cx, spec, &found, &arn).await?;
        }
        let acl = spec.acl.to_ascii_lowercase();
        let found = cluster::acl(env, &acl).await?.ok_or_else(|| no_acl(&acl))?;
        match found.status().unwrap_or("unknown").to_ascii_lowercase().as_str() {
            "active" => {}
            "deleting" => return Err(Failure::fatal(format!("ACL \"{acl}\" is being deleted"))),
            status => return Err(Failure::new(Class::Busy, format!("ACL \"{acl}\" is {status}"))),
        }
        let engine = (spec.engine.as_deref(), spec.engine_version.as_deref());
        let bytes = restore::check_objects(env, cx, &spec.restore_from, engine).await?;
        restore::check_buckets(env, cx, &spec.restore_from).await?;
        if let Some(snapshot) = &spec.restore_from_snapshot {
            restore::check_snapshot(env, &snapshot.to_ascii_lowercase()).await?;
        }
        let resource = Resource {
            what: "MemoryDB cluster".to_owned(),
            name: name.clone(),
            arn: Some(arn.clone()),
            role: Role::Creates,
        };
        Ok((Prepared { name, arn, acl, bytes }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what = || format!("failed to create MemoryDB cluster \"{}\"", prepared.name);
        let adopted = match cluster::cluster(env, &prepared.name).await? {
            Some(found) => {
                ours_or_fail(env, cx, spec, &found, &prepared.arn).await?;
                true
            }
            None => {
                create(env, spec, prepared, cx).await.map_err(|f| explain(f).context(what()))?
            }
        };
        let found = wait_available(env, prepared, cx).await.map_err(|f| f.context(what()))?;
        let output = output(prepared, &found)?;
        Ok(if adopted { Done::Adopted(output) } else { Done::Changed(output) })
    }

    async fn undo(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        if creation::call_state(cx) == Call::Never {
            return Ok(Vec::new());
        }
        let look = || cluster::cluster(env, &prepared.name);
        let Some(found) = creation::look_for_made(cx, look).await? else { return Ok(Vec::new()) };
        let going = found.status().is_some_and(|status| status.eq_ignore_ascii_case("deleting"));
        if !going {
            let same = found.arn().is_none_or(|arn| arn.eq_ignore_ascii_case(&prepared.arn));
            if !same || !cluster::is_ours(env, cx, &prepared.arn).await? {
                cx.warn(format!("cluster \"{}\" is not this run's; it was left", prepared.name));
                return Ok(Vec::new());
            }
            cluster::delete(env, &found, None).await?;
        }
        cluster::wait_gone(env, cx, &prepared.name).await?;
        creation::note_call(cx, Call::Over).await?;
        Ok(vec![format!("deleted MemoryDB cluster \"{}\"", prepared.name)])
    }
}

fn no_acl(acl: &str) -> Failure {
    Failure::new(Class::NotFound, format!("there is no MemoryDB ACL \"{acl}\"")).mend(
        "create it and its users first: `orchestrate plan` writes the commands; \"open-access\" is always there and means no \
         authentication",
    )
}

/// The first of the rules that is broken.
fn check(spec: &Spec) -> Result<(), Failure> {
    let args = serde_json::to_value(spec)
        .map_err(|error| Failure::fatal("the arguments are not JSON").because(error.to_string()))?;
    match rules::faults(&args).into_iter().next() {
        None => Ok(()),
        Some(Fault { message, mend, .. }) => Err(Failure { mend, ..Failure::fatal(message) }),
    }
}

async fn ours_or_fail(
    env: &Env,
    cx: &Cx,
    spec: &Spec,
    found: &Cluster,
    arn: &str,
) -> Result<(), Failure> {
    if cluster::is_ours(env, cx, arn).await? {
        return Ok(());
    }
    let what = format!("MemoryDB cluster \"{}\"", found.name().unwrap_or(&spec.name));
    Err(ownership::not_ours(&what, &differences(spec, found)))
}

fn differences(spec: &Spec, found: &Cluster) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: &str, intended: Option<String>, found: Option<String>| {
        if let (Some(intended), Some(found)) = (intended, found)
            && !intended.eq_ignore_ascii_case(&found)
        {
            differences.push(format!("its {what} is {found}, intended is {intended}"));
        }
    };
    let text = |text: Option<&str>| text.map(str::to_owned);
    differ("node type", Some(spec.node_type.clone()), text(found.node_type()));
    differ(
        "number of shards",
        Some(spec.shards.to_string()),
        found.number_of_shards().map(|n| n.to_string()),
    );
    differ("ACL", Some(spec.acl.clone()), text(found.acl_name()));
    differ("TLS", Some(spec.tls.to_string()), found.tls_enabled().map(|tls| tls.to_string()));
    differ("engine", spec.engine.clone(), text(found.engine()));
    differ("engine version", spec.engine_version.clone(), text(found.engine_version()));
    if !spec.restore_from.is_empty() || spec.restore_from_snapshot.is_some() {
        differences.push("what it was restored from cannot be seen".to_owned());
    }
    differences
}

/// Creates it. Gives whether an earlier call had done so already.
async fn create(env: &Env, spec: &Spec, prepared: &Prepared, cx: &Cx) -> Result<bool, Failure> {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let own = ownership::tags(cx);
    let own = own.iter().map(|(key, value)| tag(key, value));
    let tags = own.chain(spec.tags.iter().map(|(key, value)| tag(key, value))).collect();
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let request = env
        .aws
        .memorydb
        .create_cluster()
        .cluster_name(&prepared.name)
        .node_type(&spec.node_type)
        .num_shards(number(spec.shards))
        .num_replicas_per_shard(number(spec.replicas_per_shard))
        .acl_name(&prepared.acl)
        .tls_enabled(spec.tls)
        .set_subnet_group_name(spec.subnet_group.as_ref().map(|name| name.to_ascii_lowercase()))
        .set_security_group_ids(some(&spec.security_groups))
        .set_parameter_group_name(spec.parameter_group.clone())
        .set_engine(spec.engine.clone())
        .set_engine_version(spec.engine_version.clone())
        .set_kms_key_id(spec.kms_key.clone())
        .set_port(spec.port.map(i32::from))
        .set_snapshot_arns(some(&spec.restore_from))
        .set_snapshot_name(spec.restore_from_snapshot.as_ref().map(|s| s.to_ascii_lowercase()))
        .set_snapshot_retention_limit(spec.snapshot_retention_days.map(i32::from))
        .set_maintenance_window(spec.maintenance_window.clone())
        .set_snapshot_window(spec.snapshot_window.clone())
        .set_description(spec.description.clone())
        .set_tags(Some(tags));
    match creation::ask(cx, env.aws.change(SERVICE, "CreateCluster", request.send())).await {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == Class::Conflict => {
            let look = || cluster::cluster(env, &prepared.name);
            match creation::until_visible(cx, look).await? {
                Some(found) => {
                    ours_or_fail(env, cx, spec, &found, &prepared.arn).await?;
                    Ok(true)
                }
                None => Err(failure),
            }
        }
        Err(failure) => Err(failure),
    }
}

fn explain(failure: Failure) -> Failure {
    match (failure.class, failure.code()) {
        (_, Some("ServiceLinkedRoleNotFoundFault")) => failure.mend(
            "this account has never used MemoryDB: allow the caller iam:CreateServiceLinkedRole, or have somebody run \
             `aws iam create-service-linked-role --aws-service-name memorydb.amazonaws.com`; then run again",
        ),
        (Class::Capacity, _) => {
            failure.mend("AWS has no free nodes of this type now: wait, or choose another node type")
        }
        (Class::Quota, _) => failure.mend(
            "delete what is not needed, ask for fewer nodes, or have the quota raised (Service Quotas, MemoryDB)",
        ),
        _ => failure,
    }
}

async fn wait_available(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<Cluster, Failure> {
    let wait = Wait {
        subject: format!("cluster \"{}\"", prepared.name),
        service: SERVICE,
        states: STATES,
        expected: EXPECTED + Duration::from_secs(prepared.bytes / RATE),
    };
    let last = RefCell::new(None);
    let ticket = env.clusters.join();
    let look = || async {
        let Some(found) = cluster::waited_cluster(env, cx, &ticket, &prepared.name).await? else {
            return Ok(Seen::gone());
        };
        creation::note_call(cx, Call::Taken).await?;
        let seen = seen(&found);
        last.replace(Some(found));
        Ok(seen)
    };
    let why = || async { cluster::reason(env, &prepared.name).await };
    cx.wait(&wait, look, why).await.map_err(|failure| match failure.class {
        Class::Terminal => failure.mend(
            "a cluster in this state cannot be repaired: mend what MemoryDB says, delete it (a rollback does) and run again",
        ),
        _ => failure,
    })?;
    last.into_inner().ok_or_else(|| Failure::fatal("the cluster was available and is not any more"))
}

/// `available` counts only when parameters, ACL and security groups are in effect.
fn seen(found: &Cluster) -> Seen {
    let status = found.status().unwrap_or("unknown");
    if !status.eq_ignore_ascii_case("available") {
        return Seen::state(status);
    }
    let mut open = Vec::new();
    if let Some(parameters) = found.parameter_group_status()
        && !["in-sync", "active"].iter().any(|done| parameters.eq_ignore_ascii_case(done))
    {
        open.push(format!("parameters {parameters}"));
    }
    if found.pending_updates().and_then(|p| p.acls()).and_then(|a| a.acl_to_apply()).is_some() {
        open.push("ACL being applied".to_owned());
    }
    let waiting = found
        .security_groups()
        .iter()
        .filter_map(|g| g.status())
        .find(|s| !s.eq_ignore_ascii_case("active"));
    if let Some(status) = waiting {
        open.push(format!("security groups {status}"));
    }
    if found.cluster_endpoint().and_then(|e| e.address()).is_none() {
        open.push("no endpoint yet".to_owned());
    }
    if open.is_empty() {
        Seen::state("available")
    } else {
        Seen { state: SETTLING.to_owned(), detail: Some(open.join(", ")) }
    }
}

fn output(prepared: &Prepared, found: &Cluster) -> Result<Output, Failure> {
    let endpoint = found.cluster_endpoint();
    let (Some(host), Some(port)) =
        (endpoint.and_then(|e| e.address()), endpoint.and_then(|e| u16::try_from(e.port()).ok()))
    else {
        return Err(Failure::fatal(format!("cluster \"{}\" shows no endpoint", prepared.name)));
    };
    Ok(Output {
        name: prepared.name.clone(),
        arn: found.arn().unwrap_or(&prepared.arn).to_owned(),
        endpoint: format!("{host}:{port}"),
        host: host.to_owned(),
        port,
        tls: found.tls_enabled().unwrap_or(true),
        shards: found.number_of_shards().and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        engine: found.engine().unwrap_or_default().to_owned(),
        engine_version: found.engine_version().unwrap_or_default().to_owned(),
        acl: found.acl_name().unwrap_or(&prepared.acl).to_owned(),
    })
}

mod preflight;
mod rules;

#[cfg(test)]
mod tests;
