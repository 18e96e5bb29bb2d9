//! One POST over a connection of its own. It blocks, with timeouts in real time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Longest first line of an answer; what follows is not read.
const LONGEST_LINE: u64 = 1024;

/// An HTTP address.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    tls: bool,
    host: String,
    port: u16,
    /// Path and query.
    path: String,
}

/// A message on its way.
pub(super) struct Message {
    pub(super) address: Address,
    pub(super) key: String,
    pub(super) body: String,
}

impl Address {
    /// Reads `https://host[:port][/path][?query]`. An error does not repeat the text.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("it does not begin with https://")?;
        let tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("it does not begin with https:// or http://"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("it holds a user: name the whole address in `url_secret`");
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| "its port is no number")?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err("its host is no name");
        }
        let path = path.split('#').next().unwrap_or_default();
        if path.chars().any(|c| !c.is_ascii_graphic()) {
            return Err("its path holds a space or what is no ASCII");
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host: host.to_owned(), port, path })
    }

    /// Without path and query, which may be what lets one in.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => format!("{scheme}://{}", self.host),
            (_, port) => format!("{scheme}://{}:{port}", self.host),
        }
    }
}

/// Sends it, and gives the status of the answer.
pub(super) fn send(message: &Message) -> io::Result<u16> {
    let Address { tls, host, port, .. } = &message.address;
    let tcp = connect(host, *port)?;
    tcp.set_read_timeout(Some(ANSWER_WITHIN))?;
    tcp.set_write_timeout(Some(ANSWER_WITHIN))?;
    if !tls {
        return talk(tcp, message);
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    talk(StreamOwned::new(session, tcp), message)
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn talk(mut stream: impl Read + Write, message: &Message) -> io::Result<u16> {
    let Message { address, key, body } = message;
    let host = address.shown();
    let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
    let request = format!(
        "POST {} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Idempotency-Key: {key}\r\nUser-Agent: orchestrate/{}\r\nConnection: close\r\n\r\n{body}",
        address.path,
        body.len(),
        env!("CARGO_PKG_VERSION"),
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let status = words.next().and_then(|word| word.parse::<u16>().ok());
    match status.filter(|_| http) {
        Some(status) => Ok(status),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP")),
    }
}
