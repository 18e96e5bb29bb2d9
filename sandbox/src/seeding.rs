//! Puts a seed into the state.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::bucket_access::ready_policy;
use crate::context::Ctx;
use crate::data::{Cluster, ClusterSpec, Fill, Pretence};
use crate::elasticache::serverless::state as ec_serverless;
use crate::elasticache::{self, state as ec};
use crate::kms;
use crate::memorydb::{self, state as mdb};
use crate::s3::state::{Bucket, Encryption, Object, Versioning};
use crate::sandbox::SandboxError;
use crate::seed::{
    EndpointFormat, Seed, SeedCluster, SeedMetric, SeedReplicationGroup, SeedServerlessCache,
    SeedValue,
};
use crate::sns;

/// Users first, then the clusters that need them, then what may name the clusters' endpoints.
pub(crate) async fn apply(ctx: &Ctx, seed: &Seed, random_seed: u64) -> Result<(), SandboxError> {
    access(ctx, seed)?;
    for group in &seed.replication_groups {
        replication_group(ctx, group, random_seed).await?;
    }
    for cache in &seed.serverless_caches {
        serverless_cache(ctx, cache, random_seed).await?;
    }
    for cluster in &seed.clusters {
        memorydb_cluster(ctx, cluster, random_seed).await?;
    }
    buckets(ctx, seed).await?;
    watched(ctx, seed);
    topics(ctx, seed);
    values(ctx, seed)
}

fn watched(ctx: &Ctx, seed: &Seed) {
    let at = |minutes: i64| {
        let after = jiff::SignedDuration::from_mins(minutes);
        ctx.now.checked_add(after).unwrap_or(jiff::Timestamp::MAX)
    };
    let cloudwatch = &mut ctx.world().cloudwatch;
    for metric in &seed.metrics {
        let steps = metric.values.iter().map(|p| (at(p.after_minutes).as_second() as f64, p.value));
        let SeedMetric { namespace, metric, dimensions, .. } = metric;
        cloudwatch.show(namespace, metric, dimensions, steps.collect());
    }
    for alarm in &seed.alarms {
        let states = alarm.states.iter();
        let states = states.map(|s| (at(s.after_minutes), s.state.clone(), s.reason.clone()));
        cloudwatch.seed_alarm(&alarm.name, ctx.now, states.collect());
    }
}

fn topics(ctx: &Ctx, seed: &Seed) {
    for topic in &seed.topics {
        let new = sns::state::Topic { subscriptions: topic.subscriptions, messages: Vec::new() };
        ctx.world().sns.topics.insert(sns::arn(ctx, &topic.name), new);
    }
}

