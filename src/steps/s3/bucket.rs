//! Whether a bucket can pass snapshots from one service to the other.

use aws_sdk_s3::types::{BucketVersioningStatus, ObjectOwnership};
use serde_json::{Value, json};

use crate::aws::{Op, call};
use crate::engine::{Class, Failure, Finding, Verdict};
use crate::permissions;
use crate::steps::Env;

mod condition;
mod policy;

use condition::Who;
use policy::{Policy, Says};

const SERVICE: &str = "S3";

/// One of the services that reach into buckets by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guest {
    /// ElastiCache writes exports (ElastiCache user guide, exporting a backup).
    ElastiCache,
    /// MemoryDB reads them (MemoryDB developer guide, seeding a new cluster).
    MemoryDb,
    /// MemoryDB writes its own (MemoryDB developer guide, exporting a snapshot).
    MemoryDbExports,
}

impl Guest {
    /// The principal a bucket policy must name: one for each region.
    pub(crate) fn principal(self, region: &str) -> String {
        match self {
            Self::ElastiCache => format!("{region}.elasticache-snapshot.amazonaws.com"),
            Self::MemoryDb | Self::MemoryDbExports => {
                format!("{region}.memorydb-snapshot.amazonaws.com")
            }
        }
    }

    /// What a kind declares that lets it into a bucket, which is a template.
    pub(crate) const fn in_bucket(self, bucket: &'static str) -> permissions::Guest {
        let (service, title) = match self {
            Self::ElastiCache => ("elasticache-snapshot", "ElastiCache"),
            Self::MemoryDb => ("memorydb-snapshot", "MemoryDB"),
            Self::MemoryDbExports => ("memorydb-snapshot", "MemoryDBExports"),
        };
        permissions::Guest { service, title, actions: self.actions(), bucket }
    }

    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ElastiCache | Self::MemoryDbExports => &[
                "s3:PutObject",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketAcl",
                "s3:ListMultipartUploadParts",
                "s3:ListBucketMultipartUploads",
            ],
            Self::MemoryDb => &["s3:GetObject", "s3:ListBucket", "s3:GetBucketAcl"],
        }
    }

    /// What the caller is asked for besides, when the guest comes on their behalf (ElastiCache user guide, exporting a
    /// backup; MemoryDB API permissions reference).
    fn caller_actions(self) -> &'static [&'static str] {
        match self {
            Self::ElastiCache | Self::MemoryDbExports => &[
                "s3:GetBucketLocation",
                "s3:ListBucket",
                "s3:PutObject",
                "s3:GetObject",
                "s3:DeleteObject",
            ],
            Self::MemoryDb => &["s3:GetObject"],
        }
    }
}

/// A bucket and its ARNs. Objects stand for one another: no policy is expected to tell one export's file from another's.
struct Place<'a> {
    bucket: &'a str,
    arn: String,
    object: String,
}

impl<'a> Place<'a> {
    fn new(env: &Env, bucket: &'a str, key: &str) -> Self {
        let arn = format!("arn:{}:s3:::{bucket}", env.identity.partition);
        Self { bucket, object: format!("{arn}/{key}"), arn }
    }

    /// What an action is about.
    fn resource(&self, action: &str) -> &str {
        let on_bucket = action.contains("Bucket");
        if on_bucket { &self.arn } else { &self.object }
    }

    /// The statement that lets a guest in.
    fn statement(&self, guest: Guest, region: &str) -> Value {
        let sid = match guest {
            Guest::ElastiCache => "ElastiCacheExports",
            Guest::MemoryDb => "MemoryDBRestores",
            Guest::MemoryDbExports => "MemoryDBExports",
        };
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": { "Service": guest.principal(region) },
            "Action": guest.actions(),
            "Resource": [self.arn, format!("{}/*", self.arn)],
        })
    }
}

