//! What a plan costs, with the size and the price of the source where they can be read.

use super::account::Account;
use super::priced::old;
use super::view::{needs, timeline_after};
use crate::cost::{
    Engine, Mode, NodeType, PlanCost, Prices, Purchase, Quantity, Service, Shape, StepCosts,
    gigabytes, of_plan,
};
use crate::engine::Finding;
use crate::plan::Plan;
use crate::steps::{Cargo, Need, all};
use crate::survey::Group;

/// What is to be known of the source for that.
pub(crate) struct Source {
    shape: Option<Shape>,
    cargo: Cargo,
}

/// Reads the source. What cannot be read is left out.
pub(crate) async fn source(plan: &Plan, account: &Account) -> Source {
    let source = needs(plan, &all()).into_iter().find_map(|need| match need {
        Need::ReplicationGroup(id) => Some(id),
        _ => None,
    });
    let (shape, cargo) = match source {
        Some(id) => read(account, &id).await,
        None => (None, Cargo::default()),
    };
    Source { shape, cargo }
}

/// Prices the plan, by what was read: what is not known is named as not priced.
pub(crate) fn of(
    plan: &Plan,
    region: &str,
    prices: &Prices,
    source: &Source,
    findings: &[(String, Vec<Finding>)],
) -> PlanCost {
    let kinds = &all();
    let steps: Vec<StepCosts> = plan
        .steps()
        .filter_map(|step| {
            let about = kinds.iter().find(|about| about.info.name == step.kind)?;
            let effects = (about.costs)(&step.args.partial(), source.cargo);
            Some(StepCosts { step: step.id.clone(), effects })
        })
        .collect();
    let minutes = timeline_after(plan, kinds, findings).ends().as_secs().div_ceil(60);
    let mut cost = of_plan(prices, region, &steps, minutes, source.shape.as_ref());
    cost.notes.extend(old(prices));
    cost
}

async fn read(account: &Account, id: &str) -> (Option<Shape>, Cargo) {
    let survey = &account.env.survey;
    let (group, snapshots) = futures::join!(survey.group(id), survey.snapshots(id));
    let Ok(group) = group else { return (None, Cargo::default()) };
    let Some(group) = group.as_ref() else { return (None, Cargo::default()) };
    let files = u32::try_from(group.shards.len().max(1)).unwrap_or(u32::MAX);
    let bytes = snapshots.ok().and_then(|snapshots| {
        let whole = |taken: &&crate::survey::Taken| {
            taken.status == "available" && taken.shard_bytes.len() == group.shards.len().max(1)
        };
        Some(snapshots.iter().find(whole)?.shard_bytes.iter().sum())
    });
    (shape(group, bytes), Cargo { bytes, files })
}

fn shape(group: &Group, bytes: Option<u64>) -> Option<Shape> {
    let durability = group.durability.as_ref();
    let in_force = durability.map(|d| d.effective.as_deref().unwrap_or(&d.asked));
    Some(Shape {
        service: match in_force {
            Some("sync") => Service::Durable(Mode::Sync),
            Some("async") => Service::Durable(Mode::Async),
            _ => Service::ElastiCache,
        },
        engine: group.engine.parse::<Engine>().ok()?,
        node_type: group.node_type.parse::<NodeType>().ok()?,
        shards: u32::try_from(group.shards.len().max(1)).unwrap_or(u32::MAX),
        replicas: group.replicas(),
        data: bytes.map(gigabytes),
        written: None,
        backup: Quantity::ZERO,
        purchase: Purchase::OnDemand,
    })
}