fn access(ctx: &Ctx, seed: &Seed) -> Result<(), SandboxError> {
    let mut world = ctx.world();
    for user in &seed.users {
        let id = if user.id.is_empty() { &user.name } else { &user.id }.to_ascii_lowercase();
        let user = ec::User {
            id: id.clone(),
            name: user.name.clone(),
            status: "active".to_owned(),
            due: None,
            engine: "redis".to_owned(),
            access_string: user.access_string.clone(),
            passwords: user.passwords.clone(),
            tags: BTreeMap::new(),
        };
        world.elasticache.users.insert(id, user);
    }
    for group in &seed.user_groups {
        let id = group.id.to_ascii_lowercase();
        let users: Vec<_> = group.users.iter().map(|user| user.to_ascii_lowercase()).collect();
        known(&id, &users, |user| world.elasticache.users.contains_key(user))?;
        let engine = "redis".to_owned();
        let group = ec::UserGroup { id: id.clone(), engine, users, tags: BTreeMap::new() };
        world.elasticache.user_groups.insert(id, group);
    }
    let memorydb = &mut world.memorydb;
    memorydb.linked_role_missing = seed.memorydb_first_use;
    for user in &seed.memorydb_users {
        let name = user.name.to_ascii_lowercase();
        let user = mdb::User::new(&name, &user.access_string, user.passwords.clone());
        memorydb.users.insert(name, user);
    }
    for acl in &seed.acls {
        let name = acl.name.to_ascii_lowercase();
        known(&name, &acl.users, |user| memorydb.users.contains_key(user))?;
        let acl = mdb::Acl {
            name: name.clone(),
            status: acl.status.clone().unwrap_or_else(|| "active".to_owned()),
            due: None,
            users: acl.users.clone(),
            tags: BTreeMap::new(),
        };
        memorydb.acls.insert(name, acl);
    }
    for group in &seed.subnet_groups {
        let name = group.name.to_ascii_lowercase();
        let mut new = mdb::SubnetGroup::new(&name);
        if !group.subnets.is_empty() {
            new.subnets.clone_from(&group.subnets);
        }
        new.zones.clone_from(&group.zones);
        new.vpc = group.vpc.clone().unwrap_or(new.vpc);
        memorydb.subnet_groups.insert(name, new);
    }
    for group in &seed.parameter_groups {
        let new = mdb::ParameterGroup {
            family: group.family.clone(),
            description: String::new(),
            values: group.values.clone(),
            tags: BTreeMap::new(),
        };
        memorydb.parameter_groups.insert(group.name.to_ascii_lowercase(), new);
    }
    memorydb.quotas = mdb::Quotas {
        nodes_per_region: seed.memorydb_quotas.nodes_per_region,
        nodes_per_cluster: seed.memorydb_quotas.nodes_per_cluster,
    };
    memorydb.more_node_types.clone_from(&seed.memorydb_node_types);
    for key in &seed.kms_keys {
        let whole = key.id.rsplit_once(":key/");
        let id = whole.map_or(key.id.as_str(), |(_, id)| id).to_owned();
        let new = kms::state::Key {
            arn: match whole {
                Some(_) => key.id.clone(),
                None => kms::arn(ctx, &format!("key/{id}")),
            },
            id: id.clone(),
            alias: key.alias.clone(),
            state: key.state.clone(),
            spec: key.spec.clone(),
            usage: key.usage.clone(),
        };
        world.kms.keys.insert(id, new);
    }
    Ok(())
}

fn known(of: &str, users: &[String], is: impl Fn(&str) -> bool) -> Result<(), SandboxError> {
    match users.iter().find(|user| !is(user)) {
        None => Ok(()),
        Some(user) => {
            Err(SandboxError::Seed(format!("{of} names the user {user}, who is not seeded")))
        }
    }
}

