//! Whether the caller may do what a plan needs, as the IAM policy simulator sees it.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};

use super::{Env, declared};
use crate::aws::{Op, call};
use crate::engine::{Class, Failure, Finding};
use crate::permissions::{Grant, Phases, Place, Policy, grants, policies};
use crate::plan::Plan;

const SERVICE: &str = "IAM";
const CHECK: &str = "caller.permissions";
/// Actions in one call. The IAM API reference names no limit; answers come in pages of at most 1,000 results.
const BATCH: usize = 50;

/// Asks the policy simulator about everything that the plan's steps need. It weighs the policies of the user or role, its
/// permissions boundary, and the organization's service control policies as far as they hold no conditions; neither
/// session policies nor policies of buckets and keys (IAM user guide, policy simulator).
pub async fn permissions_findings(env: &Env, plan: &Plan) -> Vec<Finding> {
    let who = &env.identity;
    let place = Place::new(Some(&who.region), Some(&who.account));
    let needed = grants(plan, &|kind| declared(kind), &place);
    if needed.is_empty() {
        return Vec::new();
    }
    let principal = match principal(&who.arn) {
        Principal::Root => {
            let what = "the root user may do everything that no service control policy forbids";
            return vec![Finding::ok(CHECK, what)];
        }
        Principal::Named(arn) => arn,
        Principal::Unknown => {
            let what = format!(
                "what {} may do: the policy simulator knows users and roles, not sessions of a federation",
                who.arn
            );
            return vec![Finding::cannot_know(CHECK, what).mend(by_hand(plan))];
        }
    };
    match judged(env, &principal, &needed).await {
        Ok((principal, verdicts)) => told(&principal, &needed, &verdicts),
        Err(failure) => {
            let mend = match failure.class {
                Class::Denied => format!(
                    "allow the caller iam:SimulatePrincipalPolicy on {principal}, or make sure otherwise that it may do \
                     what the steps need: {}",
                    by_hand(plan)
                ),
                _ => by_hand(plan),
            };
            let what = format!("whether the caller may do what the steps need: {failure}");
            vec![Finding::cannot_know(CHECK, what).mend(mend)]
        }
    }
}

fn by_hand(plan: &Plan) -> String {
    format!(
        "`orchestrate iam` with playbook {} and the same inputs prints the policy it needs",
        plan.playbook
    )
}

enum Principal {
    Root,
    Named(String),
    Unknown,
}

/// The simulator takes users and roles; a session of a role stands for the role (IAM API reference,
/// SimulatePrincipalPolicy).
fn principal(arn: &str) -> Principal {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service, _, account, resource] = parts.as_slice() else {
        return Principal::Unknown;
    };
    let hops: Vec<&str> = resource.split('/').collect();
    match (*service, hops.as_slice()) {
        ("iam", ["root"]) => Principal::Root,
        ("iam", ["user" | "role", ..]) => Principal::Named(arn.to_owned()),
        ("sts", ["assumed-role", role, _]) => {
            Principal::Named(format!("arn:{partition}:iam::{account}:role/{role}"))
        }
        _ => Principal::Unknown,
    }
}

/// What the simulator says of an action on a resource.
#[derive(Clone, Debug)]
struct Verdict {
    decision: PolicyEvaluationDecisionType,
    /// The boundary or the organization stands against it.
    outside: Option<&'static str>,
    /// Condition keys whose values it lacked.
    missing: Vec<String>,
}

type Verdicts = BTreeMap<(String, String), Verdict>;

/// Every verdict, and the principal they are about: a role with a path is found by its name first.
async fn judged(
    env: &Env,
    principal: &str,
    needed: &[Grant],
) -> Result<(String, Verdicts), Failure> {
    match simulate(env, principal, needed).await {
        Err(failure)
            if failure.class == Class::NotFound || failure.code() == Some("NoSuchEntity") =>
        {
            let Some((_, name)) = principal.split_once(":role/") else { return Err(failure) };
            let request = env.aws.iam.get_role().role_name(name);
            let role = call(Op::read(SERVICE, "GetRole"), request.send()).await?;
            let arn = role.role().map(|role| role.arn().to_owned()).unwrap_or_default();
            let verdicts = simulate(env, &arn, needed).await?;
            Ok((arn, verdicts))
        }
        verdicts => Ok((principal.to_owned(), verdicts?)),
    }
}

