use super::catalog::{MIGRATION, codes, plan, problems, refused};
use crate::plan::Writes;

const FREEZE: &str = "  - id: freeze
    elasticache.freeze_writes: { replication_group: \"${{ inputs.source }}\" }
";
const COPY: &str = "{ replication_group: \"${{ inputs.source }}\" }\n  - id: export";
const GIVEN: &[&str] = &["source=prod", "bucket=exports"];

fn unfrozen(copy: &str) -> String {
    MIGRATION.replace(FREEZE, "").replace(COPY, &format!("{copy}\n  - id: export"))
}

#[test]
fn a_switch_to_a_copy_whose_later_writes_are_lost_is_refused() {
    let text = unfrozen("{ replication_group: prod }");
    insta::assert_snapshot!(problems(&text).render(false), @r###"
    error[P0050]: writes after the snapshot are lost: nothing stops them before step `snapshot` copies the data that step `switch` puts live
      --> playbook.yaml:12:5
       |
    12 |     elasticache.create_snapshot: { replication_group: prod }
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^ the copy is taken here
    ...
    29 |     endpoint.swap:
       |     ------------- and goes live here
       |
       = help: stop writes in a step before the copy (`elasticache.freeze_writes`), or accept the loss by name in the step's arguments
    "###);
}

#[test]
fn stopping_writes_after_the_copy_is_too_late() {
    let text =
        MIGRATION.replace(FREEZE, "").replace("  - id: export", &format!("{FREEZE}  - id: export"));
    assert_eq!(codes(&text), ["P0050"]);
}

#[test]
fn stopping_writes_beside_the_copy_is_too_late() {
    let beside = format!("  - parallel:\n{}", FREEZE.replace('\n', "\n    ").trim_end());
    let text = MIGRATION.replace(FREEZE, &beside.replace("  - id", "      - id")).replace(
        "  - id: snapshot\n    elasticache",
        "\n      - id: snapshot\n        elasticache",
    );
    assert_eq!(codes(&text), ["P0050"], "{}", problems(&text));
}

#[test]
fn a_loss_accepted_by_name_lets_the_switch_pass_and_the_plan_says_so() {
    let text = unfrozen("{ replication_group: prod, accept_lost_writes: prod }")
        .replace("${{ inputs.source }}-", "${{ inputs.source }}");
    let accepted = Writes::LossAccepted {
        step: "snapshot".to_owned(),
        argument: "accept_lost_writes".to_owned(),
    };
    assert_eq!(plan(&text, GIVEN).writes, accepted);
}

#[test]
fn an_acceptance_that_turns_out_empty_accepts_nothing() {
    let text = unfrozen("{ replication_group: prod, accept_lost_writes: \"${{ inputs.lose }}\" }")
        .replace("inputs:\n", "inputs:\n  lose: { type: string, description: L, default: null }\n");
    assert_eq!(problems(&text).render(false), "");
    assert!(refused(&text, GIVEN).contains("error[P0050]"));
    let mut lose = GIVEN.to_vec();
    lose.push("lose=prod");
    assert!(matches!(plan(&text, &lose).writes, Writes::LossAccepted { .. }));
}

#[test]
fn a_playbook_that_puts_nothing_live_may_copy_freely() {
    let text = unfrozen("{ replication_group: prod }");
    let text = &text[..text.find("  - id: ready").unwrap()];
    assert_eq!(codes(text), [""; 0]);
    assert_eq!(plan(text, GIVEN).writes, Writes::NotConcerned);
}

#[test]
fn a_pivot_stands_once_and_alone() {
    let switch = &MIGRATION[MIGRATION.find("  - id: switch").unwrap()..];
    let twice = format!("{MIGRATION}{}", switch.replace("id: switch", "id: again"));
    assert_eq!(codes(&twice), ["P0051"]);
    let many = MIGRATION.replace("  - id: switch\n", "  - id: switch\n    for_each: [1]\n");
    assert_eq!(codes(&many), ["P0052"]);
    let lane = format!(
        "{}  - parallel:\n{}",
        &MIGRATION[..MIGRATION.find("  - id: switch").unwrap()],
        switch.lines().map(|line| format!("    {line}\n")).collect::<String>()
    );
    assert_eq!(codes(&lane), ["P0052"]);
}

#[test]
fn giving_up_a_way_back_that_no_one_loses_is_a_mistake() {
    let text = MIGRATION.replace("    approve:", "    accept_no_way_back: true\n    approve:");
    assert_eq!(codes(&text), ["P0053"]);
}

#[test]
fn keeping_what_no_rollback_undoes_is_a_mistake() {
    let text = MIGRATION.replace("    approve:", "    keep: true\n    approve:");
    assert_eq!(codes(&text), ["P0058"]);
    let text = MIGRATION.replacen(
        "    elasticache.create_snapshot:",
        "    keep: true\n    elasticache.create_snapshot:",
        1,
    );
    assert_ne!(text, MIGRATION);
    assert_eq!(codes(&text), [""; 0]);
}
