//! Stay, switch durability on, or move: answers to a few questions → a recommendation with its reasons.
//!
//! Pure. The decision is made of levels: each demand asks for one, and the recommendation gives at least the highest.
//! A question without an answer is taken at its mildest and at its strictest; if that makes no difference the answer is
//! not needed, else it is said to be missing.

mod answers;
mod decide;
mod question;
#[cfg(test)]
mod tests;
mod weigh;

pub use answers::{Answers, Auth, Budget, Latency, Loss, Recovery, Regions};
pub use decide::{Advice, Level, Reason, Recommendation, Today, decide};
pub use question::{Choices, Question, question, questions};
pub use weigh::Premiums;
