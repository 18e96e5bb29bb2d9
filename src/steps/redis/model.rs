//! Stores in memory, for tests and for machines without Redis. No sockets, so a paused clock may be used.

use std::collections::BTreeSet;
use std::rc::Rc;

use async_trait::async_trait;

use super::canary::Canary;
use super::plane::{DataPlane, Entry, Store, Target};
use crate::engine::{Class, Clock, Failure};

/// Keys in a page of a scan.
const PAGE: usize = 100;

/// What is kept at a host and port: keys and entries, or nothing if no server is there.
type Lookup = dyn Fn(&str, u16) -> Option<Vec<(Vec<u8>, Entry)>>;

/// Sets the string under a key at a host and port, or removes it. False if no server is there.
type Writer = dyn Fn(&str, u16, &[u8], Option<&[u8]>) -> bool;

/// Stores that a function knows the contents of.
pub struct ModelPlane {
    lookup: Box<Lookup>,
    writer: Option<Rc<Writer>>,
    clock: Clock,
}

impl ModelPlane {
    /// `lookup` is asked at each opening, so contents may change between two; `clock` decides what has expired.
    pub fn new(
        clock: Clock,
        lookup: impl Fn(&str, u16) -> Option<Vec<(Vec<u8>, Entry)>> + 'static,
    ) -> Self {
        Self { lookup: Box::new(lookup), writer: None, clock }
    }

    /// The same, with a way to write.
    #[must_use]
    pub fn with_writer(
        mut self,
        writer: impl Fn(&str, u16, &[u8], Option<&[u8]>) -> bool + 'static,
    ) -> Self {
        self.writer = Some(Rc::new(writer));
        self
    }

    fn find(&self, host: &str, port: u16) -> Result<Vec<(Vec<u8>, Entry)>, Failure> {
        (self.lookup)(host, port).ok_or_else(|| {
            Failure::new(Class::Transient, format!("cannot reach {host}:{port}"))
                .because("no server is there")
        })
    }
}

struct ModelStore {
    entries: Vec<(Vec<u8>, Entry)>,
    clock: Clock,
}

impl ModelStore {
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0)
    }

    fn alive(&self) -> impl Iterator<Item = &(Vec<u8>, Entry)> {
        let now = self.now();
        self.entries.iter().filter(move |(_, e)| e.expires_at_ms.is_none_or(|at| at > now))
    }
}

#[async_trait(?Send)]
impl Store for ModelStore {
    fn shards(&self) -> usize {
        1
    }

    async fn count(&mut self) -> Result<u64, Failure> {
        Ok(self.alive().count() as u64)
    }

    async fn scan(&mut self, _shard: usize, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Failure> {
        let from = usize::try_from(cursor).unwrap_or(usize::MAX).min(self.entries.len());
        let to = (from + PAGE).min(self.entries.len());
        let now = self.now();
        let keys = self.entries[from..to]
            .iter()
            .filter(|(_, e)| e.expires_at_ms.is_none_or(|at| at > now))
            .map(|(key, _)| key.clone())
            .collect();
        Ok((if to == self.entries.len() { 0 } else { to as u64 }, keys))
    }

    async fn read(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Entry>>, Failure> {
        let now = self.now();
        Ok(keys
            .iter()
            .map(|key| {
                let found = self.entries.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
                let entry = &self.entries[found].1;
                entry.expires_at_ms.is_none_or(|at| at > now).then(|| entry.clone())
            })
            .collect())
    }

    async fn functions(&mut self) -> Result<Vec<(String, String)>, Failure> {
        Ok(Vec::new())
    }

    async fn now_ms(&mut self) -> Result<Option<u64>, Failure> {
        Ok(Some(self.now()))
    }
}

#[async_trait(?Send)]
impl DataPlane for ModelPlane {
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure> {
        let mut entries = self.find(&target.host, target.port)?;
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Box::new(ModelStore { entries, clock: self.clock.clone() }))
    }

    fn canary(&self, target: &Target, key: &str) -> Result<Box<dyn Canary>, Failure> {
        let Some(writer) = self.writer.clone() else {
            return Err(Failure::fatal(format!("nothing can be written at {}", target.host)));
        };
        let (target, key) = (target.clone(), key.as_bytes().to_vec());
        Ok(Box::new(ModelCanary { writer, target, key, written: BTreeSet::new() }))
    }

    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure> {
        self.find(host, port).map(|_| ())
    }
}

/// The model loses nothing: what was written is what was acknowledged.
struct ModelCanary {
    writer: Rc<Writer>,
    target: Target,
    key: Vec<u8>,
    written: BTreeSet<u64>,
}

impl ModelCanary {
    fn set(&self, value: Option<&[u8]>) -> Result<(), Failure> {
        let Target { host, port, .. } = &self.target;
        if (self.writer)(host, *port, &self.key, value) {
            return Ok(());
        }
        Err(Failure::new(Class::Transient, format!("cannot reach {host}:{port}")))
    }
}

#[async_trait(?Send)]
impl Canary for ModelCanary {
    async fn write(&mut self, number: u64) -> Result<(), Failure> {
        self.set(Some(number.to_string().as_bytes()))?;
        self.written.insert(number);
        Ok(())
    }

    async fn written(&mut self) -> Result<BTreeSet<u64>, Failure> {
        Ok(self.written.clone())
    }

    async fn remove(&mut self) -> Result<(), Failure> {
        self.set(None)
    }
}
