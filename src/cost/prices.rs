//! The price file: `data/prices.json`, or another of the same form. docs/cost.md describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize as Read, Serialize};
use thiserror::Error;

use super::decimal::{Money, Quantity};
use super::shape::{Engine, Mode, NodeType, Payment, Purchase, Term};

/// The price file that comes with the program.
pub const BUILT_IN: &str = include_str!("../../data/prices.json");

const FORMAT: &str = "orchestrate-prices-1";

/// Why a price file cannot be used: one message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct PricesError(String);

/// Prices, each with where it is from.
#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    format: String,
    /// "USD".
    pub currency: String,
    /// The day of which most of the figures are.
    pub as_of: Date,
    #[serde(deserialize_with = "each_once")]
    sources: BTreeMap<String, SourceOfFigures>,
    #[serde(deserialize_with = "each_once")]
    regions: BTreeMap<String, Region>,
}

/// Where figures are from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Read, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceOfFigures {
    /// What was read.
    pub title: String,
    /// Of which day it is.
    pub as_of: Date,
    /// Why it may be wrong, if it is not certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsure: Option<String>,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    nodes: Vec<Nodes>,
    #[serde(default)]
    reserved: Vec<Reserved>,
    #[serde(default)]
    reserved_at_most: Vec<AtMost>,
    #[serde(default)]
    backup: Vec<Backup>,
    #[serde(default)]
    data_written: Vec<Written>,
    #[serde(default)]
    durability: Vec<Surcharge>,
    #[serde(default)]
    s3: Option<S3>,
    #[serde(default)]
    serverless: Vec<Serverless>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Read)]
