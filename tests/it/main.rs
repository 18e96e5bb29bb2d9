//! One binary for every test that needs more than one module: the harness over the shipped playbooks, faults at the wire,
//! the program as a process, documents, and the shape of the source tree.

mod adoption;
mod bad_input;
mod checks;
mod cost;
mod crashes;
mod docs;
mod errors;
mod exhaustive;
mod failures;
mod faults;
mod foreign;
mod harness;
mod init;
mod lags;
mod lever;
mod meanwhile;
mod mutants;
mod pages;
mod permissions;
mod plans;
mod playbooks;
mod policies;
mod processes;
mod program;
mod rdb_files;
mod schema;
mod serverless;
mod sim;
mod stops;
mod stores;
mod tap;
mod team;
mod tidy;
mod validate;
mod world;
