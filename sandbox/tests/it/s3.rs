use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CompletedMultipartUpload,
    CompletedPart, CreateBucketConfiguration, Delete, ObjectIdentifier, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, VersioningConfiguration,
};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Sandbox};

use crate::empty::{code, config, config_in, sandbox};

async fn seeded() -> (Sandbox, Client) {
    let sandbox = sandbox();
    let client = Client::new(&config(&sandbox));
    client.create_bucket().bucket("exports").send().await.unwrap();
    (sandbox, client)
}

async fn put(client: &Client, key: &str, body: &'static [u8]) {
    let put = client.put_object().bucket("exports").key(key);
    put.body(ByteStream::from_static(body)).send().await.unwrap();
}

async fn body(client: &Client, key: &str) -> Vec<u8> {
    let found = client.get_object().bucket("exports").key(key).send().await.unwrap();
    found.body.collect().await.unwrap().to_vec()
}

async fn keys(client: &Client) -> Vec<String> {
    let listed = client.list_objects_v2().bucket("exports").send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_object_comes_back_as_it_was_put() {
    let (sandbox, client) = seeded().await;
    put(&client, "dump-0001.rdb", b"REDIS0011 and the rest").await;
    assert_eq!(body(&client, "dump-0001.rdb").await, b"REDIS0011 and the rest");
    let head = client.head_object().bucket("exports").key("dump-0001.rdb").send().await.unwrap();
    assert_eq!(head.content_length(), Some(22));
    assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
    assert_eq!(head.last_modified().unwrap().secs(), 1_795_392_000);
    let operations: Vec<_> = sandbox.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["CreateBucket", "PutObject", "GetObject", "HeadObject"]);
    assert_eq!(sandbox.calls()[1].resource, "exports/dump-0001.rdb");
}

#[tokio::test(start_paused = true)]
async fn path_style_addresses_lead_to_the_same_bucket() {
    let (sandbox, client) = seeded().await;
    put(&client, "a/b c", b"x").await;
    let path = aws_sdk_s3::config::Builder::from(&config(&sandbox)).force_path_style(true).build();
    assert_eq!(body(&Client::from_conf(path), "a/b c").await, b"x");
}

