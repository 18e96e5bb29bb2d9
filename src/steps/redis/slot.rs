//! Which of a cluster's 16,384 slots a key lives in.

/// Slots of every cluster.
pub(super) const SLOTS: u16 = 16_384;

/// The slot of `key`: CRC16 (XMODEM) of the part in the first non-empty pair of braces, or of all of it (Redis Cluster
/// specification, "hash tags").
pub(super) fn slot_of(key: &[u8]) -> u16 {
    crc16(tag(key)) % SLOTS
}

fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|b| *b == b'{') else { return key };
    match key[open + 1..].iter().position(|b| *b == b'}') {
        Some(0) | None => key,
        Some(length) => &key[open + 1..open + 1 + length],
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As CLUSTER KEYSLOT says.
        assert_eq!(slot_of(b"somekey"), 11_058);
        assert_eq!(slot_of(b"foo{hash_tag}"), 2_515);
        assert_eq!(slot_of(b"bar{hash_tag}"), 2_515);
    }

    #[test]
    fn only_the_first_braces_with_something_in_them_are_a_tag() {
        assert_eq!(tag(b"a{}{b}"), b"a{}{b}");
        assert_eq!(tag(b"a{b}{c}"), b"b");
        assert_eq!(tag(b"a{{b}}"), b"{b");
        assert_eq!(tag(b"a{b"), b"a{b");
    }
}
