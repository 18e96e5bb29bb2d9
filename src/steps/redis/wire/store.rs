//! An open deployment: a connection to each primary, and the map from slots to them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use redis::{Pipeline, Value};
use tokio_rustls::TlsConnector;

use super::error::{Fault, fault, refused};
use super::link::Link;
use super::read::{self, Abilities, Got};
use super::reply::{Named, bytes, cmd, list, number, odd, page};
use super::topology::{Node, Topology};
use crate::engine::{Class, Failure};
use crate::steps::redis::plane::{Entry, Part, Store, Target};
use crate::steps::redis::slot::slot_of;

const PAGE: &[u8] = b"500";
/// How often a key is asked for again whose slot moved or whose type changed meanwhile.
const ROUNDS: u32 = 5;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(200);

pub(super) struct WireStore {
    target: Target,
    tls: Option<TlsConnector>,
    links: Vec<Link>,
    /// `None` if the server is not in cluster mode.
    topology: Option<Topology>,
    /// Slots moved since the store was opened, so that scans may have missed keys.
    moved: bool,
    abilities: Abilities,
}

impl WireStore {
    pub(super) async fn open(target: Target, tls: Option<TlsConnector>) -> Result<Self, Failure> {
        let seed = Link::dial(&target, tls.as_ref(), &target.host, target.port).await?;
        let info = info(&seed).await?;
        let mut store = Self {
            topology: topology(&seed, &target).await?,
            abilities: Abilities::of(&info),
            target,
            tls,
            links: Vec::new(),
            moved: false,
        };
        match &store.topology {
            Some(topology) => store.links = store.dial(&topology.primaries).await?,
            None if info.get("role").is_some_and(|role| role == "slave") => {
                return Err(Failure::fatal(format!("{} is a replica", seed.at))
                    .because("a replica may lag behind its primary")
                    .mend("name the primary's endpoint"));
            }
            None => store.links = vec![seed],
        }
        Ok(store)
    }

    async fn dial(&self, nodes: &[Node]) -> Result<Vec<Link>, Failure> {
        let dialled = nodes
            .iter()
            .map(|node| Link::dial(&self.target, self.tls.as_ref(), &node.host, node.port));
        join_all(dialled).await.into_iter().collect()
    }

    /// Learns anew which primary holds which slot.
    async fn refresh(&mut self) -> Result<(), Failure> {
        let fresh = match self.links.first() {
            Some(link) => topology(link, &self.target).await?,
            None => None,
        };
        if fresh == self.topology {
            return Ok(());
        }
        self.moved = true;
        if let Some(fresh) = fresh {
            self.links = self.dial(&fresh.primaries).await?;
            self.topology = Some(fresh);
        }
        Ok(())
    }

    /// Indexes into `keys` by the connection that holds them.
    fn spread(&self, keys: &[Vec<u8>], wanted: &[usize]) -> Vec<Vec<usize>> {
        let mut spread = vec![Vec::new(); self.links.len()];
        for index in wanted {
            let shard = match &self.topology {
                Some(topology) => topology.owner[usize::from(slot_of(&keys[*index]))],
                None => 0,
            };
            spread[shard].push(*index);
        }
        spread
    }

    /// The link that holds `key` now.
    fn link(&self, key: &[u8]) -> &Link {
        let shard = self.topology.as_ref().map_or(0, |t| t.owner[usize::from(slot_of(key))]);
        &self.links[shard]
    }

    async fn again(&mut self, round: u32, left: usize) -> Result<(), Failure> {
        if round + 1 == ROUNDS {
            return Err(Failure::new(
                Class::Transient,
                format!("{left} keys of {} do not hold still", self.target.host),
            )
            .because("their slots move between shards, or their types change")
            .mend("wait until resharding is over"));
        }
        self.refresh().await?;
        tokio::time::sleep(BETWEEN_ROUNDS * round).await;
        Ok(())
    }
}

/// The lines of INFO by name.
async fn info(link: &Link) -> Result<BTreeMap<String, String>, Failure> {
    let answer = link.one(&cmd(&[b"INFO"])).await?;
    let text = plain(bytes(answer, &link.at))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect())
}

async fn topology(link: &Link, target: &Target) -> Result<Option<Topology>, Failure> {
    let mut pipe = Pipeline::new();
    pipe.add_command(cmd(&[b"CLUSTER", b"SLOTS"]));
    match link.all(&pipe, 1).await?.pop() {
        Some(Value::ServerError(error)) => match error.details() {
            Some(details) if details.contains("cluster support disabled") => Ok(None),
            _ => Err(refused(&error, &link.at)),
        },
        Some(slots) => Topology::read(&slots, &target.host, target.tls).map(Some),
        None => Ok(None),
    }
}

/// For commands that name no key: there is no elsewhere.
fn plain<T>(result: Result<T, Fault>) -> Result<T, Failure> {
    result.map_err(|fault| match fault {
        Fault::Failed(failure) => failure,
        Fault::Elsewhere | Fault::Changed => {
            Failure::new(Class::Transient, "the deployment changed while it was asked")
        }
    })
}

#[async_trait(?Send)]
impl Store for WireStore {
    fn shards(&self) -> usize {
        self.links.len()
    }

    async fn count(&mut self) -> Result<u64, Failure> {
        let mut total = 0;
        for link in &self.links {
            let answer = link.one(&cmd(&[b"DBSIZE"])).await?;
            let keys = plain(number(answer, &link.at))?.unwrap_or_default();
            total += u64::try_from(keys).unwrap_or_default();
        }
        Ok(total)
    }

