//! The sandbox over a socket. Real time, so nothing here waits for a transition.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Sandbox, ServerPolicy, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::shop;

async fn sandbox() -> Sandbox {
    let builder = Sandbox::builder().clock(Arc::new(SystemClock)).servers(ServerPolicy::Off);
    let sandbox = builder.build().unwrap();
    sandbox.seed(shop()).await.unwrap();
    sandbox
}

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

async fn exchange(addr: std::net::SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: sts.us-east-1.amazonaws.com\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn an_sdk_over_a_socket_gets_answers() {
    let sandbox = sandbox().await;
    let server = sandbox.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let answer = exchange(server.addr(), post(WHO)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("<Account>123456789012</Account>"), "{answer}");
    assert!(answer.contains("x-amzn-requestid:"), "{answer}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_lost_response_closes_the_socket_without_a_byte() {
    let sandbox = sandbox().await;
    sandbox.set_faults(FaultPlan::of([Fault::new("sts", "*", FaultKind::LostResponse)]));
    let server = sandbox.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert_eq!(exchange(server.addr(), post(WHO)).await, "");
    assert_eq!(sandbox.calls().len(), 1);
    server.shutdown().await;
}

#[tokio::test]
async fn people_can_ask_what_was_called_and_what_exists() {
    let sandbox = sandbox().await;
    let server = sandbox.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    exchange(server.addr(), post(WHO)).await;
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let calls = exchange(server.addr(), get("/_sandbox/calls")).await;
    assert!(calls.contains(r#""operation":"GetCallerIdentity""#), "{calls}");
    let world = exchange(server.addr(), get("/_sandbox/world")).await;
    assert!(world.contains(r#""orders""#), "{world}");
    server.shutdown().await;
}

#[tokio::test]
async fn only_loopback_is_served() {
    let refused = sandbox().await.serve("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("not a loopback address"), "{refused}");
}

#[tokio::test]
async fn without_a_fault_the_sdk_config_of_a_person_needs_no_more_than_an_endpoint() {
    // The endpoint of every service is the one address, as with AWS_ENDPOINT_URL.
    let sandbox = sandbox().await;
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "a", "b", None, None, "tests",
        )))
        .endpoint_url("http://127.0.0.1:1")
        .http_client(sandbox.http_client())
        .build();
    let clusters = aws_sdk_memorydb::Client::new(&config).describe_clusters().send().await;
    assert!(clusters.unwrap().clusters().is_empty());
    let groups =
        aws_sdk_elasticache::Client::new(&config).describe_replication_groups().send().await;
    assert_eq!(groups.unwrap().replication_groups().len(), 2);
    let s3 = aws_sdk_s3::Client::new(&config).list_buckets().send().await.unwrap();
    assert_eq!(s3.buckets().len(), 1);
}
