//! The sandbox as the AWS SDK sees it: in process, on virtual time, with no server behind the clusters.

mod elasticache;
mod faults;
mod lifecycle;
mod loopback;
mod memorydb;
mod route53;
mod s3;
mod secretsmanager;
mod shop;
mod ssm;
mod support;
