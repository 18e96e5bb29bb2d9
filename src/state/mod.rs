//! Where runs are kept, and who may work on them: journals, leases, what people ask of a run, and which clusters are taken.
//!
//! A run is kept in a local directory or in S3. What both must do is `Store`; what S3, the memory of a test and the small
//! files of a directory have in common is `Objects`: named bytes, written under a condition. Everything that is subtle
//! is written once, on top of that. The engine sees a `Journal`; steps see nothing of it but a gate.

mod claim;
mod control;
mod directory;
mod gate;
mod guards;
mod lease;
mod lever;
mod memory;
mod object_journal;
mod objects;
mod remote;
mod s3;
mod store;
#[cfg(test)]
mod tests;

pub use claim::{Claim, claim, claimed, disclaim};
pub use control::{ask, follow, wanted};
pub use directory::Directory;
pub use gate::LeaseGate;
pub use guards::{Eye, GuardGate, Sight, Watch};
pub use lease::{Lease, LeaseTerms, Who, keep};
pub use lever::{LEVER, Lever, LeverGate, lever, pull};
pub use memory::MemoryObjects;
pub use objects::{Expect, Found, Objects, Put};
pub use remote::Remote;
pub use s3::{Bucket, BucketObjects};
pub use store::{Holder, Loaded, Opened, Store};