async fn replication_group(
    ctx: &Ctx,
    seed: &SeedReplicationGroup,
    random_seed: u64,
) -> Result<(), SandboxError> {
    let id = seed.id.to_ascii_lowercase();
    if seed.shards != 1 && !seed.cluster_mode {
        let shards = seed.shards;
        return Err(SandboxError::Seed(format!("{id} has {shards} shards without cluster mode")));
    }
    let user_groups: Vec<_> = seed.user_group.iter().map(|id| id.to_ascii_lowercase()).collect();
    {
        let mut world = ctx.world();
        known_group(&world.elasticache, &id, &user_groups)?;
        let group = ec::Group {
            id: id.clone(),
            description: id.clone(),
            status: seed.status.clone(),
            due: seed.status_minutes.map(|minutes| ec::Due {
                at: ctx.due(Duration::from_secs(u64::from(minutes) * 60)),
                to: Some("available".to_owned()),
                reason: None,
            }),
            engine: seed.engine.clone(),
            engine_version: seed.engine_version.clone(),
            node_type: seed.node_type.clone(),
            replicas: seed.replicas,
            cluster_mode: seed.cluster_mode,
            tls: seed.tls,
            data_tiering: seed.data_tiering,
            durability: seed.durability.clone(),
            user_groups,
            tags: seed.tags.clone(),
            created: ctx.now,
            visible: ctx.now,
            // What is seeded is taken to have been there for long.
            metrics_since: (!seed.without_metrics).then_some(jiff::Timestamp::UNIX_EPOCH),
            keys: seed.keys,
            cluster: None,
            shards: Vec::new(),
            settings: ec::Settings {
                auth_token: seed.auth_token,
                pending: seed.pending.clone(),
                retention: seed.snapshot_retention_days,
                snapshot_window: seed.snapshot_window.clone(),
                maintenance_window: seed.maintenance_window.clone(),
                parameter_group: seed
                    .parameter_group
                    .clone()
                    .or_else(|| (!seed.parameters.is_empty()).then(|| format!("{id}-parameters"))),
                parameters: seed.parameters.clone(),
                subnet_group: seed.subnet_group.clone(),
                security_groups: seed.security_groups.clone(),
                global: seed.global_datastore.clone().map(|name| (name, seed.global_role.clone())),
                databases: seed.databases,
                last_windows: (None, None),
            },
            change: None,
            origin: ec::Origin::Empty,
            primaries: BTreeMap::new(),
            recovers: None,
        };
        if let Some(name) =
            group.settings.parameter_group.clone().filter(|n| !n.starts_with("default."))
        {
            let major = seed.engine_version.split('.').next().unwrap_or_default();
            let family = format!("{}{major}", seed.engine);
            let values = seed.parameters.clone();
            let parameters = ec::ParameterGroup { family, values };
            world.elasticache.parameter_groups.insert(name, parameters);
        }
        world.elasticache.groups.insert(id.clone(), group);
    }
    elasticache::start_group(ctx, &id, seed.shards).await?;
    elasticache::seed_history(ctx, &id, &seed.manual_snapshots);
    elasticache::seed_failovers(ctx, &id, &seed.tested_failovers);
    let cluster = ctx.world().elasticache.groups.get(&id).and_then(|group| group.cluster.clone());
    if let Some(cluster) = cluster {
        let pretends = cluster.pretend(Pretence { used_memory: seed.used_memory });
        if !pretends && seed.used_memory.is_some() {
            let text = format!("{id}: real servers say themselves how much memory they use");
            return Err(SandboxError::Seed(text));
        }
        fill(&cluster, seed.keys, seed.every_type, random_seed).await?;
    }
    elasticache::seed_automatic(ctx, &id, &seed.automatic_snapshots).await;
    Ok(())
}

async fn serverless_cache(
    ctx: &Ctx,
    seed: &SeedServerlessCache,
    random_seed: u64,
) -> Result<(), SandboxError> {
    let name = seed.name.to_ascii_lowercase();
    if seed.partitions > 1 && !seed.export_suffix.contains("{n}") {
        return Err(SandboxError::Seed(format!(
            "{name} has several partitions, and their exported files would all have one name: put {{n}} into export_suffix"
        )));
    }
    let user_group = seed.user_group.as_ref().map(|id| id.to_ascii_lowercase());
    {
        let mut world = ctx.world();
        known_group(&world.elasticache, &name, user_group.as_slice())?;
        let cache = ec_serverless::Cache {
            name: name.clone(),
            status: seed.status.clone(),
            engine: seed.engine.clone(),
            major_version: seed.major_version.clone(),
            full_version: seed.full_version.clone(),
            user_group,
            security_groups: seed.security_groups.clone(),
            subnets: seed.subnets.clone(),
            tags: seed.tags.clone(),
            created: ctx.now,
            keys: seed.keys,
            export_suffix: seed.export_suffix.clone(),
            cluster: None,
        };
        world.elasticache.caches.insert(name.clone(), cache);
    }
    elasticache::serverless::start(ctx, &name, seed.partitions).await?;
    let cluster = ctx.world().elasticache.caches.get(&name).and_then(|c| c.cluster.clone());
    if let Some(cluster) = cluster {
        fill(&cluster, seed.keys, seed.every_type, random_seed).await?;
    }
    Ok(())
}

