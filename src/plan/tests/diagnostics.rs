//! What a person sees for each mistake.

use super::catalog::{codes, problems, with_steps};
use crate::playbook::Code;

#[track_caller]
fn shown(text: &str) -> String {
    problems(text).render(false)
}

#[track_caller]
fn steps_shown(steps: &str) -> String {
    shown(&with_steps(steps))
}

#[test]
fn unknown_key() {
    insta::assert_snapshot!(steps_shown("  - id: a\n    timeuot: 3h\n    approve: { massage: hi }\n"), @r###"
    error[P0020]: step `a` has no key `timeuot`
     --> playbook.yaml:5:5
      |
    5 |     timeuot: 3h
      |     ^^^^^^^
      |
      = help: did you mean `timeout`?

    error[P0020]: `approve` has no key `massage`
     --> playbook.yaml:6:16
      |
    6 |     approve: { massage: hi }
      |                ^^^^^^^
      |
      = help: did you mean `message`?
    "###);
}

#[test]
fn missing_key() {
    insta::assert_snapshot!(steps_shown("  - id: a\n    elasticache.export_snapshot: { snapshot: s }\n"), @r###"
    error[P0021]: `elasticache.export_snapshot` needs `bucket`
     --> playbook.yaml:5:5
      |
    5 |     elasticache.export_snapshot: { snapshot: s }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `bucket`: The bucket the export goes to.
    "###);
}

#[test]
fn wrong_type() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    memorydb.create_cluster: { name: 12, node_type: t, shards: \"2\", tls: yes }\n"
    ), @r###"
    error[P0022]: `name` must be text, and this is the whole number 12
     --> playbook.yaml:5:38
      |
    5 |     memorydb.create_cluster: { name: 12, node_type: t, shards: "2", tls: yes }
      |                                      ^^
      |
      = help: quote it

    error[P0022]: `shards` must be a whole number, and this is text
     --> playbook.yaml:5:64
      |
    5 |     memorydb.create_cluster: { name: 12, node_type: t, shards: "2", tls: yes }
      |                                                                ^^^
      |
      = help: write 2 without quotes

    error[P0022]: `tls` must be `true` or `false`, and this is text
     --> playbook.yaml:5:74
      |
    5 |     memorydb.create_cluster: { name: 12, node_type: t, shards: "2", tls: yes }
      |                                                                          ^^^
      |
      = help: write `true` or `false`, without quotes
    "###);
}

#[test]
fn wrong_type_of_an_expression() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    elasticache.create_snapshot: { replication_group: g }\n  - id: b\n    \
         memorydb.create_cluster:\n      name: \"${{ steps.a.shards }}\"\n      node_type: t\n      \
         restore_from: \"${{ steps.a.name }}\"\n"
    ), @r###"
    error[P0022]: `steps.a.shards` is a whole number, and text is expected
     --> playbook.yaml:8:13
      |
    8 |       name: "${{ steps.a.shards }}"
      |             ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name another value, or a field of this one

    error[P0022]: `steps.a.name` is text, and a list is expected
      --> playbook.yaml:10:21
       |
    10 |       restore_from: "${{ steps.a.name }}"
       |                     ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: make a list of it: `["${{ steps.a.name }}"]`
    "###);
}

#[test]
fn unknown_kind() {
    insta::assert_snapshot!(steps_shown("  - id: a\n    elasticcache.create_snapshot: {}\n"), @r###"
    error[P0029]: there is no step kind `elasticcache.create_snapshot`
     --> playbook.yaml:5:5
      |
    5 |     elasticcache.create_snapshot: {}
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `elasticache.create_snapshot`?
    "###);
}

#[test]
fn later_step() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    approve: { message: \"${{ steps.b.name }}\" }\n  - id: b\n    approve:\n"
    ), @r###"
    error[P0043]: step `b` runs later, so its output is not known here
     --> playbook.yaml:5:36
      |
    5 |     approve: { message: "${{ steps.b.name }}" }
      |                                    ^
      |
      = help: steps run in the order written; move it up
    "###);
}

