//! The sandbox as an SDK sees it: real AWS clients, in process, on virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod elasticache;
mod empty;
mod faults;
mod iam;
mod lifecycle;
mod loopback;
mod memorydb;
mod real;
mod route53;
mod s3;
mod secretsmanager;
mod serverless;
mod ssm;
mod support;
mod told;
