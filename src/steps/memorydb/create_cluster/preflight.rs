//! What can be told before anything runs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::cluster::{self, SERVICE};
use super::{
    Class, Cx, Env, Failure, Finding, OPEN_ACCESS, Op, call, no_acl, s3, split_s3_object_arn,
};

/// Looks at all that the arguments name. `args` may hold `null` where an output is referred to.
pub(super) async fn findings(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |finding: Result<Finding, Failure>| {
        findings.push(finding.unwrap_or_else(|failure| match failure.class {
            Class::Fatal | Class::NotFound => Finding::will_fail(
                "target.arguments",
                failure.to_string(),
                failure.mend.clone().unwrap_or_default(),
            ),
            _ => Finding::cannot_know("target.arguments", failure.to_string()),
        }));
    };
    if let Ok(spec) = serde_json::from_value(args.clone())
        && let Err(failure) = super::check(&spec)
    {
        tell(Err(failure));
    }
    if let Some(name) = args["name"].as_str() {
        tell(free_name(env, name).await);
    }
    if let Some(name) = args["acl"].as_str() {
        tell(acl(env, name).await);
    }
    if let Some(name) = args["subnet_group"].as_str() {
        let spread = args["replicas_per_shard"].as_u64().unwrap_or(1) > 0;
        tell(subnet_group(env, name, spread).await);
    }
    if let Some(name) = args["parameter_group"].as_str() {
        tell(parameter_group(env, name).await);
    }
    if let Some(version) = args["engine_version"].as_str() {
        tell(version_offered(env, args["engine"].as_str(), version).await);
    }
    let files = args["restore_from"].as_array().into_iter().flatten();
    let buckets: BTreeSet<&str> =
        files.filter_map(|arn| Some(split_s3_object_arn(arn.as_str()?)?.0)).collect();
    for bucket in buckets {
        findings.extend(s3::bucket_findings(env, bucket, s3::Guest::MemoryDb, None).await);
    }
    // Of a bucket that an earlier step exports to, that step says the rest.
    if let Some((bucket, target)) = bucket_of_export(cx) {
        let lets_in = s3::bucket_lets_in(env, bucket, s3::Guest::MemoryDb, target).await;
        findings.extend(lets_in);
    }
    findings
}

/// The bucket that the files to restore from are exported to by an earlier step, and what their keys begin with.
fn bucket_of_export(cx: &Cx) -> Option<(&str, Option<&str>)> {
    let args = &cx.around.upstream("elasticache.export_snapshot")?.args;
    Some((args["bucket"].as_str()?, args["target_name"].as_str()))
}

async fn free_name(env: &Env, name: &str) -> Result<Finding, Failure> {
    Ok(match cluster::cluster(env, &name.to_ascii_lowercase()).await? {
        None => Finding::ok("target.name", format!("no MemoryDB cluster is called \"{name}\" yet")),
        Some(_) => Finding::will_fail(
            "target.name",
            format!("a MemoryDB cluster \"{name}\" exists already"),
            "choose another name in the playbook, or remove it yourself if nobody needs it",
        ),
    })
}

async fn acl(env: &Env, name: &str) -> Result<Finding, Failure> {
    let found = cluster::acl(env, &name.to_ascii_lowercase()).await?;
    let found = found.ok_or_else(|| no_acl(name))?;
    Ok(Finding::ok(
        "target.acl",
        if name.eq_ignore_ascii_case(OPEN_ACCESS) {
            "ACL open-access: no authentication, whoever reaches the port may run every command"
                .to_owned()
        } else {
            format!("ACL \"{name}\" lets {} users in", found.user_names().len())
        },
    ))
}

async fn subnet_group(env: &Env, name: &str, spread: bool) -> Result<Finding, Failure> {
    let request = env.aws.memorydb.describe_subnet_groups();
    let request = request.subnet_group_name(name.to_ascii_lowercase());
    let answer = call(Op::read(SERVICE, "DescribeSubnetGroups"), request.send()).await?;
    let zones: BTreeSet<_> = answer
        .subnet_groups()
        .iter()
        .flat_map(|group| group.subnets())
        .filter_map(|subnet| subnet.availability_zone()?.name())
        .collect();
    Ok(if spread && zones.len() == 1 {
        // MemoryDB spreads every shard that has replicas (developer guide, minimizing downtime with Multi-AZ).
        Finding::will_fail(
            "target.subnets",
            format!(
                "subnet group \"{name}\" is in one availability zone, and shards with replicas need two"
            ),
            "add a subnet of another availability zone to it, or set replicas_per_shard: 0",
        )
    } else {
        Finding::ok("target.subnets", format!("subnet group \"{name}\" is there"))
    })
}

async fn parameter_group(env: &Env, name: &str) -> Result<Finding, Failure> {
    let request = env.aws.memorydb.describe_parameter_groups().parameter_group_name(name);
    call(Op::read(SERVICE, "DescribeParameterGroups"), request.send()).await?;
    Ok(Finding::ok("target.parameters", format!("parameter group \"{name}\" is there")))
}

async fn version_offered(
    env: &Env,
    engine: Option<&str>,
    version: &str,
) -> Result<Finding, Failure> {
    let request = env.aws.memorydb.describe_engine_versions();
    let request = request.set_engine(engine.map(str::to_owned));
    let answer = call(Op::read(SERVICE, "DescribeEngineVersions"), request.send()).await?;
    let offered: BTreeSet<_> =
        answer.engine_versions().iter().filter_map(|v| v.engine_version()).collect();
    let engine = engine.unwrap_or("MemoryDB");
    Ok(if offered.contains(version) || offered.is_empty() {
        Finding::ok("target.version", format!("{engine} {version} is offered"))
    } else {
        let offered: Vec<_> = offered.into_iter().collect();
        Finding::will_fail(
            "target.version",
            format!("MemoryDB offers no {engine} {version} here"),
            format!("choose one of {}", offered.join(", ")),
        )
    })
}
