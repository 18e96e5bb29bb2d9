//! What stands for the source in MemoryDB.

use serde::Serialize;

use super::found::{Found, Source};
use super::{Kinds, Options};
use crate::facts::{Fit, RdbHead, memorydb_counterpart, newest_readable, node_memory, written_by};
use crate::survey::{Group, Serverless};

/// MemoryDB's longest cluster name (MemoryDB API reference, CreateCluster).
const LONGEST_NAME: usize = 40;
/// The most replicas of a shard (developer guide, quotas).
const MOST_REPLICAS: u32 = 5;
/// Nodes of one cluster unless AWS was asked for more (developer guide, quotas).
const NODES: u32 = 90;
/// A shard is planned to be filled to three quarters at most, in hundredths.
const FILL: u64 = 75;
/// Node types that a serverless cache is given, smallest first, and how many shards of each are tried before the next.
const SIZES: [(&str, u64); 4] =
    [("db.r7g.large", 4), ("db.r7g.xlarge", 8), ("db.r7g.2xlarge", 12), ("db.r7g.4xlarge", 500)];

/// Why a source cannot be moved this way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What cannot be done.
    pub message: String,
    /// Why.
    pub because: String,
    /// What to do instead.
    pub mend: String,
}

/// A value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub why: String,
}

/// Who may enter the new cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Acl {
    /// Everybody: `open-access`.
    Open,
    /// The users of an ACL that has to be made.
    Own(String),
}

/// The source in MemoryDB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The name of the new cluster.
    pub name: Chosen<String>,
    /// Such as "db.r7g.large".
    pub node_type: Chosen<String>,
    /// How many shards.
    pub shards: Chosen<u32>,
    /// Replicas in each.
    pub replicas: Chosen<u32>,
    /// "redis" or "valkey".
    pub engine: Chosen<String>,
    /// Such as "7.3".
    pub version: Chosen<String>,
    /// Whether clients speak TLS.
    pub tls: Chosen<bool>,
    /// The port, where it is not 6379.
    pub port: Option<u16>,
    /// Who may enter.
    pub acl: Chosen<Acl>,
    /// What is worth knowing of the source, a sentence each.
    pub remarks: Vec<String>,
}

pub(super) fn choose(found: &Found, options: &Options, kinds: Kinds) -> Result<Choice, Refusal> {
    let source = &found.source;
    let (engine, version) = engine(source)?;
    let name = name(source, options)?;
    let (node_type, shards, replicas) = match source {
        Source::Group(group) => nodes(group)?,
        Source::Serverless(cache) if kinds.serverless => capacity(cache),
        Source::Serverless(cache) => {
            return Err(Refusal {
                message: format!("serverless cache \"{}\" cannot be moved", cache.name),
                because: "this version of orchestrate has no steps for serverless caches"
                    .to_owned(),
                mend: "use a newer version".to_owned(),
            });
        }
    };
    Ok(Choice {
        tls: tls(source),
        port: source.endpoint().map(|endpoint| endpoint.port).filter(|port| *port != 6379),
        acl: acl(source, &name.value),
        remarks: remarks(source, shards.value, replicas.value),
        name,
        node_type,
        shards,
        replicas,
        engine,
        version,
    })
}

fn chosen<T>(value: T, why: impl Into<String>) -> Chosen<T> {
    Chosen { value, why: why.into() }
}

fn name(source: &Source, options: &Options) -> Result<Chosen<String>, Refusal> {
    if let Some(name) = &options.name {
        return if valid_name(name) {
            Ok(chosen(name.to_ascii_lowercase(), "as asked for"))
        } else {
            Err(Refusal {
                message: format!("\"{name}\" cannot be the name of a MemoryDB cluster"),
                because: format!(
                    "a name begins with a letter and goes on with letters, digits and single hyphens, {LONGEST_NAME} at most"
                ),
                mend: format!("for example --name {}", slug(name, LONGEST_NAME)),
            })
        };
    }
    let name = format!("{}-mdb", slug(source.name(), LONGEST_NAME - 4));
    Ok(chosen(name, "it becomes public in certificate logs: no secrets in it"))
}

fn valid_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !name.contains("--")
        && !name.ends_with('-')
}