#[serde(rename_all = "lowercase")]
enum Billed {
    ElastiCache,
    MemoryDb,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct Nodes {
    service: Billed,
    engine: Engine,
    source: String,
    #[serde(deserialize_with = "each_once")]
    per_hour: BTreeMap<String, Money>,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct Reserved {
    service: Billed,
    engine: Engine,
    term: Term,
    payment: Payment,
    source: String,
    #[serde(deserialize_with = "each_once")]
    nodes: BTreeMap<String, Offering>,
}

/// A reserved node as AWS sells it: so much at once, so much for each hour of the term.
#[derive(Clone, Copy, Debug, Read)]
#[serde(deny_unknown_fields)]
pub(super) struct Offering {
    pub(super) upfront: Money,
    pub(super) per_hour: Money,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct AtMost {
    service: Billed,
    percent: Quantity,
    source: String,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct Backup {
    service: Billed,
    per_gb_month: Money,
    free: Free,
    source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Read)]
#[serde(rename_all = "snake_case")]
pub(super) enum Free {
    Nothing,
    ClusterSize,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct Written {
    engine: Engine,
    per_gb: Money,
    free_gb: Quantity,
    source: String,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
struct Surcharge {
    mode: Mode,
    percent: Quantity,
    source: String,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
pub(super) struct S3 {
    pub(super) per_gb_month: Money,
    pub(super) per_1000_puts: Money,
    pub(super) per_1000_gets: Money,
    source: String,
}

#[derive(Clone, Debug, Read)]
#[serde(deny_unknown_fields)]
pub(super) struct Serverless {
    engine: Engine,
    pub(super) per_gb_hour: Money,
    pub(super) per_million_ecpu: Money,
    pub(super) least_gb: Quantity,
    source: String,
}

/// A figure and where it is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure<'a, T> {
    pub(super) value: T,
    pub(super) source: &'a SourceOfFigures,
}

impl Prices {
    /// Reads a price file.
    ///
    /// # Errors
    /// If it is not JSON of the documented form, names something twice, or refers to a source it does not have.
    pub fn read(text: &str) -> Result<Self, PricesError> {
        let prices: Self =
            serde_json::from_str(text).map_err(|error| PricesError(error.to_string()))?;
        prices.check()?;
        Ok(prices)
    }

    /// The prices that come with the program.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(BUILT_IN).expect("the price file in the program is one; a test reads it")
    }

    fn check(&self) -> Result<(), PricesError> {
        if self.format != FORMAT {
            return Err(PricesError(format!(
                "its format is \"{}\", and this program reads \"{FORMAT}\"",
                self.format
            )));
        }
        if self.regions.is_empty() {
            return Err(PricesError("it has no region".to_owned()));
        }
        for (name, region) in &self.regions {
            if let Some(source) =
                region.sources().find(|source| !self.sources.contains_key(*source))
            {
                return Err(PricesError(format!(
                    "regions.{name} refers to the source \"{source}\", which `sources` does not have"
                )));
            }
            region.check().map_err(|problem| PricesError(format!("regions.{name}: {problem}")))?;
        }
        Ok(())
    }

    /// The regions it has prices of.
    pub fn regions(&self) -> impl Iterator<Item = &str> {
        self.regions.keys().map(String::as_str)
    }

    /// Whether it has prices of that region.
    #[must_use]
    pub fn has_region(&self, region: &str) -> bool {
        self.regions.contains_key(region)
    }

    /// The node types that any service has a price of there.
    #[must_use]
    pub fn node_types(&self, region: &str) -> BTreeSet<&str> {
        let region = self.regions.get(region);
        let groups = region.into_iter().flat_map(|region| &region.nodes);
        groups.flat_map(|group| group.per_hour.keys().map(String::as_str)).collect()
    }

    fn figure<T>(&self, value: T, source: &str) -> Option<Figure<'_, T>> {
        Some(Figure { value, source: self.sources.get(source)? })
    }

    pub(super) fn node(
        &self,
        region: &str,
        billed: &str,
        engine: Engine,
        node: &NodeType,
    ) -> Option<Figure<'_, Money>> {
        self.regions.get(region)?.nodes.iter().find_map(|group| {
            let fits = group.service.name() == billed && group.engine == engine;
            let price = group.per_hour.get(node.as_str()).filter(|_| fits)?;
            self.figure(*price, &group.source)
        })
    }

    pub(super) fn reserved(
        &self,
        region: &str,
        billed: &str,
        engine: Engine,
        node: &NodeType,
        purchase: Purchase,
    ) -> Option<Figure<'_, (Term, Offering)>> {
        let Purchase::Reserved(term, payment) = purchase else { return None };
        self.regions.get(region)?.reserved.iter().find_map(|group| {
            let fits = group.service.name() == billed
                && (group.engine, group.term, group.payment) == (engine, term, payment);
            let offering = group.nodes.get(node.as_str()).filter(|_| fits)?;
            self.figure((term, *offering), &group.source)
        })
    }

    pub(super) fn reserved_at_most(
        &self,
        region: &str,
        billed: &str,
    ) -> Option<Figure<'_, Quantity>> {
        let groups = &self.regions.get(region)?.reserved_at_most;
        let group = groups.iter().find(|group| group.service.name() == billed)?;
        self.figure(group.percent, &group.source)
    }

    pub(super) fn backup(&self, region: &str, billed: &str) -> Option<Figure<'_, (Money, Free)>> {
        let groups = &self.regions.get(region)?.backup;
        let group = groups.iter().find(|group| group.service.name() == billed)?;
        self.figure((group.per_gb_month, group.free), &group.source)
    }

    pub(super) fn written(
        &self,
        region: &str,
        engine: Engine,
    ) -> Option<Figure<'_, (Money, Quantity)>> {
        let groups = &self.regions.get(region)?.data_written;
        let group = groups.iter().find(|group| group.engine == engine)?;
        self.figure((group.per_gb, group.free_gb), &group.source)
    }

    pub(super) fn surcharge(&self, region: &str, mode: Mode) -> Option<Figure<'_, Quantity>> {
        let groups = &self.regions.get(region)?.durability;
        let group = groups.iter().find(|group| group.mode == mode)?;
        self.figure(group.percent, &group.source)
    }

    pub(super) fn s3(&self, region: &str) -> Option<Figure<'_, &S3>> {
        let s3 = self.regions.get(region)?.s3.as_ref()?;
        self.figure(s3, &s3.source)
    }

    pub(super) fn serverless(
        &self,
        region: &str,
        engine: Engine,
    ) -> Option<Figure<'_, &Serverless>> {
        let groups = &self.regions.get(region)?.serverless;
        let group = groups.iter().find(|group| group.engine == engine)?;
        self.figure(group, &group.source)
    }
}