#[test]
fn missing_step_and_missing_output() {
    insta::assert_snapshot!(steps_shown(
        "  - id: snapshot\n    elasticache.create_snapshot: { replication_group: g }\n  - id: b\n    \
         approve: { message: \"${{ steps.snapshto.name }} and ${{ steps.snapshot.nmae }}\" }\n"
    ), @r###"
    error[P0042]: there is no step `snapshto`
     --> playbook.yaml:7:36
      |
    7 |     approve: { message: "${{ steps.snapshto.name }} and ${{ steps.snapshot.nmae }}" }
      |                                    ^^^^^^^^
      |
      = help: did you mean `snapshot`?

    error[P0045]: step `snapshot` has no output `nmae`
     --> playbook.yaml:7:76
      |
    7 |     approve: { message: "${{ steps.snapshto.name }} and ${{ steps.snapshot.nmae }}" }
      |                                                                            ^^^^
      |
      = help: did you mean `name`?
    "###);
}

#[test]
fn sibling_lane() {
    insta::assert_snapshot!(steps_shown(
        "  - parallel:\n      - id: a\n        approve:\n      - id: b\n        approve: { message: \
         \"${{ steps.a.x }}\" }\n"
    ), @r###"
    error[P0044]: step `a` runs at the same time, so its output is not known here
     --> playbook.yaml:8:40
      |
    8 |         approve: { message: "${{ steps.a.x }}" }
      |                                        ^
      |
      = help: move one of the two steps out of `parallel`
    "###);
}

#[test]
fn duplicate_id_and_duplicate_key() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    approve:\n  - id: a\n    approve: { message: x, message: y }\n"
    ), @r###"
    error[P0030]: two steps have the id `a`
     --> playbook.yaml:6:9
      |
    4 |   - id: a
      |         - first time
    5 |     approve:
    6 |   - id: a
      |         ^ second time
      |
      = help: give each step an id of its own

    error[P0007]: `message` stands here twice
     --> playbook.yaml:7:28
      |
    7 |     approve: { message: x, message: y }
      |                -------     ^^^^^^^ second time
      |                |
      |                first time
      |
      = help: remove one of the two
    "###);
}

