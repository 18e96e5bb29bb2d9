//! Who calls, and what a call that is not allowed is answered.

use std::collections::BTreeMap;

use http::request::Parts;

use super::needs::{Permission, Refusal};
use super::policy::{Decision, Policy, decide};
use crate::context::{Ctx, lock};
use crate::wire::ApiError;

/// A caller that is held to policies. Whoever is not named may do everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The ARN that STS gives: `arn:aws:iam::123456789012:user/…` or `arn:aws:sts::123456789012:assumed-role/…/…`.
    pub arn: String,
    /// The user or role whose policies it has, where that does not follow from the ARN: a role with a path.
    pub principal: Option<String>,
    /// The access key it signs with; every key that no other caller has, if there is none.
    pub access_key: Option<String>,
    /// What it may do.
    pub policies: Vec<Policy>,
}

impl Caller {
    /// Everybody, under the sandbox's own name, held to these policies.
    #[must_use]
    pub fn everybody(account: &str, policies: Vec<Policy>) -> Self {
        Self {
            arn: format!("arn:aws:iam::{account}:user/sandbox"),
            principal: None,
            access_key: None,
            policies,
        }
    }

    /// The user or role whose policies the caller has: a session of a role has the role's.
    pub(super) fn principal(&self) -> String {
        self.principal.clone().unwrap_or_else(|| principal_of(&self.arn))
    }

    /// What these policies say to a permission.
    pub(super) fn decide(&self, permission: &Permission, ctx: &Ctx) -> Decision {
        let mut context: BTreeMap<_, _> = permission.context.clone();
        let mut know = |key: &str, value: &str| {
            context.entry(key.to_owned()).or_insert_with(|| vec![value.to_owned()]);
        };
        know("aws:principalarn", &self.principal());
        know("aws:principalaccount", ctx.account());
        know("aws:requestedregion", ctx.region());
        // AWS is reached over TLS; that the sandbox is not is of no interest to a policy.
        know("aws:securetransport", "true");
        decide(&self.policies, &permission.action, &permission.resource, &context)
    }
}

/// `arn:aws:sts::<account>:assumed-role/<role>/<session>` is a session of `arn:aws:iam::<account>:role/<role>`.
fn principal_of(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, "sts", _, account, resource] = parts.as_slice() else {
        return arn.to_owned();
    };
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, _] => format!("arn:{partition}:iam::{account}:role/{role}"),
        _ => arn.to_owned(),
    }
}

/// The caller that signed a request, if it is held to anything.
pub(crate) fn caller_of(ctx: &Ctx, parts: &Parts) -> Option<Caller> {
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let key = header
        .and_then(|header| header.split_once("Credential="))
        .and_then(|(_, rest)| rest.split('/').next());
    let callers = lock(ctx.callers());
    let named = callers
        .iter()
        .find(|caller| caller.access_key.is_some() && caller.access_key.as_deref() == key);
    named.or_else(|| callers.iter().find(|caller| caller.access_key.is_none())).cloned()
}

/// The ARN of a role by its name: with the path, where a caller has that role.
pub(crate) fn role_arn(ctx: &Ctx, name: &str) -> String {
    let callers = lock(ctx.callers());
    let mut known = callers.iter().map(Caller::principal);
    let of_name = |arn: &String| arn.contains(":role/") && arn.rsplit('/').next() == Some(name);
    known.find(of_name).unwrap_or_else(|| format!("arn:aws:iam::{}:role/{name}", ctx.account()))
}

/// The answer to a call that needs these permissions, if the caller lacks one.
pub(crate) fn refusal(
    ctx: &Ctx,
    caller: &Caller,
    service: &str,
    needs: &[Permission],
) -> Option<ApiError> {
    needs.iter().find_map(|permission| {
        let decision = caller.decide(permission, ctx);
        (decision != Decision::Allowed).then(|| refused(caller, service, permission, decision))
    })
}

fn refused(
    caller: &Caller,
    service: &str,
    permission: &Permission,
    decision: Decision,
) -> ApiError {
    let Permission { action, resource, refusal, .. } = permission;
    match refusal {
        Refusal::Denied => {}
        // The words of the ElastiCache user guide, "Exporting a backup", and of CopySnapshot in its API reference. That
        // they come as InvalidParameterValue is UNSURE: no source names the code.
        Refusal::BucketsUnlisted => {
            return ApiError::bad(
                "InvalidParameterValue",
                "Elasticache was unable to validate the authenticated user has access on the S3 bucket.",
            );
        }
        Refusal::BucketUnusable => {
            return ApiError::bad(
                "InvalidParameterValue",
                "The authenticated user does not have sufficient permissions to perform the desired activity.",
            );
        }
        // UNSURE: that the missing role shows as this fault, and not as a denial of iam:CreateServiceLinkedRole.
        Refusal::NoLinkedRole => {
            return ApiError::bad(
                "ServiceLinkedRoleNotFoundFault",
                "The service-linked role AWSServiceRoleForMemoryDB does not exist, and the caller may not create it.",
            );
        }
    }
    // "Troubleshoot access denied error messages", IAM user guide.
    let because = match decision {
        Decision::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        _ => format!("because no identity-based policy allows the {action} action"),
    };
    let arn = &caller.arn;
    let message = format!(
        "User: {arn} is not authorized to perform: {action} on resource: {resource} {because}"
    );
    match service {
        "memorydb" | "ssm" | "secretsmanager" | "kms" | "servicequotas" => {
            ApiError::bad("AccessDeniedException", message)
        }
        // SNS API reference, the errors of each operation.
        "sns" => ApiError::new(403, "AuthorizationError", message),
        _ => ApiError::new(403, "AccessDenied", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_a_role_has_the_role_s_policies() {
        for (arn, principal) in [
            ("arn:aws:sts::1:assumed-role/ops/me", "arn:aws:iam::1:role/ops"),
            ("arn:aws-cn:sts::1:assumed-role/ops/me", "arn:aws-cn:iam::1:role/ops"),
            ("arn:aws:iam::1:user/me", "arn:aws:iam::1:user/me"),
            ("arn:aws:sts::1:federated-user/me", "arn:aws:sts::1:federated-user/me"),
        ] {
            assert_eq!(principal_of(arn), principal);
        }
    }
}
