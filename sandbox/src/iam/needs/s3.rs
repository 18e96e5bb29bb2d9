//! S3, some of whose actions have other names than its operations.

use super::{Asked, Permission};
use crate::context::Ctx;

const ON_BUCKET: [(&str, &str); 22] = [
    ("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
    ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("CreateBucket", "s3:CreateBucket"),
    ("DeleteBucket", "s3:DeleteBucket"),
    ("HeadBucket", "s3:ListBucket"),
    ("ListObjects", "s3:ListBucket"),
    ("ListObjectsV2", "s3:ListBucket"),
    ("ListObjectVersions", "s3:ListBucketVersions"),
    ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("GetBucketLocation", "s3:GetBucketLocation"),
    ("GetBucketPolicy", "s3:GetBucketPolicy"),
    ("PutBucketPolicy", "s3:PutBucketPolicy"),
    ("DeleteBucketPolicy", "s3:DeleteBucketPolicy"),
    ("GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("PutBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
    ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls"),
    ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
    ("GetBucketAcl", "s3:GetBucketAcl"),
    ("PutBucketAcl", "s3:PutBucketAcl"),
    ("GetBucketVersioning", "s3:GetBucketVersioning"),
];

const ON_OBJECT: [(&str, &str); 18] = [
    ("GetObject", "s3:GetObject"),
    ("HeadObject", "s3:GetObject"),
    ("GetObjectAttributes", "s3:GetObjectAttributes"),
    ("GetObjectTagging", "s3:GetObjectTagging"),
    ("PutObjectTagging", "s3:PutObjectTagging"),
    ("DeleteObjectTagging", "s3:DeleteObjectTagging"),
    ("GetObjectAcl", "s3:GetObjectAcl"),
    ("PutObjectAcl", "s3:PutObjectAcl"),
    ("PutObject", "s3:PutObject"),
    ("CopyObject", "s3:PutObject"),
    ("DeleteObject", "s3:DeleteObject"),
    ("CreateMultipartUpload", "s3:PutObject"),
    ("UploadPart", "s3:PutObject"),
    ("UploadPartCopy", "s3:PutObject"),
    ("CompleteMultipartUpload", "s3:PutObject"),
    ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    ("ListParts", "s3:ListMultipartUploadParts"),
    ("SelectObjectContent", "s3:GetObject"),
];

pub(super) fn needs(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let arn = |path: &str| format!("arn:aws:s3:::{path}");
    if asked.operation == "ListBuckets" {
        return Some(vec![Permission::of("s3:ListAllMyBuckets", &arn("*"))]);
    }
    let (bucket, key) = asked.resource.split_once('/').unwrap_or((asked.resource, ""));
    if asked.operation == "PutBucketVersioning" {
        return Some(vec![Permission::of("s3:PutBucketVersioning", &arn(bucket))]);
    }
    if asked.operation == "DeleteObjects" {
        // AWS answers for each object by itself; here one that may not be deleted refuses the whole request.
        let body = String::from_utf8_lossy(asked.body);
        let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        let on = |key: &str| Permission::of("s3:DeleteObject", &arn(&format!("{bucket}/{key}")));
        return Some(keys.map(on).collect());
    }
    let listed = |table: &[(&'static str, &'static str)]| {
        table.iter().find(|(name, _)| *name == asked.operation).map(|(_, action)| *action)
    };
    if let Some(action) = listed(&ON_BUCKET) {
        return Some(vec![Permission::of(action, &arn(bucket))]);
    }
    let action = listed(&ON_OBJECT)?;
    let mut needs = vec![Permission::of(action, &arn(&format!("{bucket}/{key}")))];
    // Whether an object is there at all is told to those alone who may list the bucket (S3 API reference, HeadObject).
    if action == "s3:GetObject" && !is_there(ctx, bucket, key) {
        needs.push(Permission::of("s3:ListBucket", &arn(bucket)));
    }
    if let Some(source) = asked.parts.headers.get("x-amz-copy-source") {
        let source = source.to_str().unwrap_or_default().trim_start_matches('/');
        needs.push(Permission::of("s3:GetObject", &arn(source)));
    }
    Some(needs)
}

fn is_there(ctx: &Ctx, bucket: &str, key: &str) -> bool {
    let world = ctx.world();
    let decoded = form_urlencoded::parse(key.replace('+', "%2B").as_bytes())
        .next()
        .map_or_else(|| key.to_owned(), |(key, _)| key.into_owned());
    world.s3.buckets.get(bucket).is_some_and(|bucket| {
        bucket.objects.contains_key(key) || bucket.objects.contains_key(&decoded)
    })
}

/// The operations that the reader of requests names.
#[cfg(test)]
pub(super) fn operations(source: &'static str) -> impl Iterator<Item = &'static str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.split('"').skip(1).step_by(2).filter(|word| {
        let named = ["Get", "Put", "List", "Head", "Create", "Delete", "Upload", "Copy", "Abort"];
        (named.iter().any(|verb| word.starts_with(verb)) || word.starts_with("Complete"))
            && word.len() > 6
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}
