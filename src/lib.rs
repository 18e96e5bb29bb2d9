//! Moves, exports and operates Redis data on AWS by playbook: plans, adopts, proves, undoes.
//!
//! Data flows one way, and the modules are named in that order:
//!
//! - `schedule`: when a playbook runs by itself: times and policies, pure;
//! - `playbook`: YAML text to a tree with positions;
//! - `plan`: tree and inputs to a plan;
//! - `permissions`: what a plan needs to the least policy for it;
//! - `engine`: plan to run, over a durable journal;
//! - `steps`: what a playbook can do, one file per kind;
//! - `survey`: what is there already, read only;
//! - `facts`: what AWS's pages say, as tables;
//! - `init`: a live source to a playbook;
//! - `aws`: clients, error classes, identity;
//! - `state`: where runs are kept: journals, leases, what people ask of a run;
//! - `scheduler`: occurrences, each submitted once and carried to its end;
//! - `cost`: prices and shapes to estimates;
//! - `advise`: answers to a recommendation;
//! - `report`: events to terminal and JSON;
//! - `cli`: commands, and the only place that reads the environment.

pub mod advise;
pub mod aws;
pub mod cli;
pub mod cost;
pub mod engine;
pub mod facts;
pub mod init;
pub mod permissions;
pub mod plan;
pub mod playbook;
pub mod report;
pub mod schedule;
pub mod scheduler;
pub mod state;
pub mod steps;
pub mod survey;
