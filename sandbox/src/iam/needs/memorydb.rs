//! MemoryDB. A slash stands between type and name; names are in lower case.

use super::{Asked, Permission, Refusal, bucket_rights, key_arn};
use crate::context::Ctx;

const LINKED_ROLE: &str = "role/aws-service-role/memorydb.amazonaws.com/AWSServiceRoleForMemoryDB";

pub(super) fn needs(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let arn = |kind: &str, name: &str| {
        let name = name.to_ascii_lowercase();
        format!("arn:aws:memorydb:{}:{}:{kind}/{name}", ctx.region(), ctx.account())
    };
    let named = |kind: &str, member: &str| arn(kind, asked.text(member).unwrap_or("*"));
    let on = |resource: String| Permission::of(&asked.action(), &resource);
    let tagged =
        |resource: String| asked.tags().then(|| Permission::of("memorydb:TagResource", &resource));
    Some(match asked.operation {
        "DescribeClusters" => vec![on(named("cluster", "ClusterName"))],
        "DescribeSnapshots" => vec![on(named("snapshot", "SnapshotName"))],
        "DescribeACLs" => vec![on(named("acl", "ACLName"))],
        "DescribeUsers" => vec![on(named("user", "UserName"))],
        "DescribeSubnetGroups" => vec![on(named("subnetgroup", "SubnetGroupName"))],
        "DescribeParameterGroups" => vec![on(named("parametergroup", "ParameterGroupName"))],
        "DescribeParameters" => vec![on(named("parametergroup", "ParameterGroupName"))],
        "DescribeEngineVersions" | "DescribeEvents" | "DescribeReservedNodesOfferings" => {
            vec![on("*".to_owned())]
        }
        "ListTags" | "TagResource" | "UntagResource" => {
            vec![on(asked.text("ResourceArn").unwrap_or("*").to_owned())]
        }
        "DeleteSnapshot" => vec![on(named("snapshot", "SnapshotName"))],
        "CreateCluster" => create_cluster(ctx, asked, &arn),
        // A final snapshot needs the permission to take one (API reference, DeleteCluster). Its ARN is in the table for
        // DeleteCluster; for CreateSnapshot the table has the cluster alone, so that the second is UNSURE.
        "DeleteCluster" => {
            let cluster = named("cluster", "ClusterName");
            let mut needs = vec![on(cluster.clone())];
            if let Some(last) = asked.text("FinalSnapshotName") {
                needs.push(on(arn("snapshot", last)));
                for resource in [cluster, arn("snapshot", last)] {
                    needs.push(Permission::of("memorydb:CreateSnapshot", &resource));
                }
            }
            needs
        }
        "CreateSnapshot" => {
            let snapshot = named("snapshot", "SnapshotName");
            let mut needs = vec![on(named("cluster", "ClusterName")), on(snapshot.clone())];
            needs.extend(tagged(snapshot));
            needs
        }
        "CopySnapshot" => {
            let target = named("snapshot", "TargetSnapshotName");
            let mut needs = vec![on(named("snapshot", "SourceSnapshotName")), on(target.clone())];
            needs.extend(tagged(target));
            if let Some(bucket) = asked.text("TargetBucket") {
                let name = asked.text("TargetSnapshotName").unwrap_or_default();
                needs.extend(bucket_rights(bucket, &[format!("{name}-0001.rdb")]));
            }
            needs
        }
        // The table lists no resource of their own for these two.
        "CreateUser" => {
            let user = named("user", "UserName");
            [Some(on("*".to_owned())), tagged(user)].into_iter().flatten().collect()
        }
        "CreateACL" => {
            let users = asked.texts("UserNames");
            let mut needs: Vec<_> = users.iter().map(|user| on(arn("user", user))).collect();
            if needs.is_empty() {
                needs.push(on("*".to_owned()));
            }
            needs.extend(tagged(named("acl", "ACLName")));
            needs
        }
        "CreateParameterGroup" => {
            let group = named("parametergroup", "ParameterGroupName");
            [Some(on(group.clone())), tagged(group)].into_iter().flatten().collect()
        }
        "UpdateParameterGroup" => vec![on(named("parametergroup", "ParameterGroupName"))],
        "UpdateUser" | "DeleteUser" => vec![on(named("user", "UserName"))],
        "UpdateACL" => {
            let users = ["UserNamesToAdd", "UserNamesToRemove"].map(|member| asked.texts(member));
            let users = users.iter().flatten().map(|user| on(arn("user", user)));
            [on(named("acl", "ACLName"))].into_iter().chain(users).collect()
        }
        "DeleteACL" => vec![on(named("acl", "ACLName"))],
        "DeleteParameterGroup" => vec![on(named("parametergroup", "ParameterGroupName"))],
        "DeleteSubnetGroup" => vec![on(named("subnetgroup", "SubnetGroupName"))],
        // What the request names beside the cluster, as for CreateCluster.
        "UpdateCluster" => {
            let of = |kind: &str, member: &str| asked.text(member).map(|name| on(arn(kind, name)));
            let beside = [of("acl", "ACLName"), of("parametergroup", "ParameterGroupName")];
            [Some(on(named("cluster", "ClusterName")))]
                .into_iter()
                .chain(beside)
                .flatten()
                .collect()
        }
        "FailoverShard" | "ListAllowedNodeTypeUpdates" => vec![on(named("cluster", "ClusterName"))],
        "CreateSubnetGroup" => {
            let group = named("subnetgroup", "SubnetGroupName");
            [Some(on(group.clone())), tagged(group)].into_iter().flatten().collect()
        }
        _ => return None,
    })
}

