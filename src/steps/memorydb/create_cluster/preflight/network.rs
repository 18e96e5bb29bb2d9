//! Subnets, VPC and security groups.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::super::cluster::SERVICE;
use super::super::{Env, Failure, Finding, Op};
use super::source::Source;
use super::{mind, number, unread};
use crate::aws::{found, shell};

const SUBNETS: &str = "target.subnets";

pub(super) async fn findings(env: &Env, args: &Value, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = match args.get("subnet_group") {
        None => Some("default".to_owned()),
        Some(name) => name.as_str().map(str::to_ascii_lowercase),
    };
    if let Some(name) = name {
        let spread = number(args, "replicas_per_shard", 1);
        match subnet_group(env, &name).await {
            Err(failure) => findings.push(unread(SUBNETS, &failure)),
            // Without one of that name the service makes the default group of the default VPC by itself.
            Ok(None) if name == "default" => {}
            Ok(None) => findings.push(Finding::will_fail(
                SUBNETS,
                format!("there is no MemoryDB subnet group \"{name}\""),
                format!(
                    "aws memorydb create-subnet-group --subnet-group-name {} --subnet-ids SUBNET_A SUBNET_B --region {}\n\
                     where SUBNET_A and SUBNET_B lie in two zones of the source's VPC",
                    shell(&name),
                    env.identity.region
                ),
            )),
            Ok(Some(group)) => {
                findings.extend(spread.map(|replicas| zones(env, &name, &group, replicas > 0)));
                findings.extend(vpc(env, &name, &group, source).await);
            }
        }
    }
    findings.extend(security_groups(args, source, &env.identity.region));
    findings
}

/// A MemoryDB subnet group.
struct SubnetGroup {
    vpc: Option<String>,
    zones: BTreeSet<String>,
    /// Their ids.
    subnets: Vec<String>,
}

async fn subnet_group(env: &Env, name: &str) -> Result<Option<SubnetGroup>, Failure> {
    let client = &env.aws.memorydb;
    let look = || client.describe_subnet_groups().subnet_group_name(name).send();
    let answer = found(env.survey.ask(Op::read(SERVICE, "DescribeSubnetGroups"), look).await)?;
    let group = answer.and_then(|answer| answer.subnet_groups?.into_iter().next());
    Ok(group.map(|group| SubnetGroup {
        zones: group
            .subnets()
            .iter()
            .filter_map(|subnet| subnet.availability_zone()?.name().map(str::to_owned))
            .collect(),
        subnets: group
            .subnets()
            .iter()
            .filter_map(|subnet| subnet.identifier().map(str::to_owned))
            .collect(),
        vpc: group.vpc_id,
    }))
}

/// MemoryDB spreads every shard that has replicas (developer guide, minimizing downtime with Multi-AZ). A group holds
/// subnets of zones that MemoryDB supports only: others are refused when the group is made (SubnetNotAllowedFault).
fn zones(env: &Env, name: &str, group: &SubnetGroup, spread: bool) -> Finding {
    let zones: Vec<&str> = group.zones.iter().map(String::as_str).collect();
    let finding = if spread && zones.len() == 1 {
        Finding::will_fail(
            SUBNETS,
            format!(
                "subnet group \"{name}\" is in one availability zone, {}, and shards with replicas need two",
                zones.join(", ")
            ),
            format!(
                "aws memorydb update-subnet-group --subnet-group-name {} --subnet-ids {} SUBNET_B --region {}\nwhere SUBNET_B \
                 lies in another zone; or set `replicas_per_shard: 0`",
                shell(name),
                group.subnets.iter().map(|id| shell(id)).collect::<Vec<_>>().join(" "),
                env.identity.region
            ),
        )
    } else {
        Finding::ok(SUBNETS, format!("subnet group \"{name}\" is in {}", zones.join(", ")))
    };
    finding.seen("zones", zones.join(" "))
}

/// The data goes by S3, but clients of the source reach the target only if their network does.
async fn vpc(env: &Env, name: &str, group: &SubnetGroup, source: &Source) -> Option<Finding> {
    const CHECK: &str = "target.vpc";
    let at_source = source.group()?.node.as_ref().ok()?.subnet_group.clone()?;
    let client = &env.aws.elasticache;
    let look = || client.describe_cache_subnet_groups().cache_subnet_group_name(&at_source).send();
    let op = Op::read("ElastiCache", "DescribeCacheSubnetGroups");
    let answer = match env.survey.ask(op, look).await {
        Ok(answer) => answer,
        Err(failure) => return Some(Finding::cannot_know(CHECK, failure.to_string())),
    };
    let before = answer.cache_subnet_groups().first()?.vpc_id()?.to_owned();
    let after = group.vpc.as_deref()?;
    let finding = if before == after {
        Finding::ok(CHECK, format!("source and target are in {after}"))
    } else {
        mind(
            CHECK,
            format!("the source is in {before} and subnet group \"{name}\" in {after}"),
            format!(
                "clients need a route from {before} to {after}, and its security groups must let them in; or choose a subnet \
                 group in {before}"
            ),
        )
    };
    Some(finding.seen("source vpc", before).seen("target vpc", after))
}

/// `sg-` and eight or seventeen hex digits (EC2 user guide, resource IDs). Whether there is such a group only EC2 tells,
/// which this program does not call; the source's own are there.
fn security_groups(args: &Value, source: &Source, region: &str) -> Option<Finding> {
    const CHECK: &str = "target.security_groups";
    let given = args["security_groups"].as_array()?;
    let given: Option<Vec<&str>> = given.iter().map(Value::as_str).collect();
    let given = given.filter(|given| !given.is_empty())?;
    let is_id = |id: &&&str| {
        id.strip_prefix("sg-").is_some_and(|rest| {
            matches!(rest.len(), 8 | 17) && rest.bytes().all(|b| b.is_ascii_hexdigit())
        })
    };
    if let Some(odd) = given.iter().find(|id| !is_id(id)) {
        return Some(Finding::will_fail(
            CHECK,
            format!("\"{odd}\" is not the id of a security group"),
            format!(
                "write ids such as sg-0123456789abcdef0; aws ec2 describe-security-groups --region {region} lists them"
            ),
        ));
    }
    let known = source.group().and_then(|group| group.node.as_ref().ok());
    let known: &[String] = known.map_or(&[], |node| node.security_groups.as_slice());
    let strangers: Vec<&str> =
        given.iter().copied().filter(|id| !known.iter().any(|known| known == id)).collect();
    Some(match strangers.is_empty() {
        true => {
            let are = if given.len() == 1 { "is" } else { "are" };
            Finding::ok(CHECK, format!("{} {are} the source's own", given.join(", ")))
        }
        false => Finding::cannot_know(
            CHECK,
            format!("whether {} exist, and let clients in, is not looked at", strangers.join(", ")),
        )
        .mend(format!(
            "aws ec2 describe-security-groups --group-ids {} --region {region}",
            strangers.join(" ")
        )),
    })
}
