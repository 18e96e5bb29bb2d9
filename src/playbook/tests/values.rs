use std::collections::BTreeSet;
use std::time::Duration;

use crate::playbook::yaml::parse;
use crate::playbook::{
    Arg, ArgValue, Diagnostics, Node, Part, Source, Value, parse_duration, read,
};

#[track_caller]
fn tree(text: &str) -> (Source, Node) {
    let source = Source::new("t.yaml", text);
    let mut problems = Diagnostics::new(source.clone());
    let node = parse(&source, &mut problems).unwrap();
    assert!(problems.is_empty(), "{problems}");
    (source, node)
}

#[test]
fn unquoted_scalars_follow_the_core_schema_of_yaml_1_2() {
    let text = |text: &str| Value::Str(text.to_owned());
    for (written, expected) in [
        ("~", Value::Null),
        ("", Value::Null),
        ("true", Value::Bool(true)),
        ("yes", text("yes")),
        ("NO", text("NO")),
        ("12", Value::Int(12)),
        ("-3", Value::Int(-3)),
        ("+3", Value::Int(3)),
        ("0o17", Value::Int(15)),
        ("0x1F", Value::Int(31)),
        ("017", Value::Int(17)),
        ("1.5", Value::Float(1.5)),
        ("-.5e3", Value::Float(-500.0)),
        ("1e400", text("1e400")),
        (".inf", text(".inf")),
        ("inf", text("inf")),
        ("1_000", text("1_000")),
        ("7.2.6", text("7.2.6")),
        ("12:30", text("12:30")),
        ("2026-11-23", text("2026-11-23")),
        ("\"12\"", text("12")),
        ("'true'", text("true")),
        ("!!str 12", text("12")),
    ] {
        let (_, node) = tree(&format!("k: {written}\n"));
        assert_eq!(node.get("k").unwrap().value, expected, "{written}");
    }
}

#[test]
fn every_fraction_reads_back_from_json_the_same() {
    for digits in 1..400 {
        let (_, node) = tree(&format!("k: 0.{}\n", digits * 7919));
        let Value::Float(number) = node.get("k").unwrap().value else { panic!("no fraction") };
        let back: f64 = serde_json::from_str(&serde_json::to_string(&number).unwrap()).unwrap();
        assert_eq!(back.to_bits(), number.to_bits());
    }
}

#[test]
fn spans_cover_exactly_what_was_written() {
    let (source, node) = tree("é: [one, 'two' ]  # comment\nmap:\n  k: |\n    text\nlast: x y  \n");
    let slice = |node: &Node| source.slice(node.span).to_owned();
    let list = node.get("é").unwrap();
    assert_eq!(slice(list), "[one, 'two' ]");
    let Value::Seq(items) = &list.value else { panic!("no list") };
    assert_eq!(slice(&items[1]), "'two'");
    assert!(slice(node.get("map").unwrap()).starts_with("k: |"));
    assert_eq!(slice(node.get("last").unwrap()), "x y");
    let position = source.position(node.get("last").unwrap().span.start);
    assert_eq!((position.line, position.column), (5, 7));
}

#[test]
fn aliases_stand_for_what_they_name() {
    let (_, node) = tree("a: &x { k: 1 }\nb: *x\n");
    assert_eq!(node.get("a"), node.get("b"));
}

#[test]
fn durations_have_units_and_days_have_24_hours() {
    let good = |text: &str, seconds: u64| {
        assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    };
    good("90s", 90);
    good("1h 30m", 5400);
    good("1d", 86_400);
    good("0s", 0);
    assert_eq!(parse_duration("1500ms"), Ok(Duration::from_millis(1500)));
    for bad in ["", "5", "3.5", "-5m", "1 month", "2w", "1y", "soon", "99999999999999999h"] {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
}

/// The message of one `approve` step, as it is read.
#[track_caller]
fn message(written: &str) -> (Source, Arg) {
    let text = format!(
        "playbook: v1\nname: t\nsteps:\n  - id: a\n    approve:\n      message: {written}\n"
    );
    let source = Source::new("t.yaml", text);
    let (playbook, problems) = read(&source, &BTreeSet::from(["approve"]));
    assert!(problems.is_empty(), "{problems}");
    let arg = playbook.unwrap().steps().next().unwrap().args.get("message").unwrap().clone();
    (source, arg)
}

#[test]
fn a_scalar_that_is_one_expression_is_that_expression() {
    let (source, arg) = message("'${{ steps.x.list[2].host }}'");
    let ArgValue::Expr(expr) = &arg.value else { panic!("{arg:?}") };
    assert_eq!(expr.to_string(), "steps.x.list[2].host");
    assert_eq!(source.slice(expr.span), "${{ steps.x.list[2].host }}");
    assert_eq!(source.slice(expr.path[0].span), "list");
}

#[test]
fn text_around_expressions_is_kept_and_an_escape_is_text() {
    let (_, arg) = message("\"a${{ run.id }}b $${{ c }} ${{item}}\"");
    let ArgValue::Text(parts) = &arg.value else { panic!("{arg:?}") };
    let shown: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Expr(expr) => format!("<{expr}>"),
        })
        .collect();
    assert_eq!(shown, ["a", "<run.id>", "b ${{ c }} ", "<item>"]);
    let (_, arg) = message("\"$${{ only }}\"");
    assert_eq!(arg.value, ArgValue::Str("${{ only }}".to_owned()));
}

#[test]
fn an_expression_in_a_folded_scalar_is_placed_as_well_as_can_be() {
    let (source, arg) = message(">\n        one\n        ${{ run.id }}");
    let expressions = arg.expressions();
    assert_eq!(source.slice(expressions[0].span), "${{ run.id }}");
    let (source, arg) = message("\"\\x24{{ run.id }}\"");
    assert_eq!(source.slice(arg.expressions()[0].span), "\"\\x24{{ run.id }}\"");
}
