//! Services that tell of the others: KMS, Service Quotas, CloudWatch, SNS; and what MemoryDB makes of keys and quotas.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use orchestrate_sandbox::{Seed, SeedKmsKey, SeedMemoryDbQuotas, SeedTopic};

use crate::support::{clients, code, config, sandbox, shop};

fn query(node: &str) -> MetricDataQuery {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/ElastiCache")
        .metric_name("BytesUsedForCache")
        .dimensions(dimension("CacheClusterId", node))
        .dimensions(dimension("CacheNodeId", "0001"))
        .build();
    let stat = MetricStat::builder().metric(metric).period(300).stat("Maximum").build();
    MetricDataQuery::builder().id("n0").metric_stat(stat).build()
}

async fn metrics(seed: Seed, node: &str) -> MetricDataResult {
    let sandbox = sandbox(seed).await;
    let client = aws_sdk_cloudwatch::Client::new(&config(&sandbox));
    // The sandbox's now: 2026-11-20T09:00:00Z.
    let end = 1_795_165_200;
    let request = client.get_metric_data().metric_data_queries(query(node));
    let request = request.start_time(DateTime::from_secs(end - 1800));
    let answer = request.end_time(DateTime::from_secs(end)).send().await.unwrap();
    answer.metric_data_results()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn metrics_are_those_of_the_shard_and_none_is_not_zero() {
    let mut seed = shop();
    seed.replication_groups[0].used_memory = Some(5 << 30);
    let shown = metrics(seed.clone(), "orders-0002-001").await;
    assert_eq!(shown.values(), vec![(5_u64 << 30) as f64; 6]);
    assert_eq!(shown.timestamps().len(), 6);
    assert!(shown.timestamps()[0] > shown.timestamps()[5], "newest first");
    let by_data = metrics(shop(), "orders-0001-002").await;
    assert!(by_data.values().iter().all(|v| *v > 1000.0), "{by_data:?}");
    seed.replication_groups[0].without_metrics = true;
    assert!(metrics(seed.clone(), "orders-0001-001").await.values().is_empty());
    assert!(metrics(seed, "nobody-001").await.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cloudwatch_refuses_is_refused_in_cbor() {
    let sandbox = sandbox(shop()).await;
    let client = aws_sdk_cloudwatch::Client::new(&config(&sandbox));
    let request = client.get_metric_data().metric_data_queries(query("orders-0001-001"));
    let request = request.start_time(DateTime::from_secs(10)).end_time(DateTime::from_secs(5));
    assert_eq!(code(request.send().await), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn keys_are_found_by_each_of_their_names_and_tell_their_state() {
    let key = SeedKmsKey {
        id: "1234abcd".into(),
        alias: Some("alias/redis".into()),
        state: "PendingDeletion".into(),
        ..SeedKmsKey::default()
    };
    let sandbox = sandbox(Seed { kms_keys: vec![key], ..Seed::default() }).await;
    let client = aws_sdk_kms::Client::new(&config(&sandbox));
    let arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd";
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/redis";
    for named in ["1234abcd", arn, "alias/redis", alias] {
        let answer = client.describe_key().key_id(named).send().await.unwrap();
        let key = answer.key_metadata().unwrap();
        assert_eq!(key.arn(), Some(arn), "{named}");
        assert_eq!(key.key_state().unwrap().as_str(), "PendingDeletion");
    }
    for named in ["alias/none", "1234", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"] {
        let answer = client.describe_key().key_id(named).send().await;
        assert_eq!(code(answer), "NotFoundException", "{named}");
    }
}

#[tokio::test(start_paused = true)]
async fn quotas_are_listed_and_enforced() {
    let mut seed = shop();
    seed.memorydb_quotas = SeedMemoryDbQuotas { nodes_per_region: 5, nodes_per_cluster: 4 };
    let aws = clients(seed).await;
    let quotas = aws_sdk_servicequotas::Client::new(&config(&aws.sandbox));
    let listed = quotas.list_service_quotas().service_code("memorydb").send().await.unwrap();
    let nodes = listed.quotas().iter().find(|q| q.quota_name() == Some("Nodes per Region"));
    let code_of_it = nodes.unwrap().quota_code().unwrap();
    let one = quotas.get_service_quota().service_code("memorydb").quota_code(code_of_it);
    assert_eq!(one.send().await.unwrap().quota().unwrap().value(), Some(5.0));
    let other = quotas.list_service_quotas().service_code("nothing").send().await;
    assert_eq!(code(other), "NoSuchResourceException");
    let create = |name: &str, shards: i32| {
        let request = aws.memorydb.create_cluster().cluster_name(name).node_type("db.r7g.large");
        request.acl_name("open-access").num_shards(shards).send()
    };
    assert_eq!(code(create("big", 3).await), "NodeQuotaForClusterExceededFault");
    create("first", 2).await.unwrap();
    assert_eq!(code(create("second", 1).await), "NodeQuotaForCustomerExceededFault");
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_kept_and_what_sns_would_refuse_is_refused() {
    let topics = ["on-call", "in-order.fifo"];
    let topics = topics.map(|name| SeedTopic { name: name.to_owned(), ..SeedTopic::default() });
    let sandbox = sandbox(Seed { topics: topics.into(), ..Seed::default() }).await;
    let sns = aws_sdk_sns::Client::new(&config(&sandbox));
    let arn = |name: &str| format!("arn:aws:sns:us-east-1:123456789012:{name}");
    let topic = arn("on-call");
    let told = sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap();
    assert_eq!(told.attributes().unwrap()["SubscriptionsConfirmed"], "1");
    let publish = |topic: &str| sns.publish().topic_arn(topic).message("it burns");
    for _ in 0..2 {
        let attribute = aws_sdk_sns::types::MessageAttributeValue::builder();
        let attribute = attribute.data_type("String").string_value("mine").build().unwrap();
        let request = publish(&topic).subject("fire").message_attributes("run", attribute);
        assert!(request.send().await.unwrap().message_id().is_some());
    }
    let said = sandbox.published(&topic);
    assert_eq!(
        (said.len(), said[0].1.as_str(), said[0].2["run"].as_str()),
        (2, "it burns", "mine")
    );
    let fifo = arn("in-order.fifo");
    assert_eq!(code(publish(&fifo).send().await), "InvalidParameter");
    for _ in 0..2 {
        let request = publish(&fifo).message_group_id("all").message_deduplication_id("one");
        request.send().await.unwrap();
    }
    assert_eq!(sandbox.published(&fifo).len(), 1);
    assert_eq!(code(publish(&topic).subject("two\nlines").send().await), "InvalidParameter");
    assert_eq!(code(publish(&arn("nowhere")).send().await), "NotFound");
    let other = topic.replace("us-east-1", "eu-west-1");
    assert_eq!(code(publish(&other).send().await), "InvalidParameter");
}
