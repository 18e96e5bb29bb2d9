//! Estimates of cost, with the source of every figure.

use super::style::Style;
use super::words::{escape, escape_line, wrapped};
use crate::cost::{Comparison, Difference, Estimate, Fact, Item, PlanCost, Row, SourceOfFigures};

/// Numbers its sources in the order in which figures refer to them.
#[derive(Default)]
struct Notes<'a> {
    sources: Vec<&'a SourceOfFigures>,
}

impl<'a> Notes<'a> {
    fn mark(&mut self, source: &'a SourceOfFigures) -> String {
        let known = self.sources.iter().position(|known| *known == source);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        format!("[{}]", number + 1)
    }

    fn render(&self, style: Style) -> String {
        if self.sources.is_empty() {
            return String::new();
        }
        let mut out = format!("\n  {}\n", style.bold("Where the figures are from"));
        for (at, source) in self.sources.iter().enumerate() {
            let unsure = match &source.unsure {
                Some(why) => format!("; {} {}", style.warn("UNSURE:"), escape(why)),
                None => String::new(),
            };
            let text =
                format!("[{}] {}, {}{unsure}", at + 1, escape_line(&source.title), source.as_of);
            out += &wrapped(&text, 4, 8, style);
        }
        out
    }
}

/// The sentence without which no figure is shown.
fn no_quote(as_of: jiff::civil::Date, currency: &str) -> String {
    format!(
        "An estimate from list prices of {as_of} and later in {}, not a quote. A month is 730 hours, a GB is 2^30 bytes.",
        escape(currency)
    )
}

/// The services side by side.
#[must_use]
pub fn render_comparison(comparison: &Comparison, style: Style) -> String {
    let title = format!("Monthly cost: {}; {}", comparison.shape, escape(&comparison.region));
    let mut out = wrapped(&style.bold(&title), 0, 2, style);
    out += &wrapped(&no_quote(comparison.as_of, &comparison.currency), 2, 2, style);
    for note in &comparison.notes {
        out += &careful(note, style);
    }
    out += &format!("\n  {:<36}{:>14}{:>15}{:>17}\n", "", "a month", "a year", "against today");
    for row in &comparison.rows {
        out += &table_row(row, style);
    }
    let mut notes = Notes::default();
    out += &format!("\n  {}\n", style.bold("What they are made of"));
    for row in comparison.rows.iter().filter(|row| row.not_possible.is_none()) {
        out += &format!("  {}\n", row.name);
        if let Some(changed) = &row.changed {
            out += &wrapped(&style.warn(changed), 4, 4, style);
        }
        out += &lines(&row.month, &mut notes, style);
    }
    out += &notes.render(style);
    out += &format!("\n  {}\n", style.bold("What they cannot do, or ask of you"));
    for (names, facts) in by_whom(&comparison.rows) {
        out += &wrapped(&names, 2, 4, style);
        for fact in facts {
            out += &render_fact(fact, 4, style);
        }
    }
    out
}

/// Each fact once, under the names of all that it is true of.
fn by_whom(rows: &[Row]) -> Vec<(String, Vec<&Fact>)> {
    let mut groups: Vec<(String, Vec<&Fact>)> = Vec::new();
    let possible = || rows.iter().filter(|row| row.not_possible.is_none());
    for fact in possible().flat_map(|row| &row.cannot) {
        if groups.iter().any(|(_, facts)| facts.contains(&fact)) {
            continue;
        }
        let of = possible().filter(|row| row.cannot.contains(fact));
        let names = of.map(|row| row.name.as_str()).collect::<Vec<_>>().join("; ");
        match groups.iter_mut().find(|(known, _)| *known == names) {
            Some((_, facts)) => facts.push(fact),
            None => groups.push((names, vec![fact])),
        }
    }
    groups
}

fn table_row(row: &Row, style: Style) -> String {
    let mut name = row.name.clone();
    if row.today {
        name += "  (today)";
    }
    if let Some(why) = &row.not_possible {
        return format!("  {name:<36}  {}\n", style.dim(&format!("not possible: {why}")));
    }
    let Some(month) = row.month.total else {
        return format!("  {name:<36}  {}\n", style.warn("no figure in the price file"));
    };
    let more = row.month.mark();
    let year = row.year.unwrap_or_default();
    let difference = row.difference.map(|d| difference(&d)).unwrap_or_default();
    let line = format!(
        "  {name:<36}{:>13}{more}{:>14}{more}{difference:>24}",
        month.cents(),
        year.cents()
    );
    let line = line.trim_end().to_owned();
    format!("{}\n", if row.today { style.bold(&line) } else { line })
}

