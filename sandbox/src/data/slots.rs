use crc::{CRC_16_XMODEM, Crc};

/// Slots of a Redis cluster.
pub(crate) const SLOTS: u16 = 16384;

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The hash slot of a key: CRC16 of its hash tag, or of the whole key without one (Redis cluster specification).
pub fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&b| b == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|&b| b == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    CRC16.checksum(tag.unwrap_or(key)) % SLOTS
}

/// `shards` equal, contiguous, inclusive ranges that cover every slot; rounded as `redis-cli --cluster create` does.
pub(crate) fn split(shards: u16) -> Vec<(u16, u16)> {
    let count = u32::from(shards);
    let start = |i: u32| ((i * u32::from(SLOTS) * 2 + count) / (2 * count)) as u16;
    (0..count).map(|i| (start(i), start(i + 1) - 1)).collect()
}

/// `0001`, `0002`, …
pub(crate) fn ids() -> impl Iterator<Item = String> {
    (0..).map(shard_id)
}

/// The first shards of a cluster, each with its slots.
pub(crate) fn layout(shards: u16) -> Vec<(String, (u16, u16))> {
    split(shards).into_iter().enumerate().map(|(i, range)| (shard_id(i), range)).collect()
}

/// The index of the range that holds `slot`. The ranges cover every slot, so there always is one.
pub(crate) fn owner(ranges: &[(u16, u16)], slot: u16) -> usize {
    ranges.partition_point(|&(_, last)| last < slot).min(ranges.len().saturating_sub(1))
}

/// `0001` for the first shard.
pub(crate) fn shard_id(index: usize) -> String {
    format!("{:04}", index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_cluster_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"foo"), 12182);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), CRC16.checksum(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn three_shards_split_as_redis_cli_splits_them() {
        assert_eq!(split(1), [(0, 16383)]);
        assert_eq!(split(3), [(0, 5460), (5461, 10922), (10923, 16383)]);
        assert_eq!(split(500).last().map(|r| r.1), Some(16383));
    }

    #[test]
    fn every_slot_has_exactly_one_owner() {
        let ranges = split(7);
        for slot in 0..SLOTS {
            let (first, last) = ranges[owner(&ranges, slot)];
            assert!((first..=last).contains(&slot), "slot {slot}");
        }
    }
}
