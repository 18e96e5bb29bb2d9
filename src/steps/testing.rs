//! What tests of kinds act with: mocked clients, virtual time, a data plane that answers or does not.

use std::rc::Rc;

use async_trait::async_trait;
use aws_smithy_mocks::{Rule, RuleMode, mock_client};

use super::Env;
use super::redis::{DataPlane, Store, Target};
use crate::aws::{Clients, Identity};
use crate::engine::{Class, Clock, Cx, Failure, Ledger, RunId};

/// The region of every test.
pub(crate) const REGION: &str = "us-east-1";

/// Clients that answer nothing. A test puts its own mocked ones in: `Clients { ssm, ..clients() }`.
pub(crate) fn clients() -> Clients {
    let none: &[&Rule] = &[];
    let sts = aws_sdk_sts::Config::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(REGION))
        .build();
    Clients {
        region: REGION.to_owned(),
        elasticache: mock_client!(aws_sdk_elasticache, RuleMode::MatchAny, none),
        memorydb: mock_client!(aws_sdk_memorydb, RuleMode::MatchAny, none),
        s3: mock_client!(aws_sdk_s3, RuleMode::MatchAny, none),
        ssm: mock_client!(aws_sdk_ssm, RuleMode::MatchAny, none),
        secretsmanager: mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, none),
        route53: mock_client!(aws_sdk_route53, RuleMode::MatchAny, none),
        sts: aws_sdk_sts::Client::from_conf(sts),
    }
}

/// An environment with these clients, in which every server answers.
pub(crate) fn env(aws: Clients) -> Env {
    env_with(aws, &[])
}

/// As `env`, but the servers at these `host:port` are dead.
pub(crate) fn env_with(aws: Clients, dead: &[&str]) -> Env {
    Env {
        aws,
        identity: Identity {
            account: "123456789012".to_owned(),
            arn: "arn:aws:iam::123456789012:user/test".to_owned(),
            partition: "aws".to_owned(),
            region: REGION.to_owned(),
        },
        data: Rc::new(Servers { dead: dead.iter().map(|d| (*d).to_owned()).collect() }),
    }
}

/// The context of step "step" in run "0000000001", on virtual time. Notes and events go nowhere.
pub(crate) fn cx() -> Cx {
    let base = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    let clock = Clock::tokio(base, 1.0);
    let run: RunId = "0000000001".parse().expect("a run id");
    let ledger = Rc::new(Ledger::none(clock.clone(), Rc::new(|_| {})));
    Cx::reading(run, "step", ledger, clock)
}

struct Servers {
    dead: Vec<String>,
}

#[async_trait(?Send)]
impl DataPlane for Servers {
    async fn open(&self, target: &Target) -> Result<Box<dyn Store>, Failure> {
        Err(Failure::fatal(format!("no store at {} in this test", target.host)))
    }

    async fn answers(&self, host: &str, port: u16) -> Result<(), Failure> {
        if self.dead.contains(&format!("{host}:{port}")) {
            Err(Failure::new(Class::Transient, "connection refused"))
        } else {
            Ok(())
        }
    }
}
