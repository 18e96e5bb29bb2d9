//! The reference sees each guarantee broken, and nothing where none is.

use jiff::Timestamp;
use orchestrate_sandbox::{Call, Outcome};
use serde_json::{Value, json};

use super::{Evidence, Lived, check};
use crate::cli::sim::tape::Sent;

const RUN: &str = "01h3kq7xw2";

/// A small run: a cluster is made, and a parameter leads to it.
struct Case {
    meant: &'static [&'static str],
    before: Value,
    undisturbed: Value,
    end: Value,
    sent: Vec<Sent>,
    records: Vec<Value>,
    lived: Vec<Lived>,
}

fn world(endpoint: &str, clusters: &[&str]) -> Value {
    let clusters: serde_json::Map<String, Value> = clusters
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "status": "available" })))
        .collect();
    json!({
        "ssm": { "/endpoint": { "value": endpoint } },
        "secretsmanager": {}, "route53": {},
        "memorydb": { "clusters": clusters },
    })
}

fn sent(process: u32, order: u64, operation: &str, resource: &str) -> Sent {
    let service = if operation == "PutParameter" { "ssm" } else { "memorydb" };
    Sent {
        process,
        order,
        durable: usize::MAX,
        call: Call {
            at: Timestamp::UNIX_EPOCH,
            service: service.to_owned(),
            operation: operation.to_owned(),
            resource: resource.to_owned(),
            mutating: true,
            outcome: Outcome::Ok,
            effect: true,
            fault: None,
            request_id: String::new(),
            needs: Vec::new(),
        },
        sight: Some(world("old:1", &["fresh"])),
    }
}

fn lived(process: u32) -> Lived {
    Lived {
        process,
        order: "Begin".to_owned(),
        rested: true,
        refused: false,
        hung: false,
        said: None,
        durable: usize::MAX,
    }
}

fn whole() -> Case {
    let mut switch = sent(1, 2, "PutParameter", "/endpoint");
    switch.sight = Some(world("new:1", &["fresh"]));
    let intent = |step: &str, name: &str| json!({"type": "intended", "step": step, "resources": [{"name": name}], "prepared": {}});
    Case {
        meant: &[],
        before: world("old:1", &[]),
        undisturbed: world("new:1", &["fresh"]),
        end: world("new:1", &["fresh"]),
        sent: vec![sent(1, 1, "CreateCluster", "fresh"), switch],
        records: vec![
            json!({"type": "started"}),
            intent("cluster", "fresh"),
            intent("switch", "/endpoint"),
            json!({"type": "rested", "rest": "succeeded"}),
        ],
        lived: vec![lived(1)],
    }
}

/// The numbers of the guarantees that do not hold.
fn broken(case: &Case) -> Vec<&'static str> {
    let lines: Vec<String> = (1..)
        .zip(&case.records)
        .map(|(seq, record)| json!({ "seq": seq, "record": record }).to_string() + "\n")
        .collect();
    let journal = lines.concat();
    let evidence = Evidence {
        run: RUN,
        meant: case.meant,
        before: &case.before,
        undisturbed: &case.undisturbed,
        end: &case.end,
        sent: &case.sent,
        journal: journal.as_bytes(),
        lived: &case.lived,
    };
    let mut numbers: Vec<_> = check(&evidence).0.iter().map(|v| v.guarantee).collect();
    numbers.dedup();
    numbers
}

fn with(change: impl FnOnce(&mut Case)) -> Vec<&'static str> {
    let mut case = whole();
    change(&mut case);
    broken(&case)
}

#[test]
fn a_run_that_keeps_every_guarantee_is_not_blamed() {
    assert_eq!(with(|_| {}), Vec::<&str>::new());
}

#[test]
fn a_change_before_its_intent_is_seen() {
    assert_eq!(with(|case| case.sent[0].durable = 0), ["G1"]);
    assert_eq!(with(|case| case.sent[1].call.resource = "/another".to_owned()), ["G1"]);
}

