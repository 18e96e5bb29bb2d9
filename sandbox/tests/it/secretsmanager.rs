use aws_sdk_secretsmanager::Client;
use orchestrate_sandbox::Sandbox;

use crate::empty::{code, config, refusal, sandbox};

const NAME: &str = "app/redis";
const V1: &str = "11111111-1111-4111-8111-111111111111";
const V2: &str = "22222222-2222-4222-8222-222222222222";
const V3: &str = "33333333-3333-4333-8333-333333333333";

/// A secret whose version V1 is current.
async fn seeded() -> (Sandbox, Client) {
    let sandbox = sandbox();
    let client = Client::new(&config(&sandbox));
    let create = client.create_secret().name(NAME).secret_string("old").client_request_token(V1);
    create.send().await.unwrap();
    (sandbox, client)
}

async fn stage(client: &Client, id: &str, value: &str, stage: Option<&str>) {
    let put = client.put_secret_value().secret_id(NAME).secret_string(value);
    let stages = stage.map(|stage| vec![stage.to_owned()]);
    put.client_request_token(id).set_version_stages(stages).send().await.unwrap();
}

/// Which version holds each label, as `DescribeSecret` tells it.
async fn labels(client: &Client) -> Vec<(String, String)> {
    let described = client.describe_secret().secret_id(NAME).send().await.unwrap();
    let versions = described.version_ids_to_stages().cloned().unwrap_or_default();
    let mut labels: Vec<_> = versions
        .into_iter()
        .flat_map(|(id, stages)| stages.into_iter().map(move |stage| (stage, id.clone())))
        .collect();
    labels.sort();
    labels
}

fn held(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(stage, id)| ((*stage).to_owned(), (*id).to_owned())).collect()
}