/// Actions on the same resources under the same conditions are asked about in one call; all calls at once.
async fn simulate(env: &Env, principal: &str, needed: &[Grant]) -> Result<Verdicts, Failure> {
    let mut by_resource: BTreeMap<(&str, &Vec<_>), Vec<&str>> = BTreeMap::new();
    for grant in needed {
        by_resource.entry((&grant.example, &grant.given)).or_default().push(&grant.action);
    }
    let mut batches: BTreeMap<(Vec<&str>, &Vec<_>), Vec<&str>> = BTreeMap::new();
    for ((resource, given), actions) in by_resource {
        for actions in actions.chunks(BATCH) {
            batches.entry((actions.to_vec(), given)).or_default().push(resource);
        }
    }
    // The simulator calls a value missing that any statement of the policies asks for, so all that are known go along.
    let known: Vec<_> = needed.iter().flat_map(|grant| &grant.given).collect();
    let asked = batches.into_iter().map(|((actions, given), resources)| {
        let mut context = given.clone();
        for other in &known {
            if !context.iter().any(|(_, key, _)| *key == other.1) {
                context.push((*other).clone());
            }
        }
        batch(env, principal, actions, resources, context)
    });
    let answers = futures::future::join_all(asked).await;
    let mut verdicts = Verdicts::new();
    for answer in answers {
        verdicts.extend(answer?);
    }
    Ok(verdicts)
}

async fn batch(
    env: &Env,
    principal: &str,
    actions: Vec<&str>,
    resources: Vec<&str>,
    given: Vec<(String, String, Vec<String>)>,
) -> Result<Verdicts, Failure> {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let context = given.into_iter().map(|(operator, key, values)| {
        let kind = match operator.contains(':') {
            true => ContextKeyTypeEnum::StringList,
            false => ContextKeyTypeEnum::String,
        };
        ContextEntry::builder()
            .context_key_name(key)
            .set_context_key_values(Some(values))
            .context_key_type(kind)
            .build()
    });
    let context: Vec<_> = context.collect();
    let mut verdicts = Verdicts::new();
    let mut marker = None;
    loop {
        let request = env
            .aws
            .iam
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(texts(&actions)))
            .set_resource_arns(Some(texts(&resources)))
            .set_context_entries(Some(context.clone()).filter(|context| !context.is_empty()))
            .max_items(1_000)
            .set_marker(marker.take());
        let answer = call(Op::read(SERVICE, "SimulatePrincipalPolicy"), request.send()).await?;
        for result in answer.evaluation_results() {
            let organization = result
                .organizations_decision_detail()
                .is_some_and(|detail| !detail.allowed_by_organizations());
            let boundary = result
                .permissions_boundary_decision_detail()
                .is_some_and(|detail| !detail.allowed_by_permissions_boundary());
            let outside = match (organization, boundary) {
                (true, _) => Some("a service control policy of the organization"),
                (false, true) => Some("its permissions boundary"),
                (false, false) => None,
            };
            let of =
                |resource: &str, decision: &PolicyEvaluationDecisionType, missing: &[String]| {
                    let key = (result.eval_action_name().to_owned(), resource.to_owned());
                    let verdict =
                        Verdict { decision: decision.clone(), outside, missing: missing.to_vec() };
                    (key, verdict)
                };
            let specific = result.resource_specific_results();
            if specific.is_empty() {
                let resource = result.eval_resource_name().unwrap_or("*");
                let missing = result.missing_context_values();
                verdicts.extend([of(resource, result.eval_decision(), missing)]);
            }
            verdicts.extend(specific.iter().map(|one| {
                of(
                    one.eval_resource_name(),
                    one.eval_resource_decision(),
                    one.missing_context_values(),
                )
            }));
        }
        marker = answer.marker().map(str::to_owned).filter(|_| answer.is_truncated());
        if marker.is_none() {
            return Ok(verdicts);
        }
    }
}

