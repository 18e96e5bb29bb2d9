//! What is inside the clusters. Most of these start real servers: `redis-server` 7.0 or later must be on `PATH`.

#![allow(clippy::unwrap_used, reason = "the lint spares tests, but not the functions they share")]
#![allow(clippy::type_complexity, reason = "readings of whole clusters, compared and nothing else")]

#[path = "data/acl.rs"]
mod acl;
#[path = "data/changes.rs"]
mod changes;
#[path = "data/life.rs"]
mod life;
#[path = "data/model.rs"]
mod model;
#[path = "data/restore.rs"]
mod restore;
#[path = "data/support.rs"]
mod support;
