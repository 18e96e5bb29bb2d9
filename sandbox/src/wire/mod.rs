mod admin;
pub(crate) mod cbor;
mod connector;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod query;
mod reply;
mod route;
mod serve;

pub use connector::{Network, Whole, http_client};
pub(crate) use error::ApiError;
pub use reply::Reply;
pub(crate) use route::dispatch;
pub use serve::Server;
pub(crate) use serve::serve;
