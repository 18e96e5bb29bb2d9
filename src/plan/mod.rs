//! Playbook, catalog and inputs to [`Plan`]: pure, so the same text and inputs give the same plan.

mod call;
mod catalog;
mod check;
mod compile;
mod editor;
mod fill;
mod fit;
mod inputs;
mod lineage;
mod model;
mod pivot;
mod schema;
mod schema_schedule;
mod scope;
mod shape;
mod template;
#[cfg(test)]
mod tests;
mod typing;

pub use catalog::{Catalog, Effect, Fault, KindInfo, UndoPolicy};
pub use check::check;
pub use compile::compile;
pub use inputs::GivenInputs;
pub use model::{FORMAT, Guard, Plan, PlannedStep, Stage, Writes};
pub use schema::playbook_schema;
pub use template::{Reference, ResolveError, RunFacts, Template};

pub use crate::playbook::Segment;