/// A command that puts a policy, to paste.
fn put_policy(bucket: &str, policy: &str) -> String {
    let quoted = policy.replace('\'', r"'\''");
    format!(
        "aws s3api put-bucket-policy --bucket {bucket} --policy '{quoted}'\n(it holds the whole policy as it is now and \
         what is missing here: run one such command, then plan again before the next)"
    )
}

/// What to add to the bucket's policy.
pub(crate) fn statement_wanted(guest: Guest, region: &str, bucket: &str) -> String {
    let arn = format!("arn:aws:s3:::{bucket}");
    let place = Place { bucket, object: format!("{arn}/*"), arn };
    format!(
        "add this statement to the policy of bucket \"{bucket}\": {}",
        place.statement(guest, region)
    )
}

/// The key by which an export's objects are judged: those of `target`, or of a name that the run makes up.
fn key(target: Option<&str>) -> String {
    format!("{}-0001.rdb", target.unwrap_or("orc-export").to_ascii_lowercase())
}

/// What a bucket must be for a guest: there, this account's, in this region, encrypted so that MemoryDB can read, and
/// open to the guest.
pub(crate) async fn findings(
    env: &Env,
    bucket: &str,
    guest: Guest,
    target: Option<&str>,
) -> Vec<Finding> {
    let mut findings = there(env, bucket).await;
    if out_of_reach(&findings) {
        return findings;
    }
    let (encryption, lets_in) =
        futures::join!(encryption(env, bucket), lets_in(env, bucket, guest, target));
    findings.push(encryption);
    findings.extend(lets_in);
    findings
}

/// Whether a bucket is such that nothing more can be asked of it.
pub(crate) fn out_of_reach(findings: &[Finding]) -> bool {
    let place = ["bucket.exists", "bucket.owner", "bucket.region"];
    findings.iter().any(|f| f.verdict == Verdict::WillFail && place.contains(&&*f.check))
}

/// What of a bucket is worth knowing before a run, and stops none.
pub(crate) async fn notes(env: &Env, bucket: &str) -> Vec<Finding> {
    let (ownership, versions, lock) =
        futures::join!(ownership(env, bucket), versions(env, bucket), object_lock(env, bucket));
    vec![ownership, versions, lock]
}

/// Whether there is such a bucket, and whose and where it is.
async fn there(env: &Env, bucket: &str) -> Vec<Finding> {
    let (region, account) = (&env.identity.region, &env.identity.account);
    let exists = || Finding::ok("bucket.exists", format!("bucket \"{bucket}\" is there"));
    let own = || {
        Finding::ok("bucket.owner", format!("bucket \"{bucket}\" is account {account}'s"))
            .seen("owner", account.as_str())
    };
    // With the expected owner, S3 refuses a bucket of any other account, whatever its policy allows (S3 user guide,
    // verifying bucket ownership).
    let request = env.aws.s3.get_bucket_location().bucket(bucket).expected_bucket_owner(account);
    let failure = match call(Op::read(SERVICE, "GetBucketLocation"), request.send()).await {
        Ok(answer) => {
            let place = match answer.location_constraint().map(|place| place.as_str()) {
                None | Some("") => "us-east-1",
                Some("EU") => "eu-west-1",
                Some(place) => place,
            };
            let at = if place == region {
                Finding::ok("bucket.region", format!("bucket \"{bucket}\" is in {region}"))
            } else {
                elsewhere(bucket, &format!("in {place}"), region)
            };
            return vec![exists(), own(), at.seen("region", place)];
        }
        Err(failure) => failure,
    };
    if failure.class == Class::NotFound {
        let place = match region.as_str() {
            "us-east-1" => String::new(),
            region => format!(" --create-bucket-configuration LocationConstraint={region}"),
        };
        return vec![Finding::will_fail(
            "bucket.exists",
            format!("there is no bucket \"{bucket}\""),
            format!(
                "create it in the snapshot's region, where new buckets encrypt with SSE-S3: aws s3api create-bucket \
                 --bucket {bucket} --region {region}{place}"
            ),
        )];
    }
    if matches!(failure.code(), Some("PermanentRedirect" | "AuthorizationHeaderMalformed" | "301"))
    {
        return vec![exists(), elsewhere(bucket, "in another region", region)];
    }
    if failure.class == Class::Denied {
        return match listed(env, bucket).await {
            Ok(true) => vec![
                exists(),
                own(),
                Finding::cannot_know("bucket.region", failure.to_string())
                    .mend(format!("allow s3:GetBucketLocation on arn:aws:s3:::{bucket} to the caller")),
            ],
            Ok(false) => vec![Finding::will_fail(
                "bucket.owner",
                format!("bucket \"{bucket}\" is not account {account}'s"),
                format!("use a bucket of account {account}: ElastiCache exports to no other"),
            )],
            Err(_) => vec![
                Finding::cannot_know("bucket.owner", failure.to_string()).mend(format!(
                    "allow s3:ListAllMyBuckets on \"*\" and s3:GetBucketLocation on arn:aws:s3:::{bucket} to the caller"
                )),
            ],
        };
    }
    vec![Finding::cannot_know("bucket.exists", failure.to_string())]
}

