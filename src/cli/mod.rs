//! Commands. The only place that reads environment, home directory and terminal, and that decides exit codes.

mod account;
mod args;
mod ask;
mod claims;
mod commands;
mod document;
mod drive;
mod error;
mod exit;
pub mod guards;
mod live;
mod output;
mod plan_cost;
mod playbook_file;
mod priced;
mod private_file;
pub mod reading;
#[cfg(feature = "sandbox")]
pub mod sandboxed;
mod saved;
mod serve;
mod signals;
#[cfg(feature = "sandbox")]
pub mod sim;
mod state;
mod view;
mod worker;

pub use args::Cli;
pub use commands::{init_kinds, main};
pub use exit::Exit;
