//! What is to be done now. Occurrences are decided in the order of their times, each once.
//!
//! One that is found in time meets `overlap` if another is not finished. One that is found later than `grace` has been
//! missed and meets `catch_up`; a missed one that is to run waits for its turn, and those after it wait with it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::head::{Head, Open, Reason, Skipped};
use super::model::{CatchUp, Overlap, Schedule};

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What is known from now on. It counts once it is written under the condition that what it was made from is still
    /// there: submitting an occurrence and recording that are that one write.
    pub head: Head,
    /// When there is something to decide again; later nothing, as far as time alone matters.
    pub wake: Option<Timestamp>,
}

/// Decides. `run` names the run of an occurrence that is submitted, which `by` answers for.
#[must_use]
pub fn decide(
    schedule: &Schedule,
    before: &Head,
    now: Timestamp,
    by: &str,
    run: &mut dyn FnMut() -> String,
) -> Decided {
    let mut head = before.clone();
    let cadence = schedule.cadence.to_string();
    if head.cadence != cadence {
        // Times of a cadence that was not declared yet have not been missed.
        head.cadence = cadence;
        head.decided = head.decided.max(now);
    }
    let mut turn = Turn { schedule, head, now, by, run };
    turn.waiting();
    let wake = turn.coming();
    Decided { head: turn.head, wake }
}

struct Turn<'a> {
    schedule: &'a Schedule,
    head: Head,
    now: Timestamp,
    by: &'a str,
    run: &'a mut dyn FnMut() -> String,
}

fn within(window: Option<Duration>, age: SignedDuration) -> bool {
    window.is_none_or(|window| SignedDuration::try_from(window).is_ok_and(|window| age <= window))
}

impl Turn<'_> {
    fn free(&self) -> bool {
        self.head.open.is_empty() && self.head.buffered.is_none()
    }

    fn dark(&self) -> bool {
        self.schedule.dark(self.now)
    }

    fn submit(&mut self, at: Timestamp, why: Reason) {
        let (run, by) = ((self.run)(), self.by.to_owned());
        let (cancel, stuck, submitted) = (false, false, self.now);
        self.head.submit(Open { at, run, why, submitted, by, cancel, stuck });
    }

    /// Whether its time has come by this clock: another scheduler's, by which it waits, may be ahead.
    fn is_due(&self, at: Timestamp) -> bool {
        self.schedule.due(&self.head.playbook, at) <= self.now
    }

    /// The one that waited for another to finish.
    fn waiting(&mut self) {
        let Some(at) = self.head.buffered else { return };
        if self.head.paused.is_some() {
            self.head.buffered = None;
            self.head.skip(at, Skipped::Paused);
        } else if self.head.open.is_empty() && !self.dark() && self.is_due(at) {
            self.head.buffered = None;
            self.submit(at, Reason::Buffered);
        }
    }

    /// Those whose time has come. Gives when the next one's comes.
    fn coming(&mut self) -> Option<Timestamp> {
        let mut next = self.schedule.cadence.after(self.head.decided);
        while let Some(at) = next {
            let due = self.schedule.due(&self.head.playbook, at);
            if due > self.now {
                return Some(due);
            }
            let following = self.schedule.cadence.after(at);
            if !self.settle(at, due, following) {
                return None;
            }
            self.head.decided = at;
            self.head.asked.retain(|asked| *asked > at);
            next = following;
        }
        None
    }

    /// Decides one; says whether it could be decided now.
    fn settle(&mut self, at: Timestamp, due: Timestamp, following: Option<Timestamp>) -> bool {
        if self.head.asked.contains(&at) {
            return true;
        }
        if self.head.paused.is_some() {
            self.head.skip(at, Skipped::Paused);
            return true;
        }
        if self.schedule.dark(due) {
            self.head.skip(at, Skipped::Blackout);
            return true;
        }
        let age = self.now.duration_since(due);
        if !within(Some(self.schedule.grace), age) {
            return self.missed(at, age, following);
        }
        if self.dark() {
            return false;
        }
        if self.free() {
            self.submit(at, Reason::Due);
            return true;
        }
        match (self.schedule.overlap, self.head.buffered) {
            (Overlap::Skip, _) | (Overlap::BufferOne, Some(_)) => {
                self.head.skip(at, Skipped::Overlap);
            }
            (Overlap::BufferOne, None) => self.head.buffered = Some(at),
            (Overlap::CancelOther, other) => {
                if let Some(other) = other {
                    self.head.skip(other, Skipped::Superseded);
                }
                self.head.open.iter_mut().for_each(|open| open.cancel = true);
                self.head.buffered = Some(at);
            }
        }
        true
    }

    fn missed(&mut self, at: Timestamp, age: SignedDuration, following: Option<Timestamp>) -> bool {
        let wanted = match &self.schedule.catch_up {
            CatchUp::None => Err(Skipped::Missed),
            CatchUp::Latest { window } if !within(*window, age) => Err(Skipped::Missed),
            CatchUp::Latest { .. } if self.newer(following, 1) => Err(Skipped::Superseded),
            CatchUp::All { window, .. } if !within(*window, age) => Err(Skipped::Missed),
            CatchUp::All { most: Some(most), .. } if self.newer(following, *most) => {
                Err(Skipped::Superseded)
            }
            CatchUp::Latest { .. } | CatchUp::All { .. } => Ok(()),
        };
        match wanted {
            Err(why) => self.head.skip(at, why),
            Ok(()) if self.free() && !self.dark() => self.submit(at, Reason::CaughtUp),
            Ok(()) => return false,
        }
        true
    }

    /// Whether there are so many newer ones that are due and not in a blackout.
    fn newer(&self, following: Option<Timestamp>, most: u32) -> bool {
        let most = most as usize;
        std::iter::successors(following, |at| self.schedule.cadence.after(*at))
            .map(|at| self.schedule.due(&self.head.playbook, at))
            .take_while(|due| *due <= self.now)
            .filter(|due| !self.schedule.dark(*due))
            .take(most)
            .count()
            == most
    }
}
