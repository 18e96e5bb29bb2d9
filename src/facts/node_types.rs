//! Node types: which exist, how much they hold, and which stands for which on the other side.

/// A node type of MemoryDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeType {
    /// Such as "db.r7g.large".
    pub name: &'static str,
    /// Bytes a node holds: the parameter `maxmemory`.
    pub maxmemory: u64,
}

/// How sure a counterpart is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The same family and size.
    Same(&'static str),
    /// Another family that holds at least as much; why.
    Other(&'static str, String),
    /// There is none; why.
    None(String),
}

/// MemoryDB's node types (MemoryDB developer guide, supported node types), smallest first in each family. `maxmemory` as
/// the ElastiCache parameter pages give it for the siblings `cache.*`; sizes above xlarge double step by step there and
/// are rounded here.
const MEMORYDB: &[NodeType] = &[
    node("db.t4g.small", 1_471_026_299),
    node("db.t4g.medium", 3_317_862_236),
    node("db.r6g.large", 14_037_181_030),
    node("db.r6g.xlarge", 28_261_849_702),
    node("db.r6g.2xlarge", gib(5_282)),
    node("db.r6g.4xlarge", gib(10_581)),
    node("db.r6g.8xlarge", gib(20_955)),
    node("db.r6g.12xlarge", gib(31_777)),
    node("db.r6g.16xlarge", gib(41_909)),
    node("db.r7g.large", 14_037_181_030),
    node("db.r7g.xlarge", 28_261_849_702),
    node("db.r7g.2xlarge", gib(5_282)),
    node("db.r7g.4xlarge", gib(10_581)),
    node("db.r7g.8xlarge", gib(20_955)),
    node("db.r7g.12xlarge", gib(31_777)),
    node("db.r7g.16xlarge", gib(41_909)),
    node("db.r6gd.xlarge", 28_261_849_702),
    node("db.r6gd.2xlarge", gib(5_282)),
    node("db.r6gd.4xlarge", gib(10_581)),
    node("db.r6gd.8xlarge", gib(20_955)),
];

/// ElastiCache node types that MemoryDB has no sibling of, by `maxmemory` (same pages); UNSURE for the sizes above
/// xlarge, which are taken as doubling.
const ELASTICACHE_ONLY: &[(&str, u64)] = &[
    ("cache.t4g.micro", 536_870_912),
    ("cache.t3.micro", 536_870_912),
    ("cache.t3.small", 1_471_026_299),
    ("cache.t3.medium", 3_317_862_236),
    ("cache.m5.large", 6_854_542_746),
    ("cache.m6g.large", 6_854_542_746),
    ("cache.m7g.large", 6_854_542_746),
    ("cache.r5.large", 14_037_181_030),
    ("cache.r5.xlarge", 28_261_849_702),
];

const fn node(name: &'static str, maxmemory: u64) -> NodeType {
    NodeType { name, maxmemory }
}

/// Hundredths of a GiB, in bytes.
const fn gib(hundredths: u64) -> u64 {
    (hundredths << 30) / 100
}

/// MemoryDB's node types, smallest first in each family.
#[must_use]
pub fn memorydb_node_types() -> &'static [NodeType] {
    MEMORYDB
}

/// A MemoryDB node type by its name, if the pages list it.
#[must_use]
pub fn memorydb_node_type(name: &str) -> Option<&'static NodeType> {
    MEMORYDB.iter().find(|node| node.name == name)
}

/// Bytes that a node of this type holds, of either service; `None` if no page tells.
#[must_use]
pub fn node_memory(name: &str) -> Option<u64> {
    let sibling = name.strip_prefix("cache.").map(|rest| format!("db.{rest}"));
    let known = |name: &str| memorydb_node_type(name).map(|node| node.maxmemory);
    known(sibling.as_deref().unwrap_or(name)).or_else(|| {
        let listed = ELASTICACHE_ONLY.iter().find(|(only, _)| *only == name);
        listed.map(|(_, bytes)| *bytes).or_else(|| doubled(name))
    })
}

/// Memory of the larger sizes of a family whose `large` is known.
fn doubled(name: &str) -> Option<u64> {
    let (family, size) = name.rsplit_once('.')?;
    let large = format!("{family}.large");
    let (_, base) = ELASTICACHE_ONLY.iter().find(|(known, _)| *known == large)?;
    let times = match size {
        "xlarge" => 2,
        other => 2 * other.strip_suffix("xlarge")?.parse::<u64>().ok().filter(|n| *n <= 48)?,
    };
    Some(base * times)
}

/// The MemoryDB node type that stands for an ElastiCache one.
#[must_use]
pub fn memorydb_counterpart(cache: &str) -> Fit {
    let Some(rest) = cache.strip_prefix("cache.") else {
        return Fit::None(format!("\"{cache}\" is no ElastiCache node type"));
    };
    if rest.starts_with("r6gd.") {
        return Fit::None(
            "groups with data tiering cannot be exported, so no snapshot of one can be restored"
                .to_owned(),
        );
    }
    if let Some(same) = memorydb_node_type(&format!("db.{rest}")) {
        return Fit::Same(same.name);
    }
    let Some(bytes) = node_memory(cache) else {
        return Fit::None(format!("no page tells how much memory {cache} has"));
    };
    // t4g is burstable: it stands for burstable types only.
    let burstable = rest.starts_with('t');
    let wide = |node: &&NodeType| {
        node.maxmemory >= bytes
            && (node.name.starts_with("db.r7g.") || burstable && node.name.starts_with("db.t4g."))
    };
    match MEMORYDB.iter().find(wide) {
        Some(node) => Fit::Other(
            node.name,
            format!("MemoryDB has no {rest}; {} is the smallest that holds as much", node.name),
        ),
        None => Fit::None(format!("MemoryDB has no node type that holds as much as {cache}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_stand_for_one_another_and_others_by_memory() {
        assert_eq!(memorydb_counterpart("cache.r7g.xlarge"), Fit::Same("db.r7g.xlarge"));
        let other = |cache| match memorydb_counterpart(cache) {
            Fit::Other(name, _) => name,
            fit => panic!("{cache}: {fit:?}"),
        };
        assert_eq!(other("cache.m7g.large"), "db.r7g.large");
        assert_eq!(other("cache.r5.xlarge"), "db.r7g.xlarge");
        assert_eq!(other("cache.r5.4xlarge"), "db.r7g.4xlarge");
        assert_eq!(other("cache.t3.micro"), "db.t4g.small");
        assert!(matches!(memorydb_counterpart("cache.r6gd.xlarge"), Fit::None(_)));
        assert!(matches!(memorydb_counterpart("cache.x9.large"), Fit::None(_)));
        assert_eq!(node_memory("cache.r7g.large"), node_memory("db.r7g.large"));
    }
}
