//! What is there already: typed descriptions of the live account, for those who look before they act.
//!
//! Step kinds check with it before a run; `init`, `cost` and `advise` describe a source by it. It only reads, bears
//! passing faults for a few seconds, and asks for each thing once in one reading.

mod group;
mod memo;
mod names;
mod parameters;
mod read;
mod serverless;
mod shelves;
mod snapshots;
mod users;
mod window;

pub use group::{Durable, Endpoint, Group, Node, Shard};
pub(crate) use group::{describe, describe_node};
pub use names::MemoryDbNames;
pub use read::Survey;
pub use serverless::Serverless;
pub use shelves::{Held, Place, Shelf};
pub use snapshots::Taken;
pub(crate) use snapshots::size;
pub use users::{Authentication, User};
pub use window::Window;
