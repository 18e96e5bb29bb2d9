//! Prices, and the cluster that is priced: from flags, or read from a live one.

use std::path::Path;

use super::args::ShapeArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::live::{self, Depth, Live};
use super::output::Output;
use super::playbook_file;
use crate::cost::{Comparison, Engine, Prices, Purchase, Quantity, Service, Workload, compare};
use crate::facts::node_memory;

/// Where prices are taken from if nothing names a region.
const REGION: &str = "us-east-1";

/// Prices older than this are said to be old.
const OLD_DAYS: i32 = 180;

/// The cluster as far as it is known, and the prices.
pub(crate) struct Priced {
    /// The prices.
    pub(crate) prices: Prices,
    /// Of which region.
    pub(crate) region: String,
    /// What was read from the live cluster.
    pub(crate) live: Option<Live>,
    /// What is priced; `None` without a node type.
    pub(crate) work: Option<Workload>,
}

/// Reads prices and cluster.
///
/// # Errors
/// `InvalidPlaybook` for a bad price file; `Usage` or `Refused` if the live cluster cannot be read.
pub(crate) async fn read(
    args: &ShapeArgs,
    million_ecpus: Option<Quantity>,
    depth: Depth,
    output: Output,
) -> Result<Priced, CommandError> {
    let prices = prices(args.prices.as_deref(), output)?;
    let live = match &args.from {
        Some(id) => Some(live::read(id, args.region.clone(), depth).await?),
        None => None,
    };
    let region = args.region.clone().or_else(|| live.as_ref().map(|live| live.region.clone()));
    let region = region.or_else(of_environment).unwrap_or_else(|| REGION.to_owned());
    let seen = live.as_ref();
    let engine = args.engine.or_else(|| seen.and_then(|live| live.today.engine));
    let node_type = args.node_type.clone().or_else(|| seen.and_then(|l| l.node_type.clone()));
    let work = node_type.map(|node_type| Workload {
        today: today(seen, engine.unwrap_or(Engine::Redis)),
        node_memory: node_memory(&format!("cache.{node_type}")),
        node_type,
        shards: args.shards.or_else(|| seen.map(|live| live.shards)).unwrap_or(1),
        replicas: args.replicas.or_else(|| seen.map(|live| live.replicas)).unwrap_or(1),
        data: args.data_gb.or_else(|| seen.and_then(|live| live.data)),
        written: args.written_gb,
        backup: args.backup_gb,
        purchase: args.reserved,
        million_ecpus,
    });
    Ok(Priced { prices, region, live, work })
}

fn today(live: Option<&Live>, engine: Engine) -> (Service, Engine) {
    let durable = live.and_then(|live| live.mode).filter(|_| engine == Engine::Valkey);
    (durable.map_or(Service::ElastiCache, Service::Durable), engine)
}

fn of_environment() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"))
}

/// The price file that was named, or the program's own.
///
/// # Errors
/// `InvalidPlaybook` if it is none.
pub(crate) fn prices(path: Option<&Path>, output: Output) -> Result<Prices, CommandError> {
    let Some(path) = path else { return Ok(Prices::built_in()) };
    let source = playbook_file::read(path, output)?;
    Prices::read(source.text()).map_err(|error| {
        CommandError::new(
            Exit::InvalidPlaybook,
            format!("{}: this is no price file", path.display()),
        )
        .because(error.to_string())
        .hint("docs/cost.md describes the form; the program's own file is data/prices.json")
    })
}

impl Priced {
    /// The comparison.
    ///
    /// # Errors
    /// `Usage` if the price file lacks the region or the node type.
    pub(crate) fn compared(&self) -> Result<Option<Comparison>, CommandError> {
        let Some(work) = &self.work else { return Ok(None) };
        if !self.prices.has_region(&self.region) {
            let known: Vec<&str> = self.prices.regions().collect();
            return Err(CommandError::new(
                Exit::Usage,
                format!("the price file has no prices of {}", self.region),
            )
            .because(format!("it has those of {}", known.join(", ")))
            .hint("name one of these with --region to compare by its prices, or give a file that has yours with --prices"));
        }
        let known = self.prices.node_types(&self.region);
        let node = work.node_type.as_str();
        if !known.contains(node) {
            let near = known
                .iter()
                .map(|known| (strsim::jaro_winkler(known, node), *known))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(likeness, _)| *likeness > 0.8);
            let listed: Vec<&str> = known.into_iter().collect();
            let error = CommandError::new(
                Exit::Usage,
                format!("the price file has no price of {node} nodes in {}", self.region),
            )
            .because(format!("it has {}", listed.join(", ")));
            return Err(match near {
                Some((_, near)) => error.hint(format!(
                    "did you mean {near}? Another type can be added to a copy of the file: --prices"
                )),
                None => error.hint("add it to a copy of the file, and name that with --prices"),
            });
        }
        let mut comparison = compare(&self.prices, &self.region, work);
        comparison.notes.extend(old(&self.prices));
        comparison.notes.extend(too_few_ecpus(work));
        if work.purchase != Purchase::OnDemand {
            comparison.notes.extend(not_reserved(&comparison));
        }
        Ok(Some(comparison))
    }
}

/// Prices change; a file that nobody looked at for long is said to be old.
pub(crate) fn old(prices: &Prices) -> Option<String> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = today.since(prices.as_of).ok()?.get_days();
    (days > OLD_DAYS).then(|| format!("the prices are {days} days old; --prices takes newer ones"))
}

/// Reads and writes take one ElastiCache processing unit a kilobyte (ElastiCache pricing, serverless).
fn too_few_ecpus(work: &Workload) -> Option<String> {
    let (written, given) = (work.written?, work.million_ecpus?);
    let needed = written.times(Quantity::ratio(1 << 20, 1_000_000));
    (needed > given).then(|| {
        format!(
            "{} GB written in a month take {} million ECPUs at least, one a kilobyte, and {} are given: Serverless would cost more than is shown",
            written.words(),
            needed.short(),
            given.words()
        )
    })
}

/// Said once, at the top: the table holds on-demand prices although others were asked for.
fn not_reserved(comparison: &Comparison) -> Option<String> {
    let missing = comparison.rows.iter().any(|row| !row.month.not_deducted.is_empty());
    missing.then(|| {
        "reserved prices were asked for and the price file lacks some: those rows are on demand, and say how much less it can be at most".to_owned()
    })
}
