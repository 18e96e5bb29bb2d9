use std::time::Duration;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Sandbox};

use crate::empty::{config, refusal, sandbox};

/// A zone `example.com` and its id, which has the path in front as AWS gives it.
async fn seeded() -> (Sandbox, Client, String) {
    let sandbox = sandbox();
    let client = Client::new(&config(&sandbox));
    let id = zone(&client, "Example.com").await;
    (sandbox, client, id)
}

async fn zone(client: &Client, name: &str) -> String {
    let create = client.create_hosted_zone().name(name).caller_reference(name);
    create.send().await.unwrap().hosted_zone.unwrap().id
}

fn record(name: &str, kind: RrType, ttl: i64, values: &[&str]) -> ResourceRecordSet {
    let value = |value: &&str| ResourceRecord::builder().value(*value).build().unwrap();
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(ttl)
        .set_resource_records(Some(values.iter().map(value).collect()))
        .build()
        .unwrap()
}

fn cname(name: &str, value: &str) -> ResourceRecordSet {
    record(name, RrType::Cname, 60, &[value])
}

/// Sends a batch; gives the id of the change, or the code and message of the refusal.
async fn change(
    client: &Client,
    zone: &str,
    changes: Vec<(ChangeAction, ResourceRecordSet)>,
) -> Result<String, (String, String)> {
    let change = |(action, record)| {
        Change::builder().action(action).resource_record_set(record).build().unwrap()
    };
    let batch = ChangeBatch::builder().set_changes(Some(changes.into_iter().map(change).collect()));
    let request = client.change_resource_record_sets().hosted_zone_id(zone);
    match request.change_batch(batch.build().unwrap()).send().await {
        Ok(output) => Ok(output.change_info.unwrap().id),
        Err(error) => Err(refusal(Err::<(), _>(error))),
    }
}

async fn names(client: &Client, zone: &str) -> Vec<String> {
    let listed = client.list_resource_record_sets().hosted_zone_id(zone).send().await.unwrap();
    listed.resource_record_sets().iter().map(|set| set.name().to_owned()).collect()
}

use ChangeAction::{Create, Delete, Upsert};

#[tokio::test(start_paused = true)]
async fn a_change_is_pending_until_every_name_server_has_it() {
    let (_, client, zone) = seeded().await;
    let id = change(&client, &zone, vec![(Upsert, cname("redis.example.com", "a.cache"))]).await;
    let id = id.unwrap();
    assert!(id.starts_with("/change/C"), "{id}");
    let status =
        || async { client.get_change().id(&id).send().await.unwrap().change_info.unwrap().status };
    assert_eq!(status().await, ChangeStatus::Pending);
    tokio::time::advance(Duration::from_secs(39)).await;
    assert_eq!(status().await, ChangeStatus::Pending);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(status().await, ChangeStatus::Insync);
    let (code, _) = refusal(client.get_change().id("C0").send().await);
    assert_eq!(code, "NoSuchChange");
}

