//! S3 that is not the sandbox's own: exports go to, and restores come from, the buckets of another server, such as
//! LocalStack's.
//!
//! The services look at buckets while they hold the state, and cannot wait there. So what they are about to look at is
//! brought here first, and what they wrote is sent there before anybody is told that it landed. All judgement (bucket
//! policy, encryption, who owns what) stays the sandbox's.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bytes::Bytes;
use http::Uri;

use crate::context::Ctx;
use crate::elasticache::state::ElastiCacheState;
use crate::memorydb::state::Origin;
use crate::s3::state::{Bucket, Encryption, Object};
use crate::wire::ApiError;

/// How far an export that goes elsewhere is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Landing {
    /// Nothing is to be sent: the bucket is here, or has everything.
    #[default]
    Done,
    /// Its time has not come, or nobody has begun to send it.
    Waiting,
    /// A request is sending it right now.
    Sending,
}

/// Another server's S3.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    client: aws_sdk_s3::Client,
    endpoint: String,
    region: String,
}

impl Elsewhere {
    /// `endpoint` is a plain `http://` address on this machine: the sandbox has no credentials to give.
    ///
    /// # Errors
    /// It is not one; the text says so.
    pub(crate) fn new(endpoint: &str, account: &str, region: &str) -> Result<Self, String> {
        let uri = endpoint.parse::<Uri>().ok();
        let host = uri.as_ref().filter(|uri| uri.scheme_str() == Some("http")).and_then(Uri::host);
        let here = |host: &str| {
            let host = host.trim_matches(['[', ']']);
            host == "localhost"
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        if !host.is_some_and(here) {
            return Err(format!(
                "{endpoint} is not an http:// address of this machine's loopback: the sandbox has no credentials to give"
            ));
        }
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .region(Region::new(region.to_owned()))
            // LocalStack takes an access key of twelve digits for the account.
            .credentials_provider(Credentials::new(account, "sandbox", None, None, "sandbox"))
            .force_path_style(true)
            .build();
        Ok(Self {
            client: aws_sdk_s3::Client::from_conf(config),
            endpoint: endpoint.to_owned(),
            region: region.to_owned(),
        })
    }

    /// What a request for S3 is answered that comes here all the same.
    pub(crate) fn not_here(&self) -> ApiError {
        ApiError::new(
            501,
            "NotImplemented",
            format!(
                "the S3 of this sandbox is elsewhere: set AWS_ENDPOINT_URL_S3={}",
                self.endpoint
            ),
        )
    }

    /// Makes a bucket there, with what the sandbox knows of it. One that is there already is given the same policy.
    ///
    /// # Errors
    /// What the other server answered, as text.
    pub(crate) async fn make(&self, name: &str, bucket: &Bucket) -> Result<(), String> {
        let place = (self.region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
                .build()
        });
        let made = self.client.create_bucket().bucket(name).set_create_bucket_configuration(place);
        if let Err(error) = made.send().await
            && !matches!(error.code(), Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists"))
        {
            return Err(self.failed("CreateBucket", name, &error));
        }
        if let Some(policy) = &bucket.policy {
            let put = self.client.put_bucket_policy().bucket(name).policy(policy).send().await;
            put.map_err(|error| self.failed("PutBucketPolicy", name, &error))?;
        }
        for (key, object) in &bucket.objects {
            self.put(name, key, object.body.clone()).await?;
        }
        Ok(())
    }

    /// Sends the exports whose time has come, so that no one reads of one that is not there. Then brings what the
    /// restores that are due will read.
    pub(crate) async fn settle(&self, ctx: &Ctx) {
        self.send(ctx).await;
        for (bucket, keys) in wanted(ctx) {
            if let Err(error) = self.bring(ctx, &bucket, &keys).await {
                tracing::warn!(error, "files of a restore could not be read");
            }
        }
    }

    async fn send(&self, ctx: &Ctx) {
        for Departure { snapshot, bucket, objects } in begin_sending(ctx) {
            let mut refused = None;
            for (key, body) in objects {
                if let Err(error) = self.put(&bucket, &key, body).await {
                    refused = Some(error);
                    break;
                }
            }
            let mut world = ctx.world();
            let of = |state: &mut ElastiCacheState| {
                let exports = state.exports.iter_mut();
                for export in exports.filter(|export| export.of.name() == snapshot) {
                    export.landing = Landing::Done;
                    if let Some(why) = &refused {
                        export.objects.clear();
                        export.due.reason = Some(why.clone());
                    }
                }
            };
            of(&mut world.elasticache);
            let exports = world.memorydb.exports.iter_mut();
            for export in exports.filter(|export| export.snapshot == snapshot) {
                export.landing = Landing::Done;
                if refused.is_some() {
                    export.objects.clear();
                }
            }
        }
    }

    /// Puts a bucket as it is there into the state; with its objects' keys, and the bytes of those that are named.
    ///
    /// # Errors
    /// What the other server answered, as text. That there is no such bucket is none.
    pub(crate) async fn bring(&self, ctx: &Ctx, name: &str, keys: &[String]) -> Result<(), String> {
        let there = self.client.get_bucket_location().bucket(name).send().await;
        let region = match there {
            Err(error) if error.code() == Some("NoSuchBucket") => {
                ctx.world().s3.buckets.remove(name);
                return Ok(());
            }
            Err(error) => return Err(self.failed("GetBucketLocation", name, &error)),
            Ok(found) => found.location_constraint.map(|place| place.as_str().to_owned()),
        };
        let region = region.filter(|region| !region.is_empty());
        let mut bucket =
            Bucket::new(region.as_deref().unwrap_or("us-east-1"), ctx.account(), ctx.now);
        bucket.policy = match self.client.get_bucket_policy().bucket(name).send().await {
            Ok(found) => found.policy,
            Err(error) if error.code() == Some("NoSuchBucketPolicy") => None,
            Err(error) => return Err(self.failed("GetBucketPolicy", name, &error)),
        };
        let mut pages = self.client.list_objects_v2().bucket(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.failed("ListObjectsV2", name, &error))?;
            for key in page.contents.unwrap_or_default().into_iter().filter_map(|o| o.key) {
                let object = self.object(ctx, name, &key, keys.contains(&key)).await?;
                bucket.objects.insert(key, object);
            }
        }
        ctx.world().s3.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    async fn object(
        &self,
        ctx: &Ctx,
        bucket: &str,
        key: &str,
        whole: bool,
    ) -> Result<Object, String> {
        if !whole {
            return Ok(Object::new(Bytes::new(), ctx.now, Encryption::Aes256));
        }
        let got = self.client.get_object().bucket(bucket).key(key).send().await;
        let got = got.map_err(|error| self.failed("GetObject", bucket, &error))?;
        let kms = got.server_side_encryption().is_some_and(|sse| sse.as_str() != "AES256");
        let sse = match kms {
            true => Encryption::Kms(got.ssekms_key_id().unwrap_or_default().to_owned()),
            false => Encryption::Aes256,
        };
        let body = got.body.collect().await.map_err(|error| format!("GetObject {key}: {error}"))?;
        Ok(Object::new(body.into_bytes(), ctx.now, sse))
    }

    async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), String> {
        let body = ByteStream::from(body);
        let put = self.client.put_object().bucket(bucket).key(key).body(body).send().await;
        put.map(drop).map_err(|error| self.failed("PutObject", bucket, &error))
    }

