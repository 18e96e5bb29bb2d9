//! A local AWS for ElastiCache, MemoryDB, S3, SSM, Secrets Manager, Route 53, IAM and STS, at the wire; of KMS, CloudWatch,
//! Service Quotas and SNS it has what tells of the others.
//!
//! One [`Sandbox`] holds one state, one clock, one fault plan and one request log. It is reached in two ways: in
//! process, as the HTTP client of an AWS SDK ([`Sandbox::http_client`]), where nothing touches a socket and virtual
//! time works; or on loopback ([`Sandbox::serve`]) by anything that speaks the AWS protocols.
//!
//! - `sandbox`, `context`, `world`: the object a user holds, what one request sees, and the state
//! - `clock`, `timings`, `faults`, `log`, `seed`: time, durations, planned failures, what was asked, what exists at first
//! - `seeding`, `bucket_access`, `names`, `events`: what several services share
//! - `elsewhere`, `record`: an S3 that another server has; what was asked and answered, word for word
//! - `iam`: the permissions that calls need, policies, and the policy simulator
//! - `wire`: requests in and answers out; decides the service, the fault and the log line, once for all services
//! - `elasticache`, `memorydb`, `s3`, `ssm`, `secretsmanager`, `route53`, `sts`, `kms`, `cloudwatch`, `servicequotas`,
//!   `sns`: one folder per service
//! - `data`: what is inside the clusters, real servers or a model

mod bucket_access;
mod clock;
mod cloudwatch;
mod context;
pub mod data;
mod elasticache;
mod elsewhere;
mod events;
mod faults;
mod iam;
mod kms;
mod limits;
mod log;
mod memorydb;
mod names;
mod record;
mod route53;
mod s3;
mod sandbox;
mod secretsmanager;
mod seed;
mod seeding;
mod servicequotas;
mod sns;
mod ssm;
mod sts;
mod timings;
mod wire;
mod world;

pub use clock::{Clock, SystemClock, TokioClock};
pub use data::{EngineVersion, ServerPolicy};
pub use faults::{Fault, FaultKind, FaultPlan, RandomFaults};
pub use iam::{Caller, Permission, Policy, PolicyError};
pub use limits::Limits;
pub use log::{Call, Outcome};
pub use sandbox::{Builder, Sandbox, SandboxError};
pub use seed::{
    EndpointFormat, Seed, SeedAcl, SeedAlarm, SeedAlarmState, SeedBucket, SeedCluster,
    SeedHostedZone, SeedKmsKey, SeedMemoryDbQuotas, SeedMetric, SeedParameter, SeedParameterGroup,
    SeedPoint, SeedRecord, SeedReplicationGroup, SeedSecret, SeedServerlessCache, SeedSubnetGroup,
    SeedTopic, SeedUser, SeedUserGroup, SeedValue,
};
pub use timings::Timings;
pub use wire::{Network, Reply, Server, Whole, http_client};
