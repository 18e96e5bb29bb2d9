//! A serverless cache, as the service shows it.

use aws_sdk_elasticache::types::{DataStorageUnit, ServerlessCache};

use super::group::Endpoint;
use super::read::Reader;
use crate::aws::{Op, found};
use crate::engine::Failure;

/// A serverless cache. It speaks TLS and the cluster protocol, always (ElastiCache user guide, serverless).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serverless {
    /// Its name, in lower case.
    pub name: String,
    /// Such as "available", in lower case.
    pub status: String,
    /// "redis", "valkey" or "memcached".
    pub engine: String,
    /// Such as "8.0"; at least the major version.
    pub version: Option<String>,
    /// Where clients connect.
    pub endpoint: Option<Endpoint>,
    /// Where they read.
    pub reader: Option<Endpoint>,
    /// Its RBAC user group.
    pub user_group: Option<String>,
    /// Its VPC security groups.
    pub security_groups: Vec<String>,
    /// Its subnets.
    pub subnets: Vec<String>,
    /// The customer's key that encrypts it at rest.
    pub kms_key: Option<String>,
    /// Bytes that it may grow to, if that is limited.
    pub most_bytes: Option<u64>,
    /// For how many days daily snapshots are kept; 0 for none.
    pub snapshot_retention_days: u32,
}

pub(super) async fn read(reader: &Reader, name: &str) -> Result<Option<Serverless>, Failure> {
    let op = Op::read("ElastiCache", "DescribeServerlessCaches");
    let client = &reader.aws.elasticache;
    let request = || client.describe_serverless_caches().serverless_cache_name(name).send();
    let Some(answer) = found(reader.ask(op, request).await)? else { return Ok(None) };
    // As for groups: what was not asked for is not taken.
    let asked = |cache: &&ServerlessCache| {
        cache.serverless_cache_name().is_some_and(|of| of.eq_ignore_ascii_case(name))
    };
    Ok(answer.serverless_caches().iter().find(asked).map(describe))
}

fn describe(cache: &ServerlessCache) -> Serverless {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let place = |endpoint: Option<&aws_sdk_elasticache::types::Endpoint>| {
        let endpoint = endpoint?;
        let port = endpoint.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(6379);
        Some(Endpoint { host: endpoint.address()?.to_owned(), port })
    };
    let storage = cache.cache_usage_limits().and_then(|limits| limits.data_storage());
    let gigabytes = storage
        .filter(|storage| storage.unit() == Some(&DataStorageUnit::Gb))
        .and_then(|storage| u64::try_from(storage.maximum()?).ok());
    let days = cache.snapshot_retention_limit().and_then(|days| u32::try_from(days).ok());
    Serverless {
        name: text(cache.serverless_cache_name()).to_ascii_lowercase(),
        status: text(cache.status()).to_ascii_lowercase(),
        engine: text(cache.engine()).to_ascii_lowercase(),
        version: cache
            .full_engine_version()
            .or_else(|| cache.major_engine_version())
            .map(str::to_owned),
        endpoint: place(cache.endpoint()),
        reader: place(cache.reader_endpoint()),
        user_group: cache.user_group_id().map(str::to_owned),
        security_groups: cache.security_group_ids().to_vec(),
        subnets: cache.subnet_ids().to_vec(),
        kms_key: cache.kms_key_id().map(str::to_owned),
        most_bytes: gigabytes.and_then(|gb| gb.checked_mul(1 << 30)),
        snapshot_retention_days: days.unwrap_or_default(),
    }
}
