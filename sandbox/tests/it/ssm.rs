use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{ParameterType, ResourceTypeForTagging, Tag};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Sandbox};

use crate::empty::{code, config, refusal, sandbox};

const NAME: &str = "/app/redis/endpoint";

async fn seeded() -> (Sandbox, Client) {
    let sandbox = sandbox();
    let client = Client::new(&config(&sandbox));
    client
        .put_parameter()
        .name(NAME)
        .value("old:6379")
        .r#type(ParameterType::String)
        .tags(Tag::builder().key("team").value("core").build().unwrap())
        .send()
        .await
        .unwrap();
    (sandbox, client)
}

async fn overwrite(client: &Client, value: &str) -> i64 {
    client.put_parameter().name(NAME).value(value).overwrite(true).send().await.unwrap().version()
}

async fn value(client: &Client, name: &str) -> String {
    let found = client.get_parameter().name(name).send().await.unwrap();
    found.parameter.unwrap().value.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_overwrite_makes_a_version_and_keeps_the_type() {
    let (_, client) = seeded().await;
    assert_eq!(overwrite(&client, "new:6379").await, 2);
    let found = client.get_parameter().name(NAME).send().await.unwrap().parameter.unwrap();
    assert_eq!(found.version(), 2);
    assert_eq!(found.r#type(), Some(&ParameterType::String));
    assert_eq!(
        found.arn(),
        Some("arn:aws:ssm:us-east-1:123456789012:parameter/app/redis/endpoint")
    );
    assert_eq!(found.last_modified_date().unwrap().secs(), 1_795_392_000);
    assert_eq!(value(&client, found.arn().unwrap()).await, "new:6379");
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_found_by_version_and_by_label() {
    let (_, client) = seeded().await;
    client.label_parameter_version().name(NAME).labels("before").send().await.unwrap();
    overwrite(&client, "new:6379").await;
    assert_eq!(value(&client, &format!("{NAME}:1")).await, "old:6379");
    assert_eq!(value(&client, &format!("{NAME}:before")).await, "old:6379");
    let selected = client.get_parameter().name(format!("{NAME}:1")).send().await.unwrap();
    assert_eq!(selected.parameter.unwrap().selector(), Some(":1"));
    let missing = client.get_parameter().name(format!("{NAME}:9")).send().await;
    assert_eq!(code(missing), "ParameterVersionNotFound");
    let missing = client.get_parameter().name("/nowhere").send().await;
    assert_eq!(code(missing), "ParameterNotFound");
}

#[tokio::test(start_paused = true)]
async fn a_label_moves_and_stands_at_one_version_only() {
    let (_, client) = seeded().await;
    overwrite(&client, "new:6379").await;
    for version in [1, 2] {
        let labelled = client.label_parameter_version().name(NAME).labels("live").labels("9bad");
        let labelled = labelled.parameter_version(version).send().await.unwrap();
        assert_eq!(labelled.invalid_labels(), ["9bad"]);
    }
    let history = client.get_parameter_history().name(NAME).send().await.unwrap();
    let labels: Vec<_> = history.parameters().iter().map(|version| version.labels()).collect();
    assert_eq!(labels, [&[] as &[String], &["live".to_owned()]]);
    let eleven = (0..11).map(|n| format!("l{n}")).collect();
    let many = client.label_parameter_version().name(NAME).set_labels(Some(eleven)).send().await;
    assert_eq!(code(many), "ParameterVersionLabelLimitExceeded");
}

#[tokio::test(start_paused = true)]
async fn a_put_without_overwrite_is_refused_and_changes_nothing() {
    let (sandbox, client) = seeded().await;
    let before = sandbox.world();
    let put = client.put_parameter().name(NAME).value("x").r#type(ParameterType::String);
    let (code, message) = refusal(put.send().await);
    assert_eq!(code, "ParameterAlreadyExists");
    assert!(message.contains("set the overwrite option"), "{message}");
    assert_eq!(sandbox.world(), before);
}

#[tokio::test(start_paused = true)]
async fn permission_is_decided_before_existence() {
    let (sandbox, client) = seeded().await;
    let denied = Fault::new("ssm", "PutParameter", FaultKind::Denied);
    sandbox.set_faults(FaultPlan { faults: vec![denied], ..FaultPlan::default() });
    let probe = || client.put_parameter().name(NAME).value("probe").r#type(ParameterType::String);
    assert_eq!(code(probe().send().await), "AccessDeniedException");
    assert_eq!(code(probe().send().await), "ParameterAlreadyExists");
    assert_eq!(value(&client, NAME).await, "old:6379");
}

#[tokio::test(start_paused = true)]
async fn malformed_puts_are_refused() {
    let (_, client) = seeded().await;
    let put = |name: &str, value: &str| client.put_parameter().name(name).value(value);
    let string = ParameterType::String;
    for (refused, expected) in [
        (
            put(NAME, "x").overwrite(true).r#type(ParameterType::SecureString),
            "HierarchyTypeMismatchException",
        ),
        (put("/new", "x"), "ValidationException"),
        (put("/new", "").r#type(string.clone()), "ValidationException"),
        (put("no/slash", "x").r#type(string.clone()), "ValidationException"),
        (put("/new", &"x".repeat(4097)).r#type(string), "ValidationException"),
        (
            put(NAME, "x")
                .overwrite(true)
                .tags(Tag::builder().key("a").value("b").build().unwrap()),
            "ValidationException",
        ),
    ] {
        assert_eq!(code(refused.clone().send().await), expected, "{refused:?}");
    }
    put("/new", &"x".repeat(4096)).r#type(ParameterType::String).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_hundred_and_first_version_pushes_out_the_oldest_unless_it_is_labelled() {
    let (_, client) = seeded().await;
    for n in 2..=101 {
        assert_eq!(overwrite(&client, &format!("v{n}")).await, n);
    }
    let first = client.get_parameter().name(format!("{NAME}:1")).send().await;
    assert_eq!(code(first), "ParameterVersionNotFound");
    let oldest = client.label_parameter_version().name(NAME).parameter_version(2).labels("keep");
    oldest.send().await.unwrap();
    let blocked = client.put_parameter().name(NAME).value("x").overwrite(true).send().await;
    assert_eq!(code(blocked), "ParameterMaxVersionLimitExceeded");
    let mut pages = client.get_parameter_history().name(NAME).into_paginator().send();
    let mut versions = Vec::new();
    while let Some(page) = pages.next().await {
        versions.extend(page.unwrap().parameters().iter().map(|version| version.version()));
    }
    assert_eq!(versions, (2..=101).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_secure_string_is_ciphertext_unless_decrypted() {
    let (_, client) = seeded().await;
    let secure = client.put_parameter().name("/token").value("hunter2");
    secure.r#type(ParameterType::SecureString).send().await.unwrap();
    assert!(!value(&client, "/token").await.contains("hunter2"));
    let plain = client.get_parameter().name("/token").with_decryption(true).send().await.unwrap();
    assert_eq!(plain.parameter.unwrap().value(), Some("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn many_parameters_are_read_listed_tagged_and_deleted() {
    let (_, client) = seeded().await;
    let found = client.get_parameters().names(NAME).names("/nowhere").send().await.unwrap();
    assert_eq!(found.parameters().len(), 1);
    assert_eq!(found.invalid_parameters(), ["/nowhere"]);
    let described = client.describe_parameters().send().await.unwrap();
    assert_eq!(described.parameters()[0].name(), Some(NAME));

    let parameter = ResourceTypeForTagging::Parameter;
    let tag = Tag::builder().key("run").value("r1").build().unwrap();
    let add = client.add_tags_to_resource().resource_type(parameter.clone()).resource_id(NAME);
    add.tags(tag).send().await.unwrap();
    let list = client.list_tags_for_resource().resource_type(parameter).resource_id(NAME);
    let tags = list.send().await.unwrap();
    let tags: Vec<_> = tags.tag_list().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("run", "r1"), ("team", "core")]);

    client.delete_parameter().name(NAME).send().await.unwrap();
    assert_eq!(code(client.delete_parameter().name(NAME).send().await), "ParameterNotFound");
}