async fn current(client: &Client) -> String {
    let found = client.get_secret_value().secret_id(NAME).send().await.unwrap();
    found.secret_string.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_put_makes_a_current_version_and_the_old_one_previous() {
    let (_, client) = seeded().await;
    stage(&client, V2, "new", None).await;
    assert_eq!(current(&client).await, "new");
    assert_eq!(labels(&client).await, held(&[("AWSCURRENT", V2), ("AWSPREVIOUS", V1)]));
    let old = client.get_secret_value().secret_id(NAME).version_stage("AWSPREVIOUS");
    let old = old.send().await.unwrap();
    assert_eq!((old.version_id(), old.secret_string()), (Some(V1), Some("old")));
    stage(&client, V3, "newer", None).await;
    assert_eq!(labels(&client).await, held(&[("AWSCURRENT", V3), ("AWSPREVIOUS", V2)]));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_the_version_and_makes_a_put_repeatable() {
    let (_, client) = seeded().await;
    stage(&client, V2, "new", None).await;
    stage(&client, V2, "new", None).await;
    let versions = client.list_secret_version_ids().secret_id(NAME).send().await.unwrap();
    assert_eq!(versions.versions().len(), 2);
    let other = client.put_secret_value().secret_id(NAME).secret_string("other");
    let other = other.client_request_token(V2).send().await;
    assert_eq!(code(other), "ResourceExistsException");
    let short = client.put_secret_value().secret_id(NAME).secret_string("x");
    let short = short.client_request_token("short").send().await;
    assert_eq!(code(short), "InvalidParameterException");
}

#[tokio::test(start_paused = true)]
async fn a_staged_value_is_not_current_until_its_label_moves() {
    let (_, client) = seeded().await;
    stage(&client, V2, "new", Some("MIGRATION_PENDING")).await;
    assert_eq!(current(&client).await, "old");
    let swap = client.update_secret_version_stage().secret_id(NAME).version_stage("AWSCURRENT");
    swap.move_to_version_id(V2).remove_from_version_id(V1).send().await.unwrap();
    assert_eq!(current(&client).await, "new");
    let expected = held(&[("AWSCURRENT", V2), ("AWSPREVIOUS", V1), ("MIGRATION_PENDING", V2)]);
    assert_eq!(labels(&client).await, expected);

    let back = client.update_secret_version_stage().secret_id(NAME).version_stage("AWSCURRENT");
    back.move_to_version_id(V1).remove_from_version_id(V2).send().await.unwrap();
    assert_eq!(current(&client).await, "old");
}

#[tokio::test(start_paused = true)]
async fn a_label_moves_only_from_the_version_that_holds_it() {
    let (sandbox, client) = seeded().await;
    stage(&client, V2, "new", Some("PENDING")).await;
    stage(&client, V3, "third", Some("OTHER")).await;
    let before = sandbox.world();
    let moved = || client.update_secret_version_stage().secret_id(NAME).version_stage("AWSCURRENT");
    let stale = moved().move_to_version_id(V2).remove_from_version_id(V3).send().await;
    assert_eq!(code(stale), "InvalidParameterException");
    let (unnamed, message) = refusal(moved().move_to_version_id(V2).send().await);
    assert_eq!(unnamed, "InvalidParameterException");
    assert!(message.contains(V1), "the message must name the holder: {message}");
    let removed = moved().remove_from_version_id(V1).send().await;
    assert_eq!(code(removed), "InvalidParameterException");
    assert_eq!(sandbox.world(), before);

    let pending = client.update_secret_version_stage().secret_id(NAME).version_stage("PENDING");
    pending.remove_from_version_id(V2).send().await.unwrap();
    assert_eq!(labels(&client).await, held(&[("AWSCURRENT", V1), ("OTHER", V3)]));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_read_by_version_and_its_stage_must_agree() {
    let (_, client) = seeded().await;
    stage(&client, V2, "new", None).await;
    let get = || client.get_secret_value().secret_id(NAME);
    assert_eq!(get().version_id(V1).send().await.unwrap().secret_string(), Some("old"));
    let disagreeing = get().version_id(V1).version_stage("AWSCURRENT").send().await;
    assert_eq!(code(disagreeing), "InvalidRequestException");
    assert_eq!(code(get().version_id(V3).send().await), "ResourceNotFoundException");
    assert_eq!(code(get().version_stage("NONE").send().await), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_found_by_name_arn_and_arn_without_suffix() {
    let (_, client) = seeded().await;
    let described = client.describe_secret().secret_id(NAME).send().await.unwrap();
    let arn = described.arn().unwrap();
    assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:app/redis-"));
    for id in [arn, &arn[..arn.len() - 7]] {
        let found = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(found.name(), Some(NAME));
    }
    let missing = client.describe_secret().secret_id("nowhere").send().await;
    assert_eq!(code(missing), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn creating_twice_is_refused_unless_it_is_the_same_request() {
    let (_, client) = seeded().await;
    let create = |value: &str, token: &str| {
        client.create_secret().name(NAME).secret_string(value).client_request_token(token)
    };
    create("old", V1).send().await.unwrap();
    assert_eq!(code(create("other", V1).send().await), "ResourceExistsException");
    assert_eq!(code(create("old", V2).send().await), "ResourceExistsException");
}

#[tokio::test(start_paused = true)]
async fn a_secret_marked_for_deletion_refuses_reads_until_restored() {
    let (_, client) = seeded().await;
    client.delete_secret().secret_id(NAME).recovery_window_in_days(7).send().await.unwrap();
    let read = client.get_secret_value().secret_id(NAME).send().await;
    assert_eq!(code(read), "InvalidRequestException");
    let described = client.describe_secret().secret_id(NAME).send().await.unwrap();
    assert_eq!(described.deleted_date().unwrap().secs(), 1_795_392_000 + 7 * 86_400);
    client.restore_secret().secret_id(NAME).send().await.unwrap();
    assert_eq!(current(&client).await, "old");
    client
        .delete_secret()
        .secret_id(NAME)
        .force_delete_without_recovery(true)
        .send()
        .await
        .unwrap();
    let gone = client.describe_secret().secret_id(NAME).send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn rotation_is_told_once_it_is_configured() {
    let (_, client) = seeded().await;
    let rotates = || async {
        let described = client.describe_secret().secret_id(NAME).send().await.unwrap();
        described.rotation_enabled()
    };
    assert_eq!(rotates().await, None);
    let without = client.rotate_secret().secret_id(NAME).send().await;
    assert_eq!(code(without), "InvalidRequestException");
    let lambda = "arn:aws:lambda:us-east-1:123456789012:function:rotate";
    let rotate = client.rotate_secret().secret_id(NAME).rotation_lambda_arn(lambda);
    rotate.send().await.unwrap();
    assert_eq!(rotates().await, Some(true));
    client.cancel_rotate_secret().secret_id(NAME).send().await.unwrap();
    assert_eq!(rotates().await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn tags_and_bytes_are_kept() {
    let (_, client) = seeded().await;
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key("run").value("r1").build();
    client.tag_resource().secret_id(NAME).tags(tag.clone()).send().await.unwrap();
    let described = client.describe_secret().secret_id(NAME).send().await.unwrap();
    assert_eq!(described.tags(), [tag]);
    let bytes = aws_sdk_secretsmanager::primitives::Blob::new([0_u8, 255, 10]);
    let put = client.put_secret_value().secret_id(NAME).secret_binary(bytes.clone());
    put.send().await.unwrap();
    let found = client.get_secret_value().secret_id(NAME).send().await.unwrap();
    assert_eq!((found.secret_binary(), found.secret_string()), (Some(&bytes), None));
}