/// Whether the account's own list names the bucket.
async fn listed(env: &Env, bucket: &str) -> Result<bool, Failure> {
    let request = env.aws.s3.list_buckets();
    let answer = call(Op::read(SERVICE, "ListBuckets"), request.send()).await?;
    Ok(answer.buckets().iter().any(|known| known.name() == Some(bucket)))
}

fn elsewhere(bucket: &str, place: &str, region: &str) -> Finding {
    Finding::will_fail(
        "bucket.region",
        format!("bucket \"{bucket}\" is {place}, not in {region}"),
        format!("use a bucket in {region}: snapshots are exported within their region only"),
    )
}

/// Exported files must be readable without a customer's key: MemoryDB restores from SSE-S3 objects alone (MemoryDB
/// developer guide, seeding a new cluster).
async fn encryption(env: &Env, bucket: &str) -> Finding {
    const CHECK: &str = "bucket.encryption";
    let request = env.aws.s3.get_bucket_encryption().bucket(bucket);
    let answer = call(Op::read(SERVICE, "GetBucketEncryption"), request.send()).await;
    let algorithm = match answer {
        Ok(answer) => answer
            .server_side_encryption_configuration()
            .and_then(|configuration| {
                let rule = configuration.rules().first()?;
                let default = rule.apply_server_side_encryption_by_default()?;
                Some(default.sse_algorithm().as_str().to_owned())
            })
            .unwrap_or_else(|| "AES256".to_owned()),
        Err(failure)
            if failure.code() == Some("ServerSideEncryptionConfigurationNotFoundError") =>
        {
            "AES256".to_owned()
        }
        Err(failure) => {
            let what = format!("the default encryption of bucket \"{bucket}\": {failure}");
            return Finding::cannot_know(CHECK, what).mend(format!(
                "allow s3:GetEncryptionConfiguration on arn:aws:s3:::{bucket} to the caller"
            ));
        }
    };
    let finding = if algorithm == "AES256" {
        Finding::ok(CHECK, format!("bucket \"{bucket}\" encrypts with SSE-S3"))
    } else {
        let default =
            json!({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]});
        Finding::will_fail(
            CHECK,
            format!("bucket \"{bucket}\" encrypts with {algorithm} by default"),
            format!(
                "MemoryDB cannot restore from objects encrypted with KMS; use another bucket, or set its default \
                 encryption to SSE-S3: aws s3api put-bucket-encryption --bucket {bucket} \
                 --server-side-encryption-configuration '{default}'"
            ),
        )
    };
    finding.seen("encryption", algorithm)
}