fn known_group(
    state: &ec::ElastiCacheState,
    of: &str,
    user_groups: &[String],
) -> Result<(), SandboxError> {
    match user_groups.iter().find(|id| !state.user_groups.contains_key(*id)) {
        None => Ok(()),
        Some(group) => Err(SandboxError::Seed(format!(
            "{of} names the user group {group}, which is not seeded"
        ))),
    }
}

async fn fill(
    cluster: &Cluster,
    keys: u64,
    every_type: bool,
    seed: u64,
) -> Result<(), SandboxError> {
    if keys > 0 {
        cluster.fill(Fill { keys, every_type, seed }).await?;
    }
    Ok(())
}

async fn memorydb_cluster(
    ctx: &Ctx,
    seed: &SeedCluster,
    random_seed: u64,
) -> Result<(), SandboxError> {
    let name = seed.name.to_ascii_lowercase();
    if !seed.tls && seed.acl != mdb::OPEN_ACCESS {
        let acl = &seed.acl;
        return Err(SandboxError::Seed(format!("{name} has the ACL {acl}, which needs TLS")));
    }
    let (users, open_access) = ctx.world().memorydb.access(&seed.acl);
    let spec = ClusterSpec {
        name: name.clone(),
        engine: "redis".to_owned(),
        engine_version: "7.1".to_owned(),
        shards: seed.shards,
        cluster_mode: true,
        tls: seed.tls,
        users,
        open_access,
    };
    let servers = ctx.data().start(spec).await?;
    fill(&servers, seed.keys, true, random_seed).await?;
    let cluster = mdb::MdbCluster {
        name: name.clone(),
        description: String::new(),
        status: "available".to_owned(),
        due: None,
        origin: mdb::Origin::Empty,
        filling: false,
        node_type: seed.node_type.clone(),
        engine: "redis".to_owned(),
        engine_version: "7.1".to_owned(),
        shard_count: seed.shards,
        replicas: seed.replicas,
        acl: seed.acl.clone(),
        tls: seed.tls,
        port: 6379,
        subnet_group: "default".to_owned(),
        parameter_group: "default.memorydb-redis7".to_owned(),
        security_groups: Vec::new(),
        kms_key: None,
        retention: u64::from(seed.snapshot_retention_days),
        data_tiering: false,
        tags: seed.tags.clone(),
        created: ctx.now,
        visible: ctx.now,
        keys: seed.keys,
        metrics_since: Some(jiff::Timestamp::UNIX_EPOCH),
        shards: servers.shards(),
        cluster: Some(servers),
        pending: None,
    };
    {
        let memorydb = &mut ctx.world().memorydb;
        let hour_ago = ctx.ago(Duration::from_secs(3600));
        for _ in 0..seed.failovers_today {
            memorydb.failovers.push(hour_ago);
            let message = "FailoverShard API called for shard 0001";
            memorydb.event(hour_ago, "cluster", &name, message);
        }
        memorydb.clusters.insert(name.clone(), cluster);
    }
    memorydb::seed_automatic(ctx, &name, &seed.automatic_snapshots).await;
    Ok(())
}

async fn buckets(ctx: &Ctx, seed: &Seed) -> Result<(), SandboxError> {
    for bucket in &seed.buckets {
        let region = bucket.region.as_deref().unwrap_or(ctx.region());
        let owner = bucket.owner.as_deref().unwrap_or(ctx.account());
        let mut new = Bucket::new(region, owner, ctx.now);
        if bucket.ready_for_exports {
            new.policy = Some(ready_policy(&bucket.name, region));
        }
        if let Some(key) = &bucket.kms_key {
            new.encryption = Encryption::Kms(key.clone());
        }
        if bucket.versioning {
            new.versioning = Versioning::Enabled;
        }
        if !bucket.statements.is_empty() {
            new.policy = Some(with_statements(new.policy.take(), &bucket.statements));
        }
        if let Some(ownership) = &bucket.ownership {
            new.ownership = Some(ownership.clone());
        }
        new.object_lock_days = bucket.object_lock_days;
        for key in &bucket.objects {
            let object = Object::new(key.clone().into(), ctx.now, Encryption::Aes256);
            new.objects.insert(key.clone(), object);
        }
        if let Some(elsewhere) = ctx.elsewhere() {
            elsewhere.make(&bucket.name, &new).await.map_err(SandboxError::S3)?;
        }
        ctx.world().s3.buckets.insert(bucket.name.clone(), new);
    }
    Ok(())
}

