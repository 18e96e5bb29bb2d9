//! Calls → requests: clients, error classes, identity, ARNs. Holds no policy; the only place that builds SDK clients.

mod arn;
mod call;
mod class;
mod clients;
mod conditional;
mod gate;
mod identity;
mod pace;
mod shell;
mod tally;

pub use arn::{elasticache_arn, memorydb_arn, s3_object_arn, split_s3_object_arn};
pub use call::{Op, call, found};
pub use class::class_of;
pub(crate) use clients::connector;
pub use clients::{Clients, Settings, connect, is_region};
pub use conditional::{Condition, Object, get_object, list_keys, put_object};
pub use gate::{Gate, Gates};
pub use identity::{Identity, identify};
pub use pace::Pace;
pub use shell::shell;
pub use tally::{Calls, calls};
