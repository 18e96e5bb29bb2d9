//! Serving, on virtual time.
