//! What a journal holds. One record is one fact that later processes may rely on; `machine` says what each means.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::failure::Failure;
use crate::engine::id::RunId;
use crate::plan::Plan;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// The fencing epoch of its writer; never lower than that of the entry before. 0 in journals of versions that knew
    /// none.
    #[serde(default)]
    pub epoch: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The fact.
    pub record: Record,
}

/// What a run does to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It did not exist; undo removes it.
    Creates,
    /// It exists; undo puts it back as it was.
    Changes,
    /// It exists and goes away.
    Deletes,
}

/// A resource that a step is about to create, change or delete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is, in the service's words: "ElastiCache snapshot".
    pub what: String,
    /// Its name as the service stores it.
    pub name: String,
    /// Its ARN where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// What the step does to it.
    pub role: Role,
}

/// How a step that succeeded left the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It changed something.
    Changed,
    /// It found what it had itself made before an answer was lost, and took it.
    Adopted,
    /// Nothing had to change.
    Unchanged,
}

/// Why a run is being undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum RollbackReason {
    /// A step failed.
    StepFailed {
        /// Which.
        step: String,
    },
    /// Somebody rejected an approval.
    Rejected {
        /// The step that asked.
        step: String,
    },
    /// `orchestrate cancel`.
    Cancelled {
        /// Who asked.
        by: String,
    },
    /// `orchestrate rollback`.
    Asked {
        /// Who asked.
        by: String,
        /// Whether the swap is to be put back too, although that loses writes made since.
        past_pivot: bool,
    },
}

/// Where a run can stay without anything being half done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rest")]
pub enum Rest {
    /// Every step is done.
    Succeeded,
    /// Everything this run changed is as it was, but for what `Left` records name.
    RolledBack,
    /// As `RolledBack`, because somebody said no.
    Cancelled,
    /// An approval is outstanding.
    Waiting {
        /// The step that asks.
        step: String,
    },
    /// A person is needed.
    Stuck {
        /// The step that could not go on or back.
        step: String,
        /// Why.
        failure: Failure,
    },
}

/// A fact about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Record {
    /// The header: always the first record, never a later one.
    Started {
        /// The run.
        run: RunId,
        /// The version of this program.
        tool: String,
        /// Who runs it: user and host.
        by: String,
        /// The AWS account the run works in.
        account: String,
        /// The region.
        region: String,
        /// Whether it runs in a sandbox inside this very process, which is gone when the process is.
        #[serde(default)]
        embedded: bool,
        /// The compiled plan: an edited playbook cannot change what a resumed run means.
        plan: Box<Plan>,
    },
    /// Another process took the run up.
    Resumed {
        /// Who.
        by: String,
    },
    /// An attempt at a step begins.
    StepStarted {
        /// The step.
        step: String,
        /// Counts from 1 over the whole life of the run.
        attempt: u32,
    },
    /// Durable before the first change: what the step will do and everything its undo will need.
    Intended {
        /// The step.
        step: String,
        /// The kind's own data.
        prepared: Value,
        /// What it touches.
        resources: Vec<Resource>,
    },
    /// AWS shows a new state of what the step waits for.
    Observed {
        /// The step.
        step: String,
        /// What is watched: `snapshot "prod-1"`.
        subject: String,
        /// Its state in AWS's word.
        state: String,
    },
    /// A fact a step learned on its way that a later attempt or the undo needs.
    Noted {
        /// The step.
        step: String,
        /// The kind's own data; a later note replaces an earlier one.
        note: Value,
        /// Under which names it stands in the step's note, outermost first; none replaces the whole.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        part: Vec<String>,
    },
    /// An attempt failed; another follows if `retry_in_secs` is set.
    AttemptFailed {
        /// The step.
        step: String,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// Seconds until the next attempt; none if this was the last.
        retry_in_secs: Option<u64>,
    },
    /// The step is done.
    Succeeded {
        /// The step.
        step: String,
        /// What it did to the world.
        change: Change,
        /// What later steps may refer to.
        output: Value,
    },
    /// The step has failed for good.
    Failed {
        /// The step.
        step: String,
        /// Why.
        failure: Failure,
    },
    /// The step asks a person.
    ApprovalAsked {
        /// The step.
        step: String,
        /// What it asks.
        question: String,
    },
    /// A person answered.
    Decided {
        /// The step that asked.
        step: String,
        /// Yes or no.
        approved: bool,
        /// Who.
        by: String,
        /// Their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// The process was told to stop and did; the run can be resumed or rolled back.
    Interrupted {
        /// The signal.
        by: String,
    },
    /// From here on the run is undone.
    RollbackStarted {
        /// Why.
        reason: RollbackReason,
    },
    /// An attempt to undo a step begins.
    UndoStarted {
        /// The step.
        step: String,
        /// Counts from 1.
        attempt: u32,
    },
    /// An attempt to undo failed; another follows if `retry_in_secs` is set.
    UndoAttemptFailed {
        /// The step.
        step: String,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// Seconds until the next attempt.
        retry_in_secs: Option<u64>,
    },
    /// The step's changes are gone.
    Undone {
        /// The step.
        step: String,
        /// What was done, a sentence each.
        did: Vec<String>,
    },
    /// The step's changes stay, as its kind declares.
    Left {
        /// The step.
        step: String,
        /// Why.
        reason: String,
    },
    /// The undo has failed for good: a person is needed.
    UndoFailed {
        /// The step.
        step: String,
        /// Why.
        failure: Failure,
    },
    /// Somebody steered the run from outside, and the process that works on it takes note: from here on it counts.
    Steered {
        /// What is asked.
        steer: Steer,
        /// Who asked: user and host.
        by: String,
        /// Their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// The run was taken from a process that had not given it up: its lease had ended, or somebody broke it. Written
    /// under a higher epoch than that process has, which shuts it out.
    TakenOver {
        /// Who took it: user and host.
        by: String,
        /// From whom.
        held_by: String,
        /// Why that was safe, in the words of whoever broke the lease; none if it had ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// The run is at rest.
    Rested(Rest),
}

/// What somebody asks of a run that is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Steer {
    /// Begin, call and look at nothing more until told to go on.
    Pause,
    /// Go on: the end of a pause.
    GoOn,
    /// Do not begin a step.
    Hold {
        /// The step.
        before: String,
    },
    /// A step may begin: the end of a hold.
    LetGo {
        /// The step.
        before: String,
    },
    /// Stop, and undo what was done.
    Cancel,
}

impl Record {
    /// The step the record is about, if it is about one.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::StepStarted { step, .. }
            | Self::Intended { step, .. }
            | Self::Observed { step, .. }
            | Self::Noted { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::Succeeded { step, .. }
            | Self::Failed { step, .. }
            | Self::ApprovalAsked { step, .. }
            | Self::Decided { step, .. }
            | Self::UndoStarted { step, .. }
            | Self::UndoAttemptFailed { step, .. }
            | Self::Undone { step, .. }
            | Self::Left { step, .. }
            | Self::UndoFailed { step, .. } => Some(step),
            Self::Started { .. }
            | Self::Resumed { .. }
            | Self::Interrupted { .. }
            | Self::RollbackStarted { .. }
            | Self::Steered { .. }
            | Self::TakenOver { .. }
            | Self::Rested(_) => None,
        }
    }
}
