"""One long story of calls, for whoever can make them: boto3 (all_boto3.py), the aws CLI (all_cli.py), or boto3 at two servers
at once (compare_moto.py). With drive_boto3.py it takes in every operation that the sandbox offers.

`do(service, operation, **parameters)` makes a call and gives its answer; `fails` names the code it must be refused with.
`until(…)` repeats a read until it gives what is wanted. Nothing is taken for granted but an empty account, so that the story
can also be told to a server that knows nothing of the sandbox's seeds. What a step needs of an answer it takes with `get`, so
that the story goes on where a server has no such operation.
"""

import json

ACCOUNT = "123456789012"
BUCKET = "story-bucket"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": f"us-east-1.{guest}.amazonaws.com"},
     "Action": ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads"],
     "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}
    for guest in ("elasticache-snapshot", "memorydb-snapshot")]})


def get(answer, *path):
    """A place in an answer, or None where there is no such place."""
    for step in path:
        if isinstance(step, int):
            answer = answer[step] if isinstance(answer, list) and len(answer) > step else None
        else:
            answer = answer.get(step) if isinstance(answer, dict) else None
    return answer


def tell(do, until):
    s3_buckets(do)
    s3_objects(do)
    s3_uploads(do)
    elasticache(do, until)
    serverless(do)
    memorydb(do, until)
    ssm(do)
    secrets(do)
    route53(do, until)
    others(do)
    cloudwatch(do)
    s3_end(do)


def s3_buckets(do):
    do("s3", "CreateBucket", Bucket=BUCKET)
    do("s3", "CreateBucket", Bucket="Not_A_Bucket", fails="InvalidBucketName")
    do("s3", "ListBuckets")
    do("s3", "HeadBucket", Bucket=BUCKET)
    do("s3", "HeadBucket", Bucket="story-nowhere", fails="404")
    do("s3", "GetBucketLocation", Bucket=BUCKET)
    do("s3", "GetBucketLocation", Bucket="story-nowhere", fails="NoSuchBucket")
    do("s3", "GetBucketPolicy", Bucket=BUCKET, fails="NoSuchBucketPolicy")
    do("s3", "PutBucketPolicy", Bucket=BUCKET, Policy="no policy", fails="MalformedPolicy")
    do("s3", "PutBucketPolicy", Bucket=BUCKET, Policy=POLICY)
    do("s3", "GetBucketPolicy", Bucket=BUCKET)
    do("s3", "GetBucketEncryption", Bucket=BUCKET)
    do("s3", "PutBucketEncryption", Bucket=BUCKET, ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
    do("s3", "GetBucketEncryption", Bucket=BUCKET)
    do("s3", "PutBucketOwnershipControls", Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]})
    do("s3", "GetBucketOwnershipControls", Bucket=BUCKET)
    do("s3", "GetBucketAcl", Bucket=BUCKET)
    do("s3", "GetBucketVersioning", Bucket=BUCKET)
    do("s3", "GetObjectLockConfiguration", Bucket=BUCKET, fails="ObjectLockConfigurationNotFoundError")
    do("s3", "CreateBucket", Bucket="story-locked", ObjectLockEnabledForBucket=True)
    do("s3", "GetObjectLockConfiguration", Bucket="story-locked")
    do("s3", "DeleteBucket", Bucket="story-locked")


