//! Snapshots that were taken of a replication group.

use jiff::Timestamp;

use super::read::Reader;
use crate::aws::Op;
use crate::engine::Failure;

/// A snapshot of a replication group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// Whether somebody asked for it, rather than the daily schedule.
    pub manual: bool,
    /// Such as "available", in lower case.
    pub status: String,
    /// When its last shard was taken, where AWS says.
    pub at: Option<Timestamp>,
    /// The node it was taken of, with cluster mode off.
    pub node: Option<String>,
    /// Bytes in each shard, as far as AWS says: it gives texts such as "3 MB".
    pub shard_bytes: Vec<u64>,
}

/// Newest first.
pub(super) async fn of(
    reader: &Reader,
    group: Option<&str>,
    node: Option<&str>,
) -> Result<Vec<Taken>, Failure> {
    let op = Op::read("ElastiCache", "DescribeSnapshots");
    let mut all = Vec::new();
    let mut marker = None;
    loop {
        let request = || {
            let request = reader.aws.elasticache.describe_snapshots();
            let request = request.set_replication_group_id(group.map(str::to_owned));
            let request = request.set_cache_cluster_id(node.map(str::to_owned)).max_records(50);
            request.set_marker(marker.clone()).send()
        };
        let answer = reader.ask(op, request).await?;
        all.extend(answer.snapshots.unwrap_or_default().iter().map(taken));
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            break;
        }
    }
    all.sort_by_key(|taken| std::cmp::Reverse(taken.at));
    Ok(all)
}

fn taken(found: &aws_sdk_elasticache::types::Snapshot) -> Taken {
    let nodes = found.node_snapshots();
    let instants = nodes.iter().filter_map(|node| node.snapshot_create_time());
    let at = instants.filter_map(|at| Timestamp::from_second(at.secs()).ok()).max();
    Taken {
        name: found.snapshot_name().unwrap_or_default().to_owned(),
        manual: found.snapshot_source() == Some("manual"),
        status: found.snapshot_status().unwrap_or_default().to_ascii_lowercase(),
        at,
        node: found.cache_cluster_id().map(str::to_owned),
        shard_bytes: nodes.iter().filter_map(|node| size(node.cache_size()?)).collect(),
    }
}

/// Bytes of a size in the service's words: "3 MB"; `None` for "" and anything else that it may say one day.
#[must_use]
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "B" | "BYTES" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    let number: f64 = number.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked above; about right is enough"
    )]
    Some((number * (1_u64 << shift) as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_service_s_words() {
        assert_eq!(size("3 MB"), Some(3 << 20));
        assert_eq!(size("1.5 GB"), Some(3 << 29));
        for odd in ["", "3", "-1 MB", "NaN MB", "3 parsecs"] {
            assert_eq!(size(odd), None, "{odd}");
        }
    }
}
