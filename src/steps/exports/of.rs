//! Whose snapshots are exported: ElastiCache's or MemoryDB's. Both write files of the same form in the same way.

use serde::{Deserialize, Serialize};

use crate::engine::{Cx, Failure};
use crate::steps::page::Ticket;
use crate::steps::{Env, elasticache, memorydb, s3};

/// Whose snapshot it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// ElastiCache's, of a replication group.
    #[default]
    ElastiCache,
    /// MemoryDB's.
    MemoryDb,
}

/// A snapshot as its service shows it.
#[derive(Clone, Debug, Default)]
pub(in crate::steps) struct Shown {
    pub(in crate::steps) name: String,
    pub(in crate::steps) arn: String,
    pub(in crate::steps) status: String,
    /// The shards, by their ids, in order: a file each.
    pub(in crate::steps) shards: Vec<String>,
    /// As far as the service says.
    pub(in crate::steps) bytes: u64,
    pub(in crate::steps) tiered: bool,
    /// What it is of: the replication group, node or cluster whose events tell of it.
    pub(in crate::steps) source: Option<String>,
    /// Whether that is a node.
    pub(in crate::steps) source_is_node: bool,
    /// The instants of the shards, RFC 3339, in the order of `shards`; "" where the service does not say.
    pub(in crate::steps) taken_at: Vec<String>,
    pub(in crate::steps) engine: String,
    pub(in crate::steps) engine_version: String,
    pub(in crate::steps) node_type: String,
}

/// A wait's place at the page that answers all waits of its sort.
pub(in crate::steps) enum Watch<'e> {
    ElastiCache { ticket: Ticket<'e, aws_sdk_elasticache::types::Snapshot>, automatic: bool },
    MemoryDb(Ticket<'e, aws_sdk_memorydb::types::Snapshot>),
}

impl Of {
    /// As services are named in errors.
    pub(in crate::steps) const fn service(self) -> &'static str {
        match self {
            Self::ElastiCache => "ElastiCache",
            Self::MemoryDb => "MemoryDB",
        }
    }

    /// Who writes the files.
    pub(in crate::steps) const fn guest(self) -> s3::Guest {
        match self {
            Self::ElastiCache => s3::Guest::ElastiCache,
            Self::MemoryDb => s3::Guest::MemoryDbExports,
        }
    }

    /// A snapshot; none if it is not there.
    ///
    /// # Errors
    /// As `aws::call`.
    pub(in crate::steps) async fn snapshot(
        self,
        env: &Env,
        name: &str,
    ) -> Result<Option<Shown>, Failure> {
        Ok(match self {
            Self::ElastiCache => {
                elasticache::look::snapshot(env, name).await?.map(|found| (&found).into())
            }
            Self::MemoryDb => {
                memorydb::snapshots::snapshot(env, name).await?.map(|found| (&found).into())
            }
        })
    }

    /// Takes part in the page on which `snapshot` is.
    pub(in crate::steps) fn watch<'e>(self, env: &'e Env, snapshot: &str) -> Watch<'e> {
        let automatic = is_automatic(snapshot);
        match self {
            Self::ElastiCache if automatic => {
                Watch::ElastiCache { ticket: env.automatic_snapshots.join(), automatic }
            }
            Self::ElastiCache => Watch::ElastiCache { ticket: env.snapshots.join(), automatic },
            Self::MemoryDb => Watch::MemoryDb(env.memorydb_snapshots.join()),
        }
    }

    /// Every automatic snapshot of a group or cluster that is available, newest first.
    ///
    /// # Errors
    /// As `aws::call`.
    pub(in crate::steps) async fn automatic(
        self,
        env: &Env,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Vec<Shown>, Failure> {
        let mut found: Vec<Shown> = match self {
            Self::ElastiCache => elasticache::look::automatic(env, cluster, nodes)
                .await?
                .iter()
                .map(Shown::from)
                .collect(),
            Self::MemoryDb => memorydb::snapshots::automatic(env, cluster)
                .await?
                .iter()
                .map(Shown::from)
                .collect(),
        };
        found.retain(|snapshot| snapshot.status == "available" && snapshot.earliest().is_some());
        found.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.earliest()));
        Ok(found)
    }

    /// What the service's events say of a failure.
    pub(in crate::steps) async fn reason(
        self,
        env: &Env,
        source: (&str, bool),
        subject: &str,
    ) -> Option<String> {
        use aws_sdk_elasticache::types::SourceType;
        match self {
            Self::ElastiCache => {
                let of = match source.1 {
                    true => SourceType::CacheCluster,
                    false => SourceType::ReplicationGroup,
                };
                elasticache::look::reason(env, of, source.0, subject).await
            }
            Self::MemoryDb => memorydb::reason(env, source.0).await,
        }
    }

    /// A snapshot that is there, whether it is being exported right now or not.
    ///
    /// # Errors
    /// `NotFound`, or as `aws::call`.
    pub(in crate::steps) async fn exportable_or_busy(
        self,
        env: &Env,
        name: &str,
    ) -> Result<Shown, Failure> {
        use crate::engine::Class;
        self.snapshot(env, &name.to_ascii_lowercase()).await?.ok_or_else(|| {
            Failure::new(Class::NotFound, format!("snapshot \"{name}\" is gone")).mend(
                "an automatic snapshot is kept for as many days as the cluster says: run again",
            )
        })
    }

    /// Whether the snapshot can be exported now.
    ///
    /// # Errors
    /// `NotFound`, `Busy`, `Fatal`, or as `aws::call`.
    pub(in crate::steps) async fn exportable(
        self,
        env: &Env,
        name: &str,
    ) -> Result<Shown, Failure> {
        use crate::engine::Class;
        let found = self.snapshot(env, &name.to_ascii_lowercase()).await?.ok_or_else(|| {
            Failure::new(Class::NotFound, format!("there is no snapshot \"{name}\"")).mend(format!(
                "aws {} describe-snapshots --region {} lists them",
                self.service().to_ascii_lowercase(),
                env.identity.region
            ))
        })?;
        if found.tiered {
            return Err(Failure::fatal(format!(
                "snapshot \"{name}\" is of a cluster with data tiering, and {} cannot export those",
                self.service()
            ))
            .mend("copy the data online instead, for example with RIOT or RedisShake"));
        }
        match found.status.to_ascii_lowercase().as_str() {
            "available" => Ok(found),
            status @ ("failed" | "deleting") => Err(Failure::fatal(format!(
                "snapshot \"{name}\" is {status} and cannot be exported"
            ))),
            status => Err(Failure::new(
                Class::Busy,
                format!("snapshot \"{name}\" is {status}; it can be exported when it is available"),
            )),
        }
    }
}

