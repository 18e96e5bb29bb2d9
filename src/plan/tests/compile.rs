use std::collections::BTreeMap;

use serde_json::json;

use super::catalog::{MIGRATION, catalog, given, plan, problems, refused, source, with_steps};
use crate::plan::{GivenInputs, Plan, ResolveError, RunFacts, Template, Writes, compile};
use crate::playbook::Source;

const RUN: RunFacts<'static> = RunFacts { id: "r1", started: "2026-11-23T01:02:03Z" };
const GIVEN: &[&str] = &["source=prod", "bucket=exports"];

#[test]
fn a_migration_compiles_to_one_stage_a_step_in_the_order_written() {
    assert_eq!(problems(MIGRATION).render(false), "");
    let plan = plan(MIGRATION, GIVEN);
    let ids: Vec<_> = plan.steps().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["freeze", "snapshot", "export", "cluster", "ready", "switch"]);
    assert_eq!(plan.stages.len(), 6);
    assert_eq!(plan.timeout_secs, Some(6 * 3600));
    assert_eq!(plan.step("cluster").unwrap().timeout_secs, Some(3 * 3600));
    assert_eq!(plan.writes, Writes::StoppedBy { step: "freeze".to_owned() });
    assert!(plan.has_pivot() && plan.step("switch").unwrap().accept_no_way_back);
    assert_eq!(plan.guard.unwrap().account.as_deref(), Some("123456789012"));
}

#[test]
fn a_plan_reads_back_from_json_the_same() {
    let plan = plan(MIGRATION, GIVEN);
    let text = serde_json::to_string(&plan).unwrap();
    let back: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(back, plan);
    assert_eq!(back.compute_digest(), plan.digest);
}

#[test]
fn the_digest_follows_what_decides_the_run_and_nothing_else() {
    let digest = |text: &str, arguments: &[&str]| plan(text, arguments).digest;
    let base = digest(MIGRATION, GIVEN);
    assert_eq!(base.len(), 64);
    assert_eq!(digest(MIGRATION, GIVEN), base);
    assert_eq!(digest(MIGRATION, &["bucket=exports", "source=prod"]), base);
    let described = MIGRATION.replace("  - id: freeze", "  - description: Stop\n    id: freeze");
    assert_eq!(digest(&format!("# A comment.\n{described}"), GIVEN), base);
    assert_ne!(digest(MIGRATION, &["source=prod", "bucket=other"]), base);
    assert_ne!(digest(&MIGRATION.replace("timeout: 3h", "timeout: 4h"), GIVEN), base);
    assert_ne!(digest(&MIGRATION.replace("accept_no_way_back: true", ""), GIVEN), base);
}

#[test]
fn arguments_resolve_from_outputs_and_keep_their_types() {
    let plan = plan(MIGRATION, GIVEN);
    let outputs = BTreeMap::from([
        ("export".to_owned(), json!({ "objects": ["s3://a", "s3://b"], "arn": "x" })),
        ("cluster".to_owned(), json!({ "endpoint": { "host": "h", "port": 6379 }, "arn": "y" })),
    ]);
    let args = plan.step("cluster").unwrap().args.resolve(&RUN, &outputs).unwrap();
    assert_eq!(
        args,
        json!({
            "name": "prod-r1", "node_type": "db.r7g.large", "shards": 2, "engine": "valkey",
            "restore_from": ["s3://a", "s3://b"],
        })
    );
    let swap = plan.step("switch").unwrap().args.resolve(&RUN, &outputs).unwrap();
    assert_eq!(swap["to"], json!({ "host": "h", "port": 6379 }));
    let freeze = &plan.step("freeze").unwrap().args;
    assert_eq!(*freeze, Template::Literal(json!({ "replication_group": "prod" })));
}

#[test]
fn a_missing_output_is_named_when_arguments_are_resolved() {
    let plan = plan(MIGRATION, GIVEN);
    let args = &plan.step("export").unwrap().args;
    let none = args.resolve(&RUN, &BTreeMap::new()).unwrap_err();
    assert!(matches!(&none, ResolveError::NoOutput { step, .. } if step == "snapshot"));
    let empty = BTreeMap::from([("snapshot".to_owned(), json!({}))]);
    let missing = args.resolve(&RUN, &empty).unwrap_err().to_string();
    assert_eq!(
        missing,
        "the output of step snapshot has no `name`, and `steps.snapshot.name` needs it"
    );
}

const FAN: &str = r#"
playbook: v1
name: fan
inputs:
  groups: { type: list, description: Replication groups, default: [a, b] }
steps:
  - id: snap
    for_each: "${{ inputs.groups }}"
    max_parallel: 2
    elasticache.create_snapshot: { replication_group: "x-${{ item }}" }
  - parallel:
      - id: one
        approve: { message: "${{ steps.snap.name[1] }}" }
      - id: two
        memorydb.create_cluster:
          name: two
          node_type: t
          restore_from: "${{ steps.snap.name }}"
    max_parallel: 1
"#;