/// "-574.22  -20.0%".
pub(super) fn difference(difference: &Difference) -> String {
    let percent = match difference.tenths_of_percent {
        Some(tenths) => format!("{:>8}", percent(tenths)),
        None => String::new(),
    };
    format!("{}{percent}", difference.month.signed_cents())
}

/// "+41.2%".
pub(super) fn percent(tenths: i64) -> String {
    let sign = if tenths < 0 { '-' } else { '+' };
    format!("{sign}{}.{}%", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
}

fn lines<'a>(estimate: &'a Estimate, notes: &mut Notes<'a>, style: Style) -> String {
    let mut out = String::new();
    for item in &estimate.items {
        out += &line(item, notes, style);
    }
    for (mark, what) in gaps(estimate) {
        let text = format!("{mark:>13}   {}", style.warn(&escape(what)));
        out += &wrapped(&text, 2, 18, style);
    }
    out
}

/// What has no figure, each with a mark of which way it would move the sum.
pub(super) fn gaps(estimate: &Estimate) -> impl Iterator<Item = (char, &String)> {
    let more = estimate.unpriced.iter().map(|what| ('+', what));
    more.chain(estimate.not_deducted.iter().map(|what| ('-', what)))
}

fn line<'a>(item: &'a Item, notes: &mut Notes<'a>, style: Style) -> String {
    let made = if item.unit == "month" {
        String::new()
    } else if item.per == 1 {
        format!(": {} {} at {}", item.quantity.words(), item.unit, item.price)
    } else {
        format!(": {} {} at {} for {}", item.quantity.words(), item.unit, item.price, item.per)
    };
    let mark = style.dim(&notes.mark(&item.source));
    let figure = item.source.unsure.as_ref().map(|_| format!(" {}", style.warn("UNSURE")));
    let guess = item.unsure.as_ref().map(|why| format!(" ({} {why})", style.warn("UNSURE:")));
    let amount = shown(item.amount);
    let text = format!(
        "{amount:>13}   {}{made} {mark}{}{}",
        escape(&item.what),
        figure.unwrap_or_default(),
        guess.unwrap_or_default()
    );
    wrapped(&text, 2, 18, style)
}

/// An amount to the cent; less than a cent is not nothing.
fn shown(amount: crate::cost::Money) -> String {
    let cent = crate::cost::Money::from_millionths(10_000);
    if amount > crate::cost::Money::ZERO && amount < cent {
        "under 0.01".to_owned()
    } else {
        amount.cents()
    }
}

/// A fact with its source, in a list.
fn render_fact(fact: &Fact, indent: usize, style: Style) -> String {
    wrapped(&format!("- {}", fact_in_words(fact, style)), indent, indent + 2, style)
}

/// A fact with its source.
pub(super) fn fact_in_words(fact: &Fact, style: Style) -> String {
    let unsure = match fact.unsure {
        Some(why) => format!("; {} {why}", style.warn("UNSURE:")),
        None => String::new(),
    };
    let source = style.dim(&format!("({})", fact.source));
    format!("{} {source}{unsure}", fact.says)
}

/// What a plan costs.
#[must_use]
pub fn render_plan_cost(cost: &PlanCost, style: Style) -> String {
    let mut out = format!("{}\n", style.bold("Cost"));
    out += &wrapped(&no_quote(cost.as_of, &cost.currency), 2, 2, style);
    let mut notes = Notes::default();
    let mut body = String::new();
    let during = format!("the run, if it takes {} minutes", cost.run_minutes);
    let blocks = [
        (during.as_str(), Some(&cost.run)),
        ("a month of what it leaves behind", Some(&cost.month)),
        ("a month of what it does away with", Some(&cost.month_saved)),
        ("a month of what the data lives in now", cost.source.as_ref()),
    ];
    for (title, estimate) in blocks {
        if let Some(estimate) = estimate {
            body += &block(title, estimate, &mut notes, style);
        }
    }
    if body.is_empty() {
        return wrapped("Cost: nothing in this plan has a price.", 0, 2, style);
    }
    for note in &cost.notes {
        out += &careful(note, style);
    }
    out += &body;
    out += &notes.render(style);
    out
}

fn careful(note: &str, style: Style) -> String {
    wrapped(&format!("{} {}", style.warn("careful:"), escape(note)), 2, 4, style)
}

fn block<'a>(title: &str, estimate: &'a Estimate, notes: &mut Notes<'a>, style: Style) -> String {
    if estimate.items.is_empty() && gaps(estimate).next().is_none() {
        return String::new();
    }
    let more = match estimate.mark() {
        " " => "",
        "-" => ", less what has no figure",
        _ => ", and what has no figure",
    };
    let total = match estimate.total {
        Some(total) => format!("{}{more}", shown(total)),
        None => "not known".to_owned(),
    };
    format!("  {}: {total}\n{}", style.bold(title), lines(estimate, notes, style))
}
