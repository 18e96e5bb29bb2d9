//! Objects in S3: which bucket a URL names, which requests leave, and what a refusal is made of.

use aws_sdk_s3::Client as S3;
use aws_sdk_s3::error::ErrorMetadata;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_objects_v2::{ListObjectsV2Error, ListObjectsV2Output};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CommonPrefix, Object};
use aws_smithy_mocks::{Rule, mock};

use crate::engine::Class;
use crate::state::{Bucket, BucketObjects, Expect, Objects, Put};
use crate::steps::testing::{Rules, clients};

fn objects(rule: &Rule) -> BucketObjects {
    let clients = clients(Rules { s3: vec![rule], ..Rules::default() });
    BucketObjects::new(clients, Bucket::parse("s3://acme-state/team/a").unwrap())
}

#[test]
fn a_url_names_a_bucket_a_prefix_and_perhaps_a_region_and_is_shown_as_it_was_given() {
    let long = format!("s3://{}", "a".repeat(63));
    for (url, name, prefix, region, shown) in [
        ("s3://acme-state/team/a", "acme-state", "team/a/", None, "s3://acme-state/team/a"),
        ("s3://acme.state.1/team/", "acme.state.1", "team/", None, "s3://acme.state.1/team"),
        ("s3://abc", "abc", "", None, "s3://abc/"),
        ("s3://012//x//", "012", "x/", None, "s3://012/x"),
        (&long, &long[5..], "", None, &format!("{long}/")),
        (
            "s3://acme/x?region=eu-west-1",
            "acme",
            "x/",
            Some("eu-west-1"),
            "s3://acme/x?region=eu-west-1",
        ),
    ] {
        let parsed = Bucket::parse(url).unwrap();
        let expected = Bucket {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            region: region.map(str::to_owned),
        };
        assert_eq!(parsed, expected, "{url}");
        assert_eq!(parsed.to_string(), shown);
    }
}

#[test]
fn a_url_that_names_no_bucket_is_refused_with_what_is_wrong() {
    let long = "a".repeat(64);
    for (url, wrong) in [
        ("https://acme".to_owned(), "it does not begin with s3://".to_owned()),
        ("s3://".to_owned(), "\"\" is no name of a bucket".to_owned()),
        ("s3://ab/x".to_owned(), "\"ab\" is no name of a bucket".to_owned()),
        (format!("s3://{long}"), format!("\"{long}\" is no name of a bucket")),
        ("s3://ACME".to_owned(), "\"ACME\" is no name of a bucket".to_owned()),
        ("s3://ac_me".to_owned(), "\"ac_me\" is no name of a bucket".to_owned()),
        (
            "s3://acme?zone=1".to_owned(),
            "\"zone=1\" is not understood: only region=<name> is".to_owned(),
        ),
        (
            "s3://acme?region=".to_owned(),
            "\"region=\" is not understood: only region=<name> is".to_owned(),
        ),
        (
            "s3://acme?region".to_owned(),
            "\"region\" is not understood: only region=<name> is".to_owned(),
        ),
    ] {
        assert_eq!(Bucket::parse(&url), Err(wrong), "{url}");
    }
}

#[tokio::test]
async fn an_object_is_read_below_the_prefix_with_its_tag() {
    let rule = mock!(S3::get_object)
        .match_requests(|request| {
            request.bucket() == Some("acme-state") && request.key() == Some("team/a/runs/x")
        })
        .then_output(|| {
            let body = ByteStream::from_static(b"hello");
            GetObjectOutput::builder().e_tag("\"1\"").body(body).build()
        });
    let objects = objects(&rule);
    assert_eq!(objects.place("runs/x"), "s3://acme-state/team/a/runs/x");
    assert_eq!(objects.place(""), "s3://acme-state/team/a");
    let found = objects.get("runs/x").await.unwrap().expect("it is there");
    assert_eq!((found.bytes.as_slice(), found.tag.as_str()), (&b"hello"[..], "\"1\""));
    let rule = mock!(S3::get_object)
        .then_error(|| GetObjectError::generic(ErrorMetadata::builder().code("NoSuchKey").build()));
    assert_eq!(self::objects(&rule).get("runs/x").await.unwrap(), None);
}

