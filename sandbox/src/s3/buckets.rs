//! Buckets and their settings.

use http::{HeaderMap, HeaderValue};
use s3s::dto::*;
use s3s::{S3Error, S3Result, s3_error};

use super::service::Cx;
use super::state::{self, Encryption, S3State, Versioning, hex};

/// The bucket a request names, if the caller owns it and asked the right region.
///
/// S3 sends a caller at the wrong region's endpoint away with 301 and names the right one in
/// `x-amz-bucket-region` (S3 user guide, "Request redirection and the REST API").
pub(super) fn bucket<'a>(
    state: &'a mut S3State,
    cx: &Cx,
    name: &str,
) -> S3Result<&'a mut state::Bucket> {
    let bucket = owned(state, cx, name)?;
    if bucket.region == cx.region {
        return Ok(bucket);
    }
    let mut moved = s3_error!(
        PermanentRedirect,
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint."
    );
    if let Ok(region) = HeaderValue::from_str(&bucket.region) {
        moved.set_headers(HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amz-bucket-region"),
            region,
        )]));
    }
    Err(moved)
}

fn owned<'a>(state: &'a mut S3State, cx: &Cx, name: &str) -> S3Result<&'a mut state::Bucket> {
    match state.buckets.get_mut(name) {
        None => Err(s3_error!(NoSuchBucket, "The specified bucket does not exist")),
        Some(bucket) if bucket.owner != cx.ctx.account() => {
            Err(s3_error!(AccessDenied, "Access Denied"))
        }
        Some(bucket) => Ok(bucket),
    }
}

pub(super) fn create(
    state: &mut S3State,
    cx: &Cx,
    input: CreateBucketInput,
) -> S3Result<CreateBucketOutput> {
    let constraint = input.create_bucket_configuration.and_then(|c| c.location_constraint);
    let region = match constraint.as_ref().map(BucketLocationConstraint::as_str) {
        None if cx.region != "us-east-1" => {
            return Err(s3_error!(
                IllegalLocationConstraintException,
                "The unspecified location constraint is incompatible for the region specific \
                 endpoint this request was sent to."
            ));
        }
        None => cx.region.clone(),
        Some("us-east-1") => {
            return Err(s3_error!(
                InvalidLocationConstraint,
                "The specified location-constraint is not valid"
            ));
        }
        Some(named) if cx.region != "us-east-1" && named != cx.region => {
            return Err(s3_error!(
                IllegalLocationConstraintException,
                "The {named} location constraint is incompatible for the region specific \
                 endpoint this request was sent to."
            ));
        }
        Some(named) => named.to_owned(),
    };
    if let Some(existing) = state.buckets.get(&input.bucket) {
        if existing.owner != cx.ctx.account() {
            return Err(s3_error!(
                BucketAlreadyExists,
                "The requested bucket name is not available. The bucket namespace is shared by \
                 all users of the system. Please select a different name and try again."
            ));
        }
        // In us-east-1 alone, creating one's own bucket again succeeds and changes nothing.
        if existing.region != "us-east-1" || region != "us-east-1" {
            return Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own \
                 it."
            ));
        }
    } else {
        let mut bucket = state::Bucket::new(&region, cx.ctx.account(), cx.ctx.now);
        if let Some(ownership) = input.object_ownership {
            bucket.ownership = Some(ownership.as_str().to_owned());
        }
        if input.object_lock_enabled_for_bucket == Some(true) {
            // Object Lock goes with versioning, and has no default period until one is put (S3 user guide, Object Lock).
            bucket.versioning = state::Versioning::Enabled;
            bucket.object_lock_days = Some(0);
        }
        state.buckets.insert(input.bucket.clone(), bucket);
    }
    Ok(CreateBucketOutput { location: Some(format!("/{}", input.bucket)) })
}

pub(super) fn delete(
    state: &mut S3State,
    cx: &Cx,
    input: DeleteBucketInput,
) -> S3Result<DeleteBucketOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    if !found.objects.is_empty() || !found.history.is_empty() {
        return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
    }
    state.buckets.remove(&input.bucket);
    Ok(DeleteBucketOutput {})
}

pub(super) fn head(
    state: &mut S3State,
    cx: &Cx,
    input: HeadBucketInput,
) -> S3Result<HeadBucketOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    Ok(HeadBucketOutput { bucket_region: Some(found.region.clone()), ..Default::default() })
}

pub(super) fn list(
    state: &mut S3State,
    cx: &Cx,
    _input: ListBucketsInput,
) -> S3Result<ListBucketsOutput> {
    let own = state.buckets.iter().filter(|(_, bucket)| bucket.owner == cx.ctx.account());
    let buckets = own.map(|(name, bucket)| Bucket {
        name: Some(name.clone()),
        creation_date: Some(time(bucket.created)),
        bucket_region: Some(bucket.region.clone()),
    });
    Ok(ListBucketsOutput {
        buckets: Some(buckets.collect()),
        owner: Some(owner(cx.ctx.account())),
        ..Default::default()
    })
}

/// Works from every region, and says nothing for us-east-1 (S3 API reference,
/// GetBucketLocation).
pub(super) fn location(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketLocationInput,
) -> S3Result<GetBucketLocationOutput> {
    let region = owned(state, cx, &input.bucket)?.region.clone();
    let location_constraint =
        (region != "us-east-1").then(|| BucketLocationConstraint::from(region));
    Ok(GetBucketLocationOutput { location_constraint })
}

