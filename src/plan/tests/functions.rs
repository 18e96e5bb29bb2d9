//! What functions give, when they give it, and what is said if they cannot.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::catalog::{codes, plan, problems, refused, with_steps};
use crate::plan::{Plan, ResolveError, RunFacts, Template};

const RUN: RunFacts<'static> = RunFacts { id: "01H3KQ7XW2", started: "2026-11-23T01:02:03Z" };

/// An `approve` with this message, after steps with outputs of every shape.
fn asking(message: &str) -> String {
    with_steps(&format!(
        "  - id: snapshot\n    elasticache.create_snapshot: {{ replication_group: g }}\n  - id: export\n    \
         elasticache.export_snapshot: {{ snapshot: s, bucket: abc }}\n  - id: ask\n    approve: {{ message: \"{message}\" }}\n"
    ))
}

fn message(plan: &Plan) -> &Template {
    match &plan.step("ask").unwrap().args {
        Template::Map(entries) => &entries["message"],
        whole => whole,
    }
}

/// The message as the run would see it.
fn shown(text: &str, outputs: &Value) -> Result<Value, ResolveError> {
    let plan = plan(&asking(text), &[]);
    let outputs: BTreeMap<String, Value> =
        outputs.as_object().unwrap().iter().map(|(id, out)| (id.clone(), out.clone())).collect();
    plan.step("ask").unwrap().args.resolve(&RUN, &outputs).map(|args| args["message"].clone())
}

#[test]
fn what_is_known_before_the_run_is_computed_before_the_run() {
    for (expression, value) in [
        ("lower('Prod-ÄB')", "prod-äb"),
        ("date('2026-03-01T23:30:00-02:00', '%Y-%m-%d %H:%M')", "2026-03-02 01:30"),
        ("default('', 'x')", ""),
        ("default(null, 'it''s')", "it's"),
        ("default(lower('A'), lower('NONE'))", "a"),
    ] {
        let plan = plan(&asking(&format!("${{{{ {expression} }}}}")), &[]);
        let args = &plan.step("ask").unwrap().args;
        assert_eq!(*args, Template::Literal(json!({ "message": value })), "{expression}");
    }
}

#[test]
fn inputs_and_items_are_given_to_functions() {
    let text = r#"
playbook: v1
name: t
inputs:
  names: { type: list, description: d, default: [A, B] }
  spare: { type: string, description: d, default: null }
steps:
  - id: a
    for_each: [{ tags: { Team: web } }, { tags: [{ Key: Team, Value: jobs }, { Key: n, Value: 3 }] }, {}]
    approve:
      message: "${{ join(inputs.names, '+') }} ${{ default(lower(inputs.spare), inputs.names[0]) }} ${{ default(tag(item.tags, 'Team'), 'nobody') }}"
  - id: b
    for_each: "${{ default(inputs.names, inputs.names) }}"
    approve: { message: "${{ lower(item) }}" }
"#;
    assert_eq!(problems(text).render(false), "");
    let plan = plan(text, &[]);
    let message = |id: &str| plan.step(id).unwrap().args.known().unwrap()["message"].clone();
    let all = ["a[0]", "a[1]", "a[2]", "b[1]"].map(message);
    assert_eq!(all, ["A+B A web", "A+B A jobs", "A+B A nobody", "b"]);
}

#[test]
fn the_run_fills_what_only_it_knows() {
    let outputs = json!({
        "snapshot": { "name": "Orc-1", "shards": 2 },
        "export": { "objects": ["s3://a", "s3://b"], "arn": "x" },
    });
    for (text, expected) in [
        ("${{ join(steps.export.objects, ', ') }}", "s3://a, s3://b"),
        ("${{ lower(steps.snapshot.name) }}-${{ lower(run.id) }}", "orc-1-01h3kq7xw2"),
        ("nightly-${{ date(run.started, '%Y%m%d-%H%M') }}", "nightly-20261123-0102"),
        ("${{ run.started }}", "2026-11-23T01:02:03Z"),
        ("${{ default(steps.snapshot.name, 'none') }}", "Orc-1"),
    ] {
        assert_eq!(shown(text, &outputs).unwrap(), expected, "{text}");
    }
}

