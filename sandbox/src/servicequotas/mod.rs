//! Service Quotas, for the service that enforces its quotas here: MemoryDB.

mod call;

pub(crate) use call::call;
