//! The times of a schedule: instants of a cron expression in a time zone, or of an interval.
//!
//! A cron expression names times of the clock on the wall. The cron crate finds them as if there were no time zone; what
//! each of them is as an instant is decided here, since that is where schedulers go wrong: a time that the wall clock
//! shows twice is the first of the two, and one that it never shows is left out or moved, as declared.
//!
//! Time zones are those that the program brings (IANA's database, by jiff), not the machine's: two schedulers that
//! disagreed about a zone would carry one occurrence out under two names.

use std::fmt;
use std::time::Duration;

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions, parse_crontab_with};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

/// What becomes of a time that the wall clock jumps over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonexistent {
    /// It is no occurrence.
    #[default]
    Skip,
    /// It is moved to the first instant after the jump.
    Move,
}

/// Why a cadence cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Faulty {
    /// The expression cannot be read: why.
    Cron(String),
    /// The expression fits no day.
    Never,
    /// There is no such zone.
    Zone,
}

#[derive(Clone)]
enum Beat {
    Cron { text: String, crontab: Box<Crontab>, nonexistent: Nonexistent },
    Every(Duration),
}

/// The times of a schedule.
#[derive(Clone)]
pub struct Cadence {
    beat: Beat,
    zone_name: String,
    zone: TimeZone,
}

/// Where the search for the newest time before an instant begins, one after the other.
const BACK: [i64; 5] = [2 * 3600, 2 * 86_400, 33 * 86_400, 367 * 86_400, 5 * 367 * 86_400];

fn zone(name: &str) -> Result<TimeZone, Faulty> {
    TimeZoneDatabase::bundled().get(name).map_err(|_| Faulty::Zone)
}

impl Cadence {
    /// The times of a cron expression of five fields.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn cron(text: &str, zone_name: &str, nonexistent: Nonexistent) -> Result<Self, Faulty> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        // The crate would take a zone as a sixth field; it has a key of its own here.
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(Faulty::Cron(format!("it has {fields} fields, and five are read")));
        }
        let crontab = parse_crontab_with(text, options).map_err(|error| {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default();
            Faulty::Cron(last.trim_start().trim_start_matches('^').trim().to_owned())
        })?;
        let beat = Beat::Cron { text: text.to_owned(), crontab: Box::new(crontab), nonexistent };
        let made = Self { beat, zone_name: zone_name.to_owned(), zone: zone(zone_name)? };
        let some_day = "2024-01-01T00:00:00Z".parse().expect("an instant");
        if made.after(some_day).is_none() {
            return Err(Faulty::Never);
        }
        Ok(made)
    }

    /// Whole multiples of an interval since the beginning of 1970, whatever the wall clock does. The zone is that of
    /// blackouts.
    ///
    /// # Errors
    /// `Zone`.
    pub fn every(interval: Duration, zone_name: &str) -> Result<Self, Faulty> {
        let interval = Duration::from_secs(interval.as_secs().max(1));
        let zone = zone(zone_name)?;
        Ok(Self { beat: Beat::Every(interval), zone_name: zone_name.to_owned(), zone })
    }

    /// The zone of its times and blackouts.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first time after an instant; `None` at the end of what can be reckoned.
    #[must_use]
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        match &self.beat {
            Beat::Every(interval) => {
                let interval = i64::try_from(interval.as_secs()).ok()?;
                let second = instant.as_second().div_euclid(interval) + 1;
                Timestamp::from_second(second.checked_mul(interval)?).ok()
            }
            Beat::Cron { crontab, nonexistent, .. } => {
                let mut civil = self.zone.to_datetime(instant);
                loop {
                    civil = next_civil(crontab, civil)?;
                    // In an hour that comes a second time, all times of it are over.
                    match self.instant(civil, *nonexistent) {
                        Some(found) if found > instant => return Some(found),
                        _ => {}
                    }
                }
            }
        }
    }

    /// The instant of a time on the wall, if it has one.
    fn instant(&self, civil: DateTime, nonexistent: Nonexistent) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(civil);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().ok(),
            AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
            AmbiguousOffset::Gap { .. } if nonexistent == Nonexistent::Skip => None,
            AmbiguousOffset::Gap { .. } => {
                // As if the clock had not jumped: after the jump, by less than the jump.
                let late = ambiguous.later().ok()?;
                self.zone.preceding(late).next().map(|jump| jump.timestamp())
            }
        }
    }

    /// The times after an instant, in order.
    pub fn iter(&self, instant: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.after(instant), |last| self.after(*last))
    }

    /// Whether an instant is one of the times.
    #[must_use]
    pub fn has(&self, instant: Timestamp) -> bool {
        let before = instant.checked_sub(SignedDuration::from_secs(1)).ok();
        before.and_then(|before| self.after(before)) == Some(instant)
    }

    /// The newest time that is not after an instant.
    #[must_use]
    pub fn latest(&self, instant: Timestamp) -> Option<Timestamp> {
        BACK.iter().find_map(|back| {
            let start = instant.checked_sub(SignedDuration::from_secs(*back)).ok()?;
            self.iter(start).take_while(|time| *time <= instant).last()
        })
    }
}

