//! IAM: which permissions a call needs, what a policy says about them, and the policy simulator.
//!
//! - `policy`, `condition`, `pattern`: a policy document and its answer to one question
//! - `needs`: from a request to the permissions that AWS would ask for, one file per service
//! - `caller`: who is held to a policy, and how a call that it does not allow is refused
//! - `call`: the IAM service, as far as SimulatePrincipalPolicy

mod call;
mod caller;
mod condition;
mod needs;
mod pattern;
mod policy;

pub(crate) use call::call;
pub use caller::Caller;
pub(crate) use caller::{caller_of, refusal, role_arn};
pub use needs::Permission;
pub(crate) use needs::{Asked, needs};
pub(crate) use pattern::wildcard;
pub use policy::{Policy, PolicyError};