#[test]
fn tab() {
    insta::assert_snapshot!(shown("playbook: v1\nname: t\nsteps:\n\t- id: a\n"), @r###"
    error[P0006]: there is a tab here, and YAML indents with spaces only
     --> playbook.yaml:4:1
      |
    4 |     - id: a
      | ^^^^
      |
      = help: replace the tab by spaces
    "###);
}

#[test]
fn cycle_and_unknown_alias() {
    insta::assert_snapshot!(shown("playbook: v1\nname: &n [*n]\n"), @r###"
    error[P0008]: this alias stands inside the value it stands for, so the value would never end
     --> playbook.yaml:2:11
      |
    2 | name: &n [*n]
      |           ^^
      |
      = help: write the value out here, or name another anchor
    "###);
    insta::assert_snapshot!(shown("playbook: v1\nname: *nobody\n"), @r###"
    error[P0008]: this alias names no anchor that stands before it
     --> playbook.yaml:2:7
      |
    2 | name: *nobody
      |       ^^^^^^^
      |
      = help: an anchor is written `&name` before a value; text that starts with `*` must be quoted
    "###);
}

#[test]
fn an_account_written_as_a_number() {
    insta::assert_snapshot!(shown("playbook: v1\nname: t\nguard: { account: 012345678901 }\nsteps: [{ id: a, approve: }]\n"), @r###"
    error[P0022]: an account id must be quoted: YAML reads this one as a number and may lose its leading zeros
     --> playbook.yaml:3:19
      |
    3 | guard: { account: 012345678901 }
      |                   ^^^^^^^^^^^^
      |
      = help: write "012345678901"
    "###);
}

#[test]
fn bad_expressions() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    approve:\n      message: \"${{ steps.b c }} ${{ input.x }} ${{ }} ${{ steps.a[x] }}\"\n"
    ), @r###"
    error[P0040]: `c` is not expected here
     --> playbook.yaml:6:29
      |
    6 |       message: "${{ steps.b c }} ${{ input.x }} ${{ }} ${{ steps.a[x] }}"
      |                             ^
      |
      = help: expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id`, `run.started`, `item`, and calls such as `lower(inputs.name)`

    error[P0040]: `input` is nothing an expression can name
     --> playbook.yaml:6:38
      |
    6 |       message: "${{ steps.b c }} ${{ input.x }} ${{ }} ${{ steps.a[x] }}"
      |                                      ^^^^^
      |
      = help: did you mean `inputs`?

    error[P0040]: this expression is empty
     --> playbook.yaml:6:52
      |
    6 |       message: "${{ steps.b c }} ${{ input.x }} ${{ }} ${{ steps.a[x] }}"
      |                                                    ^
      |
      = help: expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id`, `run.started`, `item`, and calls such as `lower(inputs.name)`

    error[P0040]: between `[` and `]` there must be a number, from 0
     --> playbook.yaml:6:68
      |
    6 |       message: "${{ steps.b c }} ${{ input.x }} ${{ }} ${{ steps.a[x] }}"
      |                                                                    ^
      |
      = help: expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id`, `run.started`, `item`, and calls such as `lower(inputs.name)`
    "###);
}

#[test]
fn several_variants() {
    insta::assert_snapshot!(steps_shown(
        "  - id: a\n    endpoint.swap:\n      to: { host: h, port: 70000 }\n      targets: [{ ssm: /a }, { ssm_parameter: /a, secret: { id: b } }, { secret: { id: 1 } }]\n"
    ), @r###"
    error[P0023]: `port` must be at most 65535, and this is 70000
     --> playbook.yaml:6:28
      |
    6 |       to: { host: h, port: 70000 }
      |                            ^^^^^
      |
      = help: allowed: 0 to 65535

    error[P0021]: an item of `targets` needs one of `ssm_parameter`, `secret`
     --> playbook.yaml:7:19
      |
    7 |       targets: [{ ssm: /a }, { ssm_parameter: /a, secret: { id: b } }, { secret: { id: 1 } }]
      |                   ^^^
      |
      = help: one of: `ssm_parameter`, `secret`

    error[P0023]: an item of `targets` takes one of `ssm_parameter` and `secret`, not both
     --> playbook.yaml:7:51
      |
    7 |       targets: [{ ssm: /a }, { ssm_parameter: /a, secret: { id: b } }, { secret: { id: 1 } }]
      |                                -------------      ^^^^^^
      |                                |
      |                                the other one
      |
      = help: remove one of the two

    error[P0022]: `id` must be text, and this is the whole number 1
     --> playbook.yaml:7:88
      |
    7 |       targets: [{ ssm: /a }, { ssm_parameter: /a, secret: { id: b } }, { secret: { id: 1 } }]
      |                                                                                        ^
      |
      = help: quote it
    "###);
}

#[test]
fn each_mistake_has_its_own_code() {
    let head = "playbook: v1\nname: t\n";
    let approve = "steps: [{ id: a, approve: }]\n";
    for (text, expected) in [
        ("- a\n".to_owned(), "P0022"),
        (format!("{head}steps: []\n"), "P0022"),
        (format!("{head}steps: x\n"), "P0022"),
        (head.to_owned(), "P0021"),
        (format!("playbook: v2\nname: t\n{approve}"), "P0024"),
        (format!("playbook: v1\nname: T_t\n{approve}"), "P0025"),
        (format!("{head}timeout: 5\n{approve}"), "P0026"),
        (format!("{head}timeout: 3 parsecs\n{approve}"), "P0026"),
        (format!("{head}steps: [{{ id: a }}]\n"), "P0027"),
        (format!("{head}steps: [{{ id: a, approve: , pause: {{ for: 5m }} }}]\n"), "P0028"),
        (format!("{head}steps: [{{ id: a, x.y: }}]\n"), "P0029"),
        (format!("{head}steps: [{{ parallel: [{{ parallel: [] }}] }}]\n"), "P0031"),
        (
            format!("{head}steps: [{{ parallel: [{{ id: a, for_each: [], approve: }}] }}]\n"),
            "P0031",
        ),
        (format!("{head}{approve}---\n{head}{approve}"), "P0013"),
        (format!("{head}base: &b {{}}\nguard: {{ <<: *b }}\n{approve}"), "P0011"),
        (format!("{head}description: !env HOME\n{approve}"), "P0012"),
        (format!("{head}{approve}? [a]\n: b\n"), "P0014"),
        (
            format!(
                "{head}inputs: {{ n: {{ type: integer, description: d, default: 99999999999999999999 }} }}\n{approve}"
            ),
            "P0016",
        ),
        (format!("{head}inputs: {{ n: {{ type: text, description: d }} }}\n{approve}"), "P0023"),
        (
            format!(
                "{head}inputs: {{ n: {{ type: string, description: d, enum: [a], default: b }} }}\n{approve}"
            ),
            "P0023",
        ),
        (format!("{head}inputs: {{ n: {{ type: string, description: d }} }}\n{approve}"), "P0063"),
        (format!("{head}guard: {{ region: \"${{{{ inputs.r }}}}\" }}\n{approve}"), "P0041"),
        (format!("{head}guard: {{ region: \"${{{{ run.id }}}}\" }}\n{approve}"), "P0047"),
        (
            format!("{head}steps: [{{ id: a, approve: {{ message: \"${{{{ item }}}}\" }} }}]\n"),
            "P0046",
        ),
        (format!("{head}steps: [{{ id: a, pause: {{ for: soon }} }}]\n"), "P0026"),
        (format!("{head}steps: [{{ id: a, for_each: x, approve: }}]\n"), "P0022"),
        (
            format!("{head}steps: [{{ id: a, for_each: [1], max_parallel: 11, approve: }}]\n"),
            "P0023",
        ),
        (format!("{head}a: b: c\n"), "P0005"),
    ] {
        assert!(codes(&text).contains(&expected), "{expected} is not in\n{}", shown(&text));
    }
}

#[test]
fn a_list_joined_to_text_is_refused() {
    let text = with_steps(
        "  - id: a\n    elasticache.export_snapshot: { snapshot: s, bucket: abc }\n  - id: b\n    approve: \
         { message: \"got ${{ steps.a.objects }}, first ${{ steps.a.objects[0] }}\" }\n",
    );
    assert_eq!(codes(&text), ["P0048"]);
}

#[test]
fn all_problems_come_together_and_in_order() {
    let text = "playbook: v3\nnmae: t\nsteps:\n  - id: A\n    x.y:\n  - id: b\n    approve: { message: 1 }\n";
    assert_eq!(codes(text), ["P0021", "P0024", "P0020", "P0025", "P0029", "P0022"]);
}

#[test]
fn a_mistake_in_an_aliased_value_is_reported_once() {
    let text =
        with_steps("  - id: a\n    approve: &x { message: 1 }\n  - id: b\n    approve: *x\n");
    assert_eq!(codes(&text), ["P0022"]);
}

#[test]
fn places_are_counted_in_characters() {
    let text = with_steps("  - id: a\n    approve: { message: \"é日本 ${{ nope }}\" }\n");
    let entry = &problems(&text).entries()[0];
    assert_eq!((entry.line, entry.column), (5, 34));
    assert_eq!(entry.code, Code::BadExpression);
}

#[test]
fn codes_are_unique_and_explained() {
    let mut seen = std::collections::BTreeSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.as_str()) && code.meaning().ends_with('.'), "{code}");
    }
}
