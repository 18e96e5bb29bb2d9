//! Something that other people do to the account while a run is under way, at a chosen point of one step.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use orchestrate::engine::{Cx, Failure, Finding, Kind, Kinds, Outcome, Prepared};
use serde_json::Value;

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// After the intent of the step is durable, before it acts.
    BeforeExecute,
    /// After the step has done its work.
    AfterExecute,
}

type Deed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// The world's kinds, and one deed of somebody else, done once.
pub(crate) struct Meanwhile<'a> {
    kinds: &'a dyn Kinds,
    name: &'a str,
    step: Disturbed<'a>,
}

impl<'a> Meanwhile<'a> {
    pub(crate) fn new(
        kinds: &'a dyn Kinds,
        name: &'a str,
        when: When,
        deed: impl Future<Output = ()> + 'a,
    ) -> Self {
        let inner = kinds.kind(name).expect("the kind exists");
        let deed: Deed<'a> = Box::pin(deed);
        Self { kinds, name, step: Disturbed { inner, when, deed: RefCell::new(Some(deed)) } }
    }
}

impl Kinds for Meanwhile<'_> {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        if name == self.name { Some(&self.step) } else { self.kinds.kind(name) }
    }
}

struct Disturbed<'a> {
    inner: &'a dyn Kind,
    when: When,
    deed: RefCell<Option<Deed<'a>>>,
}

impl Disturbed<'_> {
    async fn at(&self, when: When) {
        if when == self.when {
            let deed = self.deed.take();
            if let Some(deed) = deed {
                deed.await;
            }
        }
    }
}

#[async_trait(?Send)]
impl Kind for Disturbed<'_> {
    fn timeout(&self) -> Duration {
        self.inner.timeout()
    }

    async fn preflight(&self, args: &Value, cx: &Cx) -> Vec<Finding> {
        self.inner.preflight(args, cx).await
    }

    async fn prepare(&self, args: &Value, cx: &Cx) -> Result<Prepared, Failure> {
        self.inner.prepare(args, cx).await
    }

    async fn execute(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Outcome, Failure> {
        self.at(When::BeforeExecute).await;
        let outcome = self.inner.execute(args, prepared, cx).await;
        self.at(When::AfterExecute).await;
        outcome
    }

    async fn undo(&self, args: &Value, prepared: &Value, cx: &Cx) -> Result<Vec<String>, Failure> {
        self.inner.undo(args, prepared, cx).await
    }
}
