use super::cluster::Cluster;
use super::error::DataError;
use super::model::{ModelCluster, Names};
use super::node::Host;
use super::program::Program;
use super::real::RealCluster;
use super::slots;
use super::spec::ClusterSpec;
use super::stand_in::EngineVersion;
use super::tls::Authority;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the content of clusters lives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ServerPolicy {
    /// Real servers if `redis-server` or `valkey-server` (7.0 or later) is on `PATH`, the model otherwise.
    #[default]
    Auto,
    /// Always the model.
    Off,
    /// This program, or an error.
    Program(PathBuf),
}

/// What a data plane runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaneKind {
    Real { program: PathBuf, version: String },
    Model { why: String },
}

/// Starts clusters. Dropping it ends every process it started, whoever still holds a [`Cluster`]; so does the end of
/// this process, by SIGKILL too.
pub struct DataPlane {
    kind: PlaneKind,
    source: Source,
}

enum Source {
    Real { host: Arc<Host>, stand_ins: Vec<(EngineVersion, Arc<Host>)> },
    Model { names: Arc<Names> },
}

impl DataPlane {
    /// Finds the server program; starts nothing. Runs `<program> --version`, a few milliseconds.
    ///
    /// `seed` is reserved for what a data plane makes up by itself; clusters are filled by [`Fill`](super::Fill)'s own.
    pub fn new(policy: ServerPolicy, seed: u64) -> Result<Self, DataError> {
        Self::with_stand_ins(policy, Vec::new(), seed)
    }

    /// The same, with programs for the clusters of some engines and versions. Without real servers there are no stand-ins
    /// either.
    pub fn with_stand_ins(
        policy: ServerPolicy,
        stand_ins: Vec<(EngineVersion, PathBuf)>,
        _seed: u64,
    ) -> Result<Self, DataError> {
        let found = match policy {
            ServerPolicy::Off => Err("servers are switched off".to_owned()),
            ServerPolicy::Auto => Program::discover(),
            ServerPolicy::Program(path) => Ok(Program::probe(&path)?),
        };
        Ok(match found {
            Ok(program) => {
                let kind = PlaneKind::Real {
                    program: program.path.clone(),
                    version: program.version.clone(),
                };
                let (authority, registry) = (Arc::new(Authority::new()?), Arc::default());
                let host = |program| {
                    let (authority, registry) = (Arc::clone(&authority), Arc::clone(&registry));
                    Arc::new(Host { program, authority, registry })
                };
                let stand_ins = stand_ins.into_iter();
                let stand_ins = stand_ins
                    .map(|(engine, path)| Ok((engine, host(Program::stand_in(&path)?))))
                    .collect::<Result<_, DataError>>()?;
                Self { kind, source: Source::Real { host: host(program), stand_ins } }
            }
            Err(why) => Self {
                kind: PlaneKind::Model { why },
                source: Source::Model { names: Arc::default() },
            },
        })
    }

    /// What stands behind the clusters.
    pub fn kind(&self) -> PlaneKind {
        self.kind.clone()
    }

    /// The certificate that clients of TLS clusters trust, in PEM. `None` for the model, which nobody connects to.
    pub fn ca_pem(&self) -> Option<&str> {
        match &self.source {
            Source::Real { host, .. } => Some(&host.authority.ca),
            Source::Model { .. } => None,
        }
    }

    /// Whether somebody chose a program for clusters of this engine and version.
    pub(crate) fn stands_in(&self, engine: &str, version: &str) -> bool {
        match &self.source {
            Source::Real { stand_ins, .. } => {
                stand_ins.iter().any(|(stand_in, _)| stand_in.fits(engine, version))
            }
            Source::Model { .. } => false,
        }
    }

    /// An empty cluster, ready for clients. A start that fails leaves nothing behind.
    pub async fn start(&self, spec: ClusterSpec) -> Result<Cluster, DataError> {
        let refuse = |reason: &str| {
            Err(DataError::Spec { cluster: spec.name.clone(), reason: reason.to_owned() })
        };
        if spec.shards == 0 || spec.shards > slots::SLOTS {
            return refuse("a cluster has between 1 and 16384 shards");
        }
        if spec.shards > 1 && !spec.cluster_mode {
            return refuse("only cluster mode has more than one shard");
        }
        match &self.source {
            Source::Model { names } => ModelCluster::new(&spec, names).map(Cluster::from_model),
            Source::Real { host, stand_ins } => {
                let fits = |(engine, _): &&(EngineVersion, _)| {
                    engine.fits(&spec.engine, &spec.engine_version)
                };
                let host = Arc::clone(stand_ins.iter().find(fits).map_or(host, |(_, host)| host));
                super::cluster::blocking(move || RealCluster::start(&host, &spec))
                    .await
                    .map(|cluster| Cluster::from_real(Arc::new(cluster)))
            }
        }
    }
}

impl fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataPlane").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        if let Source::Real { host, .. } = &self.source {
            host.registry.close();
        }
    }
}