/// Whether a name is one that the service gives to what it takes by itself (ElastiCache user guide, automatic backups).
pub(in crate::steps) fn is_automatic(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("automatic.")
}

impl Watch<'_> {
    /// The status of a snapshot; none if it is not there.
    ///
    /// # Errors
    /// As `aws::call`.
    pub(in crate::steps) async fn status(
        &self,
        env: &Env,
        cx: &Cx,
        name: &str,
    ) -> Result<Option<String>, Failure> {
        let status = match self {
            Self::ElastiCache { ticket, automatic } => {
                let found =
                    elasticache::look::waited_snapshot_of(env, cx, ticket, name, *automatic);
                found.await?.and_then(|found| found.snapshot_status)
            }
            Self::MemoryDb(ticket) => {
                let found = memorydb::snapshots::waited_snapshot(env, cx, ticket, name).await?;
                found.and_then(|found| found.status)
            }
        };
        Ok(status)
    }
}

impl Shown {
    /// The instant of its first shard: every write after it is missing somewhere.
    pub(in crate::steps) fn earliest(&self) -> Option<jiff::Timestamp> {
        let instants: Option<Vec<jiff::Timestamp>> =
            self.taken_at.iter().map(|at| at.parse().ok()).collect();
        instants?.into_iter().min()
    }
}

impl From<&aws_sdk_elasticache::types::Snapshot> for Shown {
    fn from(found: &aws_sdk_elasticache::types::Snapshot) -> Self {
        use aws_sdk_elasticache::types::SourceType;
        use elasticache::look;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let source = look::source_of(found);
        Self {
            name: text(found.snapshot_name()),
            arn: text(found.arn()),
            status: found.snapshot_status().unwrap_or("unknown").to_owned(),
            shards: look::node_groups(found),
            bytes: look::bytes(found),
            tiered: look::tiered(found.data_tiering(), found.cache_node_type()),
            source_is_node: matches!(source, Some((SourceType::CacheCluster, _))),
            source: source.map(|(_, id)| id),
            taken_at: look::taken_at(found),
            engine: text(found.engine()),
            engine_version: text(found.engine_version()),
            node_type: text(found.cache_node_type()),
        }
    }
}

impl From<&aws_sdk_memorydb::types::Snapshot> for Shown {
    fn from(found: &aws_sdk_memorydb::types::Snapshot) -> Self {
        use aws_smithy_types::date_time::Format;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let of = found.cluster_configuration();
        let mut shards: Vec<_> = of.map(|of| of.shards().to_vec()).unwrap_or_default();
        shards.sort_by(|a, b| a.name().cmp(&b.name()));
        let at = |shard: &aws_sdk_memorydb::types::ShardDetail| {
            let at = shard.snapshot_creation_time()?;
            at.fmt(Format::DateTime).ok()
        };
        Self {
            name: text(found.name()),
            arn: text(found.arn()),
            status: found.status().unwrap_or("unknown").to_owned(),
            shards: shards.iter().map(|shard| text(shard.name())).collect(),
            bytes: shards.iter().filter_map(|s| crate::survey::size(s.size()?)).sum(),
            tiered: found.data_tiering().is_some_and(|t| t.as_str() == "true"),
            source: of.and_then(|of| of.name().map(str::to_owned)),
            source_is_node: false,
            taken_at: shards.iter().map(|shard| at(shard).unwrap_or_default()).collect(),
            engine: text(of.and_then(|of| of.engine())),
            engine_version: text(of.and_then(|of| of.engine_version())),
            node_type: text(of.and_then(|of| of.node_type())),
        }
    }
}
