//! Why something did not work, in a form that survives the journal: what failed, what AWS said, what to do.

use serde::{Deserialize, Serialize};

/// What a failure means for the next move. The only input to retry decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A passing fault; nothing was changed. Try again.
    Transient,
    /// The service asks for fewer calls. Back off, and slow every other caller of that service.
    Throttled,
    /// The resource is in a state that refuses the call for now. Wait for the state, then call again.
    Busy,
    /// A change whose outcome is unknown. Look before doing anything else.
    Ambiguous,
    /// No permission, or no credentials.
    Denied,
    /// The credentials have expired. Nothing else is wrong: the run stops, and goes on once they are renewed.
    Expired,
    /// Changes are forbidden in the whole account for now. Nothing else is wrong: the run stops, and goes on once they
    /// are allowed again.
    Halted,
    /// The thing named does not exist.
    NotFound,
    /// Something of that name exists and is not this run's, or the world changed under the run.
    Conflict,
    /// A quota is spent.
    Quota,
    /// No free capacity for this request at AWS right now.
    Capacity,
    /// AWS ended the resource in a state from which it does not recover.
    Terminal,
    /// The step's or the run's time is up. What AWS has begun goes on.
    TimedOut,
    /// Somebody stopped the run.
    Interrupted,
    /// The journal could not be written: nothing may be changed any more.
    Journal,
    /// The request is wrong, or anything else that trying again will not mend.
    Fatal,
}

impl Class {
    /// Whether another attempt may succeed without anybody mending anything.
    #[must_use]
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            Self::Transient | Self::Throttled | Self::Busy | Self::Ambiguous | Self::Capacity
        )
    }
}

/// What a service answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The service as its documentation calls it, for example "ElastiCache".
    pub service: String,
    /// The API operation, for example "CreateSnapshot".
    pub operation: String,
    /// The error code on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The service's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The request id, for AWS support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A failed attempt, wait, undo or check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it means for the next move.
    pub class: Class,
    /// What failed: a lowercase fragment such as `failed to create snapshot "prod-1"`.
    pub message: String,
    /// Why, outermost first; never repeats `message`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What the service answered, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What the reader can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Failure {
    /// A failure of `class` saying `message`.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), causes: Vec::new(), answer: None, mend: None }
    }

    /// A failure that trying again will not mend.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(Class::Fatal, message)
    }

    /// Puts what was attempted in front: the old message becomes the first cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, inner);
        self
    }

    /// Adds a cause at the end.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Sets what the reader can do.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The error code on the wire, if a service gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.answer.as_ref().and_then(|a| a.code.as_deref())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
