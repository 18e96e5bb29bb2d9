//! Metrics that a gate looks at, and topics that are told.

use orchestrate_sandbox::{Seed, SeedMetric, SeedPoint};

use super::{Found, Row, Then, fails};

const GATE: &str = "
playbook: v1
name: checked
steps:
  - id: gate
    cloudwatch.metric_gate:
      metrics:
        - { namespace: AWS/ElastiCache, metric: EngineCPUUtilization, nodes_of: demo, at_most: 60 }
";

fn shows(seed: &mut Seed, values: &[(i64, Option<f64>)]) {
    let node = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let dimensions = [("CacheClusterId", "demo-0002-001"), ("CacheNodeId", "0001")].map(node);
    let point = |(after_minutes, value): &(i64, Option<f64>)| SeedPoint {
        after_minutes: *after_minutes,
        value: *value,
    };
    seed.metrics.push(SeedMetric {
        namespace: "AWS/ElastiCache".to_owned(),
        metric: "EngineCPUUtilization".to_owned(),
        dimensions: dimensions.into(),
        values: values.iter().map(point).collect(),
    });
}

const TELL: &str = "
playbook: v1
name: checked
steps:
  - id: tell
    notify.sns: { topic: 'arn:aws:sns:us-east-1:123456789012:on-call', text: told }
";

fn tell() -> Row {
    Row { check: "notify.topic", playbook: TELL, found: ("tell", Found::Ok), ..Row::default() }
}

fn bare() -> Row {
    Row { check: "gate.metrics", playbook: GATE, found: ("gate", Found::Ok), ..Row::default() }
}

pub(super) fn rows() -> Vec<Row> {
    let found = ("gate", Found::CannotKnow);
    vec![
        bare(),
        Row {
            case: "one node of four was busy four minutes ago",
            seed: |seed| shows(seed, &[(-60, Some(3.0)), (-4, Some(61.0)), (-3, Some(3.0))]),
            found,
            then: fails("gate", "demo-0002-001, CacheNodeId 0001 is 61, and must be at most 60"),
            ..bare()
        },
        Row {
            case: "busy before the window",
            seed: |seed| shows(seed, &[(-60, Some(90.0)), (-11, Some(3.0))]),
            then: Then::Goes(&[]),
            ..bare()
        },
        Row {
            case: "one node has no data for ten minutes",
            seed: |seed| shows(seed, &[(-60, Some(3.0)), (-11, None)]),
            found,
            then: fails("gate", "1 of 4 metrics have no data in the last 10m"),
            ..bare()
        },
        Row {
            case: "no data, which the playbook lets pass",
            edits: &[("      metrics:\n", "      no_data: pass\n      metrics:\n")],
            seed: |seed| shows(seed, &[(-60, None)]),
            then: Then::Goes(&["\"without_data\":1"]),
            ..bare()
        },
        tell(),
        Row {
            case: "nobody subscribes",
            seed: |seed| seed.topics[0].subscriptions = 0,
            found: ("tell", Found::Note),
            ..tell()
        },
        Row {
            case: "no such topic",
            seed: |seed| seed.topics.clear(),
            found: ("tell", Found::WillFail),
            then: fails("tell", "Topic does not exist"),
            ..tell()
        },
        Row {
            case: "a topic of another region",
            edits: &[("sns:us-east-1", "sns:eu-west-1")],
            found: ("tell", Found::WillFail),
            then: fails("tell", "Invalid parameter: TopicArn"),
            ..tell()
        },
    ]
}
