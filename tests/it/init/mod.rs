//! `orchestrate init`: what it writes of a source, that the playbook is valid and runs, and that it only reads.

mod live;
mod process;
mod property;
mod sources;

use orchestrate::cli::init_kinds;
use orchestrate::init::{Acl, Found, Kinds, Options, Reader, Written, write};
use orchestrate::plan::{GivenInputs, Plan, compile};
use orchestrate::playbook::Source as Text;
use orchestrate::steps::catalog;
use orchestrate::survey::{Authentication, MemoryDbNames};

use sources::{clustered, group, hostile, of, plain, serverless, token};

/// With the kinds that this version has.
fn written(found: &Found, options: &Options) -> Written {
    write(found, options, init_kinds(&catalog()))
        .unwrap_or_else(|refusal| panic!("{}: {}", refusal.message, refusal.because))
}

/// The plan of a written playbook; `inputs` as after `--input`.
fn planned(written: &Written, inputs: &[&str]) -> Plan {
    let arguments = inputs.iter().map(|input| (*input).to_owned()).collect();
    let given = GivenInputs { arguments, ..GivenInputs::default() };
    compile(&Text::new("written.yaml", written.playbook.clone()), &catalog(), &given)
        .unwrap_or_else(|problems| panic!("{}\n{}", problems.render(false), written.playbook))
}

#[test]
fn a_sharded_group_with_rbac_becomes_a_playbook() {
    let found = clustered();
    let options = Options { file: Some("move prod.yaml".to_owned()), ..Options::default() };
    let written = written(&found, &options);
    insta::assert_snapshot!("clustered", written.playbook);
    planned(&written, &["bucket=acme-move"]);
    // No access string ends in a command that is not there.
    assert!(!written.playbook.contains("+config|get'"), "{}", written.playbook);
}

#[test]
fn a_plain_old_group_becomes_a_playbook_that_asks_who_stops_the_writers() {
    let written = written(&plain(), &Options::default());
    insta::assert_snapshot!("plain", written.playbook);
    planned(
        &written,
        &[
            "bucket=acme-move",
            "accept_lost_writes_of=legacy",
            "endpoint_parameter=/legacy/endpoint",
        ],
    );
}

#[test]
fn a_token_and_parameters_are_told_apart_by_what_becomes_of_them() {
    let options = Options {
        bucket: Some("acme-move".to_owned()),
        name: Some("Checkout2".to_owned()),
        reader: Some(Reader {
            user: "auditor".to_owned(),
            source_password: "secretsmanager:redis/auditor".to_owned(),
            target_password: "ssm:/memorydb/auditor".to_owned(),
        }),
        ..Options::default()
    };
    let written = written(&token(), &options);
    insta::assert_snapshot!("token", written.playbook);
    let plan =
        planned(&written, &["accept_lost_writes_of=checkout", "endpoint_parameter=/checkout"]);
    assert!(plan.step("compare").is_some(), "with a reader the comparison is not left in comments");
    assert_eq!(plan.step("cluster").expect("a cluster").args.partial()["name"], "checkout2");
    // MemoryDB takes twenty parameters a call.
    let calls: Vec<usize> = written
        .playbook
        .lines()
        .filter(|line| line.contains("--parameter-name-values"))
        .map(|line| line.matches("ParameterName").count())
        .collect();
    assert_eq!(calls, [20, 3]);
}

#[test]
fn a_serverless_cache_becomes_a_playbook_where_its_kinds_are_there() {
    let found = serverless();
    let kinds = Kinds { serverless: true, ..Kinds::default() };
    let written = write(&found, &Options::default(), kinds).expect("it can be moved");
    insta::assert_snapshot!("serverless", written.playbook);
    if init_kinds(&catalog()).serverless {
        planned(&written, &["bucket=acme-move", "endpoint_parameter=/carts"]);
    } else {
        let refusal = write(&found, &Options::default(), Kinds::default()).unwrap_err();
        assert!(refusal.because.contains("no steps for serverless"), "{}", refusal.because);
    }
}

#[test]
fn hostile_names_stay_what_they_are() {
    let found = hostile();
    let written = written(&found, &Options::default());
    insta::assert_snapshot!("hostile", written.playbook);
    let plan = planned(&written, &["bucket=acme-move"]);
    let orchestrate::init::Source::Group(group) = &found.source else { unreachable!() };
    let odd = group.id.as_str();
    let args = |step: &str| plan.step(step).expect("the step").args.partial();
    assert_eq!(args("snapshot")["replication_group"], odd);
    assert_eq!(args("cluster")["kms_key"], odd);
    assert_eq!(args("cluster")["security_groups"], serde_json::json!([odd, "no"]));
    assert_eq!(args("switch")["targets"][0]["ssm_parameter"], odd);
    for hidden in ['\u{202e}', '\u{85}'] {
        assert!(!written.playbook.contains(hidden), "{hidden:?} is in the text");
    }
}

