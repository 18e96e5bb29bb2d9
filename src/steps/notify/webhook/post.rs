//! One POST over a connection of its own. It blocks, and its time is real, whatever the run's clock says.

use std::io;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::{Request, Uri};

/// From looking up the name to the answer's status. What follows that is not read.
const WITHIN: Duration = Duration::from_secs(20);

/// An HTTP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(Uri);

/// A message on its way.
pub(super) struct Message {
    pub(super) address: Address,
    pub(super) key: String,
    pub(super) body: String,
}

impl Address {
    /// Reads `https://host[:port][/path][?query]`. An error does not repeat the text.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let uri: Uri =
            text.parse().map_err(|_| "it is no URL: a space, for one, is written as %20")?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err("it does not begin with https:// or http://");
        }
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.contains('@') {
            return Err("it holds a user: name the whole address in `url_secret`");
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err("it names no host");
        }
        if authority.len() > host.len() && uri.port_u16().is_none() {
            return Err("its port is no number");
        }
        Ok(Self(uri))
    }

    /// Without path and query, which may be what lets one in.
    pub(super) fn shown(&self) -> String {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let usual = if scheme == "https" { 443 } else { 80 };
        let host = self.0.host().unwrap_or_default();
        match self.0.port_u16().filter(|port| *port != usual) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }
}

/// Sends it through `connector`, and gives the status of the answer. Redirections are not followed.
///
/// # Errors
/// If there is no answer in time. Neither the error nor its causes hold the address.
pub(super) fn send(message: &Message, connector: &impl HttpConnector) -> io::Result<u16> {
    // A runtime of its own: a timer of the run's would go by the run's clock.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        tokio::time::timeout(WITHIN, connector.call(request(message)?))
            .await
            .map_err(|_| {
                let why = format!("it gave none within {} s", WITHIN.as_secs());
                io::Error::new(io::ErrorKind::TimedOut, why)
            })?
            .map_err(|error| io::Error::other(innermost(&error)))
    });
    // Looking up a name cannot be broken off; nobody waits for it.
    runtime.shutdown_background();
    Ok(answer?.status().as_u16())
}

fn request(message: &Message) -> io::Result<HttpRequest> {
    let request = Request::post(message.address.0.clone())
        .header("content-type", "application/json")
        .header("idempotency-key", &message.key)
        .header("user-agent", concat!("orchestrate/", env!("CARGO_PKG_VERSION")))
        .body(SdkBody::from(message.body.as_str()))
        .map_err(io::Error::other)?;
    HttpRequest::try_from(request).map_err(io::Error::other)
}

/// The last cause: those around it say no more than that it failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
