//! No change leaves without the lease.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use super::lease::Lease;
use crate::aws::{Gate, Op};
use crate::engine::journal::JournalError;
use crate::engine::{Class, Clock, Failure};

/// How long a change is held back while the lease cannot be renewed: an outage of the place that keeps it is no reason to
/// roll back.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(1);

/// Lets changes pass while the lease on the run is this process's, for certain.
pub struct LeaseGate {
    lease: Rc<dyn Lease>,
    clock: Clock,
}

impl LeaseGate {
    /// A gate that opens with `lease`.
    #[must_use]
    pub fn new(lease: Rc<dyn Lease>, clock: Clock) -> Self {
        Self { lease, clock }
    }
}

#[async_trait(?Send)]
impl Gate for LeaseGate {
    async fn pass(&self, op: Op) -> Result<(), Failure> {
        let began = self.clock.stopwatch();
        loop {
            let error = match self.lease.check() {
                Ok(()) => return Ok(()),
                // The request is the last thing before the call: a lease that was renewed just now is checked again.
                Err(JournalError::Lapsed(why)) => match self.lease.renew().await {
                    Ok(()) => continue,
                    Err(JournalError::Store(failure)) if failure.class.may_pass() => {
                        JournalError::Lapsed(format!("{why}; {failure}"))
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let passing = matches!(error, JournalError::Lapsed(_));
            if !passing || began.elapsed() > PATIENCE {
                let message = format!(
                    "{} {} was not called: this process may not work on the run any more",
                    op.service, op.name
                );
                return Err(Failure::new(Class::Journal, message)
                    .because(error.to_string())
                    .mend("`orchestrate status` shows who works on it now; if nobody does, `orchestrate resume` goes on"));
            }
            self.clock.sleep(PAUSE).await;
        }
    }
}
