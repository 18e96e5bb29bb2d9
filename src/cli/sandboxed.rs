//! The sandbox, and what a playbook needs to find in it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use orchestrate_sandbox::{
    Clock as SandboxClock, EndpointFormat, Sandbox, Seed, SeedAcl, SeedAlarm, SeedAlarmState,
    SeedBucket, SeedCluster, SeedHostedZone, SeedKmsKey, SeedParameter, SeedParameterGroup,
    SeedRecord, SeedReplicationGroup, SeedSecret, SeedServerlessCache, SeedSubnetGroup, SeedTopic,
    SeedUser, SeedUserGroup, SeedValue, ServerPolicy,
};

use serde_json::Value;

use super::error::CommandError;
use super::exit::Exit;
use super::view::needs;
use crate::engine::Clock;
use crate::plan::Plan;
use crate::steps::redis::{DataPlane, Entry, ModelPlane, Wire};
use crate::steps::{Need, all};

/// How much faster than AWS time runs in a sandbox inside the process.
const SPEED: f64 = 150.0;
/// Keys of each sort in a source that nobody described: eight sorts make 12,000.
const KEYS: u64 = 1_500;
/// When the service took its daily snapshots, in hours before now.
const DAILY: [u32; 2] = [5, 29];
/// The password of every user in a sandbox. It opens nothing but the sandbox.
const PASSWORD: &str = "sandbox-password-of-no-value";

/// A sandbox inside this process.
pub(crate) struct Embedded {
    /// The sandbox.
    pub(crate) sandbox: Sandbox,
    /// Its clock, which is the run's clock too.
    pub(crate) clock: Clock,
    /// Its region.
    pub(crate) region: String,
}

#[derive(Debug)]
struct Shared(Clock);

impl SandboxClock for Shared {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }
}

impl Embedded {
    /// Makes a sandbox that holds what the plan needs.
    pub(crate) async fn start(plan: &Plan) -> Result<Self, CommandError> {
        let clock = Clock::tokio(jiff::Timestamp::now(), SPEED);
        let guard = plan.guard.clone().unwrap_or_default();
        let region = guard.region.unwrap_or_else(|| "us-east-1".to_owned());
        let mut builder = Sandbox::builder()
            .clock(Arc::new(Shared(clock.clone())))
            .region(region.clone())
            .servers(ServerPolicy::Auto);
        if let Some(account) = guard.account {
            builder = builder.account(account);
        }
        let sandbox = builder.build().map_err(cannot_start)?;
        sandbox.seed(seed_for(plan)).await.map_err(cannot_start)?;
        Ok(Self { sandbox, clock, region })
    }

    /// What the clusters are made of, and what that leaves unshown.
    pub(crate) fn describe(&self) -> String {
        let not_shown = match self.sandbox.ca_pem() {
            Some(_) => "",
            None => ": a real server's RDB, streams, functions and TLS are not shown",
        };
        format!(
            "sandbox inside this process, {SPEED} times as fast as AWS; {}{not_shown}",
            self.sandbox.describe_data()
        )
    }

    /// The way to its data: real servers, or the model.
    pub(crate) fn data_plane(&self) -> Rc<dyn DataPlane> {
        match self.sandbox.ca_pem() {
            Some(pem) => Rc::new(Wire::new(Some(pem.into_bytes()))),
            None => Rc::new(model_plane(self.sandbox.clone(), self.clock.clone())),
        }
    }
}

/// Reads the entries of a modelled cluster in this process.
pub fn model_plane(sandbox: Sandbox, clock: Clock) -> ModelPlane {
    let written = sandbox.clone();
    let plane = ModelPlane::new(clock, move |host, port| {
        let model = sandbox.model(host, port)?;
        Some(
            model
                .entries()
                .map(|entry| {
                    (
                        entry.key.clone(),
                        Entry {
                            kind: entry.kind.to_owned(),
                            value: entry.value.clone(),
                            expires_at_ms: entry.expires_at_ms,
                        },
                    )
                })
                .collect(),
        )
    });
    plane.with_writer(move |host, port, key, value| written.write(host, port, key, value))
}

pub(crate) fn cannot_start(error: orchestrate_sandbox::SandboxError) -> CommandError {
    CommandError::new(Exit::Refused, "the sandbox cannot start").because(error.to_string())
}

