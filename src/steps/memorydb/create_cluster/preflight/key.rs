//! The KMS key.

use aws_sdk_kms::types::KeyMetadata;
use serde_json::Value;

use super::super::{Class, Env, Finding, Op};
use super::unread;

const CHECK: &str = "target.kms";

pub(super) async fn findings(env: &Env, args: &Value) -> Option<Finding> {
    let named = args["kms_key"].as_str().filter(|key| !key.is_empty())?;
    let region = &env.identity.region;
    // The region stands in the ARN of a key; MemoryDB takes keys of its own region only.
    if let Some(place) = named.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2))
        && place != region
    {
        return Some(Finding::will_fail(
            CHECK,
            format!("KMS key {named} is in {place}, and the cluster is to be in {region}"),
            format!("name a key of {region}: aws kms list-aliases --region {region}"),
        ));
    }
    let client = &env.aws.kms;
    let look = || client.describe_key().key_id(named).send();
    Some(match env.survey.ask(Op::read("KMS", "DescribeKey"), look).await {
        Err(failure) if failure.class == Class::NotFound => Finding::will_fail(
            CHECK,
            format!("there is no KMS key {named} in {region}"),
            format!("name a key of {region}: aws kms list-aliases --region {region}"),
        ),
        Err(failure) => unread(CHECK, &failure),
        Ok(answer) => match answer.key_metadata() {
            Some(key) => state(key, named, region),
            None => Finding::cannot_know(CHECK, format!("KMS tells nothing of key {named}")),
        },
    })
}

/// KMS developer guide, key states. MemoryDB encrypts with symmetric keys (developer guide, encryption at rest).
fn state(key: &KeyMetadata, named: &str, region: &str) -> Finding {
    let id = key.key_id();
    let state = key.key_state().map_or("unknown", |state| state.as_str());
    let spec = key.key_spec().map_or("SYMMETRIC_DEFAULT", |spec| spec.as_str());
    let usage = key.key_usage().map_or("ENCRYPT_DECRYPT", |usage| usage.as_str());
    let finding = if spec != "SYMMETRIC_DEFAULT" || usage != "ENCRYPT_DECRYPT" {
        Finding::will_fail(
            CHECK,
            format!(
                "KMS key {named} is {spec} for {usage}; a cluster needs a symmetric key that encrypts"
            ),
            format!("aws kms create-key --region {region}, or name another key"),
        )
    } else {
        let fails = |mend: String| {
            Finding::will_fail(
                CHECK,
                format!("KMS key {named} is not enabled: it is {state}"),
                mend,
            )
        };
        let enable = format!("aws kms enable-key --key-id {id} --region {region}");
        match state {
            "Enabled" => Finding::ok(CHECK, format!("KMS key {named} is enabled and symmetric")),
            "Disabled" => fails(enable),
            "PendingDeletion" | "PendingReplicaDeletion" => fails(format!(
                "aws kms cancel-key-deletion --key-id {id} --region {region}, then {enable}"
            )),
            "Creating" | "Updating" => {
                Finding::cannot_know(CHECK, format!("KMS key {named} is {state}"))
                    .mend("wait until it is enabled")
            }
            _ => fails("name another key".to_owned()),
        }
    };
    finding.seen("key", id).seen("state", state)
}
