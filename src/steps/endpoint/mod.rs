//! Where the applications read the endpoint, and how it is switched.

mod form;
mod json;
mod parameter;
mod record;
mod secret;
mod swap;
mod target;

pub(crate) use swap::Swap;
