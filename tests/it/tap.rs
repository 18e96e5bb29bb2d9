//! Which step made which call: a step's future carries a mark, and the client notes it with the answer's request id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use orchestrate::engine::{Cx, Failure, Finding, Kind, Kinds, Outcome, Prepared};
use orchestrate::permissions::Phases;
use serde_json::Value;

/// The step whose code is running.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) step: String,
    pub(crate) kind: String,
    pub(crate) phase: Phases,
}

tokio::task_local! {
    static AT: At;
}

/// Notes who made each call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tap(Arc<Mutex<BTreeMap<String, At>>>);

impl Tap {
    pub(crate) fn client(&self, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Tapped { inner, tap: self.clone() })
    }

    /// Who made the call with this request id; nobody if it was the program itself.
    pub(crate) fn of(&self, request_id: &str) -> Option<At> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(request_id).cloned()
    }
}

#[derive(Clone, Debug)]
struct Tapped {
    inner: SharedHttpClient,
    tap: Tap,
}

impl HttpClient for Tapped {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(TappedConnector { inner, tap: self.tap.clone() })
    }
}

#[derive(Clone, Debug)]
struct TappedConnector {
    inner: SharedHttpConnector,
    tap: Tap,
}

impl HttpConnector for TappedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (at, tap) = (AT.try_with(Clone::clone).ok(), self.tap.clone());
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let headers = answer.headers();
            let id = headers.get("x-amzn-requestid").or_else(|| headers.get("x-amz-request-id"));
            if let (Some(at), Some(id)) = (at, id) {
                let mut seen = tap.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(id.to_owned(), at);
            }
            Ok(answer)
        })
    }
}

/// Kinds that mark what they do.
pub(crate) struct Marked<'a>(BTreeMap<&'static str, MarkedKind<'a>>);

impl<'a> Marked<'a> {
    pub(crate) fn new(kinds: &'a dyn Kinds) -> Self {
        let all = orchestrate::steps::all().into_iter();
        Self(
            all.filter_map(|about| {
                let name = about.info.name;
                Some((name, MarkedKind { name, inner: kinds.kind(name)? }))
            })
            .collect(),
        )
    }
}

impl Kinds for Marked<'_> {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        self.0.get(name).map(|kind| kind as &dyn Kind)
    }
}

struct MarkedKind<'a> {
    name: &'static str,
    inner: &'a dyn Kind,
}

impl MarkedKind<'_> {
    async fn marked<T>(&self, cx: &Cx, phase: Phases, work: impl Future<Output = T>) -> T {
        let at = At { step: cx.step.clone(), kind: self.name.to_owned(), phase };
        AT.scope(at, work).await
    }
}

#[async_trait(?Send)]
impl Kind for MarkedKind<'_> {
    fn timeout(&self) -> std::time::Duration {
        self.inner.timeout()
    }

    async fn preflight(&self, args: &Value, cx: &Cx) -> Vec<Finding> {
        self.marked(cx, Phases::PLAN, self.inner.preflight(args, cx)).await
    }

    async fn prepare(&self, args: &Value, cx: &Cx) -> Result<Prepared, Failure> {
        self.marked(cx, Phases::RUN, self.inner.prepare(args, cx)).await
    }

    async fn execute(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure> {
        self.marked(cx, Phases::RUN, self.inner.execute(args, prepared, cx)).await
    }

    async fn undo(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure> {
        self.marked(cx, Phases::UNDO, self.inner.undo(args, prepared, cx)).await
    }
}
