"""Drives the sandbox with the aws CLI, as a person would write its commands: every operation that the shipped playbooks use.

The first argument is the CLI; the first command runs it. The others run the same code in this process: starting Python for
each would take a minute. Endpoint, region and credentials come from the environment.
"""

import json
import subprocess
import sys
import tempfile
import time

from all_cli import run

AWS = sys.argv[1]


def aws(*words, fails=None):
    """One command. Gives its JSON; with `fails`, it must be refused with that code."""
    code, out, err = run(*words)
    if fails is None:
        if code != 0:
            raise SystemExit(f"aws {' '.join(words)}: {err}")
        return json.loads(out) if out.strip() else None
    if code == 0 or f"({fails})" not in err:
        raise SystemExit(f"aws {' '.join(words)} was not refused with {fails}: {out}{err}")
    return None


def until(what, seen, wanted):
    for _ in range(120):
        state = seen()
        if state == wanted:
            return
        time.sleep(0.2)
    raise SystemExit(f"{what} is {state}, not {wanted}")


def snapshot_state():
    return aws("elasticache", "describe-snapshots", "--snapshot-name", "strange")["Snapshots"][0]["SnapshotStatus"]


def odd_state():
    found = aws("elasticache", "describe-serverless-cache-snapshots", "--serverless-cache-snapshot-name", "odd")
    return found["ServerlessCacheSnapshots"][0]["Status"]


subprocess.run([AWS, "sts", "get-caller-identity"], check=True, capture_output=True, timeout=120)
aws("sts", "get-caller-identity")
group = aws("elasticache", "describe-replication-groups", "--replication-group-id", "demo")["ReplicationGroups"][0]
aws("elasticache", "describe-user-groups", "--user-group-id", group["UserGroupIds"][0])
aws("elasticache", "describe-users", "--user-id", "demo-app")
aws("elasticache", "modify-user", "--user-id", "demo-app", "--access-string", "on ~* &* +@all -@write")
until("the user", lambda: aws("elasticache", "describe-users", "--user-id", "demo-app")["Users"][0]["Status"], "active")
arn = aws("elasticache", "create-snapshot", "--snapshot-name", "strange", "--replication-group-id", "demo")["Snapshot"]["ARN"]
until("the snapshot", snapshot_state, "available")
aws("elasticache", "list-tags-for-resource", "--resource-name", arn)
aws("elasticache", "describe-snapshots", "--snapshot-name", "nothing", fails="SnapshotNotFoundFault")
aws("elasticache", "copy-snapshot", "--source-snapshot-name", "strange", "--target-snapshot-name", "strange-export", "--target-bucket", "demo-migration")
until("the export", snapshot_state, "available")
aws("elasticache", "describe-events", "--source-type", "replication-group", "--source-identifier", "demo", "--duration", "60")
cache = ["--serverless-cache-name", "elastic"]
assert aws("elasticache", "describe-serverless-caches", *cache)["ServerlessCaches"][0]["Status"] == "available"
odd = ["--serverless-cache-snapshot-name", "odd"]
aws("elasticache", "create-serverless-cache-snapshot", *odd, *cache)
until("the serverless snapshot", odd_state, "available")
aws("elasticache", "export-serverless-cache-snapshot", *odd, "--s3-bucket-name", "nowhere", fails="InvalidParameterValue")
aws("elasticache", "export-serverless-cache-snapshot", *odd, "--s3-bucket-name", "demo-migration")
until("the serverless export", odd_state, "available")
assert len(aws("s3api", "list-objects-v2", "--bucket", "demo-migration", "--prefix", "odd")["Contents"]) == 2
aws("elasticache", "delete-serverless-cache-snapshot", *odd)
for read in ["head-bucket", "get-bucket-location", "get-bucket-encryption", "get-bucket-policy", "get-bucket-versioning"]:
    aws("s3api", read, "--bucket", "demo-migration")
keys = [o["Key"] for o in aws("s3api", "list-objects-v2", "--bucket", "demo-migration", "--prefix", "strange-export-")["Contents"]]
assert len(keys) == 2, keys
with tempfile.NamedTemporaryFile() as file:
    aws("s3api", "get-object", "--bucket", "demo-migration", "--key", keys[0], "--range", "bytes=0-8", file.name)
    assert open(file.name, "rb").read(5) == b"REDIS"
aws("s3api", "head-object", "--bucket", "demo-migration", "--key", keys[0])
aws("memorydb", "describe-acls", "--acl-name", "demo-acl")
aws("memorydb", "describe-subnet-groups")
aws("memorydb", "describe-parameter-groups")
arns = [f"arn:aws:s3:::demo-migration/{key}" for key in keys]
cluster = ["--cluster-name", "strange"]
aws("memorydb", "create-cluster", *cluster, "--node-type", "db.r7g.large", "--acl-name", "demo-acl", "--num-shards", "3", "--snapshot-arns", *arns)
until("the cluster", lambda: aws("memorydb", "describe-clusters", *cluster, "--show-shard-details")["Clusters"][0]["Status"], "available")
arn = aws("memorydb", "describe-clusters", *cluster)["Clusters"][0]["ARN"]
aws("memorydb", "list-tags", "--resource-arn", arn)
aws("memorydb", "describe-events", "--source-type", "cluster", "--source-name", "strange")
aws("ssm", "get-parameter", "--name", "/demo/redis/endpoint")
aws("ssm", "describe-parameters", "--parameter-filters", "Key=Name,Option=Equals,Values=/demo/redis/endpoint")
aws("ssm", "put-parameter", "--name", "/demo/redis/endpoint", "--value", "x", "--type", "String", fails="ParameterAlreadyExists")
aws("ssm", "put-parameter", "--name", "/demo/redis/endpoint", "--value", "elsewhere:6379", "--type", "String", "--overwrite")
aws("secretsmanager", "get-secret-value", "--secret-id", "demo/reader")
aws("memorydb", "delete-cluster", *cluster)
aws("s3api", "delete-object", "--bucket", "demo-migration", "--key", keys[0])
aws("s3api", "delete-objects", "--bucket", "demo-migration", "--delete", json.dumps({"Objects": [{"Key": keys[1]}]}))
aws("elasticache", "delete-snapshot", "--snapshot-name", "strange")
print("every answer was parsed")
