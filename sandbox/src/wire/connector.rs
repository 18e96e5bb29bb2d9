//! The sandbox as the HTTP client of an AWS SDK: no socket, no real waiting.

use std::sync::Arc;
use std::{fmt, io};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, header};
use http_body_util::BodyExt;

use super::reply::Reply;
use crate::sandbox::Sandbox;

/// A request, read whole.
pub type Whole = http::Request<Bytes>;

/// What carries requests from an SDK to a sandbox in the same process. The sandbox does it by itself, at once; a test can
/// put a network in between that is slow, or breaks.
pub trait Network: fmt::Debug + Send + Sync {
    /// The answer to one request.
    fn carry(&self, request: Whole) -> BoxFuture<'static, Reply>;
}

impl Network for Sandbox {
    fn carry(&self, request: Whole) -> BoxFuture<'static, Reply> {
        let sandbox = self.clone();
        Box::pin(async move { sandbox.handle(request).await })
    }
}

#[derive(Debug, Clone)]
struct InProcess(Arc<dyn Network>);

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let network = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = collect(request).await?;
            deliver(network.carry(request).await)
        })
    }
}

/// The client to give to an SDK's configuration.
pub fn http_client(network: Arc<dyn Network>) -> SharedHttpClient {
    SharedHttpClient::new(InProcess(network))
}

async fn collect(request: HttpRequest) -> Result<http::Request<Bytes>, ConnectorError> {
    let request =
        request.try_into_http1x().map_err(|error| ConnectorError::user(Box::new(error)))?;
    let (mut parts, body) = request.into_parts();
    // Over a socket the HTTP client writes this header; S3 finds the bucket of a virtual-hosted request in it.
    if let Some(authority) = parts.uri.authority()
        && !parts.headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
    Ok(http::Request::from_parts(parts, body))
}

fn deliver(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    match reply {
        Reply::Response(response) => response
            .map(SdkBody::from)
            .try_into()
            .map_err(|error| ConnectorError::other(Box::new(error), None)),
        Reply::Lost => Err(ConnectorError::io(Box::new(io::Error::new(
            io::ErrorKind::ConnectionReset,
            "the connection broke before the answer",
        )))),
        Reply::TimedOut => Err(ConnectorError::timeout(Box::new(io::Error::new(
            io::ErrorKind::TimedOut,
            "no answer came",
        )))),
    }
}
