//! Telling somebody.

pub(crate) mod webhook;
