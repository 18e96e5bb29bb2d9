//! On stores in memory and virtual time; real servers are in `wire/tests.rs`.

use std::cell::RefCell;
use std::rc::Rc;

use aws_smithy_mocks::mock;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::engine::{Class, Clock, EventKind, Verdict};
use crate::steps::redis::servers::{cx, env, env_with, run};
use crate::steps::redis::{Entry, ModelPlane};

type Contents = Vec<(Vec<u8>, Entry)>;

const NOW_S: i64 = 1_700_000_000;

fn clock() -> Clock {
    Clock::tokio(Timestamp::from_second(NOW_S).unwrap(), 1.0)
}

fn key(number: u32) -> (Vec<u8>, Entry) {
    let entry = Entry { kind: "string".into(), value: vec![1; 40], expires_at_ms: None };
    (format!("key:{number:05}").into_bytes(), entry)
}

fn keys(count: u32) -> Contents {
    (0..count).map(key).collect()
}

fn plane(source: Contents, target: Contents) -> Rc<ModelPlane> {
    Rc::new(ModelPlane::new(clock(), move |host, _| match host {
        "old" => Some(source.clone()),
        "new" => Some(target.clone()),
        _ => None,
    }))
}

fn args() -> Value {
    json!({ "source": { "endpoint": "old:6379" }, "target": { "endpoint": "new:6379" } })
}

async fn compared(source: Contents, target: Contents) -> Result<Output, Failure> {
    run(&env(plane(source, target)), args(), &cx(clock(), Rc::new(|_| {}))).await
}

#[tokio::test(start_paused = true)]
async fn equal_stores_are_equal_and_every_key_is_counted() {
    let output = compared(keys(1234), keys(1234)).await.unwrap();
    assert!(output.equal);
    assert_eq!((output.source_keys, output.target_keys, output.compared), (1234, 1234, 1234));
    assert_eq!(output.by_type["string"], 1234);
    assert_eq!((output.bound, output.seed), (None, None));
}

#[tokio::test(start_paused = true)]
async fn differences_in_both_directions_are_counted_and_listed() {
    let mut target = keys(500);
    target.remove(3);
    target[0].1.value[9] = 7;
    target.push((b"extra\xff".to_vec(), key(0).1));
    let failure = compared(keys(500), target).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal);
    assert_eq!(
        failure.message,
        "new:6379 is not equal to old:6379: 3 keys differ (1 missing on the target, 1 only on the target, \
         1 with another value) of 500 compared"
    );
    assert_eq!(failure.causes[0], "\"key:00000\": string of 72,340,172,838,076,673 bytes differs");
    assert_eq!(failure.causes[1], "\"key:00003\": missing on target (string)");
    assert_eq!(failure.causes[2], "\"extra\\xff\" (hex 6578747261ff): only on target (string)");
}

#[tokio::test(start_paused = true)]
async fn all_differences_are_counted_but_only_the_first_listed() {
    let failure = compared(keys(250), Vec::new()).await.unwrap_err();
    assert!(failure.message.contains("250 keys differ"), "{failure}");
    assert_eq!(failure.causes.len(), 21);
    assert_eq!(failure.causes[20], "and 230 keys more");
}

#[tokio::test(start_paused = true)]
async fn a_key_about_to_expire_on_one_side_only_is_no_difference() {
    let mut source = keys(10);
    source[4].1.expires_at_ms = Some(1000 * NOW_S.unsigned_abs() + 900);
    let mut target = keys(10);
    target.remove(4);
    assert!(compared(source, target).await.unwrap().equal);
}

#[tokio::test(start_paused = true)]
async fn a_sample_takes_the_same_keys_of_both_sides_and_says_what_it_proves() {
    let env = env(plane(keys(5000), keys(5000)));
    let mut args = args();
    args["mode"] = json!("sample");
    args["sample_size"] = json!(500);
    args["seed"] = json!(42);
    let output = run(&env, args, &cx(clock(), Rc::new(|_| {}))).await.unwrap();
    assert!((400..600).contains(&output.compared), "{}", output.compared);
    let bound = output.bound.unwrap();
    assert!(bound.starts_with("with 95 % confidence fewer than 0."), "{bound}");
    assert!(!bound.contains("verif"), "{bound}");
    assert_eq!(output.seed, Some(42));
}

