//! What a person is told to write instead, for mistakes that many make.

use super::catalog::{MIGRATION, catalog, given, problems, source, with_steps};
use crate::plan::{GivenInputs, compile};
use crate::playbook::{Diagnostics, Source};

/// Each problem as `line:column message => mend`.
fn told(problems: &Diagnostics) -> String {
    let one = |entry: crate::playbook::Entry| {
        let help = entry.help.unwrap_or_else(|| "-".to_owned());
        format!("{} {}:{} {}\n  => {help}", entry.code, entry.line, entry.column, entry.message)
    };
    problems.entries().into_iter().map(one).collect::<Vec<_>>().join("\n")
}

fn each<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(|text| told(&problems(text))).collect::<Vec<_>>().join("\n")
}

fn steps(step: &str) -> String {
    told(&problems(&with_steps(&format!("  - id: a\n    {step}\n"))))
}

#[test]
fn text_that_is_no_yaml() {
    let head = "playbook: v1\nname: t\n";
    let step = |text: &str| format!("{head}steps:\n  - id: a\n{text}");
    let texts = [
        format!("{head}description: \"x\nsteps: []\n"),
        format!("{head}description: a: b\nsteps: []\n"),
        format!("{head} steps: []\n"),
        step("   approve:\n"),
        step("      approve:\n"),
        step("    pause:\n        for: 10m\n      x: 1\n"),
        format!("{head}steps:\n  - id:a\n    approve:\n"),
        step("    approve: { message: ${{ inputs.a }} }\n"),
        step("    approve: { message: [a, b }\n"),
        step("    approve: { message: \"${{ inputs.a }}\" x: 1 }\n"),
        step("    approve: { message: 'it's' }\n"),
        step("    approve: { message: \"a\\qb\" }\n"),
        step("    approve: { message: @x }\n"),
        step("    approve: { message: ok }}\n"),
        format!("{head}description: * x\nsteps: []\n"),
        "playbook: v1\nname t\nsteps: []\n".to_owned(),
    ];
    insta::assert_snapshot!(each(texts.iter().map(String::as_str)), @r###"
    P0005 3:14 this is not valid YAML: invalid indentation in quoted scalar
      => the quote that opens here is not closed; close it, or indent the lines of a long text under its key
    P0005 3:15 this is not valid YAML: mapping values are not allowed in this context
      => a text that holds `: ` is quoted: `description: "a: b"`
    P0005 3:7 this is not valid YAML: mapping values are not allowed in this context
      => this line is indented deeper than the line before it, which has a value already; keys of one mapping stand in one column
    P0005 5:4 this is not valid YAML: while parsing a block collection, did not find expected '-' indicator
      => the indentation fits no line before this: keys of one mapping, and the `-` of one list, stand in one column
    P0005 5:14 this is not valid YAML: mapping values are not allowed in this context
      => this line is indented deeper than the line before it, which has a value already; keys of one mapping stand in one column
    P0005 7:7 this is not valid YAML: while parsing a block mapping, did not find expected key
      => the indentation fits no line before this: keys of one mapping, and the `-` of one list, stand in one column
    P0005 5:12 this is not valid YAML: mapping values are not allowed in this context
      => the line before this needs a blank after the colon: `id: a`
    P0005 5:26 this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
      => quote values that hold `${{ … }}` inside `{ }` or `[ ]`
    P0005 5:31 this is not valid YAML: while parsing a flow sequence, expected ',' or ']'
      => a `{` or `[` before this is not closed, or a comma is missing
    P0005 5:43 this is not valid YAML: invalid trailing content after double-quoted scalar
      => the quoted text ends before this; inside '…' write a quote as '', inside "…" as \"
    P0005 5:29 this is not valid YAML: invalid trailing content after double-quoted scalar
      => the quoted text ends before this; inside '…' write a quote as '', inside "…" as \"
    P0005 5:25 this is not valid YAML: while parsing a quoted scalar, found unknown escape character
      => write a backslash as \\, or put the text in single quotes
    P0005 5:25 this is not valid YAML: unexpected character: `@'
      => quote a text that starts with this character
    P0005 5:29 this is not valid YAML: misplaced bracket
      => there is one bracket too many, or a text with brackets that must be quoted
    P0005 3:14 this is not valid YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric character
      => quote a text that starts with `*` or `&`
    P0005 3:1 this is not valid YAML: simple key expect ':'
      => the line before this is no `key: value`; the `:` is missing, or the blank after it
    "###);
}

#[test]
fn values_of_the_wrong_type() {
    let shown = [
        "pause: { for: 10 }",
        "pause: 10s",
        "approve: hello",
        "elasticache.create_snapshot: { replication_group: 1, accept_lost_writes: true }",
        "memorydb.create_cluster: { name: n, node_type: t, restore_from: x, tags: y, maintenance: z }",
        "endpoint.swap: { to: \"a:1\", targets: [x] }",
        "accept_no_way_back: yes\n    endpoint.swap: { to: { host: h, port: 1 }, targets: [{ ssm_parameter: /a }] }",
        "type: pause\n    with: { for: 10m }",
    ]
    .map(steps);
    insta::assert_snapshot!(shown.join("\n"), @r###"
    P0022 5:19 `for` must be text, and this is the whole number 10
      => add a unit: `10s`, `10m` or `10h`
    P0022 5:12 `pause` must be a mapping, and this is text
      => write `pause: { for: … }`
    P0022 5:14 `approve` must be a mapping, and this is text
      => write `approve: { message: … }`
    P0022 5:55 `replication_group` must be text, and this is the whole number 1
      => quote it
    P0022 5:78 `accept_lost_writes` must be text, and this is the boolean true
      => the loss is accepted by name: write the replication group's, as in `accept_lost_writes: prod`
    P0022 5:69 `restore_from` must be a list, and this is text
      => write `[a, b]`, or one `- item` on each line
    P0022 5:78 `tags` must be a mapping, and this is text
      => write `tags: { key: … }`
    P0022 5:94 `maintenance` must be a mapping, and this is text
      => write `maintenance: { day: …, hour: … }`
    P0022 5:26 `to` must be a mapping, and this is text
      => write `to: { host: …, port: … }`
    P0022 5:43 an item of `targets` must be a mapping, and this is text
      => write `{ ssm_parameter: … }`
    P0022 5:25 `accept_no_way_back` must be written out as `true` or `false`
      => write `true`, without quotes
    P0027 5:5 step `a` does not say what to do: the kind is the key itself
      => write `pause:` with its arguments under it, instead of `type: pause` and `with:`
    "###);
}

#[test]
fn an_account_that_is_none() {
    let input = |kind: &str| {
        format!(
            "playbook: v1\nname: t\nguard: {{ account: \"${{{{ inputs.a }}}}\" }}\ninputs: {{ a: {{ type: {kind}, description: d }} }}\nsteps: [{{ id: a, approve: }}]\n"
        )
    };
    let written = ["12345678901", "\"12345678901\"", "1234-5678-9012", "012345678901", "[1]"]
        .map(|account| {
            format!(
                "playbook: v1\nname: t\nguard: {{ account: {account} }}\nsteps: [{{ id: a, approve: }}]\n"
            )
        });
    let texts = written.into_iter().chain([input("integer"), input("string")]).collect::<Vec<_>>();
    insta::assert_snapshot!(each(texts.iter().map(String::as_str)), @r###"
    P0023 3:19 an account id is text of exactly 12 digits, and this is `12345678901`
      => it has 11 digits, and leading zeros count; `aws sts get-caller-identity` shows the whole id
    P0023 3:19 an account id is text of exactly 12 digits, and this is `12345678901`
      => it has 11 digits, and leading zeros count; `aws sts get-caller-identity` shows the whole id
    P0023 3:19 an account id is text of exactly 12 digits, and this is `1234-5678-9012`
      => write "123456789012"
    P0022 3:19 an account id must be quoted: YAML reads this one as a number and may lose its leading zeros
      => write "012345678901"
    P0022 3:19 `account` must be text, and this is a list
      => write the account's 12 digits in quotes
    P0022 3:19 `account` must be text, and `inputs.a` is a whole number
      => declare the input as `type: string`: a number loses its leading zeros
    "###);
}

#[test]
fn a_forgotten_dollar_or_brace_is_told_and_the_text_kept() {
    let shown = [
        "approve: { message: \"go {{ inputs.g }}, ${ steps.a.x }, ${item} or ${{ run.id }}\" }",
        "approve: { message: \"{{ .Values.x }} ${HOME} $${{ inputs.g }} {{ inputs.g | up }} {{}} ${\" }",
    ]
    .map(steps);
    insta::assert_snapshot!(shown.join("\n"), @r###"
    P0049 5:29 `{{ inputs.g }}` is text here, not an expression
      => write `${{ inputs.g }}` if its value is meant
    P0049 5:45 `${ steps.a.x }` is text here, not an expression
      => write `${{ steps.a.x }}` if its value is meant
    P0049 5:61 `${item}` is text here, not an expression
      => write `${{ item }}` if its value is meant
    "###);
}

#[test]
fn there_are_no_filters() {
    insta::assert_snapshot!(steps("approve: { message: \"${{ run.id   | upper }}\" }"), @r###"
    P0040 5:39 an expression names a value, and there are no filters
      => call a function instead: `join`, `lower`, `date`, `tag`, `default`
    "###);
}

#[test]
fn what_could_not_be_read_is_not_missing_too() {
    let codes = |file: Option<&str>, arguments: &[&str]| {
        let file = file.map(|text| Source::new("in.yaml", text));
        let inputs = GivenInputs { file, ..given(arguments) };
        told(&compile(&source(MIGRATION), &catalog(), &inputs).unwrap_err())
    };
    let shown = [
        codes(Some("source: \"x\nbucket: b\n"), &[]),
        codes(Some("[source, bucket]"), &[]),
        codes(None, &["source"]),
        codes(None, &["source: prod", "bucket=exports"]),
        codes(None, &["=x"]),
        codes(None, &["--"]),
    ];
    insta::assert_snapshot!(shown.join("\n---\n"), @r###"
    P0005 1:9 this is not valid YAML: invalid indentation in quoted scalar
      => the quote that opens here is not closed; close it, or indent the lines of a long text under its key
    ---
    P0061 1:1 an inputs file must be a mapping, and this is a list
      => one `name: value` on each line
    ---
    P0060 7:3 input `bucket` was not given
      => give it with `--input bucket=my-exports`, or in a file with `--inputs`
    P0061 1:1 an input is given as `name=value`
      => write `source=…`, with the value after the `=`
    ---
    P0061 1:1 an input is given as `name=value`
      => write `source=prod`
    ---
    P0060 6:3 input `source` was not given
      => give it with `--input source=…`, or in a file with `--inputs`
    P0060 7:3 input `bucket` was not given
      => give it with `--input bucket=my-exports`, or in a file with `--inputs`
    P0062 1:1 playbook `move` has no input ``
      => its inputs: `source`, `bucket`, `shards`
    ---
    P0061 1:1 an input is given as `name=value`
      => write it like `source=prod`
    "###);
}
