//! The same data in each service, side by side.

use serde::Serialize;

use super::decimal::{Money, Quantity, gigabytes};
use super::estimate::{Estimate, estimate, serverless};
use super::fact::{self, Fact};
use super::prices::{Prices, SourceOfFigures};
use super::shape::{
    Engine, Mode, NodeType, Purchase, Service, Shape, durable_supports, memorydb_supports,
};

/// What runs today, and what is to be known of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Where it is now, or what the others are compared with.
    pub today: (Service, Engine),
    /// Its nodes.
    pub node_type: NodeType,
    /// Shards.
    pub shards: u32,
    /// Replicas of each shard.
    pub replicas: u32,
    /// The data, in GB.
    pub data: Option<Quantity>,
    /// What is written in a month, in GB.
    pub written: Option<Quantity>,
    /// Snapshots kept, in GB.
    pub backup: Quantity,
    /// How nodes are paid for.
    pub purchase: Purchase,
    /// Requests a month in millions of ECPUs: with it, ElastiCache Serverless is compared too.
    pub million_ecpus: Option<Quantity>,
    /// What a node holds in bytes (`maxmemory`), if that is known.
    pub node_memory: Option<u64>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The region.
    pub region: String,
    /// The currency.
    pub currency: String,
    /// The oldest day of which a figure is, for the sentence that this is no quote.
    pub as_of: jiff::civil::Date,
    /// Nodes a shard and shards, in words.
    pub shape: String,
    /// What is to be known of the shape besides its price.
    pub notes: Vec<String>,
    /// One for each service and engine.
    pub rows: Vec<Row>,
}

/// One service with one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// "MemoryDB, Valkey".
    pub name: String,
    /// The service; none for ElastiCache Serverless.
    pub service: Option<Service>,
    /// The engine.
    pub engine: Engine,
    /// Whether it is what runs today.
    pub today: bool,
    /// Why it cannot be had like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_possible: Option<String>,
    /// What had to be changed to make it possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// A month of it.
    pub month: Estimate,
    /// A year of it.
    pub year: Option<Money>,
    /// Against what runs today.
    pub difference: Option<Difference>,
    /// What it cannot do.
    pub cannot: Vec<Fact>,
}

/// More, or less with a minus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// In a month.
    pub month: Money,
    /// In a year.
    pub year: Money,
    /// In tenths of a per cent.
    pub tenths_of_percent: Option<i64>,
}

/// The services and engines that are compared, the cheapest first where nothing else orders them.
#[must_use]
pub fn offers() -> [(Service, Engine); 6] {
    [
        (Service::ElastiCache, Engine::Redis),
        (Service::ElastiCache, Engine::Valkey),
        (Service::Durable(Mode::Async), Engine::Valkey),
        (Service::Durable(Mode::Sync), Engine::Valkey),
        (Service::MemoryDb, Engine::Redis),
        (Service::MemoryDb, Engine::Valkey),
    ]
}

/// Compares.
#[must_use]
pub fn compare(prices: &Prices, region: &str, work: &Workload) -> Comparison {
    let mut rows: Vec<Row> = offers().map(|offer| row(prices, region, work, offer)).into();
    if let (Some(ecpus), Some(data)) = (work.million_ecpus, work.data) {
        for engine in [Engine::Redis, Engine::Valkey] {
            rows.extend(serverless_row(prices, region, engine, data, ecpus));
        }
    }
    let today = rows.iter().find(|row| row.today).and_then(|row| row.month.total);
    for row in &mut rows {
        row.difference = match (today, row.month.total) {
            (Some(today), Some(total)) if !row.today => Some(Difference {
                month: total - today,
                year: Money::from_millionths((total - today).millionths() * 12),
                tenths_of_percent: (total - today).tenths_of_percent(today),
            }),
            _ => None,
        };
    }
    let items = rows.iter().flat_map(|row| &row.month.items);
    Comparison {
        region: region.to_owned(),
        currency: prices.currency.clone(),
        as_of: items.map(|item| item.source.as_of).min().unwrap_or(prices.as_of),
        shape: shape_in_words(work),
        notes: too_full(work).into_iter().collect(),
        rows,
    }
}

impl Comparison {
    /// The row of a service and engine.
    #[must_use]
    pub fn row(&self, service: Service, engine: Engine) -> Option<&Row> {
        self.rows.iter().find(|row| row.service == Some(service) && row.engine == engine)
    }

    /// The row of what runs today.
    #[must_use]
    pub fn today(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.today)
    }

    /// Every source of a figure, once.
    #[must_use]
    pub fn sources(&self) -> Vec<&SourceOfFigures> {
        let items = self.rows.iter().flat_map(|row| &row.month.items);
        let mut sources: Vec<_> = items.map(|item| &item.source).collect();
        sources.sort();
        sources.dedup();
        sources
    }

    /// The least that a service costs more than what runs today, over its engines.
    #[must_use]
    pub fn premium(&self, service: Service) -> Option<Difference> {
        let rows = self.rows.iter().filter(|row| row.service == Some(service));
        let zero = Difference { month: Money::ZERO, year: Money::ZERO, tenths_of_percent: Some(0) };
        rows.filter_map(|row| if row.today { Some(zero) } else { row.difference })
            .min_by_key(|difference| difference.month)
    }
}

