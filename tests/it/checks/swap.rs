//! Targets of a swap.

use orchestrate_sandbox::{Seed, SeedParameter, SeedRecord, SeedValue};

use super::{Found, Row, Then, fails};

const WARNED: (&str, Found) = ("switch", Found::CannotKnow);
const REFUSED: (&str, Found) = ("switch", Found::WillFail);

const PLAIN: &str = "[{ ssm_parameter: /demo/redis/endpoint }]";
const SECRET: (&str, &str) = (PLAIN, "[{ secret: demo/endpoint }]");
const RECORD: (&str, &str) =
    (PLAIN, "[{ route53_record: redis.internal.example.com, zone: Z0000000DEMO }]");
const URL: (&str, &str) = (PLAIN, "[{ ssm_parameter: /demo/redis/url, format: url }]");

fn bare(check: &'static str) -> Row {
    Row { check, found: ("switch", Found::Ok), ..Row::default() }
}

fn of(check: &'static str, edits: &'static [(&'static str, &'static str)]) -> Row {
    Row { check, edits, found: ("switch", Found::Ok), ..Row::default() }
}

fn parameter(seed: &mut Seed) -> &mut SeedParameter {
    &mut seed.parameters[0]
}

fn record(seed: &mut Seed) -> &mut SeedRecord {
    &mut seed.hosted_zones[0].records[0]
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        bare("swap.target"),
        of("swap.target", &[SECRET]),
        of("swap.target", &[RECORD]),
        Row {
            check: "swap.target",
            case: "no such parameter",
            seed: |seed| seed.parameters.clear(),
            found: REFUSED,
            then: fails("switch", "could not read SSM parameter"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "a parameter of another form",
            seed: |seed| parameter(seed).value = SeedValue::Text("redis".to_owned()),
            found: REFUSED,
            then: fails("switch", "is not in the declared format"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "a secret about to be deleted",
            edits: &[SECRET],
            seed: |seed| seed.secrets[0].deleted = true,
            found: REFUSED,
            then: fails("switch", "is scheduled for deletion"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "no such record",
            edits: &[RECORD],
            seed: |seed| seed.hosted_zones[0].records.clear(),
            found: REFUSED,
            then: fails("switch", "has no record"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "an alias",
            edits: &[RECORD],
            seed: |seed| record(seed).alias = Some("elsewhere.internal.example.com".to_owned()),
            found: REFUSED,
            then: fails("switch", "it is an alias"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "a weighted record",
            edits: &[RECORD],
            seed: |seed| record(seed).weight = Some(10),
            found: REFUSED,
            then: fails("switch", "it has a routing policy"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "an address record",
            edits: &[RECORD],
            seed: |seed| {
                record(seed).kind = "A".to_owned();
                record(seed).values = vec![SeedValue::Text("10.0.0.1".to_owned())];
            },
            found: REFUSED,
            then: fails("switch", "it is of type A, not CNAME"),
            ..Row::default()
        },
        Row {
            check: "swap.target",
            case: "the apex of the zone",
            edits: &[RECORD],
            seed: |seed| seed.hosted_zones[0].name = "redis.internal.example.com".to_owned(),
            found: REFUSED,
            then: fails("switch", "is the apex of hosted zone"),
            ..Row::default()
        },
        bare("swap.source"),
        of("swap.source", &[RECORD]),
        Row {
            check: "swap.source",
            case: "it leads elsewhere",
            seed: |seed| {
                parameter(seed).value = SeedValue::Text("old.example.com:6379".to_owned());
            },
            found: WARNED,
            then: fails("switch", "the old endpoint old.example.com:6379 does not answer"),
            ..Row::default()
        },
        bare("swap.way_back"),
        of("swap.way_back", &[RECORD]),
        Row {
            check: "swap.way_back",
            case: "the old endpoint is not reached from here",
            seed: |seed| {
                parameter(seed).value = SeedValue::Text("old.example.com:6379".to_owned());
            },
            found: REFUSED,
            then: fails("switch", "the old endpoint old.example.com:6379 does not answer"),
            ..Row::default()
        },
        Row {
            check: "swap.way_back",
            case: "it is not reached, and the playbook accepts that",
            edits: &[("endpoint.swap:", "accept_no_way_back: true\n    endpoint.swap:")],
            seed: |seed| {
                parameter(seed).value = SeedValue::Text("old.example.com:6379".to_owned());
            },
            found: ("switch", Found::Note),
            then: Then::Goes(&[]),
            ..Row::default()
        },
        Row {
            check: "swap.way_back",
            case: "two targets name different endpoints",
            edits: &[(
                PLAIN,
                "[{ ssm_parameter: /demo/redis/endpoint }, { ssm_parameter: /demo/redis/other }]",
            )],
            seed: |seed| {
                let mut other = parameter(seed).clone();
                other.name = "/demo/redis/other".to_owned();
                other.value = SeedValue::Text("old.example.com:6379".to_owned());
                // The playbook's own seed may hold it already.
                seed.parameters.retain(|known| known.name != other.name);
                seed.parameters.push(other);
            },
            found: REFUSED,
            then: fails("switch", "name different endpoints"),
            ..Row::default()
        },
        bare("swap.writable"),
        of("swap.writable", &[SECRET]),
        Row {
            check: "swap.writable",
            case: "a pattern that the new endpoint matches",
            seed: |seed| {
                parameter(seed).allowed_pattern = Some(r"[a-z0-9.-]+:\d+".to_owned());
            },
            found: ("switch", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "swap.writable",
            case: "a pattern that it does not match",
            seed: |seed| {
                parameter(seed).allowed_pattern = Some(r"clustercfg\.demo\..*".to_owned());
            },
            found: REFUSED,
            then: fails("switch", "ParameterPatternMismatchException"),
            ..Row::default()
        },
        Row {
            check: "swap.writable",
            case: "a parameter that expires",
            seed: |seed| parameter(seed).policies = vec!["Expiration".to_owned()],
            found: WARNED,
            then: Then::Goes(&[]),
            ..Row::default()
        },
        Row {
            check: "swap.writable",
            case: "a secret of another service",
            edits: &[SECRET],
            seed: |seed| seed.secrets[0].owning_service = Some("rds".to_owned()),
            found: REFUSED,
            then: fails("switch", "InvalidRequestException"),
            ..Row::default()
        },
        of("swap.rotation", &[SECRET]),
        Row {
            check: "swap.rotation",
            case: "rotated",
            edits: &[SECRET],
            seed: |seed| seed.secrets[0].rotation = true,
            found: WARNED,
            then: Then::Goes(&[]),
            ..Row::default()
        },
        of("swap.ttl", &[RECORD]),
        Row {
            check: "swap.ttl",
            case: "five minutes",
            edits: &[RECORD],
            seed: |seed| record(seed).ttl = 300,
            found: ("switch", Found::Note),
            then: Then::Goes(&["\"ttl\":300"]),
            ..Row::default()
        },
        Row {
            check: "swap.ttl",
            case: "longer than the step may take",
            edits: &[RECORD],
            seed: |seed| record(seed).ttl = 3600,
            found: REFUSED,
            then: fails("switch", "the step's time is up"),
            ..Row::default()
        },
        Row {
            check: "swap.ttl",
            case: "longer than a step usually may take, and this one may",
            edits: &[RECORD, ("  - id: switch\n", "  - id: switch\n    timeout: 2h\n")],
            seed: |seed| record(seed).ttl = 3600,
            found: ("switch", Found::Note),
            then: Then::Goes(&["\"ttl\":3600"]),
            ..Row::default()
        },
        bare("swap.tls"),
        Row {
            check: "swap.tls",
            case: "the scheme follows",
            edits: &[
                URL,
                (
                    "      to: '${{ steps.cluster.endpoint }}'",
                    "      to: '${{ steps.cluster.endpoint }}'\n      tls: true",
                ),
            ],
            seed: |seed| seed.replication_groups[0].tls = false,
            found: ("switch", Found::Ok),
            then: Then::Goes(&["\"value\":\"rediss://clustercfg.demo-mdb"]),
            ..Row::default()
        },
        Row {
            check: "swap.tls",
            case: "the scheme stays",
            edits: &[URL],
            seed: |seed| seed.replication_groups[0].tls = false,
            found: WARNED,
            then: Then::Goes(&["\"value\":\"redis://clustercfg.demo-mdb"]),
            ..Row::default()
        },
        Row {
            check: "swap.login",
            case: "a user",
            edits: &[URL],
            seed: |seed| {
                let url = "rediss://app:secret@clustercfg.demo.sandbox.invalid:6379";
                parameter(seed).value = SeedValue::Text(url.to_owned());
            },
            found: ("switch", Found::Ok),
            ..Row::default()
        },
        Row {
            check: "swap.login",
            case: "a password alone",
            edits: &[URL],
            seed: |seed| {
                let url = "rediss://:secret@clustercfg.demo.sandbox.invalid:6379";
                parameter(seed).value = SeedValue::Text(url.to_owned());
            },
            found: WARNED,
            then: Then::Goes(&["\"value\":\"rediss://:secret@clustercfg.demo-mdb"]),
            ..Row::default()
        },
    ]
}