#[tokio::test(start_paused = true)]
async fn a_range_gives_its_bytes_and_one_beyond_the_end_is_refused() {
    let (_, client) = seeded().await;
    put(&client, "k", b"REDIS0011").await;
    let get = |range: &str| client.get_object().bucket("exports").key("k").range(range).send();
    let part = get("bytes=5-8").await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 5-8/9"));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"0011");
    assert_eq!(code(get("bytes=9-").await), "InvalidRange");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_what_was_summed_is_refused() {
    let (_, client) = seeded().await;
    let put = || client.put_object().bucket("exports").key("k").body(ByteStream::from_static(b"x"));
    let wrong = put().checksum_crc32("AAAAAA==").send().await;
    assert_eq!(code(wrong), "BadDigest");
    for algorithm in [ChecksumAlgorithm::Crc32C, ChecksumAlgorithm::Sha256] {
        put().checksum_algorithm(algorithm).send().await.unwrap();
    }
    assert_eq!(keys(&client).await, ["k"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let (_, client) = seeded().await;
    let get = |bucket: &str| client.get_object().bucket(bucket).key("none").send();
    assert_eq!(code(get("exports").await), "NoSuchKey");
    assert_eq!(code(get("nowhere").await), "NoSuchBucket");
    let head = client.head_object().bucket("exports").key("none").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
    let head = client.head_bucket().bucket("nowhere").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
    let policy = client.get_bucket_policy().bucket("exports").send().await;
    assert_eq!(code(policy), "NoSuchBucketPolicy");
}

#[tokio::test(start_paused = true)]
async fn the_default_encryption_applies_to_new_objects() {
    let (_, client) = seeded().await;
    put(&client, "before", b"x").await;
    let kms = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("alias/mine")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(kms);
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
    let encrypt = client.put_bucket_encryption().bucket("exports");
    encrypt.server_side_encryption_configuration(rules.build().unwrap()).send().await.unwrap();
    put(&client, "after", b"x").await;
    for (key, expected) in
        [("before", ServerSideEncryption::Aes256), ("after", ServerSideEncryption::AwsKms)]
    {
        let head = client.head_object().bucket("exports").key(key).send().await.unwrap();
        assert_eq!(head.server_side_encryption(), Some(&expected), "{key}");
    }
    let told = client.get_bucket_encryption().bucket("exports").send().await.unwrap();
    let told = told.server_side_encryption_configuration.unwrap().rules;
    let told = told[0].apply_server_side_encryption_by_default().unwrap();
    assert_eq!(told.kms_master_key_id(), Some("alias/mine"));
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_kept_as_put_and_nonsense_is_refused() {
    let (_, client) = seeded().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let put = |text: &str| client.put_bucket_policy().bucket("exports").policy(text).send();
    put(policy).await.unwrap();
    let told = client.get_bucket_policy().bucket("exports").send().await.unwrap();
    assert_eq!(told.policy(), Some(policy));
    assert_eq!(code(put("not json").await), "MalformedPolicy");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_answers_only_in_its_own_region() {
    let (sandbox, client) = seeded().await;
    let far = Client::new(&config_in(&sandbox, "eu-west-1"));
    assert_eq!(code(far.get_object().bucket("exports").key("k").send().await), "PermanentRedirect");
    let unnamed = far.create_bucket().bucket("far").send().await;
    assert_eq!(code(unnamed), "IllegalLocationConstraintException");
    let here = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .build();
    far.create_bucket().bucket("far").create_bucket_configuration(here).send().await.unwrap();
    for (bucket, region) in [("far", Some(BucketLocationConstraint::EuWest1)), ("exports", None)] {
        let told = client.get_bucket_location().bucket(bucket).send().await.unwrap();
        let told = told.location_constraint().filter(|region| !region.as_str().is_empty());
        assert_eq!(told.cloned(), region, "{bucket}");
    }
    let buckets = client.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn listings_are_ordered_filtered_grouped_and_paged() {
    let (_, client) = seeded().await;
    for key in ["b-0002.rdb", "b-0001.rdb", "a.txt", "d/1", "d/2", "e"] {
        put(&client, key, b"x").await;
    }
    let list = || client.list_objects_v2().bucket("exports");
    let found = list().prefix("b-").send().await.unwrap();
    let found: Vec<_> = found.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(found, ["b-0001.rdb", "b-0002.rdb"]);
    let grouped = list().delimiter("/").send().await.unwrap();
    assert_eq!((grouped.contents().len(), grouped.key_count()), (4, Some(5)));
    assert_eq!(grouped.common_prefixes()[0].prefix(), Some("d/"));
    let mut pages = list().delimiter("/").max_keys(2).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().key_count().unwrap());
    }
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn objects_are_copied_tagged_and_deleted() {
    let (_, client) = seeded().await;
    put(&client, "k", b"x").await;
    let tag = Tag::builder().key("run").value("r1").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
    let tagged = client.put_object_tagging().bucket("exports").key("k").tagging(tagging);
    tagged.send().await.unwrap();
    let copy =
        |to: &str| client.copy_object().copy_source("exports/k").bucket("exports").key(to).send();
    copy("copy").await.unwrap();
    assert_eq!(code(copy("k").await), "InvalidRequest");
    let tags = client.get_object_tagging().bucket("exports").key("copy").send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag]);

    client.delete_object().bucket("exports").key("k").send().await.unwrap();
    client.delete_object().bucket("exports").key("k").send().await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket("exports").send().await), "BucketNotEmpty");
    let named = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(named("copy")).objects(named("none")).build().unwrap();
    let deleted = client.delete_objects().bucket("exports").delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    client.delete_bucket().bucket("exports").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_versioned_bucket_hides_what_is_deleted_and_keeps_it() {
    let (_, client) = seeded().await;
    let enabled =
        VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let versioning = client.put_bucket_versioning().bucket("exports");
    versioning.versioning_configuration(enabled).send().await.unwrap();
    put(&client, "k", b"one").await;
    put(&client, "k", b"two").await;
    let deleted = client.delete_object().bucket("exports").key("k").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    assert!(keys(&client).await.is_empty());
    let all = client.list_object_versions().bucket("exports").send().await.unwrap();
    assert_eq!((all.versions().len(), all.delete_markers().len()), (2, 1));
    let marker = deleted.version_id().unwrap();
    let undelete = client.delete_object().bucket("exports").key("k").version_id(marker);
    undelete.send().await.unwrap();
    assert_eq!(body(&client, "k").await, b"two");
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_is_an_object_only_when_it_is_complete() {
    let (_, client) = seeded().await;
    let start = || client.create_multipart_upload().bucket("exports").key("big").send();
    let id = start().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for (number, body) in [(1, vec![b'a'; 5 * 1024 * 1024]), (2, b"tail".to_vec())] {
        let part = client.upload_part().bucket("exports").key("big").upload_id(&id);
        let part = part.part_number(number).body(body.into()).send().await.unwrap();
        let part = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build();
        parts.push(part);
    }
    assert!(keys(&client).await.is_empty());
    let complete = || {
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build();
        client
            .complete_multipart_upload()
            .bucket("exports")
            .key("big")
            .upload_id(&id)
            .multipart_upload(whole)
            .send()
    };
    let done = complete().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    assert_eq!(body(&client, "big").await.len(), 5 * 1024 * 1024 + 4);
    assert_eq!(code(complete().await), "NoSuchUpload");
    let id = start().await.unwrap().upload_id.unwrap();
    let abort =
        || client.abort_multipart_upload().bucket("exports").key("big").upload_id(&id).send();
    abort().await.unwrap();
    assert_eq!(code(abort().await), "NoSuchUpload");
}

#[tokio::test(start_paused = true)]
async fn faults_reach_s3_by_the_name_of_the_operation() {
    let (sandbox, client) = seeded().await;
    sandbox.set_faults(FaultPlan::of([
        Fault::new("s3", "PutObject", FaultKind::Throttle),
        Fault::new("s3", "HeadObject", FaultKind::Denied),
    ]));
    let put = || client.put_object().bucket("exports").key("k").send();
    assert_eq!(code(put().await), "SlowDown");
    put().await.unwrap();
    let head = client.head_object().bucket("exports").key("k").send().await;
    assert_eq!(head.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
}
