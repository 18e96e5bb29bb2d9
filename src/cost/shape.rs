//! What is priced: a service, an engine, nodes, and how they are paid for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decimal::Quantity;

/// Where the data would live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// ElastiCache without durability.
    #[serde(rename = "elasticache")]
    ElastiCache,
    /// ElastiCache with a Multi-AZ transaction log. Valkey 9.0 and later.
    #[serde(rename = "durable_elasticache")]
    Durable(Mode),
    /// MemoryDB.
    #[serde(rename = "memorydb")]
    MemoryDb,
}

/// When a durable ElastiCache cluster answers a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Before the log has it: up to ten seconds of writes may be lost.
    Async,
    /// After the log has it.
    Sync,
}

/// What speaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// Redis OSS.
    Redis,
    /// Valkey.
    Valkey,
}

/// A node type without the service's prefix: "r7g.large" for `cache.r7g.large` and `db.r7g.large` alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct NodeType(String);

/// For how long nodes are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Term {
    /// One year.
    #[serde(rename = "1yr")]
    OneYear,
    /// Three years.
    #[serde(rename = "3yr")]
    ThreeYears,
}

/// How a reservation is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payment {
    /// By the hour.
    NoUpfront,
    /// Partly at once.
    PartialUpfront,
    /// All at once.
    AllUpfront,
}

/// How the nodes are paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purchase {
    /// By the hour, without commitment.
    #[default]
    OnDemand,
    /// Reserved.
    Reserved(Term, Payment),
}

/// A cluster to be priced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Where.
    pub service: Service,
    /// What it runs.
    pub engine: Engine,
    /// On what.
    pub node_type: NodeType,
    /// Shards.
    pub shards: u32,
    /// Replicas of each shard.
    pub replicas: u32,
    /// The data, in GB, once: not counted again for replicas.
    pub data: Option<Quantity>,
    /// What is written in a month, in GB.
    pub written: Option<Quantity>,
    /// Snapshots kept, in GB.
    pub backup: Quantity,
    /// How the nodes are paid for.
    pub purchase: Purchase,
}

impl Shape {
    /// All nodes: primaries and replicas.
    #[must_use]
    pub fn nodes(&self) -> u64 {
        u64::from(self.shards) * (u64::from(self.replicas) + 1)
    }
}

impl Service {
    /// The service that is billed, as the price file names it.
    #[must_use]
    pub fn billed(self) -> &'static str {
        match self {
            Self::ElastiCache | Self::Durable(_) => "elasticache",
            Self::MemoryDb => "memorydb",
        }
    }
}

impl NodeType {
    /// Its family: "r7g".
    #[must_use]
    pub fn family(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// As it is written in the price file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether MemoryDB has such nodes (MemoryDB developer guide, Supported node types).
#[must_use]
pub fn memorydb_supports(node: &NodeType) -> bool {
    match (node.family(), node.0.split('.').nth(1).unwrap_or_default()) {
        ("r7g" | "r6g", size) => size != "micro",
        ("r6gd", size) => matches!(size, "xlarge" | "2xlarge" | "4xlarge" | "8xlarge"),
        ("t4g", size) => matches!(size, "small" | "medium"),
        _ => false,
    }
}

/// Whether ElastiCache's durability works on such nodes (ElastiCache user guide, Durability, Limitations). The English
/// page has fewer families than its translations, which are newer: the longer list is taken.
#[must_use]
pub fn durable_supports(node: &NodeType) -> bool {
    matches!(node.family(), "r6g" | "r7g" | "r8g" | "m6g" | "m7g" | "m8g" | "c7gn" | "c8gn")
}

impl FromStr for NodeType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix("cache.").or_else(|| text.strip_prefix("db.")).unwrap_or(text);
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        match bare.split_once('.') {
            Some((family, size)) if plain(family) && plain(size) => Ok(Self(bare.to_owned())),
            _ => Err(format!("\"{text}\" is no node type, such as r7g.large or cache.r7g.large")),
        }
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "redis" => Ok(Self::Redis),
            "valkey" => Ok(Self::Valkey),
            _ => Err(format!("\"{text}\" is no engine here: redis or valkey")),
        }
    }
}

impl FromStr for Purchase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::OnDemand);
        }
        let wrong = || {
            format!(
                "\"{text}\" is neither none, nor 1yr or 3yr followed by -no-upfront, -partial-upfront or -all-upfront"
            )
        };
        let (term, payment) = text.split_once('-').ok_or_else(wrong)?;
        let term = match term {
            "1yr" => Term::OneYear,
            "3yr" => Term::ThreeYears,
            _ => return Err(wrong()),
        };
        let payment = match payment {
            "no-upfront" => Payment::NoUpfront,
            "partial-upfront" => Payment::PartialUpfront,
            "all-upfront" => Payment::AllUpfront,
            _ => return Err(wrong()),
        };
        Ok(Self::Reserved(term, payment))
    }
}

impl Term {
    pub(super) fn months(self) -> u32 {
        match self {
            Self::OneYear => 12,
            Self::ThreeYears => 36,
        }
    }
}

impl fmt::Display for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ElastiCache => "ElastiCache",
            Self::Durable(Mode::Async) => "durable ElastiCache (async)",
            Self::Durable(Mode::Sync) => "durable ElastiCache (sync)",
            Self::MemoryDb => "MemoryDB",
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis OSS",
            Self::Valkey => "Valkey",
        })
    }
}

impl fmt::Display for Purchase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Reserved(term, payment) = self else { return f.write_str("on demand") };
        let years = match term {
            Term::OneYear => "1 year",
            Term::ThreeYears => "3 years",
        };
        let paid = match payment {
            Payment::NoUpfront => "nothing upfront",
            Payment::PartialUpfront => "partly upfront",
            Payment::AllUpfront => "all upfront",
        };
        write!(f, "reserved for {years}, {paid}")
    }
}
