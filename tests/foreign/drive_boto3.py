"""Drives the sandbox with boto3: every operation that the shipped playbooks use, and some that people will.

Endpoint, region and credentials come from the environment. Ends with 1 at the first answer that is not as AWS gives it.
"""

import json
import time

import boto3
from botocore.exceptions import ClientError

ec = boto3.client("elasticache")
mdb = boto3.client("memorydb")
s3 = boto3.client("s3")
ssm = boto3.client("ssm")
sm = boto3.client("secretsmanager")
r53 = boto3.client("route53")


def until(what, seen, wanted):
    """Looks until a state is reached, at most a minute."""
    for _ in range(600):
        state = seen()
        if state == wanted:
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} is {state}, not {wanted}")


def refused(code, call, **arguments):
    """The call must be refused with this code on the wire."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        if found != code:
            raise SystemExit(f"refused with {found} instead of {code}") from error
        if not error.response["ResponseMetadata"].get("RequestId"):
            raise SystemExit(f"{code} came without a request id") from error
    else:
        raise SystemExit(f"{call.__name__} was not refused with {code}")


def gone(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] if error.response["Error"]["Code"] != code else "gone"
    return "there"


account = boto3.client("sts").get_caller_identity()["Account"]

# ElastiCache: the group, its users, a snapshot, its export.
group = ec.describe_replication_groups(ReplicationGroupId="demo")["ReplicationGroups"][0]
assert group["ClusterEnabled"] and len(group["NodeGroups"]) == 2, group
ec.describe_replication_groups()
ec.describe_cache_clusters(ShowCacheNodeInfo=True)
users = ec.describe_user_groups(UserGroupId=group["UserGroupIds"][0])["UserGroups"][0]["UserIds"]
ec.describe_user_groups()
before = {u: ec.describe_users(UserId=u)["Users"][0]["AccessString"] for u in users}
ec.modify_user(UserId="demo-app", AccessString=before["demo-app"] + " -@write")
until("the user", lambda: ec.describe_users(UserId="demo-app")["Users"][0]["Status"], "active")
refused("InvalidParameterCombination", ec.create_snapshot, SnapshotName="both", ReplicationGroupId="demo", CacheClusterId="demo-0001-001")
refused("ReplicationGroupNotFoundFault", ec.create_snapshot, SnapshotName="none", ReplicationGroupId="nobody")
snapshot = ec.create_snapshot(SnapshotName="Strange", ReplicationGroupId="demo", Tags=[{"Key": "who", "Value": "stranger"}])["Snapshot"]
assert snapshot["SnapshotName"] == "strange" and snapshot["SnapshotStatus"] == "creating", snapshot
arn = snapshot["ARN"]
until("the snapshot", lambda: ec.describe_snapshots(SnapshotName="strange", ShowNodeGroupConfig=True)["Snapshots"][0]["SnapshotStatus"], "available")
assert ec.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "who", "Value": "stranger"}]
refused("SnapshotAlreadyExistsFault", ec.create_snapshot, SnapshotName="strange", ReplicationGroupId="demo")
refused("SnapshotNotFoundFault", ec.describe_snapshots, SnapshotName="nothing")
refused("InvalidParameterValue", ec.copy_snapshot, SourceSnapshotName="strange", TargetSnapshotName="x", TargetBucket="no-such-bucket")
ec.copy_snapshot(SourceSnapshotName="strange", TargetSnapshotName="strange-export", TargetBucket="demo-migration")
until("the export", lambda: ec.describe_snapshots(SnapshotName="strange")["Snapshots"][0]["SnapshotStatus"], "available")
ec.describe_events(SourceType="replication-group", SourceIdentifier="demo", Duration=60)

# ElastiCache Serverless: a cache, a snapshot, its export.
cache = ec.describe_serverless_caches(ServerlessCacheName="Elastic")["ServerlessCaches"][0]
assert cache["Status"] == "available" and cache["Endpoint"]["Port"] > 0 and cache["UserGroupId"], cache
assert ec.describe_user_groups(UserGroupId=cache["UserGroupId"])["UserGroups"][0]["ServerlessCaches"] == ["elastic"]
refused("ServerlessCacheNotFoundFault", ec.describe_serverless_caches, ServerlessCacheName="nobody")
made = ec.create_serverless_cache_snapshot(ServerlessCacheSnapshotName="Odd", ServerlessCacheName="elastic", Tags=[{"Key": "who", "Value": "stranger"}])["ServerlessCacheSnapshot"]
assert made["ServerlessCacheSnapshotName"] == "odd" and made["ServerlessCacheConfiguration"]["Engine"] == "valkey", made


def odd():
    return ec.describe_serverless_cache_snapshots(ServerlessCacheSnapshotName="odd")["ServerlessCacheSnapshots"][0]["Status"]


until("the serverless snapshot", odd, "available")
assert ec.list_tags_for_resource(ResourceName=made["ARN"])["TagList"] == [{"Key": "who", "Value": "stranger"}]
refused("ServerlessCacheSnapshotAlreadyExistsFault", ec.create_serverless_cache_snapshot, ServerlessCacheSnapshotName="odd", ServerlessCacheName="elastic")
refused("InvalidParameterValue", ec.export_serverless_cache_snapshot, ServerlessCacheSnapshotName="odd", S3BucketName="no-such-bucket")
ec.export_serverless_cache_snapshot(ServerlessCacheSnapshotName="odd", S3BucketName="demo-migration")
until("the serverless export", odd, "available")
assert len(s3.list_objects_v2(Bucket="demo-migration", Prefix="odd")["Contents"]) == 2
pages = ec.get_paginator("describe_serverless_cache_snapshots").paginate(PaginationConfig={"PageSize": 1})
assert [s["ServerlessCacheSnapshotName"] for page in pages for s in page["ServerlessCacheSnapshots"]] == ["odd"]
events = ec.describe_events(SourceType="serverless-cache-snapshot", SourceIdentifier="odd", Duration=60)["Events"]
assert "created for cache elastic" in events[0]["Message"], events

# S3: the bucket and what the export wrote.
s3.head_bucket(Bucket="demo-migration")
s3.get_bucket_location(Bucket="demo-migration")
s3.get_bucket_encryption(Bucket="demo-migration")
json.loads(s3.get_bucket_policy(Bucket="demo-migration")["Policy"])
s3.get_bucket_versioning(Bucket="demo-migration")
objects = s3.list_objects_v2(Bucket="demo-migration", Prefix="strange-export-")["Contents"]
assert [o["Key"] for o in objects] == ["strange-export-0001.rdb", "strange-export-0002.rdb"], objects
for found in objects:
    head = s3.head_object(Bucket="demo-migration", Key=found["Key"])
    assert head["ServerSideEncryption"] == "AES256" and head["ContentLength"] > 0, head
    magic = s3.get_object(Bucket="demo-migration", Key=found["Key"], Range="bytes=0-8")["Body"].read()
    assert magic[:5] == b"REDIS", magic
refused("404", s3.head_object, Bucket="demo-migration", Key="nothing")

# MemoryDB: a cluster from the export.
mdb.describe_acls(ACLName="demo-acl")
mdb.describe_users()
mdb.describe_subnet_groups()
mdb.describe_parameter_groups()
mdb.describe_engine_versions()
refused("ACLNotFoundFault", mdb.create_cluster, ClusterName="strange", NodeType="db.r7g.large", ACLName="nobody")
made = mdb.create_cluster(
    ClusterName="strange", NodeType="db.r7g.large", ACLName="demo-acl", NumShards=3, NumReplicasPerShard=1, TLSEnabled=True,
    SnapshotArns=[f"arn:aws:s3:::demo-migration/{o['Key']}" for o in objects], Tags=[{"Key": "who", "Value": "stranger"}],
)["Cluster"]
assert made["Status"] == "creating" and "Address" not in made["ClusterEndpoint"], made
refused("ClusterAlreadyExistsFault", mdb.create_cluster, ClusterName="strange", NodeType="db.r7g.large", ACLName="demo-acl")
until("the cluster", lambda: mdb.describe_clusters(ClusterName="strange", ShowShardDetails=True)["Clusters"][0]["Status"], "available")
cluster = mdb.describe_clusters(ClusterName="strange", ShowShardDetails=True)["Clusters"][0]
assert cluster["NumberOfShards"] == 3 and len(cluster["Shards"]) == 3, cluster
assert mdb.list_tags(ResourceArn=cluster["ARN"])["TagList"] == [{"Key": "who", "Value": "stranger"}]
mdb.describe_events(SourceType="cluster", SourceName="strange")
mdb.describe_snapshots()

# The pointers that applications read.
old = ssm.get_parameter(Name="/demo/redis/endpoint")["Parameter"]
ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": ["/demo/redis/endpoint"]}])
refused("ParameterAlreadyExists", ssm.put_parameter, Name="/demo/redis/endpoint", Value="x", Type="String")
new = ssm.put_parameter(Name="/demo/redis/endpoint", Value="elsewhere:6379", Type="String", Overwrite=True)["Version"]
assert new == old["Version"] + 1, (new, old)
assert ssm.get_parameter(Name=f"/demo/redis/endpoint:{old['Version']}")["Parameter"]["Value"] == old["Value"]
secret = sm.create_secret(Name="strange", SecretString="one")["ARN"]
first = sm.get_secret_value(SecretId=secret)["VersionId"]
second = sm.put_secret_value(SecretId=secret, SecretString="two", VersionStages=["PENDING"])["VersionId"]
sm.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=first)
assert sm.get_secret_value(SecretId="demo/reader")["SecretString"]
assert sm.get_secret_value(SecretId="strange")["SecretString"] == "two"
sm.describe_secret(SecretId="strange")
zone = r53.create_hosted_zone(Name="strange.internal", CallerReference="strange")["HostedZone"]["Id"]
record = {"Name": "redis.strange.internal", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.com"}]}
change = r53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})["ChangeInfo"]
refused("InvalidChangeBatch", r53.change_resource_record_sets, HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
until("the change", lambda: r53.get_change(Id=change["Id"])["ChangeInfo"]["Status"], "INSYNC")
names = [r["Name"] for r in r53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]]
assert "redis.strange.internal." in names, names

# What tells of the others: metrics, quotas, keys.
now = time.time()
metric = {"Namespace": "AWS/ElastiCache", "MetricName": "BytesUsedForCache", "Dimensions": [
    {"Name": "CacheClusterId", "Value": "demo-0001-001"}, {"Name": "CacheNodeId", "Value": "0001"}]}
result = boto3.client("cloudwatch").get_metric_data(StartTime=now - 3600, EndTime=now, MetricDataQueries=[
    {"Id": "used", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}}])["MetricDataResults"][0]
assert result["Values"] and min(result["Values"]) > 0 and len(result["Values"]) == len(result["Timestamps"]), result
assert result["Timestamps"][0].timestamp() > result["Timestamps"][-1].timestamp(), result
quotas = boto3.client("service-quotas").list_service_quotas(ServiceCode="memorydb")["Quotas"]
assert {q["QuotaName"]: q["Value"] for q in quotas}["Nodes per Region"] == 300.0, quotas
refused("NotFoundException", boto3.client("kms").describe_key, KeyId="alias/strange")
assert mdb.describe_parameters(ParameterGroupName="default.memorydb-valkey7")["Parameters"]
assert mdb.describe_reserved_nodes_offerings(NodeType="db.r7g.large")["ReservedNodesOfferings"]
assert ec.describe_cache_parameters(CacheParameterGroupName="default.redis7.cluster.on")["Parameters"]
assert ec.describe_cache_subnet_groups()["CacheSubnetGroups"][0]["VpcId"]

# Everything goes away again.
mdb.delete_cluster(ClusterName="strange")
until("the cluster", lambda: gone("ClusterNotFoundFault", mdb.describe_clusters, ClusterName="strange"), "gone")
s3.delete_object(Bucket="demo-migration", Key=objects[0]["Key"])
s3.delete_objects(Bucket="demo-migration", Delete={"Objects": [{"Key": objects[1]["Key"]}]})
ec.delete_serverless_cache_snapshot(ServerlessCacheSnapshotName="odd")
until("the serverless snapshot", lambda: gone("ServerlessCacheSnapshotNotFoundFault", ec.describe_serverless_cache_snapshots, ServerlessCacheSnapshotName="odd"), "gone")
ec.delete_snapshot(SnapshotName="strange")
until("the snapshot", lambda: gone("SnapshotNotFoundFault", ec.describe_snapshots, SnapshotName="strange"), "gone")
print("every answer was parsed")
