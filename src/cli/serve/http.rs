//! `/healthz` and `/metrics`.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::house::House;
use super::metrics;

/// Connections at a time; more wait.
const MOST: usize = 32;
/// As long as a connection may last: whoever scrapes is done by then.
const LONGEST: Duration = Duration::from_secs(30);
/// After a connection could not be taken, such as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers for as long as it is polled.
pub(super) async fn answer(listener: &TcpListener, house: &Rc<House>) -> Infallible {
    let mut connections: FuturesUnordered<LocalBoxFuture<'_, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = connections.next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => connections.push(Box::pin(connection(stream, house))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, house: &Rc<House>) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let (code, text) = reply(request.method(), request.uri().path(), house);
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = code;
        let text = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went away.
    let _ = tokio::time::timeout(LONGEST, connection).await;
}

fn reply(method: &Method, path: &str, house: &House) -> (StatusCode, String) {
    match (method, path) {
        (&Method::GET | &Method::HEAD, "/healthz") => {
            let (well, text) = metrics::health(house);
            (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
        }
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, metrics::metrics(house)),
        (_, "/healthz" | "/metrics") => {
            (StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n".to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "here are /healthz and /metrics\n".to_owned()),
    }
}
