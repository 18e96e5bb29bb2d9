use std::time::Instant;

use proptest::prelude::*;

use super::catalog::{MIGRATION, catalog, codes, given, problems, source, with_steps};
use crate::plan::{check, compile};
use crate::playbook::Source;

#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    Source::from_bytes("p.yaml", bytes.to_vec()).unwrap_err().render(false)
}

#[test]
fn a_file_of_50_mb_is_refused_by_its_size() {
    let bytes = vec![b'a'; 50 * 1024 * 1024];
    let start = Instant::now();
    let problems = Source::from_bytes("p.yaml", bytes).unwrap_err();
    assert!(start.elapsed().as_millis() < 100);
    insta::assert_snapshot!(problems.render(false), @r###"
    error[P0001]: the file has 52428800 bytes, and at most 1048576 are read
    --> p.yaml:1:1
     = help: check that this is the file you meant
    "###);
}

#[test]
fn bytes_that_are_no_text_are_refused_at_their_place() {
    insta::assert_snapshot!(refusal(b"playbook: v1\nname: caf\xe9\n"), @r###"
    error[P0002]: the byte 0xe9 here is not UTF-8
     --> p.yaml:2:10
      |
    2 | name: caf�
      |          ^
      |
      = help: save the file as UTF-8; if it is not text at all, check the path
    "###);
    assert!(refusal(b"\xff\xfep\0l\0").contains("the file is UTF-16"));
    assert!(refusal(b"a: b\0c").contains("p.yaml:1:5"));
}

#[test]
fn an_empty_file_is_refused_however_it_is_empty() {
    assert!(refusal(b"").contains("error[P0004]: there is nothing in this file"));
    assert!(refusal(b" \n\t\n").contains("error[P0004]"));
    assert_eq!(codes("# only a comment\n"), ["P0004"]);
}

#[test]
fn a_byte_order_mark_of_utf_8_is_dropped() {
    let source = Source::from_bytes("p.yaml", b"\xef\xbb\xbfplaybook: v1".to_vec()).unwrap();
    assert_eq!(source.text(), "playbook: v1");
}

#[test]
fn bombs_end_quickly() {
    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", "));
    }
    let big = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(60_000), "*a, ".repeat(100_000));
    let deep = "[".repeat(500_000);
    let wide = "- \n".repeat(300_000);
    let maps = "{a: ".repeat(200_000);
    let nested: String = (0..400).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let anchors: String = (0..8_000).map(|n| format!("k{n}: &a{n} x\n")).collect();
    for (text, code) in [
        (laughs, "P0010"),
        (big, "P0010"),
        (deep, "P0009"),
        (wide, "P0010"),
        (maps, "P0009"),
        (nested, "P0009"),
        (anchors, "P0020"),
    ] {
        let head: String = text.chars().take(20).collect();
        let start = Instant::now();
        let found = codes(&text);
        println!("{head:?} {:?}", start.elapsed());
        assert!(found.contains(&code), "{head}: {:?}", &found[..found.len().min(3)]);
        assert!(start.elapsed().as_secs() < 5, "{head} took {:?}", start.elapsed());
    }
}

#[test]
fn a_value_of_a_megabyte_is_refused() {
    let text =
        with_steps(&format!("  - id: a\n    approve: {{ message: {} }}\n", "x".repeat(900_000)));
    assert_eq!(codes(&text), ["P0015",]);
}

#[test]
fn two_hundred_steps_are_checked_within_milliseconds() {
    let steps: String = (0..200)
        .map(|n| {
            let from = if n == 0 { "prod".to_owned() } else { format!("${{{{ steps.s{}.arn }}}}", n - 1) };
            format!(
                "  - id: s{n}\n    timeout: 3h\n    memorydb.create_cluster:\n      name: \"{from}\"\n      \
                 node_type: db.r7g.large\n      shards: 2\n      engine: valkey\n"
            )
        })
        .collect();
    let (source, catalog) = (source(&with_steps(&steps)), catalog());
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            assert!(check(&source, &catalog).1.is_empty());
            start.elapsed()
        })
        .min()
        .unwrap();
    println!("200 steps: {best:?}");
    // About 15 ms unoptimised on an idle core; the bound leaves room for a busy machine.
    assert!(best.as_millis() < 150, "{best:?}");
}

fn read_all(text: &str) {
    let source = source(text);
    let (_, problems) = check(&source, &catalog());
    let shown = problems.render(true);
    assert_eq!(shown.is_empty(), problems.is_empty());
    for entry in problems.entries() {
        assert!(entry.line > 0 && entry.column > 0);
    }
    let _ = compile(&source, &catalog(), &given(&["source=prod", "bucket=exports"]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        match Source::from_bytes("p.yaml", bytes) {
            Ok(source) => read_all(source.text()),
            Err(problems) => prop_assert!(problems.has_errors()),
        }
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in r#"([-:?,\[\]{}#&*!|>'"%@` \n\t$é~<]|\$\{\{|\}\}|steps|inputs|id|\.|x|1|0o|- |: ){0,80}"#) {
        read_all(&text);
    }

    #[test]
    fn no_edit_of_a_playbook_makes_it_panic(
        at in 0..MIGRATION.len(),
        len in 0usize..30,
        text in r#"[-:\[\]{}&*!|>'"\n\t$é .x1]{0,6}"#,
    ) {
        let end = (at + len).min(MIGRATION.len());
        read_all(&format!("{}{text}{}", &MIGRATION[..at], &MIGRATION[end..]));
    }
}

#[test]
fn nothing_is_wrong_with_the_playbook_the_edits_start_from() {
    assert!(problems(MIGRATION).is_empty());
}
