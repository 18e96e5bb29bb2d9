//! Node types and the memory that each has for data (ElastiCache user guide, supported node types; parameters,
//! `maxmemory`), as far as anybody here asks.

/// Types by family, in order of size, with MiB.
const TYPES: &[(&str, u32)] = &[
    ("cache.t4g.micro", 512),
    ("cache.t4g.small", 1_402),
    ("cache.t4g.medium", 3_164),
    ("cache.m6g.large", 6_534),
    ("cache.m6g.xlarge", 13_220),
    ("cache.m7g.large", 6_534),
    ("cache.m7g.xlarge", 13_220),
    ("cache.m7g.2xlarge", 26_675),
    ("cache.r6g.large", 13_384),
    ("cache.r6g.xlarge", 26_952),
    ("cache.r6g.2xlarge", 54_190),
    ("cache.r6g.4xlarge", 108_480),
    ("cache.r7g.large", 13_384),
    ("cache.r7g.xlarge", 26_952),
    ("cache.r7g.2xlarge", 54_190),
    ("cache.r7g.4xlarge", 108_480),
    ("cache.r7g.8xlarge", 217_010),
];

/// What a node of this type holds.
pub(super) fn memory(node_type: &str) -> Option<u32> {
    TYPES.iter().find(|(name, _)| *name == node_type).map(|(_, mib)| *mib)
}

/// The types that a group of this one may be changed to: larger ones or of the same memory, and smaller ones that still
/// hold `used` MiB.
pub(super) fn allowed(node_type: &str, used: u32) -> (Vec<&'static str>, Vec<&'static str>) {
    let own = memory(node_type).unwrap_or(u32::MAX);
    let others = || TYPES.iter().filter(|(name, _)| *name != node_type);
    let up = others().filter(|(_, mib)| *mib >= own).map(|(name, _)| *name).collect();
    let down = others().filter(|(_, mib)| *mib < own && *mib >= used).map(|(name, _)| *name);
    (up, down.collect())
}