def s3_objects(do):
    do("s3", "PutObject", Bucket=BUCKET, Key="one", Body=b"the first", Metadata={"who": "stranger"}, ContentType="text/plain")
    do("s3", "GetObject", Bucket=BUCKET, Key="one")
    do("s3", "GetObject", Bucket=BUCKET, Key="one", Range="bytes=0-2")
    do("s3", "GetObject", Bucket=BUCKET, Key="one", Range="bytes=90-99", fails="InvalidRange")
    do("s3", "GetObject", Bucket=BUCKET, Key="none", fails="NoSuchKey")
    do("s3", "HeadObject", Bucket=BUCKET, Key="one")
    do("s3", "HeadObject", Bucket=BUCKET, Key="none", fails="404")
    do("s3", "CopyObject", Bucket=BUCKET, Key="two", CopySource=f"{BUCKET}/one")
    do("s3", "PutObjectTagging", Bucket=BUCKET, Key="two", Tagging={"TagSet": [{"Key": "who", "Value": "stranger"}]})
    do("s3", "GetObjectTagging", Bucket=BUCKET, Key="two")
    do("s3", "ListObjectsV2", Bucket=BUCKET)
    do("s3", "ListObjectsV2", Bucket=BUCKET, MaxKeys=1)
    do("s3", "ListObjectsV2", Bucket=BUCKET, Delimiter="/", Prefix="o")
    do("s3", "PutBucketVersioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    do("s3", "GetBucketVersioning", Bucket=BUCKET)
    do("s3", "PutObject", Bucket=BUCKET, Key="one", Body=b"the second")
    do("s3", "DeleteObject", Bucket=BUCKET, Key="one")
    do("s3", "GetObject", Bucket=BUCKET, Key="one", fails="NoSuchKey")
    versions = do("s3", "ListObjectVersions", Bucket=BUCKET)
    for sort in ("Versions", "DeleteMarkers"):
        for version in get(versions, sort) or []:
            do("s3", "DeleteObject", Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])


def s3_uploads(do):
    upload = get(do("s3", "CreateMultipartUpload", Bucket=BUCKET, Key="big"), "UploadId")
    part = do("s3", "UploadPart", Bucket=BUCKET, Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"ETag": get(part, "ETag"), "PartNumber": 1}]}
    do("s3", "CompleteMultipartUpload", Bucket=BUCKET, Key="big", UploadId=upload, MultipartUpload=parts)
    upload = get(do("s3", "CreateMultipartUpload", Bucket=BUCKET, Key="given-up"), "UploadId")
    do("s3", "AbortMultipartUpload", Bucket=BUCKET, Key="given-up", UploadId=upload)
    do("s3", "AbortMultipartUpload", Bucket=BUCKET, Key="given-up", UploadId="no-such-upload", fails="NoSuchUpload")
    do("s3", "DeleteObjects", Bucket=BUCKET, Delete={"Objects": [{"Key": "big"}, {"Key": "two"}]})