/// A name that both MemoryDB and a playbook take.
pub(super) fn slug(name: &str, longest: usize) -> String {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    if !slug.starts_with(|c: char| c.is_ascii_alphabetic()) {
        slug.insert_str(0, "redis-");
    }
    slug.truncate(longest);
    slug.trim_end_matches('-').to_owned()
}

/// The engine nearest to the source's that loads its files.
fn engine(source: &Source) -> Result<(Chosen<String>, Chosen<String>), Refusal> {
    let (engine, version) = (source.engine(), source.version());
    let shown = format!("{engine} {}", version.unwrap_or("of a version that could not be read"));
    let refuse = |because: String, mend: &str| Refusal {
        message: format!("{} \"{}\" cannot be moved to MemoryDB", source.what(), source.name()),
        because,
        mend: mend.to_owned(),
    };
    let major: Option<u32> = version.and_then(|version| version.split('.').next()?.parse().ok());
    let (to, to_version) = match (engine, major) {
        ("valkey", Some(9..)) => {
            return Err(refuse(
                format!("it runs {shown}, and no engine of MemoryDB loads what that writes"),
                "make ElastiCache itself durable instead: Valkey 9 has sync and async durability. `orchestrate advise` weighs the two",
            ));
        }
        ("valkey", _) => ("valkey", "7.3"),
        ("redis", Some(..=6)) => ("redis", "6.2"),
        ("redis", Some(7) | None) => ("redis", "7.1"),
        ("redis", _) => {
            return Err(refuse(
                format!("it runs {shown}, and it is not known what that writes"),
                "use a newer version of orchestrate; docs/steps.md says which engines memorydb.create_cluster loads files of",
            ));
        }
        _ => {
            return Err(refuse(
                format!("it runs {shown}, and MemoryDB has Redis and Valkey alone"),
                "name a cache that runs Redis or Valkey",
            ));
        }
    };
    let head = version.and_then(|version| written_by(engine, version));
    // The table decides, whatever is nearest.
    let (to, to_version) = match head {
        Some(RdbHead { version, .. }) if newest_readable(to, Some(to_version)) < version => {
            ("valkey", "7.3")
        }
        _ => (to, to_version),
    };
    let why = match head {
        Some(head) => {
            format!("{shown} writes {head}, which {to} {to_version} loads")
        }
        None if version.is_none() => {
            "CANNOT KNOW: the source's version could not be read; the cluster step checks the files"
                .to_owned()
        }
        None => format!("{shown} writes an older RDB, which every engine loads"),
    };
    let other = if to == "redis" {
        "the source's; valkey 7.3 loads the same files, and its nodes cost less"
    } else {
        "the source's"
    };
    let other = if to == engine { other } else { "the only one that loads the source's files" };
    Ok((chosen(to.to_owned(), other), chosen(to_version.to_owned(), why)))
}

type Nodes = (Chosen<String>, Chosen<u32>, Chosen<u32>);

fn nodes(group: &Group) -> Result<Nodes, Refusal> {
    let refuse = |because: String, mend: &str| Refusal {
        message: format!("replication group \"{}\" cannot be moved by snapshot", group.id),
        because,
        mend: mend.to_owned(),
    };
    if group.data_tiering {
        return Err(refuse(
            format!(
                "it keeps values on disk (data tiering, {}): AWS exports no snapshot of such a group",
                group.node_type
            ),
            "copy the data online instead, or scale the group to a node type without data tiering first, if its data fits in memory",
        ));
    }
    let node_type = match memorydb_counterpart(&group.node_type) {
        Fit::Same(name) => chosen(name.to_owned(), format!("{}: the same size", group.node_type)),
        Fit::Other(name, why) => chosen(name.to_owned(), format!("{}: {why}", group.node_type)),
        Fit::None(why) => {
            return Err(refuse(
                why,
                "scale the group to a node type that MemoryDB has a counterpart of, then run `orchestrate init` again",
            ));
        }
    };
    let count = u32::try_from(group.shards.len()).unwrap_or(u32::MAX).max(1);
    let shards = match (count, group.cluster_enabled) {
        (1, true) => chosen(1, "as the source; it may be more"),
        (n, true) => chosen(n, "as the source; it may be another number"),
        (n, false) => chosen(n, "the source is not sharded; it may be another number"),
    };
    let fewest = group.replicas().min(MOST_REPLICAS);
    let uneven = group.shards.iter().any(|shard| {
        shard.nodes.len() != group.shards.first().map_or(0, |first| first.nodes.len())
    });
    let why = match (fewest, uneven) {
        (_, true) => format!("{fewest}, as the source's shard that has fewest"),
        (0, _) => {
            "none, as the source: writes stop while a lost node is replaced; 1 is better".to_owned()
        }
        _ => "as the source".to_owned(),
    };
    Ok((node_type, shards, chosen(fewest, why)))
}

