//! What a schedule's times are, found by going through every minute of a year and looking at the clock on the wall. It
//! knows nothing of how the program finds them: it only ever asks what the clock shows at an instant.

use std::collections::{BTreeSet, HashSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

/// What is declared, in the test's own words.
#[derive(Clone)]
pub(super) struct Declared {
    pub(super) name: &'static str,
    pub(super) zone: &'static str,
    pub(super) minutes: Vec<i8>,
    pub(super) hours: Vec<i8>,
    /// 0 is Sunday.
    pub(super) weekdays: Vec<i8>,
    pub(super) moves: bool,
    pub(super) jitter: u64,
    pub(super) grace: u64,
    pub(super) catch_up: Catch,
    pub(super) overlap: &'static str,
    pub(super) pauses: bool,
    /// Hours of the wall clock: from, to; and the weekdays on which it begins.
    pub(super) dark: Option<(i8, i8, Vec<i8>)>,
}

#[derive(Clone)]
pub(super) enum Catch {
    None,
    Latest(Option<u64>),
    All(Option<u64>, Option<usize>),
}

/// What the clock on the wall shows, in minutes since the beginning of 1970 there: nothing is reckoned but an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Shown(i64);

impl Shown {
    fn at(tz: &TimeZone, at: Timestamp) -> Self {
        Self((at.as_second() + i64::from(tz.to_offset(at).seconds())).div_euclid(60))
    }

    fn minute(self) -> i8 {
        self.0.rem_euclid(60) as i8
    }

    fn hour(self) -> i8 {
        self.0.div_euclid(60).rem_euclid(24) as i8
    }

    /// 0 is Sunday; that day was a Thursday.
    fn weekday(self) -> i8 {
        (self.0.div_euclid(24 * 60) + 4).rem_euclid(7) as i8
    }
}

impl Declared {
    pub(super) fn tz(&self) -> TimeZone {
        TimeZone::get(self.zone).expect("a zone")
    }

    fn fits(&self, shown: Shown) -> bool {
        self.minutes.contains(&shown.minute())
            && self.hours.contains(&shown.hour())
            && self.weekdays.contains(&shown.weekday())
    }

    /// Every time from one instant to another.
    pub(super) fn times(&self, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        let tz = self.tz();
        let minute = SignedDuration::from_mins(1);
        let mut over = HashSet::new();
        let mut times = BTreeSet::new();
        let mut at = from;
        let mut before = Shown::at(&tz, from - minute);
        while at < to {
            let shown = Shown::at(&tz, at);
            // A minute that the clock has shown before is over.
            if self.fits(shown) && over.insert(shown) {
                times.insert(at);
            }
            // Minutes that it has jumped over.
            let mut missing = (before.0 + 1..shown.0).map(Shown);
            if self.moves && missing.any(|missing| self.fits(missing)) {
                times.insert(at);
            }
            before = shown;
            at += minute;
        }
        times
    }

    /// When the occurrence of a time is due.
    pub(super) fn due(&self, at: Timestamp) -> Timestamp {
        let digest = Sha256::digest(format!("{}@{at}", self.name));
        let drawn = u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"));
        at + SignedDuration::from_secs((drawn % (self.jitter + 1)) as i64)
    }

    pub(super) fn is_dark(&self, at: Timestamp) -> bool {
        let Some((from, to, days)) = &self.dark else { return false };
        let shown = Shown::at(&self.tz(), at);
        let (hour, today) = (shown.hour(), shown.weekday());
        let yesterday = (today + 6) % 7;
        if from < to {
            return days.contains(&today) && (*from..*to).contains(&hour);
        }
        (days.contains(&today) && hour >= *from) || (days.contains(&yesterday) && hour < *to)
    }

    /// The same as a playbook says it.
    pub(super) fn written(&self) -> String {
        let list =
            |numbers: &[i8]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let weekdays = if self.weekdays.len() == 7 { "*".to_owned() } else { list(&self.weekdays) };
        let mut text = format!(
            "playbook: v1\nname: {}\nschedule:\n  cron: \"{} {} * * {weekdays}\"\n  time_zone: {}\n  nonexistent: {}\n  grace: {}s\n  overlap: {}\n  pause_on_failure: {}\n",
            self.name,
            list(&self.minutes),
            list(&self.hours),
            self.zone,
            if self.moves { "move" } else { "skip" },
            self.grace,
            self.overlap,
            self.pauses,
        );
        if self.jitter > 0 {
            text += &format!("  jitter: {}s\n", self.jitter);
        }
        text += &match &self.catch_up {
            Catch::None => "  catch_up: none\n".to_owned(),
            Catch::Latest(None) => "  catch_up: latest\n".to_owned(),
            Catch::Latest(Some(window)) => {
                format!("  catch_up: {{ policy: latest, window: {window}s }}\n")
            }
            Catch::All(None, None) => "  catch_up: all\n".to_owned(),
            Catch::All(window, most) => {
                let window = window.map(|w| format!("window: {w}s, ")).unwrap_or_default();
                let most = most.map(|m| format!("max: {m}, ")).unwrap_or_default();
                format!("  catch_up: {{ {window}{most}policy: all }}\n")
            }
        };
        if let Some((from, to, days)) = &self.dark {
            let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
            let days: Vec<&str> = days.iter().map(|day| names[*day as usize]).collect();
            text += &format!(
                "  blackout:\n    - {{ from: \"{from:02}:00\", to: \"{to:02}:00\", days: [{}] }}\n",
                days.join(", ")
            );
        }
        text + "steps:\n  - id: wait\n    pause: { for: 10s }\n"
    }
}
