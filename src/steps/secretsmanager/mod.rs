//! Secrets Manager: secrets that a run makes.

mod create_secret;

pub(crate) use create_secret::CreateSecret;
