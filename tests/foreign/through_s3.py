"""Exports a snapshot of the sandbox, whose S3 is another server's, and restores a cluster from it, with boto3. Then takes the
bucket's policy away, without which neither service may use it. Endpoints, region and credentials come from the environment.
"""

import time

import boto3
from botocore.exceptions import ClientError

ec, mdb, s3 = boto3.client("elasticache"), boto3.client("memorydb"), boto3.client("s3")


def until(seen, pending):
    for _ in range(300):
        state = seen()
        if state != pending:
            return state
        time.sleep(0.1)
    raise SystemExit(f"it stays {state}")


def snapshot():
    return ec.describe_snapshots(SnapshotName="through")["Snapshots"][0]["SnapshotStatus"]


ec.create_snapshot(SnapshotName="through", ReplicationGroupId="demo")
until(snapshot, "creating")
ec.copy_snapshot(SourceSnapshotName="through", TargetSnapshotName="through", TargetBucket="demo-migration")
until(snapshot, "copying")
keys = [o["Key"] for o in s3.list_objects_v2(Bucket="demo-migration")["Contents"]]
mdb.create_cluster(ClusterName="through", NodeType="db.r7g.large", ACLName="demo-acl", NumShards=2,
                   SnapshotArns=[f"arn:aws:s3:::demo-migration/{key}" for key in keys])
state = until(lambda: mdb.describe_clusters(ClusterName="through")["Clusters"][0]["Status"], "creating")
s3.delete_bucket_policy(Bucket="demo-migration")
try:
    ec.copy_snapshot(SourceSnapshotName="through", TargetSnapshotName="again", TargetBucket="demo-migration")
    raise SystemExit("an export went to a bucket without a policy")
except ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidParameterValue", error
print(f"{len(keys)} files, then {state}")
