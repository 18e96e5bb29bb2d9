//! IAM's own JSON.

use serde_json::Value;

use super::bucket::BucketPolicy;
use super::policy::Policy;

/// The document; a list of documents where one is not enough.
#[must_use]
pub fn policy(policies: &[Policy]) -> String {
    one_or_many(policies.iter().map(Policy::json).collect())
}

/// The document of the bucket, or a mapping from buckets to documents where there are several.
#[must_use]
pub fn bucket(buckets: &[BucketPolicy]) -> String {
    match buckets {
        [only] => pretty(&only.policy.json()),
        many => pretty(&Value::Object(
            many.iter().map(|b| (b.bucket.clone(), b.policy.json())).collect(),
        )),
    }
}

fn one_or_many(mut documents: Vec<Value>) -> String {
    if documents.len() == 1 {
        pretty(&documents.remove(0))
    } else {
        pretty(&Value::Array(documents))
    }
}

pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