def s3_end(do):
    do("s3", "DeleteBucketPolicy", Bucket=BUCKET)
    do("s3", "PutObject", Bucket=BUCKET, Key="in-the-way", Body=b"x")
    do("s3", "DeleteBucket", Bucket=BUCKET, fails="BucketNotEmpty")
    versions = do("s3", "ListObjectVersions", Bucket=BUCKET)
    for sort in ("Versions", "DeleteMarkers"):
        for version in get(versions, sort) or []:
            do("s3", "DeleteObject", Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    do("s3", "DeleteBucket", Bucket=BUCKET)
    do("s3", "DeleteBucket", Bucket="story-nowhere", fails="NoSuchBucket")


def elasticache(do, until):
    def state(key, listed, operation, **named):
        return lambda: get(do("elasticache", operation, **named), listed, 0, key)

    default = {"UserName": "default", "Engine": "redis", "AccessString": "off ~* -@all", "Passwords": ["sandbox-password-of-no-value"]}
    do("elasticache", "CreateUser", UserId="story-default", **default)
    do("elasticache", "CreateUser", UserId="story-default", **default, fails="UserAlreadyExists")
    do("elasticache", "DescribeUsers", UserId="story-default")
    do("elasticache", "DescribeUsers", UserId="story-nobody", fails="UserNotFound")
    do("elasticache", "ModifyUser", UserId="story-default", AccessString="off ~* &* -@all")
    until("active", state("Status", "Users", "DescribeUsers", UserId="story-default"))
    do("elasticache", "CreateUserGroup", UserGroupId="story-users", Engine="redis", UserIds=["story-default"])
    do("elasticache", "DescribeUserGroups", UserGroupId="story-users")
    do("elasticache", "DescribeUserGroups", UserGroupId="story-nobody", fails="UserGroupNotFound")
    group = {"ReplicationGroupId": "story"}
    made = do("elasticache", "CreateReplicationGroup", **group, ReplicationGroupDescription="of a story", Engine="redis",
              EngineVersion="7.1", CacheNodeType="cache.r7g.large", NumNodeGroups=2, ReplicasPerNodeGroup=1,
              AutomaticFailoverEnabled=True, Tags=[{"Key": "who", "Value": "stranger"}])
    do("elasticache", "CreateReplicationGroup", **group, ReplicationGroupDescription="again", fails="ReplicationGroupAlreadyExists")
    until("available", state("Status", "ReplicationGroups", "DescribeReplicationGroups", **group))
    do("elasticache", "DescribeReplicationGroups", ReplicationGroupId="story-nobody", fails="ReplicationGroupNotFoundFault")
    do("elasticache", "DescribeCacheClusters", ShowCacheNodeInfo=True)
    do("elasticache", "DescribeCacheClusters", CacheClusterId="story-nobody", fails="CacheClusterNotFound")
    arn = get(made, "ReplicationGroup", "ARN") or f"arn:aws:elasticache:us-east-1:{ACCOUNT}:replicationgroup:story"
    do("elasticache", "AddTagsToResource", ResourceName=arn, Tags=[{"Key": "more", "Value": "1"}])
    do("elasticache", "RemoveTagsFromResource", ResourceName=arn, TagKeys=["who"])
    do("elasticache", "ListTagsForResource", ResourceName=arn)
    do("elasticache", "DescribeCacheSubnetGroups")
    do("elasticache", "DescribeCacheParameters", CacheParameterGroupName="default.redis7")
    do("elasticache", "CreateSnapshot", SnapshotName="story-snapshot", **group)
    snapshot = state("SnapshotStatus", "Snapshots", "DescribeSnapshots", SnapshotName="story-snapshot")
    until("available", snapshot)
    do("elasticache", "CreateSnapshot", SnapshotName="story-snapshot", **group, fails="SnapshotAlreadyExistsFault")
    do("elasticache", "CreateSnapshot", SnapshotName="story-other", ReplicationGroupId="story-nobody", fails="ReplicationGroupNotFoundFault")
    do("elasticache", "CopySnapshot", SourceSnapshotName="story-snapshot", TargetSnapshotName="story-copy")
    do("elasticache", "CopySnapshot", SourceSnapshotName="story-snapshot", TargetSnapshotName="story-export", TargetBucket=BUCKET)
    until("available", snapshot)
    do("elasticache", "CopySnapshot", SourceSnapshotName="story-none", TargetSnapshotName="story-other", fails="SnapshotNotFoundFault")
    until("available", state("SnapshotStatus", "Snapshots", "DescribeSnapshots", SnapshotName="story-copy"))
    do("elasticache", "DescribeSnapshots", SnapshotName="story-none", fails="SnapshotNotFoundFault")
    do("elasticache", "DescribeEvents", SourceType="replication-group", SourceIdentifier="story", Duration=60)
    do("elasticache", "DeleteSnapshot", SnapshotName="story-copy")
    do("elasticache", "DeleteSnapshot", SnapshotName="story-none", fails="SnapshotNotFoundFault")
    changes(do, until, state)
    do("elasticache", "DeleteReplicationGroup", **group, FinalSnapshotIdentifier="story-final")
    until("available", state("SnapshotStatus", "Snapshots", "DescribeSnapshots", SnapshotName="story-final"))
    again = {"ReplicationGroupId": "story-again"}
    do("elasticache", "CreateReplicationGroup", **again, ReplicationGroupDescription="from a snapshot", SnapshotName="story-final",
       Engine="redis", CacheNodeType="cache.r7g.large", ReplicasPerNodeGroup=1, AutomaticFailoverEnabled=True)
    until("available", state("Status", "ReplicationGroups", "DescribeReplicationGroups", **again))
    do("elasticache", "DeleteReplicationGroup", **again)
    do("elasticache", "DeleteReplicationGroup", ReplicationGroupId="story-nobody", fails="ReplicationGroupNotFoundFault")


def changes(do, until, state):
    group = {"ReplicationGroupId": "story"}
    ready = state("Status", "ReplicationGroups", "DescribeReplicationGroups", **group)
    nobody = {"ReplicationGroupId": "story-nobody"}
    gone = "ReplicationGroupNotFoundFault"
    do("elasticache", "ListAllowedNodeTypeModifications", **group)
    until("available", ready)
    do("elasticache", "ModifyReplicationGroup", **group, SnapshotRetentionLimit=3, ApplyImmediately=True)
    until("available", ready)
    do("elasticache", "ModifyReplicationGroup", **group, EngineVersion="6.2", fails="InvalidParameterCombination")
    do("elasticache", "ModifyReplicationGroup", **nobody, fails=gone)
    do("elasticache", "IncreaseReplicaCount", **group, NewReplicaCount=2, ApplyImmediately=True)
    until("available", ready)
    do("elasticache", "DecreaseReplicaCount", **group, NewReplicaCount=1, ApplyImmediately=True)
    until("available", ready)
    do("elasticache", "DecreaseReplicaCount", **group, NewReplicaCount=3, ApplyImmediately=True, fails="NoOperationFault")
    do("elasticache", "ModifyReplicationGroupShardConfiguration", **group, NodeGroupCount=3, ApplyImmediately=True)
    until("available", ready)
    do("elasticache", "TestFailover", **group, NodeGroupId="0001")
    do("elasticache", "TestFailover", **group, NodeGroupId="0009", fails="NodeGroupNotFoundFault")
    do("elasticache", "TestFailover", **nobody, NodeGroupId="0001", fails=gone)
    do("elasticache", "DescribeEvents", SourceType="cache-cluster", Duration=60)


def serverless(do):
    named = {"ServerlessCacheSnapshotName": "story-none"}
    do("elasticache", "DescribeServerlessCaches")
    do("elasticache", "DescribeServerlessCaches", ServerlessCacheName="story-nobody", fails="ServerlessCacheNotFoundFault")
    do("elasticache", "DescribeServerlessCacheSnapshots")
    do("elasticache", "DescribeServerlessCacheSnapshots", **named, fails="ServerlessCacheSnapshotNotFoundFault")
    do("elasticache", "CreateServerlessCacheSnapshot", **named, ServerlessCacheName="story-nobody", fails="ServerlessCacheNotFoundFault")
    do("elasticache", "DeleteServerlessCacheSnapshot", **named, fails="ServerlessCacheSnapshotNotFoundFault")
    do("elasticache", "ExportServerlessCacheSnapshot", **named, S3BucketName=BUCKET, fails="ServerlessCacheSnapshotNotFoundFault")


def memorydb(do, until):
    def state(operation, listed, **named):
        return lambda: get(do("memorydb", operation, **named), listed, 0, "Status")

    do("memorydb", "CreateUser", UserName="story-user", AccessString="on ~* &* +@all",
       AuthenticationMode={"Type": "password", "Passwords": ["sandbox-password-of-no-value"]})
    do("memorydb", "DescribeUsers", UserName="story-user")
    do("memorydb", "DescribeUsers", UserName="story-nobody", fails="UserNotFoundFault")
    do("memorydb", "CreateACL", ACLName="story-acl", UserNames=["story-user"])
    do("memorydb", "DescribeACLs", ACLName="story-nobody", fails="ACLNotFoundFault")
    until("active", state("DescribeACLs", "ACLs", ACLName="story-acl"))
    do("memorydb", "UpdateUser", UserName="story-user", AccessString="on ~story:* +@all")
    until("active", state("DescribeUsers", "Users", UserName="story-user"))
    do("memorydb", "UpdateUser", UserName="story-nobody", AccessString="on ~* +@all", fails="UserNotFoundFault")
    do("memorydb", "UpdateACL", ACLName="story-acl", UserNamesToAdd=["story-user"], fails="DuplicateUserNameFault")
    do("memorydb", "UpdateACL", ACLName="story-acl", UserNamesToRemove=["story-user"])
    until("active", state("DescribeACLs", "ACLs", ACLName="story-acl"))
    do("memorydb", "DeleteUser", UserName="story-user")
    do("memorydb", "DeleteUser", UserName="story-nobody", fails="UserNotFoundFault")
    do("memorydb", "DeleteACL", ACLName="story-acl")
    do("memorydb", "DeleteACL", ACLName="story-nobody", fails="ACLNotFoundFault")
    subnets = {"SubnetGroupName": "story-subnets", "SubnetIds": ["subnet-0a", "subnet-0b"]}
    do("memorydb", "CreateSubnetGroup", **subnets)
    do("memorydb", "CreateSubnetGroup", **subnets, fails="SubnetGroupAlreadyExistsFault")
    do("memorydb", "DescribeSubnetGroups")
    group = {"ParameterGroupName": "story-parameters"}
    do("memorydb", "CreateParameterGroup", **group, Family="memorydb_redis7", Description="of a story")
    do("memorydb", "CreateParameterGroup", **group, Family="memorydb_redis7", fails="ParameterGroupAlreadyExistsFault")
    do("memorydb", "UpdateParameterGroup", **group, ParameterNameValues=[
        {"ParameterName": "timeout", "ParameterValue": "300"}])
    do("memorydb", "UpdateParameterGroup", ParameterGroupName="story-nothing", ParameterNameValues=[
        {"ParameterName": "timeout", "ParameterValue": "300"}], fails="ParameterGroupNotFoundFault")
    do("memorydb", "DescribeParameterGroups")
    do("memorydb", "DescribeParameters", ParameterGroupName="default.memorydb-redis7")
    do("memorydb", "DescribeEngineVersions")
    do("memorydb", "DescribeReservedNodesOfferings", NodeType="db.r7g.large")
    cluster = {"ClusterName": "story"}
    made = do("memorydb", "CreateCluster", **cluster, NodeType="db.r7g.large", ACLName="open-access", NumShards=1,
              NumReplicasPerShard=0, TLSEnabled=False, Tags=[{"Key": "who", "Value": "stranger"}])
    do("memorydb", "CreateCluster", **cluster, NodeType="db.r7g.large", ACLName="open-access", fails="ClusterAlreadyExistsFault")
    until("available", state("DescribeClusters", "Clusters", **cluster))
    do("memorydb", "DescribeClusters", **cluster, ShowShardDetails=True)
    do("memorydb", "DescribeClusters", ClusterName="story-nobody", fails="ClusterNotFoundFault")
    arn = get(made, "Cluster", "ARN") or f"arn:aws:memorydb:us-east-1:{ACCOUNT}:cluster/story"
    do("memorydb", "TagResource", ResourceArn=arn, Tags=[{"Key": "more", "Value": "1"}])
    do("memorydb", "UntagResource", ResourceArn=arn, TagKeys=["who"])
    do("memorydb", "ListTags", ResourceArn=arn)
    do("memorydb", "ListAllowedNodeTypeUpdates", **cluster)
    do("memorydb", "FailoverShard", **cluster, ShardName="0001", fails="TestFailoverNotAvailableFault")
    do("memorydb", "FailoverShard", **cluster, ShardName="0009", fails="ShardNotFoundFault")
    do("memorydb", "UpdateCluster", **cluster, NodeType="db.r7g.xlarge")
    do("memorydb", "UpdateCluster", **cluster, NodeType="db.r7g.large", fails="InvalidClusterStateFault")
    until("available", state("DescribeClusters", "Clusters", **cluster))
    do("memorydb", "UpdateCluster", **cluster, ReplicaConfiguration={"ReplicaCount": 1})
    until("available", state("DescribeClusters", "Clusters", **cluster))
    do("memorydb", "FailoverShard", **cluster, ShardName="0001")
    do("memorydb", "CreateSnapshot", **cluster, SnapshotName="story-snapshot")
    until("available", state("DescribeSnapshots", "Snapshots", SnapshotName="story-snapshot"))
    do("memorydb", "CreateSnapshot", ClusterName="story-nobody", SnapshotName="story-other", fails="ClusterNotFoundFault")
    do("memorydb", "CopySnapshot", SourceSnapshotName="story-snapshot", TargetSnapshotName="story-copy")
    until("available", state("DescribeSnapshots", "Snapshots", SnapshotName="story-copy"))
    do("memorydb", "DescribeSnapshots", SnapshotName="story-none", fails="SnapshotNotFoundFault")
    do("memorydb", "DeleteSnapshot", SnapshotName="story-copy")
    do("memorydb", "DeleteSnapshot", SnapshotName="story-none", fails="SnapshotNotFoundFault")
    do("memorydb", "DescribeEvents", SourceType="cluster", SourceName="story")
    do("memorydb", "DeleteCluster", **cluster)
    do("memorydb", "DeleteCluster", ClusterName="story-nobody", fails="ClusterNotFoundFault")
    do("memorydb", "DeleteSubnetGroup", SubnetGroupName="story-subnets")
    do("memorydb", "DeleteSubnetGroup", SubnetGroupName="story-nothing", fails="SubnetGroupNotFoundFault")
    do("memorydb", "DeleteParameterGroup", **group)
    do("memorydb", "DeleteParameterGroup", **group, fails="ParameterGroupNotFoundFault")


def ssm(do):
    name = {"Name": "/story/endpoint"}
    do("ssm", "PutParameter", **name, Value="one:6379", Type="String", Tags=[{"Key": "who", "Value": "stranger"}])
    do("ssm", "PutParameter", **name, Value="two:6379", Type="String", fails="ParameterAlreadyExists")
    do("ssm", "PutParameter", **name, Value="two:6379", Type="String", Overwrite=True)
    do("ssm", "GetParameter", **name)
    do("ssm", "GetParameter", Name="/story/endpoint:1")
    do("ssm", "GetParameter", Name="/story/none", fails="ParameterNotFound")
    do("ssm", "GetParameter", Name="/story/endpoint:9", fails="ParameterVersionNotFound")
    do("ssm", "LabelParameterVersion", **name, ParameterVersion=1, Labels=["before"])
    do("ssm", "GetParameter", Name="/story/endpoint:before")
    do("ssm", "UnlabelParameterVersion", **name, ParameterVersion=1, Labels=["before"])
    do("ssm", "GetParameterHistory", **name)
    do("ssm", "PutParameter", Name="/story/secret", Value="sandbox-password-of-no-value", Type="SecureString")
    do("ssm", "GetParameter", Name="/story/secret", WithDecryption=True)
    do("ssm", "GetParameters", Names=["/story/endpoint", "/story/none"])
    do("ssm", "GetParametersByPath", Path="/story", Recursive=True)
    do("ssm", "DescribeParameters", ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/story"]}])
    tagged = {"ResourceType": "Parameter", "ResourceId": "/story/endpoint"}
    do("ssm", "AddTagsToResource", **tagged, Tags=[{"Key": "more", "Value": "1"}])
    do("ssm", "RemoveTagsFromResource", **tagged, TagKeys=["who"])
    do("ssm", "ListTagsForResource", **tagged)
    do("ssm", "DeleteParameter", **name)
    do("ssm", "DeleteParameter", **name, fails="ParameterNotFound")
    do("ssm", "DeleteParameters", Names=["/story/secret", "/story/none"])


def secrets(do):
    do("secretsmanager", "GetRandomPassword", PasswordLength=40, ExcludePunctuation=True)
    do("secretsmanager", "GetRandomPassword", PasswordLength=5000, fails="InvalidParameterException")
    named = {"SecretId": "story/secret"}
    one = get(do("secretsmanager", "CreateSecret", Name="story/secret", SecretString="one", Tags=[{"Key": "who", "Value": "stranger"}]), "VersionId")
    do("secretsmanager", "CreateSecret", Name="story/secret", SecretString="two", fails="ResourceExistsException")
    two = get(do("secretsmanager", "PutSecretValue", **named, SecretString="two"), "VersionId")
    do("secretsmanager", "GetSecretValue", **named)
    do("secretsmanager", "GetSecretValue", **named, VersionStage="AWSPREVIOUS")
    do("secretsmanager", "GetSecretValue", SecretId="story/none", fails="ResourceNotFoundException")
    if one and two:
        do("secretsmanager", "UpdateSecretVersionStage", **named, VersionStage="AWSCURRENT", MoveToVersionId=one, RemoveFromVersionId=two)
    do("secretsmanager", "DescribeSecret", **named)
    do("secretsmanager", "ListSecretVersionIds", **named)
    do("secretsmanager", "ListSecrets")
    do("secretsmanager", "TagResource", **named, Tags=[{"Key": "more", "Value": "1"}])
    do("secretsmanager", "UntagResource", **named, TagKeys=["who"])
    do("secretsmanager", "RotateSecret", **named, fails="InvalidRequestException")
    do("secretsmanager", "RotateSecret", **named, RotationLambdaARN=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:story", RotateImmediately=False)
    do("secretsmanager", "CancelRotateSecret", **named)
    do("secretsmanager", "DeleteSecret", **named, RecoveryWindowInDays=7)
    do("secretsmanager", "GetSecretValue", **named, fails="InvalidRequestException")
    do("secretsmanager", "RestoreSecret", **named)
    do("secretsmanager", "DeleteSecret", **named, ForceDeleteWithoutRecovery=True)


def route53(do, until):
    made = do("route53", "CreateHostedZone", Name="story.internal", CallerReference="story")
    zone = {"HostedZoneId": (get(made, "HostedZone", "Id") or "/hostedzone/Z0").rsplit("/", 1)[-1]}
    do("route53", "ListHostedZones")
    do("route53", "ListHostedZonesByName", DNSName="story.internal")
    do("route53", "GetHostedZone", Id=zone["HostedZoneId"])
    do("route53", "GetHostedZone", Id="ZNOSUCHZONE", fails="NoSuchHostedZone")
    record = {"Name": "redis.story.internal", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.com"}]}

    def change(action, value="old.example.com", **more):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": {**record, "ResourceRecords": [{"Value": value}]}}]}
        return do("route53", "ChangeResourceRecordSets", **zone, ChangeBatch=batch, **more)

    made = change("CREATE")
    change("CREATE", fails="InvalidChangeBatch")
    number = (get(made, "ChangeInfo", "Id") or "/change/C0").rsplit("/", 1)[-1]
    until("INSYNC", lambda: get(do("route53", "GetChange", Id=number), "ChangeInfo", "Status"))
    do("route53", "GetChange", Id="CNOSUCHCHANGE", fails="NoSuchChange")
    change("UPSERT", "new.example.com")
    do("route53", "ListResourceRecordSets", **zone)
    do("route53", "DeleteHostedZone", Id=zone["HostedZoneId"], fails="HostedZoneNotEmpty")
    change("DELETE", "other.example.com", fails="InvalidChangeBatch")
    change("DELETE", "new.example.com")
    do("route53", "DeleteHostedZone", Id=zone["HostedZoneId"])


def others(do):
    do("sts", "GetCallerIdentity")
    nowhere = f"arn:aws:sns:us-east-1:{ACCOUNT}:story-nowhere"
    do("sns", "GetTopicAttributes", TopicArn=nowhere, fails="NotFound")
    do("sns", "Publish", TopicArn=nowhere, Message="told", fails="NotFound")
    do("iam", "SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/story", ActionNames=["s3:GetObject", "memorydb:CreateCluster"])
    do("iam", "GetRole", RoleName="story-role")
    do("kms", "DescribeKey", KeyId="alias/story-none", fails="NotFoundException")
    do("service-quotas", "ListServiceQuotas", ServiceCode="memorydb")
    do("service-quotas", "GetServiceQuota", ServiceCode="memorydb", QuotaCode="L-00000000", fails="NoSuchResourceException")
    metric = {"Namespace": "AWS/ElastiCache", "MetricName": "BytesUsedForCache", "Dimensions": [{"Name": "CacheClusterId", "Value": "story-0001-001"}]}
    do("cloudwatch", "GetMetricData", StartTime="2026-01-01T00:00:00Z", EndTime="2026-01-01T01:00:00Z",
       MetricDataQueries=[{"Id": "used", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}}])
    do("cloudwatch", "PutMetricData", Namespace="Story", MetricData=[{"MetricName": "RestoreSeconds", "Value": 12.5, "Unit": "Seconds",
       "Dimensions": [{"Name": "Cluster", "Value": "story"}]}])


def cloudwatch(do):
    alarm = {"AlarmName": "story-cpu", "Namespace": "AWS/MemoryDB", "MetricName": "EngineCPUUtilization", "Statistic": "Average",
             "Dimensions": [{"Name": "ClusterName", "Value": "story"}], "Period": 60, "EvaluationPeriods": 5, "Threshold": 70.0,
             "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "missing"}
    do("cloudwatch", "PutMetricAlarm", **alarm, Tags=[{"Key": "story", "Value": "yes"}])
    do("cloudwatch", "PutMetricAlarm", **{**alarm, "Threshold": 80.0})
    do("cloudwatch", "SetAlarmState", AlarmName="story-cpu", StateValue="ALARM", StateReason="the story says so")
    shown = do("cloudwatch", "DescribeAlarms", AlarmNames=["story-cpu"])
    do("cloudwatch", "ListTagsForResource", ResourceARN=get(shown, "MetricAlarms", 0, "AlarmArn"))
    do("cloudwatch", "DeleteAlarms", AlarmNames=["story-cpu"])
    do("cloudwatch", "DescribeAlarms", AlarmNames=["story-cpu"])
    body = '{"widgets":[{"type":"metric","x":0,"y":0,"width":6,"height":6,"properties":{"metrics":[["AWS/MemoryDB","CurrItems","ClusterName","story"]],"region":"us-east-1","title":"Keys"}}]}'
    do("cloudwatch", "PutDashboard", DashboardName="story", DashboardBody=body)
    do("cloudwatch", "GetDashboard", DashboardName="story")
    do("cloudwatch", "DeleteDashboards", DashboardNames=["story"])
    do("cloudwatch", "GetDashboard", DashboardName="story", fails="ResourceNotFound")


def seeded(do):
    """What only a sandbox with the seed of the tests has."""
    do("kms", "DescribeKey", KeyId="alias/story-key")
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:story"
    do("sns", "GetTopicAttributes", TopicArn=topic)
    do("sns", "Publish", TopicArn=topic, Subject="story", Message="told",
       MessageAttributes={"orchestrate.run": {"DataType": "String", "StringValue": "story"}})
    do("sns", "Publish", TopicArn=topic, Subject="two\nlines", Message="told", fails="InvalidParameter")
    quotas = do("service-quotas", "ListServiceQuotas", ServiceCode="memorydb")
    do("service-quotas", "GetServiceQuota", ServiceCode="memorydb", QuotaCode=get(quotas, "Quotas", 0, "QuotaCode"))
