//! What every change passes before it leaves. There is no other way to make one: `Op` cannot say that it changes anything
//! outside this module.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::call::{Op, call};
use super::clients::Clients;
use crate::engine::Failure;

/// Asked before each change, and not longer than a moment before.
#[async_trait(?Send)]
pub trait Gate {
    /// Whether the change may leave.
    ///
    /// # Errors
    /// Why it may not. Nothing has been called then: never `Ambiguous`, `Throttled` or `Conflict`, which speak of a call.
    async fn pass(&self, op: Op) -> Result<(), Failure>;
}

/// The gates of one account connection, in the order in which they are passed. Shared by every clone.
#[derive(Clone, Default)]
pub struct Gates(Rc<RefCell<Vec<Rc<dyn Gate>>>>);

impl Gates {
    /// Adds a gate, to be passed after those that are there.
    pub fn add(&self, gate: Rc<dyn Gate>) {
        self.0.borrow_mut().push(gate);
    }

    async fn pass(&self, op: Op) -> Result<(), Failure> {
        let gates = self.0.borrow().clone();
        for gate in gates {
            gate.pass(op).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Gates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} gates", self.0.borrow().len())
    }
}

impl Clients {
    /// The operation `name` of `service`, which changes something, once it is its turn and the gates let it pass.
    /// Whoever asks calls at once.
    ///
    /// # Errors
    /// What a gate says.
    pub async fn permit(&self, service: &'static str, name: &'static str) -> Result<Op, Failure> {
        let op = Op::change(service, name);
        if let Some(pace) = &self.pace {
            pace.turn(service).await;
        }
        self.gates.pass(op).await?;
        Ok(op)
    }

    /// Awaits one API call that changes something, once the gates let it pass.
    ///
    /// # Errors
    /// What a gate says; else as `call`.
    pub async fn change<T, E>(
        &self,
        service: &'static str,
        name: &'static str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let op = self.permit(service, name).await?;
        call(op, request).await
    }
}