    async fn scan(&mut self, shard: usize, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Failure> {
        if self.moved {
            return Err(Failure::new(
                Class::Transient,
                format!("slots of {} moved between shards while it was scanned", self.target.host),
            )
            .mend("wait until resharding or failover is over"));
        }
        let link = self
            .links
            .get(shard)
            .ok_or_else(|| Failure::fatal(format!("there is no shard {shard}")))?;
        let cursor = cursor.to_string();
        let answer = link.one(&cmd(&[b"SCAN", cursor.as_bytes(), b"COUNT", PAGE])).await?;
        plain(page(answer, &link.at))
    }

    async fn read(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Entry>>, Failure> {
        let mut entries: Vec<Option<Entry>> = vec![None; keys.len()];
        let mut wanted: Vec<usize> = (0..keys.len()).collect();
        for round in 0.. {
            let mut left = Vec::new();
            let spread = self.spread(keys, &wanted);
            let reads = self.links.iter().zip(&spread).map(async |(link, indexes)| {
                let keys: Vec<&[u8]> = indexes.iter().map(|i| keys[*i].as_slice()).collect();
                read::keys(link, self.abilities, &keys).await
            });
            for (got, indexes) in join_all(reads).await.into_iter().zip(&spread) {
                for (got, index) in got?.into_iter().zip(indexes) {
                    match got {
                        Got::There(entry) => entries[*index] = Some(entry),
                        Got::Absent => entries[*index] = None,
                        Got::Again => left.push(*index),
                    }
                }
            }
            if left.is_empty() {
                break;
            }
            self.again(round, left.len()).await?;
            wanted = left;
        }
        Ok(entries)
    }

    async fn present(&mut self, keys: &[Vec<u8>]) -> Result<Vec<bool>, Failure> {
        let mut present = vec![false; keys.len()];
        let mut wanted: Vec<usize> = (0..keys.len()).collect();
        for round in 0.. {
            let mut left = Vec::new();
            let spread = self.spread(keys, &wanted);
            let asks = self.links.iter().zip(&spread).map(async |(link, indexes)| {
                let mut pipe = Pipeline::with_capacity(indexes.len());
                for index in indexes {
                    pipe.add_command(cmd(&[b"EXISTS", &keys[*index]]));
                }
                (link, link.all(&pipe, indexes.len()).await)
            });
            for ((link, answers), indexes) in join_all(asks).await.into_iter().zip(&spread) {
                for (answer, index) in answers?.into_iter().zip(indexes) {
                    match number(answer, &link.at) {
                        Ok(found) => present[*index] = found == Some(1),
                        Err(Fault::Failed(failure)) => return Err(failure),
                        Err(Fault::Elsewhere | Fault::Changed) => left.push(*index),
                    }
                }
            }
            if left.is_empty() {
                break;
            }
            self.again(round, left.len()).await?;
            wanted = left;
        }
        Ok(present)
    }

    async fn parts(&mut self, key: &[u8]) -> Result<Option<Vec<Part>>, Failure> {
        match read::parts(self.link(key), self.abilities, key).await {
            Ok(parts) => Ok(parts),
            Err(Fault::Failed(failure)) => Err(failure),
            // Only words for a report hang on it; the difference itself is known already.
            Err(Fault::Elsewhere | Fault::Changed) => Ok(None),
        }
    }

    async fn functions(&mut self) -> Result<Vec<(String, String)>, Failure> {
        if !self.abilities.functions {
            return Ok(Vec::new());
        }
        // Each primary has libraries of its own; they are only loaded when every one has them.
        let mut libraries: BTreeMap<(String, String), usize> = BTreeMap::new();
        for link in &self.links {
            let answer = link.one(&cmd(&[b"FUNCTION", b"LIST", b"WITHCODE"])).await?;
            for library in plain(list(answer, &link.at))? {
                let mut library = plain(Named::read(library, &link.at))?;
                let mut text = |name| {
                    let text = plain(library.text(name, &link.at))?;
                    Ok::<_, Failure>(String::from_utf8_lossy(&text).into_owned())
                };
                *libraries.entry((text("library_name")?, text("library_code")?)).or_default() += 1;
            }
        }
        let primaries = self.links.len();
        Ok(libraries
            .into_iter()
            .map(|((name, code), on)| {
                if on == primaries {
                    (name, code)
                } else {
                    (format!("{name} (on {on} of {primaries} primaries only)"), code)
                }
            })
            .collect())
    }

    async fn other_databases(&mut self) -> Result<Vec<u32>, Failure> {
        let mut others = Vec::new();
        for link in &self.links {
            let info = info(link).await?;
            let databases = info.keys().filter_map(|name| name.strip_prefix("db"));
            others.extend(databases.filter_map(|n| n.parse::<u32>().ok()).filter(|n| *n != 0));
        }
        others.sort_unstable();
        others.dedup();
        Ok(others)
    }

    async fn now_ms(&mut self) -> Result<Option<u64>, Failure> {
        let Some(link) = self.links.first() else { return Ok(None) };
        let mut pipe = Pipeline::new();
        pipe.add_command(cmd(&[b"TIME"]));
        match link.all(&pipe, 1).await?.pop() {
            // A user may lack the right; the caller then goes by its own clock.
            Some(Value::ServerError(error)) if error.code() == "NOPERM" => Ok(None),
            Some(Value::ServerError(error)) => plain(Err(fault(&error, &link.at))),
            Some(time) => plain(read::clock(time, &link.at)).map(Some),
            None => plain(Err(odd("a time", &link.at))),
        }
    }

    fn stream_counters(&self) -> bool {
        self.abilities.stream_counters
    }

    fn omit_stream_counters(&mut self) {
        self.abilities.stream_counters = false;
    }
}
