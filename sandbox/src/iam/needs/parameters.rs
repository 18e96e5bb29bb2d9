//! Parameter Store and Secrets Manager.

use super::{Asked, Permission, key_arn};
use crate::context::Ctx;

pub(super) fn ssm(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let on = |resource: String| Permission::of(&asked.action(), &resource);
    let parameter = |name: &str| parameter_arn(ctx, name);
    let named = |member: &str| parameter(asked.text(member).unwrap_or("*"));
    let mut needs = match asked.operation {
        "GetParameter"
        | "GetParameterHistory"
        | "PutParameter"
        | "DeleteParameter"
        | "LabelParameterVersion"
        | "UnlabelParameterVersion" => vec![on(named("Name"))],
        "GetParameters" | "DeleteParameters" => {
            asked.texts("Names").iter().map(|name| on(parameter(name))).collect()
        }
        "GetParametersByPath" => vec![on(named("Path"))],
        // No resource of its own: the account's ARN, as its error messages show.
        "DescribeParameters" => {
            vec![on(format!("arn:aws:ssm:{}:{}:*", ctx.region(), ctx.account()))]
        }
        "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => {
            vec![on(named("ResourceId"))]
        }
        _ => return None,
    };
    if asked.operation == "PutParameter" && asked.tags() {
        needs.push(Permission::of("ssm:AddTagsToResource", &named("Name")));
    }
    if let Some(key) = customer_key(ctx, asked) {
        // Parameter Store encrypts standard parameters with Encrypt, advanced ones with GenerateDataKey ("How AWS
        // Systems Manager Parameter Store uses AWS KMS"). The AWS managed key asks for no permission of the caller.
        let advanced = asked.text("Tier") == Some("Advanced");
        let action = match asked.operation {
            "PutParameter" if advanced => "kms:GenerateDataKey",
            "PutParameter" => "kms:Encrypt",
            _ => "kms:Decrypt",
        };
        needs.push(Permission::of(action, &key_arn(ctx, &key)));
    }
    Some(needs)
}

/// The name without its leading slash; a version or label that was asked for is no part of the resource. UNSURE: no page
/// says so, and a policy on `parameter/name` is what all of its examples of versions use.
fn parameter_arn(ctx: &Ctx, asked: &str) -> String {
    let name = crate::ssm::plain_name(asked);
    let name = name.split(':').next().unwrap_or(name).trim_start_matches('/');
    format!("arn:aws:ssm:{}:{}:parameter/{name}", ctx.region(), ctx.account())
}

/// The customer's key that a call encrypts or decrypts with.
fn customer_key(ctx: &Ctx, asked: &Asked<'_>) -> Option<String> {
    let key = match asked.operation {
        "PutParameter" if asked.text("Type") == Some("SecureString") => {
            asked.text("KeyId").map(str::to_owned)
        }
        "GetParameter" if asked.json?["WithDecryption"].as_bool() == Some(true) => {
            ctx.world().ssm.key_of(asked.text("Name")?)
        }
        _ => None,
    };
    key.filter(|key| !key.ends_with("alias/aws/ssm"))
}

pub(super) fn secrets(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let on = |resource: &str| Permission::of(&asked.action(), resource);
    let prefix = format!("arn:aws:secretsmanager:{}:{}:secret:", ctx.region(), ctx.account());
    let mut needs = match asked.operation {
        "ListSecrets" | "GetRandomPassword" => vec![on("*")],
        // A secret that is not there has no suffix yet; what is asked for then is UNSURE.
        "CreateSecret" => vec![on(&format!("{prefix}{}", asked.text("Name").unwrap_or("*")))],
        "DescribeSecret"
        | "DeleteSecret"
        | "RestoreSecret"
        | "RotateSecret"
        | "CancelRotateSecret"
        | "TagResource"
        | "UntagResource"
        | "GetSecretValue"
        | "PutSecretValue"
        | "ListSecretVersionIds"
        | "UpdateSecretVersionStage" => {
            let id = asked.text("SecretId").unwrap_or("*");
            let arn = ctx.world().secretsmanager.arn_of(id);
            let missing = || match id.starts_with("arn:") {
                true => id.to_owned(),
                false => format!("{prefix}{id}"),
            };
            vec![on(&arn.unwrap_or_else(missing))]
        }
        _ => return None,
    };
    if asked.operation == "CreateSecret" && asked.tags() {
        let resource = needs[0].resource.clone();
        needs.push(Permission::of("secretsmanager:TagResource", &resource));
    }
    Some(needs)
}
