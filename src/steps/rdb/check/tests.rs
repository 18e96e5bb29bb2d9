use aws_sdk_s3::Client;
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_mocks::{Rule, mock};
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::steps::testing::{self, Rules};

const ARN: &str = "arn:aws:s3:::exports/prod-0001.rdb";

/// A file of database, type of value, and value by key; without a checksum.
fn rdb(head: &str, keys: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut file = head.as_bytes().to_vec();
    for (index, (database, code, value)) in keys.iter().enumerate() {
        file.extend([254, *database, *code, 2, b'k', b'0' + index as u8]);
        file.extend_from_slice(value);
    }
    file.push(255);
    file.extend([0; 8]);
    file
}

fn good() -> Vec<u8> {
    rdb("REDIS0011", &[(0, 0, b"\x05hello"), (0, 2, b"\x01\x01m")])
}

fn head(bytes: usize) -> Rule {
    mock!(Client::head_object).then_output(move || {
        let bytes = i64::try_from(bytes).unwrap();
        HeadObjectOutput::builder().content_length(bytes).e_tag("\"v1\"").build()
    })
}

/// A body of these pieces; `None` is a connection that breaks.
fn body(pieces: Vec<Option<Vec<u8>>>) -> GetObjectOutput {
    part(pieces, None)
}

/// The same, said to be that part of the file.
fn part(pieces: Vec<Option<Vec<u8>>>, range: Option<&str>) -> GetObjectOutput {
    let pieces = pieces.into_iter().map(|piece| match piece {
        Some(piece) => Ok(http_body::Frame::data(Bytes::from(piece))),
        None => Err(std::io::Error::other("connection reset by peer")),
    });
    let body = http_body_util::StreamBody::new(stream::iter(pieces));
    GetObjectOutput::builder()
        .body(ByteStream::new(SdkBody::from_body_1_x(body)))
        .set_content_range(range.map(str::to_owned))
        .build()
}

fn get(file: Vec<u8>) -> Rule {
    mock!(Client::get_object).then_output(move || body(vec![Some(file.clone())]))
}

async fn run(file: Vec<u8>, engine: Value) -> Result<Done<Output>, Failure> {
    let (head, get) = (head(file.len()), get(file));
    checked(vec![&head, &get], engine).await
}

async fn checked(s3: Vec<&Rule>, mut args: Value) -> Result<Done<Output>, Failure> {
    let env = testing::env(Rules { s3, ..Rules::default() });
    args["objects"] = json!([ARN]);
    let (spec, cx) = (testing::spec(args), testing::cx("check"));
    let (prepared, resources) = Check::prepare(&env, &spec, &cx).await?;
    assert!(resources.is_empty());
    Check::execute(&env, &spec, &prepared, &cx).await
}

#[tokio::test(start_paused = true)]
async fn what_the_files_hold_is_told() {
    let done = run(good(), json!({"engine": "valkey", "engine_version": "7.3"})).await.unwrap();
    let Done::Unchanged(output) = done else { panic!("{done:?}") };
    assert_eq!(
        serde_json::to_value(output).unwrap(),
        json!({
            "files": 1,
            "bytes": 39,
            "keys": 2,
            "keys_with_expiry": 0,
            "keys_expired": 0,
            "databases": [0],
            "rdb_versions": ["REDIS0011"],
            "written_by": [],
            "functions": [],
            "modules": [],
            "biggest_keys": [
                {"key": "k0", "type": "string", "bytes": 6},
                {"key": "k1", "type": "set", "bytes": 3},
            ],
        })
    );
}

/// What is said of a file, and what to do.
async fn refused(file: Vec<u8>, engine: &str, version: &str) -> String {
    let failure =
        run(file, json!({"engine": engine, "engine_version": version})).await.unwrap_err();
    assert_eq!(failure.class, Class::Fatal, "{failure}");
    let mend = failure.mend.clone().expect("a mend");
    format!("{failure} | {mend}")
}

