//! A month of a cluster, line by line.

use serde::Serialize;

use super::decimal::{Money, Quantity};
use super::prices::{Figure, Free, Prices, SourceOfFigures};
use super::shape::{Engine, Purchase, Service, Shape};

/// Hours in a month, as AWS's own calculators take it.
pub const HOURS_PER_MONTH: u64 = 730;

/// One line: so many of a unit at a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What it is for.
    pub what: String,
    /// How many.
    pub quantity: Quantity,
    /// Of what: "node-hours".
    pub unit: &'static str,
    /// The price of `per` of them.
    pub price: Money,
    /// How many the price is for.
    pub per: u32,
    /// The product, rounded once to a millionth.
    pub amount: Money,
    /// Where the price is from.
    pub source: SourceOfFigures,
    /// Why the quantity may be wrong, if it is a guess.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<String>,
}

/// What something costs, and what of it could not be priced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// The lines.
    pub items: Vec<Item>,
    /// Their sum; none if the price of the nodes is not known.
    pub total: Option<Money>,
    /// What comes on top and has no figure.
    pub unpriced: Vec<String>,
    /// What makes it less and has no figure: the sum is without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_deducted: Vec<String>,
}

impl Item {
    pub(super) fn new(
        what: impl Into<String>,
        quantity: Quantity,
        unit: &'static str,
        price: Money,
        per: u32,
        source: &SourceOfFigures,
    ) -> Self {
        Self {
            what: what.into(),
            quantity,
            unit,
            price,
            per,
            amount: price.times(quantity, per),
            source: source.clone(),
            unsure: None,
        }
    }

    pub(super) fn unsure(mut self, why: impl Into<String>) -> Self {
        self.unsure = Some(why.into());
        self
    }
}

impl Estimate {
    /// A year of it.
    #[must_use]
    pub fn year(&self) -> Option<Money> {
        self.total.map(|month| Money::from_millionths(month.millionths() * 12))
    }

    /// Behind a sum: whether it is more than that, less, or could be either.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        match (self.unpriced.is_empty(), self.not_deducted.is_empty()) {
            (true, true) => " ",
            (false, true) => "+",
            (true, false) => "-",
            (false, false) => "±",
        }
    }
}

/// A month of `shape` in `region`.
#[must_use]
pub fn estimate(prices: &Prices, region: &str, shape: &Shape) -> Estimate {
    let mut sum = Estimate::default();
    let known = nodes(prices, region, shape, &mut sum);
    if let Service::Durable(mode) = shape.service {
        match prices.surcharge(region, mode) {
            Some(Figure { value, source }) => {
                let nodes: Money = sum.items.iter().map(|item| item.amount).sum();
                let what = format!("durability, {value}% of the nodes");
                let mut item = Item::new(what, Quantity::whole(1), "month", nodes, 1, source);
                item.price = nodes.percent(value);
                item.amount = item.price;
                sum.items.push(item);
            }
            None => sum
                .unpriced
                .push("the surcharge for durability: no figure in the price file".into()),
        }
    }
    if shape.service == Service::MemoryDb {
        written(prices, region, shape, &mut sum);
    }
    backup(prices, region, shape, &mut sum);
    sum.total = known.then(|| sum.items.iter().map(|item| item.amount).sum());
    sum
}