#[test]
fn a_thing_made_twice_and_a_source_taken_away_are_seen() {
    assert_eq!(with(|case| case.sent.push(sent(1, 3, "CreateCluster", "fresh"))), ["G2"]);
    assert_eq!(
        with(|case| case.sent[0].call.operation = "DeleteReplicationGroup".to_owned()),
        ["G8"]
    );
    // What a playbook is there to do is no more allowed to it than that.
    let deletes = |meant: &'static [&'static str]| {
        with(|case| {
            case.meant = meant;
            case.sent[0].call.operation = "DeleteReplicationGroup".to_owned();
        })
    };
    assert_eq!(deletes(&["DeleteReplicationGroup"]), Vec::<&str>::new());
    assert_eq!(deletes(&["ModifyReplicationGroup"]), ["G8"]);
}

#[test]
fn what_is_left_over_is_seen() {
    let extra = || world("new:1", &["fresh", "forgotten"]);
    assert_eq!(with(|case| case.end = extra()), ["G4", "G5"]);
    let back = |case: &mut Case| {
        case.records[3] = json!({"type": "rested", "rest": "rolled_back"});
        case.end = world("old:1", &["fresh"]);
    };
    assert_eq!(with(back), ["G6"]);
    // Unless its kind says that nothing brings it back.
    let left = |case: &mut Case| {
        back(case);
        case.records.insert(3, json!({"type": "left", "step": "cluster"}));
    };
    assert_eq!(with(left), Vec::<&str>::new());
}

#[test]
fn an_end_that_is_no_rest_and_stuck_without_words_are_seen() {
    assert_eq!(with(|case| drop(case.records.pop())), ["G7"]);
    assert_eq!(with(|case| case.lived[0].hung = true), ["G7"]);
    let stuck = |said: Option<&str>| {
        let said = said.map(str::to_owned);
        with(|case| {
            let failure = json!({"message": "it is not allowed"});
            case.records[3] =
                json!({"type": "rested", "rest": "stuck", "step": "switch", "failure": failure});
            case.lived[0].said = said;
        })
    };
    assert_eq!(stuck(None), ["G7"]);
    let all = "switch /endpoint: it is not allowed; orchestrate resume 01h3kq7xw2";
    assert_eq!(stuck(Some(all)), Vec::<&str>::new());
    for missing in ["switch", "/endpoint", "it is not allowed", "orchestrate resume"] {
        assert_eq!(stuck(Some(&all.replace(missing, "…"))), ["G7"], "{missing}");
    }
}

#[test]
fn an_endpoint_that_shows_neither_or_leads_nowhere_is_seen() {
    let shows = |endpoint: &str, clusters: &[&str]| {
        let sight = world(endpoint, clusters);
        with(|case| case.sent[1].sight = Some(sight))
    };
    assert_eq!(shows("", &["fresh"]), ["G9"]);
    assert_eq!(shows("third:1", &["fresh"]), ["G9"]);
    assert_eq!(shows("new:1", &[]), ["G9"]);
    assert_eq!(shows("old:1", &[]), Vec::<&str>::new());
}

#[test]
fn two_processes_at_once_are_seen() {
    let between = |case: &mut Case| {
        case.sent.push(sent(2, 2, "PutParameter", "/endpoint"));
        case.sent[1].order = 3;
    };
    assert_eq!(with(between), ["G14"]);
    // One after the other is how a run is taken up.
    assert_eq!(with(|case| case.sent[1].process = 2), Vec::<&str>::new());
    let refused = |case: &mut Case| {
        case.lived.push(Lived { refused: true, rested: false, ..lived(1) });
    };
    assert_eq!(with(refused), ["G14"]);
}

#[test]
fn a_journal_with_a_gap_is_seen() {
    let evidence = |journal: &'static str| {
        let (world, none) = (json!({}), Vec::new());
        let evidence = Evidence {
            run: RUN,
            meant: &[],
            before: &world,
            undisturbed: &world,
            end: &world,
            sent: &[],
            journal: journal.as_bytes(),
            lived: &none,
        };
        check(&evidence).0.len()
    };
    assert_eq!(evidence("{\"seq\":1,\"record\":{}}\n{\"seq\":2,\"rec"), 0);
    assert_eq!(evidence("{\"seq\":2,\"record\":{}}\n"), 1);
    assert_eq!(evidence("nonsense\n"), 1);
}
