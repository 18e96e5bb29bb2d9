//! The request log: one line for every request, in the order in which they were decided.

use jiff::Timestamp;
use serde::Serialize;

use crate::iam::Permission;

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered with success.
    Ok,
    /// It was answered with this error code.
    Error(String),
    /// It was never answered.
    Lost,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// When it came, by the sandbox's clock.
    pub at: Timestamp,
    /// The service by its signing name.
    pub service: String,
    /// The operation, such as `CreateSnapshot`.
    pub operation: String,
    /// What it was about: a name, an id, `bucket/key`. Empty where the request names nothing.
    pub resource: String,
    /// Whether the operation changes anything.
    pub mutating: bool,
    /// How it ended, as its caller saw it.
    pub outcome: Outcome,
    /// Whether it changed something, whatever its caller was told.
    pub effect: bool,
    /// The fault that it met, by its name in a fault plan.
    pub fault: Option<&'static str>,
    /// The id that its answer carries, if one came.
    pub request_id: String,
    /// The permissions that AWS would ask the caller for.
    pub needs: Vec<Permission>,
}