/// The service authorization reference asks for ACL, parameter group and subnet group, and optionally the snapshot; the
/// developer guide's table ("API permissions") adds the cluster, and s3:GetObject on every object of SnapshotArns.
fn create_cluster(
    ctx: &Ctx,
    asked: &Asked<'_>,
    arn: &dyn Fn(&str, &str) -> String,
) -> Vec<Permission> {
    let on = |resource: String| Permission::of("memorydb:CreateCluster", &resource);
    let text = |member: &str| asked.text(member);
    let cluster = arn("cluster", text("ClusterName").unwrap_or("*"));
    // Which parameter group a request without one is asked for is UNSURE: here it is the engine's default.
    let parameters = text("ParameterGroupName").map(str::to_owned).unwrap_or_else(|| {
        let engine = text("Engine").unwrap_or("redis").to_ascii_lowercase();
        crate::memorydb::default_group_of(&engine, text("EngineVersion"))
    });
    let mut needs = vec![
        on(cluster.clone()),
        on(arn("acl", text("ACLName").unwrap_or("*"))),
        on(arn("parametergroup", &parameters)),
        on(arn("subnetgroup", text("SubnetGroupName").unwrap_or("default"))),
    ];
    if let Some(snapshot) = text("SnapshotName") {
        needs.push(on(arn("snapshot", snapshot)));
    }
    if asked.tags() {
        needs.push(Permission::of("memorydb:TagResource", &cluster));
    }
    for object in asked.texts("SnapshotArns") {
        needs.push(Permission::of("s3:GetObject", &object));
    }
    if let Some(key) = text("KmsKeyId") {
        // UNSURE of the exact set: these two are what services take that use a customer's key by a grant.
        for action in ["kms:DescribeKey", "kms:CreateGrant"] {
            needs.push(Permission::of(action, &key_arn(ctx, key)));
        }
    }
    if ctx.world().memorydb.linked_role_missing {
        let role = format!("arn:aws:iam::{}:{LINKED_ROLE}", ctx.account());
        let service = vec!["memorydb.amazonaws.com".to_owned()];
        let context = [("iam:awsservicename".to_owned(), service)].into();
        let role = Permission::of("iam:CreateServiceLinkedRole", &role).given(context);
        needs.push(role.told(Refusal::NoLinkedRole));
    }
    needs
}