#[test]
fn for_each_becomes_one_lane_an_item_and_its_outputs_a_list() {
    let plan = plan(FAN, &[]);
    assert_eq!(plan.stages[0].max_parallel, 2);
    assert_eq!(plan.stages[0].lanes.len(), 2);
    assert_eq!(plan.stages[1].max_parallel, 1);
    let second = plan.step("snap[1]").unwrap();
    assert_eq!(second.args, Template::Literal(json!({ "replication_group": "x-b" })));
    let outputs = BTreeMap::from([
        ("snap[0]".to_owned(), json!({ "name": "s0" })),
        ("snap[1]".to_owned(), json!({ "name": "s1" })),
    ]);
    let resolve = |id: &str| plan.step(id).unwrap().args.resolve(&RUN, &outputs).unwrap();
    assert_eq!(resolve("one")["message"], "s1");
    assert_eq!(resolve("two")["restore_from"], json!(["s0", "s1"]));
}

#[test]
fn for_each_over_nothing_plans_nothing_and_an_index_beyond_it_is_refused() {
    let text = FAN.replace("steps.snap.name[1]", "run.id");
    assert_eq!(plan(&text, &["groups="]).stages.len(), 1);
    assert!(refused(FAN, &["groups=a"]).contains("error[P0045]: step `snap` has 1 item(s) here"));
}

#[test]
fn items_of_a_for_each_may_be_mappings() {
    let text = with_steps(
        r#"  - id: x
    for_each: [{ name: a, size: 1 }, { name: b, size: 2 }]
    memorydb.create_cluster: { name: "${{ item.name }}", node_type: t, shards: "${{ item.size }}" }
"#,
    );
    let args = plan(&text, &[]).step("x[1]").unwrap().args.clone();
    assert_eq!(args, Template::Literal(json!({ "name": "b", "node_type": "t", "shards": 2 })));
    let wrong = refused(&text.replace("size: 2", "size: two"), &[]);
    assert!(wrong.contains("`shards` must be a whole number, and this is text"), "{wrong}");
    let absent = refused(&text.replace("item.size", "item.weight"), &[]);
    assert!(absent.contains("asks for a field `weight` that is not there"), "{absent}");
}

#[test]
fn inputs_come_from_arguments_over_the_file_over_defaults() {
    let file = Source::new("in.yaml", "source: from-file\nbucket: exports\nshards: 3\n");
    let inputs = GivenInputs { file: Some(file), ..given(&["source=from-argument"]) };
    let plan = compile(&source(MIGRATION), &catalog(), &inputs).unwrap();
    assert_eq!(plan.inputs["source"], "from-argument");
    assert_eq!(plan.inputs["shards"], 3);
}

#[test]
fn every_wrong_input_is_reported_at_once_and_at_its_place() {
    let file = Source::new("in.yaml", "bucket: [1]\nbukket: x\n");
    let inputs = GivenInputs { file: Some(file), ..given(&["shards=many", "source"]) };
    let problems = compile(&source(MIGRATION), &catalog(), &inputs).unwrap_err();
    insta::assert_snapshot!(problems.render(false), @r###"
    error[P0061]: an input is given as `name=value`
     --> --input:1:1
      |
    1 | source
      | ^^^^^^
      |
      = help: write `source=…`, with the value after the `=`

    error[P0061]: input `shards`: expected a whole number, found `many`
     --> --input:1:8
      |
    1 | shards=many
      |        ^^^^
      |
      = help: `shards`: Shards of the target

    error[P0061]: input `bucket`: expected text, found a list
     --> in.yaml:1:9
      |
    1 | bucket: [1]
      |         ^^^
      |
      = help: `bucket`: Bucket for the export

    error[P0062]: playbook `move` has no input `bukket`
     --> in.yaml:2:1
      |
    2 | bukket: x
      | ^^^^^^
      |
      = help: did you mean `bucket`?
    "###);
}

#[test]
fn a_value_out_of_range_is_found_when_it_comes_from_an_input() {
    let text = refused(MIGRATION, &["source=prod", "bucket=exports", "shards=501"]);
    assert!(text.contains("`shards` must be at most 500, and this is 501"), "{text}");
    assert!(text.contains("playbook.yaml:24:15"), "{text}");
}

#[test]
fn what_one_value_is_wrong_about_does_not_hide_behind_another_that_is_not_there() {
    // One is of the wrong type, one is missing, and one fits its type and not its argument.
    let text =
        MIGRATION.replace("inputs:\n", "inputs:\n  name: { type: string, description: N }\n");
    let text = refused(&text, &["bucket=ab", "shards=many", "source=prod"]);
    for told in ["P0061", "P0060", "P0023"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    // And once each.
    assert_eq!(text.matches("error[").count(), 3, "{text}");
}

#[test]
fn a_guard_that_has_no_value_is_refused_rather_than_dropped() {
    let text = MIGRATION.replace("\"123456789012\"", "\"${{ inputs.account }}\"").replace(
        "inputs:\n",
        "inputs:\n  account: { type: string, description: A, default: null }\n",
    );
    assert!(refused(&text, GIVEN).contains("`account` must be text, and this is nothing"));
    let mut good = GIVEN.to_vec();
    good.push("account=123456789012");
    assert_eq!(plan(&text, &good).guard.unwrap().account.as_deref(), Some("123456789012"));
    good.pop();
    good.push("account=1234");
    assert!(refused(&text, &good).contains("exactly 12 digits, and this is `1234`"));
}

#[test]
fn an_escaped_expression_is_text() {
    let text = with_steps("  - id: a\n    approve: { message: \"$${{ not }} ${{ run.id }}\" }\n");
    let plan = plan(&text, &[]);
    let args = plan.step("a").unwrap().args.resolve(&RUN, &BTreeMap::new()).unwrap();
    assert_eq!(args["message"], "${{ not }} r1");
}
