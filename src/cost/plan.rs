//! What a plan costs: while it runs, and a month of what it leaves behind.

use serde::Serialize;

use super::decimal::{Money, Quantity, gigabytes};
use super::estimate::{Estimate, HOURS_PER_MONTH, Item, estimate};
use super::prices::{Figure, Prices};
use super::shape::{Engine, NodeType, Purchase, Service, Shape};

/// A part of an upload; how large ElastiCache makes them is not documented, and this is the least S3's own tools take.
const PART: u64 = 8 << 20;

/// What a step does to the bill. Step kinds give these from their arguments; sizes are unknown until something was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CostEffect {
    /// A cluster that stays.
    Cluster {
        /// In which service.
        service: Service,
        /// Its engine.
        engine: Engine,
        /// Its nodes.
        node_type: NodeType,
        /// Shards.
        shards: u32,
        /// Replicas of each.
        replicas: u32,
    },
    /// A manual ElastiCache snapshot that stays.
    ElastiCacheSnapshot {
        /// Its size.
        bytes: Option<u64>,
    },
    /// A manual MemoryDB snapshot that stays.
    MemoryDbSnapshot {
        /// Its size.
        bytes: Option<u64>,
    },
    /// Objects in S3 that stay.
    S3Objects {
        /// All of them together.
        bytes: Option<u64>,
        /// How many.
        files: u32,
    },
    /// Objects read from S3, once.
    S3Reads {
        /// All of them together.
        bytes: Option<u64>,
        /// How many.
        files: u32,
    },
    /// A manual ElastiCache snapshot that is deleted.
    ElastiCacheSnapshotGone {
        /// Its size.
        bytes: Option<u64>,
    },
    /// Objects in S3 that are deleted.
    S3ObjectsGone {
        /// All of them together.
        bytes: Option<u64>,
    },
}

/// The effects of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCosts {
    /// The step.
    pub step: String,
    /// What it does to the bill.
    pub effects: Vec<CostEffect>,
}

/// What a plan costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanCost {
    /// The region.
    pub region: String,
    /// The currency.
    pub currency: String,
    /// The oldest day of which a figure is.
    pub as_of: jiff::civil::Date,
    /// How long the run is taken to last, in minutes.
    pub run_minutes: u64,
    /// What is to be known of the figures before they are believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// While it runs.
    pub run: Estimate,
    /// A month of what it leaves behind.
    pub month: Estimate,
    /// A month of what it does away with: already charged today, and gone afterwards.
    pub month_saved: Estimate,
    /// A month of the source, which goes on costing until somebody deletes it.
    pub source: Option<Estimate>,
}

/// Prices the steps of a plan that runs for `minutes`. `source`: what the data lives in today, if that was read.
#[must_use]
pub fn of_plan(
    prices: &Prices,
    region: &str,
    steps: &[StepCosts],
    minutes: u64,
    source: Option<&Shape>,
) -> PlanCost {
    let mut pen = Pen {
        prices,
        region,
        share: Quantity::ratio(minutes, HOURS_PER_MONTH * 60),
        run: Estimate::default(),
        month: Estimate::default(),
        saved: Estimate::default(),
    };
    for step in steps {
        for effect in &step.effects {
            pen.effect(&step.step, effect);
        }
    }
    let source = source.map(|shape| estimate(prices, region, shape));
    let Pen { run, month, saved, .. } = pen;
    let (run, month, saved) = (summed(run), summed(month), summed(saved));
    let all = [Some(&run), Some(&month), Some(&saved), source.as_ref()];
    let items = all.into_iter().flatten().flat_map(|estimate| &estimate.items);
    PlanCost {
        region: region.to_owned(),
        currency: prices.currency.clone(),
        as_of: items.map(|item| item.source.as_of).min().unwrap_or(prices.as_of),
        run_minutes: minutes,
        notes: Vec::new(),
        run,
        month,
        month_saved: saved,
        source,
    }
}

fn summed(mut estimate: Estimate) -> Estimate {
    estimate.total = Some(estimate.items.iter().map(|item| item.amount).sum());
    estimate
}

struct Pen<'a> {
    prices: &'a Prices,
    region: &'a str,
    /// The run's share of a month.
    share: Quantity,
    run: Estimate,
    month: Estimate,
    saved: Estimate,
}