/// What the plan's steps need and do not make themselves.
pub fn seed_for(plan: &Plan) -> Seed {
    let mut seed = Seed::default();
    let needs = needs(plan, &all());
    let source = needs.iter().find_map(|need| match need {
        Need::ReplicationGroup(id) | Need::ServerlessCache(id) => Some(id.clone()),
        _ => None,
    });
    for need in needs {
        provide(&mut seed, need, source.as_deref());
    }
    seed
}

fn provide(seed: &mut Seed, need: Need, source: Option<&str>) {
    match need {
        Need::ReplicationGroup(id) => {
            let group = user_group(seed, &id);
            seed.replication_groups.push(SeedReplicationGroup {
                id,
                shards: 2,
                cluster_mode: true,
                tls: true,
                user_group: Some(group),
                keys: KEYS,
                every_type: true,
                ..SeedReplicationGroup::default()
            });
        }
        Need::ServerlessCache(name) => {
            let group = user_group(seed, &name);
            seed.serverless_caches.push(SeedServerlessCache {
                name,
                user_group: Some(group),
                keys: KEYS,
                every_type: true,
                ..SeedServerlessCache::default()
            });
        }
        Need::DailySnapshots(of) => {
            if let Some(group) = seed.replication_groups.iter_mut().find(|group| group.id == of) {
                (group.snapshot_retention_days, group.automatic_snapshots) = (3, DAILY.to_vec());
                "22:00-23:00".clone_into(&mut group.snapshot_window);
            }
            if let Some(cluster) = seed.clusters.iter_mut().find(|cluster| cluster.name == of) {
                (cluster.snapshot_retention_days, cluster.automatic_snapshots) =
                    (3, DAILY.to_vec());
            }
        }
        Need::Bucket(name) => {
            seed.buckets.push(SeedBucket { name, ready_for_exports: true, ..SeedBucket::default() })
        }
        Need::Acl(name) => {
            let users = ["app", "reader"];
            for user in users {
                if !seed.memorydb_users.iter().any(|known| known.name == user) {
                    seed.memorydb_users.push(client(user, user));
                }
            }
            let users = users.map(str::to_owned).to_vec();
            seed.acls.push(SeedAcl { name, users, ..SeedAcl::default() });
        }
        Need::Alarm(name) => {
            let ok = SeedAlarmState { state: "OK".to_owned(), ..SeedAlarmState::default() };
            seed.alarms.push(SeedAlarm { name, states: vec![ok] });
        }
        Need::Cluster(name) => {
            seed.clusters.push(SeedCluster {
                name,
                tls: true,
                keys: KEYS,
                ..SeedCluster::default()
            });
        }
        Need::SubnetGroup(name) => {
            seed.subnet_groups.push(SeedSubnetGroup { name, ..SeedSubnetGroup::default() })
        }
        Need::Parameter { name, form } => {
            seed.parameters.push(SeedParameter::new(name, endpoint(source, &form)));
        }
        Need::Secret { name, form } => {
            seed.secrets.push(SeedSecret::new(name, endpoint(source, &form)));
        }
        Need::Record { zone, name } => {
            let record = SeedRecord {
                name: name.clone(),
                kind: "CNAME".to_owned(),
                ttl: 60,
                values: vec![endpoint(source, "host")],
                alias: None,
                weight: None,
            };
            match seed.hosted_zones.iter_mut().find(|known| known.id == zone) {
                Some(known) => known.records.push(record),
                None => seed.hosted_zones.push(SeedHostedZone {
                    id: zone,
                    name: name.split_once('.').map_or(name.clone(), |(_, zone)| zone.to_owned()),
                    records: vec![record],
                    ..SeedHostedZone::default()
                }),
            }
        }
        Need::ParameterGroup { name, family } => {
            seed.parameter_groups.push(SeedParameterGroup {
                name,
                family,
                ..SeedParameterGroup::default()
            });
        }
        Need::KmsKey(named) => seed.kms_keys.push(kms_key(named)),
        Need::Topic(arn) => {
            if !seed.topics.iter().any(|known| known.name == arn) {
                seed.topics.push(SeedTopic { name: arn, ..SeedTopic::default() });
            }
        }
        Need::Password(reference) => password(seed, &reference),
        // Made by the run that a clean-up follows; a seed file can put them there.
        Need::Snapshot(_) | Need::ServerlessSnapshot(_) | Need::Object(_) => {}
    }
}

