//! The seam between steps and Redis servers: real ones over the wire, or an in-process model.

use async_trait::async_trait;

use super::canary::Canary;
use crate::engine::Failure;

/// A secret in memory. Shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a store is and how to enter it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name or address: a cluster's configuration endpoint, or a single primary.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, with certificate and host name verified.
    pub tls: bool,
    /// The user; "default" if none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// One key as a comparison sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// "string", "hash", "list", "set", "zset", "stream", or what TYPE says.
    pub kind: String,
    /// The value in a canonical form, or a digest of it: equal values give equal bytes, whatever the encoding or the
    /// server version, as long as both stores come from one `DataPlane`.
    pub value: Vec<u8>,
    /// Expiry in milliseconds since the epoch.
    pub expires_at_ms: Option<u64>,
}

/// A piece of a value, for saying in what two values differ without showing them: a field of a hash, a member of a
/// set or sorted set, an element of a list, an entry or a group of a stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// What names it within its value: the field, the member, the index in decimal, "entry 1-0".
    pub name: Vec<u8>,
    /// A digest of name and content.
    pub digest: [u8; 16],
}

/// An open connection to all primaries of one deployment.
#[async_trait(?Send)]
pub trait Store {
    /// Number of primaries.
    fn shards(&self) -> usize;

    /// Keys on all primaries (DBSIZE).
    async fn count(&mut self) -> Result<u64, Failure>;

    /// A page of keys of one primary. Begin with cursor 0; the scan is over when 0 comes back. A page may be empty, and
    /// a key may come twice.
    async fn scan(&mut self, shard: usize, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Failure>;

    /// The entries under `keys`, wherever their slots are; `None` for a key that is not there.
    async fn read(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Entry>>, Failure>;

    /// Function libraries: name and code, sorted by name. Empty on servers without functions.
    async fn functions(&mut self) -> Result<Vec<(String, String)>, Failure>;

    /// Which of `keys` are there.
    async fn present(&mut self, keys: &[Vec<u8>]) -> Result<Vec<bool>, Failure> {
        Ok(self.read(keys).await?.iter().map(Option::is_some).collect())
    }

    /// The pieces of the value under `key`, sorted; `None` if it is not there, has too many, or cannot be taken apart.
    async fn parts(&mut self, key: &[u8]) -> Result<Option<Vec<Part>>, Failure> {
        let _ = key;
        Ok(None)
    }

    /// Numbers of the databases other than 0 that hold keys. Always empty in cluster mode.
    async fn other_databases(&mut self) -> Result<Vec<u32>, Failure> {
        Ok(Vec::new())
    }

    /// The server's clock, in milliseconds since the epoch; `None` if it does not tell.
    async fn now_ms(&mut self) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    /// Whether entries of streams cover `entries-added`, `entries-read` and the greatest deleted id, which servers
    /// have since 7.0.
    fn stream_counters(&self) -> bool {
        true
    }

    /// Leaves these counters out from now on, because the other side has none.
    fn omit_stream_counters(&mut self) {}
}

/// Opens stores.
#[async_trait(?Send)]
pub trait DataPlane {
    /// Connects to every primary of the deployment at `target`.
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure>;

    /// A canary that writes under `key` of the deployment at `target`. Connects when it first writes.
    ///
    /// # Errors
    /// There is no way to write here.
    fn canary(&self, target: &Target, key: &str) -> Result<Box<dyn Canary>, Failure> {
        let _ = key;
        Err(Failure::fatal(format!("nothing can be written at {}", target.host)))
    }

    /// Whether a server answers at `host:port`, without logging in: a TCP connection, no more.
    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure>;
}
