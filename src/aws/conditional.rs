//! S3 objects written under a condition (S3 user guide, "How to prevent object overwrites with conditional writes").
//!
//! These calls do not pass the gates: what they write is how the gates know what they know.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::timeout::TimeoutConfig;

use super::call::{Op, call, found};
use super::clients::Clients;
use crate::engine::{Class, Failure};

const SERVICE: &str = "S3";
/// A lease is renewed every few seconds: an answer that takes longer is no use.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its entity tag.
    pub etag: String,
    /// How long ago it was written, by S3's own clock: the answer's `Date` less its `Last-Modified`.
    pub age: Option<Duration>,
}

/// What must be there for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Nothing: `If-None-Match: *`.
    Absent,
    /// The object with this entity tag: `If-Match`.
    Etag(&'a str),
}

/// Keeps the `Date` of the answer.
#[derive(Clone, Debug, Default)]
struct Dated(Arc<Mutex<Option<i64>>>);

impl Intercept for Dated {
    fn name(&self) -> &'static str {
        "Dated"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.map(|date| date.secs());
        Ok(())
    }
}

fn quick() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

/// Reads an object; `None` if there is none.
///
/// # Errors
/// As `call`.
pub async fn get_object(
    clients: &Clients,
    bucket: &str,
    key: &str,
) -> Result<Option<Object>, Failure> {
    let dated = Dated::default();
    let request = clients.s3.get_object().bucket(bucket).key(key).customize();
    let request = request.config_override(quick()).interceptor(dated.clone());
    let op = Op::read(SERVICE, "GetObject");
    let absent = |failure: Failure| match failure.code() {
        // NoSuchBucket is "not found" too, and means something else.
        Some("NoSuchKey") => failure,
        _ if failure.class == Class::NotFound => Failure { class: Class::Fatal, ..failure },
        _ => failure,
    };
    let answer = call(op, request.send()).await.map_err(absent);
    let Some(answer) = found(answer)? else { return Ok(None) };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let date = *dated.0.lock().unwrap_or_else(PoisonError::into_inner);
    let written = answer.last_modified().map(DateTime::secs);
    let age = date.zip(written).map(|(date, written)| {
        Duration::from_secs(u64::try_from(date - written).unwrap_or_default())
    });
    let bytes = answer.body.collect().await.map_err(|error| {
        let what = format!("the answer to {SERVICE} GetObject broke off");
        Failure::new(Class::Transient, what).because(error.to_string())
    })?;
    Ok(Some(Object { bytes: bytes.to_vec(), etag, age }))
}

/// Writes an object if the condition holds, and gives its entity tag; `None` if it does not hold. What it is encrypted
/// with is the bucket's default.
///
/// # Errors
/// As `call`. Two writes at the same instant may refuse each other with ConditionalRequestConflict: `Transient`.
pub async fn put_object(
    clients: &Clients,
    bucket: &str,
    key: &str,
    bytes: Vec<u8>,
    condition: Condition<'_>,
) -> Result<Option<String>, Failure> {
    let request = clients.s3.put_object().bucket(bucket).key(key);
    let request = request.content_type("application/json").body(ByteStream::from(bytes));
    let request = match condition {
        Condition::Absent => request.if_none_match("*"),
        Condition::Etag(etag) => request.if_match(etag),
    };
    let op = Op::change(SERVICE, "PutObject");
    match call(op, request.customize().config_override(quick()).send()).await {
        Ok(answer) => Ok(Some(answer.e_tag().unwrap_or_default().to_owned())),
        Err(failure) => match failure.code() {
            Some("PreconditionFailed") => Ok(None),
            // `If-Match` on a key that has no object.
            Some("NoSuchKey") if condition != Condition::Absent => Ok(None),
            Some("ConditionalRequestConflict") => {
                Err(Failure { class: Class::Transient, ..failure })
            }
            _ => Err(failure),
        },
    }
}

/// The keys that begin with `prefix`, and the groups of those that go on after `delimiter`, in byte order.
///
/// # Errors
/// As `call`.
pub async fn list_keys(
    clients: &Clients,
    bucket: &str,
    prefix: &str,
    delimiter: Option<char>,
) -> Result<Vec<String>, Failure> {
    let mut keys = Vec::new();
    let mut token = None;
    loop {
        let request = clients.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let request = request.set_delimiter(delimiter.map(String::from));
        let request = request.set_continuation_token(token).customize();
        let op = Op::read(SERVICE, "ListObjectsV2");
        let page = call(op, request.config_override(quick()).send()).await?;
        keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        let groups = page.common_prefixes().iter();
        keys.extend(groups.filter_map(|group| group.prefix().map(str::to_owned)));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            keys.sort();
            return Ok(keys);
        }
    }
}