pub(super) fn get_policy(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketPolicyInput,
) -> S3Result<GetBucketPolicyOutput> {
    match &bucket(state, cx, &input.bucket)?.policy {
        Some(policy) => Ok(GetBucketPolicyOutput { policy: Some(policy.clone()) }),
        None => Err(s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist")),
    }
}

pub(super) fn put_policy(
    state: &mut S3State,
    cx: &Cx,
    input: PutBucketPolicyInput,
) -> S3Result<PutBucketPolicyOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let document: Option<serde_json::Value> = serde_json::from_str(&input.policy).ok();
    match document {
        Some(document) if document.get("Statement").is_some() => {
            found.policy = Some(input.policy);
            Ok(PutBucketPolicyOutput {})
        }
        Some(_) => Err(s3_error!(MalformedPolicy, "Missing required field Statement")),
        None => Err(s3_error!(
            MalformedPolicy,
            "Policies must be valid JSON and the first byte must be '{{'"
        )),
    }
}

pub(super) fn delete_policy(
    state: &mut S3State,
    cx: &Cx,
    input: DeleteBucketPolicyInput,
) -> S3Result<DeleteBucketPolicyOutput> {
    bucket(state, cx, &input.bucket)?.policy = None;
    Ok(DeleteBucketPolicyOutput {})
}

pub(super) fn get_encryption(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketEncryptionInput,
) -> S3Result<GetBucketEncryptionOutput> {
    let encryption = &bucket(state, cx, &input.bucket)?.encryption;
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: encryption.kms_key(),
            sse_algorithm: ServerSideEncryption::from_static(encryption.algorithm()),
        }),
        bucket_key_enabled: Some(false),
    };
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

pub(super) fn put_encryption(
    state: &mut S3State,
    cx: &Cx,
    input: PutBucketEncryptionInput,
) -> S3Result<PutBucketEncryptionOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let rule = input.server_side_encryption_configuration.rules.into_iter().next();
    let Some(default) = rule.and_then(|rule| rule.apply_server_side_encryption_by_default) else {
        return Err(malformed());
    };
    found.encryption = Encryption::parse(default.sse_algorithm.as_str(), default.kms_master_key_id);
    Ok(PutBucketEncryptionOutput {})
}

pub(super) fn get_ownership(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketOwnershipControlsInput,
) -> S3Result<GetBucketOwnershipControlsOutput> {
    let Some(ownership) = bucket(state, cx, &input.bucket)?.ownership.clone() else {
        let mut missing = s3_error!(
            OwnershipControlsNotFoundError,
            "The bucket ownership controls were not found"
        );
        missing.set_status_code(http::StatusCode::NOT_FOUND);
        return Err(missing);
    };
    let rule = OwnershipControlsRule { object_ownership: ObjectOwnership::from(ownership) };
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    })
}

pub(super) fn put_ownership(
    state: &mut S3State,
    cx: &Cx,
    input: PutBucketOwnershipControlsInput,
) -> S3Result<PutBucketOwnershipControlsOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    let Some(rule) = input.ownership_controls.rules.into_iter().next() else {
        return Err(malformed());
    };
    found.ownership = Some(rule.object_ownership.as_str().to_owned());
    Ok(PutBucketOwnershipControlsOutput {})
}

pub(super) fn acl(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketAclInput,
) -> S3Result<GetBucketAclOutput> {
    let owner = owner(&bucket(state, cx, &input.bucket)?.owner);
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: owner.id.clone(),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    let grant = Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    };
    Ok(GetBucketAclOutput { grants: Some(vec![grant]), owner: Some(owner) })
}

pub(super) fn get_versioning(
    state: &mut S3State,
    cx: &Cx,
    input: GetBucketVersioningInput,
) -> S3Result<GetBucketVersioningOutput> {
    let status = match bucket(state, cx, &input.bucket)?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    })
}

pub(super) fn put_versioning(
    state: &mut S3State,
    cx: &Cx,
    input: PutBucketVersioningInput,
) -> S3Result<PutBucketVersioningOutput> {
    let found = bucket(state, cx, &input.bucket)?;
    found.versioning = match input.versioning_configuration.status.as_ref().map(|s| s.as_str()) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(malformed()),
    };
    Ok(PutBucketVersioningOutput {})
}

pub(super) fn get_object_lock(
    state: &mut S3State,
    cx: &Cx,
    input: GetObjectLockConfigurationInput,
) -> S3Result<GetObjectLockConfigurationOutput> {
    let Some(days) = bucket(state, cx, &input.bucket)?.object_lock_days else {
        let mut missing = s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        );
        missing.set_status_code(http::StatusCode::NOT_FOUND);
        return Err(missing);
    };
    let retention = DefaultRetention {
        days: i32::try_from(days).ok(),
        mode: Some(ObjectLockRetentionMode::from_static(ObjectLockRetentionMode::GOVERNANCE)),
        years: None,
    };
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule: (days > 0).then_some(ObjectLockRule { default_retention: Some(retention) }),
        }),
    })
}

pub(super) fn malformed() -> S3Error {
    s3_error!(
        MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

/// The canonical user of an account. AWS's ids are opaque; here they follow from the account.
pub(super) fn owner(account: &str) -> Owner {
    use sha2::Digest;
    Owner { display_name: None, id: Some(hex(&sha2::Sha256::digest(account))) }
}

pub(super) fn time(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from(std::time::SystemTime::from(at))
}
