"""Puts into LocalStack what the quickstart reads, with boto3: the parameter that names the sandbox's old endpoint, the password
of its users, and, for more than the quickstart switches, a secret and a record. Prints the record's zone.

Endpoints, region and credentials come from the environment. May be run again.
"""

import json

import boto3

group = boto3.client("elasticache").describe_replication_groups(ReplicationGroupId="demo")["ReplicationGroups"][0]
endpoint = group["ConfigurationEndpoint"]
host, port = endpoint["Address"], endpoint["Port"]

boto3.client("ssm").put_parameter(Name="/demo/redis/endpoint", Value=f"{host}:{port}", Type="String", Overwrite=True)

secrets = boto3.client("secretsmanager")
values = {
    "demo/reader": "sandbox-password-of-no-value",
    "demo/redis": json.dumps({"host": host, "port": str(port), "password": "sandbox-password-of-no-value"}),
}
for name, value in values.items():
    try:
        secrets.create_secret(Name=name, SecretString=value)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=value)

route53 = boto3.client("route53")
zones = [z for z in route53.list_hosted_zones()["HostedZones"] if z["Name"] == "demo.internal."]
zone = zones[0] if zones else route53.create_hosted_zone(Name="demo.internal", CallerReference="demo")["HostedZone"]
record = {"Name": "redis.demo.internal", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": host}]}


def change(action):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=batch)


# CREATE first, which LocalStack remembers: see localstack/README.md.
try:
    change("CREATE")
except route53.exceptions.InvalidChangeBatch:
    change("UPSERT")
print(zone["Id"].rsplit("/", 1)[-1])
