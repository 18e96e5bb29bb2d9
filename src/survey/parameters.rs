//! What the owner of an ElastiCache parameter group set.

use super::read::Reader;
use crate::aws::Op;
use crate::engine::Failure;

/// The parameters with source "user" (ElastiCache API reference, DescribeCacheParameters).
pub(super) async fn set(reader: &Reader, group: &str) -> Result<Vec<(String, String)>, Failure> {
    let op = Op::read("ElastiCache", "DescribeCacheParameters");
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        let request = || {
            let request = reader.aws.elasticache.describe_cache_parameters();
            let request = request.cache_parameter_group_name(group).source("user");
            request.set_marker(marker.clone()).send()
        };
        let answer = reader.ask(op, request).await?;
        let set = answer.parameters.unwrap_or_default().into_iter();
        all.extend(set.filter_map(|p| Some((p.parameter_name?, p.parameter_value?))));
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(all);
        }
    }
}
