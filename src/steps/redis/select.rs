//! Which keys a comparison looks at, and what a sample without differences is worth.

use sha2::{Digest, Sha256};

/// A choice of keys that depends on the key and a seed alone, so that both sides choose the same ones.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    seed: u64,
    /// Keys whose hash is below are chosen; `None` chooses all.
    below: Option<u64>,
}

impl Selection {
    /// Every key.
    pub(super) fn all() -> Self {
        Self { seed: 0, below: None }
    }

    /// About `wanted` of `total` keys; all of them if there are no more.
    pub(super) fn sample(wanted: u64, total: u64, seed: u64) -> Self {
        if wanted >= total {
            return Self::all();
        }
        let below = (u128::from(u64::MAX) * u128::from(wanted)) / u128::from(total);
        Self { seed, below: Some(u64::try_from(below).unwrap_or(u64::MAX)) }
    }

    /// Whether every key is chosen.
    pub(super) fn is_all(&self) -> bool {
        self.below.is_none()
    }

    /// Whether `key` is chosen.
    pub(super) fn takes(&self, key: &[u8]) -> bool {
        self.below.is_none_or(|below| {
            let mut hash = Sha256::new();
            hash.update(self.seed.to_be_bytes());
            hash.update(key);
            let digest = hash.finalize();
            let first: [u8; 8] = std::array::from_fn(|index| digest[index]);
            u64::from_be_bytes(first) < below
        })
    }
}

/// What it means that none of `compared` keys, drawn evenly, differed: an upper bound at 95 % confidence.
pub(super) fn bound(compared: u64) -> String {
    if compared == 0 {
        return "no key was compared, which says nothing".to_owned();
    }
    #[allow(clippy::cast_precision_loss, reason = "a bound of two digits")]
    let percent = (1.0 - 0.05_f64.powf(1.0 / compared as f64)) * 100.0;
    // Rounded up to two significant digits, so that the bound still holds.
    let scale = 10_f64.powf(1.0 - percent.log10().floor());
    let percent = (percent * scale).ceil() / scale;
    format!("with 95 % confidence fewer than {percent} % of the keys differ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(selection: &Selection) -> Vec<u32> {
        (0..20_000_u32).filter(|n| selection.takes(format!("key:{n}").as_bytes())).collect()
    }

    #[test]
    fn a_sample_is_about_as_large_as_wanted_and_the_same_for_the_same_seed() {
        let sample = taken(&Selection::sample(2_000, 20_000, 7));
        assert!((1_800..2_200).contains(&sample.len()), "{}", sample.len());
        assert_eq!(sample, taken(&Selection::sample(2_000, 20_000, 7)));
        assert_ne!(sample, taken(&Selection::sample(2_000, 20_000, 8)));
    }

    #[test]
    fn a_sample_larger_than_the_store_is_the_store() {
        assert!(Selection::sample(20_000, 20_000, 1).is_all());
        assert!(!Selection::sample(19_999, 20_000, 1).is_all());
    }

    #[test]
    fn the_bound_is_the_rule_of_three() {
        assert_eq!(bound(30_000), "with 95 % confidence fewer than 0.01 % of the keys differ");
        assert_eq!(bound(300), "with 95 % confidence fewer than 1 % of the keys differ");
        assert!(bound(0).contains("says nothing"));
    }
}