#[tokio::test]
async fn an_object_is_written_under_its_condition() {
    let answers = || PutObjectOutput::builder().e_tag("\"2\"").build();
    let absent = mock!(S3::put_object)
        .match_requests(|request| {
            request.key() == Some("team/a/runs/x")
                && request.if_none_match() == Some("*")
                && request.if_match().is_none()
        })
        .then_output(answers);
    let put = objects(&absent).put("runs/x", b"hello".to_vec(), Expect::Absent).await;
    assert_eq!(put.unwrap(), Put::Stored("\"2\"".to_owned()));
    let tagged = mock!(S3::put_object)
        .match_requests(|request| {
            request.if_match() == Some("\"1\"") && request.if_none_match().is_none()
        })
        .then_output(answers);
    let tag = || Expect::Tag("\"1\"".to_owned());
    let put = objects(&tagged).put("runs/x", b"hello".to_vec(), tag()).await;
    assert_eq!(put.unwrap(), Put::Stored("\"2\"".to_owned()));
    let second = mock!(S3::put_object).then_error(|| {
        PutObjectError::generic(ErrorMetadata::builder().code("PreconditionFailed").build())
    });
    let put = objects(&second).put("runs/x", b"hello".to_vec(), tag()).await;
    assert_eq!(put.unwrap(), Put::Refused);
}

#[tokio::test]
async fn keys_are_listed_without_the_prefix() {
    let rule = mock!(S3::list_objects_v2)
        .match_requests(|request| {
            request.prefix() == Some("team/a/runs/") && request.delimiter() == Some("/")
        })
        .then_output(|| {
            ListObjectsV2Output::builder()
                .contents(Object::builder().key("team/a/runs/y").build())
                .common_prefixes(CommonPrefix::builder().prefix("team/a/runs/x/").build())
                .build()
        });
    let keys = objects(&rule).list("runs/", Some('/')).await.unwrap();
    assert_eq!(keys, ["runs/x/", "runs/y"]);
}

#[tokio::test]
async fn a_refusal_says_what_whoever_sets_the_bucket_up_has_to_do() {
    let region = "?region=<its region>";
    for (code, class, mend) in [
        ("NoSuchBucket", Class::Fatal, Some("create bucket \"acme-state\", private")),
        ("PermanentRedirect", Class::Fatal, Some(region)),
        ("AuthorizationHeaderMalformed", Class::Fatal, Some(region)),
        ("IllegalLocationConstraintException", Class::Fatal, Some(region)),
        ("AccessDenied", Class::Denied, Some("on arn:aws:s3:::acme-state/team/a/*")),
        ("InvalidAccessKeyId", Class::Denied, Some("allow the caller s3:GetObject")),
        ("SlowDown", Class::Throttled, None),
        ("ExpiredToken", Class::Expired, Some("renew them")),
        ("InvalidArgument", Class::Fatal, None),
    ] {
        let meta = move || ErrorMetadata::builder().code(code).build();
        let rule = mock!(S3::get_object).then_error(move || GetObjectError::generic(meta()));
        let got = objects(&rule).get("x").await.map(drop);
        let rule = mock!(S3::put_object).then_error(move || PutObjectError::generic(meta()));
        let put = objects(&rule).put("x", Vec::new(), Expect::Absent).await.map(drop);
        let rule =
            mock!(S3::list_objects_v2).then_error(move || ListObjectsV2Error::generic(meta()));
        let listed = objects(&rule).list("x", None).await.map(drop);
        for answer in [got, put, listed] {
            let failure = answer.unwrap_err();
            let what = "the state in s3://acme-state/team/a cannot be used";
            assert_eq!(failure.message, what, "{code}");
            assert_eq!(failure.code(), Some(code));
            let said = failure.mend.as_deref();
            assert_eq!(said.is_some(), mend.is_some(), "{code}: {said:?}");
            assert!(mend.is_none_or(|mend| said.unwrap_or_default().contains(mend)), "{said:?}");
            // What S3 says of a name it does not know is "not found" only for an object that is read.
            let missing = code == "NoSuchBucket" && failure.class == Class::NotFound;
            assert!(failure.class == class || missing, "{code}: {:?}", failure.class);
        }
    }
}
