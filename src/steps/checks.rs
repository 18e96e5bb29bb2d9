//! The names of the checks that are made before a run: stable, and none is used again for another check.

/// Name and what is looked at, by name.
pub const ALL: &[(&str, &str)] = &[
    ("target.acl", "the ACL exists and is active, or means no authentication"),
    (
        "target.acl.source_users",
        "users who log in to the source have a user of their name in the ACL",
    ),
    (
        "target.acl.users",
        "somebody may log in and write, and users may do what cluster clients need",
    ),
    ("target.arguments", "the arguments of the new cluster fit one another"),
    ("target.auth", "how clients log in at the target, beside how they do at the source"),
    ("target.kms", "the KMS key exists, is enabled and can encrypt"),
    ("target.memory", "the data fits into the new shards, with headroom"),
    ("target.name", "no cluster has the name yet"),
    ("target.node_type", "MemoryDB has the node type, and this step can make it"),
    ("target.parameters", "the parameter group exists and is of the engine's family"),
    ("target.parameters.differences", "parameters that mean something else than at the source"),
    ("target.quota.nodes_per_cluster", "the quota of nodes in one cluster"),
    ("target.quota.nodes_per_region", "the quota of nodes in the region, with those in use"),
    ("target.rdb", "the engine reads the RDB version that the source writes"),
    (
        "target.security_groups",
        "the ids of security groups are ids, and known where that can be told",
    ),
    ("target.subnets", "the subnet group exists and spans two zones where there are replicas"),
    ("target.tls", "whether clients must speak TLS, beside whether they do at the source"),
    ("target.version", "MemoryDB offers the engine version here"),
    ("target.vpc", "the target is in the source's VPC"),
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn names_are_sorted_and_each_is_there_once() {
        assert!(ALL.windows(2).all(|two| two[0].0 < two[1].0), "{ALL:?}");
    }
}