impl Pen<'_> {
    fn effect(&mut self, step: &str, effect: &CostEffect) {
        match effect {
            CostEffect::Cluster { service, engine, node_type, shards, replicas } => {
                let shape = Shape {
                    service: *service,
                    engine: *engine,
                    node_type: node_type.clone(),
                    shards: *shards,
                    replicas: *replicas,
                    data: None,
                    written: None,
                    backup: Quantity::ZERO,
                    purchase: Purchase::OnDemand,
                };
                let month = estimate(self.prices, self.region, &shape);
                for item in month.items {
                    self.stays(step, item);
                }
                let unpriced = month.unpriced.into_iter().map(|what| format!("{step}: {what}"));
                self.month.unpriced.extend(unpriced);
            }
            CostEffect::ElastiCacheSnapshot { bytes } => {
                if let Some(item) = self.snapshot(step, "elasticache", *bytes) {
                    self.stays(step, item);
                }
            }
            CostEffect::MemoryDbSnapshot { bytes } => {
                if let Some(item) = self.snapshot(step, "memorydb", *bytes) {
                    self.stays(step, item.unsure("as much as the cluster holds is free of charge"));
                }
            }
            CostEffect::ElastiCacheSnapshotGone { bytes } => {
                if let Some(item) = self.snapshot(step, "elasticache", *bytes) {
                    self.saved.items.push(named(step, item));
                }
            }
            CostEffect::S3Objects { bytes, files } => {
                if let Some(item) = self.stored(step, *bytes) {
                    self.stays(step, item);
                }
                self.requests(step, "written to", *bytes, *files);
            }
            CostEffect::S3Reads { bytes, files } => {
                self.requests(step, "read from", *bytes, *files);
            }
            CostEffect::S3ObjectsGone { bytes } => {
                if let Some(item) = self.stored(step, *bytes) {
                    self.saved.items.push(named(step, item));
                }
            }
        }
    }

    /// Charged for the run's share of a month while it runs, and in full for a month after it.
    fn stays(&mut self, step: &str, item: Item) {
        let item = named(step, item);
        let mut during = item.clone();
        during.quantity = item.quantity.times(self.share);
        during.amount = during.price.times(during.quantity, during.per);
        during.what = format!("{}, while the run lasts", item.what);
        self.run.items.push(during);
        self.month.items.push(item);
    }

    fn unpriced(&mut self, step: &str, what: &str) {
        self.month.unpriced.push(format!("{step}: {what}"));
    }

    fn snapshot(&mut self, step: &str, billed: &str, bytes: Option<u64>) -> Option<Item> {
        let Some(figure) = self.prices.backup(self.region, billed) else {
            self.unpriced(step, "the snapshot: no figure in the price file");
            return None;
        };
        let (price, _) = figure.value;
        let Some(bytes) = bytes else {
            let what = format!("the snapshot, {price} a GB-month: its size shows once it is taken");
            self.unpriced(step, &what);
            return None;
        };
        Some(Item::new("manual snapshot", gigabytes(bytes), "GB-months", price, 1, figure.source))
    }

    fn stored(&mut self, step: &str, bytes: Option<u64>) -> Option<Item> {
        let Some(figure) = self.prices.s3(self.region) else {
            self.unpriced(step, "objects in S3: no figure in the price file");
            return None;
        };
        let price = figure.value.per_gb_month;
        let Some(bytes) = bytes else {
            let what = format!(
                "objects in S3, {price} a GB-month: their size shows once they are written"
            );
            self.unpriced(step, &what);
            return None;
        };
        Some(Item::new("objects in S3", gigabytes(bytes), "GB-months", price, 1, figure.source))
    }

    fn requests(&mut self, step: &str, verb: &str, bytes: Option<u64>, files: u32) {
        let (Some(Figure { value, source }), Some(bytes)) = (self.prices.s3(self.region), bytes)
        else {
            return;
        };
        let price = if verb == "written to" { value.per_1000_puts } else { value.per_1000_gets };
        let count = bytes.div_ceil(PART) + 2 * u64::from(files);
        let what = format!("requests, {verb} S3");
        let item = Item::new(what, Quantity::whole(count), "requests", price, 1000, source)
            .unsure("in parts of 8 MiB; the services do not say how large theirs are");
        self.run.items.push(named(step, item));
    }
}

fn named(step: &str, mut item: Item) -> Item {
    item.what = format!("{step}: {}", item.what);
    item
}

impl PlanCost {
    /// What the month after the run costs more than today: what was left behind, less what was done away with.
    #[must_use]
    pub fn more_a_month(&self) -> Money {
        self.month.total.unwrap_or_default() - self.month_saved.total.unwrap_or_default()
    }
}
