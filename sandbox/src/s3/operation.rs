//! The name of an S3 request, which its method, its path and its query say together.

use http::request::Parts;

/// The operation (`GetObject`, `ListObjectsV2`, …) and the resource (`bucket` or `bucket/key`) of
/// this request. A request that the sandbox does not know is named by its method.
pub(crate) fn operation(parts: &Parts) -> (String, String) {
    let host = parts.headers.get("host").and_then(|value| value.to_str().ok());
    let host = host.or(parts.uri.host()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let path = parts.uri.path().trim_start_matches('/');
    let resource = match bucket_of_host(host) {
        Some(bucket) => format!("{bucket}/{path}"),
        None => path.to_owned(),
    };
    let resource = resource.trim_end_matches('/').to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let method = parts.method.as_str();
    let name = if resource.is_empty() {
        if method == "GET" { "ListBuckets" } else { method }
    } else if resource.contains('/') {
        let copy = parts.headers.contains_key("x-amz-copy-source");
        object_operation(method, copy, has)
    } else {
        bucket_operation(method, has)
    };
    (name.to_owned(), resource)
}

fn bucket_operation(method: &str, has: impl Fn(&str) -> bool) -> &str {
    const SETTINGS: [(&str, [&str; 3]); 7] = [
        ("policy", ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"]),
        ("encryption", ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"]),
        (
            "ownershipControls",
            [
                "GetBucketOwnershipControls",
                "PutBucketOwnershipControls",
                "DeleteBucketOwnershipControls",
            ],
        ),
        ("acl", ["GetBucketAcl", "PutBucketAcl", "DELETE"]),
        ("versioning", ["GetBucketVersioning", "PutBucketVersioning", "DELETE"]),
        ("location", ["GetBucketLocation", "PUT", "DELETE"]),
        ("object-lock", ["GetObjectLockConfiguration", "PutObjectLockConfiguration", "DELETE"]),
    ];
    let setting = SETTINGS.iter().find(|(name, _)| has(name)).map(|(_, operations)| operations);
    match (method, setting) {
        ("GET", Some([get, ..])) => get,
        ("PUT", Some([_, put, _])) => put,
        ("DELETE", Some([.., delete])) => delete,
        ("GET", None) if has("versions") => "ListObjectVersions",
        ("GET", None) if has("uploads") => "ListMultipartUploads",
        ("GET", None) if has("list-type") => "ListObjectsV2",
        ("GET", None) => "ListObjects",
        ("PUT", None) => "CreateBucket",
        ("HEAD", None) => "HeadBucket",
        ("DELETE", None) => "DeleteBucket",
        ("POST", None) if has("delete") => "DeleteObjects",
        _ => method,
    }
}

fn object_operation(method: &str, copy: bool, has: impl Fn(&str) -> bool) -> &str {
    match method {
        "GET" if has("tagging") => "GetObjectTagging",
        "GET" if has("acl") => "GetObjectAcl",
        "GET" if has("attributes") => "GetObjectAttributes",
        "GET" if has("uploadId") => "ListParts",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if has("tagging") => "PutObjectTagging",
        "PUT" if has("acl") => "PutObjectAcl",
        "PUT" if has("partNumber") && copy => "UploadPartCopy",
        "PUT" if has("partNumber") => "UploadPart",
        "PUT" if copy => "CopyObject",
        "PUT" => "PutObject",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" if has("tagging") => "DeleteObjectTagging",
        "DELETE" => "DeleteObject",
        "POST" if has("uploads") => "CreateMultipartUpload",
        "POST" if has("uploadId") => "CompleteMultipartUpload",
        _ => method,
    }
}

/// The bucket of a virtual-hosted request: `bucket.s3.region.amazonaws.com` and the like, or
/// `bucket.localhost`. `host` is without a port.
pub(super) fn bucket_of_host(host: &str) -> Option<&str> {
    if let Some(bucket) = host.strip_suffix(".localhost") {
        return Some(bucket.strip_suffix(".s3").unwrap_or(bucket)).filter(|b| *b != "s3");
    }
    let name = host.strip_suffix(".amazonaws.com")?;
    match [".s3.", ".s3-"].iter().filter_map(|dot| name.rfind(dot)).max() {
        Some(at) => Some(&name[..at]),
        None => name.strip_suffix(".s3"),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_virtual_host_names_its_bucket_and_a_plain_endpoint_none() {
        for (host, bucket) in [
            ("exports.s3.us-east-1.amazonaws.com", Some("exports")),
            ("exports.s3.amazonaws.com", Some("exports")),
            ("exports.s3-eu-west-1.amazonaws.com", Some("exports")),
            ("a.b.s3.us-east-1.amazonaws.com", Some("a.b")),
            ("s3.us-east-1.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("exports.localhost", Some("exports")),
            ("exports.s3.localhost", Some("exports")),
            ("localhost", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(bucket_of_host(host), bucket, "{host}");
        }
    }

    #[test]
    fn method_path_and_query_name_the_operation() {
        for (method, uri, operation_name, resource) in [
            ("GET", "http://localhost/", "ListBuckets", ""),
            ("GET", "http://localhost/b?list-type=2&prefix=x", "ListObjectsV2", "b"),
            ("GET", "http://localhost/b/?location", "GetBucketLocation", "b"),
            ("PUT", "http://localhost/b?policy", "PutBucketPolicy", "b"),
            ("HEAD", "http://b.s3.us-east-1.amazonaws.com/", "HeadBucket", "b"),
            ("GET", "http://b.s3.us-east-1.amazonaws.com/d/k?x-id=GetObject", "GetObject", "b/d/k"),
            ("POST", "http://localhost/b?delete", "DeleteObjects", "b"),
            ("POST", "http://localhost/b/k?uploads", "CreateMultipartUpload", "b/k"),
            ("PUT", "http://localhost/b/k?partNumber=1&uploadId=2", "UploadPart", "b/k"),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let found = operation(&request.into_parts().0);
            assert_eq!(found, (operation_name.to_owned(), resource.to_owned()), "{method} {uri}");
        }
    }
}
