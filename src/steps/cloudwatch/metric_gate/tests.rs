use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::types::MetricDataResult;
use aws_smithy_mocks::mock;
use serde_json::json;

use super::*;
use crate::steps::testing::{self, Rules};

fn shown(values: &[f64]) -> GetMetricDataOutput {
    let result = MetricDataResult::builder().id("m0").set_values(Some(values.to_vec())).build();
    GetMetricDataOutput::builder().metric_data_results(result).build()
}

fn gate(more: Value) -> Spec {
    let mut args = json!({"metrics": [{
        "namespace": "AWS/MemoryDB", "metric": "EngineCPUUtilization", "dimensions": {"ClusterName": "prod"},
        "at_most": 70,
    }]});
    args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    testing::spec(args)
}

async fn run(more: Value, answers: &[&[f64]]) -> (Result<Done<Output>, Failure>, usize) {
    let mut answers = answers.iter();
    let first = answers.next().unwrap().to_vec();
    let mut rule = mock!(Client::get_metric_data)
        .match_requests(|r| {
            r.metric_data_queries()[0].metric_stat().unwrap().stat() == Some("Maximum")
        })
        .sequence()
        .output(move || shown(&first));
    for answer in answers {
        let answer = answer.to_vec();
        rule = rule.output(move || shown(&answer));
    }
    let rule = rule.build();
    let env = testing::env(Rules { cloudwatch: vec![&rule], ..Rules::default() });
    let done = MetricGate::execute(&env, &gate(more), &(), &testing::cx("gate")).await;
    (done, rule.num_calls())
}

#[tokio::test(start_paused = true)]
async fn every_point_of_the_window_must_keep_the_limit() {
    let (done, _) = run(json!({}), &[&[10.0, 69.5, 12.0]]).await;
    let Ok(Done::Unchanged(output)) = done else { panic!("{done:?}") };
    assert_eq!((output.readings[0].value, output.readings[0].points), (Some(69.5), 3));
    let (done, looks) = run(json!({}), &[&[10.0, 70.5, 12.0]]).await;
    let failure = done.unwrap_err();
    assert_eq!(looks, 1);
    assert!(
        failure.to_string().contains("of ClusterName prod is 70.5, and must be at most 70"),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_data_is_what_the_playbook_says_and_a_failure_otherwise() {
    let (done, _) = run(json!({}), &[&[]]).await;
    assert!(done.unwrap_err().to_string().contains("1 of 1 metrics have no data in the last 10m"));
    let (done, _) = run(json!({"no_data": "pass"}), &[&[]]).await;
    let Ok(Done::Unchanged(output)) = done else { panic!("{done:?}") };
    assert_eq!((output.without_data, output.readings[0].value), (1, None));
    let (done, looks) = run(json!({"no_data": "wait"}), &[&[], &[], &[3.0]]).await;
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(looks, 3);
}

#[tokio::test(start_paused = true)]
async fn what_must_have_been_so_all_the_time_is_not_shown_by_a_few_minutes() {
    let covered = json!({"window": "10m", "coverage_percent": 95});
    let (nine, ten) = ([3.0; 9], [3.0; 10]);
    let (done, _) = run(covered.clone(), &[&ten]).await;
    assert!(done.is_ok(), "{done:?}");
    let (done, _) = run(covered.clone(), &[&nine]).await;
    let failure = done.unwrap_err().to_string();
    assert!(failure.contains("data points for less than 95 % of the last 10m"), "{failure}");
    assert!(failure.contains("9 data points"), "{failure}");
    // One point beyond the limit is enough to say no.
    let (done, _) = run(covered, &[&[90.0]]).await;
    assert!(done.unwrap_err().to_string().contains("is 90"));
    for (part, faults) in [(0, 1), (1, 0), (100, 0), (101, 1)] {
        let args = json!({"metrics": [], "coverage_percent": part});
        assert_eq!(MetricGate::check(&args).len(), faults, "{part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_breach_is_waited_out_only_if_the_playbook_says_so() {
    let (done, looks) = run(json!({"on_breach": "wait"}), &[&[90.0], &[90.0, 20.0], &[20.0]]).await;
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(looks, 3);
    // To wait for data is not to wait for calm, nor the other way round.
    let (done, looks) = run(json!({"no_data": "wait"}), &[&[], &[90.0]]).await;
    assert!(done.unwrap_err().to_string().contains("is 90"));
    assert_eq!(looks, 2);
    let (done, looks) = run(json!({"on_breach": "wait"}), &[&[90.0], &[]]).await;
    assert!(done.unwrap_err().to_string().contains("have no data"));
    assert_eq!(looks, 2);
}

#[test]
fn metrics_that_nobody_publishes_are_refused_before_anything_is_called() {
    let faults = |metric: Value| {
        let found = MetricGate::check(&json!({"metrics": [metric]}));
        found
            .into_iter()
            .map(|f| format!("{} {}", f.message, f.mend.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let good = json!({"namespace": "AWS/MemoryDB", "metric": "CurrItems", "dimensions": {"ClusterName": null}, "at_least": 1});
    assert_eq!(faults(good), Vec::<String>::new());
    for (metric, words) in [
        (
            json!({"namespace": "AWS/MemoryDB", "metric": "ActiveConnections", "at_most": 1}),
            "use CurrConnections",
        ),
        (
            json!({"namespace": "AWS/ElastiCache", "metric": "Evictions", "dimensions": {"ReplicationGroupId": "x"}, "at_most": 1}),
            "its dimensions are CacheClusterId",
        ),
        (
            json!({"namespace": "AWS/MemoryDB", "metric": "CurrItems", "nodes_of": "x", "at_most": 1}),
            "its dimensions are ClusterName",
        ),
        (
            json!({"namespace": "AWS/MemoryDB", "metric": "CurrItems", "dimensions": {"ClusterName": "x"}}),
            "no limit",
        ),
        (
            json!({"namespace": "A", "metric": "B", "statistic": "Median", "at_most": 1}),
            "no statistic",
        ),
        (
            json!({"namespace": "A", "metric": "B", "at_least": 2, "at_most": 1}),
            "nothing is at least 2",
        ),
    ] {
        let found = faults(metric);
        assert!(found.len() == 1 && found[0].contains(words), "{found:?} not {words}");
    }
    assert_eq!(MetricGate::check(&json!({"metrics": [], "window": "1m"})).len(), 1);
}
