//! CloudFormation templates, as JSON.

use serde_json::{Map, Value, json};

use super::bucket::BucketPolicy;
use super::json::pretty;
use super::policy::Policy;

/// `AWS::IAM::ManagedPolicy`. It gets no name, so that the stack needs CAPABILITY_IAM only.
#[must_use]
pub fn policy(playbook: &str, policies: &[Policy]) -> String {
    let about = format!("What orchestrate needs to run the playbook {playbook}");
    let resources = policies.iter().enumerate().map(|(index, policy)| {
        let resource = json!({
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": { "Description": about, "PolicyDocument": policy.json() },
        });
        (numbered("OrchestratePolicy", index), resource)
    });
    template(&about, resources.collect())
}

/// `AWS::S3::BucketPolicy`.
#[must_use]
pub fn bucket(buckets: &[BucketPolicy]) -> String {
    let resources = buckets.iter().enumerate().map(|(index, BucketPolicy { bucket, policy })| {
        let resource = json!({
            "Type": "AWS::S3::BucketPolicy",
            "Properties": { "Bucket": bucket, "PolicyDocument": policy.json() },
        });
        (numbered("HandOffBucketPolicy", index), resource)
    });
    let about = "Lets the snapshot services into the bucket that exports go through";
    template(about, resources.collect())
}

fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}{}", index + 1) }
}

fn template(description: &str, resources: Map<String, Value>) -> String {
    pretty(&json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Resources": resources,
    }))
}
