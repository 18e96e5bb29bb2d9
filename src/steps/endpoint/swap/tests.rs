use aws_sdk_route53::types::RrType;

use super::super::target::Shows;
use super::world::{Cname, NAME, SECRET, Shared, Version, World, ZONE};
use super::*;
use crate::steps::testing;

pub(super) const OLD: &str = "old.example.com:6379";
pub(super) const NEW: &str = "new.example.com:6380";
const PASSWORD: &str = "correct-horse-battery";
const DOCUMENT: &str = r#"{"redis": {"host": "old.example.com", "port": 6379}, "password": "correct-horse-battery", "n": 1.10}"#;

/// Two parameters, a secret and a record, all naming the old endpoint.
pub(super) fn world() -> Shared {
    let shared = Shared::default();
    let version = |label: &str, text: &str| Version {
        text: text.to_owned(),
        labels: [label.to_owned()].into(),
    };
    {
        let mut world = shared.lock();
        for name in ["/a", "/b"] {
            world.parameters.insert(name.to_owned(), vec!["first.x:1".to_owned(), OLD.to_owned()]);
        }
        world.versions.insert("v1".to_owned(), version("AWSPREVIOUS", "{}"));
        world.versions.insert("v2".to_owned(), version("AWSCURRENT", DOCUMENT));
        world.record = Some(Cname {
            kind: RrType::Cname,
            value: "old.example.com.".to_owned(),
            ttl: 30,
            weight: None,
            alias: false,
        });
    }
    shared
}

pub(super) fn parameter(name: &str) -> Value {
    json!({"ssm_parameter": name})
}

pub(super) fn secret() -> Value {
    json!({
        "secret": SECRET, "format": "json",
        "fields": {"host": "redis.host", "port": "redis.port"},
    })
}

pub(super) fn record() -> Value {
    json!({"route53_record": NAME, "zone": ZONE, "ttl": 10})
}

fn spec(targets: &[Value]) -> Spec {
    serde_json::from_value(json!({"to": NEW, "targets": targets})).unwrap()
}

async fn prepare(shared: &Shared, spec: &Spec, cx: &Cx) -> Result<Prepared, Failure> {
    let (prepared, _) = Swap::prepare(&shared.env(&[]), spec, cx).await?;
    // As it comes back from the journal.
    Ok(serde_json::from_value(serde_json::to_value(&prepared).unwrap()).unwrap())
}

async fn execute(
    shared: &Shared,
    spec: &Spec,
    prepared: &Prepared,
) -> Result<Done<Output>, Failure> {
    Swap::execute(&shared.env(&[]), spec, prepared, &testing::cx("step")).await
}

/// An undo after `begun` targets were begun.
async fn undo(
    shared: &Shared,
    spec: &Spec,
    prepared: &Prepared,
    begun: usize,
) -> Result<Vec<String>, Failure> {
    let mut cx = testing::cx("step");
    cx.note = Some(json!(Reached { begun }));
    Swap::undo(&shared.env(&[]), spec, prepared, &cx).await
}

pub(super) fn assert_old(world: &World) {
    for name in ["/a", "/b"] {
        assert_eq!(world.parameter(name), OLD, "{name}");
    }
    assert_eq!(world.labelled("AWSCURRENT"), Some("v2"));
    assert_eq!(world.labelled("AWSPREVIOUS"), Some("v1"));
    assert_eq!(world.labelled("orchestrate-0test0test"), None);
    let record = world.record.as_ref().unwrap();
    assert_eq!((record.value.as_str(), record.ttl), ("old.example.com.", 30));
}

