//! Objects in S3, below a prefix of a bucket.

use async_trait::async_trait;

use super::objects::{Expect, Found, Objects, Put};
use crate::aws::{Clients, Condition, get_object, list_keys, put_object};
use crate::engine::{Class, Failure};

/// Where in S3, as `s3://<bucket>/<prefix>?region=<region>` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Empty, or ends with a slash.
    pub prefix: String,
    /// Its region, if that is not the one of the AWS configuration.
    pub region: Option<String>,
}

impl Bucket {
    /// Reads an `s3://` URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("s3://").ok_or("it does not begin with s3://")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        // S3 user guide, "General purpose bucket naming rules".
        if !(3..=63).contains(&name.len()) || !name.chars().all(fine) {
            return Err(format!("\"{name}\" is no name of a bucket"));
        }
        let region = match query.split_once('=') {
            None if query.is_empty() => None,
            Some(("region", region)) if !region.is_empty() => Some(region.to_owned()),
            _ => return Err(format!("\"{query}\" is not understood: only region=<name> is")),
        };
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { name: name.to_owned(), prefix, region })
    }
}

impl std::fmt::Display for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.name, self.prefix.trim_end_matches('/'))?;
        match &self.region {
            Some(region) => write!(f, "?region={region}"),
            None => Ok(()),
        }
    }
}

/// Objects in S3.
pub struct BucketObjects {
    clients: Clients,
    bucket: Bucket,
}

impl BucketObjects {
    /// What is in `bucket`, reached through `clients`, which must be of the bucket's region.
    #[must_use]
    pub fn new(clients: Clients, bucket: Bucket) -> Self {
        Self { clients, bucket }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.bucket.prefix)
    }

    /// The refusals that somebody who sets a bucket up meets, with what to do.
    fn explain(&self, failure: Failure) -> Failure {
        let bucket = &self.bucket.name;
        let what = format!("the state in {} cannot be used", self.bucket);
        let mend = match failure.code() {
            Some("NoSuchBucket") => {
                format!("create bucket \"{bucket}\", private, with versioning; or correct --state")
            }
            Some(
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ) => {
                format!(
                    "the bucket is in another region than {}: add ?region=<its region> to --state (`aws s3api get-bucket-location --bucket {bucket}` tells it)",
                    self.clients.region
                )
            }
            _ if failure.class == Class::Denied => format!(
                "allow the caller s3:GetObject and s3:PutObject on arn:aws:s3:::{bucket}/{}* and s3:ListBucket on arn:aws:s3:::{bucket}, and its KMS key if it has one; `orchestrate iam --state …` writes the policy",
                self.bucket.prefix
            ),
            _ => return failure.context(what),
        };
        failure.context(what).mend(mend)
    }
}

#[async_trait(?Send)]
impl Objects for BucketObjects {
    fn place(&self, key: &str) -> String {
        let place = format!("s3://{}/{}", self.bucket.name, self.key(key));
        if key.is_empty() { place.trim_end_matches('/').to_owned() } else { place }
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, Failure> {
        let found = get_object(&self.clients, &self.bucket.name, &self.key(key)).await;
        let found = found.map_err(|failure| self.explain(failure))?;
        Ok(found.map(|object| Found { bytes: object.bytes, tag: object.etag, age: object.age }))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, expect: Expect) -> Result<Put, Failure> {
        let condition = match &expect {
            Expect::Absent => Condition::Absent,
            Expect::Tag(tag) => Condition::Etag(tag),
        };
        let key = self.key(key);
        let put = put_object(&self.clients, &self.bucket.name, &key, bytes, condition).await;
        Ok(match put.map_err(|failure| self.explain(failure))? {
            Some(etag) => Put::Stored(etag),
            None => Put::Refused,
        })
    }

    async fn list(&self, prefix: &str, delimiter: Option<char>) -> Result<Vec<String>, Failure> {
        let prefix = self.key(prefix);
        let keys = list_keys(&self.clients, &self.bucket.name, &prefix, delimiter).await;
        let keys = keys.map_err(|failure| self.explain(failure))?;
        let own = |key: String| key.strip_prefix(&self.bucket.prefix).map(str::to_owned);
        Ok(keys.into_iter().filter_map(own).collect())
    }
}
