//! Playbook, catalog and inputs to [`Plan`]: pure, so the same text and inputs give the same plan.

mod catalog;
mod model;
mod template;

pub use catalog::{Catalog, Effect, KindInfo, UndoPolicy};
pub use model::{FORMAT, Guard, Plan, PlannedStep, Stage, Writes};
pub use template::{Reference, ResolveError, Template};

pub use crate::playbook::Segment;
