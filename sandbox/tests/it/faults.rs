//! Failures on order.

use aws_smithy_runtime_api::client::result::SdkError;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Outcome};

use crate::support::{BUCKET, clients, code, shop, sleep};

fn plan(service: &str, operation: &str, kind: FaultKind) -> FaultPlan {
    FaultPlan::of([Fault::new(service, operation, kind)])
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_leaves_the_effect_and_the_repeat_finds_it() {
    let aws = clients(shop()).await;
    aws.sandbox.set_faults(plan("elasticache", "CreateSnapshot", FaultKind::LostResponse));
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    let outcome = create.replication_group_id("orders").send().await;
    // The SDK repeats the lost call by itself, and so meets its own snapshot.
    assert_eq!(code(outcome), "SnapshotAlreadyExistsFault");
    let calls = aws.sandbox.calls();
    let outcomes: Vec<_> = calls.iter().map(|call| call.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Lost, Outcome::Error("SnapshotAlreadyExistsFault".to_owned())]);
    assert!(calls.iter().all(|call| call.mutating && call.resource == "one"));
}

#[tokio::test(start_paused = true)]
async fn a_response_lost_for_good_is_a_dispatch_failure() {
    let aws = clients(shop()).await;
    let fault = Fault::new("memorydb", "CreateCluster", FaultKind::LostResponse).times(3);
    aws.sandbox.set_faults(FaultPlan::of([fault]));
    let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
    let lost = create.acl_name("open-access").tls_enabled(false).send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    sleep(5).await;
    assert_eq!(aws.cluster("new").await.status(), Some("creating"));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_leaves_no_effect() {
    let aws = clients(shop()).await;
    let fault = Fault::new("elasticache", "CreateSnapshot", FaultKind::Timeout).times(3);
    aws.sandbox.set_faults(FaultPlan::of([fault]));
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    let failed = create.replication_group_id("orders").send().await.unwrap_err();
    assert!(matches!(failed, SdkError::DispatchFailure(_)), "{failed:?}");
    assert_eq!(aws.group_status("orders").await, "available");
}

#[tokio::test(start_paused = true)]
async fn throttles_and_server_errors_are_repeated_by_the_sdk() {
    let aws = clients(shop()).await;
    for kind in [FaultKind::Throttle, FaultKind::ServerErrorBefore] {
        aws.sandbox.set_faults(plan("*", "*", kind));
        assert_eq!(aws.group_status("orders").await, "available");
    }
    let outcomes: Vec<_> = aws.sandbox.calls().into_iter().map(|call| call.outcome).collect();
    let error = |code: &str| Outcome::Error(code.to_owned());
    assert_eq!(outcomes, [error("Throttling"), Outcome::Ok, error("InternalFailure"), Outcome::Ok]);
}

#[tokio::test(start_paused = true)]
async fn a_server_error_after_the_effect_leaves_the_effect() {
    let aws = clients(shop()).await;
    aws.sandbox.set_faults(plan("elasticache", "CreateSnapshot", FaultKind::ServerErrorAfter));
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    let outcome = create.replication_group_id("orders").send().await;
    assert_eq!(code(outcome), "SnapshotAlreadyExistsFault");
}

#[tokio::test(start_paused = true)]
async fn denials_and_expired_credentials_carry_the_codes_of_each_protocol() {
    let aws = clients(shop()).await;
    for (kind, query, json) in [
        (FaultKind::Denied, "AccessDenied", "AccessDeniedException"),
        (FaultKind::ExpiredCredentials, "ExpiredToken", "ExpiredTokenException"),
    ] {
        let fault = Fault::new("*", "*", kind).times(9);
        aws.sandbox.set_faults(FaultPlan::of([fault]));
        assert_eq!(code(aws.elasticache.describe_snapshots().send().await), query);
        assert_eq!(code(aws.memorydb.describe_clusters().send().await), json);
        assert_eq!(code(aws.s3.list_objects_v2().bucket(BUCKET).send().await), query);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_answers_from_before_the_last_change() {
    let aws = clients(shop()).await;
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    create.replication_group_id("orders").send().await.unwrap();
    let stale = plan("elasticache", "DescribeReplicationGroups", FaultKind::StaleRead);
    aws.sandbox.set_faults(stale);
    assert_eq!(aws.group_status("orders").await, "available");
    assert_eq!(aws.group_status("orders").await, "snapshotting");
}

#[tokio::test(start_paused = true)]
async fn a_busy_resource_can_be_not_found_for_once() {
    let aws = clients(shop()).await;
    aws.sandbox.set_faults(plan("elasticache", "DescribeReplicationGroups", FaultKind::NotFound));
    let describe =
        || aws.elasticache.describe_replication_groups().replication_group_id("orders").send();
    assert_eq!(code(describe().await), "ReplicationGroupNotFoundFault");
    describe().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_export_that_loses_an_object_still_ends_in_available() {
    let aws = clients(shop()).await;
    aws.sandbox.set_faults(plan("elasticache", "CopySnapshot", FaultKind::MissingObjects));
    aws.export("nightly").await;
    assert_eq!(aws.objects().await, ["nightly-0001.rdb"]);
}

#[tokio::test(start_paused = true)]
async fn a_terminal_state_comes_with_its_reason_in_the_events() {
    let aws = clients(shop()).await;
    let terminal = |state: &str| FaultKind::TerminalState {
        state: state.to_owned(),
        reason: "out of memory".to_owned(),
    };
    aws.sandbox.set_faults(FaultPlan::of([
        Fault::new("elasticache", "CreateSnapshot", terminal("failed")),
        Fault::new("memorydb", "CreateCluster", terminal("create-failed")),
    ]));
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    create.replication_group_id("orders").send().await.unwrap();
    let create = aws.memorydb.create_cluster().cluster_name("new").node_type("db.r7g.large");
    create.acl_name("open-access").tls_enabled(false).send().await.unwrap();
    sleep(20 * 60).await;
    assert_eq!(aws.snapshot_status("one").await, "failed");
    assert_eq!(aws.cluster("new").await.status(), Some("create-failed"));
    assert!(aws.cluster_events("new").await[0].ends_with("out of memory"));
    let events = aws.elasticache.describe_events().source_identifier("orders");
    let events = events.source_type("replication-group".into()).send().await.unwrap();
    assert!(events.events()[0].message().unwrap().ends_with("out of memory"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_transition_takes_as_many_times_as_long() {
    let aws = clients(shop()).await;
    aws.sandbox.set_faults(plan("elasticache", "CreateSnapshot", FaultKind::SlowTransition(3.0)));
    let create = aws.elasticache.create_snapshot().snapshot_name("one");
    create.replication_group_id("orders").send().await.unwrap();
    sleep(17 * 60).await;
    assert_eq!(aws.snapshot_status("one").await, "creating");
    sleep(2 * 60).await;
    assert_eq!(aws.snapshot_status("one").await, "available");
}

#[tokio::test(start_paused = true)]
async fn writes_under_a_condition_are_refused_as_s3_refuses_them() {
    let aws = clients(shop()).await;
    let put = |body: &'static [u8]| {
        aws.s3.put_object().bucket(BUCKET).key("lease").body(body.to_vec().into())
    };
    assert_eq!(code(put(b"1").if_match("\"0\"").send().await), "NoSuchKey");
    let first = put(b"1").if_none_match("*").send().await.unwrap();
    assert_eq!(code(put(b"2").if_none_match("*").send().await), "PreconditionFailed");
    aws.sandbox.set_faults(plan("s3", "PutObject", FaultKind::WriteConflict));
    let tag = first.e_tag().unwrap();
    assert_eq!(code(put(b"2").if_match(tag).send().await), "ConditionalRequestConflict");
    put(b"2").if_match(tag).send().await.unwrap();
    assert_eq!(code(put(b"3").if_match(tag).send().await), "PreconditionFailed");
    let there = aws.s3.get_object().bucket(BUCKET).key("lease").send().await.unwrap();
    assert_eq!(there.body.collect().await.unwrap().to_vec(), b"2");
}

#[tokio::test(start_paused = true)]
async fn answers_of_s3_bear_the_date_by_the_clock_that_dates_objects() {
    let aws = clients(shop()).await;
    let put = aws.s3.put_object().bucket(BUCKET).key("lease").body(b"1".to_vec().into());
    put.send().await.unwrap();
    sleep(90).await;
    let request = http::Request::get(format!("http://s3.amazonaws.com/{BUCKET}/lease"));
    let reply = aws.sandbox.handle(request.body(Vec::new().into()).unwrap()).await;
    let orchestrate_sandbox::Reply::Response(answer) = reply else { panic!("no answer") };
    let seconds = |name: &str| {
        let text = answer.headers()[name].to_str().unwrap();
        jiff::fmt::rfc2822::parse(text).unwrap().timestamp().as_second()
    };
    assert_eq!(seconds("date") - seconds("last-modified"), 90);
}
