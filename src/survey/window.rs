//! The daily and weekly spans in which a service does what it does by itself.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A span of each day, or of one day of the week, in UTC: "04:00-05:00", "sun:05:00-sun:06:00".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// As AWS writes it.
    pub text: String,
    /// When it opens, and on which day; on every day, without one.
    pub opens: Option<(Option<Weekday>, Time)>,
    /// When it closes, likewise.
    pub closes: Option<(Option<Weekday>, Time)>,
}

impl Window {
    pub(super) fn parse(text: &str) -> Self {
        let (opens, closes) = text.split_once('-').unzip();
        Self {
            text: text.to_owned(),
            opens: opens.and_then(moment),
            closes: closes.and_then(moment),
        }
    }

    /// When it is first open at some moment from `from` on and before `to`; `None` if it is not, or does not read.
    #[must_use]
    pub fn meets(&self, from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let ((day, opens), closes) = (self.opens?, self.closes?);
        let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
        // The one that is open at `from` may have opened up to a week before.
        let mut date = from.to_zoned(TimeZone::UTC).date().checked_sub(Span::new().days(7)).ok()?;
        loop {
            let opened = date.to_datetime(opens);
            let open = utc(opened)?;
            if open >= to {
                return None;
            }
            if day.is_none_or(|day| day == date.weekday()) {
                let close = utc(next(opened, closes)?)?;
                if close > from {
                    return Some((open, close));
                }
            }
            date = date.tomorrow().ok()?;
        }
    }
}

/// The first time that a closing moment comes after `opened`.
fn next(opened: DateTime, (day, time): (Option<Weekday>, Time)) -> Option<DateTime> {
    let mut at = opened.date().to_datetime(time);
    while at <= opened || day.is_some_and(|day| day != at.weekday()) {
        at = at.checked_add(Span::new().days(1)).ok()?;
    }
    Some(at)
}

fn moment(text: &str) -> Option<(Option<Weekday>, Time)> {
    let clock = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    let day = match text.split(':').next()?.to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return Some((None, clock(text)?)),
    };
    Some((Some(day), clock(text.split_once(':')?.1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_as_aws_writes_them() {
        let daily = Window::parse("04:30-05:30");
        assert_eq!(daily.opens, Some((None, Time::constant(4, 30, 0, 0))));
        let weekly = Window::parse("sun:23:00-mon:00:30");
        assert_eq!(weekly.opens, Some((Some(Weekday::Sunday), Time::constant(23, 0, 0, 0))));
        assert_eq!(weekly.closes, Some((Some(Weekday::Monday), Time::constant(0, 30, 0, 0))));
        assert_eq!(Window::parse("whenever").opens, None);
    }

    #[test]
    fn a_window_meets_what_it_overlaps_also_over_midnight_and_over_the_week() {
        // 2026-11-22 is a Sunday.
        for (window, from, to, opens) in [
            ("05:00-06:00", "2026-11-23T03:00:00Z", "2026-11-23T04:59:00Z", None),
            ("05:00-06:00", "2026-11-23T03:00:00Z", "2026-11-23T05:00:00Z", None),
            (
                "05:00-06:00",
                "2026-11-23T03:00:00Z",
                "2026-11-23T05:01:00Z",
                Some("2026-11-23T05:00:00Z"),
            ),
            (
                "05:00-06:00",
                "2026-11-23T05:59:00Z",
                "2026-11-23T06:30:00Z",
                Some("2026-11-23T05:00:00Z"),
            ),
            ("05:00-06:00", "2026-11-23T06:00:00Z", "2026-11-23T06:30:00Z", None),
            (
                "05:00-06:00",
                "2026-11-23T06:00:00Z",
                "2026-11-25T06:30:00Z",
                Some("2026-11-24T05:00:00Z"),
            ),
            (
                "23:30-00:30",
                "2026-11-23T00:10:00Z",
                "2026-11-23T00:20:00Z",
                Some("2026-11-22T23:30:00Z"),
            ),
            ("23:30-00:30", "2026-11-23T00:30:00Z", "2026-11-23T00:50:00Z", None),
            (
                "23:30-00:30",
                "2026-12-31T23:40:00Z",
                "2027-01-01T00:10:00Z",
                Some("2026-12-31T23:30:00Z"),
            ),
            (
                "sun:23:00-mon:01:00",
                "2026-11-23T00:59:00Z",
                "2026-11-23T02:00:00Z",
                Some("2026-11-22T23:00:00Z"),
            ),
            ("sun:23:00-mon:01:00", "2026-11-23T01:00:00Z", "2026-11-23T02:00:00Z", None),
            (
                "sun:23:00-mon:01:00",
                "2026-11-23T01:00:00Z",
                "2026-11-30T02:00:00Z",
                Some("2026-11-29T23:00:00Z"),
            ),
            (
                "sat:05:00-mon:05:00",
                "2026-11-22T12:00:00Z",
                "2026-11-22T12:01:00Z",
                Some("2026-11-21T05:00:00Z"),
            ),
            ("tue:05:00-tue:09:00", "2026-11-22T12:00:00Z", "2026-11-24T05:00:00Z", None),
            ("whenever", "2026-11-22T12:00:00Z", "2026-11-29T05:00:00Z", None),
        ] {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            let met = Window::parse(window).meets(at(from), at(to)).map(|(opens, _)| opens);
            assert_eq!(met, opens.map(at), "{window} from {from} to {to}");
        }
    }
}