#[tokio::test(start_paused = true)]
async fn a_sample_finds_keys_only_on_the_target() {
    let env = env(plane(keys(100), keys(5000)));
    let mut args = args();
    args["mode"] = json!("sample");
    args["sample_size"] = json!(500);
    let failure = run(&env, args, &cx(clock(), Rc::new(|_| {}))).await.unwrap_err();
    assert!(failure.message.contains("only on the target"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_in_keys_and_an_empty_pair_is_worth_a_warning() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&told);
    let cx = cx(
        clock(),
        Rc::new(move |event| {
            heard.borrow_mut().push(match &event.kind {
                EventKind::Looked(look) => look.state.clone(),
                EventKind::Warned { warning, .. } => warning.clone(),
                EventKind::Recorded(_) => String::new(),
            });
        }),
    );
    run(&env(plane(keys(250), keys(250))), args(), &cx).await.unwrap();
    assert!(told.borrow().contains(&"200 of 250 keys".to_owned()), "{told:?}");
    run(&env(plane(Vec::new(), Vec::new())), args(), &cx).await.unwrap();
    assert!(told.borrow().iter().any(|line| line.contains("both sides are empty")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn comparing_a_deployment_with_itself_is_refused() {
    let mut args = args();
    args["target"]["endpoint"] = json!("old:6379");
    let env = env(plane(keys(1), keys(1)));
    let failure = run(&env, args.clone(), &cx(clock(), Rc::new(|_| {}))).await.unwrap_err();
    assert!(failure.message.contains("same endpoint"), "{failure}");
    let findings = Compare::preflight(&env, &args, &cx(clock(), Rc::new(|_| {}))).await;
    assert!(findings.iter().any(|f| f.verdict == Verdict::WillFail && f.what == SAME));
}

#[tokio::test(start_paused = true)]
async fn a_side_that_is_not_there_is_a_passing_fault_that_names_it() {
    let mut args = args();
    args["target"]["endpoint"] = json!("nowhere:6379");
    let env = env(plane(keys(1), keys(1)));
    let failure = run(&env, args, &cx(clock(), Rc::new(|_| {}))).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert_eq!(failure.message, "failed to open the target nowhere:6379");
}

#[tokio::test(start_paused = true)]
async fn passwords_are_fetched_when_used_and_shown_nowhere() {
    let secret = mock!(aws_sdk_secretsmanager::Client::get_secret_value)
        .match_requests(|request| {
            request.secret_id() == Some("redis") && request.version_stage() == Some("AWSCURRENT")
        })
        .then_output(|| {
            aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput::builder()
                .secret_string(r#"{"password":"s3cret"}"#)
                .build()
        });
    let parameter = mock!(aws_sdk_ssm::Client::get_parameter)
        .match_requests(|request| {
            request.name() == Some("/redis") && request.with_decryption() == Some(true)
        })
        .then_output(|| {
            let parameter = aws_sdk_ssm::types::Parameter::builder().value("s3cret").build();
            aws_sdk_ssm::operation::get_parameter::GetParameterOutput::builder()
                .parameter(parameter)
                .build()
        });
    let env = env_with(plane(keys(1), keys(1)), &[&secret], &[&parameter]);
    let mut args = args();
    args["source"]["password"] = json!("secretsmanager:redis#password");
    args["target"]["password"] = json!("ssm:/redis");
    let told = Rc::new(RefCell::new(String::new()));
    let heard = Rc::clone(&told);
    let cx = cx(clock(), Rc::new(move |event| heard.borrow_mut().push_str(&format!("{event:?}"))));
    let findings = Compare::preflight(&env, &args, &cx).await;
    assert!(findings.iter().all(|f| f.verdict == Verdict::Ok), "{findings:?}");
    let output = run(&env, args, &cx).await.unwrap();
    assert_eq!((secret.num_calls(), parameter.num_calls()), (2, 2));
    let shown = format!("{findings:?} {output:?} {}", told.borrow());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn preflight_bears_what_is_not_known_yet_and_refuses_what_is_wrong() {
    let env = env(plane(keys(1), keys(1)));
    let cx = cx(clock(), Rc::new(|_| {}));
    let findings = Compare::preflight(&env, &json!({ "source": null }), &cx).await;
    assert!(findings.iter().all(|f| f.verdict == Verdict::Ok), "{findings:?}");
    let args = json!({
        "source": { "endpoint": "nowhere:1" },
        "target": { "endpoint": "new", "password": "hunter2" },
        "ttl_tolerance": "5",
    });
    let findings = Compare::preflight(&env, &args, &cx).await;
    assert_eq!(findings.len(), 4, "{findings:?}");
    assert!(findings.iter().all(|f| f.verdict == Verdict::WillFail), "{findings:?}");
    assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
}

#[test]
fn the_plan_says_what_is_compared_even_if_little_is_known() {
    assert_eq!(Compare::sketch(&args()).does, "compare every key of old:6379 with new:6379");
    assert_eq!(
        Compare::sketch(&json!({ "mode": "sample", "target": null })).does,
        "compare about 30,000 keys of the source with the target"
    );
    assert_eq!(
        Compare::sketch(&Value::Null).does,
        "compare every key of the source with the target"
    );
}

/// A store of one key whose value is another at each reading, until the last one stays.
struct Shifting(Vec<u8>);

#[async_trait::async_trait(?Send)]
impl Store for Shifting {
    fn shards(&self) -> usize {
        1
    }

    async fn count(&mut self) -> Result<u64, Failure> {
        Ok(1)
    }

    async fn scan(&mut self, _: usize, _: u64) -> Result<(u64, Vec<Vec<u8>>), Failure> {
        Ok((0, vec![b"k".to_vec()]))
    }

    async fn read(&mut self, keys: &[Vec<u8>]) -> Result<Vec<Option<Entry>>, Failure> {
        let value = if self.0.len() > 1 { self.0.remove(0) } else { self.0[0] };
        let entry = Entry { kind: "hash".into(), value: vec![value], expires_at_ms: None };
        Ok(vec![Some(entry); keys.len()])
    }

    async fn functions(&mut self) -> Result<Vec<(String, String)>, Failure> {
        Ok(Vec::new())
    }
}

/// Walks from a source to a target with these values, reading by reading.
async fn walked(source: &[u8], target: &[u8]) -> Tally {
    let cx = cx(clock(), Rc::new(|_| {}));
    let stores = [source, target].map(|values| Box::new(Shifting(values.to_vec())));
    let [source, target] = stores;
    let mut walk = Walk::new(&cx, source, target, "new against old".to_owned());
    walk.forward(1).await.unwrap();
    walk.tally
}

#[tokio::test(start_paused = true)]
async fn a_change_that_arrives_while_it_is_read_again_is_no_difference() {
    assert_eq!(walked(&[1], &[0, 1]).await.differing, 0);
    // The source moves on during the second reading; the target has it at the third.
    assert_eq!(walked(&[1, 1, 2], &[0, 1, 2]).await.differing, 0);
}

#[tokio::test(start_paused = true)]
async fn a_difference_that_stays_while_the_source_holds_still_counts() {
    let tally = walked(&[1], &[0]).await;
    assert_eq!(tally.by_what["with another value"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_never_holds_still_is_not_called_equal() {
    let tally = walked(&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[0]).await;
    assert_eq!(tally.lines, ["\"k\": kept changing on the source while it was compared"]);
}

#[test]
fn the_schema_documents_every_argument_and_takes_passwords_by_reference() {
    let about = crate::steps::about::<Compare>();
    assert!(about.info.docs.contains("```yaml"), "{}", about.info.docs);
    let schema = about.info.spec_schema;
    for (name, field) in schema["properties"].as_object().unwrap() {
        assert!(field["description"].is_string(), "{name}");
    }
    let password = &schema["$defs"]["Side"]["properties"]["password"];
    assert!(password["description"].as_str().unwrap().contains("Never the password itself"));
    assert!(about.info.output_schema["properties"]["equal"].is_object());
}
