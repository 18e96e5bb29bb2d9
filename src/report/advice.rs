//! Advice, with what each reason rests on.

use serde::Serialize;

use super::cost::{difference, fact_in_words, gaps};
use super::style::Style;
use super::words::{escape, wrapped};
use crate::advise::{Advice, Level, Reason, Recommendation};
use crate::cost::{BreakEven, Comparison, Difference, Fact, Quantity};

/// All that is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdviceView {
    /// The advice.
    pub advice: Advice,
    /// What was read from the live cluster, a line each.
    pub seen: Vec<String>,
    /// The prices; or why there are none.
    pub comparison: Option<Comparison>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_prices: Option<String>,
    /// What the recommendation costs against today.
    pub difference: Option<Difference>,
    /// What the break-even is of, and the break-even.
    pub break_even: Option<(String, BreakEven)>,
}

/// The advice as text.
#[must_use]
pub fn render_advice(view: &AdviceView, style: Style) -> String {
    let advice = &view.advice;
    let headline = match advice.recommendation {
        Recommendation::CannotTell => style.warn(&advice.headline),
        _ => style.good(&advice.headline),
    };
    let mut out = wrapped(&format!("{} {headline}", style.bold("Advice:")), 0, 2, style);
    let keeps = match advice.keeps {
        Level::Cache => "replicas and daily backups; the last writes may be lost",
        Level::TenSeconds => "all but the last ten seconds of writes",
        Level::EveryWrite => "every acknowledged write",
    };
    let when = match advice.recommendation {
        Recommendation::CannotTell => "kept today",
        _ => "kept then",
    };
    out += &format!("  {when}: {keeps}\n");
    if !view.seen.is_empty() {
        out += &format!("\n  {}\n", style.bold("What the live cluster shows"));
        for line in &view.seen {
            out += &wrapped(&escape(line), 4, 6, style);
        }
    }
    if !advice.missing.is_empty() {
        out += &format!("\n  {}\n", style.bold("What is missing"));
        for question in &advice.missing {
            let text = format!("--{}: {} ({})", question.key, question.asks, question.expects());
            out += &wrapped(&text, 4, 6, style);
        }
    }
    let mut facts: Vec<&Fact> = Vec::new();
    out += &reasons("Why", &advice.reasons, &mut facts, style);
    out += &reasons("What speaks against it", &advice.against, &mut facts, style);
    out += &reasons("What comes first", &advice.first, &mut facts, style);
    if !facts.is_empty() {
        out += &format!("\n  {}\n", style.bold("What this rests on"));
    }
    for (at, fact) in facts.iter().enumerate() {
        out += &wrapped(&format!("[{}] {}", at + 1, fact_in_words(fact, style)), 4, 8, style);
    }
    out += &cost(view, style);
    out
}

/// Each with the numbers of the facts it rests on.
fn reasons<'a>(
    title: &str,
    reasons: &'a [Reason],
    facts: &mut Vec<&'a Fact>,
    style: Style,
) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let mut out = format!("\n  {}\n", style.bold(title));
    for reason in reasons {
        let mut text = format!("- {}", escape(&reason.says));
        for fact in &reason.facts {
            let known = facts.iter().position(|known| *known == fact);
            let number = known.unwrap_or_else(|| {
                facts.push(fact);
                facts.len() - 1
            });
            text += &style.dim(&format!(" [{}]", number + 1));
            if fact.unsure.is_some() {
                text += &format!(" {}", style.warn("UNSURE"));
            }
        }
        out += &wrapped(&text, 4, 6, style);
    }
    out
}

fn cost(view: &AdviceView, style: Style) -> String {
    let mut out = format!("\n  {}\n", style.bold("What it costs"));
    if let Some(why) = &view.no_prices {
        return out + &wrapped(&escape(why), 4, 6, style);
    }
    let Some(comparison) = &view.comparison else { return String::new() };
    let basis = format!(
        "{}; {}. An estimate from list prices of {} and later in {}, not a quote; `orchestrate cost` shows each figure with its source.",
        comparison.shape,
        escape(&comparison.region),
        comparison.as_of,
        escape(&comparison.currency)
    );
    out += &wrapped(&basis, 4, 4, style);
    for row in &comparison.rows {
        if let Some(month) = row.month.total {
            let against = match (&row.difference, row.today) {
                (_, true) => "today".to_owned(),
                (Some(d), _) => difference(d).trim_start().to_owned(),
                (None, false) => String::new(),
            };
            let more = row.month.mark();
            let line = format!("    {:<36}{:>13}{more}{against:>24}", row.name, month.cents());
            out += &format!("{}\n", line.trim_end());
        }
        for (mark, what) in gaps(&row.month).filter(|_| row.month.total.is_some()) {
            out += &wrapped(&style.warn(&format!("{mark} {}", escape(what))), 8, 10, style);
        }
    }
    if let Some((what, even)) = &view.break_even {
        out += &format!("\n  {}\n", style.bold("When it pays"));
        for line in break_even(what, even) {
            out += &wrapped(&line, 4, 6, style);
        }
    }
    out
}

/// The formula and the arithmetic.
fn break_even(what: &str, even: &BreakEven) -> Vec<String> {
    let mut lines = Vec::new();
    let (month, year) = (even.premium_a_month, even.premium_a_year);
    if year <= crate::cost::Money::ZERO {
        lines.push(format!(
            "{what} costs no more than today ({} a month): it pays from the first loss it prevents.",
            month.signed_cents()
        ));
        return lines;
    }
    lines.push(format!(
        "Even where: losses a year × cost of one loss = premium a year. {what}: 12 × {} = {} a year.",
        month.cents(),
        year.cents()
    ));
    if let (Some(cost), Some(from)) = (even.a_loss_costs, even.pays_from_losses_a_year) {
        lines.push(format!(
            "If one loss costs {}: {} / {} = it pays from {} losses a year.",
            cost.cents(),
            year.cents(),
            cost.cents(),
            from.words()
        ));
    }
    if let (Some(often), Some(cost)) = (even.losses_a_year, even.pays_from_cost_of_a_loss) {
        lines.push(format!(
            "With {} losses a year: {} / {} = it pays if one loss costs more than {}.",
            often.words(),
            year.cents(),
            often.words(),
            cost.cents()
        ));
    }
    if let (Some(often), Some(cost), Some(expected), Some(net)) =
        (even.losses_a_year, even.a_loss_costs, even.expected_loss_a_year, even.net_a_year)
    {
        lines.push(format!(
            "Expected: {} × {} = {} a year, less {} = {} a year.",
            often.words(),
            cost.cents(),
            expected.cents(),
            year.cents(),
            net.signed_cents()
        ));
    }
    if even.a_loss_costs.is_none() && even.losses_a_year.is_none() {
        let every_ten_years = year.over(Quantity::ratio(1, 10));
        lines.push(format!(
            "With a loss every year it pays if one costs more than {}; with one in ten years, more than {}.",
            year.cents(),
            every_ten_years.cents()
        ));
        lines.push("--loss-costs and --losses-a-year do the arithmetic for yours.".to_owned());
    }
    lines
}