/// Whether the bucket's policy, or its ACL, lets a guest in, and whether a statement denies it to the guest or the caller.
pub(crate) async fn lets_in(
    env: &Env,
    bucket: &str,
    guest: Guest,
    target: Option<&str>,
) -> Vec<Finding> {
    let request = env.aws.s3.get_bucket_policy().bucket(bucket);
    let policy =
        match call(Op::read(SERVICE, "GetBucketPolicy"), request.send()).await {
            Ok(answer) => Policy::read(answer.policy().unwrap_or("{}")),
            Err(failure) if failure.class == Class::NotFound => Policy::default(),
            Err(failure) => {
                let what = format!("the policy of bucket \"{bucket}\": {failure}");
                return vec![Finding::cannot_know("bucket.policy", what).mend(format!(
                    "allow s3:GetBucketPolicy on arn:aws:s3:::{bucket} to the caller"
                ))];
            }
        };
    let place = Place::new(env, bucket, &key(target));
    vec![allowed(env, &policy, &place, guest).await, denied(env, &policy, &place, guest)]
}

async fn allowed(env: &Env, policy: &Policy, place: &Place<'_>, guest: Guest) -> Finding {
    const CHECK: &str = "bucket.policy";
    let (region, bucket) = (&env.identity.region, place.bucket);
    let principal = guest.principal(region);
    let who = Who::Service { principal: &principal, account: &env.identity.account };
    let (mut missing, mut open) = (Vec::new(), Vec::new());
    for action in guest.actions() {
        match policy.allows(who, action, place.resource(action)) {
            Says::Allows => {}
            Says::MayAllow => open.push(*action),
            Says::Nothing => missing.push(*action),
        }
    }
    let mend = || put_policy(bucket, &policy.with(place.statement(guest, region)));
    let finding = if missing.is_empty() && open.is_empty() {
        Finding::ok(CHECK, format!("the policy of bucket \"{bucket}\" lets {principal} in"))
    } else if let Ok(true) = legacy_grant(env, bucket).await {
        return Finding::ok(CHECK, format!("the ACL of bucket \"{bucket}\" lets the service in"))
            .seen("allowed_by", "acl");
    } else if missing.is_empty() {
        Finding::cannot_know(
            CHECK,
            format!(
                "the policy of bucket \"{bucket}\" allows {} to {principal} under a condition that cannot be weighed \
                 beforehand",
                open.join(", ")
            ),
        )
        .mend(format!("allow it without: {}", mend()))
    } else {
        Finding::will_fail(
            CHECK,
            format!(
                "the policy of bucket \"{bucket}\" does not allow {} to {principal}",
                missing.join(", ")
            ),
            mend(),
        )
    };
    finding.seen("missing", missing)
}

/// The way before bucket policies: a grant to the service's canonical user (ElastiCache user guide, exporting a backup).
async fn legacy_grant(env: &Env, bucket: &str) -> Result<bool, Failure> {
    const SERVICE_USERS: [&str; 2] = [
        "540804c33a284a299d2547575ce1010f2312ef3da9b3a053c8bc45bf233e4353",
        "40fa568277ad703bd160f66ae4f83fc9dfdfd06c2f1b5060ca22442ac3ef8be6",
    ];
    let request = env.aws.s3.get_bucket_acl().bucket(bucket);
    let acl = call(Op::read(SERVICE, "GetBucketAcl"), request.send()).await?;
    Ok(acl
        .grants()
        .iter()
        .filter_map(|grant| grant.grantee()?.id())
        .any(|id| SERVICE_USERS.contains(&id)))
}