#[tokio::test(start_paused = true)]
async fn each_thing_that_memorydb_could_not_restore_is_refused() {
    let mut damaged = good();
    let sum = damaged.len() - 1;
    damaged[sum] = 1;
    let cut = good()[..20].to_vec();
    // "MBbloom--", version 4, and no parts.
    let bloom = b"\x81\x30\x16\xe5\xa2\x89\xbe\xf8\x04\x00".as_slice();
    let cases: Vec<(Vec<u8>, &str, &str, &[&str])> = vec![
        (damaged, "valkey", "7.3", &["its checksum is 0100000000000000", "export again"]),
        (cut, "valkey", "7.3", &["byte 16, in key \"k0\" of database 0", "cut off"]),
        (good(), "redis", "7.1", &["it is REDIS0011", "reads RDB versions up to 10"]),
        (rdb("REDIS0013", &[]), "valkey", "7.3", &["it is REDIS0013", "no engine"]),
        (rdb("VALKEY080", &[]), "valkey", "7.3", &["it is VALKEY080", "Valkey 9"]),
        (
            rdb("REDIS0011", &[(0, 0, b"\x01v"), (3, 0, b"\x01v")]),
            "valkey",
            "7.3",
            &["databases besides 0", "3 (1 key)", "database 0 of the source"],
        ),
        (rdb("REDIS0011", &[(1, 0, b"\x01v")]), "valkey", "7.3", &["1 (1 key)"]),
        (rdb("REDIS0011", &[(0, 7, bloom)]), "valkey", "7.3", &["modules", "MBbloom--"]),
        (b"not an RDB file".to_vec(), "valkey", "7.3", &["this is not an RDB file"]),
        (rdb("REDIS0011", &[(0, 99, b"")]), "valkey", "7.3", &["byte 11: 99 is no value type"]),
    ];
    for (file, engine, version, words) in cases {
        let said = refused(file, engine, version).await;
        for word in words {
            assert!(said.contains(word), "no \"{word}\" in: {said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_against_a_file_is_said_at_once() {
    let mut file = rdb("REDIS0011", &[(0, 0, b"\x01v"), (3, 0, b"\x01v")]);
    let sum = file.len() - 1;
    file[sum] = 1;
    let said = refused(file, "redis", "7.1").await;
    for word in ["REDIS0011", "checksum", "besides 0"] {
        assert!(said.contains(word), "no \"{word}\" in: {said}");
    }
}

#[tokio::test(start_paused = true)]
async fn json_is_warned_of_only() {
    // "ReJSON-RL", version 3, and no parts.
    let json = b"\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03\x00".as_slice();
    let done = run(rdb("REDIS0011", &[(0, 7, json)]), json!({"engine": "valkey"})).await.unwrap();
    let Done::Unchanged(output) = done else { panic!("{done:?}") };
    assert_eq!(output.modules, ["ReJSON-RL".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_gone_on_from_at_the_next_byte() {
    let file = good();
    let head = head(file.len());
    let (first, rest) = (file[..13].to_vec(), file[13..].to_vec());
    let begun = mock!(Client::get_object)
        .match_requests(|r| r.range().is_none() && r.if_match() == Some("\"v1\""))
        .then_output(move || body(vec![Some(first.clone()), None]));
    let refused = mock!(Client::get_object)
        .match_requests(|r| r.range() == Some("bytes=13-") && r.if_match() == Some("\"v1\""))
        .sequence()
        .http_status(503, Some("slow down".to_owned()))
        .output(move || part(vec![Some(rest.clone())], Some("bytes 13-38/39")))
        .build();
    let done = checked(vec![&head, &begun, &refused], json!({"engine": "valkey"})).await.unwrap();
    let Done::Unchanged(output) = done else { panic!("{done:?}") };
    assert_eq!((output.keys, begun.num_calls(), refused.num_calls()), (2, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_again_and_again_is_given_up() {
    let head = head(39);
    let breaks = mock!(Client::get_object).then_output(|| body(vec![None]));
    let failure = checked(vec![&head, &breaks], json!({})).await.unwrap_err();
    assert_eq!(failure.class, Class::Transient);
    assert!(failure.to_string().contains("connection reset by peer"), "{failure}");
    assert_eq!(breaks.num_calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_meanwhile_is_noticed() {
    let head = head(39);
    let replaced = mock!(Client::get_object).then_error(|| {
        GetObjectError::generic(ErrorMetadata::builder().code("PreconditionFailed").build())
    });
    let failure = checked(vec![&head, &replaced], json!({})).await.unwrap_err();
    assert_eq!(failure.class, Class::Conflict);
    assert!(failure.mend.unwrap().contains("replaced while it was read"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_begins_somewhere_else_is_not_believed() {
    let file = good();
    let head = head(file.len());
    let whole =
        mock!(Client::get_object).then_output(move || body(vec![Some(file[..13].to_vec()), None]));
    let failure = checked(vec![&head, &whole], json!({})).await.unwrap_err();
    assert!(failure.to_string().contains("asked for the bytes from 13 on"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn what_memorydb_could_not_even_open_is_refused_without_reading_it() {
    let kms = mock!(Client::head_object).then_output(|| {
        HeadObjectOutput::builder()
            .content_length(39)
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .build()
    });
    let failure = checked(vec![&kms], json!({})).await.unwrap_err();
    assert!(failure.to_string().contains("encrypted with aws:kms"), "{failure}");
    let faults = Check::check(&json!({"objects": [ARN, "s3://exports/prod-0002.rdb"]}));
    assert_eq!(faults.len(), 1);
}