/// The first time on the wall that fits, after another. The crate reckons in UTC here, which has no jumps.
fn next_civil(crontab: &Crontab, civil: DateTime) -> Option<DateTime> {
    let as_utc = TimeZone::UTC.to_timestamp(civil).ok()?;
    let next = crontab.find_next(MakeTimestamp(as_utc)).ok()?;
    Some(next.datetime())
}

/// All that decides its times, in one line: a schedule whose line differs is another schedule.
impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.beat {
            Beat::Every(interval) => write!(f, "every {} s", interval.as_secs()),
            Beat::Cron { text, nonexistent, .. } => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let moved = match nonexistent {
                    Nonexistent::Skip => "",
                    Nonexistent::Move => ", what does not exist is moved",
                };
                write!(f, "cron {text} in {}{moved}", self.zone_name)
            }
        }
    }
}

impl fmt::Debug for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Cadence {
    fn eq(&self, other: &Self) -> bool {
        self.zone_name == other.zone_name && self.to_string() == other.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn times(cron: &str, zone: &str, missing: Nonexistent, from: &str, to: &str) -> Vec<String> {
        let cadence = Cadence::cron(cron, zone, missing).expect("it can be read");
        let to = at(to);
        let times = cadence.iter(at(from)).take_while(|time| *time < to);
        times.map(|time| time.to_string()).collect()
    }

    #[test]
    fn a_time_that_exists_twice_is_the_first_of_the_two() {
        let (from, to) = ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        let found = times("30 2 * * *", "Europe/Paris", Nonexistent::Skip, from, to);
        assert_eq!(found, ["2026-10-25T00:30:00Z"]);
        let found = times(
            "*/30 1 * * *",
            "America/New_York",
            Nonexistent::Move,
            "2026-11-01T00:00:00Z",
            "2026-11-02T00:00:00Z",
        );
        assert_eq!(found, ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z"]);
        // Seen from within the second hour, nothing of it is left.
        let cadence = Cadence::cron("*/30 1 * * *", "America/New_York", Nonexistent::Skip);
        let next = cadence.expect("reads").after(at("2026-11-01T06:10:00Z"));
        assert_eq!(next, Some(at("2026-11-02T06:00:00Z")));
    }

    #[test]
    fn a_time_that_does_not_exist_is_left_out_or_moved_as_declared() {
        let (from, to) = ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        let paris = |missing| times("15,45 2 * * *", "Europe/Paris", missing, from, to);
        assert_eq!(paris(Nonexistent::Skip), Vec::<String>::new());
        // Both would be moved to the same instant: that is one occurrence.
        assert_eq!(paris(Nonexistent::Move), ["2026-03-29T01:00:00Z"]);
        // A jump of half an hour.
        let (from, to) = ("2026-10-03T12:00:00Z", "2026-10-04T12:00:00Z");
        let howe = |missing| times("15 2 * * *", "Australia/Lord_Howe", missing, from, to);
        assert_eq!(howe(Nonexistent::Skip), Vec::<String>::new());
        assert_eq!(howe(Nonexistent::Move), ["2026-10-03T15:30:00Z"]);
    }

    #[test]
    fn an_interval_takes_no_notice_of_the_wall_clock() {
        let cadence = Cadence::every(Duration::from_secs(5400), "Europe/Paris").expect("a zone");
        let times: Vec<_> = cadence.iter(at("2026-03-29T00:00:00Z")).take(2).collect();
        assert_eq!(times, [at("2026-03-29T01:30:00Z"), at("2026-03-29T03:00:00Z")]);
        assert!(
            cadence.has(at("2026-03-29T03:00:00Z")) && !cadence.has(at("2026-03-29T03:00:01Z"))
        );
        assert_eq!(cadence.latest(at("2026-03-29T02:59:59Z")), Some(at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let made = |cron, zone| Cadence::cron(cron, zone, Nonexistent::Skip).map(drop);
        assert!(matches!(made("61 * * * *", "UTC"), Err(Faulty::Cron(_))));
        assert!(matches!(made("* * * *", "UTC"), Err(Faulty::Cron(_))));
        assert!(matches!(made("* * * * * UTC", "UTC"), Err(Faulty::Cron(_))));
        assert_eq!(made("0 0 30 2 *", "UTC"), Err(Faulty::Never));
        assert_eq!(made("0 0 29 2 *", "UTC"), Ok(()));
        assert_eq!(made("0 0 * * *", "Europe/Pari"), Err(Faulty::Zone));
    }

    #[test]
    fn the_newest_time_is_found_far_back() {
        let cadence = Cadence::cron("0 6 1 1 *", "Asia/Kolkata", Nonexistent::Skip).expect("reads");
        assert_eq!(cadence.latest(at("2026-11-23T00:00:00Z")), Some(at("2026-01-01T00:30:00Z")));
    }
}
