//! The scanner from outside: each encoding by hand, broken files, and files that real servers wrote.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod encodings;
mod hostile;
mod second_opinion;
mod server;
mod servers;
mod summary;
mod write;
