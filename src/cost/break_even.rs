//! How often, or how costly, a loss of data must be before preventing it pays.

use serde::Serialize;

use super::decimal::{Money, Quantity};

/// What losses are expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// What one loss of data costs, all in all.
    pub a_loss_costs: Option<Money>,
    /// How many are expected in a year. A frequency, not a probability: it may be above one.
    pub losses_a_year: Option<Quantity>,
}

/// The arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BreakEven {
    /// What preventing them costs more, a month.
    pub premium_a_month: Money,
    /// The same for a year.
    pub premium_a_year: Money,
    /// What one loss costs, if that was given.
    pub a_loss_costs: Option<Money>,
    /// How many are expected in a year, if that was given.
    pub losses_a_year: Option<Quantity>,
    /// With the cost of a loss known: it pays from so many losses a year.
    pub pays_from_losses_a_year: Option<Quantity>,
    /// With their number known: it pays if one costs more than this.
    pub pays_from_cost_of_a_loss: Option<Money>,
    /// With both known: what a year of losses costs.
    pub expected_loss_a_year: Option<Money>,
    /// With both known: what a year of preventing them brings in, or costs with a minus.
    pub net_a_year: Option<Money>,
}

/// Where the premium and the losses it prevents are even:
/// premium a year = losses a year × cost of a loss.
#[must_use]
pub fn break_even(premium_a_month: Money, odds: Odds) -> BreakEven {
    let premium_a_year = Money::from_millionths(premium_a_month.millionths() * 12);
    let expected = match (odds.a_loss_costs, odds.losses_a_year) {
        (Some(cost), Some(often)) => Some(cost.times(often, 1)),
        _ => None,
    };
    let dearer = premium_a_year > Money::ZERO;
    BreakEven {
        premium_a_month,
        premium_a_year,
        a_loss_costs: odds.a_loss_costs,
        losses_a_year: odds.losses_a_year,
        pays_from_losses_a_year: odds
            .a_loss_costs
            .filter(|_| dearer)
            .and_then(|cost| premium_a_year.fits(cost)),
        pays_from_cost_of_a_loss: odds
            .losses_a_year
            .filter(|often| dearer && !often.is_zero())
            .map(|often| premium_a_year.over(often)),
        expected_loss_a_year: expected,
        net_a_year: expected.map(|loss| loss - premium_a_year),
    }
}
