//! The policy of the bucket between the services.

use super::grant::Declared;
use super::place::Place;
use super::policy::{Policy, Principal, Statement};
use super::resolve::{arguments, fill};
use super::text::written;
use crate::plan::Plan;

/// A bucket and its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPolicy {
    /// Its name.
    pub bucket: String,
    /// What lets the services in that the plan sends there.
    pub policy: Policy,
}

/// One policy for each bucket that the plan passes files through. `None` if the region is not known: the services' names
/// in a policy carry it, and a principal takes no wildcard.
#[must_use]
pub fn bucket_policies(
    plan: &Plan,
    declared: &Declared<'_>,
    place: &Place,
) -> Option<Vec<BucketPolicy>> {
    let region = place.region()?;
    let mut found: Vec<BucketPolicy> = Vec::new();
    for step in plan.steps() {
        let Some(kind) = declared(&step.kind) else { continue };
        let args = arguments(plan, step, declared);
        for guest in kind.guests {
            for bucket in fill(guest.bucket, &args) {
                let bucket = written(&bucket);
                let arn = format!("arn:{}:s3:::{bucket}", place.partition);
                let statement = Statement {
                    sid: format!("Let{}In", guest.title),
                    principal: Some(Principal(format!("{region}.{}.amazonaws.com", guest.service))),
                    actions: guest.actions.iter().map(|action| (*action).to_owned()).collect(),
                    resources: vec![arn.clone(), format!("{arn}/*")],
                    conditions: Vec::new(),
                };
                match found.iter_mut().find(|known| known.bucket == bucket) {
                    Some(known) if known.policy.statements.contains(&statement) => {}
                    Some(known) => known.policy.statements.push(statement),
                    None => found.push(BucketPolicy {
                        bucket,
                        policy: Policy { statements: vec![statement] },
                    }),
                }
            }
        }
    }
    Some(found)
}