#[test]
fn default_takes_the_place_of_an_output_that_is_missing_or_null() {
    for snapshot in [json!({}), json!({ "name": null })] {
        let outputs = json!({ "snapshot": snapshot });
        let text = "${{ default(lower(steps.snapshot.name), run.id) }}";
        assert_eq!(shown(text, &outputs).unwrap(), "01H3KQ7XW2");
    }
    // A step that has not run is no missing output.
    let error = shown("${{ default(steps.snapshot.name, 'x') }}", &json!({})).unwrap_err();
    assert!(matches!(error, ResolveError::NoOutput { .. }), "{error}");
}

#[test]
fn a_call_that_fails_during_the_run_says_which_and_what_to_do() {
    let outputs = json!({ "snapshot": { "name": "2026-11-23" } });
    let error = shown("${{ date(steps.snapshot.name, '%Y') }}", &outputs).unwrap_err();
    insta::assert_snapshot!(error, @"`date(steps.snapshot.name, '%Y')`: `2026-11-23` is not a date and time by RFC 3339; write it with its time zone, like `2026-11-23T01:02:03Z`, or use `run.started`");
}

#[test]
fn a_plan_with_calls_reads_back_and_shows_them_as_they_were_written() {
    let text =
        asking("on ${{ date(run.started, '%d.%m.') }}: ${{ join(steps.export.objects, ', ') }}");
    let plan = plan(&text, &[]);
    let back: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(back, plan);
    assert_eq!(back.compute_digest(), plan.digest);
    assert_eq!(
        message(&plan).to_string(),
        "on ${{ date(run.started, '%d.%m.') }}: ${{ join(steps.export.objects, ', ') }}"
    );
}

/// A template of the first format, word for word.
#[test]
fn templates_of_older_journals_read_back() {
    let old = r#"{"map":{"a":{"concat":[{"literal":"x-"},{"ref":"run_id"}]},"b":{"ref":{"output":{"step":"s","path":[{"field":"name"},{"index":1}]}}},"c":{"seq":[{"literal":1}]}}}"#;
    let template: Template = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&template).unwrap(), old);
    let outputs = BTreeMap::from([("s".to_owned(), json!({ "name": ["p", "q"] }))]);
    let value = template.resolve(&RUN, &outputs).unwrap();
    assert_eq!(value, json!({ "a": "x-01H3KQ7XW2", "b": "q", "c": [1] }));
}