impl Billed {
    fn name(self) -> &'static str {
        match self {
            Self::ElastiCache => "elasticache",
            Self::MemoryDb => "memorydb",
        }
    }
}

impl Region {
    fn sources(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.iter().map(|group| &group.source);
        let reserved = self.reserved.iter().map(|group| &group.source);
        let at_most = self.reserved_at_most.iter().map(|group| &group.source);
        let backup = self.backup.iter().map(|group| &group.source);
        let written = self.data_written.iter().map(|group| &group.source);
        let durability = self.durability.iter().map(|group| &group.source);
        let serverless = self.serverless.iter().map(|group| &group.source);
        let s3 = self.s3.iter().map(|group| &group.source);
        let all = nodes.chain(reserved).chain(at_most).chain(backup).chain(written);
        all.chain(durability).chain(serverless).chain(s3).map(String::as_str)
    }

    /// Nothing has two prices, and percentages are percentages.
    fn check(&self) -> Result<(), String> {
        let mut nodes = BTreeSet::new();
        for group in &self.nodes {
            for name in group.per_hour.keys() {
                node_type(name)?;
                if !nodes.insert((group.service, group.engine, name)) {
                    let (service, engine) = (group.service.name(), group.engine);
                    return Err(format!("{service} {engine} {name} has two prices in `nodes`"));
                }
            }
        }
        let mut reserved = BTreeSet::new();
        for group in &self.reserved {
            for name in group.nodes.keys() {
                node_type(name)?;
                let of = (group.service, group.engine, group.term, group.payment, name);
                if !reserved.insert(of) {
                    let purchase = Purchase::Reserved(group.term, group.payment);
                    return Err(format!(
                        "{} {} {name}, {purchase}, has two prices in `reserved`",
                        group.service.name(),
                        group.engine
                    ));
                }
            }
        }
        once("backup", self.backup.iter().map(|group| group.service))?;
        once("reserved_at_most", self.reserved_at_most.iter().map(|group| group.service))?;
        once("data_written", self.data_written.iter().map(|group| group.engine))?;
        once("durability", self.durability.iter().map(|group| group.mode))?;
        once("serverless", self.serverless.iter().map(|group| group.engine))?;
        if self.reserved_at_most.iter().any(|group| group.percent > Quantity::whole(100)) {
            return Err("`reserved_at_most` is more than 100 per cent".to_owned());
        }
        Ok(())
    }
}

fn node_type(name: &str) -> Result<(), String> {
    let bare = name.parse::<NodeType>()?;
    if bare.as_str() == name {
        return Ok(());
    }
    Err(format!("\"{name}\" is written without its prefix here: \"{bare}\""))
}

fn once<T: Ord>(group: &str, keys: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(format!("`{group}` has two entries for the same thing"));
        }
    }
    Ok(())
}

/// A JSON object in which no key stands twice. By itself `serde_json` lets the last one win.
fn each_once<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Once<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Once<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                if found.contains_key(&key) {
                    return Err(A::Error::custom(format!("\"{key}\" stands twice")));
                }
                let value = map.next_value()?;
                found.insert(key, value);
            }
            Ok(found)
        }
    }

    deserializer.deserialize_map(Once(PhantomData))
}
