//! ElastiCache. A colon stands between type and name; names are in lower case.

use super::{Asked, Permission, bucket_rights};
use crate::context::Ctx;

pub(super) fn needs(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let arn = |kind: &str, name: &str| {
        let name = name.to_ascii_lowercase();
        format!("arn:aws:elasticache:{}:{}:{kind}:{name}", ctx.region(), ctx.account())
    };
    // What a list or a describe without a name is asked for is UNSURE; a pattern that ends in `*` satisfies both.
    let named = |kind: &str, member: &str| arn(kind, asked.text(member).unwrap_or("*"));
    let on = |resource: String| Permission::of(&asked.action(), &resource);
    let tagged = |resource: String| {
        asked.tags().then(|| Permission::of("elasticache:AddTagsToResource", &resource))
    };
    let mut needs = match asked.operation {
        "DescribeReplicationGroups" => vec![on(named("replicationgroup", "ReplicationGroupId"))],
        "DescribeCacheClusters" => vec![on(named("cluster", "CacheClusterId"))],
        "DescribeSnapshots" => vec![on(named("snapshot", "SnapshotName"))],
        "DeleteSnapshot" => vec![on(named("snapshot", "SnapshotName"))],
        "DescribeCacheParameters" => {
            vec![on(named("parametergroup", "CacheParameterGroupName"))]
        }
        "DescribeCacheSubnetGroups" => vec![on(named("subnetgroup", "CacheSubnetGroupName"))],
        "DescribeServerlessCaches" => vec![on(named("serverlesscache", "ServerlessCacheName"))],
        "DescribeServerlessCacheSnapshots" | "DeleteServerlessCacheSnapshot" => {
            vec![on(named("serverlesscachesnapshot", "ServerlessCacheSnapshotName"))]
        }
        "CreateServerlessCacheSnapshot" => {
            let snapshot = named("serverlesscachesnapshot", "ServerlessCacheSnapshotName");
            let cache = named("serverlesscache", "ServerlessCacheName");
            let mut needs = vec![on(cache), on(snapshot.clone())];
            needs.extend(tagged(snapshot));
            needs
        }
        "ExportServerlessCacheSnapshot" => {
            vec![on(named("serverlesscachesnapshot", "ServerlessCacheSnapshotName"))]
        }
        "DescribeUsers" | "ModifyUser" => vec![on(named("user", "UserId"))],
        "DescribeUserGroups" => vec![on(named("usergroup", "UserGroupId"))],
        "DescribeEvents" => vec![on("*".to_owned())],
        "ListTagsForResource" | "AddTagsToResource" | "RemoveTagsFromResource" => {
            vec![on(asked.text("ResourceName").unwrap_or("*").to_owned())]
        }
        // The snapshot's own ARN, and the source's: of the node where a node is named. Whether the group of a named node
        // is asked for too is UNSURE.
        "CreateSnapshot" => {
            let snapshot = named("snapshot", "SnapshotName");
            let source = match asked.text("CacheClusterId") {
                Some(node) => arn("cluster", node),
                None => named("replicationgroup", "ReplicationGroupId"),
            };
            let mut needs = vec![on(source), on(snapshot.clone())];
            needs.extend(tagged(snapshot));
            needs
        }
        "CopySnapshot" => {
            let target = named("snapshot", "TargetSnapshotName");
            let mut needs = vec![on(named("snapshot", "SourceSnapshotName")), on(target.clone())];
            needs.extend(tagged(target));
            needs
        }
        "CreateUser" => {
            let user = named("user", "UserId");
            [Some(on(user.clone())), tagged(user)].into_iter().flatten().collect()
        }
        "CreateUserGroup" => {
            let group = named("usergroup", "UserGroupId");
            let mut needs = vec![on(group.clone())];
            needs.extend(asked.texts("UserIds").iter().map(|user| on(arn("user", user))));
            needs.extend(tagged(group));
            needs
        }
        "CreateReplicationGroup" => {
            let group = named("replicationgroup", "ReplicationGroupId");
            let mut needs =
                vec![on(group.clone()), on(named("parametergroup", "CacheParameterGroupName"))];
            if let Some(subnets) = asked.text("CacheSubnetGroupName") {
                needs.push(on(arn("subnetgroup", subnets)));
            }
            needs.extend(asked.texts("UserGroupIds").iter().map(|id| on(arn("usergroup", id))));
            needs.extend(asked.text("SnapshotName").map(|name| on(arn("snapshot", name))));
            // The service reads the files with the caller's right to them (user guide, seeding a new cluster).
            let files = asked.texts("SnapshotArns");
            needs.extend(files.iter().map(|file| Permission::of("s3:GetObject", file)));
            needs.extend(tagged(group));
            needs
        }
        // What the group gets is asked for beside the group itself (service authorization reference).
        "ModifyReplicationGroup" => {
            let mut needs = vec![on(named("replicationgroup", "ReplicationGroupId"))];
            let parameters = asked.text("CacheParameterGroupName");
            needs.extend(parameters.map(|name| on(arn("parametergroup", name))));
            for member in ["UserGroupIdsToAdd", "UserGroupIdsToRemove"] {
                needs.extend(asked.texts(member).iter().map(|id| on(arn("usergroup", id))));
            }
            needs
        }
        "IncreaseReplicaCount"
        | "DecreaseReplicaCount"
        | "TestFailover"
        | "ModifyReplicationGroupShardConfiguration" => {
            vec![on(named("replicationgroup", "ReplicationGroupId"))]
        }
        "ListAllowedNodeTypeModifications" => match asked.text("CacheClusterId") {
            Some(node) => vec![on(arn("cluster", node))],
            None => vec![on(named("replicationgroup", "ReplicationGroupId"))],
        },
        "DeleteReplicationGroup" => {
            let group = named("replicationgroup", "ReplicationGroupId");
            let mut needs = vec![on(group.clone())];
            if let Some(last) = asked.text("FinalSnapshotIdentifier") {
                // The final snapshot needs the permission to take one (API reference, DeleteReplicationGroup).
                needs.push(on(arn("snapshot", last)));
                for resource in [group, arn("snapshot", last)] {
                    needs.push(Permission::of("elasticache:CreateSnapshot", &resource));
                }
            }
            needs
        }
        _ => return None,
    };
    if let ("CopySnapshot", Some(bucket)) = (asked.operation, asked.text("TargetBucket")) {
        needs.extend(bucket_rights(bucket, &export_keys(ctx, asked)));
    }
    // That the caller's rights are looked at as for CopySnapshot is UNSURE: one page of the user guide describes both.
    if let ("ExportServerlessCacheSnapshot", Some(bucket)) =
        (asked.operation, asked.text("S3BucketName"))
    {
        let name = asked.text("ServerlessCacheSnapshotName").unwrap_or_default();
        needs.extend(bucket_rights(bucket, &[format!("{}-0001.rdb", name.to_ascii_lowercase())]));
    }
    Some(needs)
}

/// The objects that an export would write; one of its own where the snapshot is not there.
fn export_keys(ctx: &Ctx, asked: &Asked<'_>) -> Vec<String> {
    let lower = |member: &str| asked.text(member).unwrap_or_default().to_ascii_lowercase();
    let target = lower("TargetSnapshotName");
    let world = ctx.world();
    let snapshot = world.elasticache.snapshots.get(&lower("SourceSnapshotName"));
    let files = snapshot.and_then(|snapshot| snapshot.files.as_deref()).unwrap_or_default();
    let mut keys: Vec<String> =
        files.iter().map(|file| format!("{target}-{}.rdb", file.shard_id)).collect();
    if keys.is_empty() {
        keys.push(format!("{target}-0001.rdb"));
    }
    keys
}
