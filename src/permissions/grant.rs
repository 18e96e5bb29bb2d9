//! What a plan needs: each action on each resource once.

use serde::Serialize;

use super::action::{Action, Foreseen, Guest, Phases};
use super::place::Place;
use super::resolve::{arguments, arn, fill, is_given};
use super::text::{covers, example, written};
use crate::plan::Plan;

/// What a kind declares.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its permissions.
    pub actions: &'static [Action],
    /// What its outputs will look like.
    pub outputs: &'static [Foreseen],
    /// Which services it lets into a bucket.
    pub guests: &'static [Guest],
}

/// What the guards of a plan are called, as a kind and where steps are named.
const GUARDS: &str = "guards";

/// What a kind of this name declares.
pub type Declared<'a> = dyn Fn(&str) -> Option<Kind> + 'a;

/// One action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// "elasticache:CreateSnapshot".
    pub action: String,
    /// An ARN, with wildcards where only the run knows the name; or `*`.
    pub resource: String,
    /// Operator, key and values of each condition.
    pub given: Vec<(String, String, Vec<String>)>,
    /// When it is needed.
    pub phases: Phases,
    /// The steps that need it.
    pub steps: Vec<String>,
    /// What its lack means, where the steps can do without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helps: Option<&'static str>,
    /// A resource that the pattern stands for.
    #[serde(skip)]
    pub example: String,
    /// Whether a policy that judges the example judges all that the pattern stands for.
    #[serde(skip)]
    pub telling: bool,
}

/// Actions that know no resources: a policy allows them on `*` or not at all (service authorization reference). Of the
/// others on `*`, a policy may allow just what the run will name.
const WITHOUT_RESOURCES: [&str; 4] = [
    "cloudwatch:GetMetricData",
    "memorydb:DescribeEngineVersions",
    "s3:ListAllMyBuckets",
    "ssm:DescribeParameters",
];

/// Everything that the steps of a plan need, in their order. What a wider grant of the same action covers is left out.
#[must_use]
pub fn grants(plan: &Plan, declared: &Declared<'_>, place: &Place) -> Vec<Grant> {
    let mut found: Vec<Grant> = Vec::new();
    let steps = plan.steps().map(|step| {
        let args = arguments(plan, step, declared);
        (step.id.as_str(), step.kind.as_str(), args)
    });
    let guards = plan.guards.iter().map(|guard| (GUARDS, GUARDS, guard.clone()));
    for (id, kind, args) in steps.chain(guards) {
        let Some(kind) = declared(kind) else { continue };
        let given = |path: Option<&str>| path.map(|path| is_given(path, &args));
        for action in kind.actions {
            if given(action.when) == Some(false) || given(action.unless) == Some(true) {
                continue;
            }
            for resource in fill(action.resource, &args) {
                let Some(resource) = arn(action.service(), &resource, place) else { continue };
                let given = action.given.iter().map(|given| {
                    let values = given.values.iter().flat_map(|value| fill(value, &args));
                    let values = values.map(|value| written(&value)).collect();
                    (given.operator.to_owned(), given.key.to_owned(), values)
                });
                let given = given.collect();
                let (example, telling) = match written(&resource).as_str() {
                    "*" if WITHOUT_RESOURCES.contains(&action.name) => ("*".to_owned(), true),
                    _ => example(&resource),
                };
                let grant = Grant {
                    action: action.name.to_owned(),
                    resource: written(&resource),
                    given,
                    phases: action.phases,
                    steps: vec![id.to_owned()],
                    helps: action.helps,
                    example,
                    telling,
                };
                add(&mut found, grant);
            }
        }
    }
    found
}

/// Takes a grant in: the wider of two stays, and stands for the steps of both.
fn add(found: &mut Vec<Grant>, mut new: Grant) {
    let merge = |wide: &mut Grant, narrow: &Grant| {
        wide.phases = wide.phases.and(narrow.phases);
        if narrow.helps.is_none() {
            wide.helps = None;
        }
        for step in &narrow.steps {
            if !wide.steps.contains(step) {
                wide.steps.push(step.clone());
            }
        }
    };
    if let Some(wide) = found.iter_mut().find(|wide| wide.covers(&new)) {
        merge(wide, &new);
        return;
    }
    let mut at = None;
    for index in (0..found.len()).rev() {
        if new.covers(&found[index]) {
            let narrow = found.remove(index);
            merge(&mut new, &narrow);
            at = Some(index);
        }
    }
    found.insert(at.unwrap_or(found.len()), new);
}

impl Grant {
    fn covers(&self, other: &Self) -> bool {
        self.action == other.action
            && (self.given.is_empty() || self.given == other.given)
            && covers(&self.resource, &other.resource)
    }

    /// "elasticache".
    #[must_use]
    pub fn service(&self) -> &str {
        self.action.split(':').next().unwrap_or_default()
    }

    /// Whether it only reads.
    #[must_use]
    pub fn reads(&self) -> bool {
        let name = self.action.split(':').nth(1).unwrap_or_default();
        ["Describe", "Get", "List", "Simulate"].iter().any(|verb| name.starts_with(verb))
    }
}
