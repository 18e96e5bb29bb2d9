//! Canonical digests: equal values give equal bytes, in whatever order, encoding, chunk size or server version they come.

use sha2::{Digest, Sha256};

use super::plane::Part;

/// Values with more parts than this are not taken apart for a report.
const MOST_PARTS: usize = 20_000;

/// Folds the items of one value into 40 bytes, as they come, keeping none of them.
pub(super) struct Fold {
    order: Order,
    count: u64,
    parts: Option<Vec<Part>>,
}

enum Order {
    /// The order counts: lists.
    Counts(Box<Sha256>),
    /// Order does not count; items are distinct: the sum of their digests modulo 2^256, least significant word first.
    /// A sum and not an XOR, in which crafted items cancel out far more easily.
    Free([u64; 4]),
}

impl Fold {
    /// For lists. Keeps a part for each item if `parts`.
    pub(super) fn ordered(parts: bool) -> Self {
        Self::new(Order::Counts(Box::default()), parts)
    }

    /// For hashes, sets, sorted sets and streams.
    pub(super) fn unordered(parts: bool) -> Self {
        Self::new(Order::Free([0; 4]), parts)
    }

    fn new(order: Order, parts: bool) -> Self {
        Self { order, count: 0, parts: parts.then(Vec::new) }
    }

    /// Takes one item. `name` is what it is called within its value; `content` is everything else it is made of.
    pub(super) fn item(&mut self, name: &[u8], content: &[&[u8]]) {
        let mut hash = Sha256::new();
        for piece in std::iter::once(&name).chain(content) {
            // Lengths in front, so that ("ab", "c") is not ("a", "bc").
            hash.update(length(piece.len()));
            hash.update(piece);
        }
        let digest: [u8; 32] = hash.finalize().into();
        self.count += 1;
        match &mut self.order {
            Order::Counts(all) => all.update(digest),
            Order::Free(sum) => add(sum, &digest),
        }
        if let Some(parts) = &mut self.parts {
            let short = std::array::from_fn(|index| digest[index]);
            parts.push(Part { name: name.to_vec(), digest: short });
            if parts.len() > MOST_PARTS {
                self.parts = None;
            }
        }
    }

    /// Items so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The canonical bytes, and the parts in order if they were kept and are not too many.
    pub(super) fn finish(self) -> (Vec<u8>, Option<Vec<Part>>) {
        let mut bytes = self.count.to_be_bytes().to_vec();
        match self.order {
            Order::Counts(all) => bytes.extend_from_slice(&all.finalize()),
            Order::Free(sum) => sum.iter().for_each(|word| bytes.extend(word.to_be_bytes())),
        }
        let parts = self.parts.map(|mut parts| {
            parts.sort_unstable();
            parts
        });
        (bytes, parts)
    }
}

/// Folds one string of bytes that may come in pieces.
#[derive(Default)]
pub(super) struct Bytes {
    hash: Sha256,
    length: u64,
}

impl Bytes {
    /// The next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.hash.update(piece);
    }

    /// Length and digest.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = self.length.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.hash.finalize());
        bytes
    }
}

/// A score as bytes, from the text a server sends; servers differ in how many digits they print. Zero and minus zero
/// differ, as they do to a client that reads them.
pub(super) fn score(text: &[u8]) -> Option<[u8; 8]> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(number.to_bits().to_be_bytes())
}

/// The length that canonical bytes of a string or the count that those of any other value begin with.
pub(super) fn size(canonical: &[u8]) -> Option<u64> {
    canonical.first_chunk::<8>().map(|first| u64::from_be_bytes(*first))
}

fn length(bytes: usize) -> [u8; 8] {
    (bytes as u64).to_be_bytes()
}

fn add(sum: &mut [u64; 4], digest: &[u8; 32]) {
    let mut carry = 0_u128;
    for (word, bytes) in sum.iter_mut().zip(digest.as_chunks::<8>().0) {
        let total = u128::from(*word) + u128::from(u64::from_be_bytes(*bytes)) + carry;
        *word = u64::try_from(total & u128::from(u64::MAX)).unwrap_or_default();
        carry = total >> 64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unordered(items: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut fold = Fold::unordered(false);
        items.iter().for_each(|(name, value)| fold.item(name, &[value]));
        fold.finish().0
    }

    fn ordered(items: &[&[u8]]) -> Vec<u8> {
        let mut fold = Fold::ordered(false);
        items.iter().for_each(|value| fold.item(b"", &[value]));
        fold.finish().0
    }

    #[test]
    fn the_order_of_fields_does_not_count_but_that_of_elements_does() {
        assert_eq!(
            unordered(&[(b"a", b"1"), (b"b", b"2")]),
            unordered(&[(b"b", b"2"), (b"a", b"1")])
        );
        assert_ne!(ordered(&[b"a", b"b"]), ordered(&[b"b", b"a"]));
    }

    #[test]
    fn the_boundary_between_name_and_value_counts() {
        assert_ne!(unordered(&[(b"ab", b"c")]), unordered(&[(b"a", b"bc")]));
        assert_ne!(
            unordered(&[(b"a", b"1"), (b"b", b"2")]),
            unordered(&[(b"a", b"2"), (b"b", b"1")])
        );
    }

    #[test]
    fn a_string_is_the_same_in_any_pieces() {
        let mut whole = Bytes::default();
        whole.piece(b"hello");
        let mut pieces = Bytes::default();
        pieces.piece(b"he");
        pieces.piece(b"llo");
        let whole = whole.finish();
        assert_eq!(whole, pieces.finish());
        assert_eq!(size(&whole), Some(5));
    }

    #[test]
    fn scores_are_compared_as_numbers_not_as_text() {
        assert_eq!(score(b"0.1"), score(b"0.10000000000000001"));
        assert_eq!(score(b"3"), score(b"3.0"));
        assert_ne!(score(b"0"), score(b"-0"));
        assert_ne!(score(b"inf"), score(b"-inf"));
        assert_eq!(score(b"inf"), Some(f64::INFINITY.to_bits().to_be_bytes()));
        assert_eq!(score(b"no"), None);
    }

    #[test]
    fn the_sum_carries_between_words() {
        let mut sum = [u64::MAX, 0, 0, 0];
        let mut one = [0_u8; 32];
        one[7] = 1;
        add(&mut sum, &one);
        assert_eq!(sum, [0, 1, 0, 0]);
    }

    #[test]
    fn a_value_with_too_many_parts_is_not_taken_apart() {
        let mut fold = Fold::unordered(true);
        for n in 0..=MOST_PARTS {
            fold.item(&n.to_be_bytes(), &[]);
        }
        assert_eq!(fold.finish().1, None);
    }
}
