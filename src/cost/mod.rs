//! What a cluster costs a month, what a plan costs, and when a loss of data costs more than preventing it.
//!
//! Pure: prices come as text, and the same text and shape give the same estimate. Amounts are whole millionths of the
//! currency, so nothing drifts. No figure stands without its source and date, and none that the price file lacks is
//! made up.

mod break_even;
mod compare;
mod decimal;
mod estimate;
mod fact;
mod plan;
mod prices;
mod shape;
#[cfg(test)]
mod tests;

pub use break_even::{BreakEven, Odds, break_even};
pub use compare::{Comparison, Difference, Row, Workload, compare, offers};
pub use decimal::{Money, NotADecimal, Quantity, gigabytes};
pub use estimate::{Estimate, HOURS_PER_MONTH, Item, estimate, serverless};
pub use fact::Fact;
pub(crate) use fact::*;
pub use plan::{CostEffect, PlanCost, StepCosts, of_plan};
pub use prices::{BUILT_IN, Prices, PricesError, SourceOfFigures};
pub use shape::{
    Engine, Mode, NodeType, Payment, Purchase, Service, Shape, Term, durable_supports,
    memorydb_supports,
};