    fn failed(
        &self,
        operation: &str,
        bucket: &str,
        error: &(impl std::error::Error + Send + Sync + 'static),
    ) -> String {
        let endpoint = &self.endpoint;
        format!("{operation} of {bucket} at {endpoint}: {}", DisplayErrorContext(error))
    }
}

/// An export that is due.
struct Departure {
    snapshot: String,
    bucket: String,
    objects: Vec<(String, Bytes)>,
}

/// Marks the exports that are due as being sent, and gives them.
fn begin_sending(ctx: &Ctx) -> Vec<Departure> {
    let mut world = ctx.world();
    let mut due = Vec::new();
    for export in &mut world.elasticache.exports {
        if export.landing == Landing::Waiting && export.due.at <= ctx.now {
            export.landing = Landing::Sending;
            due.push(Departure {
                snapshot: export.of.name().to_owned(),
                bucket: export.bucket.clone(),
                objects: export.objects.clone(),
            });
        }
    }
    for export in &mut world.memorydb.exports {
        if export.landing == Landing::Waiting && export.at <= ctx.now {
            export.landing = Landing::Sending;
            due.push(Departure {
                snapshot: export.snapshot.clone(),
                bucket: export.bucket.clone(),
                objects: export.objects.clone(),
            });
        }
    }
    due
}

/// The buckets and keys that clusters whose creation is due are to be filled from.
fn wanted(ctx: &Ctx) -> Vec<(String, Vec<String>)> {
    let world = ctx.world();
    let due = world.memorydb.clusters.values().filter(|cluster| {
        let over = cluster.due.as_ref().is_some_and(|due| due.at <= ctx.now);
        cluster.status == "creating" && !cluster.filling && over
    });
    let mut wanted: Vec<(String, Vec<String>)> = Vec::new();
    for cluster in due {
        let Origin::Objects(objects) = &cluster.origin else { continue };
        for (bucket, key) in objects {
            match wanted.iter_mut().find(|(name, _)| name == bucket) {
                Some((_, keys)) => keys.push(key.clone()),
                None => wanted.push((bucket.clone(), vec![key.clone()])),
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_with_snapshots() {
        let new = |endpoint: &str| Elsewhere::new(endpoint, "123456789012", "us-east-1");
        for good in ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:4566/"] {
            assert!(new(good).is_ok(), "{good}");
        }
        for bad in
            ["https://127.0.0.1:1", "http://s3.amazonaws.com", "127.0.0.1:4566", "", "http://"]
        {
            assert!(new(bad).unwrap_err().contains("loopback"), "{bad}");
        }
    }
}
