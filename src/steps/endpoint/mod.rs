//! Where the applications read the endpoint, and how it is switched.

mod fields;
mod form;
mod json;
mod parameter;
mod preflight;
mod record;
mod secret;
mod swap;
mod target;
mod way_back;

pub(crate) use swap::Swap;