fn kms_key(named: String) -> SeedKmsKey {
    match named.rfind("alias/") {
        Some(at) => SeedKmsKey {
            id: "00000000-0000-4000-a000-000000000000".to_owned(),
            alias: Some(named[at..].to_owned()),
            ..SeedKmsKey::default()
        },
        None => SeedKmsKey { id: named, ..SeedKmsKey::default() },
    }
}

fn password(seed: &mut Seed, reference: &str) {
    let value = SeedValue::Text(PASSWORD.to_owned());
    if let Some(name) = reference.strip_prefix("ssm:") {
        let kind = "SecureString".to_owned();
        seed.parameters.push(SeedParameter { kind, ..SeedParameter::new(name, value) });
    } else if let Some(name) = reference.strip_prefix("secretsmanager:") {
        let (name, value) = match name.split_once('#') {
            None => (name, value),
            Some((name, field)) => {
                (name, SeedValue::Object(BTreeMap::from([(field.to_owned(), value)])))
            }
        };
        if !seed.secrets.iter().any(|known| known.name == name) {
            seed.secrets.push(SeedSecret::new(name, value));
        }
    }
}

fn endpoint(source: Option<&str>, form: &str) -> SeedValue {
    let of = |format| match source {
        Some(source) => SeedValue::Endpoint { endpoint_of: source.to_owned(), format },
        None => SeedValue::Text(
            match format {
                EndpointFormat::Host => "old.example.com",
                EndpointFormat::Port => "6379",
                EndpointFormat::HostPort => "old.example.com:6379",
                EndpointFormat::Url => "redis://old.example.com:6379",
            }
            .to_owned(),
        ),
    };
    match form {
        "host" => of(EndpointFormat::Host),
        "url" => of(EndpointFormat::Url),
        _ => match serde_json::from_str(form) {
            Ok(document @ Value::Object(_)) => filled(&document, &of),
            _ => of(EndpointFormat::HostPort),
        },
    }
}

/// A document with its placeholders filled in: what a JSON target of `endpoint.swap` holds.
fn filled(document: &Value, of: &impl Fn(EndpointFormat) -> SeedValue) -> SeedValue {
    match document {
        Value::Object(fields) => SeedValue::Object(
            fields.iter().map(|(name, value)| (name.clone(), filled(value, of))).collect(),
        ),
        other => match other.as_str().unwrap_or_default() {
            "{host}" => of(EndpointFormat::Host),
            "{port}" => of(EndpointFormat::Port),
            "{url}" => of(EndpointFormat::Url),
            "{endpoint}" => of(EndpointFormat::HostPort),
            _ => SeedValue::Text("true".to_owned()),
        },
    }
}

/// A user group for a replication group or serverless cache, with its users. Gives its id.
fn user_group(seed: &mut Seed, of: &str) -> String {
    let id = format!("{of}-users");
    let users = elasticache_users(of);
    let group =
        SeedUserGroup { id: id.clone(), users: users.iter().map(|user| user.id.clone()).collect() };
    seed.user_groups.push(group);
    seed.users.extend(users);
    id
}

/// A group needs a user named "default" (ElastiCache API reference, error DefaultUserRequired); here it is switched off.
fn elasticache_users(group: &str) -> Vec<SeedUser> {
    vec![
        SeedUser {
            id: format!("{group}-default"),
            name: "default".to_owned(),
            access_string: "off ~* -@all".to_owned(),
            passwords: vec![PASSWORD.to_owned()],
        },
        client(&format!("{group}-app"), "app"),
        client(&format!("{group}-reader"), "reader"),
    ]
}

fn client(id: &str, name: &str) -> SeedUser {
    let access = match name {
        "reader" => {
            "on ~* &* -@all +@read +@connection +info +dbsize +time +cluster|slots +cluster|shards +cluster|nodes +function|list"
        }
        _ => "on ~* &* +@all",
    };
    SeedUser {
        id: id.to_owned(),
        name: name.to_owned(),
        access_string: access.to_owned(),
        passwords: vec![PASSWORD.to_owned()],
    }
}
