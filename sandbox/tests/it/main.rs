//! The sandbox as an SDK sees it: real AWS clients, in process, on virtual time.

mod elasticache;
mod faults;
mod lifecycle;
mod loopback;
mod memorydb;
mod support;