/// Adds the nodes; whether they have a price.
fn nodes(prices: &Prices, region: &str, shape: &Shape, sum: &mut Estimate) -> bool {
    let billed = shape.service.billed();
    let hours = Quantity::whole(shape.nodes().saturating_mul(HOURS_PER_MONTH));
    let what = format!("{} nodes {}", shape.nodes(), shape.node_type);
    let reserved = prices.reserved(region, billed, shape.engine, &shape.node_type, shape.purchase);
    if let Some(Figure { value: (term, offering), source }) = reserved {
        sum.items.push(Item::new(
            format!("{what}, {}", shape.purchase),
            hours,
            "node-hours",
            offering.per_hour,
            1,
            source,
        ));
        let months = Quantity::whole(shape.nodes());
        let mut item = Item::new(
            format!("{what}, a month's share of what is paid upfront"),
            months,
            "node-months",
            offering.upfront.shared(term.months()),
            1,
            source,
        );
        // Divided once, at the end: a share rounded for one node would be multiplied by all of them.
        item.amount = offering.upfront.times(months, term.months());
        sum.items.push(item);
        return true;
    }
    let Some(Figure { value: price, source }) =
        prices.node(region, billed, shape.engine, &shape.node_type)
    else {
        sum.unpriced.push(format!(
            "{what} of {billed} {}: no figure in the price file for {region}",
            shape.engine
        ));
        return false;
    };
    sum.items.push(Item::new(format!("{what}, on demand"), hours, "node-hours", price, 1, source));
    if shape.purchase != Purchase::OnDemand {
        let at_most = prices.reserved_at_most(region, billed).map(|figure| {
            let amount = price.times(hours, 1);
            let least = amount - amount.percent(figure.value);
            let sure = figure.source.unsure.as_ref().map_or("", |_| ", UNSURE");
            format!(
                "; at most {}% off, so not below {} a month ({}{sure})",
                figure.value,
                least.cents(),
                figure.source.title
            )
        });
        sum.not_deducted.push(format!(
            "nodes {}: no figure in the price file, counted on demand{}",
            shape.purchase,
            at_most.unwrap_or_default()
        ));
    }
    true
}

fn written(prices: &Prices, region: &str, shape: &Shape, sum: &mut Estimate) {
    let figure = prices.written(region, shape.engine);
    match (figure, shape.written) {
        (None, _) => sum.unpriced.push("data written: no figure in the price file".to_owned()),
        (Some(Figure { value: (price, free), .. }), None) => {
            let beyond = if free.is_zero() {
                String::new()
            } else {
                format!(" beyond {} GB a month", free.words())
            };
            sum.unpriced.push(format!(
                "data written, {price} a GB{beyond}: how much is written is not given"
            ));
        }
        (Some(Figure { value: (price, free), source }), Some(written)) => {
            let what = if free.is_zero() {
                "data written".to_owned()
            } else {
                format!("data written, {} GB less {} GB free", written.words(), free.words())
            };
            sum.items.push(Item::new(what, written.beyond(free), "GB", price, 1, source));
        }
    }
}

fn backup(prices: &Prices, region: &str, shape: &Shape, sum: &mut Estimate) {
    if shape.backup.is_zero() {
        return;
    }
    let Some(Figure { value: (price, free), source }) =
        prices.backup(region, shape.service.billed())
    else {
        sum.unpriced.push("snapshots kept: no figure in the price file".to_owned());
        return;
    };
    let item = match (free, shape.data) {
        (Free::Nothing, _) => {
            Item::new("snapshots kept", shape.backup, "GB-months", price, 1, source)
        }
        (Free::ClusterSize, Some(data)) => {
            let what = format!(
                "snapshots kept, {} GB less {} GB free",
                shape.backup.words(),
                data.words()
            );
            Item::new(what, shape.backup.beyond(data), "GB-months", price, 1, source)
        }
        (Free::ClusterSize, None) => {
            Item::new("snapshots kept", shape.backup, "GB-months", price, 1, source)
                .unsure("as much as the cluster holds is free; how much that is, is not given")
        }
    };
    sum.items.push(item);
}

/// A month of ElastiCache Serverless holding `data` GB and doing so many million ECPUs; `None` without a price.
#[must_use]
pub fn serverless(
    prices: &Prices,
    region: &str,
    engine: Engine,
    data: Quantity,
    million_ecpus: Quantity,
) -> Option<Estimate> {
    let Figure { value, source } = prices.serverless(region, engine)?;
    let stored = data.max(value.least_gb);
    let hours = Quantity::whole(HOURS_PER_MONTH);
    let storage =
        Item::new("data stored", stored.times(hours), "GB-hours", value.per_gb_hour, 1, source);
    let work =
        Item::new("requests", million_ecpus, "million ECPUs", value.per_million_ecpu, 1, source);
    let items = vec![storage, work];
    let total = Some(items.iter().map(|item| item.amount).sum());
    Some(Estimate { items, total, ..Estimate::default() })
}