fn denied(env: &Env, policy: &Policy, place: &Place<'_>, guest: Guest) -> Finding {
    const CHECK: &str = "bucket.denies";
    let (identity, bucket) = (&env.identity, place.bucket);
    let principal = guest.principal(&identity.region);
    let service = Who::Service { principal: &principal, account: &identity.account };
    let caller = Who::Caller { arn: &identity.arn, account: &identity.account };
    let mut sure: Vec<String> = Vec::new();
    let mut perhaps: Vec<String> = Vec::new();
    for (who, name, actions) in [
        (service, principal.as_str(), guest.actions()),
        (caller, "the caller", guest.caller_actions()),
    ] {
        for action in actions {
            if let Some((statement, certain)) = policy.denies(who, action, place.resource(action)) {
                let list = if certain { &mut sure } else { &mut perhaps };
                list.push(format!("{action} to {name} by {statement}"));
            }
        }
    }
    // The condition that lets services through does nothing for a person, and the other way round.
    let (mut exempt, of_caller) =
        (Vec::new(), |denial: &String| denial.contains(" to the caller by "));
    if sure.iter().chain(&perhaps).any(|denial| !of_caller(denial)) {
        exempt.push(
            "AWS's services, by \"Bool\": {\"aws:PrincipalIsAWSService\": \"false\"}".to_owned(),
        );
    }
    if sure.iter().chain(&perhaps).any(of_caller) {
        // A session's condition key holds its role (IAM user guide, aws:PrincipalArn).
        let arn = if identity.arn.contains(":assumed-role/") {
            "ARN_OF_YOUR_ROLE"
        } else {
            &identity.arn
        };
        exempt
            .push(format!("the caller, by \"ArnNotEquals\": {{\"aws:PrincipalArn\": \"{arn}\"}}"));
    }
    let except = format!(
        "edit the statement: exempt {} in its Condition, or take it out:\n\
         aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text > policy.json\n\
         then, once policy.json is edited: aws s3api put-bucket-policy --bucket {bucket} --policy file://policy.json",
        exempt.join("; and ")
    );
    if let [first, rest @ ..] = sure.as_slice() {
        let more =
            if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
        return Finding::will_fail(
            CHECK,
            format!("the policy of bucket \"{bucket}\" denies {first}{more}"),
            except,
        )
        .seen("denies", sure);
    }
    if let [first, rest @ ..] = perhaps.as_slice() {
        let more =
            if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
        return Finding::cannot_know(
            CHECK,
            format!(
                "the policy of bucket \"{bucket}\" may deny {first}{more}: whether the condition holds only the request \
                 itself tells"
            ),
        )
        .mend(except)
        .seen("may_deny", perhaps);
    }
    Finding::ok(
        CHECK,
        format!(
            "no statement of bucket \"{bucket}\" denies what the export needs to {principal} or the caller"
        ),
    )
}

/// Who owns what others write into the bucket (S3 user guide, controlling ownership of objects).
async fn ownership(env: &Env, bucket: &str) -> Finding {
    const CHECK: &str = "bucket.ownership";
    let request = env.aws.s3.get_bucket_ownership_controls().bucket(bucket);
    let answer = call(Op::read(SERVICE, "GetBucketOwnershipControls"), request.send()).await;
    let rule = match answer {
        Ok(answer) => answer
            .ownership_controls()
            .and_then(|controls| Some(controls.rules().first()?.object_ownership().clone())),
        Err(failure) if failure.code() == Some("OwnershipControlsNotFoundError") => None,
        Err(failure) => {
            let what = format!("who owns the objects in bucket \"{bucket}\": {failure}");
            return Finding::cannot_know(CHECK, what).mend(format!(
                "allow s3:GetBucketOwnershipControls on arn:aws:s3:::{bucket} to the caller"
            ));
        }
    };
    let finding = match &rule {
        Some(ObjectOwnership::BucketOwnerEnforced) => Finding::ok(
            CHECK,
            format!("what is exported into bucket \"{bucket}\" is yours: its ACLs are off"),
        ),
        Some(ObjectOwnership::BucketOwnerPreferred) => Finding::ok(
            CHECK,
            format!("what is exported into bucket \"{bucket}\" is yours if ElastiCache says so, as its pages have it"),
        ),
        // Without controls the writer owns what it writes.
        _ => Finding::cannot_know(
            CHECK,
            format!(
                "bucket \"{bucket}\" leaves objects to whoever writes them: no page says whether you may read and delete \
                 what ElastiCache exports into it"
            ),
        )
        .mend(format!(
            "aws s3api put-bucket-ownership-controls --bucket {bucket} --ownership-controls \
             'Rules=[{{ObjectOwnership=BucketOwnerEnforced}}]'"
        )),
    };
    finding.seen("ownership", rule.map(|rule| rule.as_str().to_owned()))
}

