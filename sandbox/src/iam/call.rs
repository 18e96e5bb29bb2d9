//! The IAM service: the policy simulator, which answers from the same evaluation as every call is held to.

use std::collections::BTreeMap;

use super::caller::Caller;
use super::needs::Permission;
use super::policy::Decision;
use crate::context::{Ctx, lock};
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

/// Answers one action.
pub(crate) fn call(ctx: &Ctx, action: &str, params: &Params) -> Result<Xml, ApiError> {
    match action {
        "SimulatePrincipalPolicy" => simulate(ctx, params),
        "GetRole" => role(ctx, params),
        other => Err(ApiError::unknown_operation(other)),
    }
}

/// SimulatePrincipalPolicy: every action on every resource. Whoever is held to no policy may do everything.
fn simulate(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let source = params.need("PolicySourceArn")?;
    let actions = params.list("ActionNames");
    if actions.is_empty() {
        return Err(ApiError::bad("ValidationError", "ActionNames must have at least one member."));
    }
    // A user, a group or a role; not a session (IAM API reference, SimulatePrincipalPolicy).
    let resource = source.splitn(6, ':').nth(5).unwrap_or_default();
    if !source.contains(":iam:")
        || !["user/", "role/", "group/"].iter().any(|kind| resource.starts_with(kind))
    {
        return Err(ApiError::bad("InvalidInput", format!("Invalid Entity Arn: {source}")));
    }
    let callers = lock(ctx.callers()).clone();
    let caller = callers.iter().find(|caller| caller.principal() == source).cloned();
    // Of roles the sandbox knows those of its callers; where it has none, every principal may do everything.
    if caller.is_none() && !callers.is_empty() {
        return Err(ApiError::missing(
            "NoSuchEntity",
            format!("The principal {source} cannot be found."),
        ));
    }
    let mut resources = params.list("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let context = context(params);
    let mut results = Vec::new();
    for action in &actions {
        for resource in &resources {
            let permission = Permission::of(action, resource).given(context.clone());
            results.push(result(ctx, caller.as_ref(), &permission));
        }
    }
    let size = params.number("MaxItems")?.unwrap_or(100).clamp(1, 1000);
    let Some((page, next)) = names::page(results, params.get("Marker"), size as usize) else {
        return Err(ApiError::bad("InvalidInput", "The marker is not valid."));
    };
    Ok(Xml::new("Result")
        .list("EvaluationResults", page)
        .show("IsTruncated", next.is_some())
        .maybe("Marker", next))
}

/// GetRole: a session's name for its role leaves out the path, and this one tells it. Where nobody is held to policies, every
/// role is there, as every principal may do everything.
fn role(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let name = params.need("RoleName")?;
    let callers = lock(ctx.callers());
    let of_name = |arn: &String| arn.contains(":role/") && arn.rsplit('/').next() == Some(name);
    let anybody = callers.is_empty().then(|| format!("arn:aws:iam::{}:role/{name}", ctx.account()));
    let arn = callers.iter().map(Caller::principal).find(of_name).or(anybody).ok_or_else(|| {
        ApiError::missing("NoSuchEntity", format!("The role with name {name} cannot be found."))
    })?;
    let path = arn.split_once(":role").and_then(|(_, path)| path.strip_suffix(name)).unwrap_or("/");
    let role = Xml::new("Role")
        .text("Path", path)
        .text("RoleName", name)
        .text("RoleId", "AROASANDBOXOPERATOR00")
        .text("Arn", &arn)
        .time("CreateDate", ctx.now);
    Ok(Xml::new("Result").child(role))
}

fn result(ctx: &Ctx, caller: Option<&Caller>, permission: &Permission) -> Xml {
    let decision = caller.map_or(Decision::Allowed, |caller| caller.decide(permission, ctx));
    let decision = match decision {
        Decision::Allowed => "allowed",
        Decision::Implicit => "implicitDeny",
        Decision::Explicit => "explicitDeny",
    };
    let policies = caller.into_iter().flat_map(|caller| &caller.policies);
    let missing = policies
        .flat_map(|policy| policy.keys())
        .filter(|key| !key.starts_with("aws:") && !permission.context.contains_key(*key))
        .map(str::to_owned)
        .collect::<std::collections::BTreeSet<_>>();
    Xml::new("member")
        .text("EvalActionName", &permission.action)
        .text("EvalResourceName", &permission.resource)
        .text("EvalDecision", decision)
        .list("MatchedStatements", [])
        .values("MissingContextValues", "member", missing)
}

/// `ContextEntries.member.N.ContextKeyName` and its values.
fn context(params: &Params) -> BTreeMap<String, Vec<String>> {
    let mut context = BTreeMap::new();
    for index in 1.. {
        let entry = format!("ContextEntries.member.{index}");
        let Some(key) = params.get(&format!("{entry}.ContextKeyName")) else { break };
        let value = |number: usize| {
            params.get(&format!("{entry}.ContextKeyValues.member.{number}")).map(str::to_owned)
        };
        context.insert(key.to_ascii_lowercase(), (1..).map_while(value).collect());
    }
    context
}