#[test]
fn what_memorydb_cannot_take_is_refused_with_the_honest_alternative() {
    let refused = |node_type: &str, engine: &str, version: &str| {
        let found = of(group("prod", engine, version, node_type));
        let refusal = write(&found, &Options::default(), Kinds::default()).unwrap_err();
        format!("{}\n  because: {}\n  to mend: {}", refusal.message, refusal.because, refusal.mend)
    };
    let all = [
        refused("cache.r7g.large", "valkey", "9.0.0"),
        refused("cache.r6gd.xlarge", "redis", "7.1.0"),
        refused("cache.x9.large", "redis", "7.1.0"),
        refused("cache.r7g.large", "redis", "8.2.0"),
    ];
    insta::assert_snapshot!("refused", all.join("\n"));
}

#[test]
fn the_engine_is_one_that_loads_what_the_source_writes() {
    for (engine, version, to, to_version) in [
        ("redis", "5.0.6", "redis", "6.2"),
        ("redis", "6.2.6", "redis", "6.2"),
        ("redis", "7.0.7", "redis", "7.1"),
        ("redis", "7.1.0", "redis", "7.1"),
        ("redis", "7.2.4", "valkey", "7.3"),
        ("valkey", "7.2.6", "valkey", "7.3"),
        ("valkey", "8.1.0", "valkey", "7.3"),
    ] {
        let written =
            written(&of(group("prod", engine, version, "cache.r7g.large")), &Options::default());
        let chosen = (written.choice.engine.value.as_str(), written.choice.version.value.as_str());
        assert_eq!(chosen, (to, to_version), "{engine} {version}");
    }
}

#[test]
fn names_are_made_or_refused() {
    let source = || of(group(&"long-".repeat(8), "redis", "7.1.0", "cache.r7g.large"));
    let name = written(&source(), &Options::default()).choice.name.value;
    assert!(name.len() <= 40 && name.ends_with("-mdb") && !name.contains("--"), "{name}");
    for bad in ["", "9lives", "a--b", "a-", "ä", &"a".repeat(41)] {
        let options = Options { name: Some(bad.to_owned()), ..Options::default() };
        write(&source(), &options, Kinds::default()).expect_err(bad);
    }
}

#[test]
fn users_that_differ_in_case_alone_are_one_in_memorydb() {
    let mut found = clustered();
    let upper = sources::user("App", "on ~* +@read", Authentication::Password(1));
    found.users.as_mut().expect("users").push(upper);
    let written = written(&found, &Options::default());
    let left = &written.users.left_out;
    assert!(
        left.iter().any(|user| user.name == "App" && user.why.contains("the same as app")),
        "{left:?}"
    );
    let made = written.playbook.matches("create-user --user-name").count();
    let created: Vec<&str> = written.users.mapped.iter().map(|user| user.name.as_str()).collect();
    assert_eq!((made, created.as_slice()), (2, ["app", "reader"].as_slice()));
}

#[test]
fn what_memorydb_has_already_is_shown_and_not_made_again() {
    let mut found = clustered();
    let choice = written(&found, &Options::default()).choice;
    let Acl::Own(acl) = &choice.acl.value else { panic!("the source has users") };
    found.parameters = Ok(sources::pairs(&[("maxmemory-policy", "allkeys-lru")]));
    found.there = Ok(MemoryDbNames {
        users: vec!["app".to_owned()],
        acls: vec![acl.clone()],
        parameter_groups: vec![choice.name.value.clone()],
    });
    let playbook = written(&found, &Options::default()).playbook;
    for shown in [
        "describe-users --user-name app",
        "describe-acls --acl-name",
        "describe-parameters --parameter-group-name",
    ] {
        assert!(playbook.contains(shown), "no {shown} in\n{playbook}");
    }
    for made in [
        "create-user --user-name app",
        "create-acl",
        "create-parameter-group",
        "update-parameter-group",
    ] {
        assert!(!playbook.contains(made), "{made} in\n{playbook}");
    }
    assert!(playbook.contains("create-user --user-name reader"));
}

#[test]
fn others_with_the_same_users_are_named_and_not_frozen_unasked() {
    let mut found = clustered();
    found.sharing = Ok(vec!["billing".to_owned()]);
    let written = written(&found, &Options::default());
    assert!(written.playbook.contains("The same users write to billing"), "{}", written.playbook);
    assert!(written.playbook.contains("# also_freezes: [billing]"), "{}", written.playbook);
    planned(&written, &["bucket=acme-move"]);
}