#[test]
fn mistakes_are_found_before_the_run_and_shown_where_they_are() {
    let shown = problems(&asking(
        "${{ lowr(run.id) }} ${{ join(steps.export.objects) }} ${{ join(steps.snapshot.name, ', ') }} ${{ lower(steps.export.objects) }} ${{ date(run.started, '%Q%!') }} ${{ date('yesterday', '%Y') }} ${{ lower(steps.snapshto.name) }} ${{ join(steps.export.objects, inputs.sep) }}",
    ));
    let shown: Vec<String> = shown
        .entries()
        .iter()
        .map(|e| {
            let help = e.help.as_deref().unwrap_or("-");
            format!("{} {}-{} {}\n  => {help}", e.code, e.column, e.end_column, e.message)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r###"
    P0054 30-34 there is no function `lowr`
      => did you mean `lower`?
    P0055 50-76 `join` is given too little: 1 of 2 arguments
      => write it like `join(list, ', ')`
    P0056 89-108 `join` takes a list here, and `steps.snapshot.name` is text
      => write it like `join(list, ', ')`
    P0056 129-149 `lower` takes text here, and `steps.export.objects` is a list
      => write it like `lower(text)`
    P0056 176-182 the format `%Q%!` cannot be used: found unrecognized specifier directive `!`
      => year, month, day, hour, minute, second are `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`; `%%` is a `%`
    P0056 196-207 `yesterday` is not a date and time by RFC 3339
      => write it with its time zone, like `2026-11-23T01:02:03Z`, or use `run.started`
    P0042 234-242 there is no step `snapshto`
      => did you mean `snapshot`?
    P0041 290-293 there is no input `sep`
      => declare it under `inputs`
    "###);
}

#[test]
fn what_is_almost_a_call_is_told_how_it_is_written() {
    let shown: Vec<String> = [
        "inputs.a | lower",
        "inputs.a | upper",
        "inputs.a | dat",
        "inputs.a.lower()",
        "lower inputs.a",
        "lower",
        "lower(inputs.a",
        "lower()",
        "join(a, b, c)",
        "lower(run.id).x",
        "lower('a'",
        "lower('a)",
        "lower(12x)",
        "run.id + 'x'",
        "run.id == 'x'",
        "input.a",
        "run.begun",
        "run.strated",
        "date(run.started, ",
        "lower(lower(lower(lower(lower(lower(lower(lower(lower('a')))))))))",
    ]
    .iter()
    .map(|expression| {
        let problems = problems(&asking(&format!("${{{{ {expression} }}}}")));
        let entry = problems.entries().remove(0);
        format!("{expression}\n  {} {}\n  => {}", entry.code, entry.message, entry.help.unwrap())
    })
    .collect();
    insta::assert_snapshot!(shown.join("\n"), @r###"
    inputs.a | lower
      P0040 an expression names a value, and there are no filters
      => write `lower(inputs.a)`
    inputs.a | upper
      P0040 an expression names a value, and there are no filters
      => call a function instead: `join`, `lower`, `date`, `tag`, `default`
    inputs.a | dat
      P0040 an expression names a value, and there are no filters
      => write it like `date(run.started, '%Y-%m-%d')`
    inputs.a.lower()
      P0040 `(` is not expected here
      => write `lower(inputs.a)`
    lower inputs.a
      P0040 `lower` is nothing an expression can name
      => `lower` is a function: `lower(text)`
    lower
      P0040 `lower` is nothing an expression can name
      => `lower` is a function: `lower(text)`
    lower(inputs.a
      P0040 this `(` is not closed
      => end the call with `)`
    lower()
      P0055 `lower` is given too little: 0 of 1 arguments
      => write it like `lower(text)`
    join(a, b, c)
      P0040 `a` is nothing an expression can name
      => expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id`, `run.started`, `item`, and calls such as `lower(inputs.name)`
    lower(run.id).x
      P0040 `.` is not expected here: a call gives a value without fields or items
      => take the field or item inside the call
    lower('a'
      P0040 this `(` is not closed
      => end the call with `)`
    lower('a)
      P0040 this text is not closed
      => end it with '
    lower(12x)
      P0040 `12x` is neither a number nor a name
      => a text is written in quotes: `'…'`
    run.id + 'x'
      P0040 `+` is not expected here
      => there are no operators; text is joined by writing it side by side: `${{ … }}-${{ … }}`
    run.id == 'x'
      P0040 `=` is not expected here
      => there are no operators; an `assert` step compares values
    input.a
      P0040 `input` is nothing an expression can name
      => did you mean `inputs`?
    run.begun
      P0040 a run has no `begun`
      => it has: `id`, `started`
    run.strated
      P0040 a run has no `strated`
      => did you mean `started`?
    date(run.started, 
      P0040 this `(` is not closed
      => end the call with `)`
    lower(lower(lower(lower(lower(lower(lower(lower(lower('a')))))))))
      P0040 calls are nested more than 8 deep here
      => give a part of it to an input, or to two arguments
    "###);
}

#[test]
fn a_mistake_in_an_input_is_shown_at_the_argument() {
    let text = r#"
playbook: v1
name: t
inputs:
  at: { type: string, description: d, default: null }
  tags: { type: list, description: d, default: [] }
steps:
  - id: ask
    approve: { message: "${{ date(inputs.at, '%Y') }} ${{ tag(inputs.tags, 'owner') }}" }
"#;
    assert_eq!(codes(text), [""; 0]);
    insta::assert_snapshot!(refused(text, &[]), @r###"
    error[P0056]: `date` takes text here, and there is nothing
     --> playbook.yaml:9:35
      |
    9 |     approve: { message: "${{ date(inputs.at, '%Y') }} ${{ tag(inputs.tags, 'owner') }}" }
      |                                   ^^^^^^^^^
      |
      = help: `default(…, '…')` gives another value where there is none

    error[P0057]: there is no tag `owner`
     --> playbook.yaml:9:76
      |
    9 |     approve: { message: "${{ date(inputs.at, '%Y') }} ${{ tag(inputs.tags, 'owner') }}" }
      |                                                                            ^^^^^^^
      |
      = help: say what to take then: `tag(…, 'owner', '…')`
    "###);
}

#[test]
fn quotes_and_braces_may_stand_in_texts() {
    for (text, expected) in [
        ("${{ default(null, 'a}}b') }}!", "a}}b!"),
        ("${{ default(null, ', ') }}${{ lower('X') }}", ", x"),
        ("it's ${{ lower('A') }}, isn't it", "it's a, isn't it"),
    ] {
        let plan = plan(&asking(text), &[]);
        assert_eq!(plan.step("ask").unwrap().args.known().unwrap()["message"], expected);
    }
}