#[tokio::test(start_paused = true)]
async fn creating_an_existing_record_is_refused_in_the_words_of_aws() {
    let (_, client, zone) = seeded().await;
    let create = || vec![(Create, cname("Redis.example.com", "a.cache"))];
    change(&client, &zone, create()).await.unwrap();
    let (code, message) = change(&client, &zone, create()).await.unwrap_err();
    assert_eq!(code, "InvalidChangeBatch");
    assert_eq!(
        message,
        "[Tried to create resource record set [name='redis.example.com.', type='CNAME'] but it \
         already exists]"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delete_must_repeat_the_record_exactly() {
    let (_, client, zone) = seeded().await;
    let there = record("a.example.com", RrType::A, 60, &["10.0.0.1", "10.0.0.2"]);
    change(&client, &zone, vec![(Create, there)]).await.unwrap();
    for (wrong, reason) in [
        (record("a.example.com", RrType::A, 60, &["10.0.0.1"]), "do not match the current values"),
        (record("a.example.com", RrType::A, 61, &["10.0.0.1", "10.0.0.2"]), "do not match"),
        (record("b.example.com", RrType::A, 60, &["10.0.0.1"]), "but it was not found"),
    ] {
        let (code, message) = change(&client, &zone, vec![(Delete, wrong)]).await.unwrap_err();
        assert_eq!(code, "InvalidChangeBatch");
        assert!(message.contains(reason), "{message}");
    }
    let other_order = record("a.example.com", RrType::A, 60, &["10.0.0.2", "10.0.0.1"]);
    change(&client, &zone, vec![(Delete, other_order)]).await.unwrap();
    assert_eq!(names(&client, &zone).await, ["example.com.", "example.com."]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_carried_out_whole_or_not_at_all() {
    let (sandbox, client, zone) = seeded().await;
    change(&client, &zone, vec![(Create, cname("a.example.com", "x"))]).await.unwrap();
    let before = sandbox.world();
    let batch = vec![
        (Upsert, cname("a.example.com", "y")),
        (Create, cname("b.example.com", "y")),
        (Delete, cname("c.example.com", "y")),
    ];
    let (code, _) = change(&client, &zone, batch).await.unwrap_err();
    assert_eq!(code, "InvalidChangeBatch");
    assert_eq!(sandbox.world(), before);
    let batch = vec![
        (Delete, cname("a.example.com", "x")),
        (Create, record("a.example.com", RrType::A, 60, &["10.0.0.1"])),
    ];
    change(&client, &zone, batch).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn records_that_dns_forbids_are_refused() {
    let (_, client, zone) = seeded().await;
    change(&client, &zone, vec![(Create, cname("a.example.com", "x"))]).await.unwrap();
    for (wrong, reason) in [
        (cname("example.com", "x"), "is not permitted at apex in zone example.com."),
        (cname("a.example.org", "x"), "is not permitted in zone example.com."),
        (cname("b..example.com", "x"), "DomainLabelEmpty"),
        (record("a.example.com", RrType::A, 60, &["10.0.0.1"]), "conflicts with other records"),
        (record("b.example.com", RrType::A, 60, &["host"]), "ARRDATAIllegalIPv4Address"),
        (record("b.example.com", RrType::Cname, 60, &["x", "y"]), "exactly one value"),
    ] {
        let (code, message) = change(&client, &zone, vec![(Upsert, wrong)]).await.unwrap_err();
        assert_eq!(code, "InvalidChangeBatch");
        assert!(message.contains(reason), "{message}");
    }
    let bare = ResourceRecordSet::builder().name("b.example.com").r#type(RrType::A);
    let (code, _) =
        change(&client, &zone, vec![(Upsert, bare.build().unwrap())]).await.unwrap_err();
    assert_eq!(code, "InvalidInput");
    let (code, _) = change(&client, "Z0", vec![(Upsert, cname("a.b", "x"))]).await.unwrap_err();
    assert_eq!(code, "NoSuchHostedZone");
}

#[tokio::test(start_paused = true)]
async fn names_are_stored_lower_case_dotted_and_escaped() {
    let (_, client, zone) = seeded().await;
    change(&client, &zone, vec![(Create, cname("*.Example.com", "x"))]).await.unwrap();
    let listed = names(&client, &zone).await;
    assert_eq!(listed, ["example.com.", "example.com.", "\\052.example.com."]);
    change(&client, &zone, vec![(Delete, cname("\\052.example.com.", "x"))]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn records_are_listed_in_order_of_reversed_labels_and_by_page() {
    let (_, client, zone) = seeded().await;
    for name in ["z.example.com", "a.b.example.com", "b.example.com"] {
        change(&client, &zone, vec![(Create, cname(name, "x"))]).await.unwrap();
    }
    let ordered = ["b.example.com.", "a.b.example.com.", "z.example.com."];
    assert_eq!(names(&client, &zone).await[2..], ordered);

    let from = client.list_resource_record_sets().hosted_zone_id(&zone);
    let page = from.start_record_name("a.example.com").max_items(1).send().await.unwrap();
    assert_eq!(page.resource_record_sets()[0].name(), "b.example.com.");
    assert!(page.is_truncated());
    assert_eq!(page.next_record_name(), Some("a.b.example.com."));
    assert_eq!(page.next_record_type(), Some(&RrType::Cname));
    let from = client.list_resource_record_sets().hosted_zone_id(&zone);
    let from = from.start_record_name("z.example.com").start_record_type(RrType::Cname);
    let last = from.send().await.unwrap();
    let found = &last.resource_record_sets()[0];
    assert_eq!((found.ttl(), found.resource_records()[0].value()), (Some(60), "x"));
    assert!(!last.is_truncated());
}

#[tokio::test(start_paused = true)]
async fn a_listing_by_name_starts_at_the_name_and_goes_on() {
    let (_, client, _) = seeded().await;
    zone(&client, "example.org").await;
    let listed = client.list_hosted_zones_by_name().dns_name("example.com").send().await.unwrap();
    let found: Vec<_> = listed.hosted_zones().iter().map(|zone| zone.name()).collect();
    assert_eq!(found, ["example.com.", "example.org."]);
    let listed = client.list_hosted_zones_by_name().dns_name("example.z").send().await.unwrap();
    assert!(listed.hosted_zones().is_empty());
    let all = client.list_hosted_zones().send().await.unwrap();
    assert_eq!(all.hosted_zones().len(), 2);
    let id = all.hosted_zones()[0].id();
    assert!(id.starts_with("/hostedzone/Z"), "{id}");
    let one = client.get_hosted_zone().id(id).send().await.unwrap();
    assert_eq!(one.hosted_zone().unwrap().id(), id);
    assert_eq!(one.delegation_set().unwrap().name_servers().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_change_waits_for_the_one_before_and_changes_nothing() {
    let (sandbox, client, zone) = seeded().await;
    let throttled = Fault::new("route53", "ChangeResourceRecordSets", FaultKind::Throttle);
    sandbox.set_faults(FaultPlan::of([throttled]));
    let before = sandbox.world();
    let batch = || vec![(Upsert, cname("a.example.com", "x"))];
    let (code, _) = change(&client, &zone, batch()).await.unwrap_err();
    assert_eq!(code, "PriorRequestNotComplete");
    assert_eq!(sandbox.world(), before);
    change(&client, &zone, batch()).await.unwrap();
}
