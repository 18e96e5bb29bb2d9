//! The sandbox on loopback, for anything that speaks the AWS protocols over HTTP.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::reply::Reply;
use crate::sandbox::Sandbox;

/// A sandbox that listens on loopback until it is shut down.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more connections and closes the open ones. The sandbox itself goes on.
    pub async fn shutdown(self) {
        // Nobody listens any more if the accepting task has ended by itself.
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
    }
}

/// Listens on `addr`, which must be a loopback address: the sandbox checks no signature.
///
/// # Errors
/// The address is not loopback, or the port cannot be had.
pub(crate) async fn serve(sandbox: Sandbox, addr: SocketAddr) -> io::Result<Server> {
    if !addr.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{addr} is not a loopback address: the sandbox checks no credentials and stays on this machine"
            ),
        ));
    }
    let listener = TcpListener::bind(addr).await?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let accepting = tokio::spawn(accept(sandbox, listener, stopped));
    Ok(Server { addr, stop, accepting })
}

async fn accept(sandbox: Sandbox, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let ended = stopped.clone();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(connection(sandbox.clone(), stream, ended.clone()));
                }
            }
        }
    }
}

async fn connection(sandbox: Sandbox, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let sandbox = sandbox.clone();
        async move { answer(sandbox, request).await }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        // An error here is a client that went away or a response lost on purpose.
        _ = connection => {}
    }
}

async fn answer(
    sandbox: Sandbox,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    tokio::time::sleep(sandbox.latency()).await;
    match sandbox.handle(http::Request::from_parts(parts, body)).await {
        Reply::Response(response) => Ok(response.map(Full::new)),
        // An error from the service closes the socket without an answer, which is what the caller is to see.
        Reply::Lost | Reply::TimedOut => Err(io::Error::other("response lost on purpose")),
    }
}
