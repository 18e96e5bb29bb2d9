"""What real servers of several versions make of each other's files: every source is snapshotted and exported, and a MemoryDB
cluster of every target version is restored from it. Prints JSON: `{"<source> -> <target>": "available" or the reason}`.

    versions.py <source>... -- <engine-version>...

Sources are replication groups of the sandbox; endpoint, region and credentials come from the environment.
"""

import json
import sys
import time

import boto3

split = sys.argv.index("--")
sources, targets = sys.argv[1:split], sys.argv[split + 1 :]
ec, mdb, s3 = boto3.client("elasticache"), boto3.client("memorydb"), boto3.client("s3")


def until(what, seen, pending):
    """Looks until the state is none of these, at most a minute."""
    for _ in range(600):
        state = seen()
        if state not in pending:
            return state
        time.sleep(0.1)
    raise SystemExit(f"{what} stays {state}")


def snapshot_state(name):
    return ec.describe_snapshots(SnapshotName=name)["Snapshots"][0]["SnapshotStatus"]


found, clusters = {}, {}
for source in sources:
    ec.create_snapshot(SnapshotName=source, ReplicationGroupId=source)
for source in sources:
    until(source, lambda: snapshot_state(source), ["creating"])
    ec.copy_snapshot(SourceSnapshotName=source, TargetSnapshotName=f"{source}-export", TargetBucket="exports")
for source in sources:
    until(source, lambda: snapshot_state(source), ["copying"])
    objects = s3.list_objects_v2(Bucket="exports", Prefix=f"{source}-export")["Contents"]
    for target in targets:
        engine, version = target.split("-")
        name = f"{source}-to-{target}".replace(".", "-")
        mdb.create_cluster(
            ClusterName=name, NodeType="db.r7g.large", ACLName="open-access", TLSEnabled=False, NumShards=1, NumReplicasPerShard=0,
            Engine=engine, EngineVersion=version, SnapshotArns=[f"arn:aws:s3:::exports/{o['Key']}" for o in objects],
        )
        clusters[f"{source} -> {target}"] = name
for pair, name in clusters.items():
    state = until(pair, lambda: mdb.describe_clusters(ClusterName=name)["Clusters"][0]["Status"], ["creating"])
    events = mdb.describe_events(SourceType="cluster", SourceName=name)["Events"]
    found[pair] = state if state == "available" else f"{state}: {events[-1]['Message'] if events else 'no event'}"
    mdb.delete_cluster(ClusterName=name)
print(json.dumps(found))
