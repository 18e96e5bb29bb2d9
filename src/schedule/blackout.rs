//! Windows in which nothing begins.

use jiff::civil::{DateTime, Time, Weekday};

/// A window in which nothing begins, by the clock on the wall of the schedule's zone. Its end is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// Each day, or each of these weekdays; over midnight if it ends before it begins. The weekday is that of its
    /// beginning.
    Daily {
        /// Where it begins.
        from: Time,
        /// Where it ends.
        to: Time,
        /// The weekdays; all of them if there are none.
        days: Vec<Weekday>,
    },
    /// Once.
    Dated {
        /// Where it begins.
        from: DateTime,
        /// Where it ends.
        to: DateTime,
    },
}

impl Window {
    /// Whether a time on the wall lies in it.
    #[must_use]
    pub fn covers(&self, local: DateTime) -> bool {
        match self {
            Self::Dated { from, to } => *from <= local && local < *to,
            Self::Daily { from, to, days } => {
                let on = |day: Weekday| days.is_empty() || days.contains(&day);
                let (time, today) = (local.time(), local.date().weekday());
                if from < to {
                    return on(today) && *from <= time && time < *to;
                }
                (on(today) && time >= *from) || (on(today.previous()) && time < *to)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins_on() {
        let window = Window::Daily {
            from: time(22, 0, 0, 0),
            to: time(6, 0, 0, 0),
            days: vec![Weekday::Friday],
        };
        let friday = date(2026, 11, 27);
        assert!(window.covers(friday.at(22, 0, 0, 0)));
        assert!(window.covers(date(2026, 11, 28).at(5, 59, 59, 0)));
        assert!(!window.covers(date(2026, 11, 28).at(6, 0, 0, 0)));
        assert!(!window.covers(friday.at(3, 0, 0, 0)), "that night began on Thursday");
        assert!(!window.covers(date(2026, 11, 28).at(23, 0, 0, 0)));
    }
}
