//! One change of a cluster, and the one that puts it back.

use std::fmt;

use aws_sdk_memorydb::operation::update_cluster::builders::UpdateClusterFluentBuilder;
use aws_sdk_memorydb::types::{Cluster, ReplicaConfigurationRequest, ShardConfigurationRequest};
use serde::{Deserialize, Serialize};

use super::{Output, Spec};
use crate::engine::Failure;

/// What of a cluster can be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    node_type: String,
    shards: u32,
    replicas: u32,
    parameter_group: String,
    acl: String,
    engine: String,
    engine_version: String,
    retention: u32,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what", content = "to")]
pub(super) enum Change {
    /// Engine, its version, and the parameter group that goes with it.
    Engine {
        engine: String,
        version: Option<String>,
        parameter_group: Option<String>,
    },
    ParameterGroup(String),
    Acl(String),
    NodeType(String),
    Shards(u32),
    Replicas(u32),
    Retention(u32),
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Shape {
    pub(super) fn of(found: &Cluster) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let number = |number: Option<i32>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let nodes = found.shards().first().and_then(|shard| shard.number_of_nodes());
        Self {
            node_type: text(found.node_type()),
            shards: number(found.number_of_shards()),
            replicas: number(nodes).saturating_sub(1),
            parameter_group: text(found.parameter_group_name()),
            acl: text(found.acl_name()),
            engine: text(found.engine()),
            engine_version: text(found.engine_version()),
            retention: number(found.snapshot_retention_limit()),
        }
    }

    pub(super) fn engine(&self) -> (&str, &str) {
        (&self.engine, &self.engine_version)
    }

    pub(super) fn node_type(&self) -> &str {
        &self.node_type
    }

