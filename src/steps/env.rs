//! What steps act with: AWS clients, the caller's identity, and the way to Redis itself.

use std::rc::Rc;

use super::redis::DataPlane;
use crate::aws::{Clients, Identity};

/// What steps act with.
pub struct Env {
    /// The SDK clients.
    pub aws: Clients,
    /// Who we are and where.
    pub identity: Identity,
    /// The way to Redis and Valkey servers.
    pub data: Rc<dyn DataPlane>,
}