fn with_statements(policy: Option<String>, more: &[Value]) -> String {
    let policy = policy.and_then(|policy| serde_json::from_str::<Value>(&policy).ok());
    let mut policy = policy.unwrap_or_else(|| serde_json::json!({"Version": "2012-10-17"}));
    let mut statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    statements.extend(more.iter().cloned());
    policy["Statement"] = Value::Array(statements);
    policy.to_string()
}

fn values(ctx: &Ctx, seed: &Seed) -> Result<(), SandboxError> {
    for parameter in &seed.parameters {
        let value = text(ctx, &parameter.value)?;
        ctx.world().ssm.seed(parameter, &value, ctx.now);
    }
    let prefix = format!("arn:aws:secretsmanager:{}:{}:secret:", ctx.region(), ctx.account());
    for secret in &seed.secrets {
        let value = text(ctx, &secret.value)?;
        ctx.world().secretsmanager.seed(secret, &value, &prefix, ctx.now);
    }
    for zone in &seed.hosted_zones {
        let mut records = Vec::new();
        for record in &zone.records {
            let values: Result<Vec<_>, _> = record.values.iter().map(|v| text(ctx, v)).collect();
            records.push((record.clone(), values?));
        }
        ctx.world().route53.seed(&zone.id, &zone.name, zone.private, &records);
    }
    Ok(())
}

/// The text of a value: itself, an endpoint, or a JSON object of such values.
fn text(ctx: &Ctx, value: &SeedValue) -> Result<String, SandboxError> {
    match value {
        SeedValue::Text(text) => Ok(text.clone()),
        SeedValue::Endpoint { endpoint_of, format } => endpoint(ctx, endpoint_of, *format),
        SeedValue::Object(members) => {
            // An object inside an object stays one; everything else is text.
            let member = |(name, value): (&String, &SeedValue)| {
                let text = text(ctx, value)?;
                let nested = matches!(value, SeedValue::Object(_));
                let value = nested.then(|| serde_json::from_str(&text).ok()).flatten();
                Ok((name.clone(), value.unwrap_or(Value::String(text))))
            };
            let object: Result<serde_json::Map<_, _>, SandboxError> =
                members.iter().map(member).collect();
            Ok(Value::Object(object?).to_string())
        }
    }
}

fn endpoint(ctx: &Ctx, of: &str, format: EndpointFormat) -> Result<String, SandboxError> {
    let id = of.to_ascii_lowercase();
    let world = ctx.world();
    let group = world.elasticache.groups.get(&id).map(|g| (g.cluster.clone(), g.tls));
    let cache = || world.elasticache.caches.get(&id).map(|cache| (cache.cluster.clone(), true));
    let found = group.or_else(cache).or_else(|| {
        world.memorydb.clusters.get(&id).map(|cluster| (cluster.cluster.clone(), cluster.tls))
    });
    let Some((Some(cluster), tls)) = found else {
        let text = format!("a value names the endpoint of {of}, which is not a seeded cluster");
        return Err(SandboxError::Seed(text));
    };
    let (host, port) = cluster.endpoint();
    Ok(match format {
        EndpointFormat::Host => host,
        EndpointFormat::Port => port.to_string(),
        EndpointFormat::HostPort => format!("{host}:{port}"),
        EndpointFormat::Url if tls => format!("rediss://{host}:{port}"),
        EndpointFormat::Url => format!("redis://{host}:{port}"),
    })
}