/// A rollback deletes what was exported; where versions are kept, their bytes stay.
async fn versions(env: &Env, bucket: &str) -> Finding {
    const CHECK: &str = "bucket.versions";
    let request = env.aws.s3.get_bucket_versioning().bucket(bucket);
    let status = match call(Op::read(SERVICE, "GetBucketVersioning"), request.send()).await {
        Ok(answer) => answer.status().cloned(),
        Err(failure) => {
            let what = format!("whether bucket \"{bucket}\" keeps versions: {failure}");
            return Finding::cannot_know(CHECK, what).mend(format!(
                "allow s3:GetBucketVersioning on arn:aws:s3:::{bucket} to the caller"
            ));
        }
    };
    let kept = status.as_ref() == Some(&BucketVersioningStatus::Enabled);
    let finding = if kept {
        let rule = json!({"Rules": [{"ID": "old-exports", "Status": "Enabled", "Filter": {"Prefix": "orc-"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Expiration": {"ExpiredObjectDeleteMarker": true}}]});
        Finding::ok(
            CHECK,
            format!(
                "bucket \"{bucket}\" keeps versions: a rollback or a clean-up hides the exported files, and their bytes \
                 stay, and cost, until a lifecycle rule removes them"
            ),
        )
        .mend(format!(
            "if it has no such rule (this replaces those it has): aws s3api put-bucket-lifecycle-configuration --bucket \
             {bucket} --lifecycle-configuration '{rule}'"
        ))
    } else {
        Finding::ok(
            CHECK,
            format!("bucket \"{bucket}\" keeps no versions: what is deleted is gone"),
        )
    };
    finding.seen("versions", kept)
}

/// Locked objects can be deleted by nobody until their time is over (S3 user guide, Object Lock).
async fn object_lock(env: &Env, bucket: &str) -> Finding {
    const CHECK: &str = "bucket.object_lock";
    let request = env.aws.s3.get_object_lock_configuration().bucket(bucket);
    let answer = call(Op::read(SERVICE, "GetObjectLockConfiguration"), request.send()).await;
    let retention = match answer {
        Ok(answer) => answer
            .object_lock_configuration()
            .and_then(|lock| lock.rule()?.default_retention().cloned()),
        Err(failure) if failure.code() == Some("ObjectLockConfigurationNotFoundError") => None,
        Err(failure) => {
            let what = format!("whether bucket \"{bucket}\" locks objects: {failure}");
            return Finding::cannot_know(CHECK, what).mend(format!(
                "allow s3:GetBucketObjectLockConfiguration on arn:aws:s3:::{bucket} to the caller"
            ));
        }
    };
    let Some(retention) = retention else {
        return Finding::ok(CHECK, format!("bucket \"{bucket}\" locks no objects"))
            .seen("object_lock", Value::Null);
    };
    let mode = retention.mode().map_or("GOVERNANCE", |mode| mode.as_str()).to_owned();
    let long = match (retention.days(), retention.years()) {
        (Some(days), _) => format!("{days} days"),
        (_, Some(years)) => format!("{years} years"),
        _ => "a time".to_owned(),
    };
    Finding::cannot_know(
        CHECK,
        format!(
            "bucket \"{bucket}\" locks every new object for {long} ({mode}): a rollback hides the exported files but cannot \
             remove their bytes, and no page says whether ElastiCache can write into such a bucket"
        ),
    )
    .mend("use a bucket without Object Lock for the export; copy it into this one afterwards if it is to be kept")
    .seen("object_lock", format!("{mode}, {long}"))
}
