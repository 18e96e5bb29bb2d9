//! The seam between steps and Redis servers: real ones over the wire, or an in-process model.

use async_trait::async_trait;

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
    /// The value in a canonical form: equal values give equal bytes, whatever the encoding or server version.
    pub value: Vec<u8>,
    /// Expiry in milliseconds since the epoch.
    pub expires_at_ms: Option<u64>,
}

/// An open connection to all primaries of one deployment.
#[async_trait(?Send)]
pub trait Store {
    /// Number of primaries.
    fn shards(&self) -> usize;

    /// Keys on all primaries (DBSIZE).
    async fn count(&mut self) -> Result<u64, Failure>;

    /// A page of keys of one primary. Begin with cursor 0; the scan is over when 0 comes back.
    async fn scan(&mut self, shard: usize, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Failure>;

    /// The entries under `keys`, wherever their slots are; `None` for a key that is not there.
    async fn read(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Entry>>, Failure>;

    /// Function libraries: name and code, sorted by name. Empty on servers without functions.
    async fn functions(&mut self) -> Result<Vec<(String, String)>, Failure>;
}

/// Opens stores.
#[async_trait(?Send)]
pub trait DataPlane {
    /// Connects to every primary of the deployment at `target`.
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure>;

    /// Whether a server answers at `host:port`, without logging in: a TCP connection, no more.
    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure>;
}