fn shape_in_words(work: &Workload) -> String {
    let shards = if work.shards == 1 { "shard" } else { "shards" };
    let replicas = if work.replicas == 1 { "replica" } else { "replicas" };
    let each = if work.shards == 1 { "" } else { " each" };
    format!(
        "{} {shards} of {}, with {} {replicas}{each}, {}",
        work.shards, work.node_type, work.replicas, work.purchase
    )
}

/// ElastiCache keeps a quarter of a node's memory back unless told otherwise (ElastiCache user guide, Managing reserved
/// memory: `reserved-memory-percent`, 25).
fn too_full(work: &Workload) -> Option<String> {
    let (data, memory) = (work.data?, gigabytes(work.node_memory?));
    let each = data.shared(work.shards);
    let usable = memory.times(Quantity::ratio(3, 4));
    (each > usable).then(|| {
        format!(
            "{} GB in {} are {} GB each, and a node {} holds {} GB, of which ElastiCache keeps a quarter back: take more shards or larger nodes",
            data.short(),
            match work.shards {
                1 => "one shard".to_owned(),
                n => format!("{n} shards"),
            },
            each.short(),
            work.node_type,
            memory.short()
        )
    })
}

fn row(prices: &Prices, region: &str, work: &Workload, offer: (Service, Engine)) -> Row {
    let (service, engine) = offer;
    let node = &work.node_type;
    let mut replicas = work.replicas;
    let mut changed = None;
    let not_possible = match service {
        Service::ElastiCache => None,
        Service::Durable(_) if !durable_supports(node) => {
            Some(format!("durability does not work on {} nodes", node.family()))
        }
        Service::Durable(_) => {
            if replicas == 0 {
                replicas = 1;
                changed = Some("with one replica in each shard, which durability needs".to_owned());
            }
            None
        }
        Service::MemoryDb => {
            (!memorydb_supports(node)).then(|| format!("MemoryDB has no {node} nodes"))
        }
    };
    let month = if not_possible.is_some() {
        Estimate::default()
    } else {
        let shape = Shape {
            service,
            engine,
            node_type: node.clone(),
            shards: work.shards,
            replicas,
            data: work.data,
            written: work.written,
            backup: work.backup,
            purchase: work.purchase,
        };
        estimate(prices, region, &shape)
    };
    Row {
        name: format!("{service}, {engine}"),
        service: Some(service),
        engine,
        today: work.today == offer,
        not_possible,
        changed,
        year: month.year(),
        month,
        difference: None,
        cannot: cannot(service, engine, work),
    }
}

fn serverless_row(
    prices: &Prices,
    region: &str,
    engine: Engine,
    data: Quantity,
    million_ecpus: Quantity,
) -> Option<Row> {
    let month = serverless(prices, region, engine, data, million_ecpus)?;
    Some(Row {
        name: format!("ElastiCache Serverless, {engine}"),
        service: None,
        engine,
        today: false,
        not_possible: None,
        changed: None,
        year: month.year(),
        month,
        difference: None,
        cannot: vec![fact::REPLICATION_IS_ASYNC, fact::SERVERLESS_IS_NOT_DURABLE],
    })
}

/// What is not to be had there, or must change for it.
fn cannot(service: Service, engine: Engine, work: &Workload) -> Vec<Fact> {
    let mut facts = match service {
        Service::ElastiCache => vec![fact::REPLICATION_IS_ASYNC, fact::BACKUPS_ARE_DAILY],
        Service::Durable(Mode::Async) => vec![
            fact::ASYNC_LOSES_TEN_SECONDS,
            fact::DURABLE_NEEDS,
            fact::DURABILITY_CAN_BE_SWITCHED_ON,
            fact::DURABLE_IS_REGIONAL,
            fact::DURABLE_WRITE_LIMIT,
        ],
        Service::Durable(Mode::Sync) => vec![
            fact::SYNC_TAKES_MILLISECONDS,
            fact::DURABLE_NEEDS,
            fact::DURABILITY_CAN_BE_SWITCHED_ON,
            fact::DURABLE_IS_REGIONAL,
            fact::DURABLE_WRITE_LIMIT,
        ],
        Service::MemoryDb => vec![
            fact::MEMORYDB_IS_CLUSTER_MODE,
            fact::MEMORYDB_HAS_NO_TOKEN,
            fact::MEMORYDB_DOES_NOT_EVICT,
            fact::MEMORYDB_ENDS_AT_7,
            fact::MEMORYDB_WRITE_LIMIT,
        ],
    };
    if service != Service::MemoryDb && !work.backup.is_zero() {
        facts.push(fact::ONE_BACKUP_MAY_BE_FREE);
    }
    let reserved = work.purchase != Purchase::OnDemand;
    if service == Service::MemoryDb && engine == Engine::Valkey && reserved {
        facts.push(fact::MEMORYDB_RESERVES_REDIS);
    }
    facts
}
