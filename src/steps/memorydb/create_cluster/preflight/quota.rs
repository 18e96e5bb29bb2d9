//! How many nodes there may be.

use serde_json::Value;

use super::super::super::cluster::SERVICE;
use super::super::{Env, Failure, Finding, Op};
use super::number;
use crate::steps::redis::counted;

const IN_CLUSTER: &str = "target.quota.nodes_per_cluster";
const IN_REGION: &str = "target.quota.nodes_per_region";

/// A quota.
struct Quota {
    value: u64,
    /// Its code in Service Quotas, if it was read there.
    code: Option<String>,
    /// Where the value comes from.
    from: String,
}

/// Both quotas. Service Quotas tells what is in force in this account.
pub(super) async fn findings(env: &Env, args: &Value) -> Vec<Finding> {
    let (Some(shards), Some(replicas)) =
        (number(args, "shards", 1), number(args, "replicas_per_shard", 1))
    else {
        return Vec::new();
    };
    let wanted = shards.saturating_mul(replicas.saturating_add(1));
    let (in_use, quotas) = futures::join!(nodes_in_use(env), quotas(env));
    let [in_cluster, in_region] = quotas;
    let asked = format!("{shards} × {} are {wanted}", counted(replicas + 1, "node", "nodes"));
    let raise = |quota: &Quota, to: u64| {
        let region = &env.identity.region;
        match &quota.code {
            Some(code) => format!(
                "aws service-quotas request-service-quota-increase --service-code memorydb --quota-code {code} \
                 --desired-value {to} --region {region}"
            ),
            None => "have it raised (Service Quotas, MemoryDB)".to_owned(),
        }
    };
    let fits = wanted <= in_cluster.value;
    let what = format!("{asked}; one cluster may have {} ({})", in_cluster.value, in_cluster.from);
    let cluster = match fits {
        true => Finding::ok(IN_CLUSTER, what),
        false => Finding::will_fail(
            IN_CLUSTER,
            what,
            format!(
                "set fewer `shards` or `replicas_per_shard`, or {}",
                raise(&in_cluster, wanted)
            ),
        ),
    };
    let region = match in_use {
        Err(failure) => Finding::cannot_know(
            IN_REGION,
            format!("{asked}; how many are in use cannot be counted: {failure}"),
        ),
        Ok(in_use) => {
            let sum = in_use.saturating_add(wanted);
            let what = format!(
                "{asked}, and {in_use} are in use; the region may have {} ({})",
                in_region.value, in_region.from
            );
            match sum <= in_region.value {
                true => Finding::ok(IN_REGION, what),
                false => Finding::will_fail(
                    IN_REGION,
                    what,
                    format!(
                        "delete clusters that nobody needs, set fewer `shards` or `replicas_per_shard`, or {}",
                        raise(&in_region, sum)
                    ),
                ),
            }
        }
    };
    vec![cluster.seen("quota", in_cluster.value), region.seen("quota", in_region.value)]
}

/// Nodes of all clusters in the region.
async fn nodes_in_use(env: &Env) -> Result<u64, Failure> {
    let client = &env.aws.memorydb;
    let (mut nodes, mut token) = (0_u64, None);
    loop {
        let request = || {
            let request = client.describe_clusters().show_shard_details(true);
            request.set_next_token(token.clone()).send()
        };
        let answer = env.survey.ask(Op::read(SERVICE, "DescribeClusters"), request).await?;
        for cluster in answer.clusters() {
            let shards = cluster.shards().iter();
            let counted: i32 = shards.map(|shard| shard.number_of_nodes().unwrap_or(1)).sum();
            // A cluster that is being created shows no shards yet; each has one node at least.
            let counted = counted.max(cluster.number_of_shards().unwrap_or_default());
            nodes += u64::try_from(counted).unwrap_or_default();
        }
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(nodes);
        }
    }
}

/// Nodes in a cluster and in the region: by Service Quotas, whose names are those of the developer guide, or as the guide
/// gives them.
async fn quotas(env: &Env) -> [Quota; 2] {
    let documented = |value, why: &str| Quota {
        value,
        code: None,
        from: format!("the documented default: {why}"),
    };
    let listed = listed(env).await;
    let quota = |begins: &str, default| match &listed {
        Err(failure) => {
            documented(default, &format!("Service Quotas could not be read: {failure}"))
        }
        Ok(listed) => {
            let named = |(name, _, _): &&(String, String, u64)| {
                name.to_ascii_lowercase().starts_with(begins)
            };
            match listed.iter().find(named) {
                Some((_, code, value)) => Quota {
                    value: *value,
                    code: Some(code.clone()),
                    from: "Service Quotas".to_owned(),
                },
                None => documented(default, "Service Quotas does not list it"),
            }
        }
    };
    [quota("nodes per cluster", 90), quota("nodes per region", 300)]
}

async fn listed(env: &Env) -> Result<Vec<(String, String, u64)>, Failure> {
    let client = &env.aws.servicequotas;
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let request = || {
            let request = client.list_service_quotas().service_code("memorydb");
            request.set_next_token(token.clone()).send()
        };
        let op = Op::read("Service Quotas", "ListServiceQuotas");
        let answer = env.survey.ask(op, request).await?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of nodes; a negative one is none"
        )]
        let quota = |quota: aws_sdk_servicequotas::types::ServiceQuota| {
            Some((quota.quota_name?, quota.quota_code?, quota.value?.max(0.0) as u64))
        };
        all.extend(answer.quotas.unwrap_or_default().into_iter().filter_map(quota));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}
