//! One connection to one server.

use std::io;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisConnectionInfo, Value};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::{Fault, broken, fault, fault_of, refused, unreachable, untrusted};
use crate::engine::{Class, Failure};
use crate::steps::redis::plane::Target;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A logged-in connection. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    /// "host:port", as in messages.
    pub(super) at: String,
    conn: MultiplexedConnection,
}

/// Opens a TCP connection.
pub(super) async fn reach(host: &str, port: u16) -> Result<TcpStream, Failure> {
    let at = format!("{host}:{port}");
    match timeout(CONNECT_WITHIN, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(unreachable(&error, &at)),
        Err(_) => Err(unreachable(&io::Error::from(io::ErrorKind::TimedOut), &at)),
    }
}

impl Link {
    /// Connects to `host:port` as `target` says and logs in. With TLS the certificate must be for `host`.
    pub(super) async fn dial(
        target: &Target,
        tls: Option<&TlsConnector>,
        host: &str,
        port: u16,
    ) -> Result<Self, Failure> {
        let at = format!("{host}:{port}");
        let tcp = reach(host, port).await?;
        // Best effort: without it small commands may wait for an acknowledgement.
        let _ = tcp.set_nodelay(true);
        let conn = match tls {
            None => handshake(tcp, &at).await?,
            Some(connector) => {
                let name = ServerName::try_from(host.to_owned()).map_err(|error| {
                    Failure::fatal(format!("\"{host}\" is no host name")).because(error.to_string())
                })?;
                let session = timeout(CONNECT_WITHIN, connector.connect(name, tcp))
                    .await
                    .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
                    .map_err(|error| untrusted(&error, &at))?;
                handshake(session, &at).await?
            }
        };
        let link = Self { at, conn };
        link.log_in(target).await?;
        // So that reading does not make cold keys look used; servers before 7.2 do not know it.
        let mut no_touch = Cmd::new();
        no_touch.arg("CLIENT").arg("NO-TOUCH").arg("ON");
        let mut pipe = Pipeline::new();
        pipe.add_command(no_touch);
        link.all(&pipe, 1).await?;
        Ok(link)
    }

    async fn log_in(&self, target: &Target) -> Result<(), Failure> {
        let Some(password) = &target.password else {
            return match &target.user {
                None => Ok(()),
                Some(user) => Err(Failure::new(
                    Class::Denied,
                    format!("user \"{user}\" of {} has no password", self.at),
                )
                .mend("give `password` too")),
            };
        };
        let mut auth = Cmd::new();
        auth.arg("AUTH");
        if let Some(user) = &target.user {
            auth.arg(user);
        }
        auth.arg(password.reveal());
        self.one(&auth).await.map(|_| ())
    }

    /// Sends one command.
    ///
    /// # Errors
    /// Also if the server answers with an error.
    pub(super) async fn one(&self, cmd: &Cmd) -> Result<Value, Failure> {
        let answer = self.conn.clone().send_packed_command(cmd).await;
        match answer.map_err(|error| broken(&error, &self.at))? {
            Value::ServerError(error) => Err(refused(&error, &self.at)),
            value => Ok(value),
        }
    }

    /// Sends one command about one key.
    pub(super) async fn ask(&self, cmd: &Cmd) -> Result<Value, Fault> {
        let answer = self.conn.clone().send_packed_command(cmd).await;
        match answer {
            Ok(Value::ServerError(error)) => Err(fault(&error, &self.at)),
            Ok(value) => Ok(value),
            Err(error) => Err(fault_of(&error, &self.at)),
        }
    }

    /// Sends `count` commands at once. Error answers are among the values.
    pub(super) async fn all(&self, pipe: &Pipeline, count: usize) -> Result<Vec<Value>, Failure> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let answers = self.conn.clone().send_packed_commands(pipe, 0, count).await;
        let answers = answers.map_err(|error| broken(&error, &self.at))?;
        if answers.len() == count {
            Ok(answers)
        } else {
            Err(Failure::fatal(format!(
                "{} gave {} answers to {count} commands",
                self.at,
                answers.len()
            )))
        }
    }
}

async fn handshake(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    at: &str,
) -> Result<MultiplexedConnection, Failure> {
    // Logging in is a command of our own, so that its error is the server's; so the handshake sends nothing.
    let info =
        RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_WITHIN));
    let (conn, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|error| broken(&error, at))?;
    // Ends by itself when the last clone of `conn` is gone.
    tokio::spawn(driver);
    Ok(conn)
}