/// A finding for each action that is not allowed everywhere; one for all, if every action is.
fn told(principal: &str, needed: &[Grant], verdicts: &Verdicts) -> Vec<Finding> {
    let mut refused: Vec<(&Grant, Option<&Verdict>)> = Vec::new();
    for grant in needed {
        let verdict = verdicts.get(&(grant.action.clone(), grant.example.clone()));
        if verdict.is_none_or(|v| v.decision != PolicyEvaluationDecisionType::Allowed) {
            refused.push((grant, verdict));
        }
    }
    let mut findings = Vec::new();
    while let Some((first, verdict)) = refused.first().copied() {
        let same = |(grant, other): &(&Grant, Option<&Verdict>)| {
            grant.action == first.action
                && grant.helps == first.helps
                && grant.telling == first.telling
                && standing(*other) == standing(verdict)
        };
        let (of_one, rest): (Vec<_>, Vec<_>) = refused.iter().copied().partition(same);
        let of_one: Vec<Grant> = of_one.into_iter().map(|(grant, _)| grant.clone()).collect();
        findings.push(refusal(principal, &of_one, verdict));
        refused = rest;
    }
    if findings.is_empty() {
        let mut actions: Vec<&str> = needed.iter().map(|grant| grant.action.as_str()).collect();
        actions.sort_unstable();
        actions.dedup();
        findings.push(Finding::ok(
            CHECK,
            format!(
                "the policy simulator allows {principal} all {} actions that the steps need; it does not weigh session \
                 policies, policies of buckets and keys, or service control policies with conditions",
                actions.len()
            ),
        ));
    }
    findings
}

/// How it stands, in short, so that what stands alike is told together.
fn standing(verdict: Option<&Verdict>) -> (bool, Option<&'static str>, bool) {
    let explicit =
        verdict.is_some_and(|v| v.decision == PolicyEvaluationDecisionType::ExplicitDeny);
    (explicit, verdict.and_then(|v| v.outside), verdict.is_some_and(|v| !v.missing.is_empty()))
}

fn refusal(principal: &str, grants: &[Grant], verdict: Option<&Verdict>) -> Finding {
    let action = &grants[0].action;
    let resources: Vec<&str> = grants.iter().map(|grant| grant.resource.as_str()).collect();
    let mut steps: Vec<&str> = grants.iter().flat_map(|g| &g.steps).map(String::as_str).collect();
    steps.sort_unstable();
    steps.dedup();
    let whose = if grants.iter().all(|grant| grant.phases == Phases::UNDO) {
        format!("the rollback of {}", steps.join(", "))
    } else {
        steps.join(", ")
    };
    let what = format!("{action} on {} ({whose})", resources.join(", "));
    let statement = || {
        policies(grants, Vec::new()).first().map_or_else(String::new, |Policy { statements }| {
            statements.iter().map(|s| s.json().to_string()).collect::<Vec<_>>().join(", ")
        })
    };
    let add = || format!("add to a policy of {principal}: {}", statement());
    let Some(verdict) = verdict else {
        let what = format!("the policy simulator does not answer for {what}");
        return Finding::cannot_know(CHECK, what).mend(add());
    };
    if let Some(without) = grants[0].helps {
        let what = format!("{principal} may not do {what}; without it, {without}");
        return Finding::cannot_know(CHECK, what).mend(add());
    }
    if let Some(outside) = verdict.outside {
        let what = format!("{outside} does not allow {principal} {what}");
        let mend = format!(
            "have whoever is in charge of {outside} allow {action}; no policy of your own can"
        );
        return Finding::will_fail(CHECK, what, mend);
    }
    if verdict.decision == PolicyEvaluationDecisionType::ExplicitDeny {
        let what = format!("a policy denies {principal} {what}");
        let mend =
            format!("find the Deny statement that matches {action} and take this case out of it");
        return Finding::will_fail(CHECK, what, mend);
    }
    if !verdict.missing.is_empty() {
        let keys = verdict.missing.join(", ");
        let what =
            format!("whether {principal} may do {what}: its policies have conditions on {keys}");
        return Finding::cannot_know(CHECK, what).mend(add());
    }
    if !grants.iter().all(|grant| grant.telling) {
        let what = format!(
            "whether {principal} may do {what}: the names are known when the run gets there, and its policies do not \
             allow it on every one"
        );
        return Finding::cannot_know(CHECK, what).mend(add());
    }
    Finding::will_fail(CHECK, format!("no policy allows {principal} {what}"), add())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_asked_about_as_its_role() {
        let named = |arn: &str| match principal(arn) {
            Principal::Named(arn) => arn,
            Principal::Root => "root".to_owned(),
            Principal::Unknown => "unknown".to_owned(),
        };
        for (arn, expected) in [
            ("arn:aws:iam::1:user/team/me", "arn:aws:iam::1:user/team/me"),
            ("arn:aws:sts::1:assumed-role/ops/me", "arn:aws:iam::1:role/ops"),
            ("arn:aws:iam::1:root", "root"),
            ("arn:aws:sts::1:federated-user/me", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(named(arn), expected, "{arn}");
        }
    }
}
