//! The sandbox as the AWS SDK sees it: in process, on virtual time, with no server behind the clusters.

mod route53;
mod s3;
mod secretsmanager;
mod ssm;
mod support;
