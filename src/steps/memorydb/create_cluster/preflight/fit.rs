//! How much the fullest of the new shards will hold, and what would hold it. Pure.

use crate::facts;

/// Hash slots of a cluster (Redis and Valkey cluster specification).
const SLOTS: u64 = 16_384;
/// Up to here nothing is said: room for replication, fragmentation, and slots that are not even.
const COMFORTABLE: u64 = 75;
/// Nodes of one cluster, unless its quota was raised.
const NODES: u64 = 90;

/// A shard of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its hash slots as AWS writes them, "0-8191"; none with cluster mode off.
    pub(super) slots: Option<String>,
    /// Bytes it uses.
    pub(super) bytes: u64,
}

/// How full a shard gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// With headroom.
    Fits,
    /// By the figures, and without headroom.
    Tight,
    /// Not.
    Over,
}

/// What `bytes` make of a shard that holds `memory`.
pub(super) fn fill(bytes: u64, memory: u64) -> Fill {
    match percent(bytes, memory) {
        ..=COMFORTABLE => Fill::Fits,
        _ if bytes <= memory => Fill::Tight,
        _ => Fill::Over,
    }
}

/// In hundredths, rounded up.
pub(super) fn percent(bytes: u64, memory: u64) -> u64 {
    let percent = (u128::from(bytes) * 100).div_ceil(u128::from(memory.max(1)));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

/// The bytes of the fullest of `shards` new shards. MemoryDB cuts the slots into ranges of equal length; within a shard
/// of the source the bytes are taken to spread evenly over its slots.
pub(super) fn fullest(parts: &[Part], shards: u64) -> u64 {
    let count = parts.len() as u64;
    let even = |index: u64, of: u64| (index * SLOTS / of, (index + 1) * SLOTS / of);
    let mut load = vec![0_f64; usize::try_from(shards.clamp(1, SLOTS)).unwrap_or(1)];
    let bounds = load.len() as u64;
    for (index, part) in (0_u64..).zip(parts) {
        let listed = part.slots.as_deref().and_then(ranges);
        let own = listed.unwrap_or_else(|| vec![even(index, count)]);
        let slots: u64 = own.iter().map(|(first, end)| end - first).sum();
        let density = part.bytes as f64 / slots.max(1) as f64;
        for (target, load) in (0_u64..).zip(load.iter_mut()) {
            let (first, end) = even(target, bounds);
            let shared = own.iter().map(|(f, e)| (*e).min(end).saturating_sub((*f).max(first)));
            *load += density * shared.sum::<u64>() as f64;
        }
    }
    let most = load.into_iter().fold(0_f64, f64::max);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of sizes; not negative"
    )]
    let most = most.ceil() as u64;
    most
}

/// "0-99,200-300" as ranges without their ends; nothing if it does not read so.
fn ranges(text: &str) -> Option<Vec<(u64, u64)>> {
    let range = |text: &str| {
        let (first, last) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        (first <= last && last < SLOTS).then_some((first, last + 1))
    };
    text.split(',').map(range).collect()
}

/// What to set so that it fits with headroom: the smallest larger node type, the fewest shards.
pub(super) fn what_fits(parts: &[Part], node_type: &str, shards: u64, replicas: u64) -> String {
    let comfortable = |shards: u64, memory: u64| fill(fullest(parts, shards), memory) == Fill::Fits;
    let mut ways = Vec::new();
    let family = node_type.rsplit_once('.').map_or(node_type, |(family, _)| family);
    let all = || facts::memorydb_node_types().iter();
    let fits = |node: &&facts::NodeType| {
        !node.name.starts_with("db.r6gd.") && comfortable(shards, node.maxmemory)
    };
    let same = all().filter(|node| node.name.starts_with(&format!("{family}."))).find(fits);
    let other = || all().filter(|node| node.name.starts_with("db.r7g.")).find(fits);
    if let Some(node) = same.or_else(other) {
        ways.push(format!("`node_type: {}`", node.name));
    }
    let most = NODES / (replicas + 1);
    if let Some(memory) = facts::node_memory(node_type)
        && let Some(enough) = (shards + 1..=most).find(|shards| comfortable(*shards, memory))
    {
        ways.push(format!("`shards: {enough}`"));
    }
    match ways.is_empty() {
        true => "no node type and no number of shards within the quota of 90 nodes holds it: have the quota raised, or move less"
            .to_owned(),
        false => format!("set {}", ways.join(", or ")),
    }
}

/// "13.07 GiB".
pub(super) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{:.2} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: &[u64]) -> Vec<Part> {
        bytes.iter().map(|bytes| Part { slots: None, bytes: *bytes }).collect()
    }

    #[test]
    fn slots_are_cut_anew_and_the_fullest_shard_counts() {
        assert_eq!(fullest(&parts(&[100, 100]), 4), 50);
        assert_eq!(fullest(&parts(&[100, 300]), 2), 300);
        assert_eq!(fullest(&parts(&[100, 300]), 1), 400);
        assert_eq!(fullest(&parts(&[100, 300]), 4), 150);
        // Two shards into three: the last third lies in the heavier half.
        let uneven = fullest(&parts(&[100, 300]), 3);
        assert!((199..=201).contains(&uneven), "{uneven}");
        let listed = vec![
            Part { slots: Some("0-4095".to_owned()), bytes: 100 },
            Part { slots: Some("4096-16383".to_owned()), bytes: 300 },
        ];
        assert_eq!(fullest(&listed, 4), 100);
        assert_eq!(fullest(&[], 3), 0);
    }

    #[test]
    fn what_is_no_list_of_slots_counts_as_even() {
        assert_eq!(ranges("0-99, 200"), Some(vec![(0, 100), (200, 201)]));
        for odd in ["", "a-b", "9-1", "0-16384"] {
            assert_eq!(ranges(odd), None, "{odd}");
        }
        let odd = Part { slots: Some("?".to_owned()), bytes: 100 };
        assert_eq!(fullest(&[odd], 2), 50);
    }

    #[test]
    fn three_quarters_are_headroom_enough() {
        assert_eq!(fill(75, 100), Fill::Fits);
        assert_eq!(fill(76, 100), Fill::Tight);
        assert_eq!(fill(100, 100), Fill::Tight);
        assert_eq!(fill(101, 100), Fill::Over);
    }

    #[test]
    fn the_smallest_that_fits_is_named() {
        let twenty = parts(&[20 << 30]);
        let said = what_fits(&twenty, "db.r7g.large", 1, 1);
        assert_eq!(said, "set `node_type: db.r7g.2xlarge`, or `shards: 3`");
        let said = what_fits(&twenty, "db.t4g.medium", 1, 1);
        assert_eq!(said, "set `node_type: db.r7g.2xlarge`, or `shards: 9`");
        assert!(
            what_fits(&parts(&[u64::MAX / 4]), "db.r7g.large", 1, 0)
                .contains("have the quota raised")
        );
    }

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(size(14_037_181_030), "13.07 GiB");
        assert_eq!(size(3 << 20), "3.00 MiB");
        assert_eq!(size(7), "7 bytes");
    }
}
