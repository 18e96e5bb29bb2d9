//! What tests of kinds act with: mocked clients and a context that records nothing, on virtual time.

use std::rc::Rc;

use async_trait::async_trait;
use aws_smithy_mocks::{Rule, RuleMode, mock_client};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::redis::{DataPlane, Store, Target};
use super::{Env, ownership};
use crate::aws::{Clients, Gates, Identity};
use crate::engine::journal::{MemoryJournal, Record};
use crate::engine::{Class, Clock, Cx, Failure, Ledger};
use crate::plan::{Effect, FORMAT, Plan, PlannedStep, Stage, Template, UndoPolicy, Writes};

/// The region of every test.
pub(crate) const REGION: &str = "us-east-1";

/// Clients that answer by these rules; a call that no rule matches fails the test.
#[derive(Default)]
pub(crate) struct Rules<'a> {
    pub(crate) elasticache: Vec<&'a Rule>,
    pub(crate) memorydb: Vec<&'a Rule>,
    pub(crate) s3: Vec<&'a Rule>,
    pub(crate) ssm: Vec<&'a Rule>,
    pub(crate) secretsmanager: Vec<&'a Rule>,
    pub(crate) route53: Vec<&'a Rule>,
    pub(crate) iam: Vec<&'a Rule>,
    pub(crate) kms: Vec<&'a Rule>,
    pub(crate) cloudwatch: Vec<&'a Rule>,
    pub(crate) servicequotas: Vec<&'a Rule>,
    pub(crate) sns: Vec<&'a Rule>,
}

/// Clients answered by `rules`.
pub(crate) fn clients(rules: Rules<'_>) -> Clients {
    let any = RuleMode::MatchAny;
    let sts = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .build();
    Clients {
        region: REGION.to_owned(),
        elasticache: mock_client!(aws_sdk_elasticache, any, rules.elasticache),
        memorydb: mock_client!(aws_sdk_memorydb, any, rules.memorydb),
        s3: mock_client!(aws_sdk_s3, any, rules.s3),
        ssm: mock_client!(aws_sdk_ssm, any, rules.ssm),
        secretsmanager: mock_client!(aws_sdk_secretsmanager, any, rules.secretsmanager),
        route53: mock_client!(aws_sdk_route53, any, rules.route53),
        sts: aws_sdk_sts::Client::from_conf(sts),
        iam: mock_client!(aws_sdk_iam, any, rules.iam),
        kms: mock_client!(aws_sdk_kms, any, rules.kms),
        cloudwatch: mock_client!(aws_sdk_cloudwatch, any, rules.cloudwatch),
        servicequotas: mock_client!(aws_sdk_servicequotas, any, rules.servicequotas),
        sns: mock_client!(aws_sdk_sns, any, rules.sns),
        pace: None,
        gates: Gates::default(),
    }
}

/// What steps act with, answered by `rules`; every Redis server answers.
pub(crate) fn env(rules: Rules<'_>) -> Env {
    env_with(clients(rules), &[])
}

/// As `env` with these clients, but the Redis servers at these `host:port` are dead.
pub(crate) fn env_with(aws: Clients, dead: &[&str]) -> Env {
    let dead = dead.iter().map(|d| (*d).to_owned()).collect();
    env_by(aws, Rc::new(Servers { dead }))
}

/// As `env` with these clients and this way to the data.
pub(crate) fn env_by(aws: Clients, data: Rc<dyn DataPlane>) -> Env {
    let identity = Identity {
        account: "123456789012".to_owned(),
        arn: "arn:aws:iam::123456789012:user/tester".to_owned(),
        partition: "aws".to_owned(),
        region: REGION.to_owned(),
    };
    // No test reads by the survey's clock unless it runs on virtual time itself.
    Env::new(aws, identity, data, &Clock::system())
}

fn clock() -> Clock {
    Clock::tokio(Timestamp::from_second(1_700_000_000).unwrap(), 1.0)
}

/// A context of run `0test0test` that records nothing. Call it under `#[tokio::test(start_paused = true)]`.
pub(crate) fn cx(step: &str) -> Cx {
    let clock = clock();
    let ledger = Rc::new(Ledger::none(clock.clone(), Rc::new(|_| {})));
    Cx::reading("0test0test".parse().unwrap(), step, ledger, clock)
}

/// As `cx`, of a run that records: the step has begun. With its journal.
pub(crate) async fn recording_cx(step: &str) -> (Cx, MemoryJournal) {
    let planned = PlannedStep {
        id: step.to_owned(),
        kind: "test".to_owned(),
        description: None,
        args: Template::Literal(Value::Null),
        timeout_secs: None,
        effect: Effect::Mutates(UndoPolicy::Undo),
        accept_no_way_back: false,
        keep: false,
    };
    let plan = Plan {
        format: FORMAT,
        playbook: "test".to_owned(),
        description: None,
        digest: String::new(),
        guard: None,
        inputs: serde_json::Map::new(),
        timeout_secs: None,
        writes: Writes::NotConcerned,
        guards: Vec::new(),
        stages: vec![Stage { max_parallel: 1, lanes: vec![vec![planned]] }],
        outputs: None,
    };
    let header = Record::Started {
        run: "0test0test".parse().unwrap(),
        tool: "test".to_owned(),
        by: "tester".to_owned(),
        account: "123456789012".to_owned(),
        region: REGION.to_owned(),
        embedded: false,
        plan: Box::new(plan),
    };
    let (clock, journal) = (clock(), MemoryJournal::default());
    let pen = Box::new(journal.clone());
    let ledger = Ledger::begin(pen, header, clock.clone(), Rc::new(|_| {})).await.unwrap();
    let begins = Record::StepStarted { step: step.to_owned(), attempt: 1 };
    ledger.record(begins).await.unwrap();
    let cx = Cx::reading("0test0test".parse().unwrap(), step, Rc::new(ledger), clock);
    (cx, journal)
}

/// Arguments of a kind.
pub(crate) fn spec<T: DeserializeOwned>(args: Value) -> T {
    serde_json::from_value(args).unwrap()
}

/// The ownership tags of this run and `step`, key and value.
pub(crate) fn own_tags(step: &str) -> [(&'static str, String); 3] {
    ownership::tags(&cx(step))
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
