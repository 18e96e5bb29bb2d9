//! What can be told before anything runs.

mod acl;
mod engine;
mod fit;
mod key;
mod memory;
mod network;
mod node_type;
mod parameters;
mod quota;
mod sizes;
mod source;

use std::collections::BTreeSet;

use serde_json::Value;

use self::source::Source;
use super::super::cluster::SERVICE;
use super::{Class, Cx, Env, Failure, Finding, Op, s3, split_s3_object_arn};
use crate::aws::found;

/// Looks at all that the arguments name, and holds it against the source where the plan tells which that is. `args` may
/// hold `null` where an output is referred to.
pub(super) async fn findings(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    if !args.is_object() {
        return Vec::new();
    }
    let mut findings = arguments(args);
    let source = Source::of(env, cx).await;
    let engine = engine::Engine::of(env, args).await;
    let (name, node_type, memory, quota, network, acl, parameters, key, buckets) = futures::join!(
        name(env, args),
        node_type::findings(env, args, &source),
        memory::findings(env, args, &source),
        quota::findings(env, args),
        network::findings(env, args, &source),
        acl::findings(env, args, &source),
        parameters::findings(env, args, &engine, &source),
        key::findings(env, args),
        buckets(env, args, cx),
    );
    findings.extend(name);
    findings.extend(node_type);
    findings.extend(memory);
    findings.extend(quota);
    findings.extend(network);
    findings.extend(acl);
    findings.extend(engine.findings(args, &source));
    findings.extend(parameters);
    findings.extend(key);
    findings.extend(buckets);
    findings
}

/// Nothing stands against the step, but applications will notice.
fn mind(check: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding::ok(check, what).mend(mend)
}

/// What a failed read says of the step: what is not there will be missed, everything else cannot be known.
fn unread(check: &'static str, failure: &Failure) -> Finding {
    match failure.class {
        Class::Fatal | Class::NotFound => Finding::of(check, failure),
        _ => Finding::cannot_know(check, failure.to_string())
            .mend(failure.mend.clone().unwrap_or_default()),
    }
}

fn number(args: &Value, name: &str, default: u64) -> Option<u64> {
    match args.get(name) {
        None => Some(default),
        Some(value) => value.as_u64(),
    }
}

fn arguments(args: &Value) -> Vec<Finding> {
    let faults = super::rules::faults(args).into_iter();
    let broken: Vec<Finding> = faults
        .map(|fault| {
            Finding::will_fail("target.arguments", fault.message, fault.mend.unwrap_or_default())
        })
        .collect();
    match broken.is_empty() {
        true => vec![Finding::ok("target.arguments", "the arguments fit one another")],
        false => broken,
    }
}

async fn name(env: &Env, args: &Value) -> Option<Finding> {
    let name = args["name"].as_str()?.to_ascii_lowercase();
    let client = &env.aws.memorydb;
    let look = || client.describe_clusters().cluster_name(&name).send();
    let answer = found(env.survey.ask(Op::read(SERVICE, "DescribeClusters"), look).await);
    let there = answer.map(|answer| answer.and_then(|answer| answer.clusters?.into_iter().next()));
    Some(match there {
        Err(failure) => unread("target.name", &failure),
        Ok(None) => {
            Finding::ok("target.name", format!("no MemoryDB cluster is called \"{name}\" yet"))
        }
        Ok(Some(cluster)) => {
            let status = cluster.status().unwrap_or("unknown");
            Finding::will_fail(
                "target.name",
                format!("a MemoryDB cluster \"{name}\" exists already; it is {status}"),
                format!(
                    "choose another `name` in the playbook; or, if nobody needs the cluster: aws memorydb delete-cluster \
                     --cluster-name {name} --region {}",
                    env.identity.region
                ),
            )
        }
    })
}

/// The buckets of files that are named outright; and of an export by an earlier step, whether MemoryDB is let in: the
/// export's own step says the rest.
async fn buckets(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
    let files = args["restore_from"].as_array().into_iter().flatten();
    let buckets: BTreeSet<&str> =
        files.filter_map(|arn| Some(split_s3_object_arn(arn.as_str()?)?.0)).collect();
    let looks = buckets.into_iter().map(|b| s3::bucket_findings(env, b, s3::Guest::MemoryDb, None));
    let mut findings: Vec<Finding> =
        futures::future::join_all(looks).await.into_iter().flatten().collect();
    if let Some((bucket, target)) = bucket_of_export(cx) {
        findings.extend(s3::bucket_lets_in(env, bucket, s3::Guest::MemoryDb, target).await);
    }
    findings
}

/// The bucket that the files to restore from are exported to by an earlier step, and what their keys begin with.
fn bucket_of_export(cx: &Cx) -> Option<(&str, Option<&str>)> {
    let args = &cx.around.upstream("elasticache.export_snapshot")?.args;
    Some((args["bucket"].as_str()?, args["target_name"].as_str()))
}
