//! Decompression of LZF, for names: a key longer than 20 bytes may be stored compressed. Values are never decompressed.

/// No three bytes of LZF stand for more than 264 (a reference of the greatest length).
const MOST_FOR_A_BYTE: u64 = 264;

/// Whether `compressed` bytes can stand for `plain` ones.
pub(crate) fn plausible(compressed: u64, plain: u64) -> bool {
    plain <= compressed.saturating_mul(MOST_FOR_A_BYTE)
}

/// The first `limit` bytes of what `input` stands for, or `None` if it is not LZF.
pub(crate) fn decompress(input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    unpack(input, limit, &mut out).then_some(out)
}

/// The same for the beginning of something longer: what the last whole piece stands for is the end.
pub(crate) fn decompress_beginning(input: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::new();
    unpack(input, limit, &mut out);
    out
}

/// Whether `input` could be read up to its end, or up to the limit.
fn unpack(input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
    let done = pieces(input, limit, out).is_some();
    out.truncate(limit);
    done
}

fn pieces(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    while at < input.len() && out.len() < limit {
        let control = usize::from(input[at]);
        at += 1;
        if control < 32 {
            // That many bytes and one more, as they are.
            let literal = input.get(at..at + control + 1)?;
            out.extend_from_slice(literal);
            at += literal.len();
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length += usize::from(*input.get(at)?);
            at += 1;
        }
        let back = ((control & 0x1f) << 8 | usize::from(*input.get(at)?)) + 1;
        at += 1;
        let from = out.len().checked_sub(back)?;
        // The source may reach into what is being written: byte by byte.
        for place in from..from + length + 2 {
            out.push(out[place]);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_references_are_put_together() {
        // "ab", then ten bytes from two back.
        let packed = [1, b'a', b'b', 7 << 5, 1, 1];
        assert_eq!(decompress(&packed, 100).unwrap(), b"abababababab");
        assert_eq!(decompress(&packed, 5).unwrap(), b"ababa");
        assert_eq!(decompress_beginning(&packed[..5], 100), b"ab");
    }

    #[test]
    fn what_is_cut_or_points_before_the_start_is_nothing() {
        for bad in [&[5, b'a'][..], &[1 << 5], &[7 << 5, 1], &[0, b'a', 1 << 5, 9]] {
            assert_eq!(decompress(bad, 100), None, "{bad:?}");
        }
    }
}
