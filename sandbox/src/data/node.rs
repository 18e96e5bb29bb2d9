//! One server: its process, and the sandbox's own way in through a socket file. Every call here blocks.

use super::acl::ADMIN;
use super::config::{ServerConfig, files};
use super::error::DataError;
use super::ports::BUS_OFFSET;
use super::process::{Registry, ServerProcess};
use super::program::Program;
use super::tls::Authority;
use redis::{Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a server may take until it answers. Loading a snapshot counts.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
/// A command that takes longer than this is a bug of the sandbox or a stopped machine.
const ANSWER: Duration = Duration::from_secs(60);

/// What servers are made of, shared by every cluster of a data plane.
pub(crate) struct Host {
    pub(crate) program: Program,
    pub(crate) authority: Arc<Authority>,
    pub(crate) registry: Arc<Registry>,
}

/// What one server should be.
#[derive(Clone, Copy, Default)]
pub(crate) struct NodeSpec<'a> {
    pub(crate) port: Option<u16>,
    pub(crate) cluster_mode: bool,
    pub(crate) tls: bool,
    /// A snapshot to load at the start.
    pub(crate) rdb: Option<&'a [u8]>,
}

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) process: Arc<ServerProcess>,
    /// Zero without a TCP port.
    pub(crate) port: u16,
    /// The port of the cluster's bus: that of the first port, whatever address the server takes over later.
    pub(crate) bus: u16,
    password: Arc<str>,
}

impl Node {
    /// Writes the server's files and starts it, without waiting for it.
    pub(crate) fn launch(host: &Host, spec: NodeSpec<'_>) -> Result<Self, DataError> {
        let process = host.registry.process(&host.program)?;
        let secret: [u8; 32] = rand::random();
        let password: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let config = ServerConfig {
            folder: process.folder(),
            port: spec.port,
            cluster_mode: spec.cluster_mode,
            tls: spec.tls,
            admin_password: &password,
            major: host.program.major(),
        };
        process.write(files::CONFIG, config.text().as_bytes())?;
        if spec.tls {
            process.write(files::CA, host.authority.ca.as_bytes())?;
            process.write(files::CERTIFICATE, host.authority.certificate.as_bytes())?;
            process.write(files::KEY, host.authority.key.as_bytes())?;
        }
        if let Some(rdb) = spec.rdb {
            process.write(files::DUMP, rdb)?;
        }
        process.launch()?;
        let port = spec.port.unwrap_or(0);
        let bus = port.saturating_add(BUS_OFFSET);
        Ok(Self { process, port, bus, password: password.into() })
    }

    /// Waits until the server answers, at most ten seconds.
    pub(crate) fn ready(&self) -> Result<Connection, DataError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.process.ended_within(POLL) {
                return Err(self.process.start_error(self.process.last_words()));
            }
            let reason = match self.ping() {
                Ok(connection) => return Ok(connection),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                let seconds = PATIENCE.as_secs();
                return Err(self
                    .process
                    .start_error(format!("no answer within {seconds} s (last: {reason})")));
            }
        }
    }

    fn ping(&self) -> redis::RedisResult<Connection> {
        let mut connection = self.open()?;
        redis::cmd("PING").query::<()>(&mut connection)?;
        Ok(connection)
    }

    fn open(&self) -> redis::RedisResult<Connection> {
        let socket = self.process.folder().join(files::SOCKET);
        let settings = RedisConnectionInfo::default()
            .set_username(ADMIN)
            .set_password(&*self.password)
            .set_skip_set_lib_name();
        let info =
            ConnectionAddr::Unix(socket).into_connection_info()?.set_redis_settings(settings);
        let connection = redis::Client::open(info)?.get_connection()?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        Ok(connection)
    }

    /// The password of the sandbox's own user.
    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// A connection as the sandbox's own user.
    pub(crate) fn connect(&self) -> Result<Connection, DataError> {
        self.open().map_err(|error| DataError::server("connecting to a server", error))
    }

    /// The fields of `INFO <section>`.
    pub(crate) fn info(
        connection: &mut Connection,
        section: &str,
    ) -> Result<Vec<(String, String)>, DataError> {
        let text: String = redis::cmd("INFO")
            .arg(section)
            .query(connection)
            .map_err(|error| DataError::server(format!("INFO {section}"), error))?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect())
    }

    /// Databases that hold keys, with their key counts.
    pub(crate) fn databases(connection: &mut Connection) -> Result<Vec<(u32, u64)>, DataError> {
        Ok(Self::info(connection, "keyspace")?
            .into_iter()
            .filter_map(|(name, value)| {
                let database = name.strip_prefix("db")?.parse().ok()?;
                let keys = value.split(',').next()?.strip_prefix("keys=")?.parse().ok()?;
                Some((database, keys))
            })
            .collect())
    }
}
