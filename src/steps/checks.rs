//! Every check that is made before a run, by its stable name: a line each, sorted. No name is used again for another check.

/// What each check looks at.
pub const ALL: &[(&str, &str)] = &[
    ("arguments", "a step's arguments, as far as they are known before the run"),
    (
        "bucket.denies",
        "no statement of the bucket's policy denies what the services or the caller need",
    ),
    (
        "bucket.encryption",
        "the bucket encrypts with SSE-S3 by default, so that MemoryDB can read what lies in it",
    ),
    ("bucket.exists", "the bucket is there"),
    ("bucket.names", "no file of the export's name lies in the bucket already"),
    ("bucket.object_lock", "the bucket locks no objects, so that an undo can remove them"),
    ("bucket.owner", "the bucket belongs to the caller's account"),
    ("bucket.ownership", "what a service writes into the bucket belongs to the bucket's owner"),
    (
        "bucket.policy",
        "the bucket's policy allows the service's regional principal each action it needs",
    ),
    ("bucket.region", "the bucket is in the caller's region"),
    ("bucket.versions", "whether the bucket keeps versions, which an undo leaves behind"),
    (
        "caller.permissions",
        "whoever runs the plan may do what its steps need, by the policy simulator",
    ),
    ("check.engine", "the engine that files are held against reads what the source writes"),
    (
        "compare.endpoint",
        "a server that is to be compared, or written to by a canary, answers from here",
    ),
    ("compare.login", "the servers that are to be compared let the user in"),
    ("compare.password", "the password for a comparison or a canary can be read"),
    (
        "compare.rights",
        "the user of a comparison may do what it takes, at the source and under the target's ACL",
    ),
    ("export.fleet", "pattern and tags of a fleet choose replication groups"),
    ("export.newest", "a verified export is there, and no older than it may be"),
    ("export.retention", "what of the earlier exports no rule keeps"),
    ("export.snapshot", "a snapshot that is there already can be exported"),
    ("export.source", "the cluster is there, and how old its newest automatic snapshot is"),
    (
        "failover.budget",
        "fewer than five failovers of the cluster were called in the last 24 hours",
    ),
    ("failover.quota", "fewer than 15 failovers were tested in the account in the last 24 hours"),
    ("failover.replicas", "the shard is there and has a replica that can become its primary"),
    ("gate.metrics", "metrics that a gate or a guard looks at have data and keep their limits now"),
    ("group.engine", "the engine can be upgraded to that version, with that parameter group"),
    ("group.name", "no replication group has the name yet"),
    ("group.node_type", "AWS lets the group have that node type"),
    ("group.record", "what a group is like can be kept in its last snapshot's tags"),
    ("group.replicas", "the shards may have that many replicas"),
    ("group.shards", "the group may have that many shards"),
    ("group.snapshot", "the snapshot that a group is made of is there and can be restored"),
    ("group.state", "the group is there, available, and has no change pending"),
    ("made.name", "what a step is to make has a name that is free"),
    ("notify.topic", "the SNS topic of a message is there, and somebody subscribes to it"),
    ("snapshot.exists", "a snapshot that is to be deleted is there"),
    ("snapshot.name", "no other snapshot has the name that a new one is to get"),
    ("source.auth", "clients of the source log in as they will have to at the target"),
    (
        "source.cluster_mode",
        "clients of the source speak the cluster protocol, as they must in MemoryDB",
    ),
    (
        "source.data_tiering",
        "the source keeps no data on disk, since such a group cannot be exported",
    ),
    ("source.databases", "the source has keys in database 0 alone, the only one of MemoryDB"),
    ("source.durability", "whether the source is durable already in ElastiCache"),
    ("source.engine", "the source's engine and version, and the RDB version that they write"),
    ("source.global", "the source is in no global datastore"),
    ("source.maintenance_window", "no maintenance window is open while the source is snapshotted"),
    ("source.memory_reserve", "the source reserves enough memory for a snapshot"),
    ("source.node_type", "the source's node type can be snapshotted"),
    ("source.pending", "no change to the source is pending"),
    (
        "source.snapshot_quota",
        "fewer than 20 manual snapshots of the source were taken in the last 24 hours",
    ),
    ("source.snapshot_window", "no daily snapshot is due while the source is snapshotted"),
    ("source.state", "the source is there and available"),
    ("source.tls", "the source speaks TLS if the target does"),
    ("source.users", "each RBAC user of the source can be had in MemoryDB"),
    ("source.writers", "who can write to the source, and that the right can be taken from them"),
    ("swap.login", "the value of a target logs in as a user"),
    ("swap.port", "clients learn of another port, where it changes"),
    ("swap.rotation", "a secret is not rotated while it is swapped"),
    ("swap.source", "a target names the source whose data is copied"),
    (
        "swap.target",
        "a target can be read, and holds an endpoint in the form that the playbook says",
    ),
    ("swap.tls", "a target tells clients of TLS where that changes"),
    ("swap.ttl", "how long clients may keep a record, and that the step waits no shorter"),
    ("swap.way_back", "the endpoint that the targets name answers, so that a swap can be put back"),
    ("swap.writable", "nothing that can be read stands against writing a target"),
    ("target.acl", "the ACL exists and is active, or means no authentication"),
    (
        "target.acl.source_rights",
        "users who can log in, write and reach all keys at the source can under the ACL",
    ),
    (
        "target.acl.source_users",
        "users who log in to the source have a user of their name in the ACL",
    ),
    (
        "target.acl.users",
        "somebody may log in and write, and users may do what cluster clients need",
    ),
    ("target.arguments", "the arguments of the new cluster fit one another"),
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
    ("target.version", "MemoryDB offers the engine version here"),
    ("target.vpc", "the target is in the source's VPC"),
    ("update.engine", "the engine's new version is no older than what the cluster has"),
    ("update.node_type", "MemoryDB lets the cluster change to the node type"),
    ("update.state", "what is to be changed is there, and in a state that can be changed"),
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn the_list_is_sorted_and_names_each_check_once() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0), "{ALL:?}");
    }
}