/// A serverless cache has no nodes: what it may grow to decides.
fn capacity(cache: &Serverless) -> Nodes {
    let replicas = chosen(1, "a serverless cache spans zones; so does a shard with a replica");
    let Some(most) = cache.most_bytes else {
        let why = "CANNOT KNOW: the cache has no limit; see its highest BytesUsedForCache";
        return (
            chosen(SIZES[0].0.to_owned(), why),
            chosen(1, "CANNOT KNOW, likewise: fill a shard to three quarters at most"),
            replicas,
        );
    };
    let shards_of = |node: &str| {
        let room = node_memory(node).unwrap_or(1) / 100 * FILL;
        most.div_ceil(room.max(1)).max(1)
    };
    let fits = SIZES.iter().find(|(node, shards)| shards_of(node) <= *shards);
    let (node, _) = fits.unwrap_or(&SIZES[SIZES.len() - 1]);
    let limit = format!("the cache may grow to {} GiB", most >> 30);
    let shards = u32::try_from(shards_of(node)).unwrap_or(u32::MAX);
    (
        chosen((*node).to_owned(), format!("{limit}; less will do if it never came near")),
        chosen(shards, "filled to three quarters at that limit"),
        replicas,
    )
}

fn tls(source: &Source) -> Chosen<bool> {
    if source.tls() {
        chosen(true, "as the source")
    } else {
        chosen(false, "as the source: clients need not change; it cannot be turned on later")
    }
}

fn acl(source: &Source, name: &str) -> Chosen<Acl> {
    if !source.tls() {
        return chosen(Acl::Open, "a cluster without TLS can have no other: no authentication");
    }
    if source.user_groups().is_empty() && !source.auth_token() {
        return chosen(Acl::Open, "the source asks nobody who they are: no authentication");
    }
    chosen(Acl::Own(name.to_owned()), "it has to be made first: see USERS above")
}

fn remarks(source: &Source, shards: u32, replicas: u32) -> Vec<String> {
    let mut remarks = Vec::new();
    if source.status() != "available" {
        remarks.push(format!(
            "It was {} and not available: a snapshot can be taken only then.",
            source.status()
        ));
    }
    if shards.saturating_mul(replicas + 1) > NODES {
        remarks.push(format!(
            "{shards} shards with {replicas} replicas are more than the {NODES} nodes that MemoryDB allows in a cluster unless AWS was asked for more."
        ));
    }
    let Source::Group(group) = source else { return remarks };
    if let Some((id, role)) = &group.global {
        remarks.push(format!(
            "It is the {} of global datastore {id}: the other regions do not move with it.",
            role.to_ascii_lowercase()
        ));
    }
    let pending = group.pending.iter().chain(group.node.iter().flat_map(|node| &node.pending));
    let pending: Vec<&str> = pending.map(String::as_str).collect();
    if !pending.is_empty() {
        remarks.push(format!("Changes are pending: {}.", pending.join(", ")));
    }
    if let Some(durable) = &group.durability
        && durable.effective.as_deref().unwrap_or(&durable.asked) != "disabled"
    {
        remarks.push(
            "It is durable already: `orchestrate advise` says whether moving is worth it."
                .to_owned(),
        );
    }
    if !group.cluster_enabled {
        remarks.push(
            "MemoryDB keeps database 0 alone: the restore fails if there is a key in any other. `INFO keyspace` shows them.".to_owned(),
        );
    }
    remarks
}
