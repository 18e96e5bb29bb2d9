//! Whatever AWS answers, the text compiles and holds exactly what was answered.

use std::collections::BTreeSet;

use orchestrate::init::Options;
use orchestrate::survey::{Authentication, Place, Window};
use proptest::prelude::*;
use serde_json::json;

use super::sources::{clustered, group, held, of, parameter, shelf, user};
use super::{planned, written};

/// Text that is likely to be taken for something else.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(": "),
        Just(" #"),
        Just("\n"),
        Just("\r\n"),
        Just("\t"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("${{"),
        Just("}}"),
        Just("$"),
        Just("{{"),
        Just("- "),
        Just("---\n"),
        Just("...\n"),
        Just("&a"),
        Just("*a"),
        Just("!!str "),
        Just("|"),
        Just(">"),
        Just("%"),
        Just("@"),
        Just("`"),
        Just("["),
        Just("{"),
        Just("\u{2028}"),
        Just("\u{feff}"),
        Just("\u{85}"),
        Just("\u{7f}"),
        Just("\u{0}"),
        Just("no"),
        Just("1e3"),
        Just("0x1f"),
        Just("null"),
        Just("é"),
        Just("\u{1f980}"),
        Just("$(x)"),
        Just("a"),
    ]
    .prop_map(str::to_owned);
    prop_oneof![
        proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat()),
        any::<String>().prop_filter("some text", |text| !text.is_empty()),
        "[a-z0-9.:+-]{1,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_survey_gives_a_playbook_that_says_the_same(
        id in text(), key in text(), security in proptest::collection::vec(text(), 1..3),
        window in text(), names in proptest::collection::vec(text(), 1..3), field in text(),
        user_name in text(), access in text(), set in text(), value in text(), error in text(),
    ) {
        // SSM has one parameter of a name.
        let names: Vec<_> = names.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let mut source = group("prod", "redis", "7.1.0", "cache.r7g.large");
        let host = source.endpoint.clone().expect("an endpoint").host;
        source.id = id.clone();
        source.kms_key = Some(key.clone());
        source.snapshot_window =
            Some(Window { text: window.clone(), opens: None, closes: None });
        if let Ok(node) = &mut source.node {
            node.security_groups = security.clone();
            node.parameter_group = Some(set.clone());
            node.pending = vec![value.clone()];
        }
        let mut found = of(source);
        found.caller = error.clone();
        found.secrets = Err(error);
        found.parameters = Ok(vec![(set, value.clone()), ("maxmemory-policy".to_owned(), value)]);
        found.users = Ok(vec![user(&user_name, &format!("on {access} +@all"), Authentication::Password(1))]);
        let mut places: Vec<_> = names.iter().map(|name| parameter(name, format!("{host}:6379"))).collect();
        let document = json!({ field.clone(): host });
        places.push(parameter("/document", document.to_string()));
        found.ssm = Ok(shelf(places));
        let record = Place::Record { zone: names[0].clone(), name: "r.example.com".to_owned(), simple: true, ttl: 60 };
        found.dns = Ok(shelf(vec![held(record, host)]));

        let written = written(&found, &Options::default());
        let plan = planned(&written, &["bucket=acme-move"]);
        let args = |step: &str| plan.step(step).expect("the step").args.partial();
        prop_assert_eq!(&args("freeze")["replication_group"], &json!(id));
        prop_assert_eq!(&args("snapshot")["replication_group"], &json!(id));
        let cluster = args("cluster");
        prop_assert_eq!(&cluster["kms_key"], &json!(key));
        prop_assert_eq!(&cluster["security_groups"], &json!(security));
        prop_assert_eq!(&cluster["snapshot_window"], &json!(window));
        prop_assert_eq!(&cluster["shards"], &json!(3));
        let targets = args("switch")["targets"].clone();
        for (i, name) in names.iter().enumerate() {
            prop_assert_eq!(&targets[i]["ssm_parameter"], &json!(name));
        }
        let last = targets.as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        prop_assert_eq!(&last["zone"], &json!(names[0]));
        if !field.is_empty() && !field.contains('.') {
            prop_assert_eq!(&targets[names.len()]["fields"]["host"], &json!(field));
        }
        prop_assert_eq!(plan.guard.and_then(|guard| guard.account), Some("123456789012".to_owned()));
    }
}

#[test]
fn the_same_finding_gives_the_same_text() {
    let once = || written(&clustered(), &Options::default()).playbook;
    assert_eq!(once(), once());
}