    pub(super) fn output(self, name: &str, changes: &[Change]) -> Output {
        Output {
            name: name.to_owned(),
            node_type: self.node_type,
            shards: self.shards,
            replicas_per_shard: self.replicas,
            engine: self.engine,
            engine_version: self.engine_version,
            acl: self.acl,
            parameter_group: self.parameter_group,
            changed: changes.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The changes that bring a cluster where the playbook wants it, in the order in which they are made.
///
/// # Errors
/// `Fatal` for a downgrade of the engine.
pub(super) fn wanted(spec: &Spec, before: &Shape) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let mut group =
        spec.parameter_group.clone().filter(|name| !same(name, &before.parameter_group));
    let engine = spec.engine.clone().unwrap_or_else(|| before.engine.clone());
    let version = spec.engine_version.clone();
    let newer = version.as_deref().is_some_and(|version| version != before.engine_version);
    if !same(&engine, &before.engine) || newer {
        downgrade(before, &engine, version.as_deref())?;
        // A group of another family is taken together with its engine alone.
        changes.push(Change::Engine { engine, version, parameter_group: group.take() });
    }
    changes.extend(group.map(Change::ParameterGroup));
    let acl = spec.acl.as_ref().map(|acl| acl.to_ascii_lowercase());
    changes.extend(acl.filter(|acl| !same(acl, &before.acl)).map(Change::Acl));
    let node_type = spec.node_type.clone().filter(|node_type| *node_type != before.node_type);
    changes.extend(node_type.map(Change::NodeType));
    changes.extend(spec.shards.filter(|shards| *shards != before.shards).map(Change::Shards));
    let replicas = spec.replicas_per_shard.filter(|replicas| *replicas != before.replicas);
    changes.extend(replicas.map(Change::Replicas));
    let retention = spec.snapshot_retention_days.map(u32::from);
    changes.extend(retention.filter(|days| *days != before.retention).map(Change::Retention));
    Ok(changes)
}

/// No engine can be downgraded, and there is no way from Valkey to Redis (MemoryDB developer guide, engine versions).
///
/// # Errors
/// `Fatal` if that is asked for.
pub(super) fn downgrade(
    before: &Shape,
    engine: &str,
    version: Option<&str>,
) -> Result<(), Failure> {
    let numbers = |text: &str| {
        let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    let (engine_before, version_before) = before.engine();
    let back = same(engine_before, "valkey") && same(engine, "redis");
    let older = version.is_some_and(|version| numbers(version) < numbers(version_before));
    let refused = back || (older && same(engine, engine_before));
    if !refused {
        return Ok(());
    }
    let to = version.unwrap_or_default();
    Err(Failure::fatal(format!(
        "{engine_before} {version_before} cannot be made {engine} {to}: an engine is never downgraded"
    ))
    .mend("restore a snapshot into a new cluster instead: `memorydb.create_cluster`"))
}

impl Change {
    /// Whether a cluster is so.
    pub(super) fn in_effect(&self, found: &Cluster) -> bool {
        let now = Shape::of(found);
        match self {
            Self::Engine { engine, version, parameter_group } => {
                same(engine, &now.engine)
                    && version.as_ref().is_none_or(|version| *version == now.engine_version)
                    && parameter_group
                        .as_ref()
                        .is_none_or(|group| same(group, &now.parameter_group))
            }
            Self::ParameterGroup(group) => same(group, &now.parameter_group),
            Self::Acl(acl) => same(acl, &now.acl),
            Self::NodeType(node_type) => *node_type == now.node_type,
            Self::Shards(shards) => *shards == now.shards,
            Self::Replicas(replicas) => {
                let nodes = i32::try_from(replicas + 1).unwrap_or(i32::MAX);
                found.shards().iter().all(|shard| shard.number_of_nodes() == Some(nodes))
            }
            Self::Retention(days) => *days == now.retention,
        }
    }

    /// The change that puts it back; none for an engine.
    pub(super) fn back(&self, before: &Shape) -> Option<Self> {
        let before = before.clone();
        Some(match self {
            Self::Engine { .. } => return None,
            Self::ParameterGroup(_) => Self::ParameterGroup(before.parameter_group),
            Self::Acl(_) => Self::Acl(before.acl),
            Self::NodeType(_) => Self::NodeType(before.node_type),
            Self::Shards(_) => Self::Shards(before.shards),
            Self::Replicas(_) => Self::Replicas(before.replicas),
            Self::Retention(_) => Self::Retention(before.retention),
        })
    }

    pub(super) fn request(
        &self,
        request: UpdateClusterFluentBuilder,
    ) -> UpdateClusterFluentBuilder {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        match self {
            Self::Engine { engine, version, parameter_group } => request
                .engine(engine)
                .set_engine_version(version.clone())
                .set_parameter_group_name(parameter_group.clone()),
            Self::ParameterGroup(group) => request.parameter_group_name(group),
            Self::Acl(acl) => request.acl_name(acl),
            Self::NodeType(node_type) => request.node_type(node_type),
            Self::Shards(shards) => {
                let shards = ShardConfigurationRequest::builder().shard_count(number(*shards));
                request.shard_configuration(shards.build())
            }
            Self::Replicas(replicas) => {
                let replicas =
                    ReplicaConfigurationRequest::builder().replica_count(number(*replicas));
                request.replica_configuration(replicas.build())
            }
            Self::Retention(days) => request.snapshot_retention_limit(number(*days)),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine { engine, version: Some(version), .. } => {
                write!(f, "engine {engine} {version}")
            }
            Self::Engine { engine, .. } => write!(f, "engine {engine}"),
            Self::ParameterGroup(group) => write!(f, "parameter group {group}"),
            Self::Acl(acl) => write!(f, "ACL {acl}"),
            Self::NodeType(node_type) => write!(f, "node type {node_type}"),
            Self::Shards(1) => f.write_str("one shard"),
            Self::Shards(shards) => write!(f, "{shards} shards"),
            Self::Replicas(1) => f.write_str("one replica in each shard"),
            Self::Replicas(replicas) => write!(f, "{replicas} replicas in each shard"),
            Self::Retention(days) => write!(f, "{days} days of snapshots"),
        }
    }
}