#[tokio::test(start_paused = true)]
async fn all_targets_are_switched_and_put_back_exactly() {
    let shared = world();
    let spec = spec(&[parameter("/a"), secret(), record(), parameter("/b")]);
    let cx = testing::cx("step");
    let (prepared, resources) = Swap::prepare(&shared.env(&[]), &spec, &cx).await.unwrap();
    assert_eq!(resources.len(), 4);
    assert_eq!(resources[1].what, "Secrets Manager secret");
    assert!(shared.lock().log.iter().all(|l| l.starts_with("Probe")), "prepare only reads");

    let began = cx.clock.now();
    let done = Swap::execute(&shared.env(&[]), &spec, &prepared, &cx).await.unwrap();
    let Done::Changed(output) = done else { panic!("{done:?}") };
    assert!(cx.clock.since(began).as_secs() >= 30, "caches of the record run out first");
    let output = serde_json::to_value(output).unwrap();
    assert_eq!(output["to"], NEW);
    assert_eq!(output["from"], OLD);
    assert_eq!(
        output["targets"][0],
        json!({"what": "ssm_parameter", "name": "/a", "version": "3"})
    );
    assert_eq!(output["targets"][2]["version"], "C1");
    let staged = {
        let world = shared.lock();
        assert_eq!((world.parameter("/a"), world.parameter("/b")), (NEW, NEW));
        let current = world.labelled("AWSCURRENT").unwrap().to_owned();
        assert_eq!(
            world.versions[&current].text,
            DOCUMENT.replace("old.example.com", "new.example.com").replace("6379", "6380")
        );
        assert_eq!(world.labelled("orchestrate-0test0test"), None, "labels are scarce");
        let record = world.record.as_ref().unwrap();
        assert_eq!((record.value.as_str(), record.ttl), ("new.example.com.", 10));
        current
    };
    assert_eq!(output["targets"][1]["version"], staged.as_str());

    let again = execute(&shared, &spec, &prepared).await.unwrap();
    assert!(matches!(again, Done::Adopted(_)), "the same work is not done twice");

    let did = undo(&shared, &spec, &prepared, 4).await.unwrap();
    assert_eq!(did.len(), 4, "{did:?}");
    assert_old(&shared.lock());
    assert_eq!(undo(&shared, &spec, &prepared, 4).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_write_keeps_what_else_a_parameter_has() {
    let shared = world();
    let spec = spec(&[parameter("/a")]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    execute(&shared, &spec, &prepared).await.unwrap();
    let world = shared.lock();
    let [put] = world.puts.as_slice() else { panic!("one write") };
    assert_eq!(put.overwrite(), Some(true));
    assert_eq!(put.r#type().map(|t| t.as_str()), Some("String"));
    assert_eq!(put.tier().map(|t| t.as_str()), Some("Advanced"));
    assert_eq!(put.key_id(), Some("alias/mine"));
    assert_eq!(put.data_type(), Some("text"));
    assert_eq!(put.description(), Some("where redis is"));
}

#[tokio::test(start_paused = true)]
async fn if_the_third_target_is_refused_the_first_two_are_put_back() {
    for (third, refused) in [(parameter("/b"), "PutParameter /b"), (record(), "Upsert")] {
        let shared = world();
        let spec = spec(&[parameter("/a"), secret(), third]);
        let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
        shared.lock().denied.insert(refused.to_owned());
        let failure = execute(&shared, &spec, &prepared).await.unwrap_err();
        assert_eq!(failure.class, Class::Denied, "{failure}");
        assert!(failure.to_string().contains("SSM parameter \"/a\" was put back"), "{failure}");
        assert_eq!(shared.lock().parameter("/a"), OLD);
        assert_eq!(shared.lock().labelled("AWSCURRENT"), Some("v2"));
        // The engine's rollback then tidies what was only staged.
        let did = undo(&shared, &spec, &prepared, 3).await.unwrap();
        assert_eq!(did, ["the staged version of secret \"app/redis\" has lost its label"]);
        assert_old(&shared.lock());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_switched_if_a_secret_cannot_be_staged() {
    let shared = world();
    let spec = spec(&[parameter("/a"), secret()]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    shared.lock().denied.insert("PutSecretValue".to_owned());
    let failure = execute(&shared, &spec, &prepared).await.unwrap_err();
    assert_eq!(failure.class, Class::Denied);
    assert!(!shared.lock().log.contains(&"PutParameter /a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_found_done_by_the_next_attempt() {
    for (target, call) in [
        (parameter("/a"), "PutParameter /a"),
        (secret(), "PutSecretValue"),
        (secret(), "Move AWSCURRENT"),
        (record(), "Upsert"),
    ] {
        let shared = world();
        let spec = spec(&[target]);
        let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
        shared.lock().lost.insert(call.to_owned());
        let failure = execute(&shared, &spec, &prepared).await.unwrap_err();
        assert_eq!(failure.class, Class::Ambiguous, "{call}: {failure}");
        execute(&shared, &spec, &prepared).await.unwrap();
        let world = shared.lock();
        let times = world.log.iter().filter(|l| *l == call).count();
        // An UPSERT of what is there already changes nothing, and gives the change to wait for.
        assert_eq!(times, if call == "Upsert" { 2 } else { 1 }, "{call}: {:?}", world.log);
        assert_eq!(world.parameters["/a"].len(), if call.contains("/a") { 3 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_in_the_undo_is_found_done_too() {
    let shared = world();
    let spec = spec(&[parameter("/a"), secret()]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    execute(&shared, &spec, &prepared).await.unwrap();
    for call in ["PutParameter /a", "Move AWSCURRENT", "Move AWSPREVIOUS"] {
        shared.lock().lost.insert(call.to_owned());
    }
    let mut tries = 0;
    while let Err(failure) = undo(&shared, &spec, &prepared, 2).await {
        assert_eq!(failure.class, Class::Ambiguous, "{failure}");
        tries += 1;
        assert!(tries < 5);
    }
    assert!(tries > 0);
    assert_old(&shared.lock());
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_is_left_and_the_others_are_put_back() {
    let shared = world();
    let spec = spec(&[secret(), record(), parameter("/a"), parameter("/b")]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    shared.lock().parameters.get_mut("/b").unwrap().push("third.x:7".to_owned());
    let failure = execute(&shared, &spec, &prepared).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert_eq!(
        failure.message,
        "SSM parameter \"/b\" was changed by somebody else since the plan: expected \
         \"old.example.com:6379\", found \"third.x:7\" (version 3)"
    );
    assert_eq!(shared.lock().parameter("/a"), OLD);
    // The rollback has nothing to say about a target this run never wrote to.
    let did = undo(&shared, &spec, &prepared, 3).await.unwrap();
    assert_eq!(did.len(), 1, "{did:?}");
    let mut world = shared.lock();
    assert_eq!(world.parameters.get_mut("/b").unwrap().pop().unwrap(), "third.x:7");
    assert_old(&world);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_in_the_last_moment_loses_no_version() {
    let shared = world();
    let spec = spec(&[parameter("/a"), secret()]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    shared.lock().meddlers.insert("Move AWSCURRENT".to_owned(), |world| {
        let rotated = Version { text: DOCUMENT.to_owned(), labels: ["x".to_owned()].into() };
        world.versions.insert("v3".to_owned(), rotated);
        assert!(world.move_label("AWSCURRENT", Some("v2"), Some("v3")));
    });
    let failure = execute(&shared, &spec, &prepared).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.message.ends_with("expected version v2, found version v3"), "{failure}");
    let world = shared.lock();
    assert_eq!(world.labelled("AWSCURRENT"), Some("v3"));
    assert_eq!(world.parameter("/a"), OLD);
}

#[tokio::test(start_paused = true)]
async fn the_undo_stops_at_a_third_value_but_puts_the_rest_back() {
    let shared = world();
    let spec = spec(&[parameter("/a"), parameter("/b")]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    execute(&shared, &spec, &prepared).await.unwrap();
    shared.lock().parameters.get_mut("/b").unwrap().push("third.x:7".to_owned());
    let failure = undo(&shared, &spec, &prepared, 2).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.to_string().contains("\"/b\" was changed by somebody else since the swap"));
    let world = shared.lock();
    assert_eq!((world.parameter("/a"), world.parameter("/b")), (OLD, "third.x:7"));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_is_proved_first() {
    let all = [parameter("/a"), record()];
    for (denied, dead, class, words) in [
        (Some("Probe /a"), None, Class::Denied, "SSM parameter \"/a\" may not be written"),
        (Some("Probe record"), None, Class::Denied, "Route 53 record"),
        (None, Some(OLD), Class::Fatal, "the old endpoint old.example.com:6379 does not answer"),
    ] {
        let shared = world();
        shared.lock().denied.extend(denied.map(str::to_owned));
        let dead: Vec<&str> = dead.into_iter().collect();
        let env = shared.env(&dead);
        let mut cx = testing::cx("step");
        let failure = Swap::prepare(&env, &spec(&all), &cx).await.map(|_| ()).unwrap_err();
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.starts_with("the way back is not proved: "), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        cx.accept_no_way_back = true;
        Swap::prepare(&env, &spec(&all), &cx).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_expected_endpoint_is_checked() {
    let shared = world();
    let targets = [parameter("/a"), secret()];
    let mut spec = spec(&targets);
    spec.from = Some("OLD.example.com:6379".to_owned());
    prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    spec.from = Some("other.example.com:6379".to_owned());
    let failure = prepare(&shared, &spec, &testing::cx("step")).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.message.ends_with(&format!("found {OLD}")), "{failure}");
    spec.from = None;
    shared.lock().parameters.get_mut("/a").unwrap().push("other.example.com:6379".to_owned());
    let failure = prepare(&shared, &spec, &testing::cx("step")).await.unwrap_err();
    assert!(failure.message.contains("name different endpoints"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn targets_that_name_the_new_endpoint_already_are_not_touched() {
    let shared = world();
    shared.lock().parameters.get_mut("/a").unwrap().push(NEW.to_owned());
    let one = spec(&[parameter("/a")]);
    let prepared_one = prepare(&shared, &one, &testing::cx("step")).await.unwrap();
    let done = execute(&shared, &one, &prepared_one).await.unwrap();
    assert!(matches!(done, Done::Unchanged(Output { from, to, .. }) if from == NEW && to == NEW));
    let two = spec(&[parameter("/a"), parameter("/b")]);
    let prepared_two = prepare(&shared, &two, &testing::cx("step")).await.unwrap();
    assert!(matches!(execute(&shared, &two, &prepared_two).await, Ok(Done::Changed(_))));
    undo(&shared, &two, &prepared_two, 2).await.unwrap();
    let world = shared.lock();
    assert_eq!((world.parameter("/a"), world.parameter("/b")), (NEW, OLD));
}

#[tokio::test(start_paused = true)]
async fn only_a_plain_cname_below_the_apex_is_swapped() {
    let change = |edit: fn(&mut Cname)| {
        let shared = world();
        edit(shared.lock().record.as_mut().unwrap());
        shared
    };
    for (shared, words) in [
        (change(|r| r.alias = true), "alias"),
        (change(|r| r.weight = Some(1)), "routing policy"),
        (change(|r| r.kind = RrType::A), "of type A"),
    ] {
        let failure = prepare(&shared, &spec(&[record()]), &testing::cx("step")).await.unwrap_err();
        assert!(failure.message.contains(words), "{failure}");
    }
    let apex = json!({"route53_record": "Example.com", "zone": "/hostedzone/Z1"});
    let failure = prepare(&world(), &spec(&[apex]), &testing::cx("step")).await.unwrap_err();
    assert!(failure.message.contains("apex"), "{failure}");
    let gone = world();
    gone.lock().record = None;
    let failure = prepare(&gone, &spec(&[record()]), &testing::cx("step")).await.unwrap_err();
    assert_eq!(failure.class, Class::NotFound);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_written_down_or_said() {
    let url = format!("rediss://app:{PASSWORD}@old.example.com:6379/0");
    let document =
        json!({"ssm_parameter": "/b", "format": "json", "fields": {"host": "redis.host"}});
    let targets = [json!({"ssm_parameter": "/a", "format": "url"}), document, secret()];
    let shared = world();
    for (name, text) in [("/a", url.as_str()), ("/b", DOCUMENT)] {
        shared.lock().parameters.get_mut(name).unwrap().push(text.to_owned());
    }
    let spec = spec(&targets);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    let written = serde_json::to_string(&prepared).unwrap();
    assert!(!written.contains(PASSWORD), "{written}");
    let done = execute(&shared, &spec, &prepared).await.unwrap();
    assert!(!format!("{done:?}").contains(PASSWORD));
    assert_eq!(
        shared.lock().parameter("/a"),
        format!("rediss://app:{PASSWORD}@new.example.com:6380/0")
    );
    // Somebody else's values are not said either.
    for name in ["/a", "/b"] {
        shared.lock().parameters.get_mut(name).unwrap().push(format!("{url}x"));
    }
    let failure = undo(&shared, &spec, &prepared, 3).await.unwrap_err();
    assert!(!serde_json::to_string(&failure).unwrap().contains(PASSWORD), "{failure}");
    assert!(failure.message.contains("found version 5"), "{failure}");
    // Nor is a value that is not in the declared format.
    shared.lock().encrypted = true;
    for format in ["host", "host_port", "url"] {
        let target = json!({"ssm_parameter": "/b", "format": format});
        shared.lock().parameters.get_mut("/b").unwrap().push(PASSWORD.to_owned());
        let spec = serde_json::from_value(json!({"to": NEW, "targets": [target]})).unwrap();
        let failure = prepare(&shared, &spec, &testing::cx("step")).await.unwrap_err();
        assert!(!serde_json::to_string(&failure).unwrap().contains(PASSWORD), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_parameter_is_put_back_from_its_version() {
    let shared = world();
    shared.lock().encrypted = true;
    let spec = spec(&[parameter("/a")]);
    let prepared = prepare(&shared, &spec, &testing::cx("step")).await.unwrap();
    execute(&shared, &spec, &prepared).await.unwrap();
    assert_eq!(shared.lock().parameter("/a"), NEW);
    undo(&shared, &spec, &prepared, 1).await.unwrap();
    let world = shared.lock();
    assert_eq!(world.parameter("/a"), OLD);
    assert_eq!(world.puts[0].r#type().map(|t| t.as_str()), Some("SecureString"));
}

#[tokio::test(start_paused = true)]
async fn preflight_tells_what_would_fail() {
    let shared = world();
    let env = shared.env(&[]);
    let cx = testing::cx("step");
    let good = json!({"to": null, "targets": [parameter("/a"), secret(), record()]});
    let found = Swap::preflight(&env, &good, &cx).await;
    let targets = found.iter().filter(|f| f.check == "swap.target");
    let words: Vec<&str> = targets.map(|f| f.what.as_str()).collect();
    assert_eq!(
        words,
        [
            "SSM parameter \"/a\" names old.example.com:6379",
            "secret \"app/redis\" names old.example.com:6379",
            "Route 53 record \"redis.example.com\" names old.example.com",
        ]
    );
    for target in [
        json!({"ssm_parameter": "/none"}),
        json!({"ssm_parameter": "/a", "format": "url"}),
        json!({"ssm_parameter": "/a", "secret": "x"}),
        json!({"route53_record": NAME}),
        json!({"route53_record": NAME, "zone": ZONE, "format": "url"}),
        json!({"ssm_parameter": "/a", "ttl": 3}),
        json!({"ssm_parameter": "/a", "format": "json"}),
        json!({"secret": SECRET, "format": "json", "fields": {"port": "p"}}),
    ] {
        let args = json!({"to": NEW, "targets": [target]});
        let found = Swap::preflight(&env, &args, &cx).await;
        assert_eq!(found[0].verdict, crate::engine::Verdict::WillFail, "{args} {found:?}");
        let spec: Spec = serde_json::from_value(args).unwrap();
        assert!(prepare(&shared, &spec, &cx).await.is_err());
    }
    assert!(shared.lock().log.is_empty(), "preflight asks for no change");
}

#[test]
fn the_sketch_names_every_target_and_bears_what_is_not_known() {
    let args = json!({"to": null, "targets": [parameter("/a"), secret(), record()]});
    let sketch = Swap::sketch(&args);
    assert_eq!(
        sketch.does,
        "point SSM parameter \"/a\", secret \"app/redis\" and Route 53 record \"redis.example.com\" \
         at the new endpoint"
    );
    assert!(sketch.undo.unwrap().contains("lost to the old one"));
    for args in
        [json!(null), json!({"targets": null}), json!({"targets": [null, {"secret": null}]})]
    {
        assert!(!Swap::sketch(&args).does.is_empty());
    }
    let needs = Swap::needs(&args);
    assert_eq!(needs[0], Need::Parameter { name: "/a".into(), form: "host:port".into() });
    assert_eq!(
        needs[1],
        Need::Secret {
            name: SECRET.into(),
            form: r#"{"redis":{"host":"{host}","port":"{port}"}}"#.into()
        }
    );
}

#[test]
fn shows_knows_which_end_it_is() {
    assert!(Shows::New.is_end_of(Way::Forth) && Shows::Old.is_end_of(Way::Back));
    assert!(!Shows::Old.is_end_of(Way::Forth) && !Shows::Other(String::new()).is_end_of(Way::Back));
}

#[test]
fn the_documentation_and_the_schemas_are_there() {
    let about = crate::steps::about::<Swap>();
    assert!(about.info.docs.contains("All or nothing"));
    let targets = &about.info.spec_schema["properties"]["targets"];
    assert_eq!((&targets["type"], &targets["minItems"]), (&json!("array"), &json!(1)));
    for output in ["to", "from", "targets"] {
        assert!(about.info.output_schema["properties"][output].is_object(), "{output}");
    }
    for kind in ["approve", "assert", "endpoint.swap", "pause"] {
        assert!(crate::steps::catalog().get(kind).is_some(), "{kind}");
    }
}
