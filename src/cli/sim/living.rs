//! Lets a simulated process live, and brings about what is to befall it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::life::{Death, Fate, Life};
use super::process::{Ending, Order, Process};
use crate::engine::Clock;

/// Longer than any run takes: a process that is still there then would never end.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fared {
    /// By itself.
    Ended(Box<Ending>),
    /// It died in the middle.
    Killed,
    /// It did not end.
    Hung,
}

impl Fared {
    /// How it ended, if it ended by itself.
    pub(super) fn ending(&self) -> Option<&Ending> {
        match self {
            Self::Ended(ending) => Some(ending),
            Self::Killed | Self::Hung => None,
        }
    }
}

enum Pause {
    Over(Fared),
    Nap(Duration),
}

/// Lets one process do what was asked. `second` is what a second person's command comes to, if one is given.
pub(super) async fn live(
    process: &Process<'_>,
    life: &Arc<Life>,
    clock: &Clock,
    order: Order,
    second: Option<&Arc<Life>>,
) -> (Fared, Option<Fared>) {
    let cancel = CancellationToken::new();
    let fate = life.fate;
    let mut work = pin!(process.obey(life, clock, &cancel, order));
    let never = CancellationToken::new();
    let mut other =
        second.map(|other| (other, Box::pin(process.obey(other, clock, &never, Order::Resume))));
    let mut others = None;
    let mut hung = pin!(tokio::time::sleep(FOR_EVER));
    let mut fared = None;
    let mut stalled: Option<Pin<Box<tokio::time::Sleep>>> = None;
    loop {
        let pause = poll_fn(|cx| {
            let nth = life.polled();
            befall(life, fate, nth, clock, &cancel, process);
            let begun = fate.second.is_none_or(|at| at <= nth);
            if begun
                && let Some((other, work)) = &mut other
                && let Poll::Ready(ending) = work.as_mut().poll(cx)
            {
                process.tape.say(format_args!("p{} ended: {ending:?}", other.id));
                others = Some(Fared::Ended(Box::new(ending)));
            }
            if others.is_some() {
                other = None;
            }
            if let Some((at, stall)) = fate.stall
                && at == nth
                && fared.is_none()
            {
                let (id, secs) = (life.id, stall.as_secs());
                process.tape.say(format_args!("the machine of p{id} alone sleeps for {secs} s"));
                stalled = Some(Box::pin(tokio::time::sleep(stall)));
            }
            if stalled.as_mut().is_some_and(|stall| stall.as_mut().poll(cx).is_ready()) {
                stalled = None;
            }
            if fared.is_none() && stalled.is_none() {
                if !life.is_dead()
                    && let Poll::Ready(ending) = work.as_mut().poll(cx)
                {
                    fared = Some(Fared::Ended(Box::new(ending)));
                }
                if life.is_dead() {
                    fared = Some(Fared::Killed);
                }
            }
            if fared.is_some() && !begun {
                // The run was over before anybody gave a second command.
                other = None;
            }
            if let Some(fared) = fared.clone().filter(|_| other.is_none()) {
                return Poll::Ready(Pause::Over(fared));
            }
            if let Some((at, nap)) = fate.nap
                && at == nth
            {
                return Poll::Ready(Pause::Nap(nap));
            }
            if hung.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Pause::Over(Fared::Hung));
            }
            Poll::Pending
        })
        .await;
        match pause {
            Pause::Over(fared) => return (fared, others),
            Pause::Nap(nap) => {
                process.tape.say(format_args!("the machine sleeps for {} s", nap.as_secs()));
                tokio::time::advance(nap).await;
            }
        }
    }
}

/// What happens at the nth poll.
fn befall(
    life: &Life,
    fate: Fate,
    nth: u64,
    clock: &Clock,
    cancel: &CancellationToken,
    process: &Process<'_>,
) {
    if fate.death == Some(Death::AtPoll(nth)) {
        life.kill();
    }
    if fate.signal == Some(nth) {
        process.tape.say(format_args!("somebody presses Ctrl-C at p{}", life.id));
        cancel.cancel();
    }
    if let Some((at, millis)) = fate.step
        && at == nth
    {
        process.tape.say(format_args!("the machine's clock is set by {millis} ms"));
        clock.step(millis);
    }
}
