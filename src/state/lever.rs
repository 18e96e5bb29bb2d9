//! The stop lever: one SSM parameter of an account and region. Once it is engaged, no change leaves any `orchestrate`.
//!
//! Any value that does not begin with the word "released" engages it, so that somebody in a hurry can write what they
//! like, from any tool. Without the parameter it is released. It is asked before each change; an answer is good for two
//! seconds. A change is held back when the question gets no answer. One refusal lets it pass, with a warning: a caller
//! who was never allowed to read the parameter has no lever, which is the account's own choice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use crate::aws::{Clients, Gate, Op, call, found};
use crate::engine::{Class, Clock, EventKind, Failure, Ledger, Stopwatch};

/// The parameter.
pub const LEVER: &str = "/orchestrate/stop";

const SERVICE: &str = "SSM";
/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(2);
/// The word that a value of a released lever begins with.
const RELEASED: &str = "released";

/// Where the lever stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lever {
    /// There is no such parameter.
    Absent,
    /// Changes may be made. With the words that were left.
    Released(String),
    /// No change may be made. With the words that were left.
    Engaged(String),
}

/// Where the lever stands.
///
/// # Errors
/// Those of GetParameter.
pub async fn lever(clients: &Clients) -> Result<Lever, Failure> {
    let request = clients.ssm.get_parameter().name(LEVER).send();
    let answer = found(call(Op::read(SERVICE, "GetParameter"), request).await)?;
    let Some(answer) = answer else { return Ok(Lever::Absent) };
    let value = answer.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
    let words = value.trim().to_owned();
    let first = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    Ok(if first.eq_ignore_ascii_case(RELEASED) {
        Lever::Released(words)
    } else {
        Lever::Engaged(words)
    })
}

/// Engages the lever, or releases it; `words` say who and why.
///
/// # Errors
/// Those of PutParameter.
pub async fn pull(clients: &Clients, engage: bool, words: &str) -> Result<(), Failure> {
    let state = if engage { "engaged" } else { RELEASED };
    // A standard parameter holds 4,096 characters (SSM API reference, PutParameter).
    let value: String = format!("{state} {words}").chars().take(1_000).collect();
    let put = clients.ssm.put_parameter().name(LEVER).value(value).overwrite(true);
    let put = put.r#type(aws_sdk_ssm::types::ParameterType::String);
    clients.change(SERVICE, "PutParameter", put.send()).await.map(drop)
}

/// Lets changes pass while the lever of the account is released.
pub struct LeverGate {
    clients: Clients,
    account: String,
    clock: Clock,
    read: RefCell<Option<(Stopwatch, Lever)>>,
    warned: Cell<bool>,
    /// Hears of it when the lever cannot be read.
    ledger: Option<Rc<Ledger>>,
}

impl LeverGate {
    /// A gate that asks the lever of `account` in the clients' region.
    #[must_use]
    pub fn new(clients: Clients, account: &str, clock: Clock, ledger: Option<Rc<Ledger>>) -> Self {
        let account = account.to_owned();
        Self { clients, account, clock, read: RefCell::default(), warned: Cell::new(false), ledger }
    }

    /// `Halted` if no change may be made now.
    ///
    /// # Errors
    /// `Halted`; whatever kept the lever from being read, but for a refusal.
    pub async fn ask(&self) -> Result<(), Failure> {
        let fresh = self
            .read
            .borrow()
            .as_ref()
            .and_then(|(watch, lever)| (watch.elapsed() < FRESH).then(|| lever.clone()));
        let lever = match fresh {
            Some(lever) => lever,
            None => {
                let watch = self.clock.stopwatch();
                let lever = match lever(&self.clients).await {
                    Err(failure) if failure.class == Class::Denied => {
                        self.warn(&failure);
                        Lever::Absent
                    }
                    answer => answer.map_err(|failure| {
                        failure.context(format!("the stop lever ({LEVER}) cannot be read"))
                    })?,
                };
                self.read.borrow_mut().insert((watch, lever)).1.clone()
            }
        };
        let Lever::Engaged(words) = lever else { return Ok(()) };
        let what = format!(
            "the stop lever of account {} in {} is engaged: \"{words}\"",
            self.account, self.clients.region
        );
        Err(Failure::new(Class::Halted, what).mend(
            "find out from whoever engaged it when it is safe; after `orchestrate lever release`, `orchestrate resume` goes on",
        ))
    }

    fn warn(&self, failure: &Failure) {
        if self.warned.replace(true) {
            return;
        }
        let warning = format!(
            "the stop lever ({LEVER}) may not be read, so that it cannot stop this run: {failure}; allow ssm:GetParameter on it"
        );
        if let Some(ledger) = &self.ledger {
            ledger.tell(EventKind::Warned { step: None, warning });
        }
    }
}

#[async_trait(?Send)]
impl Gate for LeverGate {
    async fn pass(&self, op: Op) -> Result<(), Failure> {
        self.ask().await.map_err(|mut failure| {
            // The answer is of another call: this one was never made.
            if !matches!(failure.class, Class::Halted | Class::Expired) {
                failure.class = Class::Transient;
            }
            match failure.class {
                Class::Halted => {
                    failure.because(format!("{} {} was not called", op.service, op.name))
                }
                _ => failure.context(format!("{} {} was not called", op.service, op.name)),
            }
        })
    }
}
