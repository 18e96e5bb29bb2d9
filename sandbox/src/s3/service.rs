//! The S3 protocol: `s3s` turns requests into typed calls on the sandbox's state.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use s3s::dto::*;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::operation::bucket_of_host;
use super::state::S3State;
use super::{buckets, listing, multipart, objects, unsign};
use crate::context::Ctx;
use crate::wire::{ApiError, Reply, error};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// What a call needs to know besides its input.
pub(super) struct Cx {
    pub(super) ctx: Ctx,
    /// The region the request was signed for.
    pub(super) region: String,
}

/// Answers one request, errors included.
///
/// The signature is dropped unread, as for every service of the sandbox: a caller may use any
/// keys, and a virtual clock would fail every check of the request's date. Everything is in
/// memory, so the call is over when it is first polled and the state may stay locked meanwhile.
pub(crate) async fn call(ctx: &Ctx, request: Request<Bytes>) -> Reply {
    let head = request.method() == Method::HEAD;
    let region = signed_region(&request).unwrap_or_else(|| ctx.region().to_owned());
    let cx = Cx { ctx: ctx.clone(), region };
    let answered = match unsign::unsign(request) {
        Ok(request) => answer(&mut ctx.world().s3, cx, request.map(s3s::Body::from)),
        Err(refused) => refused.to_http_response().ok().and_then(collect),
    };
    match answered {
        Some(response) => {
            let response = match head {
                true => response.map(|_| Bytes::new()),
                false if response.status().is_success() => response,
                false => whole_error(response, &ctx.request_id),
            };
            Reply::from(response)
                .header("x-amz-request-id", &ctx.request_id)
                .header("x-amz-id-2", &ctx.hex(64))
                // By the clock that also dates the objects: readers take the difference for an age.
                .header("date", &ctx.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        }
        None => {
            let failed = ApiError::new(500, "InternalError", "the sandbox lost the request");
            error::s3(&failed, &ctx.request_id, head)
        }
    }
}

fn answer(state: &mut S3State, cx: Cx, request: Request<s3s::Body>) -> Option<Response<Bytes>> {
    let shared = Arc::new(Shared { state: Mutex::new(std::mem::take(state)), cx });
    let mut builder = S3ServiceBuilder::new(Backend(Arc::clone(&shared)));
    builder.set_host(Hosts);
    let reply = builder.build().call(request).now_or_never();
    *state = std::mem::take(&mut *shared.lock());
    collect(reply?.ok()?)
}

fn collect(response: Response<s3s::Body>) -> Option<Response<Bytes>> {
    let (parts, body) = response.into_parts();
    let body = body.collect().now_or_never()?.ok()?.to_bytes();
    let body = if parts.status.is_success() { named(body) } else { body };
    Some(Response::from_parts(parts, body))
}

/// Every error of S3 has a message, a request id and a content type (S3 API reference, error responses). `s3s` leaves them out
/// of the errors that it finds itself.
fn whole_error(response: Response<Bytes>, request_id: &str) -> Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    let text = String::from_utf8_lossy(&body);
    let Some((start, code)) = text.strip_suffix("</Error>").and_then(|start| {
        let code = start.split_once("<Code>")?.1.split_once("</Code>")?.0;
        Some((start, code.to_owned()))
    }) else {
        return Response::from_parts(parts, body);
    };
    let mut whole = start.to_owned();
    if !whole.contains("<Message>") {
        whole.push_str(&format!("<Message>The request is refused with {code}.</Message>"));
    }
    if !whole.contains("<RequestId>") {
        whole.push_str(&format!("<RequestId>{request_id}</RequestId>"));
    }
    whole.push_str("</Error>");
    Response::from_parts(parts, whole.into())
}

/// Every document of S3 names its namespace, but errors (S3 API reference). `s3s` leaves it out where the document is a
/// member of the answer, as in GetBucketEncryption.
fn named(body: Bytes) -> Bytes {
    const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let Ok(text) = std::str::from_utf8(&body) else { return body };
    let Some(root) = text.strip_prefix(DECLARATION).map(str::trim_start) else { return body };
    match root.find('>') {
        Some(end) if root.starts_with('<') && !root[..end].contains("xmlns=") => {
            let (name, rest) = root[1..].split_at(end - 1);
            format!("{DECLARATION}<{name} xmlns=\"{NAMESPACE}\"{rest}").into()
        }
        _ => body,
    }
}

/// The region in the scope of the request's signature, header or presigned.
fn signed_region(request: &Request<Bytes>) -> Option<String> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let query = request.uri().query().unwrap_or_default();
    let presigned = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "X-Amz-Credential").then(|| value.into_owned()));
    let scope = match header {
        Some(header) => header.split_once("Credential=")?.1.split(',').next()?.to_owned(),
        None => presigned?,
    };
    scope.split('/').nth(2).map(str::to_owned)
}

struct Shared {
    state: Mutex<S3State>,
    cx: Cx,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, S3State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct Backend(Arc<Shared>);

/// Knows a virtual-hosted request by its host name.
struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Ok(match bucket_of_host(name) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

/// One line for each operation: its name in `s3s`, its shapes, and the function that carries it
/// out. An operation that is not named here answers `NotImplemented`.
macro_rules! operations {
    ($($name:ident($input:ty) -> $output:ty = $function:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for Backend {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let mut state = self.0.lock();
                    let cx = &self.0.cx;
                    $function(&mut state, cx, request.input).map(S3Response::new).map_err(|mut e| {
                        e.set_request_id(cx.ctx.request_id.clone());
                        e
                    })
                }
            )*
        }
    };
}

operations! {
    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = buckets::get_policy;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = buckets::put_policy;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = buckets::delete_policy;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = buckets::get_encryption;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput = buckets::put_encryption;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = buckets::get_ownership;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = buckets::put_ownership;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = buckets::acl;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = buckets::get_versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = buckets::put_versioning;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = buckets::get_object_lock;
    put_object(PutObjectInput) -> PutObjectOutput = objects::put;
    get_object(GetObjectInput) -> GetObjectOutput = objects::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = objects::head;
    copy_object(CopyObjectInput) -> CopyObjectOutput = objects::copy;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = objects::delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = objects::delete_many;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = objects::get_tags;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = objects::put_tags;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = listing::list;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = listing::versions;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
}
