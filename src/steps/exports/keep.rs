//! What is kept of a history of exports. Pure: moments and a policy in, a verdict for each out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many exports are kept. An export stays if any of these keeps it; days, weeks and months are UTC's, and those
/// without an export do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keep {
    /// The newest so many.
    #[serde(default)]
    pub(crate) last: u32,
    /// The newest of each of the last so many days.
    #[serde(default)]
    pub(crate) daily: u32,
    /// The newest of each of the last so many weeks, which begin on Monday.
    #[serde(default)]
    pub(crate) weekly: u32,
    /// The newest of each of the last so many months.
    #[serde(default)]
    pub(crate) monthly: u32,
    /// So many verified exports stay, whatever else is said. At least 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub(crate) min_verified: u32,
}

fn one() -> u32 {
    1
}

/// An export, for the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The instant of its data.
    pub(crate) at: Timestamp,
    /// Whether it is whole: its manifest and every file that it names.
    pub(crate) verified: bool,
}

/// What becomes of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It stays, and the first rule that keeps it.
    Kept(&'static str),
    /// No rule keeps it.
    Dropped,
}

impl Keep {
    /// Whether some rule keeps more than what must stay anyway.
    pub(crate) fn says_something(&self) -> bool {
        [self.last, self.daily, self.weekly, self.monthly].iter().any(|rule| *rule > 0)
    }

    /// The fate of each export, in the order in which they are given.
    ///
    /// Only verified ones count for a rule: a damaged one would take the place of one that can be restored. It goes
    /// itself once as many verified ones are newer as must stay; before that nobody knows what it may be good for.
    pub(crate) fn decide(&self, exports: &[Moment]) -> Vec<Fate> {
        let mut newest_first: Vec<usize> = (0..exports.len()).collect();
        newest_first.sort_by_key(|index| (std::cmp::Reverse(exports[*index].at), *index));
        let mut fates = vec![Fate::Dropped; exports.len()];
        let (mut verified, mut days) = (0, BTreeSet::new());
        let (mut weeks, mut months) = (BTreeSet::new(), BTreeSet::new());
        let must_stay = self.min_verified.max(1);
        for index in newest_first {
            let export = exports[index];
            if !export.verified {
                if verified < must_stay {
                    fates[index] = Fate::Kept("unverified, and too few verified are newer");
                }
                continue;
            }
            let date = export.at.to_zoned(TimeZone::UTC).date();
            let week = date.iso_week_date();
            let new_day = days.insert(date);
            let new_week = weeks.insert((week.year(), week.week()));
            let new_month = months.insert((date.year(), date.month()));
            let within = |set: usize, rule: u32| set <= rule as usize;
            let why = if verified < self.last {
                Some("last")
            } else if new_day && within(days.len(), self.daily) {
                Some("daily")
            } else if new_week && within(weeks.len(), self.weekly) {
                Some("weekly")
            } else if new_month && within(months.len(), self.monthly) {
                Some("monthly")
            } else if verified < must_stay {
                Some("min_verified")
            } else {
                None
            };
            fates[index] = why.map_or(Fate::Dropped, Fate::Kept);
            verified += 1;
        }
        fates
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn days_since_epoch(at: Timestamp) -> i64 {
        at.as_second().div_euclid(86_400)
    }

    /// The 1st of January 1970 was a Thursday, so Mondays are at 4, 11, …
    fn week_since_epoch(at: Timestamp) -> i64 {
        (days_since_epoch(at) - 4).div_euclid(7)
    }

    /// Year and month by counting days, as a calendar is made and not as a library makes it.
    fn month_since_epoch(at: Timestamp) -> i64 {
        let (mut day, mut year, mut month) = (days_since_epoch(at), 1970, 0);
        loop {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                1 if leap => 29,
                1 => 28,
                3 | 5 | 8 | 10 => 30,
                _ => 31,
            };
            if day < length {
                return year * 12 + month;
            }
            day -= length;
            month += 1;
            if month == 12 {
                (month, year) = (0, year + 1);
            }
        }
    }

    /// Day, week and month of each export.
    type Units = [i64; 3];

    /// The policy said the other way round: of each export, by counting those that are newer.
    fn stays(exports: &[Moment], units: &[Units], index: usize, keep: &Keep) -> bool {
        let this = exports[index];
        let is_newer = |at: &usize| {
            let other = exports[*at];
            other.verified && (other.at > this.at || (other.at == this.at && *at < index))
        };
        let newer: Vec<usize> = (0..exports.len()).filter(is_newer).collect();
        let must_stay = keep.min_verified.max(1) as usize;
        if !this.verified {
            return newer.len() < must_stay;
        }
        let rule = |unit: usize, most: u32| {
            let mut seen: Vec<i64> = newer.iter().map(|at| units[*at][unit]).collect();
            seen.sort_unstable();
            seen.dedup();
            !seen.contains(&units[index][unit]) && seen.len() < most as usize
        };
        newer.len() < keep.last as usize
            || newer.len() < must_stay
            || rule(0, keep.daily)
            || rule(1, keep.weekly)
            || rule(2, keep.monthly)
    }

    #[test]
    fn a_thousand_random_histories_leave_what_the_model_says_and_always_the_last_verified() {
        let mut dropped = 0;
        for seed in 0..1000 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut at = 1_600_000_000 + rng.random_range(0..100_000_000_i64);
            let exports: Vec<Moment> = (0..rng.random_range(0..120))
                .map(|_| {
                    // From twice within a second to gaps of months.
                    at += [0, 600, 30_000, 86_400, 700_000, 4_000_000][rng.random_range(0..6)]
                        * rng.random_range(1..3);
                    let at = Timestamp::from_second(at).unwrap();
                    Moment { at, verified: rng.random_range(0..5) > 0 }
                })
                .collect();
            let mut few =
                |most: u32| if rng.random_range(0..3) == 0 { 0 } else { rng.random_range(0..most) };
            let keep = Keep {
                last: few(6),
                daily: few(12),
                weekly: few(8),
                monthly: few(14),
                min_verified: few(4),
            };
            let mut order = exports.clone();
            if seed % 2 == 1 {
                order.reverse();
            }
            let units = |e: &Moment| {
                [days_since_epoch(e.at), week_since_epoch(e.at), month_since_epoch(e.at)]
            };
            let units: Vec<Units> = order.iter().map(units).collect();
            let fates = keep.decide(&order);
            for (index, fate) in fates.iter().enumerate() {
                let wanted = stays(&order, &units, index, &keep);
                assert_eq!(*fate != Fate::Dropped, wanted, "seed {seed}, export {index}: {keep:?}");
                dropped += u32::from(*fate == Fate::Dropped);
            }
            let last = order.iter().filter(|export| export.verified).map(|export| export.at).max();
            let left =
                order.iter().zip(&fates).filter(|(e, fate)| e.verified && **fate != Fate::Dropped);
            assert_eq!(left.map(|(export, _)| export.at).max(), last, "seed {seed}");
            // What is left stays: the same policy drops nothing of it.
            let rest: Vec<Moment> = order
                .iter()
                .zip(&fates)
                .filter(|(_, fate)| **fate != Fate::Dropped)
                .map(|(export, _)| *export)
                .collect();
            assert!(!keep.decide(&rest).contains(&Fate::Dropped), "seed {seed}: not at rest");
        }
        assert!(dropped > 10_000, "{dropped}: the histories test nothing");
    }
}
